"""What callers see of an order (``docs/behavior.md#shapes``). No token or credential is part of a view."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NotRequired, TypedDict, cast

from orders.domain import facts
from orders.domain.address import NO_ADDRESS, Address, Contact
from orders.domain.decisions import reviewing
from orders.domain.events import CARRIER_PREFIX, FULFILLMENT, SHOP_PREFIX, SYSTEM
from orders.domain.identifiers import CustomerId, OrderId
from orders.domain.lines import Line
from orders.domain.order import Event, Order, Snapshot, timestamp
from orders.domain.refund import Refund
from orders.domain.statuses import (
    ApprovalStatus,
    FulfillmentStatus,
    OrderStatus,
)
from orders.domain.steps import CancelReason
from orders.web.parcel_views import ShipmentView, shipment_view
from orders.web.payment_views import MoneyView, PaymentView, RefundView, money_view, payment_view, refund_view
from orders.web.return_views import ReturnView, return_view
from orders.web.shapes import Count, Nullable, Time, Version, present
from orders.web.shortage_views import ShortageView, shortage_view


class Audience(StrEnum):
    """Who looks: staff see everything; an owner, and a shop for them, nothing that staff noted; a carrier or warehouse not
    even the owner's words.
    """

    STAFF = "staff"
    OWNER = "owner"
    CARRIER = "carrier"


class _LineView(TypedDict):
    line_id: str
    product_id: str
    name: str
    quantity: Count
    unit_price: MoneyView
    discount: NotRequired[MoneyView | None]
    tax: NotRequired[MoneyView | None]
    requires_shipping: NotRequired[bool | None]
    quantity_cancelled: Count
    quantity_shipped: Count
    quantity_delivered: Count
    quantity_returned: Count


class _DiscountView(TypedDict):
    code: NotRequired[str | None]
    amount: MoneyView


class _AddressView(TypedDict):
    name: str
    company: NotRequired[str | None]
    line1: str
    line2: NotRequired[str | None]
    city: NotRequired[str | None]
    region: NotRequired[str | None]
    postal_code: NotRequired[str | None]
    country: str
    phone: NotRequired[str | None]


class _ContactView(TypedDict):
    email: NotRequired[str | None]
    phone: NotRequired[str | None]
    locale: NotRequired[str | None]


class _CancellationView(TypedDict):
    reason: CancelReason
    cancelled_at: Time
    cancelled_by: str
    note: NotRequired[str | None]


class _ApprovalView(TypedDict):
    status: ApprovalStatus
    expires_at: Time
    decided_by: NotRequired[str | None]
    reason: NotRequired[str | None]


class _HoldView(TypedDict):
    reason: NotRequired[str | None]
    held_at: Time
    held_by: str


class OrderView(TypedDict):
    """The order by itself, as in lists."""

    order_id: OrderId
    customer_id: CustomerId
    status: OrderStatus
    fulfillment_status: FulfillmentStatus
    version: Version
    items: list[_LineView]
    discounts: NotRequired[list[_DiscountView] | None]
    subtotal: MoneyView
    discount_total: MoneyView
    shipping_total: MoneyView
    tax_total: MoneyView
    total: MoneyView
    shipping_address: _AddressView | None
    billing_address: NotRequired[_AddressView | None]
    contact: NotRequired[_ContactView | None]
    external_id: NotRequired[str | None]
    metadata: NotRequired[dict[str, str] | None]
    note: NotRequired[str | None]
    created_at: Time
    updated_at: Time
    cancellation: _CancellationView | None
    approval: _ApprovalView | None
    hold: _HoldView | None
    shortage: ShortageView | None


def _line_view(line_id: str, line: Line) -> _LineView:
    return present(
        _LineView,
        line_id=line_id,
        product_id=line.product_id,
        name=line.name,
        quantity=line.quantity,
        unit_price=money_view(line.unit_price),
        discount=money_view(line.discount) if line.discount else None,
        tax=money_view(line.tax) if line.tax else None,
        requires_shipping=None if line.requires_shipping else False,
        quantity_cancelled=line.quantity_cancelled,
        quantity_shipped=line.quantity_shipped,
        quantity_delivered=line.quantity_delivered,
        quantity_returned=line.quantity_returned,
    )


def _address_view(address: Address) -> _AddressView:
    return present(
        _AddressView,
        name=address.name,
        company=address.company,
        line1=address.line1,
        line2=address.line2,
        city=address.city or None,
        region=address.region,
        postal_code=address.postal_code or None,
        country=address.country,
        phone=address.phone,
    )


def _contact_view(contact: Contact) -> _ContactView:
    return present(_ContactView, email=contact.email, phone=contact.phone, locale=contact.locale)


def order_view(order: Order, audience: Audience) -> OrderView:
    """The order by itself, as in lists."""
    totals, is_concerned = order.totals, audience is not Audience.CARRIER
    return present(
        OrderView,
        order_id=order.order_id,
        customer_id=order.customer_id,
        status=order.status,
        fulfillment_status=order.fulfillment_status,
        version=order.version,
        items=[_line_view(line_id, line) for line_id, line in order.lines_by_id.items()],
        discounts=[present(_DiscountView, code=one.code, amount=money_view(one.amount)) for one in order.discounts] or None,
        subtotal=money_view(totals.subtotal),
        discount_total=money_view(totals.discount),
        shipping_total=money_view(totals.shipping),
        tax_total=money_view(totals.tax),
        total=money_view(order.total),
        shipping_address=None if order.shipping_address == NO_ADDRESS else _address_view(order.shipping_address),
        billing_address=_address_view(order.billing_address) if order.billing_address and is_concerned else None,
        contact=_contact_view(order.contact) if order.contact and is_concerned else None,
        external_id=order.external_id,
        metadata=dict(order.metadata) if order.metadata and is_concerned else None,
        note=order.note if is_concerned else None,
        created_at=timestamp(order.created_at),
        updated_at=timestamp(order.updated_at),
        cancellation=_cancellation_view(order, audience),
        approval=_approval_view(order, audience),
        hold=_hold_view(order, audience),
        shortage=shortage_view(order),
    )


class OrderAnswerView(TypedDict):
    """The order with its payment and its parcels, the latest also by itself: what each change of an order returns."""

    order: OrderView
    payment: PaymentView | None
    shipments: list[ShipmentView]
    shipment: ShipmentView | None
    returns: list[ReturnView]
    refunds: list[RefundView]
    tracking_url: NotRequired[str]
    allowed_actions: NotRequired[list[str]]


def snapshot_view(snapshot: Snapshot, audience: Audience) -> OrderAnswerView:
    """The order with its payment and its parcels: what each change of an order returns."""
    shipments = _shipment_views(snapshot, audience)
    return {
        "order": order_view(snapshot.order, audience),
        "payment": payment_view(snapshot.payment) if snapshot.payment else None,
        "shipments": shipments,
        "shipment": shipments[-1] if shipments else None,
        "returns": [
            return_view(one, is_staff=audience is Audience.STAFF, is_concerned=audience is not Audience.CARRIER)
            for one in snapshot.returns
        ],
        "refunds": [_refund_view(refund, snapshot.order, audience) for refund in snapshot.refunds],
    }


def _refund_view(refund: Refund, order: Order, audience: Audience) -> RefundView:
    may_read = refund.requested_by == SYSTEM or _may_read(audience, refund.requested_by, order)
    return refund_view(refund, is_staff=audience is Audience.STAFF, shows_reason=may_read)


def _shipment_views(snapshot: Snapshot, audience: Audience) -> list[ShipmentView]:
    return [shipment_view(snapshot.order, one, for_staff=audience is Audience.STAFF) for one in snapshot.shipments]


class ListedOrderView(OrderView):
    """The order as an entry of a list, with the requested parts."""

    payment: NotRequired[Nullable[PaymentView]]
    shipments: NotRequired[list[ShipmentView]]


class OrderListView(TypedDict):
    """A page of orders."""

    orders: list[ListedOrderView]
    next_cursor: str | None


def listed_view(snapshot: Snapshot, audience: Audience, *, payment: bool, shipments: bool) -> ListedOrderView:
    """The order as an entry of a list, with the requested parts."""
    view = cast(ListedOrderView, order_view(snapshot.order, audience))
    if payment:
        view["payment"] = payment_view(snapshot.payment) if snapshot.payment else None
    if shipments:
        view["shipments"] = _shipment_views(snapshot, audience)
    return view


class _EventView(TypedDict):
    version: Count
    event_type: str
    status: OrderStatus
    timestamp: Time
    triggered_by: str
    reason: NotRequired[str | None]
    metadata: dict[str, Any]


def event_view(event: Event, audience: Audience) -> _EventView:
    """One entry of the audit trail; to its owner without what staff or a warehouse wrote."""
    reason, metadata = event.reason, dict(event.metadata)
    if audience is not Audience.STAFF:
        reason = _reason_for_owner(event)
        by_carrier = event.by.startswith(CARRIER_PREFIX)
        metadata = {
            name: value
            for name, value in metadata.items()
            if facts.is_owners(name, value) or (name == facts.SCANS and by_carrier)
        }
    return present(
        _EventView,
        version=event.version,
        event_type=event.type,
        status=event.status,
        timestamp=timestamp(event.at),
        triggered_by=event.by,
        reason=reason,
        metadata=metadata,
    )


class HistoryView(TypedDict):
    """The audit trail, oldest first."""

    order_id: OrderId
    history: list[_EventView]


def history_view(order_id: OrderId, events: Iterable[Event], audience: Audience) -> HistoryView:
    """The audit trail, oldest first."""
    return {"order_id": order_id, "history": [event_view(event, audience) for event in events]}


def _reason_for_owner(event: Event) -> str | None:
    """A reason that the owner gave, or a shop for them, or that the pipeline wrote; staff's are theirs."""
    by_pipeline = event.by in (SYSTEM, FULFILLMENT) or event.by.startswith(CARRIER_PREFIX)
    if event.reason is None or not (by_pipeline or _is_owners(event.by, event.customer_id)):
        return None
    return reviewing.REJECTED if event.reason.startswith(reviewing.REJECTED) and by_pipeline else event.reason


def _cancellation_view(order: Order, audience: Audience) -> _CancellationView | None:
    cause = order.cancellation
    if cause is None or order.status is not OrderStatus.CANCELLED:
        return None
    return present(
        _CancellationView,
        reason=cause.reason,
        cancelled_at=timestamp(cause.at),
        cancelled_by=cause.by,
        note=cause.note if _may_read(audience, cause.by, order) else None,
    )


def _may_read(audience: Audience, writer: str, order: Order) -> bool:
    return audience is Audience.STAFF or (audience is Audience.OWNER and _is_owners(writer, order.customer_id))


def _is_owners(writer: str, customer_id: CustomerId) -> bool:
    """Whether the owner wrote it, or a shop for them."""
    return writer == customer_id or writer.startswith(SHOP_PREFIX)


def _approval_view(order: Order, audience: Audience) -> _ApprovalView | None:
    approval = order.approval
    if approval is None:
        return None
    return present(
        _ApprovalView,
        status=approval.status,
        expires_at=timestamp(approval.expires_at),
        decided_by=approval.decided_by,
        reason=approval.reason if audience is Audience.STAFF else None,
    )


def _hold_view(order: Order, audience: Audience) -> _HoldView | None:
    hold = order.hold
    if hold is None:
        return None
    is_pipelines = hold.by == SYSTEM
    return present(
        _HoldView,
        reason=hold.reason if audience is Audience.STAFF or is_pipelines else None,
        held_at=timestamp(hold.at),
        held_by=hold.by,
    )
