"""Who may put events under the pipeline's own sources, at the local engine's port."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from local.event_bus import bus_policy
from local.ports.guard import Message

ROOT = Path(__file__).parents[2]
SOURCES = bus_policy.own_sources(ROOT / "template.yaml", "here")


def put(
    *sources: str, caller: str = "local", target: str = bus_policy.PUT_EVENTS, body: bytes | None = None
) -> tuple[int, bytes]:
    """The status of the answer, and what the engine was given; nothing, where the call did not reach it."""
    sent = body if body is not None else json.dumps({"Entries": [{"Source": source} for source in sources]}).encode()
    halves = [sent[:7], sent[7:]]
    statuses: list[int] = []
    reached = b""

    async def engine(_scope: Message, receive: Any, send: Any) -> None:
        nonlocal reached
        more = True
        while more:
            message = await receive()
            reached, more = reached + message["body"], message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return {"type": "http.request", "body": halves.pop(0), "more_body": bool(halves)}

    async def send(message: Message) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    credential = f"AWS4-HMAC-SHA256 Credential={caller}/20260101/us-east-1/events/aws4_request, SignedHeaders=host".encode()
    scope = {"type": "http", "headers": [(b"X-Amz-Target", target.encode()), (b"authorization", credential)]}

    async def call() -> None:
        await bus_policy.enforced(engine, SOURCES)(scope, receive, send)

    asyncio.run(call())
    return statuses[0], reached


def test_the_template_says_which_source_is_whose() -> None:
    assert SOURCES == {
        "orders": "here-publish-changes",
        "orders.carriers": "here-receive-carrier-event",
        "orders.mail": "here-publish-changes",
        "orders.payments": "here-receive-payment-event",
    }


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_of_the_pipeline_s_is_refused_with_all_that_came_with_it(source: str) -> None:
    assert put("warehouse", source) == (400, b"")
    assert put(source, caller="here-ship-parcel") == (400, b"")


@pytest.mark.parametrize("source", SOURCES)
def test_the_function_that_it_is_kept_for_may_use_it(source: str) -> None:
    assert put(source, "warehouse", caller=SOURCES[source])[0] == 200


def test_any_other_source_reaches_the_engine_as_it_was_sent() -> None:
    status, reached = put("warehouse", "orders.of.others")
    assert (status, json.loads(reached)) == (200, {"Entries": [{"Source": "warehouse"}, {"Source": "orders.of.others"}]})


@pytest.mark.parametrize("body", [b"no JSON at all", b"[1, 2, 3]", b'{"Entries": 1}', b'{"Entries": [null]}'])
def test_what_cannot_be_read_is_the_engine_s_to_refuse(body: bytes) -> None:
    assert put(body=body) == (200, body)


def test_no_other_call_is_looked_into() -> None:
    assert put("orders", target="AmazonSQS.SendMessage")[0] == 200
