"""Webhook subscriptions, for admins: create, list, end, rotate the secret, list the deliveries and send one again."""

from http import HTTPStatus

from orders.services import subscriptions
from orders.web import bodies, pagination
from orders.web.handling import Answer, Request, answer, serve
from orders.web.webhook_views import DeliveryListView, WebhookListView, delivery_view, webhook_view

USUAL_PAGE, LARGEST_PAGE = 20, 100


def add_webhook(request: Request) -> Answer:
    """Subscribes an endpoint; its secret is shown this once."""
    body = request.parse(bodies.AddWebhook)
    webhook, secret = subscriptions.add(body.url, body.events, request.call)
    headers = {"location": f"/webhooks/{webhook.webhook_id}"}
    return answer(webhook_view(webhook, secret), HTTPStatus.CREATED, headers)


def list_webhooks(_: Request) -> Answer:
    """All subscriptions."""
    body: WebhookListView = {"webhooks": [webhook_view(webhook) for webhook in subscriptions.subscriptions()]}
    return answer(body)


def get_webhook(request: Request) -> Answer:
    """One subscription."""
    return answer(webhook_view(subscriptions.subscription(request.webhook_id)))


def remove_webhook(request: Request) -> Answer:
    """Ends a subscription."""
    subscriptions.remove(request.webhook_id)
    return {"statusCode": int(HTTPStatus.NO_CONTENT)}


def rotate_secret(request: Request) -> Answer:
    """Gives a new secret, shown this once; the old one also signs for a day. A disabled endpoint becomes active."""
    request.parse(bodies.Empty)
    webhook, secret = subscriptions.rotate_secret(request.webhook_id, request.call)
    return answer(webhook_view(webhook, secret))


def list_deliveries(request: Request) -> Answer:
    """An endpoint's deliveries, newest first, with every attempt."""
    webhook = subscriptions.subscription(request.webhook_id)
    limit = request.number("limit", USUAL_PAGE, LARGEST_PAGE)
    scope = f"deliveries/{webhook.webhook_id}"
    page, following = subscriptions.page_of_deliveries(webhook, pagination.place(request, scope), limit)
    body: DeliveryListView = {
        "deliveries": [delivery_view(one) for one in page],
        "next_cursor": pagination.cursor(following, scope),
    }
    return answer(body)


def redeliver(request: Request) -> Answer:
    """Sends one delivery again, now."""
    request.parse(bodies.Empty)
    webhook = subscriptions.active(request.webhook_id)
    delivery = subscriptions.redeliver(webhook, request.delivery_id, request.call)
    return answer(delivery_view(delivery), HTTPStatus.ACCEPTED)


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
