"""The products of a fresh table."""

from __future__ import annotations

import json

from local.api_gateway.gateway import Gateway
from local.api_gateway.messages import Request
from local.common import NotReady

# prod-001 and prod-002 as the product's first document has them; one expensive enough to need a review.
PRODUCTS = (
    ("prod-001", "Enamel mug", 1000, 100_000),
    ("prod-002", "Canvas tote bag", 1000, 100_000),
    ("prod-003", "Desk lamp", 4950, 5_000),
    ("prod-004", "Mechanical keyboard", 12900, 1_000),
    ("prod-005", "Standing desk", 64900, 500),
    ("prod-006", "Limited print", 8000, 3),
)


async def seed(gateway: Gateway, token: str) -> None:
    """Writes the products that are not there yet, through the API."""
    headers = [("authorization", f"Bearer {token}"), ("content-type", "application/json")]
    for product_id, name, price, stock in PRODUCTS:
        path = f"/products/{product_id}"
        if (await gateway.respond(Request("GET", path, "", []))).status != 404:
            continue
        product = {"name": name, "unit_price": {"amount": price, "currency": "USD"}, "stock": stock}
        answer = await gateway.respond(Request("PUT", path, "", headers, json.dumps(product).encode()))
        if answer.status >= 300:
            raise NotReady(f"the catalog could not be written: {answer.status} {answer.body.decode()}")
