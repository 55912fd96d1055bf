"""What callers see of a parcel."""

from typing import NotRequired, TypedDict

from orders.domain import goods, tracking_pages
from orders.domain.order import Order, timestamp
from orders.domain.parcels import Shipment
from orders.domain.statuses import ShipmentStatus
from orders.web.shapes import Count, Time, present, when


class _ScanView(TypedDict):
    at: Time
    status: ShipmentStatus
    location: str | None
    message: str | None


class _PackedView(TypedDict):
    line_id: str
    quantity: Count


class ShipmentView(TypedDict):
    """A parcel, with what is in it and every scan of it, the oldest first."""

    shipment_id: str
    items: list[_PackedView]
    tracking_number: str | None
    tracking_url: NotRequired[str | None]
    carrier: str
    status: ShipmentStatus
    current_location: str | None
    estimated_delivery: Time | None
    shipped_at: Time | None
    delivered_at: NotRequired[Time | None]
    unconfirmed_delivery_at: NotRequired[Time | None]
    scans: list[_ScanView]


def shipment_view(order: Order, shipment: Shipment, *, for_staff: bool) -> ShipmentView:
    """A parcel; what staff have to find out about it is shown to staff only."""
    unconfirmed = shipment.unconfirmed_delivery_at if for_staff else None
    return present(
        ShipmentView,
        shipment_id=shipment.shipment_id,
        items=[{"line_id": line_id, "quantity": pieces} for line_id, pieces in goods.in_parcel(order, shipment).items()],
        tracking_number=shipment.tracking_number,
        tracking_url=tracking_pages.page_of(shipment.carrier, shipment.tracking_number),
        carrier=shipment.carrier,
        status=shipment.status,
        current_location=shipment.current_location,
        estimated_delivery=when(shipment.estimated_delivery),
        shipped_at=when(goods.shipped_at(order, shipment)),
        delivered_at=when(shipment.delivered_at),
        unconfirmed_delivery_at=when(unconfirmed),
        scans=[
            {
                "at": timestamp(detail.at),
                "status": detail.status,
                "location": detail.location,
                "message": detail.message,
            }
            for detail in shipment.scans
        ],
    )
