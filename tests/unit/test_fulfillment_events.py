"""The order follows its fulfillment: whatever of its news is lost, repeated or late, and in whatever order it comes."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.adapters.carrier_webhooks import words
from orders.adapters.carriers.simulated import SimulatedCarrier
from orders.domain.actors import Actor
from orders.domain.decisions import delivering, placing
from orders.domain.errors import NotFound, OrderChanged
from orders.domain.events import EventType
from orders.domain.fulfillment import FulfillmentEvent, detail_of, event_of
from orders.domain.identifiers import OrderId, TrackingNumber
from orders.domain.order import Order, timestamp
from orders.domain.parcels import TrackingDetail
from orders.domain.reports import Report
from orders.domain.scans import Scan
from orders.domain.statuses import (
    CANCELLABLE,
    FORWARD_PATH,
    FULFILLMENT_MEANS,
    SHIPMENT_TRANSITIONS,
    TRANSITIONS,
    OrderStatus,
    OverallStatus,
    PaymentMethod,
    PaymentStatus,
    ShipmentStatus,
)
from orders.domain.steps import CancelReason
from orders.services import charging, commands, deliveries, fulfilling, handovers
from orders.services.changes import SeenAt
from orders.services.inbound import Outcome, take
from orders.web import bodies, fulfillment_schema
from tests.harness.examples import examples
from tests.harness.memory_store import MemoryStore, in_memory
from tests.harness.orders import START, WAITS, a_wish, later, without_pauses

PENDING, CONFIRMED, PROCESSING = OrderStatus.PENDING, OrderStatus.CONFIRMED, OrderStatus.PROCESSING
SHIPPED, DELIVERED, CANCELLED, RETURNED = (
    OrderStatus.SHIPPED,
    OrderStatus.DELIVERED,
    OrderStatus.CANCELLED,
    OrderStatus.RETURNED,
)
COD, CARD = PaymentMethod.CASH_ON_DELIVERY, PaymentMethod.CREDIT_CARD
WAY = ("planning", "picking", "picked", "packing", "packed", "ready", "shipped", "completed")


def clock() -> datetime:
    return later(1000)


def place(memory: MemoryStore, method: PaymentMethod = CARD, **wish: Any) -> Order:
    change = placing.place(a_wish(method=method, **wish), WAITS, START, by="ada")
    memory.commit(change)
    return change.order


def bring(order: Order, status: OrderStatus) -> None:
    """By the workflow's own steps."""
    if status is PENDING:
        return
    fulfilling.reserve_stock(order.order_id, clock)
    if status is CANCELLED:
        commands.cancel(order.order_id, Actor("ada"), None, SeenAt(), clock)
        return
    charging.charge_payment(order.order_id, clock=clock)
    if status in (SHIPPED, DELIVERED):
        handovers.ship_parcel(order.order_id, None, clock=clock)
    if status is DELIVERED:
        deliveries.record_delivery(order.order_id, "support", clock=clock)


def said(status: str, number: int = 0, **more: Any) -> FulfillmentEvent:
    at = later(100 + number)
    usual = FulfillmentEvent(OrderId("order-1"), "ful-1", status, at, event_id=f"evt-{number}-{status}")
    return replace(usual, **more)


def scanned(status: ShipmentStatus, seconds: float, location: str | None = None) -> FulfillmentEvent:
    scan = Scan(status, later(seconds), location)
    report = Report(f"easypost:{status}:{seconds}:{location}", TrackingNumber("EZ1000000001"), scan, "FedEx")
    return event_of(OrderId("order-1"), detail_of("easypost", OrderId("order-1"), report))


def statuses(memory: MemoryStore) -> list[OrderStatus]:
    """The order's way, each status once for each time it was entered."""
    trail = memory.trails["order-1"]
    return [event.status for event in trail if event.old_status is not event.status]


def types(memory: MemoryStore) -> list[EventType]:
    return [event.type for event in memory.trails["order-1"]]


# --- what each status means -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", WAY[:6])
def test_whatever_happens_in_the_warehouse_means_processing(memory: MemoryStore, status: str) -> None:
    bring(place(memory, COD), CONFIRMED)
    assert take(said(status), clock) is Outcome.APPLIED
    assert statuses(memory) == [PENDING, CONFIRMED, PROCESSING]


def test_cash_on_delivery_from_end_to_end(memory: MemoryStore) -> None:
    order = place(memory, COD)
    bring(order, CONFIRMED)
    outcomes = [take(said(status, number), clock) for number, status in enumerate(WAY)]
    assert outcomes == [Outcome.APPLIED, *[Outcome.RECORDED] * 5, Outcome.APPLIED, Outcome.APPLIED]
    assert statuses(memory) == [PENDING, CONFIRMED, PROCESSING, SHIPPED, DELIVERED]
    found = memory.load("order-1")
    assert found.payment
    assert found.payment.status is PaymentStatus.COMPLETED
    assert [entry.state for entry in memory.ledger.values()] == ["charged"], "the cash was entered once"


@pytest.mark.parametrize("status", [PENDING, PROCESSING, SHIPPED])
def test_a_step_skipped_by_lost_events_is_caught_up(memory: MemoryStore, status: OrderStatus) -> None:
    bring(place(memory), status)
    assert take(said("completed"), clock) is Outcome.APPLIED
    assert statuses(memory) == [PENDING, PROCESSING, SHIPPED, DELIVERED]
    assert next(iter(memory.ledger.values())).state == "charged"


def test_an_event_is_applied_once_however_often_it_comes(memory: MemoryStore) -> None:
    bring(place(memory), PROCESSING)
    assert take(said("shipped"), clock) is Outcome.APPLIED
    versions = len(memory.trails["order-1"])
    assert [take(said("shipped"), clock) for _ in range(3)] == [Outcome.DUPLICATE] * 3
    assert len(memory.trails["order-1"]) == versions


def test_without_an_id_what_an_event_says_is_its_identity(memory: MemoryStore) -> None:
    bring(place(memory), PROCESSING)
    assert take(said("picking", event_id=None), clock) is Outcome.RECORDED
    assert take(said("picking", event_id=None), clock) is Outcome.DUPLICATE
    assert take(said("picking", event_id=None, at=later(500)), clock) is Outcome.RECORDED


def test_one_event_id_of_two_orders_is_two_events(memory: MemoryStore) -> None:
    for order_id in ("order-1", "order-2"):
        bring(place(memory, order_id=order_id), PROCESSING)
        assert take(said("shipped", order_id=order_id, event_id="1"), clock) is Outcome.APPLIED


@pytest.mark.parametrize("status", ["on_hold", "SHIPPED", "delivery_failed", "lost"])
def test_an_unknown_status_is_recorded_and_changes_nothing(memory: MemoryStore, status: str) -> None:
    bring(place(memory), PROCESSING)
    assert take(said(status), clock) is Outcome.RECORDED
    assert types(memory)[-1] is EventType.FULFILLMENT_RECORDED
    assert memory.trails["order-1"][-1].metadata["fulfillment_status"] == status
    assert statuses(memory)[-1] is PROCESSING


def test_an_unknown_order_rises(memory: MemoryStore) -> None:
    for status in (*WAY, "cancelled", "on_hold"):
        with pytest.raises(NotFound):
            take(said(status), clock)


@pytest.mark.parametrize("status", [PENDING, CONFIRMED, PROCESSING])
def test_cancelled_cancels_while_that_is_allowed(memory: MemoryStore, status: OrderStatus) -> None:
    bring(place(memory, COD if status is CONFIRMED else CARD), status)
    assert take(said("cancelled", metadata={"reason": "out_of_stock"}), clock) is Outcome.APPLIED
    order = memory.load_order("order-1")
    assert order.status is CANCELLED
    assert order.cancellation
    assert order.cancellation.reason is CancelReason.OUT_OF_STOCK


@pytest.mark.parametrize("status", [SHIPPED, DELIVERED])
def test_a_late_cancelled_is_refused_and_reported(memory: MemoryStore, status: OrderStatus) -> None:
    bring(place(memory), status)
    assert take(said("cancelled"), clock) is Outcome.REFUSED
    last = memory.trails["order-1"][-1]
    assert last.type is EventType.FULFILLMENT_REFUSED
    assert str(status) in (last.reason or "")
    assert memory.load_order("order-1").status is status
    assert take(said("cancelled"), clock) is Outcome.DUPLICATE


def test_what_comes_for_a_cancelled_order_is_refused_and_a_second_cancelled_recorded(memory: MemoryStore) -> None:
    bring(place(memory), CANCELLED)
    assert take(said("shipped"), clock) is Outcome.REFUSED
    assert take(said("cancelled"), clock) is Outcome.RECORDED
    assert statuses(memory)[-1] is CANCELLED


def test_nothing_moves_while_a_review_is_open(memory: MemoryStore) -> None:
    place(memory, needs_review=True)
    assert take(said("shipped"), clock) is Outcome.REFUSED
    assert statuses(memory) == [PENDING]


def test_a_card_that_is_declined_undoes_the_order_and_the_event_is_on_its_trail(memory: MemoryStore) -> None:
    place(memory, payment_token="tok_declined")
    assert take(said("picking"), clock) is Outcome.REFUSED
    order = memory.load_order("order-1")
    assert order.cancellation
    assert order.cancellation.reason is CancelReason.PAYMENT_FAILED
    assert order.is_over


def test_goods_that_are_not_there_undo_the_order(memory: MemoryStore) -> None:
    place(memory)
    memory.stock = 0
    assert take(said("picking"), clock) is Outcome.REFUSED
    cancellation = memory.load_order("order-1").cancellation
    assert cancellation
    assert cancellation.reason is CancelReason.OUT_OF_STOCK


def test_news_of_an_order_that_is_cancelled_while_it_is_read_is_refused(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = place(memory)

    def read_before_it_was_cancelled(order_id: str) -> Order:
        found = memory.load_order(order_id)
        bring(order, CANCELLED)
        return found

    monkeypatch.setattr("orders.adapters.store.orders.load_order", read_before_it_was_cancelled)
    assert take(said("shipped"), clock) is Outcome.REFUSED
    assert statuses(memory) == [PENDING, CANCELLED]


def test_an_event_that_a_crash_cut_short_goes_on_where_it_was(memory: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(place(memory), PROCESSING)
    real, left = memory.commit, [1]

    def commit(change: Any, record: Any = None) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        real(change, record)

    monkeypatch.setattr("orders.adapters.store.orders.commit", commit)
    with pytest.raises(KeyboardInterrupt):
        take(said("completed"), clock)
    assert statuses(memory)[-1] is SHIPPED
    assert memory.markers == {}
    left[0] = 100
    assert take(said("completed"), clock) is Outcome.APPLIED
    assert take(said("completed"), clock) is Outcome.DUPLICATE
    assert statuses(memory) == [PENDING, PROCESSING, SHIPPED, DELIVERED]


def test_one_that_keeps_losing_rises(memory: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(place(memory), PROCESSING)

    def lose(*_: object) -> None:
        raise OrderChanged("again")

    monkeypatch.setattr("orders.adapters.store.orders.commit", lose)
    without_pauses(monkeypatch)
    with pytest.raises(OrderChanged):
        take(said("shipped"), clock)


# --- the workflow behind an event finds its work done -----------------------------------------------------------------


def test_the_workflow_finds_its_work_done(memory: MemoryStore) -> None:
    order = place(memory)
    take(said("completed", metadata={"carrier": "FedEx", "tracking_number": "FX-1"}), clock)
    for step in (fulfilling.reserve_stock, charging.charge_payment):
        step(order.order_id, clock=clock)
    handovers.ship_parcel(order.order_id, "task-1", clock=clock)
    deliveries.deliver(order.order_id, clock)
    found = memory.load("order-1")
    assert found.shipment
    assert (found.shipment.carrier, found.shipment.tracking_number) == ("FedEx", "FX-1")
    assert len(memory.ledger) == 1, "one charge, and no second parcel"
    assert statuses(memory) == [PENDING, PROCESSING, SHIPPED, DELIVERED]


def test_an_event_between_intent_and_booking_leaves_the_parcel_its_tracking_number(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(place(memory), PROCESSING)
    real = SimulatedCarrier.book

    def book(*arguments: Any) -> Any:
        take(said("shipped"), clock)
        return real(*arguments)

    monkeypatch.setattr(SimulatedCarrier, "book", book)
    handovers.ship_parcel(OrderId("order-1"), "task-1", clock=clock)
    found = memory.load("order-1")
    assert statuses(memory)[-1] is SHIPPED
    assert found.shipment
    assert found.shipment.tracking_number
    assert found.shipment.status is ShipmentStatus.IN_TRANSIT


# --- scans ------------------------------------------------------------------------------------------------------------


def test_a_carrier_s_delivered_ends_the_transit_and_places_the_parcel(memory: MemoryStore) -> None:
    bring(place(memory), SHIPPED)
    assert take(scanned(ShipmentStatus.DELIVERED, 50, "London, GB"), clock) is Outcome.APPLIED
    found = memory.load("order-1")
    assert found.order.status is DELIVERED
    assert found.shipment
    assert (found.shipment.current_location, found.shipment.status) == ("London, GB", ShipmentStatus.DELIVERED)
    assert memory.trails["order-1"][-1].by == "carrier:easypost"


def test_a_failed_attempt_is_recorded_and_the_next_one_counts(memory: MemoryStore) -> None:
    bring(place(memory), SHIPPED)
    assert take(scanned(ShipmentStatus.OUT_FOR_DELIVERY, 10), clock) is Outcome.RECORDED
    assert take(scanned(ShipmentStatus.FAILED, 20), clock) is Outcome.RECORDED
    assert memory.load("order-1").shipment.status is ShipmentStatus.FAILED  # type: ignore[union-attr]
    assert take(scanned(ShipmentStatus.OUT_FOR_DELIVERY, 30), clock) is Outcome.RECORDED
    assert memory.load("order-1").shipment.status is ShipmentStatus.OUT_FOR_DELIVERY  # type: ignore[union-attr]
    assert take(scanned(ShipmentStatus.DELIVERED, 40), clock) is Outcome.APPLIED


@pytest.mark.parametrize("status", [ShipmentStatus.AVAILABLE_FOR_PICKUP, ShipmentStatus.ATTEMPTED, ShipmentStatus.LOST])
def test_what_may_happen_on_the_way_moves_no_order_and_may_pass(memory: MemoryStore, status: ShipmentStatus) -> None:
    bring(place(memory), SHIPPED)
    assert take(scanned(status, 20, "Leeds"), clock) is Outcome.RECORDED
    found = memory.load("order-1")
    assert found.order.status is SHIPPED
    assert found.shipment
    assert found.shipment.status is status
    assert take(scanned(ShipmentStatus.IN_TRANSIT, 30), clock) is Outcome.RECORDED
    assert take(scanned(ShipmentStatus.DELIVERED, 40), clock) is Outcome.APPLIED
    delivered = memory.load("order-1").shipment
    assert delivered
    assert (delivered.status, delivered.delivered_at) == (ShipmentStatus.DELIVERED, later(40)), "the scan's time"
    assert memory.trails["order-1"][-1].metadata["delivered_at"] == timestamp(later(40))


def test_a_parcel_that_turns_round_moves_neither_order_nor_money(memory: MemoryStore) -> None:
    bring(place(memory), SHIPPED)
    assert take(scanned(ShipmentStatus.RETURNING, 50, "Leeds"), clock) is Outcome.RECORDED
    found = memory.load("order-1")
    assert (found.order.status, found.order.overall) == (SHIPPED, OverallStatus.IN_PROGRESS)
    assert found.shipment
    assert found.payment
    assert (found.shipment.status, found.payment.status) == (ShipmentStatus.RETURNING, PaymentStatus.COMPLETED)
    assert found.shipment.estimated_delivery is None, "when it is back nobody has said"
    assert take(scanned(ShipmentStatus.IN_TRANSIT, 60, "York"), clock) is Outcome.RECORDED
    assert memory.load("order-1").shipment.status is ShipmentStatus.RETURNING  # type: ignore[union-attr]
    assert take(scanned(ShipmentStatus.RETURNED_TO_SENDER, 70), clock) is Outcome.APPLIED
    assert statuses(memory)[-1] is RETURNED


def delivered_after(turned: TrackingDetail) -> FulfillmentEvent:
    """A carrier's report of a delivery that lists the parcel's turning round beside it."""
    scan = Scan(ShipmentStatus.DELIVERED, later(60), "Warehouse dock", message="Left at the dock", earlier=(turned,))
    report = Report("easypost:evt_9", TrackingNumber("EZ1000000001"), scan)
    return event_of(OrderId("order-1"), detail_of("easypost", OrderId("order-1"), report))


@pytest.mark.parametrize("told", ["before", "beside it", "by the warehouse"])
def test_a_delivery_of_a_parcel_on_its_way_back_is_for_staff_to_confirm(memory: MemoryStore, told: str) -> None:
    bring(place(memory), SHIPPED)
    turned = TrackingDetail(later(50), ShipmentStatus.RETURNING, "Leeds", "Return to sender")
    if told != "beside it":
        take(scanned(ShipmentStatus.RETURNING, 50, "Leeds"), clock)
    event = said("completed") if told == "by the warehouse" else delivered_after(turned)
    assert take(event, clock) is Outcome.REFUSED
    found = memory.load("order-1")
    assert found.order.status is SHIPPED
    assert found.order.due_at == clock(), "it is overdue until somebody has found out"
    assert found.shipment
    assert (found.shipment.status, found.shipment.unconfirmed_delivery_at) == (ShipmentStatus.RETURNING, event.at)
    assert (types(memory)[-1], memory.trails["order-1"][-1].reason) == (
        EventType.FULFILLMENT_REFUSED,
        delivering.CONFIRM_DELIVERY,
    )
    assert take(event, clock) is Outcome.DUPLICATE
    commands.mark_delivered(OrderId("order-1"), Actor("grace", staff=True), None, SeenAt(), clock)
    parcel = memory.load("order-1").shipment
    assert parcel
    assert (parcel.status, parcel.delivered_at) == (ShipmentStatus.DELIVERED, event.at), "it was the customer after all"
    assert parcel.unconfirmed_delivery_at is None


def test_a_delivery_after_the_return_is_recorded_and_moves_nothing(memory: MemoryStore) -> None:
    bring(place(memory), SHIPPED)
    take(scanned(ShipmentStatus.RETURNED_TO_SENDER, 50), clock)
    assert take(scanned(ShipmentStatus.DELIVERED, 60, "Leeds"), clock) is Outcome.RECORDED
    found = memory.load("order-1")
    assert found.order.status is RETURNED
    assert found.shipment
    assert found.shipment.status is ShipmentStatus.RETURNED_TO_SENDER
    assert [one.status for one in found.shipment.scans] == [ShipmentStatus.RETURNED_TO_SENDER, ShipmentStatus.DELIVERED]
    assert types(memory)[-1] is EventType.FULFILLMENT_RECORDED


def test_what_a_carrier_says_about_its_own_system_is_recorded_and_moves_nothing(memory: MemoryStore) -> None:
    bring(place(memory), SHIPPED)
    before = memory.load("order-1").shipment
    report = Report("easypost:evt_9", TrackingNumber("EZ1000000001"), Scan(None, later(60)), notice="tracker_error")
    event = event_of(OrderId("order-1"), detail_of("easypost", OrderId("order-1"), report))
    assert take(event, clock) is Outcome.RECORDED
    assert memory.load("order-1").shipment == replace(before, sender="easypost") if before else None
    assert memory.trails["order-1"][-1].metadata["fulfillment_status"] == "tracker_error"


def test_every_scan_stands_on_the_trail_in_the_carrier_s_words(memory: MemoryStore) -> None:
    bring(place(memory), SHIPPED)
    turned = TrackingDetail(later(50), ShipmentStatus.RETURNING, "Leeds", "Return to sender")
    take(delivered_after(turned), clock)
    assert memory.trails["order-1"][-1].metadata["scans"] == [
        {"at": timestamp(later(50)), "status": "RETURNING", "location": "Leeds", "message": "Return to sender"},
        {"at": timestamp(later(60)), "status": "DELIVERED", "location": "Warehouse dock", "message": "Left at the dock"},
    ]


def test_a_parcel_returned_to_its_sender_takes_the_order_back(memory: MemoryStore) -> None:
    bring(place(memory), SHIPPED)
    assert take(scanned(ShipmentStatus.RETURNED_TO_SENDER, 50), clock) is Outcome.APPLIED
    assert statuses(memory)[-1] is RETURNED
    bring(place(memory, order_id="order-2"), PROCESSING)
    back = replace(scanned(ShipmentStatus.RETURNED_TO_SENDER, 50), order_id=OrderId("order-2"))
    assert take(back, clock) is Outcome.RECORDED, "what was never shipped cannot come back"


WAY_BACK = (ShipmentStatus.RETURNING, ShipmentStatus.RETURNED_TO_SENDER)
PLACES = st.sampled_from(["Orlando", "Kenly", "Edison", "London"])
SCANS = st.lists(
    st.tuples(st.sampled_from([s for s in ShipmentStatus if s not in WAY_BACK]), PLACES),
    min_size=1,
    max_size=8,
)


@examples(400)
@given(SCANS, st.randoms(use_true_random=False))
def test_scans_are_ordered_by_their_own_time_and_not_by_arrival(scans: list[Any], random: Any) -> None:
    events = [scanned(status, 10 * number, place) for number, (status, place) in enumerate(scans, 1)]
    with in_memory() as memory:
        bring(place(memory), SHIPPED)
        arrived = random.sample(events, k=len(events)) + random.choices(events, k=3)
        ranks = []
        for event in arrived:
            take(event, clock)
            parcel = memory.load("order-1").shipment
            assert parcel
            ranks.append(parcel.status)
        parcel = memory.load("order-1").shipment
        assert parcel
        assert {(one.at, one.status, one.location) for one in parcel.scans} == {
            (event.scan.at, event.scan.status, event.scan.location) for event in events if event.scan
        }
        assert list(parcel.scans) == sorted(parcel.scans, key=lambda one: one.at)
        assert parcel.scanned_at == later(10 * len(scans))
        assert parcel.current_location == scans[-1][1]
        for before, after in pairwise(ranks):
            assert before is after or after in SHIPMENT_TRANSITIONS[before]
        expected = DELIVERED if any(status is ShipmentStatus.DELIVERED for status, _ in scans) else SHIPPED
        assert memory.load_order("order-1").status is expected


# --- the law ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Story:
    """An order's beginning, and the news of its fulfillment as it happens to arrive."""

    start: OrderStatus
    method: PaymentMethod
    arrivals: tuple[FulfillmentEvent, ...]


@st.composite
def stories(draw: st.DrawFn, extra: tuple[str, ...] = ()) -> Story:
    """Any part of a fulfillment's news, in any order, any of it more than once."""
    method = draw(st.sampled_from([CARD, COD]))
    start = draw(st.sampled_from([PENDING, CONFIRMED if method is COD else PROCESSING, SHIPPED]))
    with_ids = draw(st.booleans())
    happened = [*WAY, *draw(st.lists(st.sampled_from([*extra, "on_hold"]), max_size=2))] if extra else list(WAY)
    told = [said(status, number) for number, status in enumerate(happened)]
    told = told if with_ids else [replace(event, event_id=None) for event in told]
    kept = draw(st.lists(st.sampled_from(told), min_size=1, max_size=20))
    return Story(start, method, tuple(kept))


def live(story: Story, memory: MemoryStore) -> list[Outcome]:
    bring(place(memory, story.method), story.start)
    return [take(event, clock) for event in story.arrivals]


def check_trail(memory: MemoryStore, story: Story) -> None:
    trail = memory.trails["order-1"]
    assert [event.version for event in trail] == list(range(1, len(trail) + 1))
    assert all(before.at <= after.at for before, after in pairwise(trail))
    way = statuses(memory)
    assert all(after in TRANSITIONS[before] for before, after in pairwise(way)), way
    ranks = [FORWARD_PATH.index(status) for status in way if status in FORWARD_PATH]
    assert ranks == sorted(set(ranks)), "it went backwards"
    assert set(memory.markers) == {("order-1", event.marker) for event in story.arrivals}
    charges = [entry for name, entry in memory.ledger.items() if name.startswith("GATEWAY#")]
    assert len(charges) <= 1
    bookings = [entry for name, entry in memory.ledger.items() if name.startswith("CARRIER#")]
    assert len(bookings) == (story.start is SHIPPED), "no parcel but the workflow's own was booked"


@examples(400)
@given(stories())
def test_any_permutation_duplication_and_loss_ends_in_the_furthest_status_reached(story: Story) -> None:
    with in_memory() as memory:
        outcomes = live(story, memory)
        furthest = max(
            (story.start, *(FULFILLMENT_MEANS[event.new_status] for event in story.arrivals)), key=FORWARD_PATH.index
        )
        assert memory.load_order("order-1").status is furthest
        check_trail(memory, story)
        seen: set[str] = set()
        for event, outcome in zip(story.arrivals, outcomes, strict=True):
            assert (outcome is Outcome.DUPLICATE) == (event.marker in seen)
            seen.add(event.marker)


def expected(story: Story) -> OrderStatus:
    """The order's status as a reader of ``docs/behavior.md#fulfillment-events`` would derive it, event by event."""
    status = story.start
    for event in story.arrivals:
        wanted = FULFILLMENT_MEANS.get(event.new_status)
        if status is CANCELLED or wanted is None:
            continue
        if wanted is CANCELLED:
            status = CANCELLED if status in CANCELLABLE else status
        elif FORWARD_PATH.index(wanted) > FORWARD_PATH.index(status):
            status = wanted
    return status


@examples(400)
@given(stories(extra=("cancelled",)))
def test_cancelled_and_unknown_news_among_it_change_only_what_they_may(story: Story) -> None:
    with in_memory() as memory:
        live(story, memory)
        assert memory.load_order("order-1").status is expected(story)
        check_trail(memory, story)


# --- how it travels ---------------------------------------------------------------------------------------------------


TIMES = st.integers(0, 4_000_000_000_000).map(lambda milliseconds: datetime.fromtimestamp(milliseconds / 1000, UTC))
WORDS = st.text(st.characters(codec="utf-8"), max_size=300).map(words)


@given(st.sampled_from(list(ShipmentStatus)), TIMES, WORDS, st.booleans())
def test_a_report_comes_off_the_bus_as_it_went_on_it(
    status: ShipmentStatus, at: datetime, location: str | None, estimated: bool
) -> None:
    scan = Scan(status, at, location, at + timedelta(days=1) if estimated else None, "easypost")
    report = Report("easypost:evt_1", TrackingNumber("EZ1"), scan, "FedEx")
    detail = detail_of("easypost", OrderId("order-1"), report)
    kept = event_of(OrderId("order-1"), detail)
    assert kept.scan == scan
    assert (
        bodies.parse(fulfillment_schema.FulfillmentStatusChanged, json.dumps(detail).encode()).event(at, by_pipeline=True)
        == kept
    )
