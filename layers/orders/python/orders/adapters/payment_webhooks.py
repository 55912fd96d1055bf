"""Payment providers' webhooks: verified by their signatures on the raw bytes, and read as what they say of a payment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from orders.adapters import stripe_amounts, stripe_intents
from orders.adapters.carrier_webhooks import LONGEST_ID, words
from orders.adapters.signatures import Headers, check_standard, check_stripe
from orders.domain import strict_json
from orders.domain.errors import InvalidArgument
from orders.domain.events import (
    PAYMENT_CHANGED,
    PAYMENT_CONFIRMED,
    PAYMENT_DISPUTED,
    PAYMENT_EVENTS,
    PAYMENT_FAILED,
    PROVIDERS_EVENTS,
    REFUND_FAILED,
)
from orders.domain.money import Money
from orders.domain.payment import Dispute
from orders.domain.payment_reports import OTHERS
from orders.domain.statuses import DisputeStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """What a webhook says. Without an ``order_id`` the provider knows which order its ``reference``, or ``charge``, is of."""

    event_type: str
    event_id: str
    order_id: str | None = None
    payment_id: str | None = None
    reference: str | None = None
    charge: str | None = None
    amount: Money | None = None
    reason: str | None = None
    refund_key: str | None = None
    dispute: Dispute | None = None


Read = Callable[[Any, datetime], Webhook | None]


@dataclass(frozen=True, slots=True)
class Sender:
    """A provider's signature and format; ``read`` takes the event and the time of its receipt."""

    verify: Callable[[bytes, Headers, str, datetime], None]
    read: Read


def receive(provider: str, body: bytes, headers: Headers, secret: str, now: datetime) -> Webhook | None:
    """What a provider's request says; ``None`` when nothing follows from it.

    Raises:
        Unauthenticated: the signature is missing, wrong or too old.
        InvalidArgument: signed by the provider, but not in its documented format.
    """
    sender = SENDERS[provider]
    sender.verify(body, headers, secret, now)
    try:
        return sender.read(strict_json.loads(body), now)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        raise InvalidArgument.of("body", "is not an event as this provider documents it") from None


def _text(value: Any) -> str | None:
    """A text that is stored as it is: printable, of bounded length."""
    if value is None:
        return None
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= LONGEST_ID:
        raise ValueError("not a text, empty, too long or not printable")
    return value


def _id(value: Any) -> str:
    found = _text(value)
    if found is None:
        raise ValueError("missing")
    return found


def _said(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"a {type(value).__name__} instead of a text")
    return words(value) if value else None


# --- stripe ---

_INTENTS: Mapping[str, str] = MappingProxyType(
    {
        "payment_intent.succeeded": PAYMENT_CONFIRMED,
        "payment_intent.payment_failed": PAYMENT_FAILED,
        **dict.fromkeys(
            (
                "payment_intent.requires_action",
                "payment_intent.processing",
                "payment_intent.amount_capturable_updated",
                "payment_intent.canceled",
            ),
            PAYMENT_CHANGED,
        ),
    }
)
_DISPUTES = ("charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed")
_REFUNDS = ("refund.failed", "refund.updated", "charge.refund.updated")
FROM_STRIPE = frozenset({*_INTENTS, *_DISPUTES, *_REFUNDS, "charge.refunded"})
"""The types of Stripe's events that are read."""
_DISPUTE_ENDS = MappingProxyType(
    {
        "won": DisputeStatus.WON,
        "lost": DisputeStatus.LOST,
        "warning_closed": DisputeStatus.CLOSED,
        "prevented": DisputeStatus.CLOSED,
    }
)


def _verify_stripe(body: bytes, headers: Headers, secret: str, now: datetime) -> None:
    check_stripe(body, headers, secret.split(), now)


def _read_stripe(event: Any, received: datetime) -> Webhook | None:
    kind, thing = event["type"], event["data"]["object"]
    event_id = f"stripe:{_id(event['id'])}"
    if kind in _INTENTS:
        return _intent(_INTENTS[kind], event_id, thing)
    if kind in _DISPUTES:
        return _dispute(event_id, thing, _at(event.get("created"), received))
    if kind in _REFUNDS:
        return _refund(event_id, thing)
    if kind == "charge.refunded":
        named = _named(thing, PAYMENT_CHANGED, event_id)
        return Webhook(**named, reference=_reference(thing), charge=_id(thing["id"]))
    return None


def _named(thing: Any, event_type: str, event_id: str) -> dict[str, Any]:
    """What every event has: our own ids are in the metadata of what we have made."""
    metadata = thing.get("metadata") or {}
    return {
        "event_type": event_type,
        "event_id": event_id,
        "order_id": _text(metadata.get(stripe_intents.ORDER_ID)),
        "payment_id": _text(metadata.get(stripe_intents.PAYMENT_ID)),
    }


def _intent(event_type: str, event_id: str, intent: Any) -> Webhook:
    error = intent.get("last_payment_error") or {}
    return Webhook(
        **_named(intent, event_type, event_id),
        reference=_id(intent["id"]),
        amount=stripe_amounts.from_stripe(_count(intent["amount"]), _id(intent["currency"])),
        reason=_said(error.get("message")) if event_type == PAYMENT_FAILED else None,
    )


def _dispute(event_id: str, thing: Any, at: datetime) -> Webhook:
    status = _DISPUTE_ENDS.get(thing["status"], DisputeStatus.OPEN)
    opened = _at(thing.get("created"), at)
    dispute = Dispute(
        dispute_id=_id(thing["id"]),
        status=status,
        opened_at=opened,
        amount=stripe_amounts.from_stripe(_count(thing["amount"]), _id(thing["currency"])),
        reason=_said(thing.get("reason")),
        closed_at=None if status is DisputeStatus.OPEN else max(at, opened),
    )
    named = _named(thing, PAYMENT_DISPUTED, event_id)
    return Webhook(**named, reference=_reference(thing), charge=_reference(thing, "charge"), dispute=dispute)


def _refund(event_id: str, refund: Any) -> Webhook:
    key = stripe_intents.refund_id_of(refund)
    has_failed = stripe_intents.has_failed(refund)
    return Webhook(
        **_named(refund, REFUND_FAILED if has_failed and key else PAYMENT_CHANGED, event_id),
        reference=_reference(refund),
        charge=_reference(refund, "charge"),
        refund_key=_text(key),
        reason=_said(refund.get("failure_reason")) if has_failed else None,
    )


def _reference(thing: Any, name: str = "payment_intent") -> str | None:
    """The id of what an object belongs to, where it may stand as a whole too."""
    found = thing.get(name)
    return _text(found["id"] if isinstance(found, Mapping) else found)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError("not an amount")
    return value


def _at(seconds: Any, otherwise: datetime) -> datetime:
    return otherwise if seconds is None else datetime.fromtimestamp(_count(seconds), UTC)


# --- generic: Standard Webhooks ---


def _read_generic(event: Any, received: datetime) -> Webhook:
    """``{event_type, event_id, order_id, payment_id?, amount?, reason?, refund_key?, dispute?}``, as on the bus.

    ``dispute`` is ``{dispute_id, status, amount?, reason?, opened_at?, closed_at?}``, the status as ours, times in RFC 3339.
    """
    kind = event["event_type"]
    if kind not in (*PAYMENT_EVENTS, *PROVIDERS_EVENTS):
        raise ValueError("no such event")
    if (kind == PAYMENT_DISPUTED) != ("dispute" in event) or (kind == REFUND_FAILED) != ("refund_key" in event):
        raise ValueError("a member too many, or missing")
    return Webhook(
        event_type=kind,
        event_id=f"{OTHERS}:{_id(event['event_id'])}",
        order_id=_id(event["order_id"]),
        payment_id=_text(event.get("payment_id")),
        amount=_money(event.get("amount")),
        reason=_said(event.get("reason")),
        refund_key=_text(event.get("refund_key")),
        dispute=_generic_dispute(event["dispute"], received) if "dispute" in event else None,
    )


def _generic_dispute(thing: Any, received: datetime) -> Dispute:
    status = DisputeStatus(thing["status"])
    closed = _moment(thing.get("closed_at"), received) if status is not DisputeStatus.OPEN else None
    opened, amount, reason = _moment(thing.get("opened_at"), received), _money(thing.get("amount")), _said(thing.get("reason"))
    return Dispute(_id(thing["dispute_id"]), status, opened, amount, reason, closed)


def _money(value: Any) -> Money | None:
    return None if value is None else Money(_count(value["amount"]), _id(value["currency"]))


def _moment(text: Any, otherwise: datetime) -> datetime:
    if text is None:
        return otherwise
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


SENDERS: Mapping[str, Sender] = MappingProxyType(
    {
        "stripe": Sender(_verify_stripe, _read_stripe),
        OTHERS: Sender(check_standard, _read_generic),
    }
)
