"""Subscriptions to what happens, and their deliveries."""

from http import HTTPStatus

from orders.web.routes.route import KEEPER, Route

WEBHOOKS = (
    Route(
        "POST /webhooks",
        KEEPER,
        "addWebhook",
        "Subscribe an endpoint; its secret is shown this once",
        "manage_webhooks",
        body="AddWebhook",
        answer="Webhook",
        status=HTTPStatus.CREATED,
        refusals=("NotFound", "IdempotencyMismatch"),
    ),
    Route("GET /webhooks", KEEPER, "listWebhooks", "List the subscriptions", "manage_webhooks", answer="WebhookList"),
    Route(
        "GET /webhooks/{id}",
        KEEPER,
        "getWebhook",
        "Read a subscription",
        "manage_webhooks",
        answer="Webhook",
        refusals=("NotFound",),
    ),
    Route(
        "DELETE /webhooks/{id}",
        KEEPER,
        "removeWebhook",
        "End a subscription",
        "manage_webhooks",
        status=HTTPStatus.NO_CONTENT,
        refusals=("NotFound",),
    ),
    Route(
        "POST /webhooks/{id}/rotate",
        KEEPER,
        "rotateWebhookSecret",
        "Give a new secret; the old one signs beside it for a day",
        "manage_webhooks",
        body="Empty",
        answer="Webhook",
        refusals=("NotFound", "IdempotencyMismatch"),
    ),
    Route(
        "GET /webhooks/{id}/deliveries",
        KEEPER,
        "listDeliveries",
        "List the deliveries of an endpoint, newest first, with every attempt",
        "manage_webhooks",
        query=("limit", "cursor"),
        answer="DeliveryList",
        refusals=("NotFound",),
    ),
    Route(
        "POST /webhooks/{id}/deliveries/{delivery_id}/redeliver",
        KEEPER,
        "redeliver",
        "Send a delivery again, now",
        "manage_webhooks",
        body="Empty",
        answer="Delivery",
        status=HTTPStatus.ACCEPTED,
        refusals=("NotFound", "ConstraintViolated", "IdempotencyMismatch"),
    ),
)
