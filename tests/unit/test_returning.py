"""Returns, decided: what may be sent back, until when, and who has the say."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from orders.domain.decisions import returning
from orders.domain.decisions.returning import ReturnRules
from orders.domain.errors import ConstraintViolated, IllegalTransition, InvalidArgument, NotFound
from orders.domain.events import EventType
from orders.domain.order import Change
from orders.domain.returns import Return, ReturnItem
from orders.domain.statuses import OrderStatus, ReturnStatus
from tests.harness.orders import CUSTOMER, Life, an_order

TEAPOTS, CUPS = "1", "2"
"""The lines of an order as the builders place it: two teapots, and a cup."""
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
