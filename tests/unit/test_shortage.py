"""Orders of which not all is in stock: cancelled, sent in part, or asked about; and two hundred of them racing for the rest."""

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from typing import Any

import pytest

from orders.adapters.store import figure_items, items, keys, orders
from orders.domain import goods
from orders.domain.actors import Actor
from orders.domain.decisions import cancelling, ending, paying, placing, shortage, unwinding
from orders.domain.errors import ConstraintViolated, OrderOver, ShortagePending
from orders.domain.events import EventType, FollowUp
from orders.domain.identifiers import OrderId
from orders.domain.lines import Line
from orders.domain.money import Money
from orders.domain.order import Change, Snapshot
from orders.domain.pricing import Discount, ShippingCharge
from orders.domain.shortage import Shortage, ShortagePolicy
from orders.domain.statuses import OrderStatus, OverallStatus, PaymentMethod, StepStatus
from orders.domain.steps import TIMED_OUT, CancelReason, OutOfStock, StepName
from orders.domain.waits import remaining_waits
from orders.services import charging, commands, deliveries, failing, fulfilling, handovers
from orders.services.changes import SeenAt
from tests.harness.memory_store import MemoryStore, in_memory
from tests.harness.orders import CUP, CUSTOMER, HOME, START, TEAPOT, WAITS, later

DROP, ASK, CANCEL = ShortagePolicy.DROP, ShortagePolicy.ASK, ShortagePolicy.CANCEL
THRESHOLDS = {"USD": 2500}
ORDER = OrderId("order-1")


def usd(amount: int) -> Money:
    return Money(amount, "USD")


def placed(policy: ShortagePolicy = ASK, lines: tuple[Line, ...] = (TEAPOT, CUP), **more: Any) -> Snapshot:
    """Two teapots and a cup: 30.00 USD."""
    request = placing.PricedRequest(
        order_id=ORDER,
        customer_id=CUSTOMER,
        lines=lines,
        shipping_address=HOME,
        method=PaymentMethod.CREDIT_CARD,
        on_shortage=policy,
        **{"needs_review": False} | more,
    )
    return Snapshot(placing.place(request, WAITS, START, "ada").order)


def reserve(snapshot: Snapshot, left: dict[str, int]) -> Change | None:
    def short(order: Any) -> Change | None:
        absent = shortage.missing(order, left)
        return shortage.reserve_part(order, absent, later(), later(), "system", WAITS, THRESHOLDS) if absent else None

    return placing.reserve_stock(snapshot, later(), later(), short=short)


def after(snapshot: Snapshot, change: Change | None) -> Snapshot:
    assert change
    return change.applied_to(snapshot)


def asked(**more: Any) -> Snapshot:
    """One of two teapots is missing."""
    snapshot = placed(**more)
    return after(snapshot, reserve(snapshot, {"prod-001": 1}))


def amended(snapshot: Snapshot) -> Snapshot:
    return after(snapshot, shortage.amend(snapshot, later(9), "ada", WAITS, THRESHOLDS))


# --- what is missing ---


def test_earlier_lines_get_theirs_first() -> None:
    lines = (TEAPOT, CUP, replace(TEAPOT, quantity=3))
    order = placed(lines=lines).order
    assert shortage.missing(order, {}) == {}
    assert shortage.missing(order, {"prod-001": 4}) == {"3": 1}
    assert shortage.missing(order, {"prod-001": 1, "prod-002": 0}) == {"1": 1, "2": 1, "3": 3}


def test_an_order_is_cancelled_unless_it_says_otherwise() -> None:
    with pytest.raises(OutOfStock, match="prod-001"):
        reserve(placed(CANCEL), {"prod-001": 1})


@pytest.mark.parametrize("policy", [DROP, ASK])
def test_where_nothing_is_there_nobody_is_asked(policy: ShortagePolicy) -> None:
    with pytest.raises(OutOfStock):
        reserve(placed(policy), {"prod-001": 0, "prod-002": 0})


# --- drop ---


def test_what_is_missing_is_dropped_and_the_rest_goes_on() -> None:
    snapshot = placed(DROP)
    change = reserve(snapshot, {"prod-001": 1})
    assert change
    assert (change.event.type, change.stock) == (EventType.STOCK_RESERVED, {"prod-001": -1, "prod-002": -1})
    assert change.event.metadata["missing"] == [{"line_id": "1", "product_id": "prod-001", "quantity": 1}]
    order = change.order
    assert [line.quantity_cancelled for line in order.lines] == [1, 0]
    assert (order.total, order.totals.total, order.totals.subtotal) == (usd(2000), usd(2000), usd(2000))
    assert order.step(StepName.INVENTORY).status is StepStatus.COMPLETED
    assert order.step(StepName.PAYMENT).status is StepStatus.IN_PROGRESS
    assert paying.new_payment(order, "pay-1", "simulated", later()).amount == usd(2000)
    cancelled = after(Snapshot(order), ending.cancel(Snapshot(order), CancelReason.CUSTOMER, later(), "ada"))
    released = unwinding.release_stock(cancelled, later())
    assert released
    assert released.stock == {"prod-001": 1, "prod-002": 1}


def test_the_amended_sums_add_up_with_discounts_taxes_and_delivery() -> None:
    lines = (replace(TEAPOT, quantity=3, discount=usd(100), tax=usd(333)), replace(CUP, tax=usd(77)))
    more = {"shipping_charge": ShippingCharge(usd(499), usd(95)), "discounts": (Discount(usd(250), "TEN"),)}
    order = placed(DROP, lines, **more).order
    whole = order.totals
    for missing in range(1, 4):
        absent = {"1": missing} if missing < 4 else {"1": 3}
        change = reserve(Snapshot(order), {"prod-001": 3 - missing})
        assert change
        sums = change.order.totals
        assert sums.total == change.order.total
        assert change.order.total.amount == order.total.amount - order.shares.to_give_back(absent)
        assert sums.shipping == whole.shipping
        assert 0 <= sums.discount.amount <= whole.discount.amount
        assert 0 <= sums.tax.amount <= whole.tax.amount


# --- review ---


def test_the_review_judges_the_amended_total() -> None:
    below = asked(is_of_high_value=True)
    assert below.order.approval
    assert amended(below).order.approval is None
    assert amended(below).order.current_step == amended(below).order.step(StepName.PAYMENT)
    wanted = amended(asked(is_of_high_value=True, needs_review=True)).order
    assert wanted.approval
    assert wanted.approval.expires_at == later(9 + WAITS.approval)
    assert wanted.step(StepName.REVIEW).status is StepStatus.IN_PROGRESS
    dear = placed(lines=(replace(TEAPOT, unit_price=usd(5000)), CUP), is_of_high_value=True)
    assert amended(after(dear, reserve(dear, {"prod-001": 1}))).order.approval


# --- ask ---


def test_what_is_there_is_reserved_while_the_customer_is_asked() -> None:
    order = asked().order
    assert order.is_asked
    assert order.shortage == Shortage({"1": 1}, later(1 + WAITS.shortage))
    assert (order.total, order.overall) == (usd(3000), OverallStatus.IN_PROGRESS)
    assert order.current_step == order.step(StepName.INVENTORY)
    assert goods.by_product(order, goods.out(order)) == {"prod-001": 1, "prod-002": 1}
    assert reserve(Snapshot(order), {}) is None
    with pytest.raises(ShortagePending):
        paying.check_due(Snapshot(order))


def test_the_token_is_kept_and_the_answer_returns_it() -> None:
    snapshot = asked()
    kept = after(snapshot, shortage.ask(snapshot, "token", 100, later(5)))
    assert (kept.order.shortage_token, kept.order.shortage) == ("token", Shortage({"1": 1}, later(105)))
    change = shortage.amend(kept, later(9), "ada", WAITS, THRESHOLDS)
    assert (change.event.type, change.event.follow_up) == (EventType.ORDER_AMENDED, FollowUp.ANSWER_AMENDED)
    assert (change.order.total, change.stock, change.order.is_asked) == (usd(2000), {}, False)
    assert shortage.ask(change.applied_to(kept), "late", 100, later(10)) is None
    with pytest.raises(ConstraintViolated, match="does not wait"):
        shortage.amend(change.applied_to(kept), later(10), "ada", WAITS, THRESHOLDS)
    with pytest.raises(OrderOver):
        shortage.ask(snapshot, "token", 100, later(5), run=2)


def test_a_cancelled_or_unanswered_order_gives_back_what_was_reserved() -> None:
    for change in (
        ending.cancel(asked(), CancelReason.CUSTOMER, later(5), "ada"),
        shortage.unanswered(asked(), later(5)),
    ):
        assert change
        assert (change.order.status, change.order.overall) == (OrderStatus.CANCELLED, OverallStatus.ROLLING_BACK)
        released = unwinding.release_stock(Snapshot(change.order), later(6))
        assert released
        assert released.stock == {"prod-001": 1, "prod-002": 1}
        assert released.order.step(StepName.INVENTORY).status is StepStatus.COMPENSATED
    silent = shortage.unanswered(asked(), later(5))
    assert silent
    assert silent.order.cancellation
    assert silent.order.cancellation.reason is CancelReason.OUT_OF_STOCK
    assert shortage.unanswered(amended(asked()), later(5)) is None


def test_an_order_whose_customer_cannot_be_asked_gives_back_what_was_reserved(memory: MemoryStore) -> None:
    memory.orders[ORDER] = asked()
    failed = failing.begin_unwinding(ORDER, "States.TaskFailed", "").order
    assert (failed.status, failed.overall) == (OrderStatus.CANCELLED, OverallStatus.ROLLING_BACK)
    assert failed.step(StepName.INVENTORY).status is StepStatus.COMPENSATING


def test_a_restart_waits_for_what_is_left_of_the_time() -> None:
    left = remaining_waits(asked(needs_review=True).order, WAITS, later(1 + 86_000))
    assert (left.shortage, left.approval) == (400, 300)
    assert remaining_waits(placed().order, WAITS, later(9)).shortage == WAITS.shortage


def test_an_asked_order_is_stored_so_that_other_releases_release_what_is_reserved() -> None:
    for snapshot in (asked(), amended(asked()), placed(DROP), placed(CANCEL)):
        order = items.order_from_item(items.order_to_item(snapshot.order))
        beside = {keys.COUNTED: figure_items.counted_to_item(snapshot.order)}
        assert items.snapshot_of(order, beside).order == snapshot.order
    held = items.order_to_item(asked().order)
    known = {name: value for name, value in held.items() if name not in ("shortage", "on_shortage", items.QUANTITIES)}
    older = items.order_from_item({name: value for name, value in known.items() if name != items.ALL_OF_LINES})
    assert (older.pieces, older.step(StepName.INVENTORY).status) == ({"prod-001": 1, "prod-002": 1}, StepStatus.COMPLETED)
    plain = items.order_to_item(placed(CANCEL).order)
    assert {"shortage", "on_shortage", "shortage_token", "reviewed_by_total"} & set(plain) == set()


# --- two hundred at once ---

ORDERS, PIECES = 200, 250


class Race:
    """Orders of one policy: between what one of them sees and what it takes the next ones come in, several deep."""

    def __init__(self, memory: MemoryStore, policy: ShortagePolicy) -> None:
        self._memory = memory
        self._dice = random.Random(policy)  # noqa: S311 - the same race each time
        self._waiting = [OrderId(f"order-{number}") for number in range(ORDERS)]
        self._depth = self._reserved = self._sold = 0
        self._answers = cycle((self._amend, self._cancel, self._say_nothing))
        self._commit = orders.commit
        for order_id in self._waiting:
            order = placed(policy, (replace(TEAPOT, quantity=self._dice.randint(1, 4)),)).order
            memory.orders[order_id] = Snapshot(replace(order, order_id=order_id, payment_token="tok_ok"))

    def commit(self, change: Change, record: Any = None) -> None:
        if self._waiting and self._depth < 6 and self._dice.random() < 0.5:
            self._depth += 1
            self._live(self._waiting.pop())
            self._depth -= 1
        self._commit(change, record)
        for reserved, sold in change.figures.values():
            self._reserved, self._sold = self._reserved + reserved, self._sold + sold
        assert min(self._memory.stock, self._reserved, self._sold) >= 0
        assert self._memory.stock + self._reserved + self._sold == PIECES, "on hand, and sold"

    def run(self) -> list[Snapshot]:
        while self._waiting:
            self._live(self._waiting.pop())
        return list(self._memory.orders.values())

    def _live(self, order_id: OrderId) -> None:
        try:
            if fulfilling.reserve_stock(order_id).order.is_asked:
                fulfilling.ask_customer(order_id, "token", 60)
                next(self._answers)(order_id)
            charging.charge_payment(order_id)
            handovers.ship_parcel(order_id, None)
            deliveries.record_delivery(order_id, "system")
        except (OutOfStock, OrderOver) as refusal:
            failing.begin_unwinding(order_id, type(refusal).__name__, failing.report_of(refusal))
            fulfilling.record(order_id, unwinding.release_stock)
            fulfilling.record(order_id, unwinding.close)

    def _amend(self, order_id: OrderId) -> None:
        commands.amend(order_id, Actor("ada"), SeenAt())

    def _cancel(self, order_id: OrderId) -> None:
        commands.cancel(order_id, Actor("ada"), None, SeenAt())

    def _say_nothing(self, order_id: OrderId) -> None:
        failing.begin_unwinding(order_id, TIMED_OUT, "")


@pytest.fixture
def memory() -> Iterator[MemoryStore]:
    with in_memory() as found:
        found.stock = PIECES
        yield found


@pytest.mark.parametrize("policy", ShortagePolicy)
def test_two_hundred_orders_race_for_the_last_pieces(
    memory: MemoryStore, policy: ShortagePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    race = Race(memory, policy)
    monkeypatch.setattr(orders, "commit", race.commit)
    found = race.run()
    sent = [snapshot for snapshot in found if snapshot.order.status is OrderStatus.DELIVERED]
    assert {snapshot.order.status for snapshot in found} == {OrderStatus.DELIVERED, OrderStatus.CANCELLED}
    assert memory.stock == PIECES - sum(snapshot.order.lines[0].wanted for snapshot in sent)
    for snapshot in found:
        (line,), captured = snapshot.order.lines, snapshot.payment.amount_captured if snapshot.payment else 0
        assert captured == (line.wanted * 1000 if snapshot in sent else 0)
        assert line.quantity_delivered == (line.wanted if snapshot in sent else 0)
    sent_in_part = [snapshot for snapshot in sent if snapshot.order.lines[0].quantity_cancelled]
    assert bool(sent_in_part) == (policy is not CANCEL)


def test_a_part_is_not_cancelled_while_the_customer_is_asked() -> None:
    snapshot = asked()
    with pytest.raises(ShortagePending):
        cancelling.cancel(snapshot, {"1": 1}, CancelReason.CUSTOMER, 10, later(5), "ada")
    whole = cancelling.cancel(snapshot, {"1": 2, "2": 1}, CancelReason.CUSTOMER, 10, later(5), "ada")
    assert whole.order.status is OrderStatus.CANCELLED
