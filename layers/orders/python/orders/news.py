"""``fulfillment.status_changed`` as it travels on the bus, checked at the consumer's door."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from orders.fulfilment_events import FulfilmentEvent
from orders.lifecycle import Scan
from orders.requests import Body, OrderIdText, Text200, text_of
from orders.statuses import ShipmentStatus


class ScanNews(BaseModel):
    """What a carrier saw, as it travels in an event's metadata."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    status: ShipmentStatus
    at: AwareDatetime
    location: Text200 | None = None
    estimated_delivery: AwareDatetime | None = None


class FulfilmentNews(Body):
    """``fulfillment.status_changed`` on the bus (contract, section 5)."""

    model_config = ConfigDict(extra="ignore", strict=False, frozen=True, defer_build=True)

    event_type: Literal["fulfillment.status_changed"]
    event_id: Annotated[str, text_of(200)] | None = None
    fulfillment_id: Annotated[str, text_of(200)]
    order_id: OrderIdText
    old_status: Annotated[str, text_of(100)] | None = None
    new_status: Annotated[str, text_of(100)]
    timestamp: AwareDatetime | None = None
    metadata: dict[str, Any] | None = None

    def event(self, received: datetime) -> FulfilmentEvent:
        """The domain's value; a carrier's scan travels in the metadata. An event without a time has that of its receipt."""
        metadata = dict(self.metadata or {})
        told = metadata.pop("scan", None)
        scan = ScanNews.model_validate(told) if told else None
        return FulfilmentEvent(
            order_id=self.order_id,
            fulfillment_id=self.fulfillment_id,
            new_status=self.new_status,
            at=self.timestamp or received,
            is_dated=self.timestamp is not None,
            old_status=self.old_status,
            event_id=self.event_id,
            metadata=metadata,
            scan=Scan(scan.status, scan.at, scan.location, scan.estimated_delivery) if scan else None,
            source=f"carrier:{metadata['source']}" if scan and "source" in metadata else "fulfillment",
        )
