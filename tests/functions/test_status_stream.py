"""The status stream: it begins with the present, misses nothing, and ends with the order."""

import json
from typing import Any

import pytest

from orders.adapters import secret_store
from orders.adapters.store import orders
from orders.domain.actors import Actor
from orders.domain.identifiers import OrderId
from orders.services import charging, deliveries, fulfilling
from orders.services.changes import utc_now
from orders.services.placing import place_order
from orders.web import tokens
from tests.harness.aws import live
from tests.harness.events import http_event, invoke
from tests.harness.orders import a_request

pytestmark = pytest.mark.usefixtures("deployed_stack")


def stream(order_id: str, last: str | None = None) -> tuple[int, list[tuple[str, str, dict[str, Any]]]]:
    token = tokens.tracking_token(OrderId(order_id), utc_now(), secret_store.signing_key())
    headers = {"last-event-id": last} if last is not None else {}
    event = http_event("GET /orders/{id}/status/stream", path={"id": order_id}, query={"token": token}, headers=headers)
    answer = invoke("watch_status", event)
    if answer["statusCode"] != 200:
        return answer["statusCode"], []
    assert answer["headers"]["content-type"].startswith("text/event-stream")
    assert answer["body"].startswith("retry: ")
    frames = []
    for block in answer["body"].split("\n\n")[1:]:
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if fields:
            frames.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return 200, frames


def test_the_stream_begins_with_the_present_and_misses_nothing_after_that() -> None:
    place_order(a_request({"prod-001": 1}, order_id=OrderId("e-1")), Actor("ada"))
    _, ((version, kind, data),) = stream("e-1")
    assert (version, kind, data["status"]) == ("1", "status", "PENDING")
    assert stream("e-1", "1") == (200, [])
    fulfilling.reserve_stock(OrderId("e-1"))
    charging.charge_payment(OrderId("e-1"))
    _, frames = stream("e-1", "1")
    assert [one[0] for one in frames] == [str(event.version) for event in orders.history(OrderId("e-1"), 1)]
    assert frames[-1][2]["progress"]["steps"]
    assert "progress" not in frames[0][2]
    assert not any("by" in one[2] or "triggered_by" in one[2] for one in frames)


def test_the_stream_ends_when_the_order_is_over() -> None:
    live("e-2")
    deliveries.record_delivery(OrderId("e-2"), "sue")
    last = str(orders.load_order(OrderId("e-2")).version)
    assert [one[0] for one in stream("e-2")[1]] == [last], "the first answer is there even then"
    status, frames = stream("e-2", "3")
    assert (status, frames[-1][0]) == (200, last)
    assert stream("e-2", last) == (204, [])
    assert stream("e-2", "soon")[0] == 400
