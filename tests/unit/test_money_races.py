"""200 orders raced between the workflow, a customer, staff, the provider, the bus and the warehouse: the money adds up.

Who is next is drawn before each call of the table and of the provider: the interleavings are the same in every run.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from random import Random

import pytest

from orders.adapters.payments.simulated import SimulatedGateway
from orders.adapters.store import ledgers, orders
from orders.domain.actors import Actor
from orders.domain.decisions import placing, unwinding
from orders.domain.decisions.refunds import WantedRefund
from orders.domain.errors import OrderError, TransientError
from orders.domain.events import PAYMENT_CHANGED, PAYMENT_CONFIRMED
from orders.domain.fulfillment import FulfillmentEvent
from orders.domain.identifiers import OrderId
from orders.domain.money import Money
from orders.domain.payment_reports import OTHERS, PaymentReport
from orders.domain.statuses import ENDED, TERMINAL, OrderStatus, OverallStatus, PaymentStatus
from orders.domain.steps import PaymentDeclined, unwound_from
from orders.services import capturing, charging, commands, failing, fulfilling, handovers, inbound, payment_events, refunding
from orders.services.changes import SeenAt
from tests.harness.interleaving import Turns
from tests.harness.memory_store import MemoryStore, in_memory
from tests.harness.orders import START, WAITS, a_wish, later, without_pauses

ORDERS = 200
ADA, GRACE = Actor("ada"), Actor("grace", staff=True)
TOKENS = ("tok_ok", "tok_ok", "tok_capture_once", "tok_requires_action", "tok_hold_expires", "tok_timeout_1")
CALLS = ("open", "authorize", "capture", "void", "refund", "look_up")
Act = Callable[[], object]


def clock() -> datetime:
    return later(100)


@pytest.fixture
def memory() -> Iterator[MemoryStore]:
    with pytest.MonkeyPatch.context() as patch:
        without_pauses(patch)
        with in_memory() as made:
            yield made


@pytest.fixture
def patched(memory: MemoryStore) -> Iterator[pytest.MonkeyPatch]:
    """What is patched with it is restored before the store is."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def patiently(act: Act) -> Act:
    """As a queue, a machine or a person does: again while it cannot be done now, and no more once it is refused."""

    def acting() -> None:
        for _ in range(12):
            try:
                act()
            except TransientError:
                continue
            except OrderError:
                return
            return

    return acting


def unwind(order_id: OrderId) -> None:
    steps: dict[str, Act] = {
        "recall_shipment": lambda: handovers.recall_shipment(order_id, clock),
        "refund_payment": lambda: refunding.unwind_payment(order_id, clock),
        "release_stock": lambda: fulfilling.record(order_id, unwinding.release_stock, clock),
        "close_order": lambda: fulfilling.record(order_id, unwinding.close, clock),
    }
    found = orders.load(order_id)
    if found.order.overall is OverallStatus.ROLLING_BACK:
        for task in unwound_from(unwinding.undo_from(found)):
            patiently(steps[task.function])()


def workflow(order_id: OrderId) -> None:
    def charged() -> None:
        try:
            charging.charge_payment(order_id, clock=clock, waits=True)
        except PaymentDeclined as refusal:
            failing.begin_unwinding(order_id, PaymentDeclined.__name__, failing.report_of(refusal), clock)

    patiently(lambda: fulfilling.reserve_stock(order_id, clock))()
    patiently(charged)()
    patiently(lambda: handovers.ship_parcel(order_id, None, clock=clock))()


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
        lambda: unwind(order_id),
    ]
    asked = [turns.after(dice.randrange(LATEST), patiently(act)) for act in everybody if dice.random() < 0.5]
    return [lambda: workflow(order_id), *asked]


def settle(order_id: OrderId) -> None:
    """What the follow-ups, the second machine and the sweep still do."""
    for _ in range(4):
        unwind(order_id)
        patiently(lambda: capturing.settle(orders.load(order_id), clock))()
        patiently(lambda: refunding.settle(orders.load(order_id), clock))()


def check(memory: MemoryStore, order_id: OrderId) -> None:
    found = memory.orders[order_id]
    payment, order = found.payment, found.order
    story = f"{order_id}: {order.status}: {[event.type.value for event in memory.trails[order_id]]}"
    entry = memory.ledger.get(f"GATEWAY#{payment.payment_id}") if payment else None
    if payment is None or entry is None:
        assert payment is None or not payment.amount_captured, story
        return
    facts = entry.facts
    is_taken = entry.state in ("charged", "refunded")
    captured = sum(facts["captures"].values()) if "captures" in facts else facts.get("amount", 0) if is_taken else 0
    refunded = sum(facts.get("refunds", {}).values())
    assert (captured, refunded) == (payment.amount_captured, payment.amount_refunded), story
    assert 0 <= refunded <= captured <= order.total.amount, story
    assert payment.left == captured - refunded, story
    if order.status in TERMINAL:
        assert (captured - refunded, order.overall in ENDED) == (0, True), story
    if order.status in (OrderStatus.SHIPPED, OrderStatus.DELIVERED):
        assert payment.status is not PaymentStatus.AUTHORIZED, story
        assert captured in (0, order.total.amount) or payment.is_captured_later, story


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
        settle(order_id)
        check(memory, order_id)
    ends = {memory.orders[order_id].order.status for order_id in memory.orders}
    assert ends >= {OrderStatus.CANCELLED, OrderStatus.SHIPPED, OrderStatus.DELIVERED}
    assert any(found.payment and found.payment.amount_refunded for found in memory.orders.values())
