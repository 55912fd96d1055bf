"""Everything dies in the middle of many orders; whatever was acknowledged must still come to its right end.

``E2E_FULL=1`` runs each of them with 200 orders (100 for aborted executions), as the figures in the docs were measured.
"""

import itertools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.lambda_runtime.lambdas import Call, Invocation, Killed
from local.stack.running import running
from local.stack.settings import Settings
from local.stack.stack import Stack
from tests.e2e.conftest import FULL
from tests.harness.books import Books, at_rest, running_executions
from tests.harness.stacks import Deployment, Served, deployed, in_this_process, until

pytestmark = pytest.mark.skipif(deployed() is not None, reason="only a stack on this machine may be killed")

MANY = 200 if FULL else 40
WAITS = ("--payment-seconds", "1", "--preparation-seconds", "1", "--delivery-seconds", "1")
PRODUCT, STOCK = "mug", 100_000

Wish = dict[str, str]
WISHES: tuple[Wish, ...] = (
    {"token": "tok_ok"},
    {"token": "tok_ok"},
    {"token": "tok_timeout_1"},
    {"token": "tok_declined"},
    {"method": "CASH_ON_DELIVERY"},
    {"token": "tok_ok", "postal_code": "timeout_1"},
    {"token": "tok_flaky_1"},
    {"token": "tok_ok", "postal_code": "refused"},
)


def right_end(wish: Wish) -> str:
    return "CANCELLED" if "tok_declined" in wish.values() or "refused" in wish.values() else "DELIVERED"


class Rush:
    """Many orders placed side by side for as long as the stack answers; it knows what was acknowledged."""

    def __init__(self, stack: Deployment, count: int) -> None:
        self.acknowledged: dict[str, Wish] = {}
        self.unanswered = 0
        self.stack = stack
        self._wishes = itertools.islice(itertools.cycle(WISHES), count)
        self._lock = threading.Lock()

    def place_all(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            for worker in [pool.submit(self._place) for _ in range(8)]:
                worker.result()

    def _place(self) -> None:
        while True:
            with self._lock:
                wish = next(self._wishes, None)
            if wish is None:
                return
            try:
                order_id = self.stack.ada.place(product=PRODUCT, **wish)["order"]["order_id"]
            except httpx.TransportError:
                self.unanswered += 1
                return
            self.acknowledged[order_id] = wish


LATER = ("PENDING", "PROCESSING", "SHIPPED", "DELIVERED")


def has_come(moment: str, rush: Rush) -> bool:
    """Whether some orders are acknowledged (``placing``), or one has come as far as that status."""
    paid = next((order_id for order_id, wish in list(rush.acknowledged.items()) if wish == {"token": "tok_ok"}), None)
    if paid is None or moment == "placing":
        return paid is not None
    return rush.stack.ada.order(paid)["order"]["status"] in LATER[LATER.index(moment) :]


@contextmanager
def killed(folder: Path, moment: str, count: int, *options: str) -> Iterator[tuple[Served, Rush]]:
    """A stack that was killed with SIGKILL at that moment, and has been started again on the same data."""
    first = Served("--data", str(folder), *WAITS, *options)
    try:
        first.a_product(PRODUCT, STOCK)
        first.ada.get("/orders")
        rush = Rush(first, count)
        placing = threading.Thread(target=rush.place_all)
        placing.start()
        try:
            until(lambda: has_come(moment, rush), what=moment)
        finally:
            # Whoever is placing meets a broken connection; a closed client would be this test's own doing.
            first.process.kill()
            placing.join()
            first.end(signal.SIGKILL)
    finally:
        if first.process.poll() is None:
            first.end(signal.SIGKILL)
        first.log.unlink()
    second = Served("--data", str(folder), *WAITS, *options)
    try:
        yield second, rush
        assert second.crashes() == [], second.log.read_text()[-5000:]
    finally:
        second.end(signal.SIGKILL)
        second.log.unlink()


def check(books: Books, acknowledged: dict[str, Wish]) -> None:
    assert books.errors({PRODUCT: STOCK}) == []
    lost = acknowledged.keys() - books.accounts.keys()
    assert not lost
    wrong = {
        order_id: books.accounts[order_id].order.status.value
        for order_id, wish in acknowledged.items()
        if books.accounts[order_id].order.status.value != right_end(wish)
    }
    assert wrong == {}
    placed = [event for account in books.accounts.values() for event in account.trail if event.type.value == "PAYMENT_STARTED"]
    assert len(placed) == len({event.order_id for event in placed}), "an order has two payment intents"


MOMENTS = [(moment, gateway) for moment in ("placing", "PROCESSING", "SHIPPED") for gateway in ("0", "0.2")]


@pytest.mark.parametrize(("moment", "gateway"), MOMENTS if FULL else [("placing", "0")])
def test_a_killed_stack_goes_on_where_it_was(tmp_path: Path, moment: str, gateway: str, figure: Callable[[str], None]) -> None:
    with killed(tmp_path, moment, MANY, "--gateway-seconds", gateway) as (stack, rush):
        restarted = time.monotonic()
        books = at_rest(stack)
        figure(
            f"killed at {moment} with a gateway of {gateway} s: {len(rush.acknowledged)} of {MANY} acknowledged, "
            f"{len(books.accounts)} kept, all at their ends {time.monotonic() - restarted:.1f} s after the restart: "
            f"{dict(books.statuses(rush.acknowledged))}"
        )
        check(books, rush.acknowledged)
        assert rush.acknowledged


def test_killed_again_and_again(tmp_path: Path) -> None:
    """Each start finds what the one before had begun, the unwindings too; the first is in the midst of all its orders."""
    acknowledged: dict[str, Wish] = {}
    reviewed: list[str] = []
    for moment in ("PROCESSING", "placing", "SHIPPED") if FULL else ("PROCESSING",):
        with killed(tmp_path, moment, MANY, "--gateway-seconds", "0.2") as (stack, rush):
            acknowledged |= rush.acknowledged
            # Something is under way whenever it is killed again.
            reviewed.append(stack.ada.place(product=PRODUCT, require_approval=True)["order"]["order_id"])
            until(lambda s=stack: running_executions(s), what="work to be interrupted")  # type: ignore[misc]
    stack = Served("--data", str(tmp_path), *WAITS)
    try:
        for order_id in reviewed:
            assert stack.support.post(f"/orders/{order_id}/approve").status_code == 200
            acknowledged[order_id] = {}
        check(at_rest(stack), acknowledged)
    finally:
        stack.end(signal.SIGKILL)
        stack.log.unlink()


class Aborting:
    """Aborts each order's execution, once, as soon as it calls one of the functions, which then does nothing.

    What the workflow service says of that is lost: only a sweep that was asked for gets through to its function.
    """

    def __init__(self, stack: Stack, function: str) -> None:
        self.orders: set[str] = set()
        self._function, self._sweep = (
            stack.lambdas.config(stack.resources[f"{name}Function"]).name for name in (function, "SweepOrders")
        )
        self._execution = stack.outputs["FulfilMachineArn"].replace(":stateMachine:", ":execution:")
        self._client = stack.client("stepfunctions")
        self._lock = threading.Lock()

    def __call__(self, invocation: Invocation, call: Call) -> Any:
        if invocation.function == self._sweep and not invocation.event.get("everything"):
            return None
        if invocation.function != self._function:
            return call(invocation)
        order_id = invocation.event["order_id"]
        with self._lock:
            if order_id in self.orders:
                return call(invocation)
            self.orders.add(order_id)
        cause = "A test wants to see what happens"
        self._client.stop_execution(executionArn=f"{self._execution}:{order_id}", error="ByHand", cause=cause)
        raise Killed


@pytest.fixture(scope="module")
def inside() -> Iterator[Stack]:
    """A stack of this process, whose executions are aborted from within."""
    waits = {"PaymentWaitSeconds": "0", "PreparationWaitSeconds": "0", "DeliveryWaitSeconds": "0"}
    with running(Settings(parameters=waits)) as started:
        yield started


@pytest.fixture
def stack(inside: Stack) -> Iterator[Deployment]:
    """As others see it, its stock as it was at the beginning for each test."""
    made = in_this_process(inside)
    left = sum(account.order.status.value == "DELIVERED" for account in at_rest(made).accounts.values())
    made.a_product(PRODUCT, STOCK - left)
    yield made
    inside.lambdas.wrappers.clear()
    made.close()


CALLS: dict[str, tuple[str, Callable[[Wish], bool]]] = {
    "PENDING": ("ChargePayment", lambda wish: True),
    "PROCESSING": ("ShipParcel", lambda wish: "tok_declined" not in wish.values()),
    "SHIPPED": ("DeliverOrder", lambda wish: right_end(wish) == "DELIVERED"),
}
"""The function that an order's workflow calls next at each status, and which orders come that far."""


@pytest.mark.parametrize("stage", CALLS)
def test_aborted_executions_are_found_by_one_sweep(
    stack: Deployment, inside: Stack, stage: str, figure: Callable[[str], None]
) -> None:
    function, comes_so_far = CALLS[stage]
    aborting = Aborting(inside, function)
    inside.lambdas.wrappers.append(aborting)
    rush = Rush(stack, 100 if FULL else 24)
    rush.place_all()
    expected = {order_id for order_id, wish in rush.acknowledged.items() if comes_so_far(wish)}
    until(lambda: aborting.orders == expected and not running_executions(stack), what="the end of every execution")
    restarted = stack.sweep()
    books = at_rest(stack)
    figure(
        f"{len(expected)} executions aborted at {stage}, {len(restarted)} orders restarted: "
        f"{dict(books.statuses(rush.acknowledged))}"
    )
    assert set(restarted) == expected
    check(books, rush.acknowledged)


def test_an_order_whose_workflow_is_gone_is_repaired_by_hand(stack: Deployment) -> None:
    order_id = stack.ada.place(product=PRODUCT, require_approval=True)["order"]["order_id"]
    (arn,) = until(lambda: running_executions(stack), what="its execution")
    stack.aws("stepfunctions").stop_execution(executionArn=arn, error="ByHand", cause="A test wants to see what happens")
    assert stack.support.post(f"/orders/{order_id}/sync").status_code == 200
    assert stack.support.post(f"/orders/{order_id}/approve").status_code == 200
    assert stack.ada.until_over(order_id)["order"]["status"] == "DELIVERED"
    kinds = [event["event_type"] for event in stack.support.history(order_id)]
    assert kinds.count("WORKFLOW_RESTARTED") >= 1
    assert kinds.count("PAYMENT_COMPLETED") == 1


def test_sweeping_all_the_time_disturbs_nothing(stack: Deployment) -> None:
    """A sweep races orders that are well: whatever it believes, nothing happens twice."""
    stop = threading.Event()

    def sweeping() -> None:
        while not stop.is_set():
            stack.sweep()

    sweeper = threading.Thread(target=sweeping)
    sweeper.start()
    try:
        rush = Rush(stack, MANY // 2)
        rush.place_all()
        at_rest(stack)
    finally:
        stop.set()
        sweeper.join()
    check(at_rest(stack), rush.acknowledged)
