"""A parcel of an order, and what carriers have seen of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from orders.domain.identifiers import TrackingNumber
from orders.domain.personal import Forgotten, Impersonal, Personal, Privacy, guarded
from orders.domain.statuses import ParcelEnd, ShipmentStatus

OWN_ID = re.compile(r"ship-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The ids of parcels that are given here; any other is a warehouse's name for its parcel."""


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
    order's only parcel is when the order was shipped, and its ``ended`` what became of the order.

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
    ended: ParcelEnd | None = None
    due_at: datetime | None = None
    """When the sweep finishes its hand-over, where a request has begun it and may not get to finish it."""

    @property
    def is_ours(self) -> bool:
        """Whether its id is one that was given here, and no warehouse has a name of its own for it."""
        return self.fulfillment_id is None and OWN_ID.fullmatch(self.shipment_id) is not None

    def is_called(self, fulfillment_id: str) -> bool:
        """Whether a warehouse calls it so."""
        return fulfillment_id in (self.shipment_id, self.fulfillment_id)
