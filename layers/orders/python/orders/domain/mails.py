"""E-mails to customers: which change of an order one is about, what is kept of it, and who gets none any more."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from orders.domain.events import EventType
from orders.domain.identifiers import fingerprint
from orders.domain.money import Money
from orders.domain.notifications import Message, stable_id
from orders.domain.order import Event, Snapshot, timestamp
from orders.domain.personal import Forgotten, Impersonal, guarded

MAIL_DUE = "MailDue"
"""What travels on the bus of a change that a mail is about."""


class MailKind(StrEnum):
    """What a mail is about; each has a file in every language."""

    PLACED = "placed"
    ACTION_NEEDED = "action_needed"
    SHORT = "short"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    RETURN_REQUESTED = "return_requested"
    RETURN_APPROVED = "return_approved"
    RETURN_DECLINED = "return_declined"
    RETURN_CANCELED = "return_canceled"
    RETURN_RECEIVED = "return_received"
    RETURNED = "returned"


ABOUT: Mapping[EventType, MailKind] = {
    EventType.ORDER_PLACED: MailKind.PLACED,
    EventType.PAYMENT_ACTION_REQUIRED: MailKind.ACTION_NEEDED,
    EventType.STOCK_SHORT: MailKind.SHORT,
    EventType.PARCEL_SHIPPED: MailKind.SHIPPED,
    EventType.ORDER_SHIPPED: MailKind.SHIPPED,
    EventType.PARCEL_DELIVERED: MailKind.DELIVERED,
    EventType.ORDER_DELIVERED: MailKind.DELIVERED,
    EventType.ORDER_CANCELLED: MailKind.CANCELLED,
    EventType.PAYMENT_REFUNDED: MailKind.REFUNDED,
    EventType.RETURN_REQUESTED: MailKind.RETURN_REQUESTED,
    EventType.RETURN_APPROVED: MailKind.RETURN_APPROVED,
    EventType.RETURN_DECLINED: MailKind.RETURN_DECLINED,
    EventType.RETURN_CANCELED: MailKind.RETURN_CANCELED,
    EventType.RETURN_RECEIVED: MailKind.RETURN_RECEIVED,
    EventType.ORDER_RETURNED: MailKind.RETURNED,
}
"""The mail about a change, by the type of its audit event; of the others nothing is sent."""

UNSUBSCRIBABLE = frozenset({MailKind.SHIPPED, MailKind.DELIVERED})
"""Those a customer can do without: what was ordered, has to be done, or became of money, is always sent."""


class MailStatus(StrEnum):
    """What became of a mail."""

    SENT = "SENT"
    SUPPRESSED = "SUPPRESSED"
    """The address gets none any more: it bounced, complained or unsubscribed."""
    REFUSED = "REFUSED"
    """The mail service does not take it, and never will."""


class Suppression(StrEnum):
    """Why an address gets no mail."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBED = "unsubscribed"

    def stops(self, kind: MailKind) -> bool:
        """Whether this mail is not sent for it."""
        return self is not Suppression.UNSUBSCRIBED or kind in UNSUBSCRIBABLE


@guarded
@dataclass(frozen=True, slots=True)
class Mail:
    """A mail about an order, as it is kept: the whole of it goes when the customer's data is erased."""

    mail_id: Impersonal
    kind: MailKind
    status: MailStatus
    at: datetime
    language: Impersonal
    to: Forgotten | None = None
    subject: Forgotten | None = None
    text: Forgotten | None = None
    reason: Impersonal | None = None


def digest_of(address: str) -> str:
    """What stands for an address where it must not be read."""
    return fingerprint(address.casefold())


_NAMED = ("refund_id", "shipment_id")
"""What of an order a mail is about, as the facts of its change name it."""
_PLACE = 255
"""Behind all notifications of the same change: its id is another one."""


def due(event: Event) -> Message | None:
    """What travels on the bus where a mail is about a change: ids, and nothing personal."""
    kind = ABOUT.get(event.type)
    if kind is None:
        return None
    detail: dict[str, Any] = {
        "event_id": stable_id(event, _PLACE),
        "event_type": MAIL_DUE,
        "mail": kind,
        "order_id": event.order_id,
        "customer_id": event.customer_id,
        "timestamp": timestamp(event.at),
        "version": event.version,
        **{name: event.metadata[name] for name in _NAMED if name in event.metadata},
    }
    return MAIL_DUE, detail, event.at


def values_of(snapshot: Snapshot, links: Mapping[str, str], due: Mapping[str, Any]) -> dict[str, str]:
    """What a mail about the order is filled with; what there is nothing of is empty.

    ``due`` names the refund or the parcel that it is about. Releases before did not: then it is about the latest parcel, and
    about all money that was given back.
    """
    order, payment = snapshot.order, snapshot.payment
    parcel = next((one for one in snapshot.shipments if one.shipment_id == due.get("shipment_id")), snapshot.shipment)
    action = payment.next_action if payment else None
    return {
        "reason": order.cancellation.reason if order.cancellation else "",
        "order": order.external_id or order.order_id,
        "name": order.shipping_address.name,
        "items": "\n".join(f"{line.quantity} x {line.name}" for line in order.lines),
        "total": str(order.total),
        **_refunded(snapshot, due.get("refund_id")),
        "received": _received(snapshot),
        "carrier": parcel.carrier if parcel else "",
        "tracking_number": (parcel.tracking_number or "") if parcel else "",
        "action_url": (action.url or "") if action else "",
        **links,
    }


def _received(snapshot: Snapshot) -> str:
    """What has come back of the return of which something has come back last."""
    found = [one for one in snapshot.returns if one.received_at]
    if not found:
        return ""
    lines, last = snapshot.order.lines_by_id, max(found, key=lambda one: one.received_at or one.created_at)
    return "\n".join(f"{item.received} x {lines[item.line_id].name}" for item in last.items if item.received)


def _refunded(snapshot: Snapshot, refund_id: str | None) -> dict[str, str]:
    """What was given back, and in all where that is more."""
    currency = snapshot.order.total.currency
    in_all = Money(snapshot.payment.amount_refunded if snapshot.payment else 0, currency)
    now = next((one.amount for one in snapshot.refunds if one.refund_id == refund_id), in_all)
    return {"refunded": str(now) if now.amount else "", "refunded_in_all": str(in_all) if in_all.amount > now.amount else ""}
