"""A parcel of an order, and what carriers have seen of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from orders.domain.identifiers import TrackingNumber
from orders.domain.personal import Forgotten, Impersonal, Personal, Privacy, guarded
from orders.domain.statuses import ShipmentStatus


@guarded
@dataclass(frozen=True, slots=True)
class TrackingDetail:
    """One scan on a parcel's timeline: ``message`` is in the carrier's words, ``at`` the carrier's own time."""

    at: datetime
    status: ShipmentStatus
    location: Forgotten | None = None
    message: Forgotten | None = None


@guarded
@dataclass(frozen=True, slots=True)
class Shipment:
    """A parcel: ``shipment_id`` is also the idempotency key the carrier gets on every try.

    ``items`` is how many pieces of which line are in it; none at all: the whole order. ``number`` counts an order's parcels
    from 1. ``fulfillment_id`` is how the warehouse calls it, where that is not its ``shipment_id``. The ``shipped_at`` of an
    order's only parcel is when the order was shipped.

    ``status``, ``current_location`` and ``scanned_at`` are the carrier's own latest scan and may run ahead of the order.
    ``sender`` is whose signed webhooks report this parcel, and no other's: the one its booking names, or the first that
    reports it. ``scans`` is the timeline, by the scans' own times. ``unconfirmed_delivery_at`` is when a carrier says that it
    delivered a parcel which was on its way back: staff have to find out to whom.
    """

    shipment_id: Impersonal
    status: ShipmentStatus
    carrier: Personal
    tracking_number: TrackingNumber | None = None
    current_location: Personal | None = None
    estimated_delivery: datetime | None = None
    scanned_at: datetime | None = None
    recalled: bool = False
    sender: Impersonal | None = None
    scans: tuple[TrackingDetail, ...] = ()
    delivered_at: datetime | None = None
    unconfirmed_delivery_at: datetime | None = None
    items: Annotated[Mapping[str, int], Privacy.IMPERSONAL] = field(default_factory=dict)
    number: int = 1
    shipped_at: datetime | None = None
    fulfillment_id: Impersonal | None = None
