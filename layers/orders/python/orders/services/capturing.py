"""Captures of money that is held: each is written down first, asked for under its own key, and looked up if it is unknown."""

from orders import settings
from orders.adapters.payments.registry import payment_gateway
from orders.domain.decisions import capturing, holding, paying, shipping
from orders.domain.order import Snapshot
from orders.domain.parcels import Shipment
from orders.domain.payment import Capture, GatewayOutcome, OutcomeKind, Payment
from orders.domain.steps import PaymentDeclined
from orders.services import charging
from orders.services.changes import Apply, Clock, apply, utc_now


def take(snapshot: Snapshot, shipment: Shipment, clock: Clock = utc_now, change: Apply = apply) -> Snapshot:
    """Takes the money for a parcel whose hand-over has begun, after that for all before it.

    Raises:
        PaymentDeclined: the provider does not give it.
        GatewayUnavailable, OutcomeUnknown: to be tried again.
    """
    if not capturing.is_held(snapshot.payment):
        return snapshot
    before = capture(settle(snapshot, clock), clock, change)
    begun = change(before.order.order_id, lambda now: capturing.begin_for(now, shipment, clock()), before)
    return capture(begun, clock, change)


def capture(snapshot: Snapshot, clock: Clock = utc_now, change: Apply = apply) -> Snapshot:
    """Takes the money whose capture is written down; nothing where there is none.

    Raises:
        PaymentDeclined: the provider does not give it.
        GatewayUnavailable, OutcomeUnknown: to be tried again.
    """
    payment = snapshot.payment
    pending = payment.pending_capture if payment and capturing.is_held(payment) else None
    if payment is None or pending is None:
        return snapshot
    outcome = _asked(snapshot, payment, pending)
    if outcome.kind is not OutcomeKind.SETTLED:
        raise PaymentDeclined(outcome.reason or capturing.NO_LONGER_HELD)
    transit, key = settings.waits().delivery, pending.capture_id
    return change(snapshot.order.order_id, lambda now: capturing.captured(now, key, outcome, transit, clock()), snapshot)


def _asked(snapshot: Snapshot, payment: Payment, pending: Capture) -> GatewayOutcome:
    """What the provider says of a capture: it is looked up before it is made, as an earlier call may have made it."""
    gateway, intent = payment_gateway(payment.provider), charging.intent_of(snapshot.order, payment)
    found = charging.known(gateway.look_up(intent))
    if found.captured >= payment.amount_captured + pending.amount:
        return found
    return charging.known(gateway.capture(intent, pending.capture_id, pending.amount))


def settle(snapshot: Snapshot, clock: Clock = utc_now) -> Snapshot:
    """Takes the money for what has been handed over, and releases what is held beyond that.

    It is what is left to do after others have handed a parcel over, or a hand-over was interrupted. A refusal is recorded and
    counted: the parcel is on its way.

    Raises:
        GatewayUnavailable, OutcomeUnknown: to be tried again.
    """
    while capturing.is_due(snapshot):
        after = _settled(snapshot, clock)
        if after.order.version == snapshot.order.version:
            break
        snapshot = after
    return snapshot


def _settled(snapshot: Snapshot, clock: Clock) -> Snapshot:
    order_id, payment = snapshot.order.order_id, snapshot.payment
    if payment is None or payment.pending_capture:
        return _taken(snapshot, clock)
    begun = apply(order_id, lambda now: capturing.begin(now, clock()), snapshot)
    if begun.payment is None or begun.payment.pending_capture:
        return _taken(begun, clock)
    if not capturing.is_held(begun.payment) or not capturing.is_all_handed_over(begun.order):
        return begun
    outcome = charging.known(payment_gateway(payment.provider).void(charging.intent_of(begun.order, begun.payment)))
    transit = settings.waits().delivery
    return apply(order_id, lambda now: capturing.released(now, outcome, transit, clock()), begun)


def _taken(snapshot: Snapshot, clock: Clock) -> Snapshot:
    try:
        return capture(snapshot, clock)
    except PaymentDeclined as refusal:
        message = refusal.detail
    pending = snapshot.payment.pending_capture if snapshot.payment else None
    if pending is None:
        return snapshot
    transit, key = settings.waits().delivery, pending.capture_id
    after = apply(snapshot.order.order_id, lambda now: capturing.refused(now, key, message, transit, clock()), snapshot)
    _count("CAPTURES_REFUSED")
    return after


def keep(snapshot: Snapshot, clock: Clock = utc_now) -> Snapshot:
    """Renews a hold of money that ends within a day; where the provider cannot, its order is put on hold, for people to decide.

    Where the money is held no longer the order ends, unless parcels are on their way.

    Raises:
        GatewayUnavailable, OutcomeUnknown: to be tried again.
    """
    payment, order_id = snapshot.payment, snapshot.order.order_id
    if payment is None or not capturing.ends_soon(snapshot, clock()):
        return snapshot
    gateway, intent = payment_gateway(payment.provider), charging.intent_of(snapshot.order, payment)
    outcome = charging.known(gateway.renew(intent))
    if outcome.kind is OutcomeKind.SETTLED:
        late = settings.warehouse_overdue() if shipping.awaits_warehouse(snapshot.order) else 0
        return apply(order_id, lambda now: capturing.renewed(now, outcome, clock(), late_after=late), snapshot)
    if payment.authorization_expires_at and payment.authorization_expires_at <= clock():
        found = charging.known(gateway.look_up(intent))
        if found.expires_at is None:
            return apply(order_id, lambda now: paying.hold_ran_out(now, clock()), snapshot)
    after = apply(order_id, lambda now: holding.hold_before_expiry(now, clock()), snapshot)
    if after.order.version != snapshot.order.version:
        _count("HOLDS_ENDED")
    return after


def _count(name: str) -> None:
    # Only what goes wrong pays for loading it: a step that goes through has no metrics.
    from orders.metrics import Metric, measuring  # noqa: PLC0415

    with measuring() as measured:
        measured.add_metric(Metric[name], "Count", 1)
