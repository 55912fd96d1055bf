"""An order follows the events about its payment, in whatever order they arrive (``docs/behavior.md#payment-events``).

The provider is looked up, with what the event says of it: the event, the sweep and the signed webhook come to the same, and
whichever is first wins. The change carries the event's marker, so that the event is applied once however often it is delivered.
"""

from dataclasses import replace

from orders import logs
from orders.adapters.payments.registry import payment_gateway
from orders.adapters.store import orders
from orders.domain.decisions import paying
from orders.domain.errors import AlreadyApplied
from orders.domain.events import PAYMENTS
from orders.domain.order import Change, Snapshot
from orders.domain.payment import GatewayOutcome, OutcomeKind, Payment
from orders.domain.payment_reports import PaymentReport
from orders.domain.statuses import UNSETTLED, PaymentMethod
from orders.services import charging
from orders.services.changes import Clock, apply, utc_now
from orders.services.inbound import Outcome

logger = logs.logger()

TOO_LATE = "The payment had ended before: what arrived was given back"


class _ClosedMeanwhile(Exception):
    """The order was closed while the provider was asked."""


def take(report: PaymentReport, clock: Clock = utc_now) -> Outcome:
    """Applies or records an event about a payment, once; ``REFUSED`` where what arrived had to be given back.

    Raises:
        NotFound: no such order (yet): to be delivered again.
        TransientError: to be delivered again, an outcome that the provider does not know (yet) too.
    """
    try:
        return _taken(report, clock)
    except AlreadyApplied:
        return Outcome.DUPLICATE


def _taken(report: PaymentReport, clock: Clock) -> Outcome:
    found = orders.load(report.order_id)
    payment = found.payment
    if payment is None:
        return _record(report, "The order has no payment yet", clock)
    if misfit := _misfit(payment, report):
        return _record(report, misfit, clock)
    told = OutcomeKind.SETTLED if report.is_confirmed else OutcomeKind.DECLINED
    outcome = charging.known(payment_gateway(payment.provider).look_up(charging.intent_of(found.order, payment), told))
    if not _is_too_late(found, outcome):
        try:
            return _follow(report, outcome, clock)
        except _ClosedMeanwhile:
            found = orders.load(report.order_id)
    charging.give_back(found.order, payment, outcome.captured - outcome.refunded)
    logger.warning("Gave back money that came after its payment had ended", payment_event=report.event_type)
    _record(report, TOO_LATE, clock)
    return Outcome.REFUSED


def _is_too_late(found: Snapshot, outcome: GatewayOutcome) -> bool:
    """Whether money has come of which nothing is to be kept."""
    payment = found.payment
    if payment is None or outcome.captured <= outcome.refunded:
        return False
    return found.order.is_over if payment.status in UNSETTLED else not payment.amount_captured


def _misfit(payment: Payment, report: PaymentReport) -> str | None:
    """Why an event is not about this payment as it is."""
    if payment.method is PaymentMethod.CASH_ON_DELIVERY:
        return "The order is paid in cash"
    if report.payment_id and report.payment_id not in (payment.payment_id, payment.provider_reference):
        return "It is about another payment"
    if report.is_confirmed and report.amount and report.amount != payment.amount:
        return f"It is about another amount: {report.amount}, not {payment.amount}"
    return None


def _follow(report: PaymentReport, outcome: GatewayOutcome, clock: Clock) -> Outcome:
    """What the provider says, as the order's next change, or the event alone on its trail."""
    is_applied = False
    said = replace(outcome, reason=report.reason or outcome.reason) if outcome.kind is OutcomeKind.DECLINED else outcome

    def step(found: Snapshot) -> Change:
        nonlocal is_applied
        if _is_too_late(found, outcome):
            raise _ClosedMeanwhile
        change = paying.confirmed(found, said, clock(), PAYMENTS)
        is_applied = change is not None
        note = paying.record_report(found, report, clock(), f"The payment is {found.payment and found.payment.status}")
        return replace(change or note, marker=report.marker)

    apply(report.order_id, step)
    return Outcome.APPLIED if is_applied else Outcome.RECORDED


def _record(report: PaymentReport, reason: str, clock: Clock) -> Outcome:
    apply(
        report.order_id,
        lambda found: replace(paying.record_report(found, report, clock(), reason), marker=report.marker),
    )
    return Outcome.RECORDED
