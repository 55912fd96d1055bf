"""Parcels that do not leave, or come back: refused by the carrier, given up, on hold; and their goods and money."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from orders.adapters.carriers.simulated import BOOKED, RECALLED, SimulatedCarrier
from orders.domain import goods
from orders.domain.actors import Actor
from orders.domain.decisions import placing, shipping, unwinding
from orders.domain.decisions.returning import Receipt, approve
from orders.domain.digests import KeyedCall
from orders.domain.errors import CarrierUnavailable, OrderOnHold, OutcomeUnknown
from orders.domain.events import FollowUp
from orders.domain.fulfillment import FulfillmentEvent, ReportedItem
from orders.domain.identifiers import OrderId
from orders.domain.order import Snapshot
from orders.domain.returns import ReturnedPieces, ReturnItem
from orders.domain.statuses import (
    Condition,
    FulfillmentStatus,
    OrderStatus,
    PaymentMethod,
    PaymentStatus,
    RefundStatus,
    StepStatus,
)
from orders.domain.steps import ShippingRefused, StepName
from orders.services import (
    capturing,
    charging,
    commands,
    failing,
    fulfilling,
    handovers,
    holding,
    inbound,
    refunding,
    returning,
)
from orders.services.changes import SeenAt
from tests.harness.memory_store import MemoryStore
from tests.harness.orders import START, WAITS, a_wish, later

ORDER = OrderId("order-1")
GRACE = Actor("grace", staff=True)
CALL = KeyedCall("grace", "of the path and the key", "of the body")
BOOK = SimulatedCarrier.book


def clock() -> datetime:
    return later(1000)


def prepared(memory: MemoryStore, **wish: Any) -> None:
    """Two teapots and a cup for 30.00, paid and not handed over."""
    memory.commit(placing.place(a_wish(**wish), WAITS, START, by="ada"))
    fulfilling.reserve_stock(ORDER, clock)
    charging.charge_payment(ORDER, clock=clock)


def hand_over(items: dict[str, int] | None = None) -> Snapshot:
    return commands.hand_over(ORDER, GRACE, commands.parcel(items, None, None, clock), SeenAt(), clock)


def repeated(items: dict[str, int] | None = None) -> Snapshot:
    return commands.hand_over_again(ORDER, GRACE, commands.parcel(items, None, None, clock, CALL), CALL, clock)


def unheard(*_: object) -> None:
    raise OutcomeUnknown("The response was lost.")


def refusing(*_: object) -> None:
    raise ShippingRefused("The carrier cannot deliver to this address.")


def test_a_parcel_that_was_given_up_is_recalled_by_the_sweep(memory: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The carrier has booked it, and nobody has heard of that, when the rest of the order is cancelled."""
    prepared(memory)
    first = hand_over({"1": 1})

    def booked_unheard(*given: object) -> None:
        BOOK(*given)  # type: ignore[arg-type]
        raise OutcomeUnknown("The response was lost.")

    monkeypatch.setattr(SimulatedCarrier, "book", booked_unheard)
    with pytest.raises(OutcomeUnknown):
        handovers.ship_parcel(ORDER, None, clock=clock)
    failing.begin_unwinding(ORDER, OutcomeUnknown.__name__, "", clock)
    found = memory.load(ORDER)
    left, given_up = (f"CARRIER#{one.shipment_id}" for one in found.shipments)
    assert found.order.status is OrderStatus.SHIPPED
    assert [memory.ledger[name].state for name in (left, given_up)] == [BOOKED, BOOKED]
    assert handovers.is_left(found)
    after = handovers.finish_left(found, clock)
    assert [memory.ledger[name].state for name in (left, given_up)] == [BOOKED, RECALLED]
    assert not handovers.is_left(after)
    assert [one.shipment_id for one in goods.under_way(after)] == [one.shipment_id for one in first.shipments]


def test_what_two_recalls_at_once_were_cut_short_in_is_recalled_by_a_third(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second recalls the first of two parcels while the first does; neither of them gets to the other parcel."""
    prepared(memory)
    monkeypatch.setattr(SimulatedCarrier, "book", unheard)
    with pytest.raises(OutcomeUnknown):
        hand_over({"1": 1})
    with pytest.raises(OutcomeUnknown):
        hand_over()
    commands.cancel(ORDER, GRACE, None, SeenAt(), clock)
    recall, asked = SimulatedCarrier.recall, 0

    def interrupted(carrier: SimulatedCarrier, shipment_id: str) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            with pytest.raises(CarrierUnavailable):
                handovers.recall_shipment(ORDER, clock)
        elif asked in (3, 4):
            raise CarrierUnavailable("The carrier takes no calls.")
        recall(carrier, shipment_id)

    monkeypatch.setattr(SimulatedCarrier, "recall", interrupted)
    with pytest.raises(CarrierUnavailable):
        handovers.recall_shipment(ORDER, clock)
    after = handovers.recall_shipment(ORDER, clock)
    assert [memory.ledger[f"CARRIER#{one.shipment_id}"].state for one in after.shipments] == [RECALLED, RECALLED]
    assert after.order.step(StepName.SHIPPING).status is StepStatus.COMPENSATED


def test_a_refusal_is_not_kept_under_its_idempotency_key(memory: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(memory)
    wanted = commands.parcel({"1": 1}, None, None, clock, CALL)
    monkeypatch.setattr(SimulatedCarrier, "book", refusing)
    with pytest.raises(ShippingRefused):
        commands.hand_over(ORDER, GRACE, wanted, SeenAt(), clock)
    with pytest.raises(ShippingRefused):
        repeated({"1": 1})
    monkeypatch.setattr(SimulatedCarrier, "book", BOOK)
    sent = repeated({"1": 1})
    assert [goods.is_handed_over(sent.order, one) for one in sent.shipments] == [False, False, True]
    assert sent.order.fulfillment_status is FulfillmentStatus.PARTIALLY_SHIPPED
    assert repeated({"1": 1}) == sent, "what it has led to is not done again"


def test_a_parcel_that_the_carrier_refused_is_never_shipped_nor_delivered(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had the whole order in it, as the one that arrived."""
    prepared(memory)
    monkeypatch.setattr(SimulatedCarrier, "book", refusing)
    with pytest.raises(ShippingRefused):
        hand_over()
    monkeypatch.setattr(SimulatedCarrier, "book", BOOK)
    hand_over()
    arrived = commands.mark_delivered(ORDER, GRACE, None, SeenAt(), clock)
    refused, sent = arrived.shipments
    assert (goods.end_of(arrived.order, refused), goods.shipped_at(arrived.order, refused)) == (None, None)
    assert goods.shipped_at(arrived.order, sent) is not None
    back = commands.set_status(ORDER, OrderStatus.RETURNED, GRACE, SeenAt(), clock)
    assert not goods.is_handed_over(back.order, back.shipments[0])


def test_nothing_is_recalled_of_an_order_whose_parcels_were_all_refused(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(memory)
    monkeypatch.setattr(SimulatedCarrier, "book", refusing)
    with pytest.raises(ShippingRefused):
        hand_over({"1": 1})
    found = commands.cancel(ORDER, GRACE, None, SeenAt(), clock)
    assert found.order.status is OrderStatus.CANCELLED
    assert found.order.step(StepName.SHIPPING).status is StepStatus.SKIPPED
    assert unwinding.undo_from(found) == "payment"


def test_a_parcel_that_is_refused_while_its_order_is_being_undone_is_undone_with_that(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(memory)

    monkeypatch.setattr(SimulatedCarrier, "book", unheard)
    with pytest.raises(OutcomeUnknown):
        handovers.ship_parcel(ORDER, None, clock=clock)
    commands.cancel(ORDER, GRACE, None, SeenAt(), clock)
    found = memory.load(ORDER)
    assert found.order.step(StepName.SHIPPING).status is StepStatus.COMPENSATING
    refused = shipping.withdraw(found, found.shipments[0].number, later(1001), "grace", "The carrier cannot deliver there.")
    assert refused
    assert refused.order.step(StepName.SHIPPING).status is StepStatus.COMPENSATED


def test_what_was_taken_for_a_parcel_that_does_not_leave_is_given_back_as_the_rest_is_cancelled(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its money is captured before the carrier is asked, whose answer is lost."""
    monkeypatch.setenv("CAPTURE_MODE", "on_shipment")
    prepared(memory)
    hand_over({"1": 1})
    commands.cancel(ORDER, GRACE, None, SeenAt(), clock, items={"2": 1})

    monkeypatch.setattr(SimulatedCarrier, "book", unheard)
    with pytest.raises(OutcomeUnknown):
        handovers.ship_parcel(ORDER, None, clock=clock)
    payment = memory.load(ORDER).payment
    assert payment
    assert payment.amount_captured == 2000
    failing.begin_unwinding(ORDER, OutcomeUnknown.__name__, "", clock)
    after = refunding.settle(capturing.settle(memory.load(ORDER), clock), clock)
    assert after.payment
    assert (after.order.status, after.payment.amount_captured - after.payment.amount_refunded) == (OrderStatus.SHIPPED, 1000)


def test_money_goes_back_for_a_parcel_that_comes_back_while_others_are_still_to_be_captured(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAPTURE_MODE", "on_shipment")
    prepared(memory)
    parcel = hand_over({"1": 1}).shipments[0]
    back = commands.mark_returned(ORDER, parcel.shipment_id, GRACE, None, SeenAt(), clock)
    assert back.payment
    assert (back.payment.status, back.payment.amount_captured, back.payment.amount_refunded) == (
        PaymentStatus.AUTHORIZED,
        1000,
        1000,
    )
    rest = hand_over()
    assert rest.payment
    assert (rest.payment.status, rest.payment.amount_captured, rest.payment.amount_refunded) == (
        PaymentStatus.PARTIALLY_REFUNDED,
        3000,
        1000,
    )


def test_no_money_is_taken_for_a_parcel_that_came_back_before_its_order_was_released(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAPTURE_MODE", "on_shipment")
    prepared(memory)
    holding.hold(ORDER, GRACE, "The address looks odd", SeenAt(), clock)
    inbound.take(FulfillmentEvent(ORDER, "box-1", "shipped", later(100)), clock)
    assert memory.load(ORDER).order.status is OrderStatus.SHIPPED
    commands.mark_returned(ORDER, "box-1", GRACE, None, SeenAt(), clock)
    payment = memory.load(ORDER).payment
    assert payment
    assert payment.amount_captured == 0


def told(status: str, name: str, items: dict[str, int]) -> None:
    listed = tuple(ReportedItem(count, line_id) for line_id, count in items.items())
    inbound.take(FulfillmentEvent(ORDER, name, status, later(100), items=listed), clock)


def a_customer_sends_back_a_teapot(memory: MemoryStore) -> None:
    told("completed", "box-2", {})
    commands.mark_delivered(ORDER, GRACE, None, SeenAt(), clock)
    returning.request(ORDER, GRACE, [ReturnItem("1", 1, "Too small")], None, SeenAt(), clock)
    (asked,) = memory.load(ORDER).returns
    returning.decide(ORDER, asked.return_id, GRACE, None, SeenAt(), approve, clock)
    receipt = Receipt((ReturnedPieces("1", 1, Condition.RESELLABLE),))
    returning.receive(ORDER, asked.return_id, GRACE, receipt, SeenAt(), clock)


def a_parcel_comes_back(_: MemoryStore) -> None:
    commands.mark_returned(ORDER, "box-1", GRACE, None, SeenAt(), clock)


def nothing_comes_back(_: MemoryStore) -> None:
    """What was sent is kept."""


@pytest.mark.parametrize("token", ["tok_ok", "tok_capture_once"])
@pytest.mark.parametrize(
    ("happens", "lines"),
    [(a_customer_sends_back_a_teapot, {"1": 1}), (a_parcel_comes_back, {"1": 1}), (nothing_comes_back, {})],
)
def test_what_is_given_up_before_its_money_is_taken_is_given_back(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch, token: str, happens: Callable[[MemoryStore], None], lines: Any
) -> None:
    """The capture for the first parcel is written down, and not made before the release."""
    monkeypatch.setenv("CAPTURE_MODE", "on_shipment")
    prepared(memory, payment_token=token)
    holding.hold(ORDER, GRACE, "The address looks odd", SeenAt(), clock)
    told("shipped", "box-1", {"1": 1})
    told("shipped", "box-2", {"1": 1, "2": 1})
    happens(memory)
    assert memory.load(ORDER).refunds == ()
    holding.release(ORDER, GRACE, None, SeenAt(), clock)
    taken = capturing.settle(memory.load(ORDER), clock)
    assert [{line.line_id: line.quantity for line in one.items} for one in taken.refunds] == ([lines] if lines else [])
    after = refunding.settle(taken, clock).payment
    assert after
    assert (after.amount_captured, after.amount_refunded) == (3000, 1000 if lines else 0)
    assert capturing.settle(memory.load(ORDER), clock).refunds == memory.load(ORDER).refunds, "once"


def test_cash_for_a_piece_that_came_back_before_the_rest_arrived_is_handed_out(memory: MemoryStore) -> None:
    prepared(memory, method=PaymentMethod.CASH_ON_DELIVERY)
    first, _ = hand_over({"1": 1}), hand_over()
    assert first.shipment
    commands.mark_parcel_delivered(ORDER, first.shipment.shipment_id, GRACE, None, SeenAt(), clock)
    returning.request(ORDER, GRACE, [ReturnItem("1", 1, "Too small")], None, SeenAt(), clock)
    (asked,) = memory.load(ORDER).returns
    returning.decide(ORDER, asked.return_id, GRACE, None, SeenAt(), approve, clock)
    receipt = Receipt((ReturnedPieces("1", 1, Condition.RESELLABLE),))
    back = returning.receive(ORDER, asked.return_id, GRACE, receipt, SeenAt(), clock)
    assert back.refunds == (), "the rest is still to be collected"
    every = commands.mark_delivered(ORDER, GRACE, None, SeenAt(), clock)
    assert every.payment
    assert (every.payment.status, every.payment.amount_captured) == (PaymentStatus.COMPLETED, 3000)
    (owed,) = every.refunds
    assert (owed.status, owed.amount.amount, owed.due_at) == (RefundStatus.PENDING, 1000, None)
    after = refunding.hand_out(ORDER, owed.refund_id, GRACE, SeenAt(), clock)
    assert after.payment
    assert after.payment.amount_refunded == 1000


def test_what_is_cancelled_before_the_one_capture_for_all_is_made_is_given_back(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left is cancelled while the order is on hold: that lifts the hold."""
    monkeypatch.setenv("CAPTURE_MODE", "on_shipment")
    prepared(memory, payment_token="tok_capture_once")
    commands.cancel(ORDER, GRACE, None, SeenAt(), clock, items={"1": 1})
    holding.hold(ORDER, GRACE, "The address looks odd", SeenAt(), clock)
    told("shipped", "box-1", {"1": 1})
    rest = commands.cancel(ORDER, GRACE, None, SeenAt(), clock)
    assert (rest.order.status, rest.order.hold, rest.refunds) == (OrderStatus.SHIPPED, None, ())
    assert memory.trails[ORDER][-1].follow_up is FollowUp.ANSWER_RELEASED
    taken = capturing.settle(rest, clock)
    assert [[(line.line_id, line.quantity) for line in one.items] for one in taken.refunds]
    after = refunding.settle(taken, clock).payment
    assert after
    assert (after.amount_captured, after.amount_refunded) == (2000, 1000)


def test_an_order_on_hold_keeps_its_parcels_and_goes_on_after_its_release(memory: MemoryStore) -> None:
    """As Shopify's fulfillment holds: what has left is delivered, nothing more leaves, what a warehouse says is a fact."""
    prepared(memory)
    first = hand_over({"1": 1})
    holding.hold(ORDER, GRACE, "The address looks odd", SeenAt(), clock)
    with pytest.raises(OrderOnHold):
        hand_over({"1": 1})
    with pytest.raises(OrderOnHold):
        handovers.ship_parcel(ORDER, None, clock=clock)
    commands.mark_parcel_delivered(ORDER, first.shipments[0].shipment_id, GRACE, None, SeenAt(), clock)
    inbound.take(FulfillmentEvent(ORDER, "box-2", "completed", later(100)), clock)
    part = commands.cancel(ORDER, GRACE, None, SeenAt(), clock, items={"2": 1})
    assert part.order.hold
    assert part.order.fulfillment_status is FulfillmentStatus.PARTIALLY_DELIVERED
    holding.release(ORDER, GRACE, None, SeenAt(), clock)
    hand_over()
    arrived = commands.mark_delivered(ORDER, GRACE, None, SeenAt(), clock)
    assert (arrived.order.status, arrived.order.fulfillment_status) == (OrderStatus.DELIVERED, FulfillmentStatus.DELIVERED)
    assert arrived.payment
    assert (arrived.payment.amount_captured, arrived.payment.amount_refunded) == (3000, 1000)
