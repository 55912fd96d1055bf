"""What staff and the warehouse note is for staff: neither customers nor tracking links nor carriers ever read it."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from orders.adapters import secret_store
from orders.adapters.store import keys, orders, table
from orders.domain import facts, notifications
from orders.domain.events import ORDER_STATUS_CHANGED
from orders.domain.identifiers import OrderId
from orders.domain.order import Event
from orders.domain.statuses import OrderStatus
from orders.services.changes import utc_now
from orders.web import tokens
from tests.harness.events import ALL_TAKEN, a_batch, a_message, a_warehouse_event
from tests.harness.world import CUSTOMER, ENVIRONMENT, World

NOTE = "smells of fraud"
CARRIER: dict[str, Any] = {"by": "dhl", "groups": ["carrier"]}


def _under_review(world: World) -> None:
    world.place(require_approval=True)
    world.follow_up()
    world.reserve_for_review()


def rejected(world: World) -> None:
    _under_review(world)
    assert world.support("POST /orders/{id}/reject", "order-1", {"reason": NOTE}).status == 200
    world.unwind()


def approved(world: World) -> None:
    _under_review(world)
    assert world.support("POST /orders/{id}/approve", "order-1", {"reason": NOTE}).status == 200


def cancelled(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    assert world.support("POST /orders/{id}/cancel", "order-1", {"reason": NOTE}).status == 200
    world.unwind()


def sent_back(world: World) -> None:
    world.live(OrderStatus.SHIPPED)
    body = {"status": "RETURNED", "reason": NOTE}
    assert world.support("PATCH /orders/{id}/status", "order-1", body).status == 200
    world.unwind()


def returned(world: World) -> None:
    world.live(OrderStatus.DELIVERED)
    assert world.support("POST /orders/{id}/return", "order-1", {"reason": NOTE}).status == 200
    world.unwind()


def delivered(world: World) -> None:
    world.live(OrderStatus.SHIPPED)
    assert world.support("POST /orders/{id}/delivered", "order-1", {"reason": NOTE}).status == 200


def prepared(world: World) -> None:
    """By hand: stock, charge and status are changes of their own, and each says why."""
    world.place()
    body = {"status": "PROCESSING", "reason": NOTE}
    assert world.support("PATCH /orders/{id}/status", "order-1", body).status == 200


def confirmed(world: World) -> None:
    world.place(payment={"method": "CASH_ON_DELIVERY"})
    body = {"status": "CONFIRMED", "reason": NOTE}
    assert world.support("PATCH /orders/{id}/status", "order-1", body).status == 200


def shipped(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    body = {"status": "SHIPPED", "reason": NOTE}
    assert world.support("PATCH /orders/{id}/status", "order-1", body).status == 200


def picked(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    written = dict.fromkeys(("note", *sorted(facts.OWN)), NOTE)
    detail = a_warehouse_event("order-1", "picked", event_id="evt-1", metadata=written)
    assert world.invoke("on_fulfillment_event", a_batch([a_message(detail)])) == ALL_TAKEN


ENDS = [rejected, approved, cancelled, sent_back, returned, delivered, prepared, confirmed, shipped, picked]
ends = pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)


def reads(world: World, **who: Any) -> str:
    """All that somebody who may read the order is answered."""
    answers = [
        world.http("GET /orders/{id}", "order-1", **who),
        world.http("GET /orders/{id}/history", "order-1", **who),
        world.http("GET /orders", **who),
    ]
    assert [answer.status for answer in answers] == [200, 200, 200]
    return "".join(answer.text for answer in answers)


def link() -> Mapping[str, str]:
    token = tokens.tracking_token(OrderId("order-1"), utc_now(), secret_store.signing_key())
    return {"token": token}


def followed(world: World) -> str:
    """All that the bearer of a tracking link is answered: page, progress, and the stream from its first event on."""
    parts = [
        world.http("GET /track/{id}", "order-1", by=None, query=link(), headers={"accept": "application/json"}),
        world.http("GET /track/{id}", "order-1", by=None, query=link()),
        world.http("GET /orders/{id}/status", "order-1", by=None, query=link()),
        world.http("GET /orders/{id}/status/stream", "order-1", by=None, query=link()),
        world.http("GET /orders/{id}/status/stream", "order-1", by=None, query=link(), headers={"last-event-id": "1"}),
    ]
    assert {answer.status for answer in parts} <= {200, 204}
    return "".join(answer.text for answer in parts)


def events() -> list[Event]:
    return orders.history(OrderId("order-1"))


@ends
def test_only_staff_read_what_staff_noted(world: World, end: Callable[[World], None]) -> None:
    end(world)
    assert NOTE in reads(world, by="grace", groups=["support"])
    assert NOTE not in reads(world)
    assert NOTE not in followed(world)
    told = [message for event in events() for message in notifications.messages(event)]
    notices = [notifications.notice(detail) for kind, detail, _ in told if kind == ORDER_STATUS_CHANGED]
    assert NOTE not in repr(notices)


def rewrite(key: keys.Key, attribute: str, text: str) -> None:
    table.client().update_item(
        TableName=ENVIRONMENT["TABLE_NAME"],
        Key=key,
        UpdateExpression=f"SET {attribute} = :text",
        ExpressionAttributeValues={":text": {"S": text}},
    )


@pytest.mark.parametrize("step", ["Manual Review", "Delivery"])
def test_a_row_of_an_earlier_release_says_no_more(world: World, step: str) -> None:
    """Earlier releases wrote the reason into the failed step's message, and at its end into the trail."""
    (rejected if step == "Manual Review" else sent_back)(world)
    words = f"Rejected in review: {NOTE}" if step == "Manual Review" else NOTE
    key = keys.order_key(OrderId("order-1"))
    steps = json.loads(table.client().get_item(TableName=ENVIRONMENT["TABLE_NAME"], Key=key)["Item"]["steps"]["S"])
    failed = next(one for one in steps if one[0] == "FAILED")
    failed[3] = words
    rewrite(key, "steps", json.dumps(steps))
    rewrite(keys.event_key(OrderId("order-1"), events()[-1].version), "reason", f"Rejected in review: {NOTE}")
    assert NOTE not in reads(world)
    assert NOTE not in followed(world)


def test_a_customer_reads_their_own_words(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    assert world.http("POST /orders/{id}/cancel", "order-1", {"reason": "Found it cheaper"}).status == 200
    assert world.http("GET /orders/{id}", "order-1").order["cancellation"]["note"] == "Found it cheaper"
    history = world.http("GET /orders/{id}/history", "order-1").body["history"]
    said = [entry["reason"] for entry in history if entry["triggered_by"] == CUSTOMER and "reason" in entry]
    assert said == ["Found it cheaper"]
    assert "Found it cheaper" not in followed(world)


def test_a_failed_step_s_message_is_a_sentence_for_customers(world: World) -> None:
    rejected(world)
    steps = world.http("GET /orders/{id}/status", "order-1", by=None, query=link()).body["steps"]
    (review,) = (one for one in steps if "error_message" in one)
    assert review["error_message"] == "Rejected in review"


def test_carriers_get_no_tracking_link_and_no_notes(world: World) -> None:
    world.live(OrderStatus.SHIPPED, require_approval=None)
    moved = world.http("PUT /orders/{id}/shipment/location", "order-1", {"location": "Utrecht"}, **CARRIER)
    arrived = world.http("POST /orders/{id}/delivered", "order-1", {}, **CARRIER)
    assert (moved.status, arrived.status) == (200, 200)
    for answer in (moved, arrived):
        assert "tracking_url" not in answer.body
        assert "token=" not in answer.text
    assert "tracking_url" in world.http("GET /orders/{id}", "order-1").body
    assert "tracking_url" in world.support("GET /orders/{id}", "order-1").body


def test_the_workflow_service_is_not_told_why_a_reviewer_said_no(world: World) -> None:
    """Executions keep their history for ninety days, out of an erasure's reach."""
    _under_review(world)
    world.executions.waiting.add("review-token")
    world.step("request_approval", task_token="review-token", seconds=300, run=1)
    assert world.support("POST /orders/{id}/reject", "order-1", {"reason": NOTE}).status == 200
    world.follow_up()
    assert world.executions.answers["review-token"] == ("ApprovalRejected", "Rejected in review")
