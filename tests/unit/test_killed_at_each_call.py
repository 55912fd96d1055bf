"""A function that dies before or after each call of the payment provider, and is found three days later: done once.

By then the provider has forgotten our idempotency keys: what it has done is looked up, and not asked for again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from orders.adapters.payments.simulated import SimulatedGateway
from orders.domain.actors import Actor
from orders.domain.decisions import placing
from orders.domain.decisions.refunds import WantedRefund
from orders.domain.identifiers import OrderId
from orders.domain.money import Money
from orders.domain.payment import GatewayOutcome
from orders.domain.statuses import OrderStatus, PaymentStatus
from orders.services import charging, commands, fulfilling, refunding
from orders.services.changes import SeenAt
from tests.harness.memory_store import MemoryStore
from tests.harness.money import check, settle, unwind, workflow
from tests.harness.orders import START, WAITS, a_wish, later, without_pauses

ORDER = OrderId("order-1")
STAFF = Actor("grace", staff=True)
Act = Callable[[], object]


class Killed(BaseException):
    """The execution environment died."""


def now() -> datetime:
    return later(100)


def three_days_later() -> datetime:
    return later(100 + 3 * 86_400)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    without_pauses(monkeypatch)


def charged_and_cancelled() -> None:
    fulfilling.reserve_stock(ORDER, now)
    charging.charge_payment(ORDER, clock=now, waits=True)
    commands.cancel(ORDER, STAFF, None, SeenAt(), now)
    unwind(ORDER, now)


def refunded() -> None:
    workflow(ORDER, now)
    refunding.request(ORDER, WantedRefund("Scratched", Money(500, "USD")), STAFF, SeenAt(), now)


def shipped() -> None:
    workflow(ORDER, now)


@dataclass(frozen=True)
class Life:
    """What happens to an order, the calls of the provider in it, and what its payment comes to."""

    acts: Act
    calls: tuple[str, ...]
    status: OrderStatus
    payment: PaymentStatus
    sums: tuple[int, int]
    """What is captured, and what of it is given back."""
    mode: str = "immediate"
    token: str = "tok_ok"


LOOKED_UP = ("authorize", "capture")
"""A provider itself does a refund once for each of our ids, and what it voids or opens twice moves no money."""
S, P = OrderStatus, PaymentStatus
LIVES = {
    "shipped": Life(shipped, ("open", "authorize"), S.SHIPPED, P.COMPLETED, (3000, 0)),
    "lost answer": Life(shipped, ("look_up",), S.SHIPPED, P.COMPLETED, (3000, 0), token="tok_timeout_1"),
    "captured": Life(shipped, ("open", "authorize", "capture"), S.SHIPPED, P.COMPLETED, (3000, 0), "on_shipment"),
    "released": Life(charged_and_cancelled, ("void",), S.CANCELLED, P.VOIDED, (0, 0), "on_shipment"),
    "given back": Life(charged_and_cancelled, ("refund",), S.CANCELLED, P.REFUNDED, (3000, 3000)),
    "given back in part": Life(refunded, ("refund",), S.SHIPPED, P.PARTIALLY_REFUNDED, (3000, 500)),
}
CASES = [(name, call, moment) for name, life in LIVES.items() for call in life.calls for moment in ("before", "after")]


@pytest.mark.parametrize(("name", "call", "moment"), CASES)
def test_it_is_done_once(memory: MemoryStore, monkeypatch: pytest.MonkeyPatch, name: str, call: str, moment: str) -> None:
    life = LIVES[name]
    monkeypatch.setenv("CAPTURE_MODE", life.mode)
    memory.commit(placing.place(a_wish(order_id=ORDER, payment_token=life.token), WAITS, START, by="ada"))
    with monkeypatch.context() as patch:
        patch.setattr(SimulatedGateway, call, dying(call, moment))
        with pytest.raises(Killed):
            life.acts()
    if moment == "after" and call in LOOKED_UP:
        monkeypatch.setattr(SimulatedGateway, call, forgotten)
    workflow(ORDER, three_days_later)
    settle(ORDER, three_days_later)
    check(memory, ORDER)
    found = memory.orders[ORDER]
    assert found.payment
    assert (found.order.status, found.payment.status) == (life.status, life.payment)
    assert (found.payment.amount_captured, found.payment.amount_refunded) == life.sums


def dying(call: str, moment: str) -> Callable[..., Any]:
    real = getattr(SimulatedGateway, call)

    def called(*arguments: Any, **more: Any) -> Any:
        if moment == "after":
            real(*arguments, **more)
        raise Killed

    return called


def forgotten(*_: Any, **__: Any) -> GatewayOutcome:
    raise AssertionError("the provider has forgotten the key: it would be done twice")
