"""Returns, decided: what may be sent back, until when, and who has the say."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from orders.domain import notifications
from orders.domain.decisions import refunds, returning
from orders.domain.decisions.refunds import WantedRefund
from orders.domain.decisions.returning import Receipt, ReturnRules
from orders.domain.errors import ConstraintViolated, IllegalTransition, InvalidArgument, NotFound
from orders.domain.events import REFUND_STATUS_CHANGED, RETURN_STATUS_CHANGED, EventType
from orders.domain.money import Money
from orders.domain.order import Change
from orders.domain.pricing import ShippingCharge
from orders.domain.returns import Return, ReturnedPieces, ReturnItem
from orders.domain.statuses import Condition, FulfillmentStatus, OrderStatus, OverallStatus, PaymentStatus, ReturnStatus
from tests.harness.orders import CUSTOMER, Life, a_cod_order, a_free_order, an_order

TEAPOTS, CUPS = "1", "2"
"""The lines of an order as the builders place it: two teapots, and a cup."""
GOOD, DAMAGED = Condition.RESELLABLE, Condition.DAMAGED
RULES = ReturnRules(timedelta(days=30))


def asked(life: Life, rules: ReturnRules = RULES, return_id: str = "ret-1", **pieces: int) -> Change:
    items = [ReturnItem(line_id.removeprefix("line_"), count, "Too small") for line_id, count in pieces.items()]
    change = returning.request(life.snapshot, return_id, items, "At the back door", rules, life.tick(), CUSTOMER)
    life.apply(change)
    return change


def the_return(life: Life, return_id: str = "ret-1") -> Return:
    return next(one for one in life.snapshot.returns if one.return_id == return_id)


def test_what_was_delivered_can_be_returned_in_part() -> None:
    life = an_order(OrderStatus.DELIVERED)
    change = asked(life, line_1=1)
    assert the_return(life).status is ReturnStatus.REQUESTED
    assert change.event.type is EventType.RETURN_REQUESTED
    assert change.event.metadata == {
        "return_id": "ret-1",
        "return_status": "REQUESTED",
        "return_items": [{"line_id": "1", "product_id": "prod-001", "quantity": 1}],
    }
    assert life.order.status is OrderStatus.DELIVERED
    assert returning.returnable(life.snapshot) == {TEAPOTS: 1, CUPS: 1}


def test_no_more_is_returned_than_was_delivered_however_many_returns_ask_for_it() -> None:
    life = an_order(OrderStatus.DELIVERED)
    asked(life, line_1=1)
    with pytest.raises(ConstraintViolated, match="Of line 1 only 1 can still be returned"):
        asked(life, return_id="ret-2", line_1=2)
    asked(life, return_id="ret-2", line_1=1)
    with pytest.raises(ConstraintViolated, match="Of line 1 only 0"):
        asked(life, return_id="ret-3", line_1=1)


@pytest.mark.parametrize("withdrawn", [returning.decline, returning.cancel])
def test_what_a_withdrawn_return_named_can_be_asked_for_again(withdrawn: Callable[..., Change]) -> None:
    life = an_order(OrderStatus.DELIVERED)
    asked(life, line_1=2)
    life.apply(withdrawn(life.snapshot, "ret-1", life.tick(), "sue", "Worn"))
    asked(life, return_id="ret-2", line_1=2)


def test_a_return_is_asked_for_within_the_window_and_by_staff_whenever() -> None:
    life = an_order(OrderStatus.DELIVERED)
    life.tick(timedelta(days=30, seconds=1).total_seconds())
    with pytest.raises(ConstraintViolated, match="within 30 days of its delivery"):
        asked(life, line_1=1)
    asked(life, ReturnRules(None), line_1=1)


@pytest.mark.parametrize("status", [one for one in OrderStatus if one is not OrderStatus.DELIVERED])
def test_only_what_was_delivered_can_be_returned(status: OrderStatus) -> None:
    with pytest.raises(ConstraintViolated, match="Only what was delivered"):
        asked(an_order(status), line_1=1)


def test_a_line_that_the_order_does_not_have_is_named() -> None:
    with pytest.raises(InvalidArgument, match=r"items\.0\.line_id: is no line of this order"):
        asked(an_order(OrderStatus.DELIVERED), line_9=1)


def test_a_return_of_everything_takes_what_no_other_return_has() -> None:
    life = an_order(OrderStatus.DELIVERED)
    asked(life, line_1=1)
    life.apply(returning.request_everything(life.snapshot, "ret-2", "All of it", RULES, life.tick(), CUSTOMER))
    assert [(item.line_id, item.quantity, item.reason) for item in the_return(life, "ret-2").items] == [
        (TEAPOTS, 1, "All of it"),
        (CUPS, 1, "All of it"),
    ]
    with pytest.raises(ConstraintViolated, match="being returned already"):
        returning.request_everything(life.snapshot, "ret-3", None, RULES, life.tick(), CUSTOMER)


def test_an_order_that_was_not_delivered_says_what_it_can_become_when_all_of_it_is_to_be_returned() -> None:
    life = an_order(OrderStatus.PROCESSING)
    with pytest.raises(IllegalTransition):
        returning.request_everything(life.snapshot, "ret-1", None, RULES, life.tick(), CUSTOMER)


def test_a_return_may_be_approved_at_once() -> None:
    life = an_order(OrderStatus.DELIVERED)
    asked(life, replace(RULES, is_approved=True), line_1=1)
    assert the_return(life).status is ReturnStatus.APPROVED


def test_staff_approve_or_decline_once() -> None:
    life = an_order(OrderStatus.DELIVERED)
    asked(life, line_1=1)
    life.apply(returning.approve(life.snapshot, "ret-1", life.tick(), "sue", "Looks fine"))
    approved = the_return(life)
    assert (approved.status, approved.decided_by, approved.decision_reason) == (ReturnStatus.APPROVED, "sue", "Looks fine")
    for again in (returning.approve, returning.decline):
        with pytest.raises(ConstraintViolated, match="is APPROVED and cannot become") as refused:
            again(life.snapshot, "ret-1", life.tick(), "ann", None)
        assert refused.value.extra["allowed"] == ["CANCELED", "RECEIVED"]


def test_a_return_that_the_order_does_not_have_is_not_found() -> None:
    with pytest.raises(NotFound):
        returning.approve(an_order(OrderStatus.DELIVERED).snapshot, "ret-9", an_order().now, "sue", None)


# --- what has come back ---


def approved(life: Life, return_id: str = "ret-1", **pieces: int) -> None:
    asked(life, replace(RULES, is_approved=True), return_id, **pieces)


def received(life: Life, *pieces: tuple[str, int, Condition], final: bool = False, return_id: str = "ret-1") -> Change:
    receipt = Receipt(tuple(ReturnedPieces(*one) for one in pieces), final)
    refund_id = f"refund-{len(life.snapshot.refunds) + 1}"
    change = returning.receive(life.snapshot, return_id, receipt, refund_id, life.tick(), "wim")
    life.apply(change)
    return change


def pay_back(life: Life) -> None:
    """What the provider says of each refund that is pending."""
    for one in life.snapshot.refunds:
        life.apply(refunds.complete(life.snapshot, one.refund_id, life.tick()))


def amounts(life: Life) -> list[int]:
    return [one.amount.amount for one in life.snapshot.refunds]


def test_what_comes_back_is_refunded_and_only_what_can_be_sold_is_in_stock_again() -> None:
    life = an_order(OrderStatus.DELIVERED)
    approved(life, line_1=2)
    change = received(life, (TEAPOTS, 1, GOOD), (TEAPOTS, 1, DAMAGED))
    assert change.event.type is EventType.RETURN_RECEIVED
    assert change.event.metadata["received"] == [
        {"line_id": "1", "product_id": "prod-001", "quantity": 1, "condition": "resellable"},
        {"line_id": "1", "product_id": "prod-001", "quantity": 1, "condition": "damaged"},
    ]
    assert (change.stock, amounts(life)) == ({"prod-001": 1}, [2000])
    assert the_return(life).status is ReturnStatus.RECEIVED, "until the money is given back"
    pay_back(life)
    assert the_return(life).status is ReturnStatus.CLOSED
    assert (life.order.status, life.order.fulfillment_status) == (OrderStatus.DELIVERED, FulfillmentStatus.PARTIALLY_RETURNED)
    assert life.order.lines_by_id[TEAPOTS].quantity_returned == 2


def test_a_return_comes_back_in_parts_and_no_more_than_it_is_of() -> None:
    life = an_order(OrderStatus.DELIVERED)
    approved(life, line_1=2)
    received(life, (TEAPOTS, 1, GOOD))
    pay_back(life)
    assert the_return(life).status is ReturnStatus.RECEIVED
    with pytest.raises(ConstraintViolated, match="The return has 2 pieces of line 1, not 3"):
        received(life, (TEAPOTS, 1, GOOD), (TEAPOTS, 1, DAMAGED))
    with pytest.raises(InvalidArgument, match=r"items\.0\.line_id"):
        received(life, (CUPS, 1, GOOD))
    received(life, (TEAPOTS, 1, GOOD))
    pay_back(life)
    assert (the_return(life).status, amounts(life)) == (ReturnStatus.CLOSED, [1000, 1000])
    with pytest.raises(ConstraintViolated, match="is CLOSED and cannot become RECEIVED"):
        received(life, (TEAPOTS, 1, GOOD))


def test_an_order_of_which_everything_came_back_is_returned_and_unwound() -> None:
    life = an_order(OrderStatus.DELIVERED, shipping_charge=ShippingCharge(Money(500, "USD")))
    approved(life, line_1=2)
    received(life, (TEAPOTS, 2, GOOD))
    pay_back(life)
    approved(life, "ret-2", line_2=1)
    change = received(life, (CUPS, 1, DAMAGED), return_id="ret-2")
    assert change.event.type is EventType.ORDER_RETURNED
    assert (life.order.status, life.order.overall) == (OrderStatus.RETURNED, OverallStatus.ROLLING_BACK)
    pay_back(life)
    life.unwind()
    assert (life.order.overall, life.order.fulfillment_status) == (OverallStatus.ROLLED_BACK, FulfillmentStatus.RETURNED)
    assert amounts(life) == [2000, 1500], "with the last piece what the delivery cost"
    assert [one.status for one in life.snapshot.returns] == [ReturnStatus.CLOSED] * 2
    assert life.snapshot.payment
    assert life.snapshot.payment.status is PaymentStatus.REFUNDED
    assert life.stock == {"prod-001": 0, "prod-002": -1}, "what is damaged is not sold again"


def test_staff_who_take_back_the_rest_give_back_the_rest() -> None:
    life = an_order(OrderStatus.DELIVERED)
    approved(life, line_1=2)
    received(life, (TEAPOTS, 1, DAMAGED))
    pay_back(life)
    life.return_goods().unwind()
    pay_back(life)
    assert the_return(life).status is ReturnStatus.CLOSED
    assert life.stock == {"prod-001": -1, "prod-002": 0}
    assert life.snapshot.payment
    assert life.snapshot.payment.amount_refunded == 3000


def test_what_is_missing_of_a_return_after_its_last_receipt_stays_with_its_customer() -> None:
    life = an_order(OrderStatus.DELIVERED)
    approved(life, line_1=2)
    with pytest.raises(ConstraintViolated, match="cancel it instead"):
        received(life, final=True)
    received(life, (TEAPOTS, 1, GOOD), final=True)
    pay_back(life)
    assert the_return(life).status is ReturnStatus.CLOSED
    assert returning.returnable(life.snapshot) == {TEAPOTS: 1, CUPS: 1}


def test_nothing_comes_back_of_a_return_that_was_not_approved() -> None:
    life = an_order(OrderStatus.DELIVERED)
    asked(life, line_1=1)
    with pytest.raises(ConstraintViolated, match="is REQUESTED and cannot become RECEIVED"):
        received(life, (TEAPOTS, 1, GOOD))


def test_no_more_is_refunded_for_it_than_is_left() -> None:
    life = an_order(OrderStatus.DELIVERED)
    life.apply(refunds.request(life.snapshot, "refund-0", WantedRefund("Late", Money(2500, "USD")), life.tick(), "sue"))
    pay_back(life)
    approved(life, line_1=2)
    received(life, (TEAPOTS, 2, GOOD))
    assert amounts(life) == [2500, 500]


def test_cash_is_handed_out_by_people_and_the_return_is_closed_with_that() -> None:
    life = a_cod_order(OrderStatus.DELIVERED)
    approved(life, line_1=1)
    received(life, (TEAPOTS, 1, GOOD))
    assert (the_return(life).status, life.snapshot.refunds[0].due_at) == (ReturnStatus.RECEIVED, None)
    life.apply(refunds.hand_out(life.snapshot, "refund-1", life.tick(), "sue"))
    assert the_return(life).status is ReturnStatus.CLOSED


def test_a_free_order_comes_back_without_a_refund() -> None:
    life = a_free_order(OrderStatus.DELIVERED)
    approved(life, line_1=1)
    received(life, ("1", 1, GOOD))
    assert (life.order.status, amounts(life)) == (OrderStatus.RETURNED, [])
    life.unwind()
    assert the_return(life).status is ReturnStatus.CLOSED


# --- what is published of it ---


def published(*changes: Change) -> list[tuple[str, str, list[str]]]:
    """The events about returns and refunds that follow from changes: the type, the new status, and what else is said."""
    told = [detail for change in changes for _, detail, _ in notifications.messages(change.event)]
    about = [one for one in told if one["event_type"] in (RETURN_STATUS_CHANGED, REFUND_STATUS_CHANGED)]
    return [
        (
            one["event_type"],
            one.get("return_status") or one["refund_status"],
            sorted(set(one) & {"items", "received", "amount", "return_id"}),
        )
        for one in about
    ]


def complete(life: Life, refund_id: str) -> Change:
    change = refunds.complete(life.snapshot, refund_id, life.tick())
    assert change
    life.apply(change)
    return change


def test_a_return_and_its_refund_are_published_from_the_request_to_the_last_cent() -> None:
    life = an_order(OrderStatus.DELIVERED)
    asked_for = asked(life, line_1=2)
    life.apply(decided := returning.approve(life.snapshot, "ret-1", life.tick(), "sue", None))
    half, rest = received(life, (TEAPOTS, 1, DAMAGED)), received(life, (TEAPOTS, 1, GOOD))
    paid = [complete(life, name) for name in ("refund-1", "refund-2")]
    of_return, of_refund = RETURN_STATUS_CHANGED, REFUND_STATUS_CHANGED
    back, money = ["items", "received", "return_id"], ["amount", "items", "return_id"]
    assert published(asked_for, decided, half, rest, *paid) == [
        (of_return, "REQUESTED", ["items", "return_id"]),
        (of_return, "APPROVED", ["items", "return_id"]),
        (of_return, "RECEIVED", back),
        (of_refund, "PENDING", money),
        (of_return, "RECEIVED", back),
        (of_refund, "PENDING", money),
        (of_refund, "COMPLETED", money),
        (of_return, "CLOSED", ["return_id"]),
        (of_refund, "COMPLETED", money),
    ]


@pytest.mark.parametrize(("end", "status"), [(returning.decline, "DECLINED"), (returning.cancel, "CANCELED")])
def test_a_return_of_which_nothing_comes_is_published_too(end: Callable[..., Change], status: str) -> None:
    life = an_order(OrderStatus.DELIVERED)
    asked(life, line_1=1)
    change = end(life.snapshot, "ret-1", life.tick(), "sue", "Worn")
    assert published(change) == [(RETURN_STATUS_CHANGED, status, ["items", "return_id"])]
    assert "At the back door" not in str(notifications.messages(change.event))


def test_open_returns_that_staff_take_back_with_the_order_are_published() -> None:
    life = an_order(OrderStatus.DELIVERED)
    approved(life, line_1=1)
    before = len(life.trail)
    life.return_goods().unwind()
    about = [
        (detail["return_id"], detail["return_status"])
        for event in life.trail[before:]
        for kind, detail, _ in notifications.messages(event)
        if kind == RETURN_STATUS_CHANGED
    ]
    assert [name for name, _ in about] == ["ret-1"] * len(about)
    assert about[-1] == ("ret-1", "CLOSED")
