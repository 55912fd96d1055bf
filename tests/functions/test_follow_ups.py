"""Follow-ups in any order, at once and twice, as AWS may deliver them: every order still ends, with its books right.

The events of one order are items of their own, so the stream keeps no order among them. Nothing here sweeps: what the
follow-ups alone leave behind has to be the end.
"""

import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import permutations
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.adapters import workflow
from orders.adapters.store import catalog, event_items
from orders.domain.actors import Actor
from orders.domain.address import Address
from orders.domain.decisions import reviewing
from orders.domain.errors import ApprovalPending, OrderError, OrderOver
from orders.domain.identifiers import OrderId
from orders.domain.money import Money
from orders.domain.products import Product
from orders.domain.refund import left
from orders.domain.statuses import ENDED, OrderStatus, PaymentMethod, PaymentStatus, StepStatus
from orders.domain.steps import StepName, unwound_from
from orders.services import charging, commands, deliveries, failing, fulfilling, handovers, returning
from orders.services.changes import SeenAt
from orders.services.placing import place_order
from tests.harness.events import ALL_TAKEN, a_batch, a_record, invoke
from tests.harness.examples import examples
from tests.harness.fakes import FakeStepFunctions
from tests.harness.memory_store import MemoryStore, in_memory
from tests.harness.orders import a_request
from tests.harness.world import ENVIRONMENT

ORDER, STOCK, PIECES = OrderId("order-1"), 100, 2
ADA, SUE = Actor("ada"), Actor("sue", staff=True)
HOME = Address("Ada", "12 St James's Square", "London", "SW1Y 4JH", "GB")


class Stage:
    """One order, its executions as far as this product sees them, and a stream that delivers as it likes."""

    def __init__(self, memory: MemoryStore, *, cash: bool, review: bool) -> None:
        self.memory = memory
        self.states = FakeStepFunctions()
        self.walks: dict[str, Iterator[None]] = {}
        self.delivered: set[int] = set()
        self.interruption: int | None = None
        """Which record another invocation handles just before the next call of the workflow service."""
        memory.stock = STOCK
        method = PaymentMethod.CASH_ON_DELIVERY if cash else PaymentMethod.CREDIT_CARD
        token = None if cash else "tok_ok"
        place_order(
            a_request({"mug": PIECES}, method=method, payment_token=token, order_id=ORDER, require_approval=review), ADA
        )

    # --- the stream ---

    def records(self) -> list[dict[str, Any]]:
        items = [event_items.event_to_item(event) for event in self.memory.history(ORDER)]
        return [a_record(item, item["version"]["N"]) for item in items if "follow_up" in item]

    def deliver(self, number: int) -> None:
        records = self.records()
        number %= len(records)
        assert invoke("drive_workflow", a_batch([records[number]])) == ALL_TAKEN
        self.delivered.add(number)
        self._begin_walks()

    def deliver_the_rest(self, order: Sequence[int]) -> bool:
        """What was not delivered yet, as chance has it; whether there was anything."""
        left = [number for number in range(len(self.records())) if number not in self.delivered]
        for number in sorted(left, key=lambda one: order[one % len(order)]):
            self.deliver(number)
        return bool(left)

    # --- the workflow service ---

    def called(self, call: str, /, **request: Any) -> Any:
        number, self.interruption = self.interruption, None
        if number is not None:
            self.deliver(number)
        return getattr(self.states, call)(**request)

    def _begin_walks(self) -> None:
        for arn, execution in self.states.executions.items():
            if arn not in self.walks:
                facts = json.loads(execution["input"])
                unwinds = "undo_from" in facts
                self.walks[arn] = self._unwind(facts["undo_from"]) if unwinds else self._fulfill(arn, facts["run"])

    def running(self) -> list[str]:
        return [arn for arn in self.walks if self.states.executions[arn]["status"] == "RUNNING"]

    def go_on(self, number: int) -> None:
        """One execution takes its next step."""
        running = self.running()
        if not running:
            return
        arn = running[number % len(running)]
        try:
            next(self.walks[arn])
        except (StopIteration, OrderOver):
            self.states.end(arn, "SUCCEEDED")

    def _fulfill(self, arn: str, run: int) -> Iterator[None]:
        try:
            reviewing.review_answered(fulfilling.reserve_stock(ORDER).order)
        except ApprovalPending:
            yield
            said = yield from self._called_back(
                f"{arn}/review", lambda token: fulfilling.request_approval(ORDER, token, 300, run=run)
            )
            if said != {"approved": True}:
                failing.begin_unwinding(ORDER, said[0] if said else "States.Timeout", "")
                return
        yield
        charging.charge_payment(ORDER)
        yield
        yield from self._called_back(f"{arn}/parcel", lambda token: self._ship(token, run))
        deliveries.deliver(ORDER)

    def _ship(self, token: str, run: int) -> None:
        if deliveries.is_delivered(handovers.ship_parcel(ORDER, token, run=run)):
            workflow.answer(token, {})

    def _called_back(self, token: str, ask: Any) -> Any:
        """Waits for the answer, and for two steps at most: then the time is over."""
        self.states.waiting.add(token)
        ask(token)
        for _ in range(2):
            yield
            if token in self.states.answers:
                return self.states.answers[token]
        self.states.waiting.discard(token)
        return None

    def _unwind(self, undo_from: str) -> Iterator[None]:
        for task in unwound_from(undo_from):
            importlib.import_module(task.function).handler({"order_id": ORDER}, SimpleNamespace())
            yield

    # --- people ---

    def ask(self, what: str) -> None:
        """What somebody wants may come too late, and be refused."""
        with suppress(OrderError):
            if what == "delivered":
                commands.mark_delivered(ORDER, SUE, None, SeenAt())
            else:
                acts: dict[str, Callable[..., object]] = {
                    "cancel": commands.cancel,
                    "approve": commands.approve,
                    "reject": commands.reject,
                    "return": returning.return_order,
                }
                acts[what](ORDER, SUE, None, SeenAt())

    # --- the end ---

    def check(self) -> None:
        found = self.memory.load(ORDER)
        order, payment = found.order, found.payment
        assert self.running() == []
        assert order.overall in ENDED, f"left behind: {order.status} {order.overall}"
        books = [entry.state for key, entry in self.memory.ledger.items() if key.startswith("GATEWAY#")]
        assert len(books) <= 1, "no second charge"
        if order.status is OrderStatus.DELIVERED:
            assert payment
            assert payment.status is PaymentStatus.COMPLETED
            assert books == ["charged"]
            assert self.memory.stock == STOCK - PIECES
        else:
            assert order.status in (OrderStatus.CANCELLED, OrderStatus.RETURNED)
            if payment and payment.method is PaymentMethod.CASH_ON_DELIVERY and found.refunds:
                assert left(payment, found.refunds) == 0, "the money waits to be handed out"
            else:
                assert "charged" not in books, "the money is back"
            assert self.memory.stock == STOCK
            assert order.step(StepName.INVENTORY).status in (StepStatus.COMPENSATED, StepStatus.SKIPPED)
        assert [event.version for event in self.memory.history(ORDER)] == list(range(1, order.version + 1))


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        yield


def on(patch: pytest.MonkeyPatch, memory: MemoryStore, **kind: bool) -> Stage:
    price = Money(1000, "USD")
    patch.setattr(catalog, "products", lambda ids: {name: Product(name, name, price, STOCK) for name in ids})
    stage = Stage(memory, **kind)
    calls = ("start_execution", "stop_execution", "send_task_success", "send_task_failure")
    service = SimpleNamespace(**{call: partial(stage.called, call) for call in calls})
    patch.setattr(workflow, "client", lambda: service)
    return stage


def play_out(stage: Stage, order: Sequence[int]) -> None:
    """Delivers what is left and lets every execution come to its end, until nothing moves any more."""
    while stage.deliver_the_rest(order) or stage.running():
        stage.go_on(0)
    stage.check()


PEOPLE = st.sampled_from(["cancel", "approve", "reject", "delivered", "return"])
MOVES = st.one_of(
    st.tuples(st.just("deliver"), st.integers(0, 5)),
    st.tuples(st.just("step"), st.integers(0, 2)),
    st.tuples(st.just("step"), st.integers(0, 2)),
    st.tuples(st.just("interrupt"), st.integers(0, 5)),
    st.tuples(st.just("ask"), PEOPLE),
)


@examples(300)
@given(
    cash=st.booleans(),
    review=st.booleans(),
    moves=st.lists(MOVES, max_size=25),
    order=st.permutations(range(8)),
)
def test_an_order_ends_right_whatever_order_its_records_come_in(
    cash: bool, review: bool, moves: list[tuple[str, Any]], order: list[int]
) -> None:
    with in_memory() as memory, pytest.MonkeyPatch.context() as patch:
        stage = on(patch, memory, cash=cash, review=review)
        for move, what in moves:
            if move == "deliver":
                stage.deliver(what)
            elif move == "step":
                stage.go_on(what)
            elif move == "interrupt":
                stage.interruption = what
            else:
                stage.ask(what)
        play_out(stage, order)


LIVES: dict[str, list[str]] = {
    "cancelled at once": ["cancel"],
    "cancelled in preparation": ["step", "step", "cancel"],
    "approved and cancelled": ["step", "step", "approve", "cancel"],
    "rejected": ["step", "step", "reject"],
    "delivered and returned": ["step", "step", "step", "delivered", "return"],
}


@pytest.mark.parametrize("cash", [False, True], ids=["card", "cash"])
@pytest.mark.parametrize("life", LIVES)
def test_every_permutation_of_a_life_s_records_comes_to_the_same_end(life: str, cash: bool) -> None:
    review = "approve" in LIVES[life] or "reject" in LIVES[life]
    ends = set()
    for order in permutations(range(4)):
        with in_memory() as memory, pytest.MonkeyPatch.context() as patch:
            stage = on(patch, memory, cash=cash, review=review)
            # Without its first record there would be no execution to take steps: that one comes twice.
            if "step" in LIVES[life]:
                stage.deliver(0)
                stage.delivered.clear()
            for move in LIVES[life]:
                if move == "step":
                    stage.go_on(0)
                else:
                    stage.ask(move)
            play_out(stage, order)
            found = memory.load(ORDER)
            ends.add((found.order.status, found.order.overall, found.payment and found.payment.status))
    assert len(ends) == 1, ends
