"""What Stripe says of a payment intent, as an outcome: nothing here calls anything, or loads Stripe's client."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from orders.adapters import stripe_amounts
from orders.domain.identifiers import fingerprint
from orders.domain.money import Money
from orders.domain.payment import GatewayOutcome, NextAction, OutcomeKind

Found = Mapping[str, Any]
"""A payment intent with its latest charge, or a refund, as Stripe describes it."""

HOLD_LASTS = timedelta(days=7)
"""How long Stripe holds money where it does not say until when."""
PAYMENT_ID, ORDER_ID, REFUND_ID = "payment_id", "order_id", "refund_id"
"""The names of our own ids in Stripe's metadata."""
_CAPTURE = "capture-"
DECLINED = "The payment was declined."
CANCELED = "The payment was cancelled."

_KINDS: Mapping[str, OutcomeKind] = {
    "requires_confirmation": OutcomeKind.UNKNOWN,
    "requires_action": OutcomeKind.ACTION_REQUIRED,
    "processing": OutcomeKind.PENDING,
    "requires_capture": OutcomeKind.SETTLED,
    "succeeded": OutcomeKind.SETTLED,
    "canceled": OutcomeKind.DECLINED,
}


def outcome_of(found: Found, refunds: Iterable[Found] = ()) -> GatewayOutcome:
    """What an intent comes to; ``refunds`` are all refunds of its charge. One that was never confirmed is ``UNKNOWN``."""
    kind = _KINDS.get(found["status"], OutcomeKind.UNKNOWN)
    if found["status"] == "requires_payment_method":
        kind = OutcomeKind.DECLINED if found.get("last_payment_error") else OutcomeKind.UNKNOWN
    is_held = found["status"] == "requires_capture"
    return GatewayOutcome(
        kind,
        captured=captured(found),
        refunded=_refunded(found, refunds),
        next_action=_next_action(found) if kind is OutcomeKind.ACTION_REQUIRED else None,
        reason=_reason(found) if kind is OutcomeKind.DECLINED else None,
        expires_at=_held_until(found) if is_held else None,
        captures_once=is_held and not captures_often(found),
    )


def charge_of(found: Found) -> Found:
    """The intent's latest charge; empty where it has none."""
    charge = found.get("latest_charge")
    return charge if isinstance(charge, Mapping) else {}


def captured(found: Found) -> int:
    """What is captured of an intent, in our minor units."""
    if found["status"] not in ("succeeded", "requires_capture"):
        return 0
    charge, received = charge_of(found), found.get("amount_received")
    if received is None:
        received = charge.get("amount_captured")
    if received is None and charge.get("captured"):
        received = sum(captures(found).values()) or charge["amount"]
    return stripe_amounts.from_stripe(received or 0, found["currency"]).amount


def captures(found: Found) -> Mapping[str, int]:
    """What was asked to be captured, in Stripe's minor units, by the names that stand in the metadata."""
    metadata = found.get("metadata") or {}
    return {name: int(amount) for name, amount in metadata.items() if name.startswith(_CAPTURE) and amount}


def capture_name(capture_id: str) -> str:
    """What a capture is called in the metadata, where a name has 40 characters at most."""
    return f"{_CAPTURE}{fingerprint(capture_id)[:24]}"


def captures_often(found: Found) -> bool:
    """Whether the money may be captured in several parts: an ordinary hold is captured once."""
    return (_card(found).get("multicapture") or {}).get("status") == "available"


def has_failed(refund: Found) -> bool:
    """Whether Stripe gave a refund up."""
    return refund.get("status") in ("failed", "canceled")


def refund_id_of(refund: Found) -> str | None:
    """Our own id of a refund; ``None`` where it was made by other means."""
    return (refund.get("metadata") or {}).get(REFUND_ID)


def kind_of(refund: Found) -> OutcomeKind:
    """What a refund comes to."""
    if has_failed(refund):
        return OutcomeKind.DECLINED
    return OutcomeKind.SETTLED if refund.get("status") == "succeeded" else OutcomeKind.PENDING


def _refunded(found: Found, refunds: Iterable[Found]) -> int:
    """What was given back of what was captured. What a capture has released stands among the refunds too, once."""
    released = (charge_of(found).get("amount") or 0) - _in_stripe(found)
    total = 0
    for refund in refunds:
        if released and refund_id_of(refund) is None and refund["amount"] == released:
            released = 0
        elif not has_failed(refund):
            total += refund["amount"]
    return stripe_amounts.from_stripe(total, found["currency"]).amount


def _in_stripe(found: Found) -> int:
    return stripe_amounts.to_stripe(Money(captured(found), found["currency"].upper()))


def _card(found: Found) -> Mapping[str, Any]:
    return (charge_of(found).get("payment_method_details") or {}).get("card") or {}


def _held_until(found: Found) -> datetime:
    until = _card(found).get("capture_before")
    return datetime.fromtimestamp(until, UTC) if until else datetime.fromtimestamp(found["created"], UTC) + HOLD_LASTS


def _next_action(found: Found) -> NextAction:
    """What the customer has to do. Where Stripe names no page, the shop's own does it, with Stripe's library for browsers."""
    action = found.get("next_action") or {}
    kind = action.get("type") or "redirect_to_url"
    details = action.get(kind) or {}
    url = details.get("url") or details.get("hosted_instructions_url") or details.get("hosted_voucher_url")
    named = {"redirect_to_url": "redirect", "display_bank_transfer_instructions": "bank_transfer"}
    return NextAction(named.get(kind, kind), url)


def _reason(found: Found) -> str:
    if found["status"] == "canceled":
        return CANCELED
    return (found.get("last_payment_error") or {}).get("message") or DECLINED
