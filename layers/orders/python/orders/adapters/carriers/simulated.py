"""The simulated carrier that is built in (``docs/simulation.md``)."""

import hashlib
import re

from orders.adapters.carriers.protocol import Booking, Carrier
from orders.adapters.random_faults import maybe_fail
from orders.adapters.store import keys, ledgers
from orders.domain.address import ADDRESS_PARTS, Address
from orders.domain.errors import CarrierUnavailable, OutcomeUnknown
from orders.domain.identifiers import TrackingNumber
from orders.domain.lines import Line
from orders.domain.steps import ShippingRefused

BOOKED, REFUSED, RECALLED = "booked", "refused", "recalled"


class SimulatedCarrier:
    """Deterministic by postal code or product id, whichever ends in ``refused``, ``flaky_N`` or ``timeout_N``.

    Its book is kept in the table, with the address each parcel was handed over for.
    """

    name = "SimEx"
    _FAULT = re.compile(r".*\b(?P<kind>refused|flaky[_-](?P<flaky>\d+)|timeout[_-](?P<timeout>\d+))", re.IGNORECASE)

    def book(self, key: str, address: Address, lines: tuple[Line, ...]) -> Booking:
        """See ``Carrier.book``."""
        maybe_fail(CarrierUnavailable("The carrier did not answer."))
        fault = self._fault(address, lines)
        refused = fault is not None and fault["kind"].lower() == "refused"
        faults = int(fault["flaky"] or fault["timeout"] or 0) if fault else 0
        faults_left = faults > 0 and ledgers.count_attempt(keys.booking_key(key)) <= faults
        if fault and fault["flaky"] and faults_left:
            raise CarrierUnavailable("The carrier is not available.")
        destination = {name: getattr(address, name) for name in ADDRESS_PARTS if name != "line2"}
        facts = {name: value for name, value in destination.items() if value}
        entry = ledgers.open_entry(keys.booking_key(key), REFUSED if refused else BOOKED, facts)
        if faults_left:
            raise OutcomeUnknown("The carrier's response was lost.")
        if entry.state != BOOKED:
            raise ShippingRefused("The carrier cannot deliver to this address." if refused else "The parcel was recalled.")
        return Booking(self.name, TrackingNumber(f"TRACK-{hashlib.sha256(key.encode()).hexdigest()[:12]}"))

    def recall(self, key: str) -> None:
        """See ``Carrier.recall``."""
        maybe_fail(CarrierUnavailable("The carrier did not answer."))
        if ledgers.open_entry(keys.booking_key(key), RECALLED, {}).state == BOOKED:
            ledgers.move_entry(keys.booking_key(key), BOOKED, RECALLED)

    def _fault(self, address: Address, lines: tuple[Line, ...]) -> re.Match[str] | None:
        hints = (address.postal_code, *(line.product_id for line in lines))
        return next((found for hint in hints if (found := self._FAULT.fullmatch(hint))), None)


CARRIER: Carrier = SimulatedCarrier()
