"""The OpenAPI 3.1 description, made from the route table, the request models and the answers' schemas."""

import re
from http import HTTPStatus
from typing import Any

from orders.domain import errors, limits
from orders.domain.notifications import EVENT_TYPES
from orders.domain.statuses import (
    DEPRECATED_NAMES,
    STEPS,
    ApprovalStatus,
    CancelReason,
    OrderStatus,
    OverallStatus,
    PaymentMethod,
    PaymentStatus,
    ShipmentStatus,
    StepStatus,
    transitions,
)
from orders.domain.webhooks import DeliveryStatus, WebhookStatus
from orders.services.carrier_reports import SENDERS
from orders.services.listing import Part
from orders.web import requests
from orders.web.routes import ROUTES, Route, Who

Schema = dict[str, Any]

VERSION = "1.0.0"


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: Schema, optional: Schema | None = None) -> Schema:
    return {"type": "object", "properties": required | (optional or {}), "required": list(required)}


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _enum(statuses: Any) -> Schema:
    return {"type": "string", "enum": [str(status) for status in statuses]}


TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
TIME: Schema = {"type": "string", "format": "date-time", "examples": ["2026-11-20T12:00:00.000Z"]}
DAY: Schema = {"type": "string", "format": "date", "examples": ["2026-11-20"]}
ID: Schema = {"type": "string", "pattern": limits.ORDER_ID}


def _answers() -> dict[str, Schema]:
    address = _object(dict.fromkeys(("name", "line1", "city", "postal_code", "country"), TEXT), {"line2": TEXT})
    order = _object(
        {
            "order_id": ID,
            "customer_id": TEXT,
            "status": _enum(OrderStatus),
            "version": {"type": "integer", "minimum": 1},
            "items": {
                "type": "array",
                "items": _object(
                    {"product_id": TEXT, "name": TEXT, "quantity": COUNT, "unit_price": _ref("Money")},
                ),
            },
            "total": _ref("Money"),
            "shipping_address": address,
            "created_at": TIME,
            "updated_at": TIME,
            "cancellation": _nullable(
                _object({"reason": _enum(CancelReason), "cancelled_at": TIME, "cancelled_by": TEXT}, {"note": TEXT})
            ),
            "approval": _nullable(
                _object({"status": _enum(ApprovalStatus), "expires_at": TIME}, {"decided_by": TEXT, "reason": TEXT})
            ),
        }
    )
    payment = _object(
        {
            "payment_id": TEXT,
            "status": _enum(PaymentStatus),
            "amount": _ref("Money"),
            "method": _enum(PaymentMethod),
        },
        {"failure_reason": TEXT, "refunded_at": TIME},
    )
    shipment = _object(
        {
            "shipment_id": TEXT,
            "tracking_number": _nullable(TEXT),
            "carrier": TEXT,
            "status": _enum(ShipmentStatus),
            "current_location": _nullable(TEXT),
            "estimated_delivery": _nullable(TIME),
            "scans": {
                "type": "array",
                "items": _object(
                    {"at": TIME, "status": _enum(ShipmentStatus), "location": _nullable(TEXT), "message": _nullable(TEXT)}
                ),
            },
        },
        {"delivered_at": TIME, "unconfirmed_delivery_at": TIME},
    )
    step = _object(
        {"name": _enum(STEPS), "order": COUNT, "status": _enum(StepStatus)},
        {"started_at": TIME, "completed_at": TIME, "error_message": TEXT},
    )
    event = _object(
        {
            "version": COUNT,
            "event_type": TEXT,
            "status": _enum(OrderStatus),
            "timestamp": TIME,
            "triggered_by": TEXT,
            "metadata": {"type": "object"},
        },
        {"reason": TEXT},
    )
    execution = _object(
        {"execution_arn": TEXT, "name": TEXT, "status": TEXT, "started_at": TIME, "stopped_at": _nullable(TIME)},
        {"definition": {"type": "object"}, "events": {"type": "array", "items": {"type": "object"}}},
    )
    return {
        "Money": _object({"amount": {"type": "integer"}, "currency": {"type": "string", "pattern": "^[A-Z]{3}$"}}),
        "Order": order,
        "Payment": payment,
        "Shipment": shipment,
        "OrderAnswer": _object(
            {"order": _ref("Order"), "payment": _nullable(_ref("Payment")), "shipment": _nullable(_ref("Shipment"))},
            {"tracking_url": TEXT},
        ),
        "ListedOrder": {
            "allOf": [_ref("Order")],
            "properties": {
                Part.PAYMENT: _nullable(_ref("Payment")),
                Part.SHIPMENTS: {"type": "array", "items": _ref("Shipment")},
            },
        },
        "OrderList": _object({"orders": {"type": "array", "items": _ref("ListedOrder")}, "next_cursor": _nullable(TEXT)}),
        "Progress": _object(
            {
                "order_id": ID,
                "status": _enum(OrderStatus),
                "overall_status": _enum(OverallStatus),
                "current_step": _nullable(_enum(STEPS)),
                "last_updated": TIME,
                "estimated_completion": _nullable(TIME),
                "steps": {"type": "array", "items": step},
            }
        ),
        "History": _object({"order_id": ID, "history": {"type": "array", "items": event}}),
        "Execution": _object({"order_id": ID, "fulfilment": _nullable(execution), "unwinding": _nullable(execution)}),
        "Product": _object({"product_id": ID, "name": TEXT, "unit_price": _ref("Money"), "stock": COUNT}),
        "ProductList": _object({"products": {"type": "array", "items": _ref("Product")}, "next_cursor": _nullable(TEXT)}),
        "Health": _object({"status": TEXT}),
        **_webhook_answers(),
        "Analytics": _analytics(),
        "Accepted": _object({"accepted": {"type": "boolean"}}),
        "OpenApi": {"type": "object"},
        "GatewayMessage": _object({"message": TEXT}),
        "Problem": _object(
            {"type": TEXT, "title": TEXT, "status": {"type": "integer"}, "code": TEXT, "detail": TEXT},
            {
                "instance": TEXT,
                "errors": {"type": "array", "items": _object({"field": TEXT, "message": TEXT})},
                "from": TEXT,
                "to": TEXT,
                "allowed": {"type": "array", "items": TEXT},
                "order_status": _enum(OrderStatus),
            },
        ),
    }


def _webhook_answers() -> dict[str, Schema]:
    webhook = _object(
        {
            "webhook_id": ID,
            "url": TEXT,
            "events": {"type": "array", "items": _enum(EVENT_TYPES)},
            "status": _enum(WebhookStatus),
            "created_at": TIME,
            "failing_since": _nullable(TIME),
            "disabled_reason": _nullable(TEXT),
        },
        {"secret": TEXT},
    )
    attempt = _object(
        {"at": TIME, "duration_ms": COUNT, "status_code": _nullable(COUNT), "error": _nullable(TEXT)},
    )
    delivery = _object(
        {
            "delivery_id": ID,
            "webhook_id": ID,
            "event_type": _enum(EVENT_TYPES),
            "status": _enum(DeliveryStatus),
            "created_at": TIME,
            "next_attempt_at": _nullable(TIME),
            "attempts": {"type": "array", "items": attempt},
        },
        {"order_id": ID},
    )
    return {
        "Webhook": webhook,
        "WebhookList": _object({"webhooks": {"type": "array", "items": _ref("Webhook")}}),
        "Delivery": delivery,
        "DeliveryList": _object({"deliveries": {"type": "array", "items": _ref("Delivery")}, "next_cursor": _nullable(TEXT)}),
    }


def _analytics() -> Schema:
    seconds: Schema = {"type": "number", "minimum": 0}
    lasted = {"mean_seconds": seconds, "p95_seconds": seconds}
    status = _object(
        {
            "status": _enum(OrderStatus),
            "count": COUNT,
            "mean_order_value": _nullable(_ref("Money")),
            "mean_order_values": {"type": "array", "items": _ref("Money")},
            "time_in_status": _nullable(_object(lasted)),
        }
    )
    share: Schema = {"type": "number", "minimum": 0}
    rates = {"orders_placed": COUNT, "payment_failures": COUNT, "cancel_rate": share, "return_rate": share}
    conversion = _object({"status": _enum(OrderStatus), "left": COUNT, "went_on": COUNT, "rate": _nullable(share)})
    entered = _object({str(status): COUNT for status in OrderStatus})
    return _object(
        {
            "from": _nullable(DAY),
            "to": _nullable(DAY),
            **rates,
            "conversion": {"type": "array", "items": conversion},
            "days": {"type": "array", "items": _object({"date": DAY, **rates, "entered": entered})},
            "statuses": {"type": "array", "items": status},
            "steps": {"type": "array", "items": _object({"step": _enum(STEPS), **lasted})},
        }
    )


PARAMETERS: dict[str, Schema] = {
    "customer_id": {"name": "customer_id", "in": "query", "schema": {"type": "string", "minLength": 1}},
    "status": {
        "name": "status",
        "in": "query",
        "description": "In any letter case. PAID and COMPLETED are deprecated names for PROCESSING and DELIVERED, still taken.",
        "schema": _enum([*OrderStatus, *sorted(DEPRECATED_NAMES)]),
    },
    "overdue": {
        "name": "overdue",
        "in": "query",
        "description": "For staff: open orders nothing has happened to in time, longest overdue first. Goes with neither "
        "customer_id nor status.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "expand": {
        "name": "expand",
        "in": "query",
        "description": "What each order of the list has beside it. A cursor goes on with the same `expand` only.",
        "style": "form",
        "explode": False,
        "schema": {"type": "array", "minItems": 1, "items": _enum(Part)},
    },
    "limit": {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100}},
    "cursor": {"name": "cursor", "in": "query", "schema": TEXT},
    "from": {
        "name": "from",
        "in": "query",
        "description": "The first day (UTC) to be counted; by default thirty days end with `to`. At most 366 days. "
        "With neither, all orders there ever were.",
        "schema": DAY,
    },
    "to": {"name": "to", "in": "query", "description": "The last day (UTC) to be counted; by default today.", "schema": DAY},
    "token": {
        "name": "token",
        "in": "query",
        "description": "The token of a tracking link; of an unsigned webhook, the carrier's secret.",
        "schema": TEXT,
    },
}

_IF_MATCH: Schema = {
    "name": "If-Match",
    "in": "header",
    "description": "The version to change, in quotes; 412 when the order has moved on.",
    "schema": {"type": "string", "pattern": r'^(\*|(W/)?("[0-9]{1,18}"|[0-9]{1,18}))$'},
}
_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and body answer the same order, for ever.",
    "schema": {"type": "string", "pattern": requests.IDEMPOTENCY_KEY, "maxLength": 255},
}
_LAST_EVENT: Schema = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The version last seen; the stream goes on behind it.",
    "schema": {"type": "string", "pattern": "^[0-9]{0,18}$"},
}


def _path_parameter(name: str) -> Schema:
    schemas = {"carrier": _enum(SENDERS), "shipment_id": {"type": "string", "minLength": 1, "maxLength": 200}}
    schema = schemas.get(name, ID)
    return {"name": name, "in": "path", "required": True, "schema": schema}


CARRIER_EVENT = "CarrierEvent"
_SCHEMA_PREFIX = "#/components/schemas/{model}"


def _body_schemas() -> dict[str, Schema]:
    """The request bodies' schemas, their nested definitions beside them."""
    found: dict[str, Schema] = {}
    for name in sorted({route.body for route in ROUTES.values() if route.body} - {CARRIER_EVENT}):
        model: type[requests.Body] = getattr(requests, name)
        schema = model.model_json_schema(ref_template=_SCHEMA_PREFIX)
        found |= schema.pop("$defs", {})
        found[name] = schema
    return found | {CARRIER_EVENT: {"type": "object", "description": "As the carrier documents it."}}


def document() -> Schema:
    """The whole description."""
    paths: dict[str, Schema] = {}
    for route in ROUTES.values():
        if not route.is_page:
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Order pipeline",
            "version": VERSION,
            "description": "Order fulfilment: one order's life, from placed to delivered, and every way back. "
            "Query parameters that an operation does not name are refused with 400, each by its name in `errors`; "
            "only what is read by people (`GET /docs`) ignores them. "
            "What an operation refuses is a problem (RFC 9457, `application/problem+json`). What the gateway before it refuses "
            'is a bare `{"message": "..."}` (`application/json`): each response lists both where both may come.',
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _answers() | _body_schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
        "x-order-transitions": transitions(),
    }


def _operation(route: Route) -> Schema:
    who = ", ".join(sorted(route.who))
    open_to_all = bool(route.who & {Who.ANYONE, Who.SIGNED})
    operation: Schema = {
        "operationId": route.operation,
        "summary": route.summary,
        "description": f"Who: {who}.",
        "parameters": _parameters(route),
        "responses": _responses(route, open_to_all=open_to_all),
        "security": [] if open_to_all else [{"token": []}],
    }
    if route.who & {Who.TRACKING_LINK}:
        operation["security"].append({})
    if route.body:
        schema = {"application/json": {"schema": _ref(route.body)} | _example(route)}
        operation["requestBody"] = {"required": route.body not in OPTIONAL_BODIES, "content": schema}
    return operation


OPTIONAL_BODIES = frozenset({"WithReason", "Empty"})


def _example(route: Route) -> Schema:
    example = EXAMPLES.get(route.body or "")
    return {"example": example} if example else {}


EXAMPLES: dict[str, Schema] = {
    "PlaceOrder": {
        "items": [{"product_id": "prod-001", "quantity": 2}, {"product_id": "prod-002", "quantity": 1}],
        "payment": {"method": "CREDIT_CARD", "token": "tok_ok"},
        "shipping_address": {
            "name": "Ada Lovelace",
            "line1": "12 St James's Square",
            "city": "London",
            "postal_code": "SW1Y 4JH",
            "country": "GB",
        },
    },
    "WithReason": {"reason": "Changed my mind"},
    "SetStatus": {"status": str(OrderStatus.CANCELLED), "reason": "Customer called"},
    "SetLocation": {"location": "Sorting centre Utrecht", "estimated_delivery": "2026-11-24T12:00:00Z"},
    "SetProduct": {"name": "Teapot", "unit_price": {"amount": 1000, "currency": "USD"}, "stock": 25},
}


def _parameters(route: Route) -> list[Schema]:
    found = [_path_parameter(name) for name in re.findall(r"\{(\w+)\}", route.path)]
    found += [PARAMETERS[name] for name in route.query]
    if "VersionMismatch" in route.refusals:
        found.append(_IF_MATCH)
    if "IdempotencyMismatch" in route.refusals:
        found.append(_KEY)
    if route.answer == EVENT_STREAM:
        found.append(_LAST_EVENT)
    return found


EVENT_STREAM, PAGE = "text/event-stream", "text/html"


def _responses(route: Route, *, open_to_all: bool) -> Schema:
    answers: Schema = {str(int(route.status)): _success(route)}
    if route.answer == EVENT_STREAM:
        answers["204"] = {"description": "The order is over, and all of it was seen."}
    refusals = {*route.refusals, "InvalidArgument", "StoreBusy"} | (set() if open_to_all else _GUARDED)
    refusals |= {"PayloadTooLarge"} if route.body else set()
    by_status: dict[HTTPStatus, set[str]] = {}
    for name in refusals:
        refusal: type[errors.OrderError] = getattr(errors, name)
        by_status.setdefault(refusal.http_status, set()).add(refusal.code)
    for status, codes in sorted(by_status.items()):
        answers[str(int(status))] = {
            "description": f"{_PHRASES.get(status, status.phrase)}: {', '.join(sorted(codes))}",
            "content": {"application/problem+json": {"schema": _ref("Problem")}},
        }
    return _with_gateway(answers, route)


_GATEWAY = {
    HTTPStatus.UNAUTHORIZED: "Unauthorized: the gateway, for a token that is missing or not valid",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large: the gateway, for a body of more than 6 MB",
    HTTPStatus.TOO_MANY_REQUESTS: "Too Many Requests: the gateway, for more requests to this route than its limit",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        "Request Header Fields Too Large: the gateway, for a request line and headers of more than 10,240 bytes together"
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: "Internal Server Error: the gateway, when the operation failed",
    HTTPStatus.SERVICE_UNAVAILABLE: "Service Unavailable: the gateway, when the operation took more than 30 seconds",
}
"""What API Gateway says for itself. It can't be changed, and the local stack says the same."""


def _with_gateway(answers: Schema, route: Route) -> Schema:
    """The answers, and beside them those that come from the gateway before the operation."""
    left_out = {
        *({HTTPStatus.UNAUTHORIZED} if not route.is_verified_by_gateway else ()),
        *({HTTPStatus.REQUEST_ENTITY_TOO_LARGE} if not route.body else ()),
    }
    for status, words in _GATEWAY.items():
        if status not in left_out:
            own = answers.get(str(int(status)), {"description": "", "content": {}})
            answers[str(int(status))] = {
                "description": f"{own['description']}; {words.partition(': ')[2]}" if own["description"] else words,
                "content": {**own["content"], "application/json": {"schema": _ref("GatewayMessage")}},
            }
    return dict(sorted(answers.items()))


_GUARDED = {"Unauthenticated", "PermissionDenied"}
# As RFC 9110 renamed them and Python 3.13 has them: the document is the same whichever Python writes it.
_PHRASES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}


def _success(route: Route) -> Schema:
    if route.status is HTTPStatus.NO_CONTENT:
        return {"description": route.summary}
    if route.answer == EVENT_STREAM:
        # A schema here would be one of each event, which OpenAPI 3.1 has no words for.
        return {"description": route.summary, "content": {EVENT_STREAM: {}}}
    if route.answer == PAGE:
        return {"description": route.summary, "content": {route.answer: {"schema": TEXT}}}
    return {"description": route.summary, "content": {"application/json": {"schema": _ref(route.answer or "OpenApi")}}}
