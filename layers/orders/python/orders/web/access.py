"""How callers prove who they are, as the API's description says it."""

from typing import Any

from orders.web.routes import Route, Who

Scheme = dict[str, Any]


def _signed(header: str, who: str) -> Scheme:
    return {"type": "apiKey", "in": "header", "name": header, "description": f"{who}, over the raw bytes of the body."}


SCHEMES: dict[str, Scheme] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A person's token: a customer, or a member of the groups that an operation names.",
    },
    "shop": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A shop's token, got by client credentials with the scope `orders/shop`: it acts for any customer.",
    },
    "tracking": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "The token of a tracking link (`tracking_url`): reads one order.",
    },
    "easypost": _signed("X-Hmac-Signature", "EasyPost's signature"),
    "shippo": _signed("Shippo-Auth-Signature", "Shippo's signature"),
    "stripe": _signed("Stripe-Signature", "Stripe's signature"),
    "webhook": _signed("webhook-signature", "The signature of Standard Webhooks, of `webhook-id` and `webhook-timestamp` too"),
    "secret": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "The secret of a carrier whose webhooks are not signed.",
    },
}
SENDERS = {"/carriers": ("easypost", "shippo", "webhook", "secret"), "/payments": ("stripe", "webhook")}
"""How who sends to a path signs, each an alternative."""


def security_of(route: Route) -> list[dict[str, list[str]]]:
    """The alternatives of which a caller needs one; none for a route that is open to anyone."""
    if Who.SIGNED in route.who:
        return [{name: []} for path, names in SENDERS.items() if route.path.startswith(path) for name in names]
    if Who.ANYONE in route.who:
        return []
    found: list[dict[str, list[str]]] = [{"token": []}]
    found += [{"shop": []}] if Who.SHOP in route.who else []
    return found + ([{"tracking": []}] if Who.TRACKING_LINK in route.who else [])
