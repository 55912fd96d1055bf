"""An order that leaves in several parcels: handed over by staff or the warehouse, each with a way of its own."""

from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any

import pytest

from orders.adapters.carriers.simulated import SimulatedCarrier
from orders.adapters.payments.simulated import CHARGED
from orders.domain import goods
from orders.domain.actors import Actor
from orders.domain.decisions import paying, placing, refunds, shipping, shortage, unwinding
from orders.domain.decisions.refunds import WantedRefund
from orders.domain.decisions.returning import Receipt, approve
from orders.domain.errors import (
    CarrierUnavailable,
    ConstraintViolated,
    IllegalTransition,
    InvalidArgument,
    NotFound,
    OrderChanged,
    OrderOver,
)
from orders.domain.events import EventType, FollowUp
from orders.domain.fulfillment import FulfillmentEvent, ReportedItem
from orders.domain.identifiers import OrderId
from orders.domain.lines import Line
from orders.domain.money import Money
from orders.domain.order import Order, Snapshot
from orders.domain.payment import GatewayOutcome, OutcomeKind
from orders.domain.refund import RefundedLine
from orders.domain.returns import ReturnedPieces, ReturnItem
from orders.domain.shortage import ShortagePolicy
from orders.domain.statuses import (
    Condition,
    FulfillmentStatus,
    OrderStatus,
    PaymentMethod,
    PaymentStatus,
    RefundStatus,
    ShipmentStatus,
    StepStatus,
)
from orders.domain.steps import StepName
from orders.services import charging, commands, deliveries, failing, fulfilling, handovers, holding, refunding, returning
from orders.services.changes import SeenAt
from orders.services.inbound import Outcome, take
from tests.harness.memory_store import MemoryStore
from tests.harness.orders import OPENED, START, WAITS, a_wish, later, without_pauses

ORDER = OrderId("order-1")
GRACE = Actor("grace", staff=True)
F = FulfillmentStatus


def clock() -> datetime:
    return later(1000)


def prepared(memory: MemoryStore, method: PaymentMethod = PaymentMethod.CREDIT_CARD) -> Order:
    """Two teapots and a cup, paid or to be paid on delivery, and not handed over."""
    memory.commit(placing.place(a_wish(method=method), WAITS, START, by="ada"))
    fulfilling.reserve_stock(ORDER, clock)
    return charging.charge_payment(ORDER, clock=clock).order


def hand_over(items: dict[str, int] | None = None, carrier: str | None = None, number: str | None = None) -> Snapshot:
    return commands.hand_over(ORDER, GRACE, commands.parcel(items, carrier, number, clock), SeenAt(), clock)


def said(status: str, name: str, items: dict[str, int] | None = None, **more: Any) -> Outcome:
    listed = tuple(ReportedItem(count, line_id) for line_id, count in (items or {}).items())
    event = FulfillmentEvent(ORDER, name, status, later(100), items=listed)
    return take(replace(event, **more), clock)


def standing(found: Snapshot) -> tuple[OrderStatus, FulfillmentStatus, list[dict[str, int]]]:
    packed = [dict(goods.in_parcel(found.order, one)) for one in found.shipments]
    return found.order.status, found.order.fulfillment_status, packed


def now(memory: MemoryStore) -> Snapshot:
    return memory.load(ORDER)


def test_an_order_is_split_over_two_fulfillments_of_two_warehouses(memory: MemoryStore) -> None:
    """As in Temporal's reference application: each fulfillment ships and arrives by itself."""
    prepared(memory)
    assert said("shipped", "hat-1", {"1": 2}) is Outcome.APPLIED
    assert standing(now(memory)) == (OrderStatus.PROCESSING, F.PARTIALLY_SHIPPED, [{"1": 2}])
    assert said("completed", "hat-1") is Outcome.APPLIED
    assert standing(now(memory)) == (OrderStatus.PROCESSING, F.PARTIALLY_DELIVERED, [{"1": 2}])
    assert said("shipped", "shoe-2", {"2": 1}) is Outcome.APPLIED
    assert standing(now(memory)) == (OrderStatus.SHIPPED, F.PARTIALLY_DELIVERED, [{"1": 2}, {"2": 1}])
    assert said("completed", "shoe-2") is Outcome.APPLIED
    assert standing(now(memory)) == (OrderStatus.DELIVERED, F.DELIVERED, [{"1": 2}, {"2": 1}])
    assert [one.shipment_id for one in now(memory).shipments] == ["hat-1", "shoe-2"]


def test_parcels_have_items_of_their_own_and_may_split_a_line(memory: MemoryStore) -> None:
    """As commercetools' parcels with parcel items."""
    prepared(memory)
    first = hand_over({"1": 1}, "DHL", "JD0001")
    assert standing(first) == (OrderStatus.PROCESSING, F.PARTIALLY_SHIPPED, [{"1": 1}])
    assert first.shipment
    assert (first.shipment.carrier, first.shipment.tracking_number) == ("DHL", "JD0001")
    last = hand_over()
    assert standing(last) == (OrderStatus.SHIPPED, F.SHIPPED, [{"1": 1}, {"1": 1, "2": 1}])
    assert last.shipment
    assert last.shipment.tracking_number, "the configured carrier was booked"
    arrived = commands.mark_parcel_delivered(ORDER, last.shipment.shipment_id, GRACE, None, SeenAt(), clock)
    assert standing(arrived)[:2] == (OrderStatus.SHIPPED, F.PARTIALLY_DELIVERED)
    with pytest.raises(IllegalTransition):
        commands.mark_parcel_delivered(ORDER, last.shipment.shipment_id, GRACE, None, SeenAt(), clock)
    every = commands.mark_delivered(ORDER, GRACE, None, SeenAt(), clock)
    assert standing(every)[:2] == (OrderStatus.DELIVERED, F.DELIVERED)


def test_what_is_not_there_cannot_be_handed_over(memory: MemoryStore) -> None:
    prepared(memory)
    with pytest.raises(InvalidArgument):
        hand_over({"7": 1})
    with pytest.raises(ConstraintViolated):
        hand_over({"1": 3})
    hand_over({"1": 1})
    with pytest.raises(ConstraintViolated):
        hand_over({"1": 2})
    hand_over()
    with pytest.raises(IllegalTransition):
        hand_over()
    with pytest.raises(NotFound):
        commands.mark_parcel_delivered(ORDER, "ship-9", GRACE, None, SeenAt(), clock)


def test_the_same_fulfillment_again_changes_nothing(memory: MemoryStore) -> None:
    prepared(memory)
    said("shipped", "ful-1", {"1": 1})
    before = now(memory)
    assert said("shipped", "ful-1", {"1": 1}, event_id="again") is Outcome.RECORDED
    assert standing(now(memory)) == standing(before)


def test_a_new_fulfillment_when_all_is_handed_over_is_the_parcel_that_has_none(memory: MemoryStore) -> None:
    prepared(memory)
    handovers.ship_parcel(ORDER, None, clock=clock)
    assert said("shipped", "ful-1") is Outcome.RECORDED
    found = now(memory)
    assert [(one.number, one.fulfillment_id) for one in found.shipments] == [(1, "ful-1")]
    assert said("completed", "ful-1") is Outcome.APPLIED
    assert now(memory).order.status is OrderStatus.DELIVERED


def test_completed_of_an_unknown_fulfillment(memory: MemoryStore) -> None:
    prepared(memory)
    assert said("shipped", "a", {"1": 1}) is Outcome.APPLIED
    assert said("completed", "x") is Outcome.APPLIED, "the only parcel under way"
    assert standing(now(memory))[:2] == (OrderStatus.PROCESSING, F.PARTIALLY_DELIVERED)
    assert said("completed", "y") is Outcome.RECORDED, "none is under way, and one was handed over"
    said("shipped", "b", {"1": 1})
    said("shipped", "c", {"2": 1})
    assert said("completed", "z") is Outcome.RECORDED, "it may be either"
    assert standing(now(memory))[:2] == (OrderStatus.SHIPPED, F.PARTIALLY_DELIVERED)


def test_completed_of_an_order_of_which_nothing_was_handed_over_catches_all_up(memory: MemoryStore) -> None:
    prepared(memory)
    assert said("completed", "x") is Outcome.APPLIED
    assert standing(now(memory)) == (OrderStatus.DELIVERED, F.DELIVERED, [{"1": 2, "2": 1}])


def test_items_that_are_not_left_are_refused_and_reported(memory: MemoryStore) -> None:
    prepared(memory)
    said("shipped", "a", {"1": 2})
    assert said("shipped", "b", {"1": 1}) is Outcome.REFUSED
    assert memory.trails[ORDER][-1].type is EventType.FULFILLMENT_REFUSED
    assert said("shipped", "c", {"9": 1}) is Outcome.REFUSED
    assert standing(now(memory))[:2] == (OrderStatus.PROCESSING, F.PARTIALLY_SHIPPED)


def test_a_warehouse_may_name_products(memory: MemoryStore) -> None:
    prepared(memory)
    event = FulfillmentEvent(ORDER, "a", "shipped", later(1), items=(ReportedItem(1, product_id="prod-001"),))
    assert take(event, clock) is Outcome.APPLIED
    assert standing(now(memory))[2] == [{"1": 1}]


def test_a_packed_parcel_is_on_the_trail_by_its_own_name(memory: MemoryStore) -> None:
    prepared(memory)
    assert said("packed", "ful-1") is Outcome.RECORDED
    assert memory.trails[ORDER][-1].type is EventType.PACKAGE_PREPARED


def test_the_rest_is_handed_over_by_a_manual_shipped(memory: MemoryStore) -> None:
    prepared(memory)
    hand_over({"1": 1})
    shipped = commands.set_status(ORDER, OrderStatus.SHIPPED, GRACE, SeenAt(), clock)
    assert standing(shipped) == (OrderStatus.SHIPPED, F.SHIPPED, [{"1": 1}, {"1": 1, "2": 1}])


def test_an_order_with_a_parcel_is_cancelled_as_far_as_it_is_not_handed_over(memory: MemoryStore) -> None:
    prepared(memory)
    stock = memory.stock
    hand_over({"1": 1})
    with pytest.raises(ConstraintViolated):
        commands.set_status(ORDER, OrderStatus.CANCELLED, GRACE, SeenAt(), clock)
    rest = commands.cancel(ORDER, Actor("ada"), None, SeenAt(), clock)
    assert standing(rest) == (OrderStatus.SHIPPED, F.SHIPPED, [{"1": 1}])
    assert memory.stock == stock + 2
    assert commands.mark_delivered(ORDER, GRACE, None, SeenAt(), clock).order.status is OrderStatus.DELIVERED


def test_an_order_whose_parcel_has_arrived_is_delivered_when_the_rest_is_cancelled(memory: MemoryStore) -> None:
    prepared(memory)
    said("shipped", "a", {"1": 1})
    said("completed", "a")
    assert said("cancelled", "a") is Outcome.APPLIED
    found = now(memory)
    assert standing(found)[:2] == (OrderStatus.DELIVERED, F.DELIVERED)
    assert [event.status for event in memory.trails[ORDER]][-2:] == [OrderStatus.SHIPPED, OrderStatus.DELIVERED]


def test_an_order_whose_parcel_has_arrived_is_delivered_when_the_rest_cannot_be_handed_over(memory: MemoryStore) -> None:
    prepared(memory)
    said("shipped", "a", {"1": 1})
    said("completed", "a")
    assert failing.begin_unwinding(ORDER, "States.TaskFailed", "", clock).order.status is OrderStatus.DELIVERED


def test_pieces_are_cancelled_until_nothing_is_left(memory: MemoryStore) -> None:
    prepared(memory)
    stock = memory.stock
    part = commands.cancel(ORDER, Actor("ada"), "Too many", SeenAt(), clock, items={"1": 1})
    assert standing(part)[:2] == (OrderStatus.PROCESSING, F.UNFULFILLED)
    assert memory.stock == stock + 1
    with pytest.raises(ConstraintViolated):
        commands.cancel(ORDER, Actor("ada"), None, SeenAt(), clock, items={"1": 2})
    whole = commands.cancel(ORDER, Actor("ada"), None, SeenAt(), clock, items={"1": 1, "2": 1})
    assert whole.order.status is OrderStatus.CANCELLED
    assert whole.order.restock == {"prod-001": 1, "prod-002": 1}, "the rest is put back by the unwinding"


def test_a_parcel_that_comes_back_is_put_back_while_the_other_arrives(memory: MemoryStore) -> None:
    prepared(memory)
    first, second = hand_over({"1": 1}), hand_over()
    assert first.shipment
    assert second.shipment
    stock = memory.stock
    back = commands.mark_returned(ORDER, first.shipment.shipment_id, GRACE, None, SeenAt(), clock)
    assert standing(back)[:2] == (OrderStatus.SHIPPED, F.PARTIALLY_RETURNED)
    assert memory.stock == stock + 1
    assert back.shipments[0].status is ShipmentStatus.RETURNED_TO_SENDER
    arrived = commands.mark_delivered(ORDER, GRACE, None, SeenAt(), clock)
    assert standing(arrived)[:2] == (OrderStatus.DELIVERED, F.PARTIALLY_RETURNED)


def test_an_order_all_of_whose_parcels_come_back_is_returned(memory: MemoryStore) -> None:
    prepared(memory)
    first, second = hand_over({"1": 1}), hand_over()
    assert first.shipment
    assert second.shipment
    commands.mark_returned(ORDER, first.shipment.shipment_id, GRACE, None, SeenAt(), clock)
    back = commands.mark_returned(ORDER, second.shipment.shipment_id, GRACE, None, SeenAt(), clock)
    assert standing(back)[:2] == (OrderStatus.RETURNED, F.RETURNED)
    assert back.order.restock == {"prod-001": 1, "prod-002": 1}, "the first parcel's pieces are back already"


@pytest.mark.parametrize("method", [PaymentMethod.CREDIT_CARD, PaymentMethod.CASH_ON_DELIVERY])
@pytest.mark.parametrize("last", ["by the customer", "to the sender"])
def test_an_order_is_returned_when_one_parcel_came_back_to_its_sender_and_the_other_from_the_customer(
    memory: MemoryStore, method: PaymentMethod, last: str
) -> None:
    prepared(memory, method)
    stock = memory.stock + 3
    first, second = hand_over({"1": 1}), hand_over()
    assert first.shipment
    assert second.shipment
    arrived, undelivered = first.shipment.shipment_id, second.shipment.shipment_id
    commands.mark_parcel_delivered(ORDER, arrived, GRACE, None, SeenAt(), clock)
    for way in ("to the sender", "by the customer") if last == "by the customer" else ("by the customer", "to the sender"):
        assert now(memory).order.status is not OrderStatus.RETURNED
        if way == "to the sender":
            commands.mark_returned(ORDER, undelivered, GRACE, None, SeenAt(), clock)
        else:
            returning.request(ORDER, GRACE, [ReturnItem("1", 1, "Too small")], None, SeenAt(), clock)
            (asked,) = now(memory).returns
            returning.decide(ORDER, asked.return_id, GRACE, None, SeenAt(), approve, clock)
            receipt = Receipt((ReturnedPieces("1", 1, Condition.RESELLABLE),))
            returning.receive(ORDER, asked.return_id, GRACE, receipt, SeenAt(), clock)
    refunding.unwind_payment(ORDER, clock)
    fulfilling.record(ORDER, unwinding.release_stock)
    back = now(memory)
    assert standing(back)[:2] == (OrderStatus.RETURNED, F.RETURNED)
    assert (memory.stock, back.order.counted) == (stock, ())
    assert back.payment
    paid = 1000 if method is PaymentMethod.CASH_ON_DELIVERY else 3000
    assert (back.payment.amount_captured, sum(one.amount.amount for one in back.refunds)) == (paid, paid)
    # Cash is handed out by people.
    done = RefundStatus.PENDING if method is PaymentMethod.CASH_ON_DELIVERY else RefundStatus.COMPLETED
    assert {one.status for one in back.refunds} == {done}


def test_cash_is_collected_with_each_parcel(memory: MemoryStore) -> None:
    prepared(memory, PaymentMethod.CASH_ON_DELIVERY)
    first = hand_over({"1": 1})
    assert first.order.status is OrderStatus.PROCESSING
    assert first.shipment
    part = commands.mark_parcel_delivered(ORDER, first.shipment.shipment_id, GRACE, None, SeenAt(), clock)
    assert part.payment
    assert (part.payment.status, part.payment.amount_captured) == (PaymentStatus.PENDING, 1000)
    hand_over()
    every = commands.mark_delivered(ORDER, GRACE, None, SeenAt(), clock)
    assert every.payment
    assert (every.payment.status, every.payment.amount_captured) == (PaymentStatus.COMPLETED, 3000)
    assert sorted(entry.facts["amount"] for entry in memory.ledger.values() if entry.facts.get("cash")) == [1000, 2000]


def test_cash_is_collected_for_what_arrived_only(memory: MemoryStore) -> None:
    prepared(memory, PaymentMethod.CASH_ON_DELIVERY)
    first, second = hand_over({"1": 1}), hand_over()
    assert first.shipment
    assert second.shipment
    commands.mark_parcel_delivered(ORDER, first.shipment.shipment_id, GRACE, None, SeenAt(), clock)
    back = commands.mark_returned(ORDER, second.shipment.shipment_id, GRACE, None, SeenAt(), clock)
    assert back.order.status is OrderStatus.DELIVERED
    assert back.payment
    assert (back.payment.status, back.payment.amount_captured) == (PaymentStatus.COMPLETED, 1000)


def test_cash_of_what_arrived_is_handed_out_when_staff_take_the_whole_order_back(memory: MemoryStore) -> None:
    prepared(memory, PaymentMethod.CASH_ON_DELIVERY)
    first = hand_over({"1": 1})
    hand_over()
    assert first.shipment
    commands.mark_parcel_delivered(ORDER, first.shipment.shipment_id, GRACE, None, SeenAt(), clock)
    commands.set_status(ORDER, OrderStatus.RETURNED, GRACE, SeenAt(), clock)
    refunding.unwind_payment(ORDER, clock)
    back = now(memory)
    assert back.payment
    assert (back.payment.status, back.payment.amount_captured) == (PaymentStatus.COMPLETED, 1000)
    assert [(one.status, one.amount.amount, one.due_at) for one in back.refunds] == [(RefundStatus.PENDING, 1000, None)]


def test_the_timer_ships_what_is_left_as_one_parcel_and_delivers_all(memory: MemoryStore) -> None:
    prepared(memory)
    hand_over({"1": 1})
    shipped = handovers.ship_parcel(ORDER, "task-1", clock=clock)
    assert standing(shipped) == (OrderStatus.SHIPPED, F.SHIPPED, [{"1": 1}, {"1": 1, "2": 1}])
    assert deliveries.deliver(ORDER, clock).order.status is OrderStatus.DELIVERED


# --- the warehouse is waited for ---


def test_whoever_waits_for_the_warehouse_goes_on_with_the_last_hand_over(memory: MemoryStore) -> None:
    prepared(memory)
    handovers.await_warehouse(ORDER, "task-1", clock, run=1)
    waiting = now(memory).order
    assert (waiting.warehouse_token, waiting.due_at) == ("task-1", later(1000 + 172_800))
    said("shipped", "a", {"1": 2})
    assert memory.trails[ORDER][-1].follow_up is None
    said("shipped", "b", {"2": 1})
    assert memory.trails[ORDER][-1].follow_up is FollowUp.ANSWER_HANDED_OVER


def test_the_rest_that_is_cancelled_ends_the_wait_for_the_warehouse_too(memory: MemoryStore) -> None:
    prepared(memory)
    handovers.await_warehouse(ORDER, "task-1", clock, run=1)
    said("shipped", "a", {"1": 2})
    commands.cancel(ORDER, GRACE, None, SeenAt(), clock)
    (cancelled,) = (event for event in memory.trails[ORDER] if event.type is EventType.ITEMS_CANCELLED)
    assert cancelled.follow_up is FollowUp.ANSWER_HANDED_OVER


def test_a_warehouse_that_never_answers_is_reported(memory: MemoryStore) -> None:
    prepared(memory)
    assert shipping.report_overdue_warehouse(now(memory), 60, later(0)) is None, "nobody waits for it"
    handovers.await_warehouse(ORDER, "task-1", clock, run=1)
    hand_over({"1": 2})
    overdue = shipping.report_overdue_warehouse(now(memory), 60, later(2000))
    assert overdue
    assert (overdue.event.type, overdue.order.due_at) == (EventType.WAREHOUSE_OVERDUE, later(2060))
    assert overdue.event.metadata["lines"] == [{"line_id": "2", "quantity": 1}]


def test_a_wait_for_the_warehouse_that_runs_out_is_followed_by_the_next_run(memory: MemoryStore) -> None:
    prepared(memory)
    handovers.await_warehouse(ORDER, "task-1", clock, run=1)
    after = failing.begin_unwinding(ORDER, "States.Timeout", "", clock, run=1)
    assert (after.order.status, after.order.run, after.order.is_over) == (OrderStatus.PROCESSING, 2, False)


@pytest.mark.parametrize("is_held", [True, False])
def test_an_attempt_that_was_given_up_does_not_replace_the_token_of_the_next(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch, is_held: bool
) -> None:
    """The workflow service has not heard of the first, which goes on once the second has kept its token."""
    prepared(memory)
    if is_held:
        holding.hold(ORDER, GRACE, "The address looks odd", SeenAt(), clock)
    without_pauses(monkeypatch)
    seconds = count(2000)

    def ticking() -> datetime:
        return later(next(seconds))

    def wait(token: str) -> None:
        keep = holding.await_release if is_held else handovers.await_warehouse
        keep(ORDER, token, ticking, run=1)

    def overtaken(order_id: str) -> Snapshot:
        monkeypatch.setattr("orders.adapters.store.orders.load", memory.load)
        wait("task-2")
        return memory.load(order_id)

    wait("task-0")
    monkeypatch.setattr("orders.adapters.store.orders.load", overtaken)
    with pytest.raises(OrderChanged):
        wait("task-1")
    kept = now(memory).order
    assert (kept.release_token or kept.warehouse_token) == "task-2"
    wait("task-3")
    kept = now(memory).order
    assert (kept.release_token or kept.warehouse_token) == "task-3"


def test_an_attempt_that_was_given_up_while_the_carrier_was_asked_leaves_the_next_its_wait_for_the_delivery(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(memory)
    without_pauses(monkeypatch)
    seconds, book = count(2000), SimulatedCarrier.book

    def ship(token: str) -> str | None:
        handovers.ship_parcel(ORDER, token, clock=lambda: later(next(seconds)), run=1)
        return now(memory).order.delivery_token

    def overtaken(*arguments: Any) -> Any:
        monkeypatch.setattr(SimulatedCarrier, "book", book)
        assert ship("task-2") == "task-2"
        return book(*arguments)

    monkeypatch.setattr(SimulatedCarrier, "book", overtaken)
    with pytest.raises(OrderChanged):
        ship("task-1")
    assert now(memory).order.delivery_token == "task-2"
    assert ship("task-3") == "task-3"


# --- the money of what is not sent, or comes back ---


def captured_and_returned(found: Snapshot) -> tuple[int, int]:
    assert found.payment
    return found.payment.amount_captured, found.payment.amount_refunded


def test_a_part_is_fulfilled_and_the_rest_is_refunded(memory: MemoryStore) -> None:
    """As in Saleor: some pieces are fulfilled, the others are refunded, and what was fulfilled stays paid."""
    prepared(memory)
    hand_over({"1": 1})
    rest = commands.cancel(ORDER, GRACE, None, SeenAt(), clock)
    assert standing(rest)[:2] == (OrderStatus.SHIPPED, F.SHIPPED)
    assert captured_and_returned(rest) == (3000, 2000)
    assert [(one.amount.amount, len(one.items)) for one in rest.refunds] == [(2000, 2)]
    arrived = commands.mark_delivered(ORDER, GRACE, None, SeenAt(), clock)
    assert captured_and_returned(arrived) == (3000, 2000)


THIRDS = (Line("prod-001", "Teapot", 3, Money(34, "USD"), discount=Money(1, "USD")),)
"""Three pieces for 101, worth 33, 34 and 34."""


@pytest.mark.parametrize("method", [PaymentMethod.CREDIT_CARD, PaymentMethod.CASH_ON_DELIVERY])
def test_what_is_cancelled_before_the_payment_is_never_paid(memory: MemoryStore, method: PaymentMethod) -> None:
    memory.commit(placing.place(a_wish(method=method, lines=THIRDS), WAITS, START, by="ada"))
    fulfilling.reserve_stock(ORDER, clock)
    assert not commands.cancel(ORDER, GRACE, None, SeenAt(), clock, items={"1": 1}).refunds
    paid = charging.charge_payment(ORDER, clock=clock).payment
    assert paid
    assert paid.amount == Money(68, "USD")
    hand_over()
    commands.mark_delivered(ORDER, GRACE, None, SeenAt(), clock)
    delivered = memory.load(ORDER)
    assert captured_and_returned(delivered) == (68, 0)
    everything = goods.returned(delivered.order, {"1": 2})
    refund = refunds.for_pieces(delivered, everything, {"1": 2}, "ref-1", None, clock())
    assert refund
    assert refund.amount == Money(68, "USD"), "with the last pieces all that was paid goes back"


def test_what_is_cancelled_beside_what_was_missing_is_taken_off_by_the_same_shares(memory: MemoryStore) -> None:
    memory.commit(placing.place(a_wish(lines=THIRDS, on_shortage=ShortagePolicy.DROP), WAITS, START, by="ada"))
    commands.cancel(ORDER, GRACE, None, SeenAt(), clock, items={"1": 1})
    order = memory.load(ORDER).order
    short = shortage.reserve_part(order, {"1": 1}, clock(), clock(), "ada", WAITS, {}).order
    assert short.due.amount == 101 - 67


FREE_AND_DEAR = (Line("prod-001", "Teapot", 1, Money(1000, "USD")), Line("prod-002", "Leaflet", 1, Money(0, "USD")))


def test_cash_of_which_nothing_is_collected_is_voided(memory: MemoryStore) -> None:
    memory.commit(placing.place(a_wish(method=PaymentMethod.CASH_ON_DELIVERY, lines=FREE_AND_DEAR), WAITS, START, by="ada"))
    fulfilling.reserve_stock(ORDER, clock)
    charging.charge_payment(ORDER, clock=clock)
    hand_over({"2": 1})
    commands.cancel(ORDER, GRACE, None, SeenAt(), clock)
    delivered = commands.mark_delivered(ORDER, GRACE, None, SeenAt(), clock)
    assert delivered.payment
    assert (delivered.payment.status, delivered.payment.amount_captured) == (PaymentStatus.VOIDED, 0)
    assert (delivered.order.status, delivered.order.step(StepName.PAYMENT).status) == (
        OrderStatus.DELIVERED,
        StepStatus.SKIPPED,
    )
    assert not [entry for entry in memory.ledger.values() if entry.facts.get("cash")]


@pytest.mark.parametrize("method", [PaymentMethod.CREDIT_CARD, PaymentMethod.CASH_ON_DELIVERY])
def test_nobody_is_asked_for_money_where_only_what_is_free_is_left(memory: MemoryStore, method: PaymentMethod) -> None:
    memory.commit(placing.place(a_wish(method=method, lines=FREE_AND_DEAR), WAITS, START, by="ada"))
    fulfilling.reserve_stock(ORDER, clock)
    commands.cancel(ORDER, GRACE, None, SeenAt(), clock, items={"1": 1})
    assert charging.charge_payment(ORDER, clock=clock).payment is None
    hand_over()
    delivered = commands.mark_delivered(ORDER, GRACE, None, SeenAt(), clock)
    assert standing(delivered)[0] is OrderStatus.DELIVERED
    assert delivered.payment is None


def test_a_payment_that_was_opened_before_a_part_was_cancelled_is_opened_anew(memory: MemoryStore) -> None:
    memory.commit(placing.place(a_wish(), WAITS, START, by="ada"))
    fulfilling.reserve_stock(ORDER, clock)
    opened = replace(OPENED, amount=memory.load(ORDER).order.due)
    commands.cancel(ORDER, GRACE, None, SeenAt(), clock, items={"1": 1})
    with pytest.raises(OrderChanged):
        paying.start_payment(memory.load(ORDER), opened, clock())


@pytest.mark.parametrize("token", ["tok_requires_action", "tok_async"])
def test_what_is_cancelled_while_it_is_being_paid_is_given_back_with_the_payment(memory: MemoryStore, token: str) -> None:
    memory.commit(placing.place(a_wish(payment_token=token), WAITS, START, by="ada"))
    fulfilling.reserve_stock(ORDER, clock)
    charging.charge_payment(ORDER, clock=clock, waits=True)
    asked = commands.cancel(ORDER, GRACE, None, SeenAt(), clock, items={"1": 1})
    assert asked.payment
    assert (asked.order.status, asked.payment.amount.amount, asked.refunds) == (OrderStatus.PENDING, 3000, ())
    settled = paying.confirmed(now(memory), GatewayOutcome(OutcomeKind.SETTLED, captured=3000), clock())
    assert settled
    memory.commit(settled)
    assert [(one.amount.amount, one.due_at is not None) for one in now(memory).refunds] == [(1000, True)]
    memory.ledger = {
        key: replace(entry, state=CHARGED) if key.startswith("GATEWAY") else entry for key, entry in memory.ledger.items()
    }
    assert captured_and_returned(refunding.settle(now(memory), clock)) == (3000, 1000)
    part = commands.cancel(ORDER, GRACE, None, SeenAt(), clock, items={"1": 1})
    assert captured_and_returned(part) == (3000, 2000), "each piece once"


def test_each_cancelled_piece_is_given_back_once(memory: MemoryStore) -> None:
    prepared(memory)
    commands.cancel(ORDER, GRACE, None, SeenAt(), clock, items={"1": 1})
    part = commands.cancel(ORDER, GRACE, None, SeenAt(), clock, items={"1": 1})
    assert captured_and_returned(part) == (3000, 2000)


def test_what_is_cancelled_before_the_payment_is_not_charged(memory: MemoryStore) -> None:
    memory.commit(placing.place(a_wish(), WAITS, START, by="ada"))
    fulfilling.reserve_stock(ORDER, clock)
    commands.cancel(ORDER, GRACE, None, SeenAt(), clock, items={"1": 1})
    paid = charging.charge_payment(ORDER, clock=clock)
    assert captured_and_returned(paid) == (2000, 0)


def test_a_parcel_that_comes_back_is_given_back_and_the_other_is_kept(memory: MemoryStore) -> None:
    prepared(memory)
    first = hand_over({"1": 1})
    hand_over()
    assert first.shipment
    back = commands.mark_returned(ORDER, first.shipment.shipment_id, GRACE, None, SeenAt(), clock)
    assert captured_and_returned(back) == (3000, 1000)
    assert captured_and_returned(commands.mark_delivered(ORDER, GRACE, None, SeenAt(), clock)) == (3000, 1000)


def test_a_parcel_that_is_lost_and_refunded_is_over_its_way(memory: MemoryStore) -> None:
    prepared(memory)
    said("shipped", "a", {"1": 2})
    said("shipped", "b", {"2": 1})
    said("completed", "b")
    lost = replace(now(memory).shipments[0], status=ShipmentStatus.LOST)
    memory.orders[ORDER] = now(memory).with_shipments(lost)
    some = WantedRefund("Lost", items=(RefundedLine("1", 1),))
    assert commands.refund(ORDER, some, GRACE, SeenAt(), clock).order.status is OrderStatus.SHIPPED
    stock = memory.stock
    rest = commands.refund(ORDER, some, GRACE, SeenAt(), clock)
    assert standing(rest)[:2] == (OrderStatus.DELIVERED, F.PARTIALLY_DELIVERED)
    assert captured_and_returned(rest) == (3000, 2000)
    assert memory.stock == stock, "what is lost is in no stock"


@pytest.mark.parametrize("method", [PaymentMethod.CREDIT_CARD, PaymentMethod.CASH_ON_DELIVERY])
def test_a_parcel_that_was_given_up_is_never_delivered(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch, method: PaymentMethod
) -> None:
    """Its pieces were cancelled with the rest of the order when the carrier took no calls."""
    prepared(memory, method)
    hand_over({"1": 1}, "Courier", "C-1")

    def closed(*_: object) -> None:
        raise CarrierUnavailable("It takes no calls.")

    monkeypatch.setattr(SimulatedCarrier, "book", closed)
    with pytest.raises(CarrierUnavailable):
        handovers.ship_parcel(ORDER, None, clock=clock)
    begun = now(memory)
    failing.begin_unwinding(ORDER, CarrierUnavailable.__name__, "", clock)
    assert now(memory).order.status is OrderStatus.SHIPPED
    assert [one.number for one in goods.under_way(now(memory))] == [1]
    with pytest.raises(OrderOver):
        shipping.ship(now(memory), begun.shipments[1], 10, None, clock())
    handovers.ship_parcel(ORDER, "token-2", clock=clock)
    deliveries.record_delivery(ORDER, "system", clock=clock)
    done = now(memory)
    assert done.order.status is OrderStatus.DELIVERED
    assert {name: line.quantity_delivered for name, line in done.order.lines_by_id.items()} == {"1": 1, "2": 0}
    assert [one.status for one in done.shipments] == [ShipmentStatus.DELIVERED, ShipmentStatus.CREATED]
    if method is PaymentMethod.CASH_ON_DELIVERY:
        assert done.payment
        assert done.payment.amount_captured == done.order.shares.to_take({"1": 1})
