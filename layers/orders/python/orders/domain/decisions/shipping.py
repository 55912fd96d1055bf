"""A parcel on its way to the carrier: preparation, handover, shipment; and where it goes until then."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from orders.domain import facts, goods, recording
from orders.domain.address import Address
from orders.domain.decisions import capturing
from orders.domain.decisions.advancing import step_done
from orders.domain.decisions.ending import alive
from orders.domain.decisions.holding import check_not_held
from orders.domain.errors import ConstraintViolated, IllegalTransition, InvalidArgument, OrderOver
from orders.domain.events import SYSTEM, EventType, FollowUp
from orders.domain.identifiers import TrackingNumber
from orders.domain.limits import MOST_PARCELS
from orders.domain.order import Change, Order, Snapshot
from orders.domain.parcels import Shipment
from orders.domain.statuses import TERMINAL, TRANSITIONS, OrderStatus, ShipmentStatus, StepStatus, has_reached
from orders.domain.steps import StepName
from orders.domain.waits import GRACE


def start_preparation(
    snapshot: Snapshot, now: datetime, by: str, metadata: Mapping[str, Any], reason: str | None = None
) -> Change | None:
    """Fulfillment has begun on a cash-on-delivery order: CONFIRMED becomes PROCESSING."""
    order = alive(snapshot)
    if has_reached(order.status, OrderStatus.PROCESSING):
        return None
    if order.status is not OrderStatus.CONFIRMED:
        raise ConstraintViolated("The order must be paid, or cash on delivery, first.", order_status=order.status)
    due = {**metadata, **facts.of_payment(snapshot.payment)}
    return recording.move(
        order, order, OrderStatus.PROCESSING, EventType.PREPARATION_STARTED, now, by, metadata=due, reason=reason
    )


def await_warehouse(
    snapshot: Snapshot, token: str, overdue_seconds: float, now: datetime, run: int | None = None
) -> Change | None:
    """Keeps the callback token of the wait for the warehouse; ``None`` when all that is wanted is handed over.

    ``run`` is the one that waits: where a later one has taken the order over, its token must not be replaced by this one.
    """
    order = alive(snapshot)
    if run is not None and run != order.run:
        raise OrderOver(f"Run {order.run} processes this order now.", order_status=order.status)
    if has_reached(order.status, OrderStatus.SHIPPED):
        return None
    due = now + timedelta(seconds=overdue_seconds)
    after = replace(order, warehouse_token=token, due_at=capturing.to_look_at(snapshot.payment, due, now))
    return recording.change(order, after, EventType.WAREHOUSE_AWAITED, now, metadata={"expires_at": due})


def awaits_warehouse(order: Order) -> bool:
    """Whether an order waits for its warehouse."""
    waits = order.status in (OrderStatus.CONFIRMED, OrderStatus.PROCESSING)
    return order.warehouse_token is not None and waits and not order.is_over


def report_overdue_warehouse(snapshot: Snapshot, overdue_seconds: float, now: datetime) -> Change | None:
    """A warehouse that has not handed over what is wanted in time: recorded, and looked at again after the same time."""
    order = snapshot.order
    if not awaits_warehouse(order):
        return None
    due = now + timedelta(seconds=overdue_seconds)
    after = replace(order, due_at=capturing.to_look_at(snapshot.payment, due, now))
    reason, left = "The warehouse has not handed over what is wanted in time", facts.of_pieces(goods.left(order))
    return recording.change(order, after, EventType.WAREHOUSE_OVERDUE, now, reason=reason, metadata=left)


def all_handed_over(order: Order) -> FollowUp | None:
    """What follows when nothing is left to be handed over: whoever waits for the warehouse goes on."""
    return FollowUp.ANSWER_HANDED_OVER if order.warehouse_token else None


def start_handover(snapshot: Snapshot, shipment_id: str, carrier: str, now: datetime, by: str = SYSTEM) -> Change | None:
    """Writes the intent to hand over all that is left, which fixes the address; ``None`` when nothing is, or it is written.

    A confirmed cash-on-delivery order that no fulfillment event has moved yet becomes PROCESSING here, at the latest.
    """
    alive(snapshot)
    pieces = goods.unpacked(snapshot)
    return _begun(snapshot, goods.parcel(snapshot, shipment_id, pieces, carrier), now, by) if pieces else None


@dataclass(frozen=True, slots=True)
class RequestedParcel:
    """A parcel to be handed over: of these pieces, or of all that is left; one with a number is not booked by us."""

    shipment_id: str
    carrier: str
    items: Mapping[str, int] | None = None
    tracking_number: TrackingNumber | None = None


def start_parcel(snapshot: Snapshot, wanted: RequestedParcel, now: datetime, by: str) -> Change:
    """Writes the intent to hand a parcel over; refuses pieces that are not there to be handed over."""
    order = alive(snapshot)
    _check_status(order)
    pieces = check_pieces(snapshot, wanted.items)
    if len(snapshot.shipments) >= MOST_PARCELS:
        raise ConstraintViolated(f"An order can have {MOST_PARCELS} parcels at most.", order_status=order.status)
    parcel = goods.parcel(snapshot, wanted.shipment_id, pieces, wanted.carrier, wanted.tracking_number)
    return _begun(snapshot, parcel, now, by)


def check_pieces(snapshot: Snapshot, items: Mapping[str, int] | None) -> goods.Pieces:
    """These pieces, or all that is left, where they are neither cancelled, handed over nor in a parcel.

    Raises:
        InvalidArgument: the order has no such line.
        ConstraintViolated: there are not so many pieces left.
    """
    order, free = snapshot.order, goods.unpacked(snapshot)
    for place, (line_id, pieces) in enumerate((items or {}).items()):
        if line_id not in order.lines_by_id:
            raise InvalidArgument.of(f"items.{place}.line_id", "is no line of this order")
        if pieces > free.get(line_id, 0):
            count = free.get(line_id, 0)
            raise ConstraintViolated(f"Of line {line_id} only {count} are left.", order_status=order.status, line_id=line_id)
    if not free:
        raise ConstraintViolated("Nothing is left to be handed over.", order_status=order.status)
    return free if items is None else items


def _check_status(order: Order) -> None:
    if order.status not in (OrderStatus.CONFIRMED, OrderStatus.PROCESSING):
        raise IllegalTransition(order.status, OrderStatus.SHIPPED, TRANSITIONS[order.status])


def _begun(snapshot: Snapshot, shipment: Shipment, now: datetime, by: str) -> Change:
    order = snapshot.order
    check_not_held(order)
    _check_status(order)
    if by != SYSTEM:
        # No execution comes back to it.
        shipment = replace(shipment, due_at=now + GRACE)
    after = goods.with_parcel(order, shipment)
    if order.status is OrderStatus.CONFIRMED:
        return recording.move(order, after, OrderStatus.PROCESSING, EventType.HANDOVER_STARTED, now, by, shipment=shipment)
    payment = capturing.begun(snapshot, shipment, now)
    return recording.change(order, after, EventType.HANDOVER_STARTED, now, by, shipment=shipment, payment=payment)


def ship(
    snapshot: Snapshot, booked: Shipment, transit_seconds: float, token: str | None, now: datetime, by: str = SYSTEM
) -> Change | None:
    """The carrier has the parcel: SHIPPED, if nothing else is left. ``None`` when that is recorded, with nothing to be kept."""
    order = alive(snapshot)
    known = next((one for one in snapshot.shipments if one.number == booked.number), booked)
    if goods.is_handed_over(order, known):
        return _overtaken(snapshot, booked, token, now)
    if known.recalled:
        # What was left of the order was cancelled while the carrier was asked: its pieces must not leave twice.
        raise OrderOver("The parcel was withdrawn.", order_status=order.status)
    parcel = replace(booked, shipped_at=now if booked.items else booked.shipped_at, due_at=None)
    after = goods.handed_over(goods.with_parcel(order, parcel), goods.in_parcel(order, parcel))
    after = replace(after, delivery_token=token or order.delivery_token)
    payment, is_last = capturing.begun(snapshot, parcel, now), not goods.left(after)
    # Handed over by others, or less than is held was wanted: the follow-up does what is left to do for the money, or the sweep.
    is_unsettled = capturing.is_to_be_settled(payment or snapshot.payment, is_last=is_last)
    follow_up = FollowUp.CAPTURE_PAYMENT if is_unsettled else all_handed_over(order) if is_last else None
    rest: dict[str, Any] = {"follow_up": follow_up, "shipment": parcel, "payment": payment}
    due = now + timedelta(seconds=transit_seconds) + GRACE if is_last else after.due_at
    after = replace(after, due_at=min(due or now + GRACE, now + GRACE) if is_unsettled else due)
    if not is_last:
        return recording.change(order, after, EventType.PARCEL_SHIPPED, now, by, **rest)
    return recording.move(
        order, step_done(after, StepName.SHIPPING, now), OrderStatus.SHIPPED, EventType.ORDER_SHIPPED, now, by, **rest
    )


def hand_over_digital(snapshot: Snapshot, now: datetime, by: str = SYSTEM) -> Change | None:
    """Records that an order of which nothing is sent is handed over, without a parcel; ``None`` when that is recorded."""
    order = alive(snapshot)
    if has_reached(order.status, OrderStatus.SHIPPED):
        return None
    check_not_held(order)
    _check_status(order)
    after = replace(step_done(order, StepName.SHIPPING, now, StepStatus.SKIPPED), due_at=now + GRACE)
    return recording.move(order, after, OrderStatus.SHIPPED, EventType.ORDER_SHIPPED, now, by)


def withdraw(snapshot: Snapshot, number: int, now: datetime, by: str, reason: str) -> Change | None:
    """A parcel that the carrier does not take: its goods are still to be handed over. ``None`` where it is handed over."""
    parcel = next((one for one in goods.begun(snapshot) if one.number == number), None)
    if parcel is None:
        return None
    # With its pieces named, as it is not the parcel that the order's status tells of.
    packed = goods.in_parcel(snapshot.order, parcel)
    gone = replace(parcel, recalled=True, status=ShipmentStatus.FAILED, due_at=None, items=packed)
    after, kind = without(snapshot, parcel, now), EventType.SHIPMENT_RECALLED
    return recording.change(snapshot.order, after, kind, now, by, reason=reason, shipment=gone)


def without(snapshot: Snapshot, parcel: Shipment, now: datetime) -> Order:
    """The order once the parcel is recalled: where it is being undone, its shipping is with the last of them."""
    order, others = snapshot.order, any(not one.recalled for one in snapshot.shipments if one.number != parcel.number)
    if others or order.step(StepName.SHIPPING).status is not StepStatus.COMPENSATING:
        return order
    return order.with_step(StepName.SHIPPING, StepStatus.COMPENSATED, now)


def given_up(parcel: Shipment, now: datetime) -> Shipment:
    """A parcel that is not handed over after all, to be recalled where our carrier may have it."""
    return replace(parcel, recalled=True, due_at=None if parcel.tracking_number else now + GRACE)


def to_recall(snapshot: Snapshot) -> list[Shipment]:
    """The parcels that were given up, and that our carrier may have."""
    return [one for one in snapshot.shipments if one.recalled and one.due_at]


def recalled(snapshot: Snapshot, number: int, now: datetime) -> Change | None:
    """Our carrier does not deliver a parcel that was given up; ``None`` where that is on record."""
    found = next((one for one in to_recall(snapshot) if one.number == number), None)
    if found is None:
        return None
    done = replace(found, due_at=None)
    return recording.change(snapshot.order, snapshot.order, EventType.SHIPMENT_RECALLED, now, shipment=done)


def _overtaken(snapshot: Snapshot, booked: Shipment, token: str | None, now: datetime) -> Change | None:
    """A report of the parcel arrived before its booking: stores the booked tracking number and the task token.

    Where the report has a tracking number of its own, that one stays the parcel's, and the booked one is noted.
    """
    order = snapshot.order
    known = next((one for one in snapshot.shipments if one.number == booked.number), None)
    shipment, unused = None, {}
    if known is not None and known.shipment_id == booked.shipment_id:
        if known.tracking_number is None:
            shipment = replace(known, tracking_number=booked.tracking_number, sender=known.sender or booked.sender)
        elif booked.tracking_number not in (None, known.tracking_number):
            unused = {"booked_tracking_number": booked.tracking_number}
    if token is not None and token != order.delivery_token and order.status is OrderStatus.SHIPPED:
        after = replace(order, delivery_token=token)
        parcel = facts.of_parcel(shipment or known) | unused
        return recording.change(order, after, EventType.DELIVERY_AWAITED, now, shipment=shipment, metadata=parcel)
    if not unused and shipment in (None, known):
        return None
    metadata = facts.of_parcel(shipment or known) | unused
    return recording.change(order, order, EventType.FULFILLMENT_RECORDED, now, shipment=shipment, metadata=metadata)


def change_address(snapshot: Snapshot, address: Address, now: datetime, by: str) -> Change | None:
    """Changes the address, until the hand-over begins; ``None`` when the order already has this address."""
    order = snapshot.order
    if order.status in TERMINAL or order.is_over or any(not one.recalled for one in snapshot.shipments):
        raise ConstraintViolated(
            "The address can be changed only until the parcel is handed over to the carrier.", order_status=order.status
        )
    if address == order.shipping_address:
        return None
    after = replace(order, shipping_address=address)
    moved = facts.of_addresses(order.shipping_address, address)
    return recording.change(order, after, EventType.ADDRESS_CHANGED, now, by, metadata=moved)
