"""The carrier as the order pipeline needs it.

A carrier is a module of this package, named like the carrier, in which ``CARRIER`` has these two methods and a name.
"""

from dataclasses import dataclass
from typing import Protocol

from orders.domain.address import Address
from orders.domain.identifiers import TrackingNumber
from orders.domain.lines import Line


@dataclass(frozen=True, slots=True)
class Booking:
    """A parcel the carrier has accepted.

    ``sender`` is whose signed webhooks will report it, by its name in ``carrier_webhooks.SENDERS``; without one it is the
    first that does. The simulated carrier names none: each sender's format can be tried on its parcels.
    """

    carrier: str
    tracking_number: TrackingNumber
    sender: str | None = None


class Carrier(Protocol):
    """Takes parcels and gives them back; every call may be repeated with the same key and has its effect once.

    What a call may raise is the whole of what a carrier may raise: the machines' Retry blocks are checked against it.
    """

    name: str

    def book(self, key: str, address: Address, lines: tuple[Line, ...]) -> Booking:
        """Hands the parcel over.

        Raises:
            ShippingRefused: the carrier refuses the parcel.
            CarrierUnavailable: not taken; try again.
            OutcomeUnknown: the response was lost; booking again with the same key finds out.
        """

    def recall(self, key: str) -> None:
        """Makes sure the parcel of that key is not delivered, whether it was booked before or would be later.

        Raises:
            CarrierUnavailable, OutcomeUnknown: to be tried again.
        """
