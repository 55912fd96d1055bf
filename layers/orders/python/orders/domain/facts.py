"""The facts of a change, as they stand in its audit event's metadata: amounts, goods, parcels, addresses, each by one name."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from orders.domain.money import Money
from orders.domain.order import Address, Order, Payment, Shipment, TrackingDetail, timestamp
from orders.domain.statuses import CancelReason

Facts = dict[str, Any]

SCANS = "scans"
OLD_ADDRESS, NEW_ADDRESS = "old_address", "new_address"

PERSONAL = frozenset({OLD_ADDRESS, NEW_ADDRESS})
"""What says who somebody is or where they live: gone with an erasure."""

_MEMBERS: Mapping[str, frozenset[str]] = MappingProxyType(
    {"amount": frozenset({"amount", "currency"}), "items": frozenset({"product_id", "quantity"})}
)
"""The members of the facts that are no plain text or number, and no others: an outside event may use the same names."""

NOT_ASKED = "NOT_ASKED"

IMPERSONAL = frozenset({"amount", "erased", "items", "method", "payment_id", "payment_status", "run", "shipment_id", "undone"})
"""What accounts need: it stays when personal data is erased."""

OWN = PERSONAL | IMPERSONAL
"""Every name that this module gives."""


def is_impersonal(name: str, value: Any) -> bool:
    """Whether a fact of an audit event says nothing about a person, as far as its name and its shape tell."""
    if name not in IMPERSONAL:
        return False
    entries = value if isinstance(value, list) else [value]
    return all(not isinstance(entry, Mapping) or set(entry) <= _MEMBERS.get(name, frozenset()) for entry in entries)


def of_total(order: Order) -> Facts:
    """What is ordered, and for how much."""
    return {"amount": _money(order.total), **of_goods({line.product_id: line.quantity for line in order.lines})}


def of_goods(pieces: Mapping[str, int]) -> Facts:
    """So many pieces of each product, taken or given back."""
    return {"items": [{"product_id": product_id, "quantity": abs(count)} for product_id, count in pieces.items()]}


def of_payment(payment: Payment | None) -> Facts:
    """Which payment, and of what amount."""
    if payment is None:
        return {}
    return {"payment_id": payment.payment_id, "amount": _money(payment.amount), "method": payment.method.value}


def of_money(order: Order, payment: Payment | None) -> Facts:
    """How the payment stood: ``NOT_ASKED`` where nothing had been asked of a provider, nor promised in cash."""
    return {"method": order.method.value, "payment_status": payment.status.value if payment else NOT_ASKED}


def of_end(order: Order, payment: Payment | None, reason: CancelReason | None = None) -> Facts:
    """What ends with an order, why where it is cancelled, and how its payment stood."""
    why = {"cancellation_reason": str(reason)} if reason else {}
    return {**why, **of_total(order), **of_money(order, payment)}


def of_parcel(shipment: Shipment | None) -> Facts:
    """Which parcel, and the number it travels under."""
    if shipment is None:
        return {}
    number = {"tracking_number": shipment.tracking_number} if shipment.tracking_number else {}
    return {"shipment_id": shipment.shipment_id, "carrier": shipment.carrier, **number}


def of_scans(details: Sequence[TrackingDetail]) -> Facts:
    """What a carrier saw of the parcel: the last of them is the one that is taken."""
    told = [
        {"at": timestamp(one.at), "status": one.status.value, "location": one.location, "message": one.message}
        for one in details
    ]
    return {SCANS: told} if told else {}


def of_addresses(old: Address, new: Address) -> Facts:
    """Where the parcel was to go, and where it goes now."""
    return {OLD_ADDRESS: _address(old), NEW_ADDRESS: _address(new)}


def of_steps_undone(names: Iterable[str]) -> Facts:
    """Which steps had an effect that was taken back."""
    return {"undone": [str(name) for name in names]}


def of_erasure() -> Facts:
    """What an erasure has taken from the order."""
    return {"erased": ["shipping_address", "notes", "places"]}


def _money(money: Money) -> Facts:
    return {"amount": money.amount, "currency": money.currency}


def _address(address: Address) -> Facts:
    lines = {name: getattr(address, name) for name in ("name", "line1", "line2", "city", "postal_code", "country")}
    return {name: value for name, value in lines.items() if value is not None}
