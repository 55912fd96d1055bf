"""The bodies of what is asked of a return, and of what comes back of it."""

from typing import Annotated

from pydantic import Field, model_validator

from orders.domain.returns import ReturnedPieces, ReturnItem
from orders.domain.statuses import Condition
from orders.web.details import MOST_LINES, MOST_PIECES
from orders.web.texts import BadMember, Body, LineIdText, Note, Reason


class ReturnItemBody(Body):
    """So many pieces of one line of the order, and why they are sent back."""

    line_id: LineIdText
    quantity: Annotated[int, Field(ge=1, le=MOST_PIECES)]
    reason: Reason | None = None


class RequestReturn(Body):
    """``POST /orders/{id}/returns``; each line once."""

    items: Annotated[tuple[ReturnItemBody, ...], Field(min_length=1, max_length=MOST_LINES, strict=False)]
    note: Note | None = None

    @model_validator(mode="after")
    def _names_each_line_once(self) -> "RequestReturn":
        named = [item.line_id for item in self.items]
        for place, line_id in enumerate(named):
            if line_id in named[:place]:
                raise BadMember(f"items.{place}.line_id", "is named before")
        return self

    def wanted(self) -> tuple[ReturnItem, ...]:
        """The domain's values."""
        return tuple(ReturnItem(item.line_id, item.quantity, item.reason) for item in self.items)


class ReceivedBody(Body):
    """So many pieces of one line of a return, in one condition."""

    line_id: LineIdText
    quantity: Annotated[int, Field(ge=1, le=MOST_PIECES)]
    condition: Annotated[Condition, Field(strict=False)]


class ReceiveReturn(Body):
    """``POST /orders/{id}/returns/{return_id}/receive``; after what is ``final`` nothing more of the return comes."""

    items: Annotated[tuple[ReceivedBody, ...], Field(max_length=2 * MOST_LINES, strict=False)]
    final: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> "ReceiveReturn":
        if not self.items and not self.final:
            raise BadMember("items", "must have at least one entry, unless it is final")
        return self

    def pieces(self) -> tuple[ReturnedPieces, ...]:
        """The domain's values."""
        return tuple(ReturnedPieces(item.line_id, item.quantity, item.condition) for item in self.items)
