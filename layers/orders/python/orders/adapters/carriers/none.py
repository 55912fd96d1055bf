"""No carrier at all: parcels are handed over by people, each with the tracking number that it travels under."""

from orders.adapters.carriers.protocol import Booking, Carrier
from orders.domain.address import Address
from orders.domain.lines import Line
from orders.domain.steps import ShippingRefused


class NoCarrier:
    """Books nothing."""

    name = "none"

    def book(self, key: str, address: Address, lines: tuple[Line, ...]) -> Booking:  # noqa: ARG002 - whichever they are
        """See ``Carrier.book``. It refuses: there is nobody to hand a parcel to."""
        raise ShippingRefused("No carrier is set up: hand the parcel over with its own tracking_number.")

    def recall(self, key: str) -> None:
        """See ``Carrier.recall``. Nothing was booked."""


CARRIER: Carrier = NoCarrier()
