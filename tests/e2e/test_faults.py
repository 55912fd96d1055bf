"""Every transient fault at once, in a stack of this process whose handlers can be killed and called twice.

Each order's gateway fails twice, then charges and has the function killed under it before it can tell; its carrier loses an
answer; and every step of the workflow is invoked twice at the same time.
"""

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from local.lambda_runtime.lambdas import Call, Invocation, Killed
from local.stack.running import running, wait_until
from local.stack.settings import Settings
from local.stack.stack import Stack
from orders.adapters import cash_book
from orders.adapters.carriers.simulated import SimulatedCarrier
from orders.adapters.payments.protocol import Intent
from orders.adapters.payments.simulated import SimulatedGateway
from orders.domain.payment import GatewayOutcome
from orders.domain.steps import DEFINITIONS, UNWINDING, Task
from orders.services import recovery
from tests.harness.books import Books, at_rest
from tests.harness.stacks import Deployment, deployed, in_this_process, until

pytestmark = pytest.mark.skipif(deployed() is not None, reason="handlers are killed in this very process")

ORDERS = 10


def resource_of(task: Task) -> str:
    """The logical name of the function that a task calls."""
    return "".join(word.capitalize() for word in task.function.split("_"))


STEPS = (*(resource_of(one.task) for one in DEFINITIONS), "DriveWorkflow")
UNDOING = (*map(resource_of, UNWINDING.values()), "BeginUnwinding")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    waits = {"PaymentWaitSeconds": "0", "PreparationWaitSeconds": "0", "DeliveryWaitSeconds": "0"}
    waits["ApprovalTimeoutSeconds"] = "3"
    with running(Settings(parameters=waits)) as started:
        yield started


@pytest.fixture
def here(stack: Stack) -> Iterator[Deployment]:
    deployment = in_this_process(stack)
    yield deployment
    stack.lambdas.wrappers.clear()
    deployment.close()


def name_of(stack: Stack, step: str) -> str:
    """What the template's function is called once it is deployed."""
    return stack.lambdas.config(stack.resources[f"{step}Function"]).name


class Twice:
    """Invokes each step twice at the same time; the machine sees the first answer."""

    def __init__(self, stack: Stack) -> None:
        self._names = {name_of(stack, step): step for step in STEPS}
        self.count: Counter[str] = Counter()

    def __call__(self, invocation: Invocation, call: Call) -> Any:
        step = self._names.get(invocation.function)
        if step is None:
            return call(invocation)
        self.count[step] += 1
        failures: list[BaseException] = []

        def duplicate() -> None:
            try:
                call(invocation)
            except (Exception, Killed) as failure:  # noqa: BLE001 - whatever becomes of the duplicate, the machine hears of the other
                failures.append(failure)

        shadow = threading.Thread(target=duplicate)
        shadow.start()
        try:
            return call(invocation)
        finally:
            shadow.join()


def killed_after_charging(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Each payment's first charge goes through, and takes the function with it."""
    kills: Counter[str] = Counter()
    charge = SimulatedGateway.authorize
    lock = threading.Lock()

    def charging(self: SimulatedGateway, intent: Intent) -> GatewayOutcome:
        outcome = charge(self, intent)
        with lock:
            kills[intent.key] += 1
            first = kills[intent.key] == 1
        if first:
            raise Killed
        return outcome

    monkeypatch.setattr(SimulatedGateway, "authorize", charging)
    return kills


def test_ten_orders_with_every_fault_are_charged_once_and_delivered(
    here: Deployment, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice, kills = Twice(stack), killed_after_charging(monkeypatch)
    stack.lambdas.wrappers.append(twice)
    wishes: list[dict[str, Any]] = [{"token": "tok_flaky_2", "postal_code": "timeout_1"} for _ in range(ORDERS)]
    wishes[0]["require_approval"] = True
    placed = [here.ada.place(**wish)["order"]["order_id"] for wish in wishes]
    assert here.support.post(f"/orders/{placed[0]}/approve").status_code == 200
    books = at_rest(here)
    assert books.errors() == []
    assert books.statuses(placed) == {"DELIVERED": ORDERS}
    assert [books.charges(order_id) for order_id in placed] == [1] * ORDERS
    assert len(books.ledger) == ORDERS
    assert len(kills) == ORDERS
    assert all(twice.count[step] for step in STEPS if step != "RequestApproval")
    for order_id in placed:
        kinds = Counter(event.type.value for event in books.accounts[order_id].trail)
        assert [kinds[kind] for kind in ("STOCK_RESERVED", "PAYMENT_STARTED", "PAYMENT_COMPLETED", "ORDER_SHIPPED")] == [1] * 4


@pytest.mark.parametrize("step", ["ReserveStock", "ChargePayment", "ShipParcel", "DeliverOrder"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_function_killed_before_or_after_its_work_is_called_again(
    here: Deployment, stack: Stack, step: str, moment: str
) -> None:
    killed: list[str] = []

    def kill_once(invocation: Invocation, call: Call) -> Any:
        doomed = invocation.function == name_of(stack, step) and not killed
        if doomed:
            killed.append(invocation.function)
        if doomed and moment == "before":
            raise Killed
        answer = call(invocation)
        if doomed:
            raise Killed
        return answer

    stack.lambdas.wrappers.append(kill_once)
    order_id = here.ada.place()["order"]["order_id"]
    assert here.ada.until_over(order_id)["order"]["status"] == "DELIVERED"
    assert killed
    assert Books.of(here).charges(order_id) == 1


@pytest.mark.parametrize("step", UNDOING)
def test_unwinding_goes_on_over_a_kill_and_undoes_once(here: Deployment, stack: Stack, step: str) -> None:
    killed: list[str] = []

    def kill_once(invocation: Invocation, call: Call) -> Any:
        answer = call(invocation)
        if invocation.function == name_of(stack, step) and not killed:
            killed.append(invocation.function)
            raise Killed
        return answer

    stack.lambdas.wrappers.append(kill_once)
    order_id = here.ada.place(postal_code="refused")["order"]["order_id"]
    over = here.ada.until_over(order_id)
    assert (over["order"]["status"], over["payment"]["status"]) == ("CANCELLED", "REFUNDED")
    assert killed
    books = at_rest(here)
    assert books.errors() == []
    kinds = Counter(event.type.value for event in books.accounts[order_id].trail)
    assert [kinds[kind] for kind in ("SHIPMENT_RECALLED", "PAYMENT_REFUNDED", "STOCK_RELEASED", "ORDER_CANCELLED")] == [1] * 4


@dataclass
class Gate:
    """Holds the first call that comes by, before it is made or once it is made, until it is let go."""

    before: bool
    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)
    _first: threading.Lock = field(default_factory=threading.Lock)

    def pass_through(self, call: Callable[[], Any]) -> Any:
        if not self._first.acquire(blocking=False):
            return call()
        if self.before:
            self._hold()
            return call()
        answer = call()
        self._hold()
        return answer

    def _hold(self) -> None:
        self.reached.set()
        assert self.opened.wait(120)


@pytest.fixture
def gate(moment: tuple[str, str], here: Deployment, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Stands at a step of the workflow, or at the gateway or the carrier within one."""
    when, where = moment
    made = Gate(before=when == "before")
    outside: dict[str, type] = {"authorize": SimulatedGateway, "book": SimulatedCarrier}
    if where in outside:
        original = getattr(outside[where], where)
        monkeypatch.setattr(outside[where], where, lambda *given: made.pass_through(lambda: original(*given)))
    else:
        held = name_of(stack, where)
        stack.lambdas.wrappers.append(
            lambda invocation, call: (
                made.pass_through(lambda: call(invocation)) if invocation.function == held else call(invocation)
            )
        )
    yield made
    made.opened.set()


@pytest.mark.parametrize(
    "moment",
    [
        *(
            ("before", where)
            for where in ("ReserveStock", "RequestApproval", "ChargePayment", "authorize", "ShipParcel", "book")
        ),
        *(("after", where) for where in ("ReserveStock", "RequestApproval", "authorize", "ChargePayment", "book")),
    ],
    ids=" ".join,
)
def test_what_is_cancelled_while_a_step_is_held_is_undone_once(here: Deployment, moment: tuple[str, str], gate: Gate) -> None:
    product = here.a_product(f"held-{uuid.uuid4().hex[:8]}", stock=10)
    order_id = here.ada.place(product=product, require_approval=moment[1] == "RequestApproval")["order"]["order_id"]
    assert gate.reached.wait(120)
    assert here.ada.post(f"/orders/{order_id}/cancel").json()["order"]["status"] == "CANCELLED"
    gate.opened.set()
    here.ada.until_over(order_id)
    books = at_rest(here)
    assert books.errors({product: 10}) == []
    assert here.stock(product) == 10
    kinds = Counter(event.type.value for event in books.accounts[order_id].trail)
    assert kinds["ORDER_CANCELLED"] == 1
    assert {kinds[kind] for kind in ("STOCK_RESERVED", "STOCK_RELEASED", "PAYMENT_REFUNDED", "SHIPMENT_RECALLED")} <= {0, 1}
    # Who holds the money when it is cancelled gives it back; who was not asked for it yet is not asked any more.
    charged = moment[1] in ("ShipParcel", "book") or moment in {("after", "authorize"), ("after", "ChargePayment")}
    if moment != ("before", "authorize"):
        assert books.charges(order_id) == kinds["PAYMENT_REFUNDED"] == charged


@pytest.mark.parametrize("moment", [("after", "ShipParcel"), ("before", "DeliverOrder")], ids=" ".join)
def test_what_is_shipped_goes_on_when_its_step_was_held_meanwhile(
    here: Deployment, moment: tuple[str, str], gate: Gate
) -> None:
    product = here.a_product(f"held-{uuid.uuid4().hex[:8]}", stock=10)
    order_id = here.ada.place(product=product)["order"]["order_id"]
    assert gate.reached.wait(120)
    assert here.ada.post(f"/orders/{order_id}/cancel").status_code == 409
    gate.opened.set()
    assert here.ada.until_over(order_id)["order"]["status"] == "DELIVERED"
    assert at_rest(here).errors({product: 10}) == []
    assert here.stock(product) == 9


def test_the_cash_of_a_delivery_is_entered_although_all_die_before(
    here: Deployment, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``/delivered`` is committed and killed before the gateway hears of the cash, and the workflow ends without a word."""
    collected = cash_book.collect
    kills: list[str] = []

    def dying(key: str, *rest: Any) -> None:
        kills.append(key)
        if len(kills) == 1:
            raise Killed
        collected(key, *rest)

    monkeypatch.setattr(cash_book, "collect", dying)

    asked = threading.Event()

    def hold(invocation: Invocation, call: Call) -> Any:
        if invocation.function == name_of(stack, "DriveWorkflow") and asked.is_set():
            # What follows from the delivery collects the cash too: the request comes first.
            wait_until(lambda: bool(kills))
        if invocation.function == name_of(stack, "DeliverOrder"):
            wait_until(lambda: bool(kills))
            machine = stack.outputs["FulfilMachineArn"].replace(":stateMachine:", ":execution:")
            stack.client("stepfunctions").stop_execution(executionArn=f"{machine}:{invocation.event['order_id']}")
            raise Killed
        return call(invocation)

    stack.lambdas.wrappers.append(hold)
    order_id = here.ada.place(method="CASH_ON_DELIVERY")["order"]["order_id"]
    here.ada.until_status(order_id, "SHIPPED")
    asked.set()
    assert here.carrier.post(f"/orders/{order_id}/delivered").status_code == 500
    assert here.ada.until_over(order_id)["payment"]["status"] == "COMPLETED"
    wait_until(lambda: Books.of(here).charges(order_id))
    assert at_rest(here).errors() == []


def test_a_parcel_on_its_way_is_never_given_up(here: Deployment, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often its workflow was restarted before, an order that cannot be cancelled any more is carried on."""
    monkeypatch.setattr(recovery, "MOST_FAILED_RUNS", 1)
    aborted: list[str] = []

    def abort_once(invocation: Invocation, call: Call) -> Any:
        if invocation.function == name_of(stack, "DeliverOrder") and not aborted:
            aborted.append(invocation.event["order_id"])
            machine = stack.outputs["FulfilMachineArn"].replace(":stateMachine:", ":execution:")
            stack.client("stepfunctions").stop_execution(executionArn=f"{machine}:{aborted[0]}")
            raise Killed
        return call(invocation)

    stack.lambdas.wrappers.append(abort_once)
    order_id = here.ada.place()["order"]["order_id"]
    assert here.ada.until_over(order_id)["order"]["status"] == "DELIVERED"
    assert aborted == [order_id]


def test_whatever_the_stream_loses_or_repeats_the_sweep_finds(here: Deployment, stack: Stack) -> None:
    """Half of what the workflow service should be told is never told, and the rest twice."""
    dice = random.Random("2026-11-20")  # noqa: S311 - chance, not a secret
    stocked = {here.a_product("lossy", 1000): 1000}
    lossy = [True]

    def lose(invocation: Invocation, call: Call) -> Any:
        if lossy[0] and invocation.function == name_of(stack, "DriveWorkflow"):
            if dice.random() < 0.5:
                return {"batchItemFailures": []}
            call(invocation)
        return call(invocation)

    stack.lambdas.wrappers.append(lose)
    wishes: list[dict[str, Any]] = [
        {},
        {"token": "tok_declined"},
        {"method": "CASH_ON_DELIVERY"},
        {"require_approval": True},
        {"postal_code": "refused"},
    ]
    placed = [here.ada.place(product="lossy", **wish)["order"]["order_id"] for wish in wishes * 6]
    for order_id in placed:
        verb = dice.choice(["cancel", "approve", "reject", "return", "delivered", "sync"])
        assert here.support.post(f"/orders/{order_id}/{verb}").status_code in (200, 403, 409)
    lossy[0] = False
    sweep = stack.resources["SweepOrdersFunction"]

    def swept() -> bool:
        answer = stack.lambdas.invoke(sweep, {"everything": True})
        assert not answer.failed, answer.payload
        return all(account.order.due_at is None for account in Books.of(here).accounts.values())

    until(swept, what="an end of every order")
    assert at_rest(here).errors(stocked) == []
