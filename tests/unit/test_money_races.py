"""200 orders raced between the workflow, a customer, staff, the provider, the bus and the warehouse: the money adds up.

Who is next is drawn before each call of the table and of the provider: the interleavings are the same in every run.
"""

from collections.abc import Iterator
from datetime import datetime
from random import Random

import pytest

from orders.adapters.payments.simulated import SimulatedGateway
from orders.adapters.store import ledgers, orders
from orders.domain.actors import Actor
from orders.domain.decisions import placing
from orders.domain.decisions.refunds import WantedRefund
from orders.domain.events import PAYMENT_CHANGED, PAYMENT_CONFIRMED
from orders.domain.fulfillment import FulfillmentEvent
from orders.domain.identifiers import OrderId
from orders.domain.money import Money
from orders.domain.payment_reports import OTHERS, PaymentReport
from orders.domain.statuses import OrderStatus
from orders.services import commands, inbound, payment_events, refunding
from orders.services.changes import SeenAt
from tests.harness.interleaving import Turns
from tests.harness.memory_store import MemoryStore
from tests.harness.money import Act, check, patiently, settle, unwind, workflow
from tests.harness.orders import START, WAITS, a_wish, later, without_pauses

ORDERS = 200
ADA, GRACE = Actor("ada"), Actor("grace", staff=True)
TOKENS = ("tok_ok", "tok_ok", "tok_capture_once", "tok_requires_action", "tok_hold_expires", "tok_timeout_1")
CALLS = ("open", "authorize", "capture", "void", "refund", "look_up")


def clock() -> datetime:
    return later(100)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    without_pauses(monkeypatch)


@pytest.fixture
def patched(memory: MemoryStore) -> Iterator[pytest.MonkeyPatch]:
    """What is patched with it is restored before the store is."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


LATEST = 25
"""How many of its turns a caller lets pass at most: the workflow has about as many."""


def racers(order_id: OrderId, dice: Random, turns: Turns) -> list[Act]:
    """Everybody who wants something of one order; not all of them every time, and each at some moment of its workflow."""
    amount = Money(dice.choice((1, 333, 1000, 2999, 3000)), "USD")
    status = dice.choice(("shipped", "shipped", "completed", "cancelled"))
    event = FulfillmentEvent(order_id, "box-1", status, later(50), event_id="f-1")
    paid = PaymentReport(order_id, PAYMENT_CONFIRMED, "p-1")
    webhook = PaymentReport(order_id, PAYMENT_CHANGED, "w-1", sender=OTHERS)
    first = {"1": 1}
    everybody: list[Act] = [
        lambda: commands.cancel(order_id, ADA, None, SeenAt(), clock),
        lambda: refunding.request(order_id, WantedRefund("Scratched", amount), GRACE, SeenAt(), clock),
        lambda: refunding.request(order_id, WantedRefund("Late", None), GRACE, SeenAt(), clock),
        lambda: payment_events.take(paid, clock),
        lambda: payment_events.take(paid, clock),
        lambda: payment_events.take(webhook, clock),
        lambda: inbound.take(event, clock),
        lambda: commands.hand_over(order_id, GRACE, commands.parcel(first, None, None, clock), SeenAt(), clock),
        lambda: unwind(order_id, clock),
    ]
    asked = [turns.after(dice.randrange(LATEST), patiently(act)) for act in everybody if dice.random() < 0.5]
    return [lambda: workflow(order_id, clock), *asked]


@pytest.mark.parametrize("mode", ["immediate", "on_shipment"])
def test_what_is_kept_is_what_was_captured_and_not_given_back(
    memory: MemoryStore, patched: pytest.MonkeyPatch, mode: str
) -> None:
    patched.setenv("CAPTURE_MODE", mode)
    dice = Random(f"{mode} 2026-11-22")  # noqa: S311 - chance, not a secret
    turns = Turns(dice)
    for name in ("load", "load_order", "commit"):
        patched.setattr(orders, name, turns.between(getattr(orders, name)))
    for name in ("entry", "open_entry", "replace_entry"):
        patched.setattr(ledgers, name, turns.between(getattr(ledgers, name)))
    for name in CALLS:
        patched.setattr(SimulatedGateway, name, turns.between(getattr(SimulatedGateway, name)))
    for number in range(ORDERS // 2):
        order_id = OrderId(f"order-{number}")
        wish = a_wish(order_id=order_id, payment_token=TOKENS[number % len(TOKENS)])
        memory.commit(placing.place(wish, WAITS, START, by="ada"))
        turns.play(racers(order_id, dice, turns))
        settle(order_id, clock)
        check(memory, order_id)
    ends = {memory.orders[order_id].order.status for order_id in memory.orders}
    assert ends >= {OrderStatus.CANCELLED, OrderStatus.SHIPPED, OrderStatus.DELIVERED}
    assert any(found.payment and found.payment.amount_refunded for found in memory.orders.values())
