"""A payment provider's adapter, whole: for Till, a made-up provider with a small JSON API over HTTP.

Till knows a payment by an id of its own, from ``POST /payments`` on, takes an ``Idempotency-Key`` with every
call and forgets none. One that forgets, as most do after a day, needs what ``orders.adapters.payments.stripe`` does besides.
"""

import json
import os
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from orders.adapters.payments.protocol import Intent, PaymentGateway
from orders.domain.errors import GatewayUnavailable
from orders.domain.payment import GatewayOutcome, NextAction, OutcomeKind

SECONDS = 6
"""How long Till may take: three calls of one function end within its 30 s."""
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


class Refused(Exception):
    """Till has refused a call: the payment's state does not allow it."""


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
        made = self._call("POST", "/payments", intent.key, asked)
        if made is None:
            raise GatewayUnavailable("The payment provider's response was lost.")
        return str(made["id"])

    def authorize(self, intent: Intent) -> GatewayOutcome:
        """See ``PaymentGateway.authorize``."""
        return self._moved(intent, "confirm", f"{intent.key}-confirm", {"return_url": intent.return_url})

    def capture(self, intent: Intent, capture_id: str, amount: int) -> GatewayOutcome:
        """See ``PaymentGateway.capture``."""
        return self._moved(intent, "capture", capture_id, {"amount": amount})

    def renew(self, intent: Intent) -> GatewayOutcome:
        """See ``PaymentGateway.renew``. Till cannot."""
        return GatewayOutcome(OutcomeKind.DECLINED, reason=f"{intent.order_id}: Till holds money no longer than it said.")

    def void(self, intent: Intent) -> GatewayOutcome:
        """See ``PaymentGateway.void``."""
        found = self._call("POST", f"/payments/{intent.reference}/close", f"{intent.key}-close", {})
        if found is None:
            return GatewayOutcome(OutcomeKind.UNKNOWN)
        kind = OutcomeKind.PENDING if found["state"] == "pending" else OutcomeKind.SETTLED
        return GatewayOutcome(kind, captured=found["taken"], refunded=found["given_back"])

    def refund(self, intent: Intent, refund_id: str, amount: int) -> GatewayOutcome:
        """See ``PaymentGateway.refund``."""
        return self._moved(intent, "refund", refund_id, {"amount": amount})

    def look_up(self, intent: Intent, reported: OutcomeKind | None = None) -> GatewayOutcome:  # noqa: ARG002 - not believed
        """See ``PaymentGateway.look_up``."""
        found = self._call("GET", f"/payments/{intent.reference}")
        if found is None:
            raise GatewayUnavailable("The payment provider's response was lost.")
        return _outcome(found)

    def _moved(self, intent: Intent, what: str, key: str, asked: dict[str, Any]) -> GatewayOutcome:
        try:
            found = self._call("POST", f"/payments/{intent.reference}/{what}", key, asked)
        except Refused as refusal:
            return GatewayOutcome(OutcomeKind.DECLINED, reason=str(refusal))
        return _outcome(found) if found else GatewayOutcome(OutcomeKind.UNKNOWN)

    def _call(self, method: str, path: str, key: str = "", asked: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """The payment as Till has it then; ``None`` where no answer came, so that it is looked up and never guessed.

        Raises:
            Refused: Till does not allow it.
            GatewayUnavailable: Till is down, or does not know us.
        """
        base, secret = os.environ["TILL_URL"], os.environ["TILL_KEY"]
        if urlsplit(base).scheme not in ("https", "http"):
            raise GatewayUnavailable("Till's address is none.")
        headers = {"authorization": f"Bearer {secret}", "content-type": "application/json", "idempotency-key": key}
        body = None if asked is None else json.dumps(asked).encode()
        request = Request(f"{base}{path}", body, headers, method=method)  # noqa: S310 - the scheme is checked
        try:
            with urlopen(request, timeout=SECONDS) as response:  # noqa: S310
                found: dict[str, Any] = json.load(response)
                return found
        except HTTPError as answer:
            if answer.code == HTTPStatus.CONFLICT:
                raise Refused(json.load(answer)["why"]) from None
            raise GatewayUnavailable("The payment provider did not take the call.") from None
        except (URLError, TimeoutError, ConnectionError):
            return None


def _outcome(found: dict[str, Any]) -> GatewayOutcome:
    kind = KINDS[found["state"]]
    return GatewayOutcome(
        kind,
        captured=found["taken"],
        refunded=found["given_back"],
        next_action=NextAction("redirect", found["page"]) if kind is OutcomeKind.ACTION_REQUIRED else None,
        reason=found.get("why") if kind is OutcomeKind.DECLINED else None,
        expires_at=datetime.fromisoformat(found["held_until"]) if found["state"] == "held" else None,
        captures_once=False,
    )


GATEWAY: PaymentGateway = Till()
