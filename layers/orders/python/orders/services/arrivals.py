"""Parcels of which only their carriers, or people, can say what becomes: what is waited for, and what is late."""

from dataclasses import replace
from datetime import datetime

from orders import settings
from orders.adapters import workflow
from orders.domain import goods, outcomes
from orders.domain.decisions import delivering, parcels_back
from orders.domain.events import SYSTEM
from orders.domain.order import Snapshot
from orders.domain.scans import is_undecided
from orders.domain.statuses import OrderStatus, has_reached
from orders.domain.waits import LONGEST, Waits, remaining_waits
from orders.services import charging
from orders.services.changes import Clock, apply, utc_now


def is_up_to_the_carrier(snapshot: Snapshot) -> bool:
    """Whether only the carrier or staff can report the next change: no timer ends the transit."""
    order = snapshot.order
    under_way = not order.is_over and has_reached(order.status, OrderStatus.SHIPPED) and not order.is_digital
    undecided = any(is_undecided(one) for one in goods.under_way(snapshot))
    return under_way and (undecided or not settings.delivery_is_timed())


def waits_left(snapshot: Snapshot, now: datetime) -> Waits:
    """What a workflow started now still has to wait for; a parcel that no timer delivers for as long as any callback."""
    left = remaining_waits(snapshot.order, settings.waits(), now)
    return replace(left, arrival=LONGEST) if is_up_to_the_carrier(snapshot) else left


def report_overdue(snapshot: Snapshot, clock: Clock) -> bool:
    """Records that a parcel should have arrived, and returns whether that is so."""
    order, overdue = snapshot.order, settings.waits().delivery
    settled = settle(snapshot, SYSTEM, clock)
    after = apply(order.order_id, lambda now: delivering.report_overdue(now, overdue, clock()), settled)
    return after.order.version != settled.order.version


def settle(snapshot: Snapshot, by: str, clock: Clock = utc_now) -> Snapshot:
    """The order over its way, where all that is left of it is: its parcels have arrived or come back, the rest is cancelled."""
    if snapshot.order.status is not OrderStatus.SHIPPED or goods.under_way(snapshot):
        return snapshot
    after = apply(snapshot.order.order_id, lambda now: parcels_back.settled(now, clock(), by), snapshot)
    charging.collect_cash(after)
    return after


def wake(snapshot: Snapshot, now: datetime) -> None:
    """Lets the workflow go on that waits for what has arrived, or for a transit that is over: what was lost is found again."""
    order = snapshot.order
    is_late = order.status is OrderStatus.SHIPPED and not waits_left(snapshot, now).longest_transit
    if order.delivery_token and (is_late or has_reached(order.status, OrderStatus.DELIVERED)):
        workflow.answer(order.delivery_token, outcomes.of(snapshot))
