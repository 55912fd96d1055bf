"""What callers may send of an order, a product or a webhook: bodies are checked here and in `*_bodies`, nowhere else."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, StringConstraints, ValidationError, model_validator

from orders.domain.decisions.refunds import WantedRefund
from orders.domain.errors import InvalidArgument
from orders.domain.notifications import EVENT_TYPES
from orders.domain.refund import RefundedLine
from orders.domain.statuses import DEPRECATED_NAMES, OrderStatus
from orders.web.details import MOST_LINES, MOST_PIECES, ContactBody, MetadataPatch, MoneyBody, money_of
from orders.web.texts import (
    BadMember,
    Body,
    ForeignId,
    LineIdText,
    MissingPart,
    Moment,
    Note,
    Reason,
    Text100,
    Text200,
)


class Empty(Body):
    """A request that says all by its route."""


class WithReason(Body):
    """A change that may be explained."""

    reason: Reason | None = None


class LineItemBody(Body):
    """So many pieces of one line of the order."""

    line_id: LineIdText
    quantity: Annotated[int, Field(ge=1, le=MOST_PIECES)]


LineItems = Annotated[tuple[LineItemBody, ...], Field(min_length=1, max_length=MOST_LINES, strict=False)]
"""Pieces of lines, each of which is named once."""


def _pieces(items: LineItems | None) -> dict[str, int] | None:
    """The pieces by line; ``None`` for all. Raises ``BadMember`` for a line that is named twice."""
    if items is None:
        return None
    found: dict[str, int] = {}
    for place, item in enumerate(items):
        if item.line_id in found:
            raise BadMember(f"items.{place}.line_id", "is named before")
        found[item.line_id] = item.quantity
    return found


class OfItems(Body):
    """A request about some pieces of an order, or about all that it can be about."""

    items: LineItems | None = None

    @model_validator(mode="after")
    def _names_lines_once(self) -> "OfItems":
        _pieces(self.items)
        return self

    @property
    def pieces(self) -> dict[str, int] | None:
        """The pieces by line; ``None`` for all."""
        return _pieces(self.items)


class CancelOrder(OfItems):
    """``POST /orders/{id}/cancel``: these pieces, or all that is not handed over yet."""

    reason: Reason | None = None


class HandOver(OfItems):
    """``POST /orders/{id}/shipments``: a parcel of these pieces, or of all that is left.

    Without a ``tracking_number`` it is booked at the configured carrier.
    """

    carrier: Text100 | None = None
    tracking_number: Text100 | None = None


class RefundBody(OfItems):
    """``POST /orders/{id}/refunds``: an amount, or what pieces are worth; with neither, all that is left."""

    amount: MoneyBody | None = None
    reason: Reason

    def wanted(self) -> WantedRefund:
        """The domain's value."""
        lines = tuple(RefundedLine(line_id, quantity) for line_id, quantity in (self.pieces or {}).items())
        return WantedRefund(self.reason, money_of(self.amount), lines)

    @model_validator(mode="after")
    def _says_one_thing(self) -> "RefundBody":
        if self.amount and self.items:
            raise BadMember("items", "must be left out where there is an amount")
        return self


class HoldOrder(Body):
    """``POST /orders/{id}/hold``: the reason is for staff."""

    reason: Reason


class SetStatus(Body):
    """``PATCH /orders/{id}/status``; names in any letter case, and ``PAID`` and ``COMPLETED``, which are deprecated, too."""

    status: Annotated[str, Field(json_schema_extra={"enum": [*OrderStatus, *sorted(DEPRECATED_NAMES)]})]
    reason: Reason | None = None


class PatchOrder(Body):
    """``PATCH /orders/{id}``: what is sent replaces what was there, ``null`` takes it away, what is left out stays."""

    metadata: MetadataPatch | None = None
    external_id: ForeignId | None = None
    contact: ContactBody | None = None
    note: Note | None = None

    def patch(self) -> Mapping[str, Any]:
        """What was sent, ``null`` where that was."""
        return self.model_dump(exclude_unset=True)


class SetLocation(Body):
    """``PUT /orders/{id}/shipment/location``."""

    location: Text200
    estimated_delivery: Moment | None = None


class SetProduct(Body):
    """``PUT /products/{id}``; what does not ``requires_shipping`` is handed over when it is paid."""

    name: Text200
    unit_price: MoneyBody
    stock: Annotated[int, Field(ge=0, le=10**12)]
    requires_shipping: bool = True


class ChangeStock(Body):
    """``POST /products/{id}/stock``: so many pieces more, or fewer."""

    change: Annotated[int, Field(ge=-(10**12), le=10**12)]


class AddWebhook(Body):
    """``POST /webhooks``; no ``events`` means all of them."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    events: Annotated[tuple[Literal[EVENT_TYPES], ...], Field(strict=False, max_length=len(EVENT_TYPES))] = ()  # type: ignore[valid-type]


Model = TypeVar("Model", bound=Body)


def parse(model: type[Model], body: bytes) -> Model:
    """The body as the model has it.

    Raises:
        InvalidArgument: with each bad field's path, and what is wrong with it.
    """
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        found = [_problem(details) for details in error.errors(include_url=False, include_input=False)]
        # A list all of whose entries are bad is called too short as well: correcting the entry corrects the list.
        problems = [one for one in found if not any(other["field"].startswith(f"{one['field']}.") for other in found)]
        summary = "; ".join(f"{problem['field']}: {problem['message']}" for problem in problems[:3])
        raise InvalidArgument(summary, errors=problems[:20]) from None


def _problem(details: Any) -> dict[str, str]:
    cause = details.get("ctx", {}).get("error")
    path = ".".join(str(part) for part in details["loc"])
    if isinstance(cause, MissingPart):
        path = ".".join(filter(None, [path, cause.part]))
    field = cause.field if isinstance(cause, BadMember) else path
    return {"field": field or "body", "message": details["msg"].removeprefix("Value error, ")}
