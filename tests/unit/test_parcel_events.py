"""What is published of single parcels and of parts that are cancelled, from an order's hand-over to its end."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, get_type_hints

import pytest

from orders.domain import notifications
from orders.domain.actors import Actor
from orders.domain.decisions import placing
from orders.domain.decisions.refunds import WantedRefund
from orders.domain.events import ITEMS_CANCELLED, SHIPMENT_STATUS_CHANGED
from orders.domain.fulfillment import FulfillmentEvent, ReportedItem
from orders.domain.identifiers import OrderId
from orders.domain.refund import RefundedLine
from orders.domain.statuses import OrderStatus, ShipmentStatus
from orders.services import charging, commands, fulfilling
from orders.services.changes import SeenAt
from orders.services.inbound import Outcome, take
from orders.web.event_views import CancelledItemsView, ShipmentChangeView
from tests.harness.memory_store import MemoryStore, in_memory
from tests.harness.orders import START, WAITS, a_wish, an_order, later

ORDER = OrderId("order-1")
GRACE = Actor("grace", staff=True)


def clock() -> datetime:
    return later(1000)


@pytest.fixture
def memory() -> Iterator[MemoryStore]:
    """Two teapots and a cup, paid, and not handed over."""
    with in_memory() as made:
        made.commit(placing.place(a_wish(), WAITS, START, by="ada"))
        fulfilling.reserve_stock(ORDER, clock)
        charging.charge_payment(ORDER, clock=clock)
        yield made


def said(status: str, name: str, **items: int) -> None:
    listed = tuple(ReportedItem(count, line.removeprefix("line_")) for line, count in items.items())
    assert take(FulfillmentEvent(ORDER, name, status, later(100), items=listed), clock) is Outcome.APPLIED


def told(memory: MemoryStore) -> list[dict[str, Any]]:
    """The events about parcels and parts; none says more than is described."""
    described = {SHIPMENT_STATUS_CHANGED: ShipmentChangeView, ITEMS_CANCELLED: CancelledItemsView}
    published = [detail for event in memory.trails[ORDER] for _, detail, _ in notifications.messages(event)]
    assert len({detail["event_id"] for detail in published}) == len(published)
    about = [detail for detail in published if detail["event_type"] in described]
    assert all(set(detail) <= set(get_type_hints(described[detail["event_type"]])) for detail in about)
    return about


def parcels(memory: MemoryStore) -> list[tuple[str, str, dict[str, int]]]:
    return [
        (one["shipment_id"], one["shipment_status"], {piece["line_id"]: piece["quantity"] for piece in one["items"]})
        for one in told(memory)
    ]


def test_each_parcel_is_published_when_it_is_handed_over_and_when_it_arrives(memory: MemoryStore) -> None:
    said("shipped", "a", line_1=1)
    said("completed", "a")
    said("shipped", "b", line_1=1, line_2=1)
    said("completed", "b")
    rest = {"1": 1, "2": 1}
    assert parcels(memory) == [
        ("a", "IN_TRANSIT", {"1": 1}),
        ("a", "DELIVERED", {"1": 1}),
        ("b", "IN_TRANSIT", rest),
        ("b", "DELIVERED", rest),
    ]


def test_a_parcel_is_published_with_its_number_and_its_carrier_s_known_name(memory: MemoryStore) -> None:
    for carrier, number, items in (("UPS Ground", "1Z9", {"1": 1}), ("Aunt Ada", "B-1", {"1": 1})):
        commands.hand_over(ORDER, GRACE, commands.parcel(items, carrier, number, clock), SeenAt(), clock)
    by_ups, by_ada = told(memory)
    assert (by_ups["carrier"], by_ups["tracking_number"]) == ("ups", "1Z9")
    assert "carrier" not in by_ada
    assert by_ada["tracking_number"] == "B-1"


def test_a_parcel_that_comes_back_is_published_and_what_is_sent_back_later_is_none(memory: MemoryStore) -> None:
    said("shipped", "a", line_1=2)
    said("shipped", "b", line_2=1)
    said("completed", "b")
    commands.mark_returned(ORDER, "a", GRACE, None, SeenAt(), clock)
    assert parcels(memory)[3:] == [("a", "RETURNED_TO_SENDER", {"1": 2})]
    assert memory.load(ORDER).order.status is OrderStatus.DELIVERED
    commands.set_status(ORDER, OrderStatus.RETURNED, GRACE, SeenAt(), clock)
    assert memory.load(ORDER).order.status is OrderStatus.RETURNED
    assert len(parcels(memory)) == 4


def test_a_parcel_that_is_given_back_as_lost_is_published(memory: MemoryStore) -> None:
    said("shipped", "a", line_1=2)
    said("shipped", "b", line_2=1)
    found = memory.load(ORDER)
    memory.orders[ORDER] = found.with_shipments(replace(found.shipments[0], status=ShipmentStatus.LOST))
    all_of_it = WantedRefund("Lost", items=(RefundedLine("1", 2),))
    commands.refund(ORDER, all_of_it, GRACE, SeenAt(), clock)
    assert parcels(memory)[2:] == [("a", "LOST", {"1": 2})]


def test_a_part_that_is_cancelled_is_published_and_the_order_as_a_whole_as_its_status(memory: MemoryStore) -> None:
    commands.cancel(ORDER, Actor("ada"), "Too many", SeenAt(), clock, items={"1": 1})
    (part,) = told(memory)
    assert (part["event_type"], part["items"], part["reason"]) == (
        ITEMS_CANCELLED,
        [{"line_id": "1", "quantity": 1}],
        "Too many",
    )
    commands.cancel(ORDER, Actor("ada"), None, SeenAt(), clock)
    assert told(memory) == [part]


@pytest.mark.parametrize("status", [OrderStatus.DELIVERED, OrderStatus.RETURNED, OrderStatus.CANCELLED])
def test_of_an_order_in_one_parcel_nothing_is_published_twice(status: OrderStatus) -> None:
    kinds = {detail["event_type"] for event in an_order(status).trail for _, detail, _ in notifications.messages(event)}
    assert not kinds & {SHIPMENT_STATUS_CHANGED, ITEMS_CANCELLED}
    assert "shipment_status" not in {name for event in an_order(status).trail for name in event.metadata}
