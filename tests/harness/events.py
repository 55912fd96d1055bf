"""Events as AWS hands them to functions, and the call of a function with one."""

import importlib
import json
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from local.api_gateway.keys import as_gateway
from orders.domain.order import timestamp
from orders.services.changes import utc_now
from tests.harness.orders import bearer

Json = Any
ALL_TAKEN: Json = {"batchItemFailures": []}
"""What a function returns for a batch of which nothing has to come again."""


def invoke(module: str, event: Json, seconds_left: Callable[[], float] = lambda: 30.0) -> Json:
    """What the handler in ``functions/<module>.py`` returns."""
    context = SimpleNamespace(
        aws_request_id="request-1", function_name=module, get_remaining_time_in_millis=lambda: seconds_left() * 1000
    )
    return importlib.import_module(module).handler(event, context)


# --- API Gateway ---


def http_event(
    route_key: str,
    *,
    path: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: str | None = None,
    claims: Mapping[str, Json] | None = None,
) -> dict[str, Json]:
    """A request of payload format 2.0; ``claims`` are those of a token that the authorizer has verified."""
    context: dict[str, Json] = {"requestId": "request-1", "http": {"method": route_key.partition(" ")[0]}}
    given = dict(headers or {})
    if claims is not None:
        context["authorizer"] = {"jwt": {"claims": as_gateway(claims), "scopes": None}}
        given = {"authorization": bearer(claims)} | given
    return {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": "/somewhere",
        "headers": given,
        "requestContext": context,
        "isBase64Encoded": False,
        **({"pathParameters": dict(path)} if path else {}),
        **({"queryStringParameters": dict(query)} if query else {}),
        **({"body": body} if body is not None else {}),
    }


# --- queues ---


def a_message(body: Json, number: object = 1, *, tries: int = 1, age: float = 0) -> dict[str, Json]:
    """One message as a queue delivers it, sent so many seconds ago; a body that is no text is sent as JSON."""
    sent = str(int((utc_now().timestamp() - age) * 1000))
    return {
        "messageId": str(number),
        "receiptHandle": "none",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {"ApproximateReceiveCount": str(tries), "SentTimestamp": sent},
        "eventSource": "aws:sqs",
    }


def messages(bodies: Iterable[Json]) -> list[dict[str, Json]]:
    """A batch of messages, numbered from 0."""
    return [a_message(body, number) for number, body in enumerate(bodies)]


def a_batch(records: Iterable[Mapping[str, Json]]) -> dict[str, Json]:
    """The event of a queue or of the table's stream."""
    return {"Records": list(records)}


def refused(answer: Json) -> list[str]:
    """Which records of a batch have to come again."""
    return [str(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]


# --- the bus ---


def on_bus(detail: Json, source: str | None = None) -> str:
    """An event as the bus's rule hands it to a queue; one with a scan comes from the receiver of the carriers' webhooks."""
    scanned = isinstance(detail, dict) and "scan" in (detail.get("metadata") or {})
    sender = source or ("orders.carriers" if scanned else "warehouse")
    return json.dumps({"detail-type": "fulfillment.status_changed", "source": sender, "detail": detail})


def a_warehouse_event(order_id: str, status: str, **more: Json) -> dict[str, Json]:
    """The warehouse reports a status of the fulfillment."""
    usual = {
        "event_type": "fulfillment.status_changed",
        "fulfillment_id": f"ful-{order_id}",
        "order_id": order_id,
        "old_status": None,
        "new_status": status,
        "timestamp": timestamp(utc_now()),
    }
    return usual | more


# --- the table's stream ---


def a_record(image: Mapping[str, Json], sequence: str = "1") -> dict[str, Json]:
    """A new row as the table's stream delivers it."""
    return {
        "eventID": sequence,
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": {"SequenceNumber": sequence, "NewImage": dict(image)},
    }
