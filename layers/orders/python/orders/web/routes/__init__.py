"""Every route, who may use it, what it takes and returns: the one table that handlers, OpenAPI and tests share."""

from orders.web.routes.orders import ORDERS
from orders.web.routes.pages import PAGES
from orders.web.routes.parcels import PARCELS
from orders.web.routes.products import PRODUCTS
from orders.web.routes.refunds import REFUNDS
from orders.web.routes.returns import RETURNS
from orders.web.routes.route import GROUPS, STAFF, Route, Who
from orders.web.routes.senders import SENDERS
from orders.web.routes.webhooks import WEBHOOKS

__all__ = ["GROUPS", "ROUTES", "STAFF", "Route", "Who"]

_TABLE = (*ORDERS, *RETURNS, *REFUNDS, *PARCELS, *PRODUCTS, *SENDERS, *WEBHOOKS, *PAGES)

ROUTES = {route.key: route for route in _TABLE}
