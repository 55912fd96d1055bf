"""Laws that hold whatever happens to an order, in whatever order, however often: checked on random lives."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from orders.domain.decisions import delivering, ending, paying, placing, refunds, restarting, reviewing, shipping, unwinding
from orders.domain.decisions.refunds import WantedRefund
from orders.domain.errors import OrderError
from orders.domain.money import Money
from orders.domain.order import Change, Event, Order, Snapshot
from orders.domain.payment import Payment
from orders.domain.progress import estimate
from orders.domain.statuses import (
    ENDED,
    PAYMENT_TRANSITIONS,
    TERMINAL,
    TRANSITIONS,
    ApprovalStatus,
    OrderStatus,
    OverallStatus,
    PaymentMethod,
    PaymentStatus,
    RefundStatus,
    StepStatus,
)
from orders.domain.steps import CancelReason, StepName
from orders.domain.waits import remaining_waits
from orders.web import views
from orders.web.views import Audience
from tests.harness.examples import examples
from tests.harness.orders import CUP, ELSEWHERE, HOME, LEAFLET, OPENED, TEAPOT, WAITS, Life, a_wish, booked

Doing = Callable[[Life], Change | None]


def _recall(life: Life) -> Change | None:
    return unwinding.shipment_recalled(life.snapshot, 1, life.tick())


def _undo_payment(life: Life, charged: bool) -> Change | None:
    payment = life.snapshot.payment
    if pending := [one for one in life.snapshot.refunds if one.due_at]:
        return refunds.complete(life.snapshot, pending[0].refund_id, life.tick())
    # A gateway never denies a charge that the row has as completed.
    known = payment is not None and payment.amount_captured > 0
    captured = life.order.total.amount if charged or known else 0
    begun = refunds.unwind(life.snapshot, captured=captured, now=life.tick())
    return begun or refunds.arrange(life.snapshot, life.tick())


def _refund(life: Life) -> Change:
    amount = Money(life.order.version * 137, "USD")
    refund_id = f"ref-{life.order.version}"
    return refunds.request(life.snapshot, refund_id, WantedRefund("Scratched", amount), life.tick(), "sue")


def _refunds(*statuses: RefundStatus) -> Callable[[Snapshot], str]:
    """The id of the first refund in one of these."""

    def first(snapshot: Snapshot) -> str:
        return next((one.refund_id for one in snapshot.refunds if one.status in statuses), "")

    return first


_pending, _failed = _refunds(RefundStatus.PENDING), _refunds(RefundStatus.FAILED)
_any = _refunds(RefundStatus.PENDING, RefundStatus.COMPLETED)


def _settle(life: Life) -> Change | None:
    """The provider gives it back, or somebody hands it out."""
    if life.order.pays_on_delivery:
        return refunds.hand_out(life.snapshot, _pending(life.snapshot), life.tick(), "sue")
    return refunds.complete(life.snapshot, _pending(life.snapshot), life.tick())


UNWINDING: dict[str, Doing] = {
    "recall": _recall,
    "refund": lambda life: _undo_payment(life, charged=True),
    "void": lambda life: _undo_payment(life, charged=False),
    "release": lambda life: unwinding.release_stock(life.snapshot, life.tick()),
    "close": lambda life: unwinding.close(life.snapshot, life.tick()),
}

FORWARD: dict[str, Doing] = {
    "reserve": lambda life: placing.reserve_stock(life.snapshot, life.now, life.tick()),
    "ask": lambda life: reviewing.request_approval(life.snapshot, f"task-{life.order.version}", 300, life.tick()),
    "approve": lambda life: reviewing.approve(life.snapshot, life.tick(), "grace", None),
    "reject": lambda life: reviewing.reject(life.snapshot, life.tick(), "grace", None),
    # Whoever asks for money has reserved the goods before: the workflow, the desk and the fulfillment's events alike.
    "accept cash": lambda life: (
        paying.accept_cash(life.reserve().snapshot, "pay-1", life.tick()) if life.order.pays_on_delivery else None
    ),
    "intend": lambda life: (
        None
        if life.order.pays_on_delivery or life.order.is_free
        else paying.start_payment(life.reserve().snapshot, OPENED, life.tick())
    ),
    "skip payment": lambda life: paying.skip_payment(life.reserve().snapshot, life.tick()) if life.order.is_free else None,
    "charged": lambda life: paying.payment_completed(life.snapshot, life.tick()),
    "declined": lambda life: paying.payment_declined(life.snapshot, "No.", life.tick()),
    "prepare": lambda life: shipping.start_preparation(life.snapshot, life.tick(), "warehouse", {}),
    "hand over": lambda life: shipping.start_handover(life.snapshot, "ship-1", "SimEx", life.tick()),
    "ship": lambda life: (
        shipping.ship(life.snapshot, booked(life.snapshot), 10, f"task-{life.order.version}", life.tick())
        if life.snapshot.shipment
        else None
    ),
    "deliver": lambda life: delivering.deliver(life.snapshot, life.tick(), "carrier"),
    "overdue": lambda life: delivering.report_overdue(life.snapshot, 60, life.tick()),
    "redirect": lambda life: shipping.change_address(life.snapshot, ELSEWHERE, life.tick(), "ada"),
    "direct back": lambda life: shipping.change_address(life.snapshot, HOME, life.tick(), "ada"),
    "locate": lambda life: delivering.update_location(life.snapshot, "Utrecht", None, life.tick(), "carrier"),
    "cancel": lambda life: ending.cancel(life.snapshot, CancelReason.CUSTOMER, life.tick(), "ada"),
    "fail": lambda life: ending.fail(life.snapshot, CancelReason.EXPIRED, "It failed.", life.tick()),
    "time out": lambda life: ending.fail(life.snapshot, CancelReason.APPROVAL_TIMEOUT, "Silence.", life.tick()),
    "return": lambda life: ending.return_order(life.snapshot, life.tick(), "ada"),
    "send back": lambda life: ending.return_order(life.snapshot, life.tick(), "carrier", to_sender=True),
    "refund": _refund,
    "settle": _settle,
    "bounce": lambda life: refunds.fail(life.snapshot, _any(life.snapshot), "It is closed.", life.tick()),
    "retry": lambda life: refunds.retry(life.snapshot, _failed(life.snapshot), life.tick(), "sue"),
    "restart": lambda life: restarting.restart(life.snapshot, WAITS, life.tick(), "system", "lost"),
}

wishes = st.builds(
    a_wish,
    method=st.sampled_from([PaymentMethod.CREDIT_CARD, PaymentMethod.CASH_ON_DELIVERY]),
    needs_review=st.booleans(),
    lines=st.sampled_from([(TEAPOT, CUP), (LEAFLET,)]),
)
_USUAL = (
    "reserve",
    "ask",
    "approve",
    "accept cash",
    "intend",
    "charged",
    "skip payment",
    "prepare",
    "hand over",
    "ship",
    "deliver",
)
deeds = st.lists(st.sampled_from(list(FORWARD)) | st.sampled_from(_USUAL), max_size=40) | st.permutations(_USUAL).map(
    lambda some: [*_USUAL, *some]
)


def undo_something(life: Life, pick: int) -> Change | None:
    """What the unwinding machine does next: from where the row says it has to enter, never before."""
    chain = {
        "shipment": ("recall",),
        "payment": ("refund", "void"),
        "stock": ("release",),
        "nothing": ("close",),
    }
    choices = chain[unwinding.undo_from(life.snapshot)]
    return UNWINDING[choices[pick % len(choices)]](life)


def attempt(life: Life, doing: Doing) -> Change | None:
    """Does it, where it is allowed."""
    try:
        return life.apply(doing(life))
    except OrderError:
        return None


def live(life: Life, names: list[str], picks: Iterator[int]) -> Iterator[tuple[Snapshot, Change]]:
    """Tries everything named, with the unwinding going on beside it; yields what each change found, and the change."""
    for name in names:
        if name in ("accept cash", "intend", "skip payment"):
            before = life.snapshot
            if change := attempt(life, FORWARD["reserve"]):
                yield before, change
        before = life.snapshot
        if change := attempt(life, FORWARD[name]):
            yield before, change
        if life.order.overall is OverallStatus.ROLLING_BACK and next(picks) % 2:
            before = life.snapshot
            if change := attempt(life, lambda life: undo_something(life, next(picks))):
                yield before, change
    while life.order.overall is OverallStatus.ROLLING_BACK:
        before = life.snapshot
        change = attempt(life, lambda life: undo_something(life, next(picks)))
        assert change is not None, "the unwinding is stuck"
        yield before, change


def endless(numbers: list[int]) -> Iterator[int]:
    while True:
        yield from numbers


picks = st.lists(st.integers(0, 5), min_size=1, max_size=20).map(endless)


def walk(trail: list[Event]) -> list[OrderStatus]:
    """The statuses an order went through, each once."""
    return [event.status for event in trail if event.old_status is not event.status]


@given(wishes, deeds, picks)
@examples(300)
def test_every_life_is_a_path_through_the_table(wish: placing.PricedRequest, names: list[str], chance: Iterator[int]) -> None:
    life = Life(wish)
    for before, change in live(life, names, chance):
        assert change.before is not None
        assert (change.before.version, change.before.status) == (before.order.version, before.order.status)
        assert change.order.version == before.order.version + 1 == change.event.version
        assert change.event.old_status is before.order.status
        assert change.event.status is change.order.status
        assert change.event.at == change.order.updated_at >= before.order.updated_at
        if change.order.status is not before.order.status:
            assert change.order.status in TRANSITIONS[before.order.status]
            assert change.order.status_since >= before.order.status_since
        if change.payment and before.payment and change.payment != before.payment:
            assert is_reachable(before.payment.status, change.payment.status)
            after = change.applied_to(before)
            assert change.payment.left >= sum(one.amount.amount for one in after.refunds if one.status is RefundStatus.PENDING)
            assert 0 <= change.payment.amount_refunded <= change.payment.amount_captured <= change.payment.amount.amount
    path = walk(life.trail)
    assert path[0] is OrderStatus.PENDING
    assert len(set(path)) == len(path)
    assert sum(status in (OrderStatus.CANCELLED, OrderStatus.RETURNED) for status in path) <= 1
    assert [event.version for event in life.trail] == list(range(1, len(life.trail) + 1))


def is_reachable(current: PaymentStatus, wanted: PaymentStatus) -> bool:
    """Whether the second is behind the first on the payment's way."""
    seen, new = {current}, {current}
    while new:
        new = {following for status in new for following in PAYMENT_TRANSITIONS[status]} - seen
        seen |= new
    return wanted in seen


@given(wishes, deeds, picks)
@examples(300)
def test_every_life_that_is_over_has_its_goods_and_its_money_in_one_place(
    wish: placing.PricedRequest, names: list[str], chance: Iterator[int]
) -> None:
    life = Life(wish)
    list(live(life, names, chance))
    while attempt(life, _settle) or attempt(life, FORWARD["retry"]):
        pass
    order, payment = life.order, life.snapshot.payment
    gone = {line.product_id: -line.quantity for line in order.lines}
    back = all(moved == 0 for moved in life.stock.values())
    assert back or life.stock == gone
    if order.status in TERMINAL:
        assert back
        ended = (PaymentStatus.REFUNDED, PaymentStatus.VOIDED, PaymentStatus.FAILED)
        assert payment is None or (payment.status in ended and payment.left == 0)
        assert order.due_at is None
    if order.status in (OrderStatus.SHIPPED, OrderStatus.DELIVERED):
        assert life.stock == gone
    if order.is_free:
        assert payment is None
    elif order.status is OrderStatus.DELIVERED:
        assert payment is not None
        assert payment.amount_captured == order.total.amount
        assert (payment.status is PaymentStatus.COMPLETED) is (payment.left == payment.amount_captured)
    if payment:
        assert payment.amount_refunded == refunded_in_all(life.snapshot)
    assert payment is None or payment.amount == order.total


def refunded_in_all(snapshot: Snapshot) -> int:
    return sum(one.amount.amount for one in snapshot.refunds if one.status is RefundStatus.COMPLETED)


def _in_review(order: Order) -> bool:
    return order.approval is not None and order.approval.status is ApprovalStatus.PENDING


@given(wishes, deeds, picks)
@examples(200)
def test_every_life_makes_sense_to_who_looks_at_it(
    wish: placing.PricedRequest, names: list[str], chance: Iterator[int]
) -> None:
    life = Life(wish)
    for _, change in live(life, names, chance):
        order = change.order
        _check_steps(order)
        _check_overall(order)
        assert change.event.reason or change.event.metadata, f"{change.event.type} tells neither why nor what"
        assert (estimate(order, None, {}, WAITS, life.now) is None) is (order.is_over or _in_review(order))
        assert (order.due_at is None) is (order.overall in ENDED)
        seen = (
            repr(views.snapshot_view(life.snapshot, Audience.STAFF))
            + repr(views.event_view(change.event, Audience.STAFF))
            + repr(order)
        )
        assert "task-" not in seen
        assert "tok_ok" not in seen


@given(wishes, deeds, picks)
@examples(300)
def test_every_life_keeps_its_payment_token_for_as_long_as_it_can_be_charged_and_no_longer(
    wish: placing.PricedRequest, names: list[str], chance: Iterator[int]
) -> None:
    life = Life(wish)
    for snapshot in (life.snapshot, *(change.applied_to(before) for before, change in live(life, names, chance))):
        order, payment = snapshot.order, snapshot.payment
        alive = order.overall in (OverallStatus.QUEUED, OverallStatus.IN_PROGRESS)
        unsettled = payment is None or payment.status is PaymentStatus.PROCESSING
        by_card = order.method is not PaymentMethod.CASH_ON_DELIVERY and not order.is_free
        assert (order.payment_token is not None) is (alive and unsettled and by_card)


def _check_steps(order: Order) -> None:
    assert sum(step.status is StepStatus.IN_PROGRESS for step in order.steps) <= 1
    for step in order.steps:
        if step.started_at and step.completed_at:
            assert step.started_at <= step.completed_at
        assert (step.status is StepStatus.FAILED) <= (step.completed_at is not None)
    if order.overall in ENDED:
        assert not any(step.status in (StepStatus.IN_PROGRESS, StepStatus.PENDING) for step in order.steps)
        assert not any(step.status is StepStatus.COMPENSATING for step in order.steps)


def _check_overall(order: Order) -> None:
    if order.status is OrderStatus.DELIVERED:
        assert order.overall is OverallStatus.COMPLETED
        assert order.step(StepName.DELIVERY).status is StepStatus.COMPLETED
    if order.status in TERMINAL:
        assert order.is_over
    undone = any(step.status is StepStatus.COMPENSATED for step in order.steps)
    if order.overall in (OverallStatus.FAILED, OverallStatus.ROLLED_BACK):
        assert order.overall is (OverallStatus.ROLLED_BACK if undone else OverallStatus.FAILED)
    if order.overall is OverallStatus.QUEUED:
        assert order.status is OrderStatus.PENDING
    if order.status is OrderStatus.CANCELLED:
        assert order.cancellation is not None


@given(wishes, deeds, picks)
@examples(200)
def test_a_workflow_started_again_never_waits_longer_than_a_new_one(
    wish: placing.PricedRequest, names: list[str], chance: Iterator[int]
) -> None:
    life = Life(wish)
    for _, change in live(life, names, chance):
        left = remaining_waits(change.order, WAITS, life.now + timedelta(milliseconds=1))
        for name in ("payment", "preparation", "delivery", "approval"):
            assert 0 <= getattr(left, name) <= getattr(WAITS, name)
            assert float(getattr(left, name)).is_integer()


def _payments(life: Life) -> list[Payment]:
    return [life.snapshot.payment] if life.snapshot.payment else []


@given(wishes, deeds, picks)
@examples(200)
def test_doing_anything_twice_at_once_is_doing_it_once(
    wish: placing.PricedRequest, names: list[str], chance: Iterator[int]
) -> None:
    """Whoever loses the race for a version decides again on what the winner left: then the deed is done or refused."""
    # Each refund of an amount is another one.
    repeatable = {"ask", "ship", "restart", "locate", "overdue", "refund"}
    life = Life(wish)
    for name in names:
        if attempt(life, FORWARD[name]) and name not in repeatable:
            assert attempt(life, FORWARD[name]) is None, f"{name} was done twice"
        if life.order.overall is OverallStatus.ROLLING_BACK:
            attempt(life, lambda life: undo_something(life, next(chance)))
    assert len(_payments(life)) <= 1
