"""The facts of a change, as written to its audit event's metadata: amounts, goods, parcels, addresses, each by one name."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from orders.domain.address import ADDRESS_PARTS, Address, Contact
from orders.domain.money import Money
from orders.domain.order import Order, timestamp
from orders.domain.parcels import Shipment, TrackingDetail
from orders.domain.payment import Dispute, Payment
from orders.domain.payment_reports import PaymentReport
from orders.domain.refund import Refund
from orders.domain.returns import Return, ReturnedPieces
from orders.domain.statuses import FULFILLMENT_MEANS, SCAN_MEANS
from orders.domain.steps import CancelReason

Facts = dict[str, Any]

SCANS = "scans"
OLD_ADDRESS, NEW_ADDRESS = "old_address", "new_address"
OLD_DETAILS, NEW_DETAILS = "old_details", "new_details"

NOT_ASKED = "NOT_ASKED"


def _never(_: Any) -> bool:
    return False


def _always(_: Any) -> bool:
    return True


def _only(*members: str) -> Callable[[Any], bool]:
    """Plain text or a number, or entries of these members and no others: an outside event may use the same names."""

    def is_plain(value: Any) -> bool:
        entries = value if isinstance(value, list) else [value]
        return all(not isinstance(entry, Mapping) or set(entry) <= set(members) for entry in entries)

    return is_plain


def _is_reason(value: Any) -> bool:
    return isinstance(value, str) and value in set(CancelReason)


_TIME = re.compile(r"[0-9T:.-]+Z", re.ASCII)


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and _TIME.fullmatch(value) is not None


def _is_fulfillment_status(value: Any) -> bool:
    return isinstance(value, str) and value in {*FULFILLMENT_MEANS, *SCAN_MEANS.values()}


@dataclass(frozen=True, slots=True)
class Fact:
    """What one fact of an audit event may say, by its name.

    ``stays`` is which values an erasure of personal data leaves, ``from_others`` whether it leaves them where a warehouse or
    a carrier reported them. ``is_shown`` is which values the order's owner sees. ``is_ours`` is whether the pipeline notes it
    itself: what others say under the name of such a fact is kept under another.
    """

    stays: Callable[[Any], bool] = _never
    from_others: bool = False
    is_shown: Callable[[Any], bool] = _always
    is_ours: bool = True


def _accounted(*members: str) -> Fact:
    """What accounts need: it stays, and is shown, as long as it has nothing else in it."""
    return Fact(stays=_only(*members), is_shown=_only(*members))


DETAILS = ("external_id", "contact", "metadata", "note")


def _are_details(value: Any) -> bool:
    return isinstance(value, list) and all(name in DETAILS for name in value)


FACTS: Mapping[str, Fact] = MappingProxyType(
    {
        OLD_ADDRESS: Fact(),
        NEW_ADDRESS: Fact(),
        OLD_DETAILS: Fact(),
        NEW_DETAILS: Fact(),
        "changed_details": Fact(stays=_are_details, is_shown=_are_details),
        "amount": _accounted("amount", "currency"),
        "dispute_id": _accounted(),
        "dispute_reason": _accounted(),
        "dispute_status": _accounted(),
        "erased": _accounted(),
        "items": _accounted("product_id", "quantity"),
        "method": _accounted(),
        "lines": _accounted("line_id", "quantity"),
        "missing": _accounted("line_id", "product_id", "quantity"),
        "payment_id": _accounted(),
        "capture_id": _accounted(),
        "captured": _accounted("amount", "currency"),
        "payment_event": _accounted(),
        "payment_status": _accounted(),
        "refund_id": _accounted(),
        "refund_status": _accounted(),
        "refunded_items": _accounted("line_id", "quantity"),
        "return_id": _accounted(),
        "return_status": _accounted(),
        "received": _accounted("line_id", "product_id", "quantity", "condition"),
        "returns": _accounted("return_id", "return_status"),
        "return_items": _accounted("line_id", "product_id", "quantity"),
        "run": _accounted(),
        "shipment_id": _accounted(),
        "shipment_status": _accounted(),
        "undone": _accounted(),
        "cancellation_reason": Fact(stays=_is_reason, from_others=True),
        "delivered_at": Fact(stays=_is_time, from_others=True),
        "expires_at": Fact(stays=_always),
        "booked_tracking_number": Fact(stays=_always, is_shown=_never),
        "estimated_delivery": Fact(),
        "location": Fact(),
        "source": Fact(),
        # Where a carrier reported them, the owner sees them all the same.
        SCANS: Fact(is_shown=_never),
        "carrier": Fact(is_ours=False),
        "event_id": Fact(is_ours=False),
        "fulfillment_id": Fact(is_ours=False),
        "fulfillment_status": Fact(stays=_is_fulfillment_status, from_others=True, is_ours=False),
        "reported_at": Fact(stays=_always, from_others=True, is_ours=False),
        "tracking_number": Fact(stays=_always, from_others=True, is_ours=False),
    }
)
"""Every fact that the pipeline knows. Any other is a warehouse's own: for staff only, and removed by an erasure."""

UNKNOWN = Fact(is_shown=_never, is_ours=False)

OWN = frozenset(name for name, fact in FACTS.items() if fact.is_ours)
"""The names under which the pipeline notes facts of its own."""


def stays(name: str, value: Any, *, by_others: bool) -> bool:
    """Whether an erasure of personal data leaves the fact."""
    fact = FACTS.get(name, UNKNOWN)
    return fact.stays(value) and (fact.from_others or not by_others)


def is_owners(name: str, value: Any) -> bool:
    """Whether the order's owner sees the fact."""
    return FACTS.get(name, UNKNOWN).is_shown(value)


def of_total(order: Order) -> Facts:
    """What is ordered, and for how much."""
    return {"amount": _money(order.total), **of_goods(order.pieces)}


def of_goods(pieces: Mapping[str, int]) -> Facts:
    """So many pieces of each product, taken or given back."""
    return {"items": [{"product_id": product_id, "quantity": abs(count)} for product_id, count in pieces.items()]}


def of_pieces(pieces: Mapping[str, int]) -> Facts:
    """So many pieces of each line, by the lines' ids."""
    return {"lines": [{"line_id": line_id, "quantity": count} for line_id, count in pieces.items()]}


def of_payment(payment: Payment | None) -> Facts:
    """Which payment, and of what amount."""
    if payment is None:
        return {}
    return {"payment_id": payment.payment_id, "amount": _money(payment.amount), "method": payment.method.value}


def of_refunds(refunds: Iterable[Refund]) -> Facts:
    """Which refund, of what amount, and the pieces it is for; a change is about one of them."""
    found: Facts = {}
    for one in refunds:
        found |= {"refund_id": one.refund_id, "refund_status": one.status.value, "amount": _money(one.amount)}
        found |= {"return_id": one.return_id} if one.return_id else {}
        if one.items:
            found["refunded_items"] = [{"line_id": line.line_id, "quantity": line.quantity} for line in one.items]
    return found


def of_dispute(dispute: Dispute) -> Facts:
    """What is asked back, and what has come of it."""
    facts = {"dispute_id": dispute.dispute_id, "dispute_status": dispute.status.value, "dispute_reason": dispute.reason}
    amount = _money(dispute.amount) if dispute.amount else None
    return {name: fact for name, fact in {**facts, "amount": amount}.items() if fact is not None}


def of_capture(capture_id: str, amount: int, currency: str) -> Facts:
    """How much of the money that is held is taken, and under which key."""
    return {"capture_id": capture_id, "captured": {"amount": amount, "currency": currency}}


def of_report(report: PaymentReport) -> Facts:
    """What an event says of a payment."""
    said = {"payment_event": report.event_type, "event_id": report.marker, "payment_id": report.payment_id}
    amount = {"amount": _money(report.amount)} if report.amount else {}
    return {**{name: text for name, text in said.items() if text}, **amount}


def of_money(order: Order, payment: Payment | None) -> Facts:
    """The payment's status; ``NOT_ASKED`` if no provider was called and no cash was agreed on."""
    return {"method": order.method.value, "payment_status": payment.status.value if payment else NOT_ASKED}


def of_end(order: Order, payment: Payment | None, reason: CancelReason | None = None) -> Facts:
    """What ends with an order, why where it is cancelled, and the payment's status."""
    why = {"cancellation_reason": str(reason)} if reason else {}
    return {**why, **of_total(order), **of_money(order, payment)}


def of_return(order: Order, one: Return) -> Facts:
    """Which return, how far it has come, and what it is of."""
    lines = order.lines_by_id
    items = [
        {"line_id": item.line_id, "product_id": lines[item.line_id].product_id, "quantity": item.quantity} for item in one.items
    ]
    return {"return_id": one.return_id, "return_status": one.status.value, "return_items": items}


def of_further_returns(returns: Iterable[Return], said: Mapping[str, Any]) -> Facts:
    """Which returns a change has moved, and how far, but for the one that it ``said`` already."""
    found = [{"return_id": one.return_id, "return_status": one.status.value} for one in returns]
    further = [one for one in found if one["return_id"] != said.get("return_id")]
    return {"returns": further} if further else {}


def of_receipt(order: Order, pieces: Iterable[ReturnedPieces]) -> Facts:
    """What has come back, and how it was found."""
    lines = order.lines_by_id
    received = [
        {
            "line_id": one.line_id,
            "product_id": lines[one.line_id].product_id,
            "quantity": one.quantity,
            "condition": one.condition.value,
        }
        for one in pieces
    ]
    return {"received": received}


def of_parcel(shipment: Shipment | None) -> Facts:
    """Which parcel, and the number it travels under."""
    if shipment is None:
        return {}
    number = {"tracking_number": shipment.tracking_number} if shipment.tracking_number else {}
    packed = of_pieces(shipment.items) if shipment.items else {}
    parcel = {"shipment_id": shipment.shipment_id, "carrier": shipment.carrier, **number}
    return {**parcel, **packed}


def of_part(shipment: Shipment | None) -> Facts:
    """How far a parcel of some of the order's goods has come; of one of all of them the order's own status tells."""
    return {"shipment_status": shipment.status.value} if shipment and shipment.items else {}


def of_scans(details: Sequence[TrackingDetail]) -> Facts:
    """What a carrier saw of the parcel: the last of them is the one that is taken."""
    scans = [
        {"at": timestamp(one.at), "status": one.status.value, "location": one.location, "message": one.message}
        for one in details
    ]
    return {SCANS: scans} if scans else {}


def of_addresses(old: Address, new: Address) -> Facts:
    """Where the parcel was to go, and where it goes now."""
    return {OLD_ADDRESS: _address(old), NEW_ADDRESS: _address(new)}


def of_details(old: Order, new: Order) -> Facts:
    """Which of an order's details have changed, and what they were and are."""
    changed = [name for name in DETAILS if getattr(old, name) != getattr(new, name)]
    before, after = ({name: held for name in changed if (held := _detail(order, name))} for order in (old, new))
    return {"changed_details": changed, OLD_DETAILS: before, NEW_DETAILS: after}


def _detail(order: Order, name: str) -> Any:
    held = getattr(order, name)
    if isinstance(held, Contact):
        return {part: value for part in ("email", "phone", "locale") if (value := getattr(held, part))}
    return dict(held) if isinstance(held, Mapping) else held


def of_missing(order: Order, pieces: Mapping[str, int]) -> Facts:
    """What was missing in stock."""
    lines = order.lines_by_id
    missing = [{"line_id": id_, "product_id": lines[id_].product_id, "quantity": count} for id_, count in pieces.items()]
    return {"missing": missing}


def of_steps_undone(names: Iterable[str]) -> Facts:
    """Which steps had an effect that was taken back."""
    return {"undone": [str(name) for name in names]}


def of_erasure() -> Facts:
    """What an erasure has taken from the order."""
    return {"erased": ["shipping_address", "billing_address", "contact", "metadata", "notes", "places"]}


def _money(money: Money) -> Facts:
    return {"amount": money.amount, "currency": money.currency}


def _address(address: Address) -> Facts:
    lines = {name: getattr(address, name) for name in ADDRESS_PARTS}
    return {name: value for name, value in lines.items() if value}
