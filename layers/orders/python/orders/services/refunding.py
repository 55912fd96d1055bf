"""Giving money back, once: written down, asked of the provider under the refund's own key, and settled.

Whoever wrote a refund down asks for it at once. One that is left pending is in the index of what is due: the sweep asks for it
under the same key. Cash is handed out by people, who say so.
"""

import os

from orders import logs
from orders.adapters.payments.registry import payment_gateway
from orders.adapters.store import orders
from orders.domain.actors import Actor
from orders.domain.decisions import refunds
from orders.domain.decisions.paying import payment_of
from orders.domain.decisions.refunds import WantedRefund
from orders.domain.errors import TransientError
from orders.domain.events import PAYMENTS
from orders.domain.identifiers import OrderId, uuid7
from orders.domain.order import Order, Snapshot
from orders.domain.payment import OutcomeKind, Payment
from orders.domain.refund import Refund
from orders.domain.statuses import TAKEN, VOIDABLE
from orders.services import charging
from orders.services.changes import Apply, Clock, apply, utc_now

logger = logs.logger()

REFUSED = "The payment provider refused the refund."


def new_id(clock: Clock) -> str:
    """The id of a new refund; they sort by time."""
    return f"ref-{uuid7(clock(), os.urandom(10))}"


def request(order_id: OrderId, wanted: WantedRefund, actor: Actor, seen: Apply, clock: Clock = utc_now) -> Snapshot:
    """Gives money back, as far as the provider does that at once.

    Raises:
        ConstraintViolated: so much was not captured, or is not left.
    """
    refund_id = new_id(clock)
    return tried(seen(order_id, lambda now: refunds.request(now, refund_id, wanted, clock(), actor.by)), clock)


def retry(order_id: OrderId, refund_id: str, actor: Actor, seen: Apply, clock: Clock = utc_now) -> Snapshot:
    """Asks again for a refund that the provider has refused."""
    return tried(seen(order_id, lambda now: refunds.retry(now, refund_id, clock(), actor.by)), clock)


def hand_out(order_id: OrderId, refund_id: str, actor: Actor, seen: Apply, clock: Clock = utc_now) -> Snapshot:
    """Cash was handed out to the customer: entered in our own book of it, and settled."""
    snapshot = orders.load(order_id)
    refunds.hand_out(snapshot, refund_id, clock(), actor.by)
    charging.collect_cash(snapshot)
    payment, refund = payment_of(snapshot), refunds.found(snapshot, refund_id)
    charging.hand_back_cash(payment, refund.key, refund.amount.amount)
    return seen(order_id, lambda now: refunds.hand_out(now, refund_id, clock(), actor.by))


def tried(snapshot: Snapshot, clock: Clock = utc_now) -> Snapshot:
    """The order once its provider was asked for what is pending; what it cannot take now is left to the sweep."""
    try:
        return settle(snapshot, clock)
    except TransientError as fault:
        logger.warning("A refund is left to the sweep", fault=type(fault).__name__)
        return orders.load(snapshot.order.order_id)


def settle(snapshot: Snapshot, clock: Clock = utc_now) -> Snapshot:
    """The order once its provider has said what became of each refund that is pending there.

    Raises:
        GatewayUnavailable, OutcomeUnknown: to be tried again.
    """
    for refund in snapshot.refunds:
        if refund.due_at:
            snapshot = _settled(snapshot, refund, clock)
    return snapshot


def _settled(snapshot: Snapshot, refund: Refund, clock: Clock) -> Snapshot:
    order, payment = snapshot.order, payment_of(snapshot)
    intent = charging.intent_of(order, payment)
    outcome = charging.known(payment_gateway(payment.provider).refund(intent, refund.key, refund.amount.amount))
    if outcome.kind is OutcomeKind.DECLINED:
        reason = outcome.reason or REFUSED
        after = apply(order.order_id, lambda now: refunds.fail(now, refund.refund_id, reason, clock()), snapshot)
        _count_failure(refund)
        return after
    if outcome.kind is OutcomeKind.SETTLED:
        return apply(order.order_id, lambda now: refunds.complete(now, refund.refund_id, clock()), snapshot)
    return snapshot


def unwind_payment(order_id: OrderId, clock: Clock = utc_now) -> Snapshot:
    """Gives back what was taken of an order that is unwound, and makes sure that no more is taken.

    Raises:
        GatewayUnavailable, OutcomeUnknown: to be tried again.
    """
    snapshot = settle(orders.load(order_id), clock)
    payment = snapshot.payment
    if payment is None or payment.status not in VOIDABLE | TAKEN:
        return snapshot
    captured = payment.amount_captured if payment.status in TAKEN else _voided(snapshot.order, payment)
    charging.collect_cash(snapshot)
    begun = apply(order_id, lambda now: refunds.unwind(now, captured=captured, now=clock()), snapshot)
    return apply(order_id, lambda now: refunds.arrange(now, clock()), settle(begun, clock))


def _voided(order: Order, payment: Payment) -> int:
    """What had been captured of a payment before it was made sure that no more is."""
    return charging.decided(payment_gateway(payment.provider).void(charging.intent_of(order, payment))).captured


def report_failure(order_id: OrderId, refund_id: str, reason: str, clock: Clock = utc_now) -> Snapshot:
    """The provider says, perhaps days later, that it could not give the money back."""
    after = apply(order_id, lambda now: refunds.fail(now, refund_id, reason, clock(), PAYMENTS))
    _count_failure(refunds.found(after, refund_id))
    return after


def _count_failure(refund: Refund) -> None:
    # Only a refund that failed pays for loading it.
    from orders.metrics import Metric, measuring  # noqa: PLC0415

    logger.warning("A refund failed", refund_id=refund.refund_id)
    with measuring() as measured:
        measured.add_metric(Metric.REFUNDS_FAILED, "Count", 1)
