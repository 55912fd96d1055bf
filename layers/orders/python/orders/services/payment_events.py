"""An order follows the events about its payment, in whatever order they arrive (``docs/behavior.md#payment-events``).

The provider is looked up, with what the event says of it: the event, the sweep and the signed webhook come to the same, and
whichever is first wins. The change carries the event's marker, so that the event is applied once however often it is delivered.
"""

from dataclasses import replace

from orders import logs
from orders.adapters.payments.registry import payment_gateway
from orders.adapters.store import orders
from orders.domain.decisions import disputing, paying, refunds
from orders.domain.errors import AlreadyApplied, ConstraintViolated, OrderOver, RefundRefused
from orders.domain.events import PAYMENT_CHANGED, PAYMENT_CONFIRMED, PAYMENT_FAILED, PAYMENTS, REFUND_FAILED
from orders.domain.order import Change, Order, Snapshot
from orders.domain.payment import Dispute, GatewayOutcome, OpenedPayment, OutcomeKind, Payment
from orders.domain.payment_reports import PaymentReport, is_foreign
from orders.domain.statuses import UNSETTLED, PaymentMethod, PaymentStatus, RefundStatus
from orders.metrics import Metric, measuring
from orders.services import charging, refunding
from orders.services.changes import Clock, apply, utc_now
from orders.services.inbound import Outcome

logger = logs.logger()

TOO_LATE = "The payment had ended before: what arrived was given back"
KEPT = "The payment had ended before, and its provider did not give back what arrived"


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
    found = _begun(orders.load(report.order_id), report, clock)
    payment = found.payment
    if payment is None:
        return _record(report, "The order has no payment yet", clock)
    if misfit := _misfit(payment, report):
        return _record(report, misfit, clock)
    if report.dispute:
        return _dispute(report, report.dispute, clock)
    if report.event_type == REFUND_FAILED:
        return _refund_failed(found, report, clock)
    outcome = charging.known(_asked(found.order, payment, report))
    if report.event_type == PAYMENT_CHANGED and found.refunds:
        refunding.settle(found, clock)
    if not _is_too_late(found, outcome, report):
        try:
            return _follow(report, outcome, clock)
        except _ClosedMeanwhile:
            found = orders.load(report.order_id)
    _record(report, _returned(found.order, _reported(payment, report), outcome), clock)
    return Outcome.REFUSED


def _returned(order: Order, payment: Payment, outcome: GatewayOutcome) -> str:
    """Gives money back that came after the end; returns what came of that. Where the provider refuses, people have to."""
    try:
        charging.give_back(order, payment, outcome.captured - outcome.refunded)
    except RefundRefused as refusal:
        logger.warning("Could not give back money that came after its payment had ended", refusal=type(refusal).__name__)
        return f"{KEPT}: {refusal.detail}"
    logger.warning("Gave back money that came after its payment had ended")
    return TOO_LATE


def _refund_failed(found: Snapshot, report: PaymentReport, clock: Clock) -> Outcome:
    """The provider could not give money back that it had taken to be given back."""
    refund = next((one for one in found.refunds if one.key == report.refund_key), None)
    if refund is None or refund.status is RefundStatus.FAILED:
        return _record(report, "The refund is another's, or on record as failed", clock)
    refunding.report_failure(report.order_id, refund.refund_id, report.reason or refunding.REFUSED, clock)
    return _record(report, "The refund has failed", clock)


def _begun(found: Snapshot, report: PaymentReport, clock: Clock) -> Snapshot:
    """The order with the payment that its provider knows already: the webhook came before the intent's id was kept."""
    order = found.order
    if found.payment or report.sender is None or report.reference is None:
        return found
    begun = charging.payment_for(order, clock())
    if report.payment_id != begun.payment_id or is_foreign(begun, report.sender):
        return found
    if order.is_over:
        return replace(found, payment=replace(begun, provider_reference=report.reference))
    opened = OpenedPayment(begun.payment_id, begun.provider, report.reference, begun.is_captured_later)
    try:
        return apply(order.order_id, lambda now: paying.start_payment(now, opened, clock(), PAYMENTS), found)
    except OrderOver:
        return _begun(orders.load(order.order_id), report, clock)
    except ConstraintViolated:
        # Its review is not answered: nobody has asked for the money.
        return found


def _reported(payment: Payment, report: PaymentReport) -> Payment:
    """The payment by the id that the provider reports it under: an intent that is not ours may name our payment."""
    return replace(payment, provider_reference=report.reference) if report.reference else payment


def _is_of_another_intent(payment: Payment, report: PaymentReport) -> bool:
    return report.reference not in (None, payment.provider_reference)


def _asked(order: Order, payment: Payment, report: PaymentReport) -> GatewayOutcome:
    """What the provider says; one that cannot be asked believes what is reported."""
    told = {PAYMENT_CONFIRMED: OutcomeKind.SETTLED, PAYMENT_FAILED: OutcomeKind.DECLINED}.get(report.event_type)
    return payment_gateway(payment.provider).look_up(charging.intent_of(order, _reported(payment, report)), told)


def _dispute(report: PaymentReport, said: Dispute, clock: Clock) -> Outcome:
    is_new = False

    def step(found: Snapshot) -> Change:
        nonlocal is_new
        change = disputing.follow(found, said, clock())
        is_new = change is not None and said.is_open
        note = paying.record_report(found, report, clock(), "The dispute is on record")
        return replace(change or note, marker=report.marker)

    apply(report.order_id, step)
    if is_new:
        logger.warning("A payment is disputed", dispute_id=said.dispute_id)
        with measuring() as measured:
            measured.add_metric(Metric.DISPUTES_OPENED, "Count", 1)
    return Outcome.RECORDED


def _is_too_late(found: Snapshot, outcome: GatewayOutcome, report: PaymentReport) -> bool:
    """Whether money has come of which nothing is to be kept: too late, or by an intent beside the one that was paid."""
    payment = found.payment
    if payment is None or outcome.captured <= outcome.refunded or payment.status is PaymentStatus.AUTHORIZED:
        # What is captured of money that is held is recorded by who asked for it, or given back by the unwinding.
        return False
    if _is_of_another_intent(payment, report) and payment.status not in UNSETTLED:
        return True
    return found.order.is_over if payment.status in UNSETTLED else not payment.amount_captured


def _misfit(payment: Payment, report: PaymentReport) -> str | None:
    """Why an event is not about this payment as it is."""
    if payment.method is PaymentMethod.CASH_ON_DELIVERY:
        return "The order is paid in cash"
    if not payment.amount.amount:
        return "There is nothing to pay"
    if is_foreign(payment, report.sender):
        return f"Reported by {report.sender}, which does not have this payment"
    is_named = report.payment_id in (None, "", payment.payment_id, payment.provider_reference)
    if not is_named or (_is_of_another_intent(payment, report) and report.payment_id != payment.payment_id):
        return "It is about another payment"
    if report.is_confirmed and report.amount and report.amount != payment.amount:
        return f"It is about another amount: {report.amount}, not {payment.amount}"
    return None


def _by_its_intent(found: Snapshot, report: PaymentReport, outcome: GatewayOutcome) -> Snapshot:
    """The order with its payment under the id of the intent by which it was paid."""
    if outcome.kind is not OutcomeKind.SETTLED or found.payment is None:
        return found
    return replace(found, payment=_reported(found.payment, report))


def _follow(report: PaymentReport, outcome: GatewayOutcome, clock: Clock) -> Outcome:
    """What the provider says, as the order's next change, or the event alone on its trail."""
    is_applied = False
    said = replace(outcome, reason=report.reason or outcome.reason) if outcome.kind is OutcomeKind.DECLINED else outcome

    def step(found: Snapshot) -> Change:
        nonlocal is_applied
        if _is_too_late(found, outcome, report):
            raise _ClosedMeanwhile
        change = paying.confirmed(_by_its_intent(found, report, outcome), said, clock(), PAYMENTS)
        change = change or _refunded_elsewhere(found, report, outcome, clock)
        is_applied = change is not None
        note = paying.record_report(found, report, clock(), f"The payment is {found.payment and found.payment.status}")
        return replace(change or note, marker=report.marker)

    apply(report.order_id, step)
    return Outcome.APPLIED if is_applied else Outcome.RECORDED


def _refunded_elsewhere(found: Snapshot, report: PaymentReport, outcome: GatewayOutcome, clock: Clock) -> Change | None:
    if found.payment is None or report.event_type != PAYMENT_CHANGED or _is_of_another_intent(found.payment, report):
        return None
    return refunds.made_elsewhere(found, refunding.new_id(clock), outcome.refunded, clock())


def _record(report: PaymentReport, reason: str, clock: Clock) -> Outcome:
    apply(
        report.order_id,
        lambda found: replace(paying.record_report(found, report, clock(), reason), marker=report.marker),
    )
    return Outcome.RECORDED
