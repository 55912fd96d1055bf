"""The names that callers have for a status, the deprecated ones included."""

from orders.domain.errors import InvalidArgument
from orders.domain.statuses import DEPRECATED_NAMES, OrderStatus, PaymentStatus


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
    try:
        return PaymentStatus(text.upper() if text.isascii() else text)
    except ValueError:
        raise InvalidArgument.of(field, f"must be one of {', '.join(PaymentStatus)}") from None
