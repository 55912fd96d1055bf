"""Request bodies as customers send them."""

from typing import Any

HOME = {
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "city": "London",
    "postal_code": "SW1Y 4JH",
    "country": "GB",
}
ELSEWHERE = {"name": "Ada Lovelace", "line1": "1 Ockham Park", "city": "Ockham", "postal_code": "GU23 6NQ", "country": "GB"}


def a_body(**changes: Any) -> dict[str, Any]:
    """Two of one product and one of another for 30.00, paid by card.

    ``token``, ``method``, ``postal_code``, ``product`` and ``quantity`` go where they belong; a field of ``None`` is left out.
    """
    product, quantity = changes.pop("product", None), changes.pop("quantity", 1)
    items = [{"product_id": "prod-001", "quantity": 2}, {"product_id": "prod-002", "quantity": 1}]
    payment = {"method": changes.pop("method", "CREDIT_CARD")}
    if payment["method"] != "CASH_ON_DELIVERY" or "token" in changes:
        payment["token"] = changes.pop("token", "tok_ok")
    usual = {
        "items": [{"product_id": product, "quantity": quantity}] if product else items,
        "payment": payment,
        "shipping_address": HOME | ({"postal_code": changes.pop("postal_code")} if "postal_code" in changes else {}),
    }
    return usual | {name: value for name, value in changes.items() if value is not None}
