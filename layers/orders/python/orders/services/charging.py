"""The money of an order: charged, looked up, voided and refunded at the provider that has the payment.

The intent is committed with the provider's own id of it before the provider is asked to take money, and only the payment of
that id is ever confirmed. A call whose outcome is not known is looked up by that id, however much later.
"""

import hashlib
from dataclasses import replace
from datetime import datetime

from orders import settings
from orders.adapters import cash_book, workflow
from orders.adapters.payments.protocol import Intent
from orders.adapters.payments.registry import brings_customers_back, payment_gateway
from orders.adapters.store import orders
from orders.domain import outcomes
from orders.domain.decisions import paying
from orders.domain.errors import OrderChanged, OutcomeUnknown, PaymentPending, RefundRefused
from orders.domain.events import SYSTEM
from orders.domain.identifiers import OrderId, uuid7
from orders.domain.money import Money
from orders.domain.order import Order, Snapshot
from orders.domain.payment import GatewayOutcome, OpenedPayment, OutcomeKind, Payment
from orders.domain.statuses import UNSETTLED, PaymentMethod, PaymentStatus
from orders.services import task_tokens
from orders.services.changes import Apply, Clock, apply, utc_now
from orders.services.tracking_links import tracking_path


def payment_id_of(order: Order) -> str:
    """The id of an order's payment. It follows from what the order's row says: it is the same on every try."""
    return f"pay-{uuid7(order.created_at, hashlib.sha256(order.order_id.encode()).digest())}"


def intent_of(order: Order, payment: Payment) -> Intent:
    """What the provider is told of a payment."""
    return Intent(
        key=payment.payment_id,
        order_id=order.order_id,
        customer_id=order.customer_id,
        amount=payment.amount,
        method=payment.method,
        capture=not payment.is_captured_later,
        reference=payment.provider_reference,
        token=order.payment_token,
    )


def charge_payment(
    order_id: OrderId,
    by: str = SYSTEM,
    clock: Clock = utc_now,
    change: Apply = apply,
    *,
    waits: bool = False,
) -> Snapshot:
    """Charges the order at most once, accepts that it is paid in cash, or finds that there is nothing to pay.

    A payment that is decided later is returned as it is where the caller ``waits`` for it.

    Raises:
        PaymentDeclined: declined permanently.
        PaymentPending: it is decided later.
        OrderOnHold: nothing is asked for while the order is on hold.
        GatewayUnavailable, OutcomeUnknown: to be tried again.
        OrderOver: the order was cancelled; the unwinding refunds or voids the payment.
    """
    found = orders.load(order_id)
    if found.order.is_settled_unpaid and found.payment is None:
        return change(order_id, lambda snapshot: paying.skip_payment(snapshot, clock(), by), found)
    if found.order.method is PaymentMethod.CASH_ON_DELIVERY:
        cash = payment_id_of(found.order)
        return change(order_id, lambda snapshot: paying.accept_cash(snapshot, cash, clock(), by), found)
    intended = _intended(found, by, clock, change)
    payment = intended.payment
    if payment is None or payment.status not in UNSETTLED:
        return intended
    outcome = _confirmed(intended.order, payment, is_new=found.payment is None)
    after = change(order_id, lambda snapshot: paying.charged(snapshot, outcome, clock(), by), intended)
    if after.payment and after.payment.status in UNSETTLED and not waits:
        raise PaymentPending("The payment is not decided yet: it waits for the customer, or for their bank.")
    return after


def await_payment(order_id: OrderId, token: str, seconds: float, clock: Clock = utc_now, run: int | None = None) -> None:
    """Keeps the token with which the payment's decision wakes the workflow, or returns it if that is already made.

    Raises:
        OrderOver: the order was closed, or a later run than ``run`` processes it.
    """
    snapshot = task_tokens.keep(
        order_id,
        token,
        lambda order: order.confirmation_token,
        lambda now: paying.await_confirmation(now, token, seconds, clock(), run),
        clock,
    )
    if snapshot.payment is None or snapshot.payment.status not in UNSETTLED:
        workflow.answer(token, outcomes.of(snapshot))


def is_awaited(snapshot: Snapshot) -> bool:
    """Whether the order waits for its payment."""
    order, payment = snapshot.order, snapshot.payment
    return order.confirmation_token is not None and not order.is_over and payment is not None and payment.status in UNSETTLED


def look_up_payment(snapshot: Snapshot, clock: Clock = utc_now) -> Snapshot:
    """Asks the provider what has become of a payment that is waited for, and follows that."""
    order, payment = snapshot.order, snapshot.payment
    if payment is None or not is_awaited(snapshot):
        return snapshot
    outcome = payment_gateway(payment.provider).look_up(intent_of(order, payment))
    if outcome.kind is OutcomeKind.UNKNOWN:
        return snapshot
    return apply(order.order_id, lambda found: paying.confirmed(found, outcome, clock()), snapshot)


def payment_for(order: Order, now: datetime) -> Payment:
    """The payment that this deployment's provider is asked for; what is digital is paid at once, as it is delivered at once."""
    is_later, provider = settings.captures_on_shipment() and not order.has_digital, settings.payment_provider()
    return paying.new_payment(order, payment_id_of(order), provider, now, is_captured_later=is_later)


def _intended(found: Snapshot, by: str, clock: Clock, change: Apply) -> Snapshot:
    """The order with the intent of its payment written down, and with it the provider's own id.

    Raises:
        OrderChanged: another release began the payment at the same time; to be tried again.
    """
    order, payment = found.order, found.payment
    paying.check_due(found)
    if payment is not None and (payment.provider_reference or payment.status is not PaymentStatus.PROCESSING):
        return found
    begun = payment or payment_for(order, clock())
    reference = payment_gateway(begun.provider).open(intent_of(order, begun))
    opened = OpenedPayment(begun.payment_id, begun.provider, reference, begun.is_captured_later, begun.amount)
    intended = change(order.order_id, lambda snapshot: paying.start_payment(snapshot, opened, clock(), by), found)
    if intended.payment and intended.payment.provider_reference is None:
        raise OrderChanged("Another payment has been begun in the meantime.")
    return intended


def _confirmed(order: Order, payment: Payment, *, is_new: bool) -> GatewayOutcome:
    """What the provider has decided. A payment that was begun by an earlier call is looked up before it is confirmed."""
    gateway = payment_gateway(payment.provider)
    intent = replace(intent_of(order, payment), return_url=_return_url(order, payment))
    outcome = GatewayOutcome(OutcomeKind.UNKNOWN) if is_new else gateway.look_up(intent)
    if outcome.kind is OutcomeKind.UNKNOWN:
        outcome = gateway.authorize(intent)
    return known(outcome)


def _return_url(order: Order, payment: Payment) -> str | None:
    """Where the customer comes back to, if the provider sends them anywhere."""
    if not brings_customers_back(payment.provider):
        return None
    pages = settings.pages_url()
    return order.return_url or (f"{pages}{tracking_path(order)}" if pages else None)


def known(outcome: GatewayOutcome) -> GatewayOutcome:
    """The outcome, unless it is not known.

    Raises:
        OutcomeUnknown: it has to be looked up.
    """
    if outcome.kind is OutcomeKind.UNKNOWN:
        raise OutcomeUnknown("The payment provider's response was lost.")
    return outcome


def decided(outcome: GatewayOutcome) -> GatewayOutcome:
    """The outcome of a call that ends a payment, once the provider can tell what it came to.

    Raises:
        OutcomeUnknown: not yet; to be tried again.
    """
    if outcome.kind in (OutcomeKind.PENDING, OutcomeKind.ACTION_REQUIRED):
        raise OutcomeUnknown("The payment provider cannot tell yet what was taken.")
    return known(outcome)


def give_back(order: Order, payment: Payment, amount: int) -> None:
    """Has the provider give back what is left of a payment that is not to be kept, once."""
    gateway = payment_gateway(payment.provider)
    given = known(gateway.refund(intent_of(order, payment), f"refund-{payment.payment_id}", amount))
    if given.kind is OutcomeKind.DECLINED:
        raise RefundRefused(given.reason or "The payment provider refused the refund.")


def collect_cash(snapshot: Snapshot) -> None:
    """Records collected cash in our own book; the row was written first, so a repetition is safe."""
    payment = snapshot.payment
    if payment is None or payment.method is not PaymentMethod.CASH_ON_DELIVERY:
        return
    for key, amount in _cash_in_book(payment).items():
        cash_book.collect(key, Money(amount, payment.amount.currency))


def hand_back_cash(payment: Payment, refund_id: str, amount: int) -> None:
    """Records in our own book that so much was handed back, once for each refund: from its lines in their order."""
    left = amount
    for key in _cash_in_book(payment):
        left -= cash_book.give_back(key, refund_id, left)


def _cash_in_book(payment: Payment) -> dict[str, int]:
    """What is in our own book of a payment in cash: a line for each parcel that it was collected with, or one for all."""
    if payment.captures:
        return {f"{payment.payment_id}-{one.capture_id}": one.amount for one in payment.captures}
    return {payment.payment_id: payment.amount_captured} if payment.amount_captured else {}
