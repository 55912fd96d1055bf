"""What the world is told of a change: the same each time, in order, and nothing that is not its business."""

import json
from itertools import pairwise
from uuid import UUID

import pytest

from orders.domain import notifications
from orders.domain.decisions import delivering, paying
from orders.domain.events import (
    ITEMS_CANCELLED,
    ORDER_STATUS_CHANGED,
    REFUND_STATUS_CHANGED,
    RETURN_STATUS_CHANGED,
    SHIPMENT_STATUS_CHANGED,
    Signal,
)
from orders.domain.notifications import EVENT_TYPES, messages, notice
from orders.domain.statuses import OrderStatus
from orders.domain.steps import CancelReason
from tests.harness import behavior
from tests.harness.orders import Life, a_cod_order, a_dear_order, a_wish, an_order

ALL = (*(an_order(status) for status in OrderStatus), a_cod_order(OrderStatus.DELIVERED), a_dear_order(OrderStatus.DELIVERED))


def told(life: Life) -> list[tuple[str, dict[str, object]]]:
    return [(kind, detail) for event in life.trail for kind, detail, _ in messages(event)]


@pytest.mark.parametrize("life", ALL, ids=lambda life: f"{life.order.method}-{life.order.status}")
def test_a_change_told_twice_is_told_the_same_way(life: Life) -> None:
    assert told(life) == told(life)
    ids = [str(detail["event_id"]) for _, detail in told(life)]
    assert len(set(ids)) == len(ids)
    assert {UUID(one).version for one in ids} == {7}


@pytest.mark.parametrize("life", ALL, ids=lambda life: f"{life.order.method}-{life.order.status}")
def test_news_of_one_order_sorts_as_it_happened(life: Life) -> None:
    versions = [int(str(detail["version"])) for _, detail in told(life)]
    assert versions == sorted(versions)
    ids = [str(detail["event_id"]) for _, detail in told(life)]
    assert ids == sorted(ids)
    assert all(str(before["timestamp"]) <= str(after["timestamp"]) for (_, before), (_, after) in pairwise(told(life)))


def test_ids_of_different_orders_differ() -> None:
    one, other = an_order(OrderStatus.SHIPPED, order_id="one"), an_order(OrderStatus.SHIPPED, order_id="other")
    ids = {str(detail["event_id"]) for life in (one, other) for _, detail in told(life)}
    assert len(ids) == len(told(one)) + len(told(other))


def test_every_change_of_status_is_published_with_what_is_promised() -> None:
    life = an_order(OrderStatus.DELIVERED)
    changes = [detail for kind, detail in told(life) if kind == ORDER_STATUS_CHANGED]
    assert [(change["old_status"], change["new_status"]) for change in changes] == [
        (None, "PENDING"),
        ("PENDING", "PROCESSING"),
        ("PROCESSING", "SHIPPED"),
        ("SHIPPED", "DELIVERED"),
    ]
    wanted = {"event_id", "event_type", "order_id", "customer_id", "old_status", "new_status", "timestamp", "triggered_by"}
    assert all(wanted | {"version"} <= set(change) for change in changes)
    assert all(change["event_type"] == ORDER_STATUS_CHANGED for change in changes)


def test_the_types_of_events_are_those_that_are_promised() -> None:
    further = (RETURN_STATUS_CHANGED, REFUND_STATUS_CHANGED, SHIPMENT_STATUS_CHANGED, ITEMS_CANCELLED)
    assert (ORDER_STATUS_CHANGED, *behavior.listed("for the steps"), *further) == EVENT_TYPES
    assert all(f"`{kind}` (" in behavior.section("notifications") for kind in further)


def test_the_saga_is_told_step_by_step() -> None:
    life = an_order(OrderStatus.DELIVERED)
    steps = [(kind, detail.get("step")) for kind, detail in told(life) if kind != ORDER_STATUS_CHANGED]
    assert steps[0] == (Signal.SAGA_STARTED, None)
    assert steps[-1] == (Signal.SAGA_COMPLETED, None)
    started = [step for kind, step in steps if kind == Signal.STEP_STARTED]
    completed = [step for kind, step in steps if kind == Signal.STEP_COMPLETED]
    assert started == completed == ["Inventory Reservation", "Payment Processing", "Shipping Arrangement", "Delivery"]


def test_a_refusal_is_told_with_what_is_undone() -> None:
    life = Life(a_wish()).reserve().start_payment()
    life.apply(paying.payment_declined(life.snapshot, "The card was declined.", life.tick()))
    life.unwind()
    kinds = [kind for kind, _ in told(life)]
    for kind in (Signal.STEP_FAILED, Signal.COMPENSATION_STARTED, Signal.STEP_COMPENSATED, Signal.SAGA_FAILED):
        assert kind in kinds
    last = [detail for kind, detail in told(life) if kind == ORDER_STATUS_CHANGED][-1]
    assert (last["new_status"], last["reason"]) == ("CANCELLED", "The card was declined.")
    assert life.order.cancellation
    assert life.order.cancellation.reason is CancelReason.PAYMENT_FAILED


def test_what_changes_nothing_visible_is_not_told() -> None:
    life = an_order(OrderStatus.SHIPPED)
    event = delivering.record_fulfillment(life.snapshot, life.tick(), "warehouse", {"fulfillment_status": "on_hold"}).event
    assert messages(event) == []


def test_no_token_and_no_address_leaves() -> None:
    for life in ALL:
        said = json.dumps(told(life))
        for kept in ("tok_ok", "task-1", "payment_token", "St James", "Ada Lovelace"):
            assert kept not in said


@pytest.mark.parametrize("status", OrderStatus)
def test_a_customer_is_told_every_status_in_words(status: OrderStatus) -> None:
    found = notice({"old_status": None, "new_status": status.value, "order_id": "order-1"})
    assert found
    subject, text = found
    assert "order-1" in text
    assert 0 < len(subject) < 100, "as long as a subject of SNS may be"
    assert subject.isascii()
    assert str(status) not in text


def test_every_type_has_its_name_in_the_list_of_types() -> None:
    assert {kind for life in ALL for kind, _ in told(life)} <= set(EVENT_TYPES)
    assert notifications.EVENT_TYPES[0] == ORDER_STATUS_CHANGED
