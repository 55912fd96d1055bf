"""The carrier as the order pipeline needs it, and the simulated one that is built in.

To put a real one in, write a class with these two methods and return it from ``parcel_carrier``.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Protocol

from orders.adapters.payments import flaky_call
from orders.adapters.store import keys, ledgers
from orders.domain.errors import CarrierUnavailable, OutcomeUnknown, ShippingRefused
from orders.domain.identifiers import TrackingNumber
from orders.domain.order import Address, Line

BOOKED, REFUSED, RECALLED = "booked", "refused", "recalled"


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
            ShippingRefused: the carrier will not take it.
            CarrierUnavailable: not taken; try again.
            OutcomeUnknown: the response was lost; booking again with the same key finds out.
        """

    def recall(self, key: str) -> None:
        """Makes sure the parcel of that key is not delivered, whether it was booked before or would be later.

        Raises:
            CarrierUnavailable, OutcomeUnknown: to be tried again.
        """


class SimulatedCarrier:
    """Deterministic by postal code or product id, whichever ends in ``refused``, ``flaky_N`` or ``timeout_N``.

    Its book is kept in the table, with the address each parcel was handed over for.
    """

    name = "SimEx"
    _FAULT = re.compile(r".*\b(?P<kind>refused|flaky[_-](?P<flaky>\d+)|timeout[_-](?P<timeout>\d+))", re.IGNORECASE)

    def book(self, key: str, address: Address, lines: tuple[Line, ...]) -> Booking:
        """See ``Carrier.book``."""
        flaky_call(CarrierUnavailable("The carrier did not answer."))
        fault = self._fault(address, lines)
        refused = fault is not None and fault["kind"].lower() == "refused"
        faults = int(fault["flaky"] or fault["timeout"] or 0) if fault else 0
        faults_left = faults > 0 and ledgers.count_attempt(keys.booking_key(key)) <= faults
        if fault and fault["flaky"] and faults_left:
            raise CarrierUnavailable("The carrier is not available.")
        destination = {"name": address.name, "line1": address.line1, "city": address.city}
        facts = {**destination, "postal_code": address.postal_code, "country": address.country}
        entry = ledgers.open_entry(keys.booking_key(key), REFUSED if refused else BOOKED, facts)
        if faults_left:
            raise OutcomeUnknown("The carrier's response was lost.")
        if entry.state != BOOKED:
            raise ShippingRefused("The carrier cannot deliver to this address." if refused else "The parcel was recalled.")
        return Booking(self.name, TrackingNumber(f"TRACK-{hashlib.sha256(key.encode()).hexdigest()[:12]}"))

    def recall(self, key: str) -> None:
        """See ``Carrier.recall``."""
        flaky_call(CarrierUnavailable("The carrier did not answer."))
        if ledgers.open_entry(keys.booking_key(key), RECALLED, {}).state == BOOKED:
            ledgers.move_entry(keys.booking_key(key), BOOKED, RECALLED)

    def _fault(self, address: Address, lines: tuple[Line, ...]) -> re.Match[str] | None:
        hints = (address.postal_code, *(line.product_id for line in lines))
        return next((found for hint in hints if (found := self._FAULT.fullmatch(hint))), None)


def parcel_carrier() -> Carrier:
    """The carrier this deployment ships with."""
    return SimulatedCarrier()
