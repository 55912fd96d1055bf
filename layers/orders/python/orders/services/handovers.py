"""Hand-overs that were begun by request, and that nobody has got to finish: no execution and no caller is needed for that."""

from orders.adapters.store import orders
from orders.domain import goods
from orders.domain.errors import OrderOver
from orders.domain.order import Snapshot
from orders.domain.steps import PaymentDeclined, ShippingRefused
from orders.services import fulfilling
from orders.services.changes import Clock, utc_now


def is_left(snapshot: Snapshot) -> bool:
    """Whether a hand-over is to be finished, now or after the order's release."""
    return not snapshot.order.is_over and any(one.due_at for one in goods.begun(snapshot))


def finish(snapshot: Snapshot, clock: Clock = utc_now) -> Snapshot:
    """Does what the request would have done: takes the money, books the parcel and records it, or withdraws what is refused.

    Raises:
        CarrierUnavailable, GatewayUnavailable, OutcomeUnknown: to be tried again.
    """
    if not is_left(snapshot) or snapshot.order.hold:
        return snapshot
    try:
        return fulfilling.finish_handovers(snapshot, clock=clock, withdraws=True)
    except (ShippingRefused, PaymentDeclined, OrderOver):
        # Recorded where it was met: the parcel is withdrawn, or what is left of the order cancelled.
        return orders.load(snapshot.order.order_id)
