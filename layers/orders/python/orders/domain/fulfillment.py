"""What is reported of an order's fulfillment: as a value, and as the event that a carrier's report becomes on the bus."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orders.domain import facts, legacy
from orders.domain.events import CARRIER_PREFIX, FULFILLMENT, FULFILLMENT_STATUS_CHANGED
from orders.domain.identifiers import OrderId, fingerprint
from orders.domain.order import moment, timestamp
from orders.domain.parcels import TrackingDetail
from orders.domain.reports import Report
from orders.domain.scans import Scan
from orders.domain.statuses import SCAN_MEANS, ShipmentStatus


@dataclass(frozen=True, slots=True)
class ReportedItem:
    """So many pieces in a warehouse's parcel, of a line of the order, or of a product on any of its lines."""

    quantity: int
    line_id: str | None = None
    product_id: str | None = None


@dataclass(frozen=True, slots=True)
class FulfillmentEvent:
    """News of an order's fulfillment; ``scan`` is there when a carrier is behind it.

    ``at`` is the sender's own time, or, where ``is_dated`` is false, when the event came to us.
    """

    order_id: OrderId
    fulfillment_id: str
    new_status: str
    at: datetime
    old_status: str | None = None
    event_id: str | None = None
    metadata: Mapping[str, Any] | None = None
    scan: Scan | None = None
    source: str = FULFILLMENT
    is_dated: bool = True
    items: tuple[ReportedItem, ...] = ()

    @property
    def marker(self) -> str:
        """What makes this event itself: its id, or, without one, all that it says; sent again it comes at another time."""
        said = f"{self.fulfillment_id}|{self.old_status}|{self.new_status}|{timestamp(self.at) if self.is_dated else ''}"
        return self.event_id or fingerprint(said)

    @property
    def facts(self) -> dict[str, Any]:
        """The event's name on the audit trail."""
        own = {"fulfillment_id": self.fulfillment_id, "fulfillment_status": self.new_status, "event_id": self.marker}
        return {
            **(self.metadata or {}),
            **own,
            **facts.of_scans(self.scan.details if self.scan else ()),
            "reported_at": timestamp(self.at),
        }


EARLIER_BYTES = 5 * 1024
"""How many bytes of JSON a report's earlier scans may have: an event's metadata is bounded, the latest go first."""
NO_SCAN = ""
"""The exact status of what a carrier says about its own system."""


def detail_of(source: str, order_id: OrderId | None, report: Report) -> dict[str, Any]:
    """A carrier's report as the event that travels on the bus.

    The statuses are such as edition one reads; ``exact_status`` stands beside one that it does not have.
    """
    scan = report.scan
    new_status, exact = (SCAN_MEANS[scan.status], scan.status.value) if scan.status else (report.notice, NO_SCAN)
    written = _written(scan.at, exact or ShipmentStatus.CREATED, scan.location, scan.message)
    written |= {"exact_status": NO_SCAN} if exact == NO_SCAN else {}
    written |= {"estimated_delivery": timestamp(scan.estimated_delivery)} if scan.estimated_delivery else {}
    earlier = _bounded([_written(one.at, one.status.value, one.location, one.message) for one in scan.earlier])
    return {
        "event_type": FULFILLMENT_STATUS_CHANGED,
        "event_id": report.event_id,
        "fulfillment_id": report.tracking_number,
        "order_id": order_id,
        "new_status": new_status,
        "timestamp": timestamp(scan.at),
        "metadata": {
            "source": source,
            "tracking_number": report.tracking_number,
            "scan": written,
            **({"earlier_scans": earlier} if earlier else {}),
            **({"carrier": report.carrier} if report.carrier else {}),
        },
    }


def event_of(order_id: OrderId, detail: Mapping[str, Any]) -> FulfillmentEvent:
    """A carrier's report as it was kept, back from ``detail_of``, for the order that its parcel is known to belong to."""
    metadata = dict(detail["metadata"])
    return FulfillmentEvent(
        order_id=order_id,
        fulfillment_id=detail["fulfillment_id"],
        new_status=detail["new_status"],
        at=moment(detail["timestamp"]),
        event_id=detail["event_id"],
        metadata=metadata,
        scan=scan_of(metadata.pop("scan"), metadata.pop("earlier_scans", ()), metadata["source"]),
        source=f"{CARRIER_PREFIX}{metadata['source']}",
    )


def scan_of(data: Mapping[str, Any], earlier: Iterable[Mapping[str, Any]], sender: str) -> Scan:
    """A scan as ``detail_of`` has written it, or an earlier release.

    Raises:
        ValueError: it has a status that this release does not know, or no time.
    """
    own, estimated = _read(data), data.get("estimated_delivery")
    return Scan(
        status=None if data.get("exact_status") == NO_SCAN else own.status,
        at=own.at,
        location=own.location,
        estimated_delivery=moment(estimated) if estimated else None,
        sender=sender,
        message=own.message,
        earlier=tuple(map(_read, earlier)),
    )


def _written(at: datetime, status: str, location: str | None, message: str | None) -> dict[str, Any]:
    nearest = legacy.shipment_status(status)
    exact = {"exact_status": status} if status != nearest else {}
    words = {"message": message} if message else {}
    return {"status": nearest, "at": timestamp(at), "location": location, **exact, **words}


def _read(data: Mapping[str, Any]) -> TrackingDetail:
    status = legacy.exact_shipment_status(data["status"], data.get("exact_status"))
    return TrackingDetail(moment(data["at"]), ShipmentStatus(status), data.get("location"), data.get("message"))


def _bounded(earlier: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The latest of them that have room; they come by their times."""
    room, kept = EARLIER_BYTES, list[dict[str, Any]]()
    for one in reversed(earlier):
        room -= len(json.dumps(one)) + 2
        if room < 0:
            break
        kept.insert(0, one)
    return kept
