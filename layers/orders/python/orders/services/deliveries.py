"""The delivery of parcels: by the timer, by the carrier, or by hand, and the cash that is collected with it."""

from collections.abc import Mapping
from typing import Any

from orders import settings
from orders.adapters import workflow
from orders.adapters.store import orders
from orders.domain import goods
from orders.domain.decisions import delivering
from orders.domain.errors import DeliveryPending, OrderOver
from orders.domain.events import SYSTEM
from orders.domain.identifiers import OrderId
from orders.domain.order import Change, Snapshot
from orders.domain.parcels import Shipment
from orders.domain.scans import is_undecided
from orders.domain.statuses import TERMINAL, OrderStatus, has_reached
from orders.services import charging, handovers
from orders.services.changes import Apply, Clock, apply, utc_now


def is_delivered(snapshot: Snapshot) -> bool:
    """Whether the delivery is already recorded."""
    return has_reached(snapshot.order.status, OrderStatus.DELIVERED)


def end_transit(task_token: str, result: Mapping[str, Any]) -> None:
    """Returns the task token of the workflow that waits for the delivery, which then continues."""
    workflow.answer(task_token, result)


def deliver(order_id: OrderId, clock: Clock = utc_now) -> Snapshot:
    """The transit is over: delivered, by the timer where one delivers.

    Raises:
        DeliveryPending: it is not, as only the carrier, or people, can say what becomes of a parcel.
    """
    snapshot = orders.load(order_id)
    if not has_reached(snapshot.order.status, OrderStatus.SHIPPED):
        # The transit timer ran while the hand-over was still being tried: it has to come first.
        snapshot = handovers.ship_parcel(order_id, None, clock=clock)
    if settings.delivery_is_timed() or is_delivered(snapshot) or snapshot.order.is_digital:
        # Repeated even if recorded: the earlier caller may have stopped before it recorded the cash.
        snapshot = record_delivery(order_id, SYSTEM, clock=clock, known=snapshot)
    if not is_delivered(snapshot):
        raise DeliveryPending("Only its carrier, or people, can say what becomes of the parcel.")
    return snapshot


def record_delivery(
    order_id: OrderId,
    by: str,
    reason: str | None = None,
    clock: Clock = utc_now,
    change: Apply = apply,
    known: Snapshot | None = None,
) -> Snapshot:
    """The customer has every parcel under way; cash agreed on is collected with each, once. ``known`` spares the first read."""

    def delivered(snapshot: Snapshot) -> Change | None:
        if snapshot.order.status in TERMINAL and by == SYSTEM:
            raise OrderOver(f"The order is {snapshot.order.status}.")
        waiting, ready = goods.under_way(snapshot), _deliverable(snapshot, by)
        if waiting and not ready:
            # No timer says that a parcel was delivered which is lost, or on its way back.
            return None
        return delivering.deliver(snapshot, clock(), by, reason, number=ready[0].number if ready else None)

    after = change(order_id, delivered, known)
    while _deliverable(after, by) and not after.order.is_over:
        after = change(order_id, delivered, after)
    charging.collect_cash(after)
    return after


def _deliverable(snapshot: Snapshot, by: str) -> list[Shipment]:
    """The parcels under way that the caller may deliver: the timer none that is lost, or on its way back."""
    return [one for one in goods.under_way(snapshot) if by != SYSTEM or not is_undecided(one)]


def record_parcel_delivery(
    order_id: OrderId, number: int, by: str, reason: str | None = None, clock: Clock = utc_now, change: Apply = apply
) -> Snapshot:
    """The customer has one of the parcels; cash agreed on is collected with it."""
    after = change(order_id, lambda snapshot: delivering.deliver(snapshot, clock(), by, reason, number=number))
    charging.collect_cash(after)
    return after
