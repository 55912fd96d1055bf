"""The names that callers have for a status, the deprecated ones included, and for what happens to an order."""

from enum import StrEnum
from typing import TypeVar

from orders.domain.errors import InvalidArgument
from orders.domain.events import EventType
from orders.domain.shortage import ShortageStatus
from orders.domain.statuses import DEPRECATED_NAMES, OPEN_RETURNS, DisputeStatus, OrderStatus, PaymentStatus, ReturnStatus


def parse_status(text: str, field: str = "status") -> tuple[OrderStatus, bool]:
    """The status a caller names in whatever letter case, and whether by a deprecated name.

    Raises:
        InvalidArgument: no such status.
    """
    # Letters of other alphabets may have an ASCII capital: they are no spelling of ours.
    name = text.upper() if text.isascii() else text
    if name in DEPRECATED_NAMES:
        return DEPRECATED_NAMES[name], True
    try:
        return OrderStatus(name), False
    except ValueError:
        names = ", ".join(OrderStatus)
        raise InvalidArgument.of(field, f"must be one of {names}") from None


def parse_payment_status(text: str, field: str = "payment_status") -> PaymentStatus:
    """The status of a payment that a caller names in whatever letter case.

    Raises:
        InvalidArgument: no such status.
    """
    return _member(PaymentStatus, text, field)


def parse_return_status(text: str, field: str = "return_status") -> ReturnStatus:
    """The status of an open return that a caller names in whatever letter case.

    Raises:
        InvalidArgument: no such status, or one that is final.
    """
    status = _member(ReturnStatus, text, field)
    if status not in OPEN_RETURNS:
        raise InvalidArgument.of(field, f"must be one of {', '.join(OPEN_RETURNS)}")
    return status


def parse_dispute_status(text: str, field: str = "dispute_status") -> DisputeStatus:
    """The status of a dispute that a caller names in whatever letter case.

    Raises:
        InvalidArgument: no such status.
    """
    return _member(DisputeStatus, text, field)


def parse_shortage_status(text: str, field: str = "shortage_status") -> ShortageStatus:
    """What orders with a shortage wait for, as a caller names it in whatever letter case.

    Raises:
        InvalidArgument: no such status.
    """
    return _member(ShortageStatus, text, field)


def parse_event_type(text: str, field: str = "event_type") -> EventType:
    """The type of an audit event that a caller names in whatever letter case.

    Raises:
        InvalidArgument: no such type.
    """
    return _member(EventType, text, field)


Name = TypeVar("Name", bound=StrEnum)


def _member(kind: type[Name], text: str, field: str) -> Name:
    try:
        return kind(text.upper() if text.isascii() else text)
    except ValueError:
        raise InvalidArgument.of(field, f"must be one of {', '.join(kind)}") from None
