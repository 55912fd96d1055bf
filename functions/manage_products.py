"""The catalog: anyone reads it, admins and shops keep it, and staff read what is there of it."""

from collections.abc import Sequence
from http import HTTPStatus

from orders.domain.errors import InvalidArgument
from orders.domain.products import Product
from orders.services import catalog
from orders.web import bodies, pagination
from orders.web.handling import REPLAYED, Answer, Request, answer, serve
from orders.web.responses import ProductListView, StockListView, product_view, stock_view

USUAL_PAGE, LARGEST_PAGE = 50, 100
SCOPE = "products"


def list_products(request: Request) -> Answer:
    """The catalog, page by page, or the product of one id."""
    products, following = _page(request)
    body: ProductListView = {"products": [product_view(product) for product in products], "next_cursor": following}
    return answer(body)


def list_stock(request: Request) -> Answer:
    """What is on hand, reserved and sold, page by page, or of the product of one id."""
    products, following = _page(request)
    body: StockListView = {"products": [stock_view(product) for product in products], "next_cursor": following}
    return answer(body)


def _page(request: Request) -> tuple[Sequence[Product], str | None]:
    """The products that are asked for, and the cursor of the next page, if there is one."""
    if "product_id" not in request.query:
        limit = request.number("limit", USUAL_PAGE, LARGEST_PAGE)
        products, following = catalog.page(pagination.place(request, SCOPE), limit)
        return products, pagination.cursor(following, SCOPE)
    if {"cursor", "limit"} & set(request.query):
        raise InvalidArgument.of("product_id", "cannot be combined with limit or cursor")
    return catalog.find(request.product_id), None


def get_product(request: Request) -> Answer:
    """One product."""
    return answer(product_view(catalog.product(request.product_id)))


def put_product(request: Request) -> Answer:
    """Creates a product or sets it as given."""
    body = request.parse(bodies.SetProduct)
    price = body.unit_price.money()
    product = Product(request.product_id, body.name, price, body.stock, body.requires_shipping)
    return _kept(*catalog.save(product, request.call))


def change_stock(request: Request) -> Answer:
    """Adds pieces to a product's stock, or takes some away."""
    body = request.parse(bodies.ChangeStock)
    return _kept(*catalog.change_stock(request.product_id, body.change, request.call))


def _kept(product: Product, is_new: bool) -> Answer:
    return answer(product_view(product), headers={} if is_new else REPLAYED)


def remove_product(request: Request) -> Answer:
    """Takes a product off the catalog."""
    catalog.remove(request.product_id)
    return {"statusCode": int(HTTPStatus.NO_CONTENT)}


handler = serve(
    {
        "GET /products": list_products,
        "GET /stock": list_stock,
        "PUT /products": put_product,
        "DELETE /products": remove_product,
        "POST /products/stock": change_stock,
        "GET /products/{id}": get_product,
        "PUT /products/{id}": put_product,
        "DELETE /products/{id}": remove_product,
        "POST /products/{id}/stock": change_stock,
    }
)
