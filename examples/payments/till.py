"""A payment provider's adapter, whole: for Till, a made-up provider with a small JSON API over HTTP.

Till knows a payment by an id of its own, from ``POST /payments`` on, takes an ``Idempotency-Key`` with every
call and forgets none. One that forgets, as most do after a day, needs what ``orders.adapters.payments.stripe`` does besides.
"""

import json
import os
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from orders.adapters.payments.protocol import Intent, PaymentGateway
from orders.domain.errors import GatewayUnavailable
from orders.domain.payment import GatewayOutcome, NextAction, OutcomeKind
from orders.domain.steps import PaymentDeclined

SECONDS = 4
"""How long Till may take with a request; only ``void`` may make two."""
MINIMUM = {"USD": 50, "EUR": 50}
RETURNS = True
"""Till sends customers to their bank's page, and wants to know where they come back to."""

KINDS = {
    "open": OutcomeKind.UNKNOWN,
    "asks": OutcomeKind.ACTION_REQUIRED,
    "pending": OutcomeKind.PENDING,
    "held": OutcomeKind.SETTLED,
    "taken": OutcomeKind.SETTLED,
    "refused": OutcomeKind.DECLINED,
    "closed": OutcomeKind.DECLINED,
}


DECIDED = ("taken", "refused", "closed")
"""The states in which nothing more can be taken."""
MAYBE = (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)
"""The statuses with which Till, or what stands before it, does not say whether anything was done."""
LOST = GatewayOutcome(OutcomeKind.UNKNOWN)


class Refused(Exception):
    """Till has refused a call: the payment's state does not allow it."""


class Lost(Exception):
    """No answer came, or none that can be read: whether anything was done is not known."""


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as Till has it."""

    reference: str
    state: str
    outcome: GatewayOutcome


class Till:
    """Its payments."""

    def open(self, intent: Intent) -> str:
        """See ``PaymentGateway.open``."""
        asked = {
            "amount": intent.amount.amount,
            "currency": intent.amount.currency,
            "token": intent.token,
            "hold": not intent.capture,
            "order": intent.order_id,
        }
        try:
            return _call("POST", "/payments", intent.key, asked).reference
        except Refused as refusal:
            raise PaymentDeclined(str(refusal)) from None
        except Lost:
            raise GatewayUnavailable("The payment provider's response was lost.") from None

    def authorize(self, intent: Intent) -> GatewayOutcome:
        """See ``PaymentGateway.authorize``."""
        return _moved(intent, "confirm", f"{intent.key}-confirm", {"return_url": intent.return_url})

    def capture(self, intent: Intent, capture_id: str, amount: int) -> GatewayOutcome:
        """See ``PaymentGateway.capture``."""
        return _moved(intent, "capture", capture_id, {"amount": amount})

    def renew(self, intent: Intent) -> GatewayOutcome:
        """See ``PaymentGateway.renew``. Till cannot."""
        return GatewayOutcome(OutcomeKind.DECLINED, reason=f"{intent.order_id}: Till holds money no longer than it said.")

    def void(self, intent: Intent) -> GatewayOutcome:
        """See ``PaymentGateway.void``. What Till does not close may have been taken in the meantime."""
        try:
            found = _call("POST", f"/payments/{intent.reference}/close", f"{intent.key}-close", {})
        except Refused:
            found = _found(intent)
        except Lost:
            return LOST
        kind = OutcomeKind.SETTLED if found.state in DECIDED else OutcomeKind.PENDING
        return GatewayOutcome(kind, captured=found.outcome.captured, refunded=found.outcome.refunded)

    def refund(self, intent: Intent, refund_id: str, amount: int) -> GatewayOutcome:
        """See ``PaymentGateway.refund``."""
        return _moved(intent, "refund", refund_id, {"amount": amount})

    def look_up(self, intent: Intent, reported: OutcomeKind | None = None) -> GatewayOutcome:  # noqa: ARG002 - not believed
        """See ``PaymentGateway.look_up``."""
        return _found(intent).outcome


def _moved(intent: Intent, what: str, key: str, asked: dict[str, Any]) -> GatewayOutcome:
    try:
        return _call("POST", f"/payments/{intent.reference}/{what}", key, asked).outcome
    except Refused as refusal:
        return GatewayOutcome(OutcomeKind.DECLINED, reason=str(refusal))
    except Lost:
        return LOST


def _found(intent: Intent) -> Payment:
    """The payment, or a fault: only a payment that Till has, and has not confirmed, is ``unknown``."""
    try:
        return _call("GET", f"/payments/{intent.reference}")
    except (Refused, Lost):
        raise GatewayUnavailable("The payment provider does not say what has become of the payment.") from None


def _call(method: str, path: str, key: str = "", asked: dict[str, Any] | None = None) -> Payment:
    """The payment as Till has it after the call.

    Raises:
        Refused: Till does not allow it.
        Lost: it may have been done.
        GatewayUnavailable: it was not done: Till cannot be reached, is busy, or does not know us.
    """
    base, secret = os.environ["TILL_URL"], os.environ["TILL_KEY"]
    if urlsplit(base).scheme not in ("https", "http"):
        raise GatewayUnavailable("Till's address is none.")
    headers = {"authorization": f"Bearer {secret}", "content-type": "application/json", "idempotency-key": key}
    body = None if asked is None else json.dumps(asked).encode()
    request = Request(f"{base}{path}", body, headers, method=method)  # noqa: S310 - the scheme is checked
    try:
        with urlopen(request, timeout=SECONDS) as response:  # noqa: S310
            return _read(response.read())
    except HTTPError as answer:
        raise _refusal(answer) from None
    except URLError:
        # So ``urlopen`` calls what goes wrong until the request is sent.
        raise GatewayUnavailable("The payment provider cannot be reached.") from None
    except (OSError, HTTPException):
        raise Lost from None


def _refusal(answer: HTTPError) -> Exception:
    if answer.code == HTTPStatus.CONFLICT:
        return Refused(_why(answer))
    return Lost() if answer.code in MAYBE else GatewayUnavailable("The payment provider did not take the call.")


def _why(answer: HTTPError) -> str:
    """Till's words for the customer; ours where it has none."""
    try:
        return str(json.loads(answer.read())["why"])
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        return "The payment provider refused."


def _read(body: bytes) -> Payment:
    try:
        found = json.loads(body)
        return Payment(str(found["id"]), found["state"], _outcome(found))
    except (ValueError, LookupError, TypeError):
        raise Lost from None


def _outcome(found: dict[str, Any]) -> GatewayOutcome:
    kind = KINDS[found["state"]]
    said = GatewayOutcome(kind, captured=found["taken"], refunded=found["given_back"])
    if kind is OutcomeKind.ACTION_REQUIRED:
        return replace(said, next_action=NextAction("redirect", found["page"]))
    if found["state"] == "held":
        return replace(said, expires_at=datetime.fromisoformat(found["held_until"]))
    return replace(said, reason=found["why"]) if kind is OutcomeKind.DECLINED else said


GATEWAY: PaymentGateway = Till()
