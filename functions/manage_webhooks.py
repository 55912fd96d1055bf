"""Webhook subscriptions, for admins: make, list, end, give a new secret, look at the deliveries and send one again."""

import os
from dataclasses import replace
from http import HTTPStatus
from itertools import islice

from orders.adapters import queues as messaging
from orders.adapters import secrets
from orders.adapters import webhook_sender as outbound
from orders.adapters.store import deliveries, webhooks
from orders.domain import identifiers as ids
from orders.domain.errors import ConstraintViolated
from orders.domain.webhooks import (
    DeliveryStatus,
    Secret,
    Webhook,
    WebhookStatus,
    delivery_view,
    new_secret,
    rotated,
    webhook_view,
)
from orders.services.changes import utc_now
from orders.web import requests, tokens
from orders.web.http import Answer, Request, answer, serve

USUAL_PAGE, LARGEST_PAGE = 20, 100


def add_webhook(request: Request) -> Answer:
    """Subscribes an endpoint; its secret is shown this once."""
    body = request.parse(requests.AddWebhook)
    outbound.check_url(body.url)
    now = utc_now()
    secret = new_secret(os.urandom(24))
    webhook = Webhook(f"wh-{ids.uuid7(now, os.urandom(10))}", body.url, tuple(body.events), (Secret(secret),), now)
    webhooks.add(webhook)
    headers = {"location": f"/webhooks/{webhook.webhook_id}"}
    return answer(webhook_view(webhook, secret), HTTPStatus.CREATED, headers)


def list_webhooks(_: Request) -> Answer:
    """All subscriptions."""
    return answer({"webhooks": [webhook_view(webhook) for webhook in webhooks.load_all()]})


def get_webhook(request: Request) -> Answer:
    """One subscription."""
    return answer(webhook_view(webhooks.load(request.webhook_id)))


def remove_webhook(request: Request) -> Answer:
    """Ends a subscription."""
    webhooks.remove(request.webhook_id, utc_now())
    return {"statusCode": int(HTTPStatus.NO_CONTENT)}


def rotate_secret(request: Request) -> Answer:
    """Gives a new secret, shown this once; the old one signs beside it for a day. A disabled endpoint is active again."""
    request.parse(requests.Empty)
    secret, now = new_secret(os.urandom(24)), utc_now()

    def renewed(found: Webhook) -> Webhook:
        active = replace(found, status=WebhookStatus.ACTIVE, failing_since=None, disabled_reason=None)
        return rotated(active, secret, now)

    return answer(webhook_view(webhooks.change(request.webhook_id, renewed), secret))


def list_deliveries(request: Request) -> Answer:
    """What was owed to an endpoint, newest first, with every attempt."""
    webhook = webhooks.load(request.webhook_id)
    limit = request.number("limit", USUAL_PAGE, LARGEST_PAGE)
    scope, cursor = f"deliveries/{webhook.webhook_id}", request.query.get("cursor")
    before = tokens.place_of(cursor, scope, secrets.signing_key()) if cursor is not None else None
    found = list(islice(deliveries.newest_first(webhook.webhook_id, before, limit + 1), limit + 1))
    page = found[:limit]
    more = tokens.cursor(page[-1].delivery_id, scope, secrets.signing_key()) if len(found) > limit else None
    return answer({"deliveries": [delivery_view(delivery) for delivery in page], "next_cursor": more})


def redeliver(request: Request) -> Answer:
    """Sends one delivery again, now."""
    request.parse(requests.Empty)
    webhook = webhooks.load(request.webhook_id)
    if webhook.status is WebhookStatus.DISABLED:
        raise ConstraintViolated("This webhook is disabled; a new secret enables it again.")
    before = deliveries.load(webhook.webhook_id, request.delivery_id)
    after = replace(before, status=DeliveryStatus.PENDING, next_attempt_at=None)
    deliveries.save(before, after)
    messaging.owe(webhook.webhook_id, before.delivery_id, 0)
    return answer(delivery_view(after), HTTPStatus.ACCEPTED)


handler = serve(
    {
        "POST /webhooks": add_webhook,
        "GET /webhooks": list_webhooks,
        "GET /webhooks/{id}": get_webhook,
        "DELETE /webhooks/{id}": remove_webhook,
        "POST /webhooks/{id}/rotate": rotate_secret,
        "GET /webhooks/{id}/deliveries": list_deliveries,
        "POST /webhooks/{id}/deliveries/{delivery_id}/redeliver": redeliver,
    }
)
