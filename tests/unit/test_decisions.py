"""What may happen to an order: each decision done once, done twice, done too late and done wrong."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from orders.domain.decisions import delivering, ending, paying, placing, refunds, restarting, reviewing, shipping, unwinding
from orders.domain.decisions.advancing import step_done
from orders.domain.errors import ApprovalPending, ConstraintViolated, IllegalTransition, OrderOver
from orders.domain.events import SYSTEM, EventType, FollowUp, Signal
from orders.domain.lines import Line
from orders.domain.money import Money
from orders.domain.order import Change, Snapshot
from orders.domain.scans import Scan, scanned
from orders.domain.statuses import (
    CANCELLABLE,
    TRANSITIONS,
    ApprovalStatus,
    OrderStatus,
    OverallStatus,
    PaymentStatus,
    RefundStatus,
    ShipmentStatus,
    StepStatus,
)
from orders.domain.steps import CancelReason, StepName
from orders.domain.waits import GRACE, remaining_waits
from tests.harness.orders import (
    CUSTOMER,
    ELSEWHERE,
    HOME,
    OPENED,
    START,
    WAITS,
    Life,
    a_cod_order,
    a_dear_order,
    a_wish,
    an_order,
    booked,
    later,
)

PENDING, CONFIRMED, PROCESSING = OrderStatus.PENDING, OrderStatus.CONFIRMED, OrderStatus.PROCESSING
SHIPPED, DELIVERED, CANCELLED, RETURNED = (
    OrderStatus.SHIPPED,
    OrderStatus.DELIVERED,
    OrderStatus.CANCELLED,
    OrderStatus.RETURNED,
)
NOW = later(1000)


def steps(life: Life) -> dict[StepName, StepStatus]:
    return {step.name: step.status for step in life.order.steps}


def statuses_of_steps(life: Life) -> list[str]:
    return [step.status.value for step in life.order.steps]


# --- placing ---


def test_a_new_order_is_pending_and_has_its_workflow_started() -> None:
    order, event = an_order().order, an_order().trail[0]
    assert (order.status, order.version, order.overall) == (PENDING, 1, OverallStatus.QUEUED)
    assert order.total == Money(3000, "USD")
    assert (event.type, event.version, event.old_status, event.by) == (EventType.ORDER_PLACED, 1, None, CUSTOMER)
    assert event.follow_up is FollowUp.START_FULFILLMENT
    assert {step.status for step in order.steps} == {StepStatus.PENDING}


def test_products_of_two_currencies_have_no_total() -> None:
    lines = (Line("a", "A", 1, Money(1, "USD")), Line("b", "B", 1, Money(1, "EUR")))
    with pytest.raises(ValueError, match="EUR"):
        Life(a_wish(lines=lines))


def test_an_order_to_be_reviewed_waits_for_its_approval_as_long_as_the_waits_say() -> None:
    approval = a_dear_order().order.approval
    assert approval is not None
    assert approval.status is ApprovalStatus.PENDING
    assert approval.expires_at == later(WAITS.approval)


def test_the_sweep_leaves_a_new_order_alone_while_its_waits_last() -> None:
    due = an_order().order.due_at
    assert due is not None
    assert due >= later(WAITS.payment + WAITS.preparation)
    dear = a_dear_order().order.due_at
    assert dear is not None
    assert dear >= due + (later(WAITS.approval) - START)


# --- stock ---


def test_reserving_takes_the_goods_out_of_stock() -> None:
    life = an_order().reserve()
    assert life.stock == {"prod-001": -2, "prod-002": -1}
    assert statuses_of_steps(life) == ["COMPLETED", "SKIPPED", "IN_PROGRESS", "PENDING", "PENDING"]
    assert life.order.overall is OverallStatus.IN_PROGRESS


def test_a_step_that_was_overtaken_is_skipped_and_the_next_one_begins() -> None:
    order = step_done(an_order().order, StepName.PAYMENT, later())
    assert [step.status for step in order.steps] == ["SKIPPED", "SKIPPED", "COMPLETED", "IN_PROGRESS", "PENDING"]


def test_reserving_twice_takes_them_once() -> None:
    life = an_order().reserve()
    assert placing.reserve_stock(life.snapshot, NOW, NOW) is None


def test_an_order_approved_before_its_stock_was_reserved_needs_no_more_review() -> None:
    life = a_dear_order().approve().reserve()
    assert statuses_of_steps(life) == ["COMPLETED", "COMPLETED", "IN_PROGRESS", "PENDING", "PENDING"]


def test_an_order_to_be_reviewed_stops_at_its_review() -> None:
    assert statuses_of_steps(a_dear_order().reserve()) == ["COMPLETED", "IN_PROGRESS", "PENDING", "PENDING", "PENDING"]


# --- review ---


def test_asking_for_approval_keeps_the_token_and_says_until_when() -> None:
    life = a_dear_order().reserve()
    life.apply(reviewing.request_approval(life.snapshot, "task-1", 300, NOW))
    assert life.order.approval_token == "task-1"
    assert life.order.approval is not None
    assert life.order.approval.expires_at == NOW + (later(300) - START)


def test_asking_again_replaces_the_token_as_the_old_task_waits_no_more() -> None:
    life = a_dear_order().reserve()
    life.apply(reviewing.request_approval(life.snapshot, "task-1", 300, NOW))
    life.apply(reviewing.request_approval(life.snapshot, "task-2", 300, NOW))
    assert life.order.approval_token == "task-2"


def test_nobody_is_asked_about_an_order_that_has_its_answer() -> None:
    life = a_dear_order().reserve().approve()
    assert reviewing.request_approval(life.snapshot, "task-1", 300, NOW) is None
    assert reviewing.request_approval(an_order().reserve().snapshot, "task-1", 300, NOW) is None


def test_an_approved_order_goes_on_to_its_payment() -> None:
    life = a_dear_order().reserve().approve()
    assert statuses_of_steps(life) == ["COMPLETED", "COMPLETED", "IN_PROGRESS", "PENDING", "PENDING"]
    assert life.trail[-1].follow_up is FollowUp.ANSWER_APPROVED
    assert life.order.approval is not None
    assert life.order.approval.decided_by == "grace"


def test_a_rejected_order_is_unwound_and_ends_cancelled() -> None:
    life = a_dear_order().reserve()
    life.apply(reviewing.reject(life.snapshot, life.tick(), "grace", "Never heard of them"))
    assert life.order.overall is OverallStatus.ROLLING_BACK
    assert life.trail[-1].follow_up is FollowUp.ANSWER_REJECTED
    life.unwind()
    assert life.order.status is CANCELLED
    assert life.order.cancellation is not None
    assert life.order.cancellation.reason is CancelReason.APPROVAL_REJECTED
    assert life.order.cancellation.by == "grace"
    assert statuses_of_steps(life) == ["COMPENSATED", "FAILED", "SKIPPED", "SKIPPED", "SKIPPED"]
    assert life.order.step(StepName.REVIEW).error_message == "Rejected in review"
    assert set(life.stock.values()) == {0}


def test_an_order_rejected_before_anything_was_done_is_over_at_once() -> None:
    life = a_dear_order()
    life.apply(reviewing.reject(life.snapshot, NOW, "grace", None))
    assert (life.order.status, life.order.overall) == (CANCELLED, OverallStatus.FAILED)
    assert life.order.due_at is None


@pytest.mark.parametrize("answer", [reviewing.approve, reviewing.reject])
def test_a_review_is_answered_once(answer: Callable[..., Change]) -> None:
    for first in (reviewing.approve, reviewing.reject):
        life = a_dear_order().reserve()
        life.apply(first(life.snapshot, life.tick(), "grace", None))
        with pytest.raises(ConstraintViolated):
            answer(life.snapshot, NOW, "grace", None)


@pytest.mark.parametrize("answer", [reviewing.approve, reviewing.reject])
def test_an_order_that_needs_no_review_is_not_answered(answer: Callable[..., Change]) -> None:
    with pytest.raises(ConstraintViolated, match="needs no review"):
        answer(an_order().reserve().snapshot, NOW, "grace", None)


@pytest.mark.parametrize("answer", [reviewing.approve, reviewing.reject])
def test_an_order_that_is_over_is_not_answered(answer: Callable[..., Change]) -> None:
    with pytest.raises(ConstraintViolated):
        answer(a_dear_order().reserve().cancel().snapshot, NOW, "grace", None)


def test_silence_counts_as_no() -> None:
    life = a_dear_order().reserve()
    life.apply(ending.fail(life.snapshot, CancelReason.APPROVAL_TIMEOUT, "Nobody answered", NOW))
    assert life.order.approval is not None
    assert life.order.approval.status is ApprovalStatus.TIMED_OUT
    with pytest.raises(ConstraintViolated):
        reviewing.approve(life.snapshot, NOW, "grace", None)
    assert life.unwind().order.cancellation is not None
    assert life.order.status is CANCELLED


@pytest.mark.parametrize("cod", [False, True])
def test_nothing_is_charged_before_the_review_is_answered(cod: bool) -> None:
    life = (a_cod_order(needs_review=True) if cod else a_dear_order()).reserve()
    with pytest.raises(ApprovalPending):
        paying.start_payment(life.snapshot, OPENED, NOW)
    with pytest.raises(ApprovalPending):
        paying.accept_cash(life.snapshot, "pay-1", NOW)


# --- payment ---


def test_the_intent_to_charge_is_written_first_and_once() -> None:
    life = an_order().reserve().start_payment()
    assert life.snapshot.payment is not None
    assert (life.snapshot.payment.status, life.order.status) == (PaymentStatus.PROCESSING, PENDING)
    assert paying.start_payment(life.snapshot, replace(OPENED, payment_id="pay-2"), NOW) is None


def test_a_paid_order_is_processing_and_forgets_the_card() -> None:
    life = an_order(PROCESSING)
    assert life.snapshot.payment is not None
    assert life.snapshot.payment.status is PaymentStatus.COMPLETED
    assert life.order.payment_token is None
    assert statuses_of_steps(life) == ["COMPLETED", "SKIPPED", "COMPLETED", "IN_PROGRESS", "PENDING"]


@pytest.mark.parametrize("status", [PROCESSING, SHIPPED, DELIVERED])
def test_being_paid_is_noted_once(status: OrderStatus) -> None:
    assert paying.payment_completed(an_order(status).snapshot, NOW) is None


def test_a_declined_order_gets_its_stock_back_and_says_why() -> None:
    life = an_order().reserve().start_payment()
    life.apply(paying.payment_declined(life.snapshot, "The card was declined.", life.tick()))
    assert life.order.overall is OverallStatus.ROLLING_BACK
    assert life.snapshot.payment is not None
    assert life.snapshot.payment.status is PaymentStatus.FAILED
    assert life.snapshot.payment.failure_reason == "The card was declined."
    life.unwind()
    assert statuses_of_steps(life) == ["COMPENSATED", "SKIPPED", "FAILED", "SKIPPED", "SKIPPED"]
    assert life.order.step(StepName.PAYMENT).error_message == "The card was declined."
    assert (life.order.status, life.order.overall) == (CANCELLED, OverallStatus.ROLLED_BACK)
    assert life.order.cancellation is not None
    assert life.order.cancellation.reason is CancelReason.PAYMENT_FAILED
    assert set(life.stock.values()) == {0}


def test_a_declined_charge_of_a_settled_payment_changes_nothing() -> None:
    assert paying.payment_declined(an_order(PROCESSING).snapshot, "no", NOW) is None
    assert paying.payment_declined(an_order().snapshot, "no", NOW) is None


def test_cash_on_delivery_is_confirmed_and_not_charged() -> None:
    life = a_cod_order(CONFIRMED)
    assert life.snapshot.payment is not None
    assert life.snapshot.payment.status is PaymentStatus.PENDING
    assert steps(life)[StepName.PAYMENT] is StepStatus.SKIPPED
    assert paying.accept_cash(life.snapshot, "pay-2", NOW) is None


def test_only_cash_on_delivery_is_confirmed() -> None:
    with pytest.raises(ConstraintViolated):
        paying.accept_cash(an_order().reserve().snapshot, "pay-1", NOW)


def test_preparation_moves_a_confirmed_order_once() -> None:
    life = a_cod_order(CONFIRMED)
    life.apply(shipping.start_preparation(life.snapshot, life.tick(), "warehouse", {}))
    assert life.order.status is PROCESSING
    assert shipping.start_preparation(life.snapshot, NOW, "warehouse", {}) is None


# --- shipping ---


def test_the_hand_over_is_written_before_the_carrier_hears_of_it() -> None:
    life = an_order(PROCESSING).start_handover()
    assert life.snapshot.shipment is not None
    assert (life.snapshot.shipment.status, life.order.status) == (ShipmentStatus.CREATED, PROCESSING)
    assert shipping.start_handover(life.snapshot, "ship-2", "SimEx", NOW) is None


def test_a_confirmed_order_is_processing_at_the_latest_when_it_is_handed_over() -> None:
    life = a_cod_order(CONFIRMED).start_handover()
    assert life.order.status is PROCESSING


def test_an_unpaid_order_is_not_handed_over() -> None:
    with pytest.raises(IllegalTransition):
        shipping.start_handover(an_order().reserve().snapshot, "ship-1", "SimEx", NOW)


def test_a_shipped_order_has_its_tracking_number_and_is_shipped_once() -> None:
    life = an_order(SHIPPED)
    assert life.snapshot.shipment is not None
    assert life.snapshot.shipment.tracking_number == "TRACK-1"
    assert shipping.ship(life.snapshot, booked(life.snapshot), 10, "task-1", NOW) is None
    assert shipping.ship(life.snapshot, booked(life.snapshot), 10, None, NOW) is None


def test_a_new_wait_for_delivery_has_its_token_kept() -> None:
    life = an_order(SHIPPED)
    life.apply(shipping.ship(life.snapshot, booked(life.snapshot), 10, "task-2", NOW))
    assert life.order.delivery_token == "task-2"
    assert life.trail[-1].type is EventType.DELIVERY_AWAITED


def test_a_delivered_order_waits_for_nothing() -> None:
    life = an_order(DELIVERED)
    assert shipping.ship(life.snapshot, booked(life.snapshot), 10, "task-2", NOW) is None


def test_a_parcel_on_its_way_has_a_location() -> None:
    life = an_order(SHIPPED)
    life.apply(delivering.update_location(life.snapshot, "Utrecht", later(99), NOW, "carrier"))
    assert life.snapshot.shipment is not None
    assert (life.snapshot.shipment.current_location, life.snapshot.shipment.estimated_delivery) == ("Utrecht", later(99))
    life.apply(delivering.update_location(life.snapshot, "London", None, NOW, "carrier"))
    assert life.snapshot.shipment.estimated_delivery == later(99)


@pytest.mark.parametrize("status", [status for status in OrderStatus if status is not SHIPPED])
def test_only_a_parcel_on_its_way_has_a_location(status: OrderStatus) -> None:
    with pytest.raises(ConstraintViolated):
        delivering.update_location(an_order(status).snapshot, "Utrecht", None, NOW, "carrier")


# --- delivery ---


def test_a_delivered_order_is_complete_and_nothing_is_due_any_more() -> None:
    life = an_order(DELIVERED)
    assert (life.order.overall, life.order.due_at) == (OverallStatus.COMPLETED, None)
    assert statuses_of_steps(life) == ["COMPLETED", "SKIPPED", "COMPLETED", "COMPLETED", "COMPLETED"]
    assert delivering.deliver(life.snapshot, NOW) is None


def test_cash_is_collected_with_the_delivery() -> None:
    life = a_cod_order(DELIVERED)
    assert life.snapshot.payment is not None
    assert life.snapshot.payment.status is PaymentStatus.COMPLETED
    assert steps(life)[StepName.PAYMENT] is StepStatus.COMPLETED


@pytest.mark.parametrize("status", [PENDING, CONFIRMED, PROCESSING, CANCELLED, RETURNED])
def test_only_a_shipped_order_is_delivered(status: OrderStatus) -> None:
    with pytest.raises((IllegalTransition, ConstraintViolated)):
        delivering.deliver(an_order(status).snapshot, NOW)


def test_the_waiting_workflow_is_told_of_a_delivery_it_does_not_know_of() -> None:
    life = an_order(SHIPPED)
    told = delivering.deliver(life.snapshot, NOW, "carrier")
    assert told is not None
    assert told.event.follow_up is FollowUp.ANSWER_DELIVERED


def test_an_overdue_parcel_is_reported_and_looked_at_again() -> None:
    life = an_order(SHIPPED)
    life.apply(delivering.report_overdue(life.snapshot, 3600, NOW))
    assert life.order.due_at == NOW + (later(3600) - START)
    assert life.order.status is SHIPPED
    assert delivering.report_overdue(an_order(DELIVERED).snapshot, 3600, NOW) is None


# --- address ---


@pytest.mark.parametrize("status", [PENDING, CONFIRMED, PROCESSING])
def test_the_address_can_change_until_the_parcel_is_handed_over(status: OrderStatus) -> None:
    life = an_order(status)
    life.apply(shipping.change_address(life.snapshot, ELSEWHERE, NOW, CUSTOMER))
    assert life.order.shipping_address == ELSEWHERE
    assert shipping.change_address(life.snapshot, ELSEWHERE, NOW, CUSTOMER) is None


@pytest.mark.parametrize("status", [SHIPPED, DELIVERED, CANCELLED, RETURNED])
def test_the_address_stands_once_the_parcel_is_gone(status: OrderStatus) -> None:
    with pytest.raises(ConstraintViolated):
        shipping.change_address(an_order(status).snapshot, ELSEWHERE, NOW, CUSTOMER)


def test_the_address_stands_from_the_moment_the_hand_over_begins() -> None:
    with pytest.raises(ConstraintViolated):
        shipping.change_address(an_order(PROCESSING).start_handover().snapshot, ELSEWHERE, NOW, CUSTOMER)


# --- cancelling ---


@pytest.mark.parametrize("status", sorted(CANCELLABLE))
def test_an_order_that_is_not_shipped_can_be_cancelled(status: OrderStatus) -> None:
    life = an_order(status).cancel()
    assert life.order.status is CANCELLED
    assert life.trail[-1].follow_up is FollowUp.STOP_AND_UNWIND
    assert life.order.cancellation is not None
    assert (life.order.cancellation.reason, life.order.cancellation.by) == (CancelReason.CUSTOMER, CUSTOMER)


@pytest.mark.parametrize("status", [SHIPPED, DELIVERED, CANCELLED, RETURNED])
def test_a_shipped_order_cannot_be_cancelled(status: OrderStatus) -> None:
    with pytest.raises(IllegalTransition) as refused:
        an_order(status).cancel()
    assert refused.value.extra["from"] == status.value
    assert refused.value.extra["to"] == "CANCELLED"
    assert refused.value.extra["allowed"] == sorted(following.value for following in TRANSITIONS[status])


def test_an_order_that_is_being_unwound_cannot_be_cancelled_too() -> None:
    life = a_dear_order().reserve()
    life.apply(reviewing.reject(life.snapshot, NOW, "grace", None))
    with pytest.raises(ConstraintViolated):
        life.cancel()


def test_an_order_cancelled_before_anything_was_done_is_over_at_once() -> None:
    life = an_order().cancel()
    assert (life.order.overall, life.order.due_at, life.order.unwind_run) == (OverallStatus.FAILED, None, 0)
    assert statuses_of_steps(life) == ["SKIPPED"] * 5


def test_a_paid_order_is_undone_in_reverse() -> None:
    life = an_order(PROCESSING).start_handover().cancel()
    assert unwinding.undo_from(life.snapshot) == "shipment"
    assert statuses_of_steps(life) == ["COMPENSATING", "SKIPPED", "COMPENSATING", "COMPENSATING", "SKIPPED"]
    before = len(life.trail)
    life.unwind()
    assert [event.type for event in life.trail[before:]] == [
        *(EventType.SHIPMENT_RECALLED, EventType.REFUND_STARTED, EventType.PAYMENT_REFUNDED),
        *(EventType.STOCK_RELEASED, EventType.UNWINDING_COMPLETED),
    ]
    assert statuses_of_steps(life) == ["COMPENSATED", "SKIPPED", "COMPENSATED", "COMPENSATED", "SKIPPED"]
    assert set(life.stock.values()) == {0}
    assert life.snapshot.payment is not None
    assert life.snapshot.payment.status is PaymentStatus.REFUNDED


@pytest.mark.parametrize(
    ("life", "entry", "events"),
    [
        (an_order().reserve(), "stock", ["STOCK_RELEASED", "UNWINDING_COMPLETED"]),
        (
            an_order().reserve().start_payment(),
            "payment",
            ["PAYMENT_VOIDED", "STOCK_RELEASED", "UNWINDING_COMPLETED"],
        ),
        (an_order(PROCESSING), "payment", ["REFUND_STARTED", "PAYMENT_REFUNDED", "STOCK_RELEASED", "UNWINDING_COMPLETED"]),
        (a_cod_order(CONFIRMED), "stock", ["STOCK_RELEASED", "UNWINDING_COMPLETED"]),
        (a_cod_order(PROCESSING), "stock", ["STOCK_RELEASED", "UNWINDING_COMPLETED"]),
        (
            a_cod_order(PROCESSING).start_handover(),
            "shipment",
            ["SHIPMENT_RECALLED", "STOCK_RELEASED", "UNWINDING_COMPLETED"],
        ),
    ],
)
def test_only_what_took_effect_is_undone(life: Life, entry: str, events: list[str]) -> None:
    life.cancel()
    assert unwinding.undo_from(life.snapshot) == entry
    before = len(life.trail)
    life.unwind()
    assert [event.type.value for event in life.trail[before:]] == events


def test_a_charge_of_unknown_outcome_is_refunded_when_it_turns_out_to_have_been_made() -> None:
    life = an_order().reserve().start_payment().cancel().unwind(charged=True)
    assert life.snapshot.payment is not None
    assert life.snapshot.payment.status is PaymentStatus.REFUNDED
    assert steps(life)[StepName.PAYMENT] is StepStatus.COMPENSATED


def test_a_charge_of_unknown_outcome_is_settled_by_the_gateway_when_the_step_fails_for_good() -> None:
    for charged, settled in ((True, PaymentStatus.REFUNDED), (False, PaymentStatus.VOIDED)):
        life = an_order().reserve().start_payment()
        life.apply(ending.fail(life.snapshot, CancelReason.PAYMENT_FAILED, "It failed.", life.tick()))
        assert unwinding.undo_from(life.snapshot) == "payment"
        life.unwind(charged=charged)
        assert life.snapshot.payment is not None
        assert life.snapshot.payment.status is settled
        assert steps(life)[StepName.PAYMENT] is StepStatus.FAILED


# --- failing ---


def test_an_order_without_stock_is_over_at_once() -> None:
    life = an_order()
    life.apply(ending.fail(life.snapshot, CancelReason.OUT_OF_STOCK, "Not enough in stock: prod-001.", NOW))
    assert (life.order.status, life.order.overall) == (CANCELLED, OverallStatus.FAILED)
    assert statuses_of_steps(life) == ["FAILED", "SKIPPED", "SKIPPED", "SKIPPED", "SKIPPED"]
    assert life.stock == {}


def test_a_refused_parcel_gives_the_money_back() -> None:
    life = an_order(PROCESSING).start_handover()
    life.apply(ending.fail(life.snapshot, CancelReason.SHIPPING_FAILED, "Not there.", life.tick()))
    life.unwind()
    assert statuses_of_steps(life) == ["COMPENSATED", "SKIPPED", "COMPENSATED", "FAILED", "SKIPPED"]
    assert life.snapshot.payment is not None
    assert life.snapshot.payment.status is PaymentStatus.REFUNDED


@pytest.mark.parametrize("status", [SHIPPED, DELIVERED, CANCELLED, RETURNED])
def test_a_step_that_fails_late_does_not_take_back_what_has_been_shipped_or_closed(status: OrderStatus) -> None:
    assert ending.fail(an_order(status).snapshot, CancelReason.EXPIRED, "It failed.", NOW) is None


# --- returning ---


def test_a_delivered_order_can_be_returned() -> None:
    life = an_order(DELIVERED).return_goods()
    assert life.order.status is RETURNED
    assert unwinding.undo_from(life.snapshot) == "payment"
    life.unwind()
    assert (life.order.status, life.order.overall) == (RETURNED, OverallStatus.ROLLED_BACK)
    assert set(life.stock.values()) == {0}
    assert statuses_of_steps(life) == ["COMPENSATED", "SKIPPED", "COMPENSATED", "COMPLETED", "COMPLETED"]


@pytest.mark.parametrize("status", [status for status in OrderStatus if status is not DELIVERED])
def test_only_a_delivered_order_is_returned_by_its_customer(status: OrderStatus) -> None:
    with pytest.raises(IllegalTransition):
        an_order(status).return_goods()


def test_a_parcel_may_come_back_to_its_sender() -> None:
    life = an_order(SHIPPED).return_goods(to_sender=True)
    assert life.order.status is RETURNED
    assert life.snapshot.shipment is not None
    assert life.snapshot.shipment.status is ShipmentStatus.RETURNED_TO_SENDER
    assert life.trail[-1].follow_up is FollowUp.STOP_AND_UNWIND
    life.unwind()
    assert statuses_of_steps(life) == ["COMPENSATED", "SKIPPED", "COMPENSATED", "COMPLETED", "FAILED"]


def test_nobody_is_refunded_for_a_parcel_that_came_back_unpaid() -> None:
    life = a_cod_order(SHIPPED).return_goods(to_sender=True)
    assert unwinding.undo_from(life.snapshot) == "stock"
    life.unwind()
    assert life.snapshot.payment is not None
    assert life.snapshot.payment.status is PaymentStatus.VOIDED
    assert life.order.overall is OverallStatus.ROLLED_BACK


@pytest.mark.parametrize(
    "end", [Life.cancel, lambda life: life.apply(ending.fail(life.snapshot, CancelReason.EXPIRED, "-", NOW))]
)
def test_cash_that_is_not_going_to_be_collected_is_voided(end: Callable[[Life], object]) -> None:
    life = a_cod_order(CONFIRMED)
    end(life)
    assert life.snapshot.payment is not None
    assert life.snapshot.payment.status is PaymentStatus.VOIDED
    assert life.trail[-1].metadata["payment_status"] == "VOIDED"


def test_cash_collected_is_handed_out_by_people_after_a_return() -> None:
    life = a_cod_order(DELIVERED).return_goods().unwind()
    (refund,) = life.snapshot.refunds
    assert (life.order.overall, refund.status, refund.due_at) == (OverallStatus.ROLLED_BACK, RefundStatus.PENDING, None)
    life.apply(refunds.hand_out(life.snapshot, refund.refund_id, life.tick(), "sue"))
    assert life.snapshot.payment is not None
    assert life.snapshot.payment.status is PaymentStatus.REFUNDED


# --- unwinding twice, and for nothing ---


@pytest.mark.parametrize(
    "undo",
    [
        lambda snapshot, now: unwinding.shipment_recalled(snapshot, 1, now),
        lambda snapshot, now: refunds.unwind(snapshot, captured=3000, now=now),
        unwinding.release_stock,
        unwinding.close,
    ],
)
def test_what_is_undone_is_undone_once(undo: Callable[[Snapshot, object], Change | None]) -> None:
    life = an_order(PROCESSING).start_handover().cancel().unwind()
    assert undo(life.snapshot, NOW) is None


def test_the_stock_of_an_order_that_goes_on_is_not_released() -> None:
    assert unwinding.release_stock(an_order(PROCESSING).snapshot, NOW) is None
    assert unwinding.close(an_order(PROCESSING).snapshot, NOW) is None


# --- an order that is over ---

FORWARD: dict[str, Callable[[Snapshot], Change | None]] = {
    "reserve": lambda snapshot: placing.reserve_stock(snapshot, NOW, NOW),
    "request approval": lambda snapshot: reviewing.request_approval(snapshot, "task-9", 1, NOW),
    "accept cash": lambda snapshot: paying.accept_cash(snapshot, "pay-9", NOW),
    "start payment": lambda snapshot: paying.start_payment(snapshot, OPENED, NOW),
    "payment completed": lambda snapshot: paying.payment_completed(snapshot, NOW),
    "start preparation": lambda snapshot: shipping.start_preparation(snapshot, NOW, "warehouse", {}),
    "start hand-over": lambda snapshot: shipping.start_handover(snapshot, "ship-9", "SimEx", NOW),
}


@pytest.mark.parametrize("step", FORWARD)
@pytest.mark.parametrize("unwound", [False, True])
def test_a_step_of_a_cancelled_order_finds_it_over(step: str, unwound: bool) -> None:
    for status in sorted(CANCELLABLE):
        life = an_order(status).cancel()
        if unwound:
            life.unwind()
        with pytest.raises(OrderOver):
            FORWARD[step](life.snapshot)


@pytest.mark.parametrize("step", FORWARD)
def test_a_step_that_comes_late_finds_its_work_done(step: str) -> None:
    for status in (SHIPPED, DELIVERED):
        assert FORWARD[step](an_order(status).snapshot) is None


# --- the trail ---


def test_who_and_why_stand_on_the_trail() -> None:
    life = an_order(PROCESSING)
    change = ending.cancel(life.snapshot, CancelReason.STAFF, NOW, "grace", "Customer called")
    assert (change.event.by, change.event.reason) == ("grace", "Customer called")
    assert change.event.metadata["cancellation_reason"] == "staff"
    assert all(event.by == SYSTEM for event in life.trail[1:])


def test_a_later_version_is_never_stamped_earlier() -> None:
    life = an_order(PROCESSING)
    change = ending.cancel(life.snapshot, CancelReason.CUSTOMER, START, CUSTOMER)
    assert change.event.at == change.order.updated_at == life.order.updated_at


def test_the_saga_tells_its_steps_as_they_happen() -> None:
    signals = [(signal.value, step and step.value) for event in an_order(DELIVERED).trail for signal, step in event.signals]
    assert signals == [
        ("SAGA_STARTED", None),
        ("STEP_STARTED", "Inventory Reservation"),
        ("STEP_COMPLETED", "Inventory Reservation"),
        ("STEP_STARTED", "Payment Processing"),
        ("STEP_COMPLETED", "Payment Processing"),
        ("STEP_STARTED", "Shipping Arrangement"),
        ("STEP_COMPLETED", "Shipping Arrangement"),
        ("STEP_STARTED", "Delivery"),
        ("STEP_COMPLETED", "Delivery"),
        ("SAGA_COMPLETED", None),
    ]


def test_the_unwinding_tells_what_it_takes_back_in_reverse() -> None:
    life = an_order(PROCESSING).cancel().unwind()
    undoing = (Signal.COMPENSATION_STARTED, Signal.STEP_COMPENSATED)
    told = [(signal, step) for event in life.trail for signal, step in event.signals if signal in undoing]
    assert told == [
        (Signal.COMPENSATION_STARTED, None),
        (Signal.STEP_COMPENSATED, StepName.PAYMENT),
        (Signal.STEP_COMPENSATED, StepName.INVENTORY),
    ]


# --- repairing ---


def test_a_lost_workflow_is_started_again_under_a_new_name() -> None:
    life = an_order(PROCESSING)
    life.apply(restarting.restart(life.snapshot, WAITS, NOW, SYSTEM, "It was lost"))
    assert (life.order.run, life.order.status) == (2, PROCESSING)
    assert life.trail[-1].follow_up is FollowUp.START_FULFILLMENT


@pytest.mark.parametrize(("life", "waits"), [(an_order(PROCESSING), 0), (an_order(SHIPPED), WAITS.delivery)])
def test_a_restarted_order_is_due_when_its_next_move_is(life: Life, waits: float) -> None:
    before = life.order.due_at
    assert before is not None
    change = restarting.restart(life.snapshot, WAITS, before, SYSTEM, "It was lost")
    assert change is not None
    assert change.order.due_at is not None
    assert change.order.due_at <= before + timedelta(seconds=WAITS.preparation + waits) + GRACE
    assert WAITS.delivery > WAITS.preparation, "a wait for the delivery that had not begun would show"


def test_a_lost_unwinding_is_started_again_and_not_the_fulfillment() -> None:
    life = an_order(PROCESSING).cancel()
    life.apply(restarting.restart(life.snapshot, WAITS, NOW, SYSTEM, "It was lost"))
    assert (life.order.run, life.order.unwind_run) == (1, 2)
    assert life.trail[-1].follow_up is FollowUp.START_UNWINDING


@pytest.mark.parametrize("life", [an_order(DELIVERED), an_order(CANCELLED).unwind(), an_order(RETURNED).unwind()])
def test_an_order_that_is_over_is_not_started_again(life: Life) -> None:
    assert restarting.restart(life.snapshot, WAITS, NOW, SYSTEM, "It was lost") is None


# --- scans ---


def test_an_older_scan_says_nothing_new() -> None:
    life = an_order(SHIPPED)
    seen = scanned(life.snapshot.shipment, Scan(ShipmentStatus.OUT_FOR_DELIVERY, later(50), "Utrecht"))
    assert seen is not None
    older = scanned(seen, Scan(ShipmentStatus.IN_TRANSIT, later(49), "Paris"))
    assert older is not None
    assert replace(older, scans=()) == replace(seen, scans=())
    assert [one.location for one in older.scans] == ["Paris", "Utrecht"], "it has its place on the timeline"


def test_a_later_scan_never_takes_a_parcel_back_from_where_it_is() -> None:
    life = an_order(SHIPPED)
    assert life.snapshot.shipment is not None
    delivered = replace(life.snapshot.shipment, status=ShipmentStatus.DELIVERED)
    seen = scanned(delivered, Scan(ShipmentStatus.IN_TRANSIT, later(50)))
    assert seen is not None
    assert seen.status is ShipmentStatus.DELIVERED


def test_after_a_failed_attempt_the_parcel_goes_out_again() -> None:
    life = an_order(SHIPPED)
    failed = scanned(life.snapshot.shipment, Scan(ShipmentStatus.FAILED, later(50)))
    again = scanned(failed, Scan(ShipmentStatus.OUT_FOR_DELIVERY, later(60)))
    assert again is not None
    assert again.status is ShipmentStatus.OUT_FOR_DELIVERY


# --- what is left of the waits ---


def test_a_new_order_waits_as_configured() -> None:
    waits = remaining_waits(an_order().order, WAITS, START)
    assert (waits.payment, waits.preparation, waits.delivery, waits.approval) == (5, 5, 10, 0)


def test_a_new_dear_order_has_its_whole_review_before_it() -> None:
    assert remaining_waits(a_dear_order().order, WAITS, START).approval == 300


@pytest.mark.parametrize(
    ("life", "left"),
    [
        (an_order(), (0, 5, 10)),
        (an_order(PROCESSING), (0, 0, 10)),
        (an_order(SHIPPED), (0, 0, 0)),
        (an_order(DELIVERED), (0, 0, 0)),
        (a_cod_order(CONFIRMED), (0, 0, 10)),
    ],
)
def test_what_was_waited_for_is_not_waited_for_again(life: Life, left: tuple[float, float, float]) -> None:
    waits = remaining_waits(life.order, WAITS, NOW)
    assert (waits.payment, waits.preparation, waits.delivery) == left


def test_whole_waits_leave_whole_seconds_as_the_service_takes_nothing_else() -> None:
    waits = remaining_waits(a_dear_order().order, WAITS, later(0.4))
    assert waits.approval == 300
    assert remaining_waits(an_order().order, WAITS, later(0.4)).payment == 5


def test_a_clock_that_lags_behind_lengthens_no_wait() -> None:
    assert remaining_waits(an_order().order, WAITS, later(-100)).payment == 5


def test_the_address_of_a_new_order_is_where_it_was_to_go() -> None:
    assert an_order().order.shipping_address == HOME
