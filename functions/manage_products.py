"""The catalogue: anyone reads it, admins keep it."""

from itertools import islice

from orders.adapters import secrets
from orders.adapters.store import catalog
from orders.domain.money import Money
from orders.domain.products import Product
from orders.web import requests, tokens
from orders.web.http import Answer, Request, answer, serve
from orders.web.views import product_view

USUAL_PAGE, LARGEST_PAGE = 50, 100
SCOPE = "products"


def list_products(request: Request) -> Answer:
    """The catalogue, page by page."""
    limit = request.number("limit", USUAL_PAGE, LARGEST_PAGE)
    cursor = request.query.get("cursor")
    after = tokens.place_of(cursor, SCOPE, secrets.signing_key()) if cursor is not None else None
    ids = list(islice(catalog.product_ids(after, limit + 1), limit + 1))
    found = catalog.products(ids[:limit])
    more = tokens.cursor(ids[limit - 1], SCOPE, secrets.signing_key()) if len(ids) > limit else None
    views = [product_view(found[product_id]) for product_id in ids[:limit] if product_id in found]
    return answer({"products": views, "next_cursor": more})


def get_product(request: Request) -> Answer:
    """One product."""
    return answer(product_view(catalog.product(request.product_id)))


def put_product(request: Request) -> Answer:
    """Creates a product or sets it as given."""
    body = request.parse(requests.SetProduct)
    price = Money(body.unit_price.amount, body.unit_price.currency)
    product = Product(request.product_id, body.name, price, body.stock)
    catalog.save_product(product)
    return answer(product_view(product))


handler = serve({"GET /products": list_products, "GET /products/{id}": get_product, "PUT /products/{id}": put_product})
