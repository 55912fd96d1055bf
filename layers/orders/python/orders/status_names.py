"""The names that callers have for a status, the deprecated ones included."""

from orders.errors import InvalidArgument
from orders.statuses import DEPRECATED_NAMES, OrderStatus


def parse_status(text: str, field: str = "status") -> tuple[OrderStatus, bool]:
    """The status a caller names, and whether by a deprecated name.

    Raises:
        InvalidArgument: no such status.
    """
    if text in DEPRECATED_NAMES:
        return DEPRECATED_NAMES[text], True
    try:
        return OrderStatus(text), False
    except ValueError:
        names = ", ".join(OrderStatus)
        raise InvalidArgument.of(field, f"must be one of {names}") from None
