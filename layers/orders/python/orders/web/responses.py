"""The shapes of responses that are no view of an order."""

from typing import Any, NotRequired, TypedDict

from orders.domain.identifiers import OrderId
from orders.domain.products import Product
from orders.domain.statuses import OrderStatus
from orders.web.payment_views import MoneyView, money_view
from orders.web.shapes import Count, ForeignId, Time


class ProductView(TypedDict):
    """A product of the catalog."""

    product_id: ForeignId
    name: str
    unit_price: MoneyView
    stock: Count
    requires_shipping: NotRequired[bool]


class StockView(ProductView):
    """A product, with what its keeper counts: nobody else is told what was sold."""

    on_hand: Count
    reserved: Count
    sold: Count


class StockListView(TypedDict):
    """A page of what there is of each product."""

    products: list[StockView]
    next_cursor: str | None


class ProductListView(TypedDict):
    """A page of the catalog."""

    products: list[ProductView]
    next_cursor: str | None


def product_view(product: Product) -> ProductView:
    """A product of the catalog."""
    digital: dict[str, Any] = {} if product.requires_shipping else {"requires_shipping": False}
    view: ProductView = {
        "product_id": product.product_id,
        "name": product.name,
        "unit_price": money_view(product.unit_price),
        "stock": product.stock,
        **digital,  # type: ignore[typeddict-item]
    }
    return view


def stock_view(product: Product) -> StockView:
    """A product, with what is on hand, reserved and sold of it."""
    return {**product_view(product), "on_hand": product.on_hand, "reserved": product.reserved, "sold": product.sold}


class HealthView(TypedDict):
    """Whether the service is up, and with whom it works."""

    status: str
    payment_provider: str
    carrier_provider: str


class AcceptedView(TypedDict):
    """Whether a carrier's report says something about a parcel."""

    accepted: bool


class _ExecutionView(TypedDict):
    execution_arn: str
    name: str
    status: str
    started_at: Time
    stopped_at: Time | None
    definition: NotRequired[dict[str, Any]]
    events: NotRequired[list[dict[str, Any]]]


class ExecutionView(TypedDict):
    """The executions of both machines, as the workflow service has them."""

    order_id: OrderId
    fulfilment: _ExecutionView | None
    unwinding: _ExecutionView | None


class _BadFieldView(TypedDict):
    field: str
    message: str


class GatewayMessageView(TypedDict):
    """What API Gateway says for itself."""

    message: str


ProblemView = TypedDict(
    "ProblemView",
    {
        "type": str,
        "title": str,
        "status": int,
        "code": str,
        "detail": str,
        "instance": NotRequired[str],
        "errors": NotRequired[list[_BadFieldView]],
        "from": NotRequired[str],
        "to": NotRequired[str],
        "allowed": NotRequired[list[str]],
        "order_status": NotRequired[OrderStatus],
    },
)
"""A refusal, as RFC 9457 has it."""
