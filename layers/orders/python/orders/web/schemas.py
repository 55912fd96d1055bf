"""What the OpenAPI description calls schemas: the responses' and the request bodies'."""

from typing import Any

from orders.domain import limits
from orders.domain.notifications import EVENT_TYPES
from orders.domain.statuses import (
    ApprovalStatus,
    OrderStatus,
    OverallStatus,
    PaymentMethod,
    PaymentStatus,
    ShipmentStatus,
    StepStatus,
)
from orders.domain.steps import STEPS, CancelReason
from orders.domain.webhooks import DeliveryStatus, WebhookStatus
from orders.services.listing import Part
from orders.web import bodies
from orders.web.routes import ROUTES

Schema = dict[str, Any]


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def object_of(required: Schema, optional: Schema | None = None) -> Schema:
    return {"type": "object", "properties": required | (optional or {}), "required": list(required)}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def one_of(statuses: Any) -> Schema:
    return {"type": "string", "enum": [str(status) for status in statuses]}


TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
TIME: Schema = {"type": "string", "format": "date-time", "examples": ["2026-11-20T12:00:00.000Z"]}
DAY: Schema = {"type": "string", "format": "date", "examples": ["2026-11-20"]}
ID: Schema = {"type": "string", "pattern": limits.ORDER_ID}


def answers() -> dict[str, Schema]:
    address = object_of(dict.fromkeys(("name", "line1", "city", "postal_code", "country"), TEXT), {"line2": TEXT})
    order = object_of(
        {
            "order_id": ID,
            "customer_id": TEXT,
            "status": one_of(OrderStatus),
            "version": {"type": "integer", "minimum": 1},
            "items": {
                "type": "array",
                "items": object_of(
                    {"product_id": TEXT, "name": TEXT, "quantity": COUNT, "unit_price": ref("Money")},
                ),
            },
            "total": ref("Money"),
            "shipping_address": address,
            "created_at": TIME,
            "updated_at": TIME,
            "cancellation": nullable(
                object_of({"reason": one_of(CancelReason), "cancelled_at": TIME, "cancelled_by": TEXT}, {"note": TEXT})
            ),
            "approval": nullable(
                object_of({"status": one_of(ApprovalStatus), "expires_at": TIME}, {"decided_by": TEXT, "reason": TEXT})
            ),
        }
    )
    payment = object_of(
        {
            "payment_id": TEXT,
            "status": one_of(PaymentStatus),
            "amount": ref("Money"),
            "method": one_of(PaymentMethod),
        },
        {"failure_reason": TEXT, "refunded_at": TIME},
    )
    shipment = object_of(
        {
            "shipment_id": TEXT,
            "tracking_number": nullable(TEXT),
            "carrier": TEXT,
            "status": one_of(ShipmentStatus),
            "current_location": nullable(TEXT),
            "estimated_delivery": nullable(TIME),
            "scans": {
                "type": "array",
                "items": object_of(
                    {"at": TIME, "status": one_of(ShipmentStatus), "location": nullable(TEXT), "message": nullable(TEXT)}
                ),
            },
        },
        {"delivered_at": TIME, "unconfirmed_delivery_at": TIME},
    )
    step = object_of(
        {"name": one_of(STEPS), "order": COUNT, "status": one_of(StepStatus)},
        {"started_at": TIME, "completed_at": TIME, "error_message": TEXT},
    )
    event = object_of(
        {
            "version": COUNT,
            "event_type": TEXT,
            "status": one_of(OrderStatus),
            "timestamp": TIME,
            "triggered_by": TEXT,
            "metadata": {"type": "object"},
        },
        {"reason": TEXT},
    )
    execution = object_of(
        {"execution_arn": TEXT, "name": TEXT, "status": TEXT, "started_at": TIME, "stopped_at": nullable(TIME)},
        {"definition": {"type": "object"}, "events": {"type": "array", "items": {"type": "object"}}},
    )
    return {
        "Money": object_of({"amount": {"type": "integer"}, "currency": {"type": "string", "pattern": "^[A-Z]{3}$"}}),
        "Order": order,
        "Payment": payment,
        "Shipment": shipment,
        "OrderAnswer": object_of(
            {"order": ref("Order"), "payment": nullable(ref("Payment")), "shipment": nullable(ref("Shipment"))},
            {"tracking_url": TEXT},
        ),
        "ListedOrder": {
            "allOf": [ref("Order")],
            "properties": {
                Part.PAYMENT: nullable(ref("Payment")),
                Part.SHIPMENTS: {"type": "array", "items": ref("Shipment")},
            },
        },
        "OrderList": object_of({"orders": {"type": "array", "items": ref("ListedOrder")}, "next_cursor": nullable(TEXT)}),
        "Progress": object_of(
            {
                "order_id": ID,
                "status": one_of(OrderStatus),
                "overall_status": one_of(OverallStatus),
                "current_step": nullable(one_of(STEPS)),
                "last_updated": TIME,
                "estimated_completion": nullable(TIME),
                "steps": {"type": "array", "items": step},
            }
        ),
        "History": object_of({"order_id": ID, "history": {"type": "array", "items": event}}),
        "Execution": object_of({"order_id": ID, "fulfilment": nullable(execution), "unwinding": nullable(execution)}),
        "Product": object_of({"product_id": ID, "name": TEXT, "unit_price": ref("Money"), "stock": COUNT}),
        "ProductList": object_of({"products": {"type": "array", "items": ref("Product")}, "next_cursor": nullable(TEXT)}),
        "Health": object_of({"status": TEXT}),
        **_webhook_answers(),
        "Analytics": _analytics(),
        "Accepted": object_of({"accepted": {"type": "boolean"}}),
        "OpenApi": {"type": "object"},
        "GatewayMessage": object_of({"message": TEXT}),
        "Problem": object_of(
            {"type": TEXT, "title": TEXT, "status": {"type": "integer"}, "code": TEXT, "detail": TEXT},
            {
                "instance": TEXT,
                "errors": {"type": "array", "items": object_of({"field": TEXT, "message": TEXT})},
                "from": TEXT,
                "to": TEXT,
                "allowed": {"type": "array", "items": TEXT},
                "order_status": one_of(OrderStatus),
            },
        ),
    }


def _webhook_answers() -> dict[str, Schema]:
    webhook = object_of(
        {
            "webhook_id": ID,
            "url": TEXT,
            "events": {"type": "array", "items": one_of(EVENT_TYPES)},
            "status": one_of(WebhookStatus),
            "created_at": TIME,
            "failing_since": nullable(TIME),
            "disabled_reason": nullable(TEXT),
        },
        {"secret": TEXT},
    )
    attempt = object_of(
        {"at": TIME, "duration_ms": COUNT, "status_code": nullable(COUNT), "error": nullable(TEXT)},
    )
    delivery = object_of(
        {
            "delivery_id": ID,
            "webhook_id": ID,
            "event_type": one_of(EVENT_TYPES),
            "status": one_of(DeliveryStatus),
            "created_at": TIME,
            "next_attempt_at": nullable(TIME),
            "attempts": {"type": "array", "items": attempt},
        },
        {"order_id": ID},
    )
    return {
        "Webhook": webhook,
        "WebhookList": object_of({"webhooks": {"type": "array", "items": ref("Webhook")}}),
        "Delivery": delivery,
        "DeliveryList": object_of({"deliveries": {"type": "array", "items": ref("Delivery")}, "next_cursor": nullable(TEXT)}),
    }


def _analytics() -> Schema:
    seconds: Schema = {"type": "number", "minimum": 0}
    lasted = {"mean_seconds": seconds, "p95_seconds": seconds}
    status = object_of(
        {
            "status": one_of(OrderStatus),
            "count": COUNT,
            "mean_order_value": nullable(ref("Money")),
            "mean_order_values": {"type": "array", "items": ref("Money")},
            "time_in_status": nullable(object_of(lasted)),
        }
    )
    share: Schema = {"type": "number", "minimum": 0}
    rates = {"orders_placed": COUNT, "payment_failures": COUNT, "cancel_rate": share, "return_rate": share}
    conversion = object_of({"status": one_of(OrderStatus), "left": COUNT, "went_on": COUNT, "rate": nullable(share)})
    entered = object_of({str(status): COUNT for status in OrderStatus})
    return object_of(
        {
            "from": nullable(DAY),
            "to": nullable(DAY),
            **rates,
            "conversion": {"type": "array", "items": conversion},
            "days": {"type": "array", "items": object_of({"date": DAY, **rates, "entered": entered})},
            "statuses": {"type": "array", "items": status},
            "steps": {"type": "array", "items": object_of({"step": one_of(STEPS), **lasted})},
        }
    )


CARRIER_EVENT = "CarrierEvent"
_SCHEMA_PREFIX = "#/components/schemas/{model}"


def request_bodies() -> dict[str, Schema]:
    """The request bodies' schemas, their nested definitions beside them."""
    found: dict[str, Schema] = {}
    for name in sorted({route.body for route in ROUTES.values() if route.body} - {CARRIER_EVENT}):
        model: type[bodies.Body] = getattr(bodies, name)
        schema = model.model_json_schema(ref_template=_SCHEMA_PREFIX)
        found |= schema.pop("$defs", {})
        found[name] = schema
    return found | {CARRIER_EVENT: {"type": "object", "description": "As the carrier documents it."}}
