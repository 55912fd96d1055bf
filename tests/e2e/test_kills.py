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

import httpx
import pytest

from tests.e2e.books import Books, at_rest, running_executions
from tests.e2e.conftest import FULL
from tests.e2e.stacks import Served, deployed, serving, until

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

    def __init__(self, stack: Served, count: int) -> None:
        self.acknowledged: dict[str, Wish] = {}
        self.unanswered = 0
        self._stack = stack
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
                order_id = self._stack.ada.place(product=PRODUCT, **wish)["order"]["order_id"]
            except httpx.TransportError:
                self.unanswered += 1
                return
            self.acknowledged[order_id] = wish


@contextmanager
def killed(folder: Path, after: float, count: int, *options: str) -> Iterator[tuple[Served, Rush]]:
    """A stack that was killed with SIGKILL so long after the first order, and has been started again on the same data."""
    first = Served("--data", str(folder), *WAITS, *options)
    try:
        first.a_product(PRODUCT, STOCK)
        first.ada.get("/orders")
        rush = Rush(first, count)
        placing = threading.Thread(target=rush.place_all)
        began = time.monotonic()
        placing.start()
        time.sleep(max(0.0, after - (time.monotonic() - began)))
        first.end(signal.SIGKILL)
        placing.join()
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


MOMENTS = [(0.5, "0"), (1.5, "0"), (2.5, "0"), (0.5, "0.2"), (1.5, "0.2"), (2.5, "0.2")]


@pytest.mark.parametrize(("after", "gateway"), MOMENTS if FULL else [(0.5, "0"), (1.4, "0.2")])
def test_a_killed_stack_goes_on_where_it_was(tmp_path: Path, after: float, gateway: str, figure: Callable[[str], None]) -> None:
    with killed(tmp_path, after, MANY, "--gateway-seconds", gateway) as (stack, rush):
        restarted = time.monotonic()
        books = at_rest(stack, 120)
        figure(
            f"killed after {after} s with a gateway of {gateway} s: {len(rush.acknowledged)} of {MANY} acknowledged, "
            f"{len(books.accounts)} kept, all at their ends {time.monotonic() - restarted:.1f} s after the restart: "
            f"{dict(books.statuses(rush.acknowledged))}"
        )
        check(books, rush.acknowledged)
        assert rush.acknowledged


def test_killed_again_and_again(tmp_path: Path) -> None:
    """Each start finds what the one before had begun, the unwindings too."""
    acknowledged: dict[str, Wish] = {}
    for after in (0.9, 0.4, 1.2) if FULL else (0.9,):
        with killed(tmp_path, after, MANY // 4, "--gateway-seconds", "0.2") as (stack, rush):
            acknowledged |= rush.acknowledged
            until(lambda s=stack: running_executions(s), what="work to be interrupted")  # type: ignore[misc]
    stack = Served("--data", str(tmp_path), *WAITS)
    try:
        books = at_rest(stack, 120)
        assert books.errors() == []
        assert {name: books.accounts[name].order.status.value for name in acknowledged} == {
            name: right_end(wish) for name, wish in acknowledged.items()
        }
    finally:
        stack.end(signal.SIGKILL)
        stack.log.unlink()


def abort_everything(stack: Served) -> int:
    client, aborted = stack.aws("stepfunctions"), 0
    for arn in running_executions(stack):
        client.stop_execution(executionArn=arn, error="ByHand", cause="A test wants to see what happens")
        aborted += 1
    return aborted


@pytest.fixture(scope="module")
def kept() -> Iterator[Served]:
    with serving("--payment-seconds", "2", "--preparation-seconds", "1", "--delivery-seconds", "1") as stack:
        yield stack


@pytest.fixture
def stack(kept: Served) -> Served:
    """One stack whose executions are aborted, its stock as it was at the beginning for each test."""
    left = sum(account.order.status.value == "DELIVERED" for account in at_rest(kept, 60).accounts.values())
    kept.a_product(PRODUCT, STOCK - left)
    return kept


@pytest.mark.parametrize("stage", ["PENDING", "PROCESSING", "SHIPPED"])
def test_aborted_executions_are_found_by_one_sweep(stack: Served, stage: str, figure: Callable[[str], None]) -> None:
    count = 100 if FULL else 24
    rush = Rush(stack, count)
    rush.place_all()
    assert len(rush.acknowledged) == count
    first = next(iter(rush.acknowledged))
    stack.ada.until_status(first, stage)
    aborted = abort_everything(stack)
    restarted = stack.sweep()
    books = at_rest(stack, 120)
    figure(
        f"{aborted} executions aborted at {stage}, {len(restarted)} orders restarted: {dict(books.statuses(rush.acknowledged))}"
    )
    assert aborted
    check(books, rush.acknowledged)


def test_an_order_whose_workflow_is_gone_is_repaired_by_hand(stack: Served) -> None:
    order_id = stack.ada.place(product=PRODUCT)["order"]["order_id"]
    until(lambda: running_executions(stack), what="its execution")
    abort_everything(stack)
    assert stack.support.post(f"/orders/{order_id}/sync").status_code == 200
    assert stack.ada.until_over(order_id)["order"]["status"] == "DELIVERED"
    kinds = [event["event_type"] for event in stack.support.history(order_id)]
    assert kinds.count("WORKFLOW_RESTARTED") >= 1
    assert kinds.count("PAYMENT_COMPLETED") == 1


def test_sweeping_all_the_time_disturbs_nothing(stack: Served) -> None:
    """A sweep races orders that are well: whatever it believes, nothing happens twice."""
    stop = threading.Event()

    def sweep() -> None:
        while not stop.is_set():
            stack.sweep()

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        rush = Rush(stack, MANY // 2)
        rush.place_all()
        at_rest(stack, 120)
    finally:
        stop.set()
        sweeper.join()
    check(at_rest(stack), rush.acknowledged)
