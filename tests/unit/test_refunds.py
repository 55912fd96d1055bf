"""Refunds: what may become of one, and what they leave of a payment."""

from dataclasses import replace
from functools import partial

import pytest

from orders.domain import goods
from orders.domain.decisions import ending, paying, refunds
from orders.domain.decisions.refunds import WantedRefund
from orders.domain.errors import ConstraintViolated
from orders.domain.events import SYSTEM
from orders.domain.money import Money
from orders.domain.payment import Dispute
from orders.domain.pricing import ShippingCharge
from orders.domain.refund import Refund, RefundedLine, is_open, left, pieces, with_changed
from orders.domain.statuses import DisputeStatus, OrderStatus, PaymentStatus, RefundStatus, StepStatus
from orders.domain.steps import CancelReason, StepName
from tests.harness.orders import an_order, later

PENDING, COMPLETED, FAILED = RefundStatus
PAYMENT = paying.payment_of(an_order(OrderStatus.PROCESSING).snapshot)
"""Of 30.00 USD, captured."""


def a_refund(status: RefundStatus = PENDING, amount: int = 1000, refund_id: str = "ref-1", **more: int) -> Refund:
    items = tuple(RefundedLine(line_id.removeprefix("line_"), quantity) for line_id, quantity in more.items())
    return Refund(refund_id, status, Money(amount, "USD"), later(), "sue", items=items)


def test_a_refund_that_was_refused_is_asked_for_again_under_another_key() -> None:
    refused = a_refund().failed("The account is closed.")
    assert (refused.status, refused.failure_reason) == (FAILED, "The account is closed.")
    again = refused.retried(later(60))
    assert (again.status, again.failure_reason, again.due_at) == (PENDING, None, later(60))
    assert [a_refund().key, again.key, again.failed("No.").retried(None).key] == ["ref-1", "ref-1-2", "ref-1-3"]
    done = again.completed(later(2))
    assert (done.completed_at, done.due_at) == (later(2), None)


def test_a_provider_may_say_late_that_it_could_not_give_the_money_back() -> None:
    bounced = a_refund().completed(later()).failed("The account is closed.")
    assert (bounced.status, bounced.completed_at) == (FAILED, None)


@pytest.mark.parametrize("status", [COMPLETED, FAILED])
def test_what_is_settled_is_not_completed_again(status: RefundStatus) -> None:
    with pytest.raises(ConstraintViolated, match=f"The refund is {status} and cannot become COMPLETED"):
        a_refund(status).completed(later())


def test_what_is_about_to_be_given_back_is_not_left() -> None:
    assert left(PAYMENT, []) == 3000
    assert left(PAYMENT, [a_refund(PENDING), a_refund(FAILED, 500)]) == 2000
    assert left(replace(PAYMENT, amount_refunded=1000), [a_refund(COMPLETED), a_refund(PENDING, 500)]) == 1500


def test_a_refund_that_failed_is_open_until_others_have_given_as_much_back() -> None:
    failed = a_refund(FAILED, 3000)
    assert is_open(failed, PAYMENT, [failed])
    assert is_open(failed, PAYMENT, [failed, a_refund(PENDING, refund_id="ref-2")]), "only a third of it"
    assert not is_open(failed, PAYMENT, [failed, a_refund(PENDING, 3000, refund_id="ref-2")])
    assert not is_open(a_refund(FAILED, 1000), PAYMENT, [a_refund(COMPLETED, 1000, refund_id="ref-2")])
    of_others = replace(a_refund(COMPLETED, 3000, refund_id="ref-2", line_1=1), requested_by=SYSTEM)
    assert is_open(failed, PAYMENT, [failed, of_others]), "that is for other pieces, which came back"
    assert not is_open(failed, replace(PAYMENT, amount_refunded=3000), [failed]), "nothing is left"
    assert is_open(a_refund(PENDING), PAYMENT, [])
    assert not is_open(a_refund(COMPLETED), PAYMENT, [])


def test_the_pieces_of_a_refund_that_failed_are_not_counted() -> None:
    found = [a_refund(COMPLETED, line_1=1), a_refund(PENDING, line_1=1, line_2=3), a_refund(FAILED, line_1=1)]
    assert pieces(found) == {"1": 2, "2": 3}


def test_nothing_is_refunded_while_the_payment_is_disputed() -> None:
    life = an_order(OrderStatus.PROCESSING)
    wanted = WantedRefund("Late", Money(500, "USD"))
    life.apply(refunds.request(life.snapshot, "ref-1", wanted, life.tick(), "sue"))
    life.apply(refunds.fail(life.snapshot, "ref-1", "It is closed.", life.tick()))
    for status in DisputeStatus:
        payment = replace(paying.payment_of(life.snapshot), dispute=Dispute("dis-1", status, later()))
        disputed = replace(life.snapshot, payment=payment)
        asked = (
            partial(refunds.request, disputed, "ref-2", wanted, later(), "sue"),
            partial(refunds.retry, disputed, "ref-1", later(), "sue"),
        )
        for ask in asked:
            if status is DisputeStatus.OPEN:
                with pytest.raises(ConstraintViolated, match="it is disputed"):
                    ask()
            else:
                assert ask().refunds


def test_what_is_cancelled_or_came_back_is_given_back_piece_by_piece_with_the_delivery_at_last() -> None:
    life = an_order(OrderStatus.DELIVERED, shipping_charge=ShippingCharge(Money(500, "USD")))
    order, given = life.order, []
    for count, back in enumerate(({"1": 1}, {"2": 1}, {"1": 1})):
        order = goods.returned(order, back)
        refund = refunds.for_pieces(life.snapshot, order, back, f"ref-{count}", "It came back", later(count))
        assert refund
        given.append(refund.amount.amount)
        life.snapshot = replace(life.snapshot, refunds=(*life.snapshot.refunds, refund))
    assert given == [1000, 1000, 1500]
    assert refunds.for_pieces(life.snapshot, order, {}, "ref-9", None, later()) is None


def test_what_was_never_captured_of_cancelled_pieces_is_not_given_back() -> None:
    life = an_order(OrderStatus.PROCESSING)
    held = replace(paying.payment_of(life.snapshot), status=PaymentStatus.AUTHORIZED, amount_captured=2000)
    snapshot = replace(life.snapshot, payment=held)
    after = goods.cancelled(life.order, {"2": 1})
    assert refunds.for_pieces(snapshot, after, {"2": 1}, "ref-1", None, later()) is None
    whole = replace(held, status=PaymentStatus.COMPLETED, amount_captured=3000)
    refund = refunds.for_pieces(replace(snapshot, payment=whole), after, {"2": 1}, "ref-1", None, later())
    assert refund
    assert refund.amount.amount == 1000


@pytest.mark.parametrize(("status", "ends_as"), [(PENDING, PaymentStatus.COMPLETED), (COMPLETED, PaymentStatus.REFUNDED)])
def test_a_hold_is_released_of_which_all_that_was_taken_is_given_back(status: RefundStatus, ends_as: PaymentStatus) -> None:
    life = an_order(OrderStatus.PROCESSING)
    payment, given_back = paying.payment_of(life.snapshot), 1000 if status is COMPLETED else 0
    held = replace(payment, status=PaymentStatus.AUTHORIZED, amount_captured=1000, amount_refunded=given_back)
    cancelled = ending.cancel(life.snapshot, CancelReason.STAFF, later(), "sue").order
    snapshot = replace(life.snapshot, order=cancelled, payment=held, refunds=(a_refund(status),))
    released = refunds.unwind(snapshot, captured=1000, now=later())
    assert released
    assert released.payment
    assert (released.payment.status, released.payment.amount_captured) == (ends_as, 1000)
    assert released.order.step(StepName.PAYMENT).status is StepStatus.COMPENSATED
    assert refunds.unwind(replace(snapshot, payment=released.payment), captured=1000, now=later()) is None


def test_refunds_are_kept_by_their_ids_the_oldest_first() -> None:
    first, second = a_refund(), replace(a_refund(refund_id="ref-0"), created_at=later(60))
    changed = first.completed(later(9))
    assert with_changed((first, second), (changed,)) == (changed, second)
    assert with_changed((second,), (first,)) == (first, second)
