"""The examples of the API's description: requests that are taken, and responses as the views make them of one order's life."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from orders.domain import errors, notifications
from orders.domain.address import Address, Contact
from orders.domain.decisions import placing
from orders.domain.decisions.placing import PricedRequest
from orders.domain.errors import IllegalTransition, InvalidArgument, OrderError
from orders.domain.events import ORDER_STATUS_CHANGED, EventType, Signal
from orders.domain.identifiers import CustomerId, OrderId, TrackingNumber
from orders.domain.lines import Line
from orders.domain.mails import Mail, MailKind, MailStatus
from orders.domain.money import Money
from orders.domain.order import Event, Measures, Order, Snapshot
from orders.domain.parcels import Shipment, TrackingDetail
from orders.domain.payment import Payment
from orders.domain.products import Product
from orders.domain.statuses import (
    Condition,
    OrderStatus,
    OverallStatus,
    PaymentMethod,
    PaymentStatus,
    RefundStatus,
    ReturnStatus,
    ShipmentStatus,
    StepStatus,
)
from orders.domain.steps import StepName
from orders.domain.waits import Waits
from orders.domain.webhooks import Attempt, Delivery, DeliveryStatus, Secret, Webhook
from orders.web import analytics_views, event_views, mail_views, progress_views, views, webhook_views
from orders.web.handling import anchor
from orders.web.responses import product_view, stock_view
from orders.web.views import Audience

Example = dict[str, Any]

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ORDER_ID, CUSTOMER = OrderId("order-1001"), CustomerId("ada")
ADDRESS: Example = {
    "name": "Ada Lovelace",
    "line1": "12 Great Street",
    "city": "London",
    "postal_code": "SW1Y 4JH",
    "country": "GB",
}
BECAUSE: Example = {"reason": "Changed my mind"}

REQUESTS: dict[str, Example] = {
    "PlaceOrder": {
        "items": [{"product_id": "prod-001", "quantity": 2}, {"product_id": "prod-002", "quantity": 1}],
        "payment": {"method": "CREDIT_CARD", "token": "tok_ok"},
        "shipping_address": ADDRESS,
        "contact": {"email": "ada@example.com", "locale": "en"},
    },
    "WithReason": BECAUSE,
    "RefundBody": {"items": [{"line_id": "1", "quantity": 1}], "reason": "Arrived scratched"},
    "HoldOrder": {"reason": "The address looks odd"},
    "AddressBody": ADDRESS,
    "PatchOrder": {"external_id": "#1001", "note": "Leave it with the neighbors", "metadata": {"channel": "phone"}},
    "RequestReturn": {"items": [{"line_id": "1", "quantity": 1, "reason": "Too small"}], "note": "Worn once"},
    "ReceiveReturn": {"items": [{"line_id": "1", "quantity": 1, "condition": str(Condition.DAMAGED)}]},
    "SetStatus": {"status": str(OrderStatus.CANCELLED), "reason": "Customer called"},
    "CancelOrder": {"reason": "Ordered twice", "items": [{"line_id": "1", "quantity": 1}]},
    "HandOver": {"items": [{"line_id": "1", "quantity": 1}], "carrier": "DHL", "tracking_number": "JD0146"},
    "SetLocation": {"location": "Sorting center Utrecht", "estimated_delivery": "2026-11-24T12:00:00Z"},
    "SetProduct": {"name": "Teapot", "unit_price": {"amount": 1000, "currency": "USD"}, "stock": 25},
    "ChangeStock": {"change": -3},
    "AddWebhook": {"url": "https://shop.example.com/hooks/orders", "events": [ORDER_STATUS_CHANGED]},
    "Empty": {},
    "CarrierEvent": {
        "event_id": "scan-1",
        "tracking_number": "SIM0001",
        "status": "in_transit",
        "scanned_at": "2026-11-21T08:30:00Z",
    },
    "PaymentEvent": {
        "event_type": "payment.confirmed",
        "event_id": "event-1",
        "order_id": "order-1",
        "amount": {"amount": 3000, "currency": "USD"},
    },
}
"""By the name of the body's schema."""


def _later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def _placed() -> tuple[Order, Event]:
    wish = PricedRequest(
        customer_id=CUSTOMER,
        shipping_address=Address(**ADDRESS),
        method=PaymentMethod.CREDIT_CARD,
        order_id=ORDER_ID,
        contact=Contact("ada@example.com", locale="en"),
        external_id="#1001",
        lines=(Line("prod-001", "Teapot", 2, Money(1000, "USD")), Line("prod-002", "Cup", 1, Money(1000, "USD"))),
        needs_review=False,
    )
    change = placing.place(wish, _WAITS, NOON, CUSTOMER)
    return change.order, change.event


_WAITS = Waits(payment=5, preparation=5, delivery=10, approval=300, confirmation=3600, transfer=604_800, shortage=86_400)


def _shipped() -> tuple[Snapshot, list[Event]]:
    """An order that is under way, and its trail: so much of it as an example needs."""
    placed, first = _placed()
    done = [(StepName.INVENTORY, 0.1), (StepName.PAYMENT, 5), (StepName.SHIPPING, 10)]
    order = replace(placed.with_step(StepName.REVIEW, StepStatus.SKIPPED, NOON), status=OrderStatus.SHIPPED, version=8)
    for name, seconds in done:
        order = order.with_step(name, StepStatus.IN_PROGRESS, NOON).with_step(name, StepStatus.COMPLETED, _later(seconds))
    order = order.with_step(StepName.DELIVERY, StepStatus.IN_PROGRESS, _later(10))
    order = replace(order, overall=OverallStatus.IN_PROGRESS, updated_at=_later(10), status_since=_later(10))
    payment = Payment(
        "0199f1c5-9d1a-7c52-b1c3-8f6f0f7d2a11",
        PaymentStatus.COMPLETED,
        order.total,
        order.method,
        "simulated",
        "sim_0199f1c5",
        amount_captured=order.total.amount,
        created_at=_later(5),
    )
    scan = TrackingDetail(_later(3600), ShipmentStatus.IN_TRANSIT, "Utrecht", "Arrived at the sorting center")
    parcel = Shipment(
        "0199f1c5-b2f4-7a0e-9d64-2f1f5d3c7e90",
        ShipmentStatus.IN_TRANSIT,
        "simulated",
        TrackingNumber("SIM0001"),
        "Utrecht",
        _later(3 * 86_400),
        scans=(scan,),
    )
    shipped = Event(
        ORDER_ID,
        CUSTOMER,
        8,
        EventType.ORDER_SHIPPED,
        OrderStatus.SHIPPED,
        OrderStatus.PROCESSING,
        _later(10),
        "system",
        metadata={"tracking_number": "SIM0001", "carrier": "simulated"},
        signals=((Signal.STEP_COMPLETED, StepName.SHIPPING), (Signal.STEP_STARTED, StepName.DELIVERY)),
        measures=Measures(order.total, 5.1, {StepName.SHIPPING: 5.1}),
    )
    return Snapshot(order, payment, (parcel,)), [first, shipped]


def responses() -> dict[str, Example]:
    """By the name of the response's schema."""
    snapshot, trail = _shipped()
    owner = Audience.OWNER
    answer = views.snapshot_view(snapshot, owner) | {"tracking_url": f"https://orders.example.com/track/{ORDER_ID}?token=…"}
    answer |= {"allowed_actions": ["returnOrder"]}
    listed = views.listed_view(snapshot, owner, payment=False, shipments=False)
    found: dict[str, Any] = {
        "OrderAnswer": answer,
        "OrderList": {"orders": [listed], "next_cursor": None},
        "History": views.history_view(ORDER_ID, trail, owner),
        "Progress": progress_views.progress_view(snapshot, {}, _WAITS, _later(12)),
        "Analytics": analytics_views.of_all({}),
        "Execution": {"order_id": ORDER_ID, "fulfilment": None, "unwinding": None},
        "Accepted": {"accepted": True},
        "MailList": _mails(),
        "Health": {"status": "ok", "payment_provider": "stripe", "carrier_provider": "none"},
        **_of_products(),
        **_of_webhooks(trail[-1]),
    }
    return found


@cache
def shown() -> dict[str, Example]:
    """All but the requests, by their names."""
    return {**responses(), **events(), **problems()}


def _mails() -> Example:
    said = "Hello Ada Lovelace,\n\nwe have received your order order-1001."
    address, subject = "ada@example.com", "We have your order order-1001"
    mail = Mail("0199f1c5-9d1a-7c52-b1c3-8f6f0f7d2a12", MailKind.PLACED, MailStatus.SENT, NOON, "en", address, subject, said)
    return {"order_id": ORDER_ID, "mails": [mail_views.mail_view(mail)]}


def _of_products() -> Example:
    product = Product("prod-001", "Teapot", Money(1000, "USD"), 9998)
    teapot = product_view(product)
    return {
        "Product": teapot,
        "ProductList": {"products": [teapot], "next_cursor": None},
        "StockList": {"products": [stock_view(replace(product, reserved=2, sold=40))], "next_cursor": None},
    }


def _of_webhooks(event: Event) -> Example:
    webhook = Webhook("hook-1", "https://shop.example.com/hooks/orders", (ORDER_STATUS_CHANGED,), (Secret("whsec_…"),), NOON)
    _, detail, at = notifications.messages(event)[0]
    delivery = Delivery(
        webhook.webhook_id,
        detail["event_id"],
        ORDER_STATUS_CHANGED,
        f'{{"data": {{"order_id": "{ORDER_ID}"}}}}',
        at,
        DeliveryStatus.SUCCEEDED,
        (Attempt(_later(11), 84, 204),),
    )
    shown, sent = webhook_views.webhook_view(webhook), webhook_views.delivery_view(delivery)
    return {
        "Webhook": webhook_views.webhook_view(webhook, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),
        "WebhookList": {"webhooks": [shown]},
        "Delivery": sent,
        "DeliveryList": {"deliveries": [sent], "next_cursor": None},
    }


def events() -> dict[str, Example]:
    """The bodies of webhooks' requests, by the name of their schema."""
    shipped = _shipped()[1][-1]
    further = (_received(shipped), *_of_parts(shipped))
    messages = [message for event in (shipped, *further) for message in notifications.messages(event)]
    by_schema: dict[str, Example] = {}
    for kind, detail, _ in messages:
        body = {"type": kind, "timestamp": detail["timestamp"], "data": detail}
        by_schema.setdefault(event_views.schema_name(kind), body)
    return by_schema


def _received(event: Event) -> Event:
    """What comes of a return's last piece: one that is damaged."""
    piece = {"line_id": "1", "product_id": "prod-001", "quantity": 1}
    metadata = {
        "return_id": "0199f1c6-0d1a-7c52-b1c3-8f6f0f7d2a13",
        "return_status": str(ReturnStatus.RECEIVED),
        "return_items": [piece],
        "received": [piece | {"condition": str(Condition.DAMAGED)}],
        "refund_id": "0199f1c6-1e2b-7d63-a2d4-907a108e3b24",
        "refund_status": str(RefundStatus.PENDING),
        "amount": {"amount": 1000, "currency": "USD"},
        "refunded_items": [{"line_id": "1", "quantity": 1}],
    }
    return replace(event, type=EventType.RETURN_RECEIVED, old_status=event.status, signals=(), metadata=metadata)


def _of_parts(event: Event) -> list[Event]:
    """A parcel of one piece is handed over, and another piece is cancelled."""
    piece = {"line_id": "1", "quantity": 1}
    parcel = {
        "shipment_id": "ship-0199f1c6-2f3c-7e74-93e5-a18b219f4c35",
        "shipment_status": str(ShipmentStatus.IN_TRANSIT),
        "carrier": "UPS",
        "tracking_number": "1Z999AA10123456784",
        "lines": [piece],
    }
    unmoved = replace(event, old_status=event.status, signals=())
    return [
        replace(unmoved, type=EventType.PARCEL_SHIPPED, metadata=parcel),
        replace(unmoved, type=EventType.ITEMS_CANCELLED, metadata={"lines": [piece]}),
    ]


def problems() -> dict[str, Example]:
    """A refusal of each class, by the class's name."""
    return {refusal.__name__: _problem(refusal) for refusal in errors.family()}


def _problem(refusal: type[OrderError]) -> Example:
    said = refusal.__doc__ or ""
    more = _SAID.get(refusal.__name__)
    return {
        **(more.extra if more else {}),
        "type": f"/docs#{anchor(refusal.code)}",
        "title": refusal.title,
        "status": int(refusal.http_status),
        "code": refusal.code,
        "detail": more.detail if more else said.partition("\n")[0].replace("``", ""),
        "instance": f"/orders/{ORDER_ID}",
    }


_SAID: dict[str, OrderError] = {
    "InvalidArgument": InvalidArgument.of("items.0.quantity", "Input should be greater than or equal to 1"),
    "IllegalTransition": IllegalTransition(OrderStatus.SHIPPED, OrderStatus.CANCELLED, [OrderStatus.DELIVERED]),
}
