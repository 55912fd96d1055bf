"""Machines, sweep and books around an order's money, for tests in memory."""

from collections.abc import Callable

from orders.adapters.store import orders
from orders.domain.decisions import unwinding
from orders.domain.errors import OrderError, TransientError
from orders.domain.identifiers import OrderId
from orders.domain.statuses import ENDED, TERMINAL, OrderStatus, OverallStatus, PaymentStatus
from orders.domain.steps import PaymentDeclined, unwound_from
from orders.services import capturing, charging, failing, fulfilling, handovers, refunding
from orders.services.changes import Clock
from tests.harness.memory_store import MemoryStore

Act = Callable[[], object]


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


def unwind(order_id: OrderId, clock: Clock) -> None:
    """The second machine, where it is wanted."""
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


def workflow(order_id: OrderId, clock: Clock) -> None:
    """The first machine up to the hand-over, each step as often as its retries have it."""

    def charged() -> None:
        try:
            charging.charge_payment(order_id, clock=clock, waits=True)
        except PaymentDeclined as refusal:
            failing.begin_unwinding(order_id, PaymentDeclined.__name__, failing.report_of(refusal), clock)

    patiently(lambda: fulfilling.reserve_stock(order_id, clock))()
    patiently(charged)()
    patiently(lambda: handovers.ship_parcel(order_id, None, clock=clock))()


def settle(order_id: OrderId, clock: Clock) -> None:
    """What the follow-ups, the second machine and the sweep still do."""
    for _ in range(4):
        unwind(order_id, clock)
        patiently(lambda: capturing.settle(orders.load(order_id), clock))()
        patiently(lambda: refunding.settle(orders.load(order_id), clock))()


def check(memory: MemoryStore, order_id: OrderId) -> None:
    """What is on record of an order's money is what its provider has in its books."""
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
