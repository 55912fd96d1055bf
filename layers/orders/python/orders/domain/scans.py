"""What carriers see of a parcel, and what becomes of the parcel by it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from orders.domain.parcels import Shipment, TrackingDetail
from orders.domain.personal import Forgotten, Impersonal, Privacy, guarded
from orders.domain.statuses import SHIPMENT_RANK, SHIPMENT_TRANSITIONS, UNDECIDED_BY_TIME, ShipmentStatus

MOST_SCANS = 100
"""So many scans of a parcel its row holds, the latest; the audit trail holds all."""


@guarded
@dataclass(frozen=True, slots=True)
class Scan:
    """What a carrier saw of a parcel, at the scan's own time; what it arrived at does not matter.

    ``status`` is ``None`` for what a carrier says about its own system: that moves no parcel. ``message`` is in the carrier's
    words, ``sender`` is whose webhook it came by, and ``earlier`` what the carrier lists of the parcel beside it.
    """

    status: ShipmentStatus | None
    at: datetime
    location: Forgotten | None = None
    estimated_delivery: datetime | None = None
    sender: Impersonal | None = None
    message: Forgotten | None = None
    earlier: Annotated[tuple[TrackingDetail, ...], Privacy.FORGOTTEN] = ()

    @property
    def details(self) -> tuple[TrackingDetail, ...]:
        """What it adds to the parcel's timeline."""
        own = (TrackingDetail(self.at, self.status, self.location, self.message),) if self.status else ()
        return self.earlier + own


def scanned(shipment: Shipment | None, scan: Scan | None) -> Shipment | None:
    """The parcel after a scan. An older scan than the last one takes its place on the timeline, and moves nothing."""
    if shipment is None or scan is None:
        return shipment
    seen = _turned_round(replace(shipment, scans=_timeline(shipment, scan), sender=shipment.sender or scan.sender))
    if scan.status is not None and (shipment.scanned_at is None or scan.at >= shipment.scanned_at):
        seen = _moved(seen, scan, scan.status)
    return replace(seen, delivered_at=_delivered_at(seen))


def _turned_round(shipment: Shipment) -> Shipment:
    """The parcel, on its way back if any scan of it says that it turned round: others may have come behind that one."""
    may_turn = ShipmentStatus.RETURNING in SHIPMENT_TRANSITIONS[shipment.status]
    if may_turn and any(detail.status is ShipmentStatus.RETURNING for detail in shipment.scans):
        return replace(shipment, status=ShipmentStatus.RETURNING, estimated_delivery=None)
    return shipment


def _timeline(shipment: Shipment, scan: Scan) -> tuple[TrackingDetail, ...]:
    every = sorted(
        {*shipment.scans, *scan.details},
        key=lambda one: (one.at, SHIPMENT_RANK.get(one.status, 0), repr((one.status, one.location, one.message))),
    )
    return tuple(every[-MOST_SCANS:])


def _moved(shipment: Shipment, scan: Scan, status: ShipmentStatus) -> Shipment:
    same_moment = scan.at == shipment.scanned_at
    overruled = same_moment and SHIPMENT_RANK[status] < SHIPMENT_RANK[shipment.status]
    if overruled or status not in SHIPMENT_TRANSITIONS[shipment.status]:
        status = shipment.status
    estimated = scan.estimated_delivery or shipment.estimated_delivery
    return replace(
        shipment,
        status=status,
        current_location=scan.location or shipment.current_location,
        estimated_delivery=None if status in UNDECIDED_BY_TIME else estimated,
        scanned_at=scan.at,
    )


def _delivered_at(shipment: Shipment) -> datetime | None:
    """The delivery's time by the carrier, which replaces any earlier report's."""
    if shipment.status is not ShipmentStatus.DELIVERED:
        return None
    said = [detail.at for detail in shipment.scans if detail.status is ShipmentStatus.DELIVERED]
    return said[0] if said else shipment.delivered_at


def is_undecided(shipment: Shipment | None) -> bool:
    """Whether only people can say what becomes of a parcel: it is lost, or on its way back."""
    return shipment is not None and shipment.status in UNDECIDED_BY_TIME


def is_foreign(shipment: Shipment | None, sender: str | None) -> bool:
    """Whether a parcel is another sender's to report: a sender moves its own parcels only."""
    return shipment is not None and None not in (shipment.sender, sender) and shipment.sender != sender
