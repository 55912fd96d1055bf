"""Every route, who may use it, what it takes and returns: the one table that handlers, OpenAPI and tests share."""

from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus


class Who(StrEnum):
    """Who may use a route (``docs/behavior.md#callers``)."""

    ANYONE = "anyone"
    CUSTOMER = "customer"
    OWNER = "owner"
    SUPPORT = "support"
    ADMIN = "admin"
    CARRIER = "carrier"
    WAREHOUSE = "warehouse"
    SHOP = "shop"
    TRACKING_LINK = "tracking link"
    SIGNED = "signed by the sender"


GROUPS = (Who.SUPPORT, Who.ADMIN, Who.CARRIER, Who.WAREHOUSE)
"""The groups a token may name; every other person who is signed in is a customer. A shop is a machine, told by its scope."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route. ``body`` and ``answer`` name schemas; ``query`` names parameters of ``openapi.PARAMETERS``."""

    key: str
    who: frozenset[Who]
    operation: str
    summary: str
    function: str
    body: str | None = None
    query: tuple[str, ...] = ()
    answer: str | None = None
    status: HTTPStatus = HTTPStatus.OK
    refusals: tuple[str, ...] = ()
    is_page: bool = False
    """Whether it is for people only: the API's description leaves it out."""

    @property
    def ignores_unknown_parameters(self) -> bool:
        """Whether it is read by people, whose links gain parameters on the way (``utm_source``)."""
        return self.is_page or self.answer == "text/html"

    @property
    def is_verified_by_gateway(self) -> bool:
        """Whether API Gateway verifies the caller's token, and refuses in its own words who has none."""
        return not self.who & {Who.ANYONE, Who.SIGNED, Who.TRACKING_LINK}

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.key.split(" ")[0]

    @property
    def path(self) -> str:
        """The path, its parameters in braces."""
        return self.key.split(" ")[1]


STAFF = frozenset({Who.SUPPORT, Who.ADMIN})
"""The groups that act for the shop. A caller that may write a resource may read it."""

_SHOP = frozenset({Who.SHOP})
"""A merchant's own system, which acts for any customer."""

_PLACER = STAFF | _SHOP | {Who.CUSTOMER}
_OWNER = STAFF | {Who.OWNER}
_FOR_OWNER = _OWNER | _SHOP
_WATCHER = _FOR_OWNER | {Who.TRACKING_LINK}
_FIELD = STAFF | {Who.CARRIER}
_DOCK = STAFF | {Who.WAREHOUSE}
_KEEPER = _SHOP | {Who.ADMIN}
_ANYONE = frozenset({Who.ANYONE})

_CHANGE = ("NotFound", "ConstraintViolated", "VersionMismatch")
_CHANGE_ONCE = (*_CHANGE, "IdempotencyMismatch")
"""Of a route that moves money or goods, or makes something: it takes an ``Idempotency-Key``."""
_STOCK = ("NotFound", "ConstraintViolated", "IdempotencyMismatch")

_TABLE = (
    Route(
        "POST /orders",
        _PLACER,
        "placeOrder",
        "Place an order and start its workflow",
        "place_order",
        body="PlaceOrder",
        answer="OrderAnswer",
        status=HTTPStatus.ACCEPTED,
        refusals=("AlreadyExists", "IdempotencyMismatch", "PayloadTooLarge"),
    ),
    Route(
        "GET /orders",
        _PLACER,
        "listOrders",
        "List orders, newest first",
        "read_orders",
        query=(
            *("customer_id", "status", "external_id", "email", "tracking_number", "payment_status"),
            *("created_after", "created_before", "return_status", "overdue", "expand", "limit", "cursor"),
        ),
        answer="OrderList",
    ),
    Route(
        "GET /orders/{id}",
        _FOR_OWNER,
        "getOrder",
        "Read an order with its payment and shipment",
        "read_orders",
        answer="OrderAnswer",
        refusals=("NotFound",),
    ),
    Route(
        "GET /orders/{id}/history",
        _FOR_OWNER,
        "getHistory",
        "Read the audit trail, oldest first",
        "read_orders",
        query=("event_type",),
        answer="History",
        refusals=("NotFound",),
    ),
    Route(
        "GET /orders/{id}/mails",
        STAFF,
        "listMails",
        "Read the mails to the order's customer, oldest first",
        "read_orders",
        answer="MailList",
        refusals=("NotFound",),
    ),
    Route(
        "GET /orders/{id}/status",
        _WATCHER,
        "getProgress",
        "Read the saga's progress",
        "watch_status",
        query=("token",),
        answer="Progress",
        refusals=("NotFound",),
    ),
    Route(
        "GET /orders/{id}/status/stream",
        _WATCHER,
        "streamProgress",
        "Follow the status by Server-Sent Events",
        "watch_status",
        query=("token",),
        answer="text/event-stream",
        refusals=("NotFound",),
    ),
    Route(
        "POST /orders/{id}/cancel",
        _FOR_OWNER,
        "cancelOrder",
        "Cancel an order, or some pieces of it, until they are handed over",
        "change_order",
        body="CancelOrder",
        answer="OrderAnswer",
        refusals=_CHANGE_ONCE,
    ),
    Route(
        "PUT /orders/{id}/address",
        _FOR_OWNER,
        "changeAddress",
        "Send the parcel elsewhere, until it is handed over",
        "change_order",
        body="AddressBody",
        answer="OrderAnswer",
        refusals=_CHANGE,
    ),
    Route(
        "POST /orders/{id}/return",
        _OWNER,
        "returnOrder",
        "Ask for a return of everything; by staff: take a delivered order back now, refund and restock",
        "change_order",
        body="WithReason",
        answer="OrderAnswer",
        refusals=_CHANGE_ONCE,
    ),
    Route(
        "POST /orders/{id}/returns",
        _FOR_OWNER,
        "requestReturn",
        "Ask to send back some of what was delivered",
        "change_order",
        body="RequestReturn",
        answer="OrderAnswer",
        refusals=_CHANGE_ONCE,
    ),
    Route(
        "POST /orders/{id}/returns/{return_id}/approve",
        STAFF,
        "approveReturn",
        "Approve a return: the goods may be sent back",
        "change_order",
        body="WithReason",
        answer="OrderAnswer",
        refusals=_CHANGE_ONCE,
    ),
    Route(
        "POST /orders/{id}/returns/{return_id}/decline",
        STAFF,
        "declineReturn",
        "Decline a return: the goods stay with the customer",
        "change_order",
        body="WithReason",
        answer="OrderAnswer",
        refusals=_CHANGE_ONCE,
    ),
    Route(
        "POST /orders/{id}/returns/{return_id}/receive",
        _DOCK,
        "receiveReturn",
        "Some of a return has come back: refund it, and restock what can be sold",
        "change_order",
        body="ReceiveReturn",
        answer="OrderAnswer",
        refusals=_CHANGE_ONCE,
    ),
    Route(
        "POST /orders/{id}/returns/{return_id}/cancel",
        _OWNER,
        "cancelReturn",
        "Cancel a return of which nothing has come back",
        "change_order",
        body="WithReason",
        answer="OrderAnswer",
        refusals=_CHANGE_ONCE,
    ),
    Route(
        "POST /orders/{id}/amend",
        _FOR_OWNER,
        "amendOrder",
        "Take what is there of an order of which a part is out of stock",
        "change_order",
        body="Empty",
        answer="OrderAnswer",
        refusals=_CHANGE_ONCE,
    ),
    Route(
        "POST /orders/{id}/approve",
        STAFF,
        "approveOrder",
        "Approve the order in the manual review",
        "change_order",
        body="WithReason",
        answer="OrderAnswer",
        refusals=_CHANGE_ONCE,
    ),
    Route(
        "POST /orders/{id}/reject",
        STAFF,
        "rejectOrder",
        "Reject the order in the manual review",
        "change_order",
        body="WithReason",
        answer="OrderAnswer",
        refusals=_CHANGE_ONCE,
    ),
    Route(
        "POST /orders/{id}/refunds",
        STAFF,
        "refundOrder",
        "Give money back without goods: an amount, what pieces are worth, or all that is left",
        "change_order",
        body="RefundBody",
        answer="OrderAnswer",
        refusals=_CHANGE_ONCE,
    ),
    Route(
        "POST /orders/{id}/refunds/{refund_id}/retry",
        STAFF,
        "retryRefund",
        "Ask the provider again for a refund that it has refused",
        "change_order",
        body="Empty",
        answer="OrderAnswer",
        refusals=_CHANGE_ONCE,
    ),
    Route(
        "POST /orders/{id}/refunds/{refund_id}/complete",
        STAFF,
        "completeRefund",
        "The cash of a refund was handed out to the customer",
        "change_order",
        body="Empty",
        answer="OrderAnswer",
        refusals=_CHANGE_ONCE,
    ),
    Route(
        "POST /orders/{id}/hold",
        STAFF,
        "holdOrder",
        "Put the order on hold: nothing is charged, captured or handed over until it is released or cancelled",
        "change_order",
        body="HoldOrder",
        answer="OrderAnswer",
        refusals=_CHANGE_ONCE,
    ),
    Route(
        "POST /orders/{id}/release",
        STAFF,
        "releaseOrder",
        "Let an order that is on hold go on",
        "change_order",
        body="WithReason",
        answer="OrderAnswer",
        refusals=_CHANGE_ONCE,
    ),
    Route(
        "PATCH /orders/{id}",
        STAFF | _SHOP,
        "changeDetails",
        "Change the external id, contact, metadata or note; what is null is taken away, what is left out stays",
        "change_order",
        body="PatchOrder",
        answer="OrderAnswer",
        refusals=_CHANGE,
    ),
    Route(
        "PATCH /orders/{id}/status",
        STAFF,
        "setStatus",
        "Set the status by hand, with its side effects",
        "change_order",
        body="SetStatus",
        answer="OrderAnswer",
        refusals=_CHANGE,
    ),
    Route(
        "PUT /orders/{id}/shipment/location",
        _FIELD,
        "setLocation",
        "Note where the parcel is",
        "change_order",
        body="SetLocation",
        answer="OrderAnswer",
        refusals=_CHANGE,
    ),
    Route(
        "POST /orders/{id}/delivered",
        _FIELD,
        "markDelivered",
        "Mark all parcels under way as delivered",
        "change_order",
        body="WithReason",
        answer="OrderAnswer",
        refusals=_CHANGE_ONCE,
    ),
    Route(
        "POST /orders/{id}/shipments",
        _DOCK,
        "handOver",
        "Hand a parcel over: of some pieces, or of all that is left; without a tracking number it is booked",
        "change_order",
        body="HandOver",
        answer="OrderAnswer",
        refusals=_CHANGE_ONCE,
    ),
    Route(
        "PUT /orders/{id}/shipments/{shipment_id}/location",
        _FIELD,
        "setParcelLocation",
        "Note where a parcel is",
        "change_order",
        body="SetLocation",
        answer="OrderAnswer",
        refusals=_CHANGE,
    ),
    Route(
        "POST /orders/{id}/shipments/{shipment_id}/delivered",
        _FIELD,
        "markParcelDelivered",
        "Mark a parcel as delivered; the order with its last",
        "change_order",
        body="WithReason",
        answer="OrderAnswer",
        refusals=_CHANGE_ONCE,
    ),
    Route(
        "POST /orders/{id}/shipments/{shipment_id}/returned",
        _DOCK,
        "markReturned",
        "A parcel has come back undelivered: refund and restock",
        "change_order",
        body="WithReason",
        answer="OrderAnswer",
        refusals=_CHANGE_ONCE,
    ),
    Route(
        "POST /orders/{id}/sync",
        STAFF,
        "syncOrder",
        "Derive the order's status from its facts again and restart a lost workflow",
        "repair_order",
        body="Empty",
        answer="OrderAnswer",
        refusals=("NotFound",),
    ),
    Route(
        "GET /orders/{id}/execution",
        STAFF,
        "getExecution",
        "Read the workflow's definition and its history events",
        "repair_order",
        answer="Execution",
        refusals=("NotFound",),
    ),
    Route(
        "GET /products",
        _ANYONE,
        "listProducts",
        "List the catalog",
        "manage_products",
        query=("product_id", "limit", "cursor"),
        answer="ProductList",
    ),
    Route(
        "PUT /products",
        _KEEPER,
        "putProductByQuery",
        "Create a product or set its name, price and stock; for ids with / ? #, which no path can name",
        "manage_products",
        body="SetProduct",
        query=("product_id",),
        answer="Product",
        refusals=("IdempotencyMismatch",),
    ),
    Route(
        "DELETE /products",
        _KEEPER,
        "removeProductByQuery",
        "Take a product off the catalog; for ids with / ? #, which no path can name",
        "manage_products",
        query=("product_id",),
        status=HTTPStatus.NO_CONTENT,
        refusals=("NotFound",),
    ),
    Route(
        "POST /products/stock",
        _KEEPER,
        "changeStockByQuery",
        "Add pieces to a product's stock, or take some away; for ids with / ? #, which no path can name",
        "manage_products",
        body="ChangeStock",
        query=("product_id",),
        answer="Product",
        refusals=_STOCK,
    ),
    Route(
        "GET /products/{id}",
        _ANYONE,
        "getProduct",
        "Read a product",
        "manage_products",
        answer="Product",
        refusals=("NotFound",),
    ),
    Route(
        "PUT /products/{id}",
        _KEEPER,
        "putProduct",
        "Create a product or set its name, price and stock",
        "manage_products",
        body="SetProduct",
        answer="Product",
        refusals=("IdempotencyMismatch",),
    ),
    Route(
        "DELETE /products/{id}",
        _KEEPER,
        "removeProduct",
        "Take a product off the catalog; what orders need of it is kept",
        "manage_products",
        status=HTTPStatus.NO_CONTENT,
        refusals=("NotFound",),
    ),
    Route(
        "POST /products/{id}/stock",
        _KEEPER,
        "changeStock",
        "Add pieces to a product's stock, or take some away, whatever is sold meanwhile",
        "manage_products",
        body="ChangeStock",
        answer="Product",
        refusals=_STOCK,
    ),
    Route(
        "POST /carriers/{carrier}/events",
        frozenset({Who.SIGNED}),
        "receiveCarrierEvent",
        "Report a parcel's scan; signed by the carrier over the raw bytes",
        "receive_carrier_event",
        query=("token",),
        body="CarrierEvent",
        answer="Accepted",
        refusals=("Unauthenticated", "NotFound", "PayloadTooLarge"),
    ),
    Route(
        "POST /payments/{provider}/events",
        frozenset({Who.SIGNED}),
        "receivePaymentEvent",
        "Report what became of a payment; signed by the payment provider over the raw bytes",
        "receive_payment_event",
        body="PaymentEvent",
        answer="Accepted",
        refusals=("Unauthenticated", "NotFound", "PayloadTooLarge"),
    ),
    Route(
        "GET /analytics/summary",
        STAFF,
        "getAnalytics",
        "Read what all orders add up to, or those of some days",
        "read_analytics",
        query=("from", "to"),
        answer="Analytics",
    ),
    Route(
        "POST /webhooks",
        _KEEPER,
        "addWebhook",
        "Subscribe an endpoint; its secret is shown this once",
        "manage_webhooks",
        body="AddWebhook",
        answer="Webhook",
        status=HTTPStatus.CREATED,
        refusals=("NotFound", "IdempotencyMismatch"),
    ),
    Route("GET /webhooks", _KEEPER, "listWebhooks", "List the subscriptions", "manage_webhooks", answer="WebhookList"),
    Route(
        "GET /webhooks/{id}",
        _KEEPER,
        "getWebhook",
        "Read a subscription",
        "manage_webhooks",
        answer="Webhook",
        refusals=("NotFound",),
    ),
    Route(
        "DELETE /webhooks/{id}",
        _KEEPER,
        "removeWebhook",
        "End a subscription",
        "manage_webhooks",
        status=HTTPStatus.NO_CONTENT,
        refusals=("NotFound",),
    ),
    Route(
        "POST /webhooks/{id}/rotate",
        _KEEPER,
        "rotateWebhookSecret",
        "Give a new secret; the old one signs beside it for a day",
        "manage_webhooks",
        body="Empty",
        answer="Webhook",
        refusals=("NotFound", "IdempotencyMismatch"),
    ),
    Route(
        "GET /webhooks/{id}/deliveries",
        _KEEPER,
        "listDeliveries",
        "List the deliveries of an endpoint, newest first, with every attempt",
        "manage_webhooks",
        query=("limit", "cursor"),
        answer="DeliveryList",
        refusals=("NotFound",),
    ),
    Route(
        "POST /webhooks/{id}/deliveries/{delivery_id}/redeliver",
        _KEEPER,
        "redeliver",
        "Send a delivery again, now",
        "manage_webhooks",
        body="Empty",
        answer="Delivery",
        status=HTTPStatus.ACCEPTED,
        refusals=("NotFound", "ConstraintViolated", "IdempotencyMismatch"),
    ),
    Route("GET /health", _ANYONE, "getHealth", "Whether the service is up", "show_docs", answer="Health"),
    Route("GET /openapi.json", _ANYONE, "getOpenApi", "This description", "show_docs", answer="OpenApi"),
    Route("GET /docs", _ANYONE, "getDocs", "The description, to read", "show_docs", answer="text/html"),
    Route("GET /", _ANYONE, "showStart", "Where to go from here", "show_docs", is_page=True),
    # A page is open to anyone; what it shows needs a token: the tracking link's, or the bearer token of who signs in.
    Route("GET /track/{id}", _ANYONE, "showTracking", "An order, to watch", "show_pages", query=("token",), is_page=True),
    Route("GET /admin", _ANYONE, "showAdmin", "Support's desk", "show_pages", is_page=True),
    # Opened from a mail, and called by mail programs (RFC 8058).
    Route("GET /unsubscribe", _ANYONE, "showUnsubscribe", "Ends mails", "show_pages", query=("token",), is_page=True),
    Route("POST /unsubscribe", _ANYONE, "unsubscribe", "Ends mails", "show_pages", query=("token",), is_page=True),
    Route("GET /signed-in", _ANYONE, "showSignedIn", "Where the sign-in comes back to", "show_pages", is_page=True),
    Route("GET /assets/{version}/{file+}", _ANYONE, "showAsset", "What the pages load", "show_pages", is_page=True),
)

ROUTES = {route.key: route for route in _TABLE}
