"""The catalogue: anyone reads it, admins keep it."""

from itertools import islice

from orders.adapters import secrets, store
from orders.adapters.store import Product
from orders.domain.money import Money
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
    ids = list(islice(store.catalogue(after, limit + 1), limit + 1))
    found = store.products(ids[:limit])
    more = tokens.cursor(ids[limit - 1], SCOPE, secrets.signing_key()) if len(ids) > limit else None
    views = [product_view(found[product_id]) for product_id in ids[:limit] if product_id in found]
    return answer({"products": views, "next_cursor": more})


def get_product(request: Request) -> Answer:
    """One product."""
    return answer(product_view(store.product(request.product_id)))


def put_product(request: Request) -> Answer:
    """Creates a product or sets it as given."""
    body = request.parse(requests.SetProduct)
    price = Money(body.unit_price.amount, body.unit_price.currency)
    product = Product(request.product_id, body.name, price, body.stock)
    store.save_product(product)
    return answer(product_view(product))


handler = serve({"GET /products": list_products, "GET /products/{id}": get_product, "PUT /products/{id}": put_product})
