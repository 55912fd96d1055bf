"""What payment providers' webhooks say: verified, matched with its order, and passed on as an event of the bus."""

import re
from collections.abc import Mapping
from typing import Any

from orders import logs
from orders.adapters import bus, payment_webhooks, secret_store
from orders.adapters.payment_webhooks import Webhook
from orders.adapters.payments.registry import owner_of
from orders.adapters.store import orders
from orders.domain.errors import NotFound
from orders.domain.events import PROVIDERS_SOURCE
from orders.domain.identifiers import OrderId
from orders.domain.limits import ORDER_ID
from orders.domain.order import timestamp
from orders.domain.payment import Dispute
from orders.domain.payment_reports import is_foreign
from orders.services.changes import Clock, utc_now

logger = logs.logger()

SENDERS = tuple(payment_webhooks.SENDERS)
"""Whose webhooks are understood, by their names."""


def receive(provider: str, body: bytes, headers: Mapping[str, str], clock: Clock = utc_now) -> bool:
    """Verifies a request's bytes and passes on what it says; an unknown payment is not an error.

    Raises:
        Unauthenticated: the signature is missing, wrong or too old.
        InvalidArgument: signed by the provider, but not in its documented format.
        GatewayUnavailable: the provider does not say now whose payment it is: it will send the webhook again.
    """
    now = clock()
    said = payment_webhooks.receive(provider, body, headers, secret_store.payment_secret(f"{provider}-webhooks"), now)
    if said is None:
        return False
    order_id, payment_id = (said.order_id, said.payment_id) if said.order_id else _owner(provider, said)
    if order_id is None or not _is_its_own(provider, order_id):
        return False
    detail = _detail(provider, said, order_id, payment_id)
    bus.publish([(said.event_type, detail, now)], PROVIDERS_SOURCE)
    return True


def _owner(provider: str, said: Webhook) -> tuple[str | None, str | None]:
    """Whose payment it is, as the provider's own books have it."""
    return owner_of(provider, said.reference, said.charge) or (None, None)


def _is_its_own(provider: str, order_id: str) -> bool:
    """Whether there is such an order, whose payment is not another provider's."""
    if not re.fullmatch(ORDER_ID, order_id):
        return False
    try:
        payment = orders.load(OrderId(order_id)).payment
    except NotFound:
        return False
    if is_foreign(payment, provider):
        logger.warning("A sender reported another provider's payment", sender=provider, order_id=order_id)
        return False
    return True


def _detail(provider: str, said: Webhook, order_id: str, payment_id: str | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "event_type": said.event_type,
        "event_id": said.event_id,
        "order_id": order_id,
        "payment_id": payment_id,
        "reference": said.reference,
        "amount": _amount(said),
        "reason": said.reason,
        "refund_key": said.refund_key,
        "dispute": _dispute(said.dispute) if said.dispute else None,
        "sender": provider,
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _amount(said: Webhook) -> dict[str, Any] | None:
    return {"amount": said.amount.amount, "currency": said.amount.currency} if said.amount else None


def _dispute(dispute: Dispute) -> dict[str, Any]:
    facts = {
        "dispute_id": dispute.dispute_id,
        "status": dispute.status.value,
        "opened_at": timestamp(dispute.opened_at),
        "amount": {"amount": dispute.amount.amount, "currency": dispute.amount.currency} if dispute.amount else None,
        "reason": dispute.reason,
        "closed_at": timestamp(dispute.closed_at) if dispute.closed_at else None,
    }
    return {name: fact for name, fact in facts.items() if fact is not None}
