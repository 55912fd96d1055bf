"""``fulfillment.status_changed`` as it travels on the bus, checked by the consumer."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from orders.domain import facts, strict_json
from orders.domain.events import CARRIER_PREFIX, CARRIERS_SOURCE, FULFILLMENT, FULFILLMENT_STATUS_CHANGED
from orders.domain.fulfillment import FulfillmentEvent, ReportedItem, scan_of
from orders.domain.order import moment
from orders.services.carrier_reports import SENDERS
from orders.web import bodies
from orders.web.details import MOST_LINES, MOST_PIECES
from orders.web.texts import Body, ForeignId, OrderIdText, Text100, Text200

LARGEST_METADATA = 8 * 1024
"""How many bytes of JSON an event's metadata may have: it is stored with each change, and shown with the history."""


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a time that can be written in UTC") from None


def _bounded(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(metadata, allow_nan=False)) > LARGEST_METADATA:
        raise ValueError(f"may have {LARGEST_METADATA} bytes at most")
    return metadata


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


def _not_as_ours(name: str) -> str:
    """What a warehouse says under a name of ours is kept under another: for staff, as all that it adds."""
    return f"fulfillment_{name}" if name in facts.OWN else name


class ParcelMetadata(BaseModel):
    """What an event's metadata says of its parcel; other members are the warehouse's own.

    ``sender`` is whose webhooks will report it.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    carrier: Text100 | None = None
    tracking_number: Text100 | None = None
    sender: Literal[SENDERS] | None = None  # type: ignore[valid-type]


class EventItem(BaseModel):
    """So many pieces of a line of the order, or of a product."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    line_id: Text100 | None = None
    product_id: ForeignId | None = None
    quantity: Annotated[int, Field(ge=1, le=MOST_PIECES)]

    @model_validator(mode="after")
    def _names_pieces(self) -> "EventItem":
        if (self.line_id is None) is (self.product_id is None):
            raise ValueError("must have a line_id or a product_id")
        return self


class FulfillmentStatusChanged(Body):
    """``fulfillment.status_changed`` on the bus (``docs/behavior.md#fulfillment-events``)."""

    model_config = ConfigDict(extra="ignore", strict=False, frozen=True, defer_build=True)

    event_type: Literal[FULFILLMENT_STATUS_CHANGED]  # type: ignore[valid-type]
    event_id: Text200 | None = None
    fulfillment_id: Text200
    order_id: OrderIdText
    old_status: Text100 | None = None
    new_status: Text100
    timestamp: Moment | None = None
    items: Annotated[tuple[EventItem, ...], Field(max_length=MOST_LINES)] = ()
    metadata: Annotated[dict[str, Any], AfterValidator(_bounded)] | None = None

    def event(self, received: datetime, *, by_pipeline: bool) -> FulfillmentEvent:
        """The domain's value. An event without a time has that of its receipt.

        A carrier's scan travels in the metadata, and is believed of the pipeline's own receiver only (``by_pipeline``): it
        has verified the carrier's signature.
        """
        metadata = dict(self.metadata or {})
        data = metadata.pop("scan", None) if by_pipeline else None
        source = str(metadata["source"]) if data else None
        scan = scan_of(data, metadata.pop("earlier_scans", ()), source) if data and source else None
        if not by_pipeline:
            metadata = {_not_as_ours(name): value for name, value in metadata.items()}
        metadata |= ParcelMetadata.model_validate(metadata).model_dump(exclude_unset=True)
        return FulfillmentEvent(
            order_id=self.order_id,
            fulfillment_id=self.fulfillment_id,
            new_status=self.new_status,
            at=self.timestamp or received,
            is_dated=self.timestamp is not None,
            old_status=self.old_status,
            event_id=self.event_id,
            metadata=metadata,
            scan=scan,
            items=tuple(ReportedItem(one.quantity, one.line_id, one.product_id) for one in self.items),
            source=f"{CARRIER_PREFIX}{source}" if scan else FULFILLMENT,
        )


def read_message(body: str, sent: float) -> FulfillmentEvent:
    """The event in a queue message: the bus's envelope, or its detail alone.

    It was received when it came to the bus, or, sent past the bus, to the queue (``sent``, seconds since 1970): both stay
    the same however often it is delivered. Only the pipeline's receiver may use its own name as the source.
    """
    message = strict_json.loads(body.encode("utf-8", "surrogatepass"))
    on_bus = "detail-type" in message
    detail = message["detail"] if on_bus else message
    received = moment(message["time"]) if on_bus and "time" in message else datetime.fromtimestamp(sent, UTC)
    by_pipeline = on_bus and message.get("source") == CARRIERS_SOURCE
    return bodies.parse(FulfillmentStatusChanged, json.dumps(detail).encode()).event(received, by_pipeline=by_pipeline)
