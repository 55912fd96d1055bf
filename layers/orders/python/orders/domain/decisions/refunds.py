"""Giving money back: asked for by staff, or because of what was cancelled or came back; and what the provider says of it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from orders.domain import outcomes, recording, returns
from orders.domain.decisions.paying import payment_of
from orders.domain.errors import ConstraintViolated, InvalidArgument, NotFound
from orders.domain.events import PAYMENTS, SYSTEM, EventType
from orders.domain.money import Money
from orders.domain.order import Change, Order, Snapshot
from orders.domain.parcels import Shipment
from orders.domain.payment import Payment
from orders.domain.personal import Personal, guarded
from orders.domain.refund import Refund, RefundedLine, is_arranged, left, of_unwinding, pieces, total, with_changed
from orders.domain.shares import Pieces
from orders.domain.statuses import TAKEN, VOIDABLE, PaymentMethod, PaymentStatus, RefundStatus, StepStatus
from orders.domain.steps import StepName
from orders.domain.waits import GRACE


@guarded
@dataclass(frozen=True, slots=True)
class WantedRefund:
    """What staff want to give back: an amount, what pieces are worth, or all that is left."""

    reason: Personal
    amount: Money | None = None
    items: tuple[RefundedLine, ...] = ()


def request(snapshot: Snapshot, refund_id: str, wanted: WantedRefund, now: datetime, by: str) -> Change:
    """Writes down that money is to be given back, before the provider is asked for it.

    Raises:
        InvalidArgument: another currency, or a line that the order does not have.
        ConstraintViolated: so much was not captured, or is not left, or the payment is disputed.
    """
    payment = _undisputed(snapshot)
    amount = _worth(snapshot.order, wanted, snapshot.refunds) if wanted.items else _amount(wanted, snapshot)
    most = left(payment, snapshot.refunds)
    if not 0 < amount <= most:
        currency = payment.amount.currency
        said = (
            f"{Money(most, currency)} can be refunded, not {Money(amount, currency)}."
            if most
            else "Nothing is left to be refunded."
        )
        raise ConstraintViolated(said, refundable={"amount": most, "currency": currency})
    refund = _new(refund_id, payment, amount, wanted.reason, now, by, wanted.items)
    return _started(snapshot, payment, refund, now, by)


def _undisputed(snapshot: Snapshot) -> Payment:
    payment = payment_of(snapshot)
    if payment.has_open_dispute:
        raise ConstraintViolated("The customer's bank decides about this payment: it is disputed.", payment=payment.status)
    return payment


def _amount(wanted: WantedRefund, snapshot: Snapshot) -> int:
    payment = payment_of(snapshot)
    if wanted.amount is None:
        return left(payment, snapshot.refunds)
    if wanted.amount.currency != payment.amount.currency:
        raise InvalidArgument.of("amount.currency", f"must be {payment.amount.currency}, as the payment's is")
    return wanted.amount.amount


def _worth(order: Order, wanted: WantedRefund, refunds: Iterable[Refund]) -> int:
    """What the pieces are worth that staff give money back for: not the delivery, as they do not come back."""
    lines, before = order.lines_by_id, pieces(refunds)
    counted: dict[str, int] = {}
    for place, item in enumerate(wanted.items):
        if item.line_id not in lines:
            raise InvalidArgument.of(f"items.{place}.line_id", "is no line of the order")
        counted[item.line_id] = counted.get(item.line_id, 0) + item.quantity
        free = lines[item.line_id].quantity - before.get(item.line_id, 0)
        if counted[item.line_id] > free:
            raise ConstraintViolated(
                f"Of line {item.line_id} {free} pieces are not refunded yet.", line_id=item.line_id, left=free
            )
    return order.shares.of_goods(counted, before)


def for_pieces(
    snapshot: Snapshot,
    after: Order,
    given_up: Pieces,
    refund_id: str,
    reason: str | None,
    now: datetime,
    parcel: Shipment | None = None,
) -> Refund | None:
    """The refund for pieces that are cancelled or came back, as a part of the change that makes the order ``after``.

    It is no more than what was taken for them, and than what is left; ``None`` where that is nothing. What the delivery cost
    is given back with the last pieces, where nothing of the order is kept. ``parcel`` is the one that came back with them.
    """
    payment = snapshot.payment
    if payment is None or not any(given_up.values()):
        return None
    kept = {line_id: line.wanted - line.quantity_returned for line_id, line in after.lines_by_id.items()}
    shares = after.shares
    keeps_something = any(kept.values())
    worth = shares.of_goods(given_up, _given_up_before(snapshot)) + (0 if keeps_something else shares.shipping)
    taken_for_them = payment.amount_captured - (shares.to_take(kept) if keeps_something else 0)
    if payment.status not in TAKEN:
        # It is taken parcel by parcel, and more of it is still to come.
        taken_for_them = payment.taken_for(parcel.shipment_id) if parcel else 0
    amount = min(worth, taken_for_them, left(payment, snapshot.refunds))
    if amount <= 0:
        return None
    items = tuple(RefundedLine(line_id, count) for line_id, count in given_up.items() if count)
    return _new(refund_id, payment, amount, reason, now, SYSTEM, items)


def _given_up_before(snapshot: Snapshot) -> Pieces:
    """The pieces that no longer count: cancelled, perhaps before they were paid for; come back; or refunded."""
    refunded = pieces(snapshot.refunds)
    return {
        line_id: max(refunded.get(line_id, 0), line.quantity_cancelled + line.quantity_returned)
        for line_id, line in snapshot.order.lines_by_id.items()
    }


def retry(snapshot: Snapshot, refund_id: str, now: datetime, by: str) -> Change:
    """Asks again for what the provider has refused.

    Raises:
        NotFound: no such refund.
        ConstraintViolated: it has not failed, so much is not left any more, or the payment is disputed.
    """
    refund, payment = found(snapshot, refund_id), _undisputed(snapshot)
    retried = refund.retried(_due(payment, now))
    if refund.amount.amount > left(payment, snapshot.refunds):
        raise ConstraintViolated("So much is not left to be refunded.", refund=refund.status)
    return recording.change(snapshot.order, snapshot.order, EventType.REFUND_RETRIED, now, by, refunds=(retried,))


def hand_out(snapshot: Snapshot, refund_id: str, now: datetime, by: str) -> Change:
    """Cash was handed out to the customer.

    Raises:
        NotFound: no such refund.
        ConstraintViolated: it is not pending, or not in cash.
    """
    refund, payment = found(snapshot, refund_id), payment_of(snapshot)
    if payment.method is not PaymentMethod.CASH_ON_DELIVERY:
        raise ConstraintViolated("Only cash is handed out: this refund is the provider's.", refund=refund.status)
    return _settled(snapshot, refund.completed(now), EventType.PAYMENT_REFUNDED, now, by)


def complete(snapshot: Snapshot, refund_id: str, now: datetime) -> Change | None:
    """The provider has given the money back; ``None`` when that is on record."""
    refund = found(snapshot, refund_id)
    if refund.status is not RefundStatus.PENDING:
        return None
    return _settled(snapshot, refund.completed(now), EventType.PAYMENT_REFUNDED, now, SYSTEM)


def fail(snapshot: Snapshot, refund_id: str, reason: str, now: datetime, by: str = SYSTEM) -> Change | None:
    """The provider has refused, or says late that it could not; ``None`` when that is on record."""
    refund = found(snapshot, refund_id)
    if refund.status is RefundStatus.FAILED:
        return None
    return _settled(snapshot, refund.failed(reason), EventType.REFUND_FAILED, now, by)


ELSEWHERE = "Refunded at the payment provider"


def made_elsewhere(snapshot: Snapshot, refund_id: str, refunded: int, now: datetime) -> Change | None:
    """The provider has given back more than it was asked for here, as people do on its own pages; ``None`` if it has not."""
    payment = snapshot.payment
    if payment is None or payment.status not in TAKEN:
        return None
    more = refunded - payment.amount_refunded - total(snapshot.refunds, RefundStatus.PENDING)
    if more <= 0:
        return None
    refund = replace(_new(refund_id, payment, more, ELSEWHERE, now, PAYMENTS), due_at=None)
    known = replace(snapshot, refunds=(*snapshot.refunds, refund))
    return _settled(known, refund.completed(now), EventType.PAYMENT_REFUNDED, now, PAYMENTS)


def unwind(snapshot: Snapshot, *, captured: int, now: datetime) -> Change | None:
    """All that was captured is to be given back, or the provider has voided a payment of which nothing was.

    ``None`` where that is arranged: begun, left to people who hand cash out, or refused by the provider.
    """
    order, payment = snapshot.order, snapshot.payment
    if payment is None or payment.status not in VOIDABLE | TAKEN:
        return None
    if payment.status in VOIDABLE and not captured:
        voided = payment.voided("Voided before it was charged")
        step = StepStatus.COMPENSATED if payment.status is PaymentStatus.AUTHORIZED else StepStatus.SKIPPED
        return recording.change(order, _undone(order, step, now), EventType.PAYMENT_VOIDED, now, payment=voided)
    # An unknown outcome may turn out to have been a charge: it is completed before it is given back.
    known = payment if payment.status in TAKEN else payment.completed(captured)
    owed = left(known, snapshot.refunds)
    if is_arranged(known, snapshot.refunds) or not owed:
        return _released(snapshot, known, now)
    why = outcomes.why_not_fulfilled(order)["cause"]
    refund = _new(of_unwinding(known), known, owed, why, now, SYSTEM)
    return _started(snapshot, known, refund, now, SYSTEM)


def _released(snapshot: Snapshot, known: Payment, now: datetime) -> Change | None:
    """Nothing more is taken of a payment of which all that was is given back already; ``None`` when that is on record."""
    if known == snapshot.payment:
        return None
    after = _undone_if_arranged(snapshot.order, known, snapshot.refunds, now)
    return recording.change(snapshot.order, after, EventType.AUTHORIZATION_RELEASED, now, payment=known)


def arrange(snapshot: Snapshot, now: datetime) -> Change | None:
    """Notes that nothing is left to be arranged for the money of an order that is unwound; ``None`` when that is on record."""
    order, payment = snapshot.order, snapshot.payment
    if payment is None or not is_arranged(payment, snapshot.refunds):
        return None
    after = _undone(order, StepStatus.COMPENSATED, now)
    return None if after == order else recording.change(order, after, EventType.PAYMENT_REFUNDED, now, payment=payment)


def found(snapshot: Snapshot, refund_id: str) -> Refund:
    """The refund of that id; raises ``NotFound`` where there is none."""
    for refund in snapshot.refunds:
        if refund.refund_id == refund_id:
            return refund
    raise NotFound("The order has no such refund.")


def _new(
    refund_id: str,
    payment: Payment,
    amount: int,
    reason: str | None,
    now: datetime,
    by: str,
    items: tuple[RefundedLine, ...] = (),
) -> Refund:
    money = Money(amount, payment.amount.currency)
    return Refund(refund_id, RefundStatus.PENDING, money, now, by, reason, items, due_at=_due(payment, now))


def _due(payment: Payment, now: datetime) -> datetime | None:
    """When the sweep asks the provider for a refund that nobody has got to ask for; no one asks for cash."""
    return None if payment.method is PaymentMethod.CASH_ON_DELIVERY else now + GRACE


def _started(snapshot: Snapshot, payment: Payment, refund: Refund, now: datetime, by: str) -> Change:
    order = snapshot.order
    after = order if refund.due_at else _undone_if_arranged(order, payment, (*snapshot.refunds, refund), now)
    changed = payment if payment != snapshot.payment else None
    reason = refund.reason
    return recording.change(order, after, EventType.REFUND_STARTED, now, by, reason=reason, payment=changed, refunds=(refund,))


def _settled(snapshot: Snapshot, refund: Refund, kind: EventType, now: datetime, by: str) -> Change:
    """A refund that is decided, with what that makes of the payment."""
    refunds = with_changed(snapshot.refunds, (refund,))
    before, payment = found(snapshot, refund.refund_id), payment_of(snapshot)
    given_back = total(refunds, RefundStatus.COMPLETED)
    if before.status is RefundStatus.COMPLETED:
        payment = payment.refunded(payment.amount_refunded - refund.amount.amount, now)
    elif refund.status is RefundStatus.COMPLETED:
        # An earlier release gives money back without an item of its own for that.
        payment = payment.refunded(max(payment.amount_refunded, given_back), now)
    after = _undone_if_arranged(snapshot.order, payment, refunds, now)
    ended = returns.closed(snapshot.returns, payment, refunds, now)
    why, changed = refund.failure_reason, (refund,)
    return recording.change(snapshot.order, after, kind, now, by, reason=why, payment=payment, refunds=changed, returns=ended)


def _undone_if_arranged(order: Order, payment: Payment, refunds: tuple[Refund, ...], now: datetime) -> Order:
    return _undone(order, StepStatus.COMPENSATED, now) if is_arranged(payment, refunds) else order


def _undone(order: Order, status: StepStatus, now: datetime) -> Order:
    """The order with its payment step undone, where that is under way."""
    if order.step(StepName.PAYMENT).status is not StepStatus.COMPENSATING:
        return order
    return order.with_step(StepName.PAYMENT, status, now)
