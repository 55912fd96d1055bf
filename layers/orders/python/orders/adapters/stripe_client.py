"""Stripe's own client: the calls that a payment needs, each with a time-out, and Stripe's errors as ours.

Only ``adapters/payments/stripe`` loads this module, with its first call: the client has a layer of its own, for the functions
that ask a payment provider.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import stripe

from orders import logs, settings
from orders.adapters import secret_store
from orders.adapters.stripe_refusals import Declined, Lost, NotTaken
from orders.domain.errors import GatewayUnavailable

logger = logs.logger()

CONNECT_SECONDS, READ_SECONDS, CONFIRM_SECONDS = 1.0, 3.0, 10.0
"""How long Stripe may take; a confirmation asks the customer's bank. A function that runs 30 s makes one confirmation and
four other calls at most, or six others. Refusing a parameter takes no longer than another call: the bank is not asked."""

Found = Mapping[str, Any]
_EXPANDED = {"expand": ["latest_charge"]}


def create(params: Any, key: str) -> str:
    """A new payment intent's id; the same for the same key."""
    with _asking():
        return _client().v1.payment_intents.create(params, {"idempotency_key": key}).id


def retrieve(reference: str) -> Found:
    """The intent as it is now."""
    params: Any = _EXPANDED
    with _asking():
        return _client().v1.payment_intents.retrieve(reference, params).to_dict()


def intent_of_charge(charge: str) -> Found:
    """The intent that a charge is of."""
    params: Any = {"expand": ["payment_intent"]}
    with _asking():
        found = _client().v1.charges.retrieve(charge, params).to_dict().get("payment_intent")
        return found if isinstance(found, dict) else {}


def confirm(reference: str, params: Mapping[str, Any], key: str) -> Found:
    """The intent after it was confirmed."""
    asked: Any = {**params, **_EXPANDED}
    with _asking():
        client = _client(CONFIRM_SECONDS)
        return client.v1.payment_intents.confirm(reference, asked, {"idempotency_key": key}).to_dict()


def capture(reference: str, params: Mapping[str, Any], key: str) -> Found:
    """The intent after so much of it was captured."""
    asked: Any = {**params, **_EXPANDED}
    with _asking():
        return _client().v1.payment_intents.capture(reference, asked, {"idempotency_key": key}).to_dict()


def cancel(reference: str, key: str) -> Found:
    """The intent after it was canceled."""
    params: Any = _EXPANDED
    with _asking():
        return _client().v1.payment_intents.cancel(reference, params, {"idempotency_key": key}).to_dict()


def note(reference: str, metadata: Mapping[str, str]) -> None:
    """Writes into the intent's metadata; an empty text removes what stands there."""
    with _asking():
        _client().v1.payment_intents.update(reference, {"metadata": dict(metadata)})


def refunds(reference: str) -> list[Found]:
    """All refunds of the intent, the latest first."""
    with _asking():
        listed = _client().v1.refunds.list({"payment_intent": reference, "limit": 100})
        return [one.to_dict() for one in listed.data]


def refund(params: Any, key: str) -> Found:
    """A new refund."""
    with _asking():
        return _client().v1.refunds.create(params, {"idempotency_key": key}).to_dict()


def _client(read_seconds: float = READ_SECONDS) -> stripe.StripeClient:
    """The client with the secret key as it is now."""
    return _client_with(secret_store.payment_secret("stripe"), settings.stripe_api_base(), read_seconds)


@cache
def _client_with(key: str, base: str, read_seconds: float) -> stripe.StripeClient:
    stripe.enable_telemetry = False
    return stripe.StripeClient(
        key,
        base_addresses={"api": base} if base else None,
        # The machines, the queues and the sweep try again, with the same keys.
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=(CONNECT_SECONDS, read_seconds)),
    )


@contextmanager
def _asking() -> Iterator[None]:
    """Stripe's errors in this block as ours.

    Raises:
        Declined, NotTaken, Lost: see there.
        GatewayUnavailable: it is not the customer: Stripe is down or busy, or does not accept our key or our call.
    """
    try:
        yield
    except stripe.CardError as refusal:
        raise Declined(refusal.user_message) from refusal
    except stripe.InvalidRequestError as refusal:
        raise NotTaken(refusal.code, refusal.param or refusal.user_message or "") from refusal
    except stripe.APIConnectionError as fault:
        raise Lost from fault
    except stripe.StripeError as fault:
        # Not its words: they may quote the key.
        name, status, request = type(fault).__name__, fault.http_status, fault.request_id
        logger.warning("Stripe did not take a call", error=name, http_status=status, request=request)
        raise GatewayUnavailable("The payment provider did not take the call.") from None
