"""An order, its payment, its shipment and its audit events as plain values, and ``Change``: one atomic step between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Annotated, Any

from orders.domain import pricing, refund, shares
from orders.domain.address import Address, Contact
from orders.domain.events import EventType, FollowUp, Signal
from orders.domain.identifiers import CustomerId, OrderId
from orders.domain.lines import Line, RequestedLine, fulfillment_of
from orders.domain.money import Money
from orders.domain.parcels import Shipment
from orders.domain.payment import Payment
from orders.domain.personal import Forgotten, Hidden, Impersonal, Personal, Privacy, guarded
from orders.domain.pricing import Discount, ShippingCharge, Totals
from orders.domain.refund import Refund
from orders.domain.returns import Return, merged
from orders.domain.shares import Shares
from orders.domain.shortage import Shortage, ShortagePolicy
from orders.domain.statuses import (
    ApprovalStatus,
    FulfillmentStatus,
    OrderStatus,
    OverallStatus,
    PaymentMethod,
    StepStatus,
)
from orders.domain.steps import STEPS, CancelReason, StepName


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with ``Z`` and milliseconds (``docs/behavior.md#conventions``)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """The inverse of ``timestamp``; raises ``ValueError`` for anything that is no RFC 3339 time with an offset."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC")
    return parsed.astimezone(UTC)


@guarded
@dataclass(frozen=True, slots=True)
class Step:
    """One step of the saga."""

    name: StepName
    status: StepStatus = StepStatus.PENDING
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error_message: Personal | None = None
    unknown: Annotated[tuple[Any, ...], Privacy.HIDDEN] = ()


@guarded
@dataclass(frozen=True, slots=True)
class Cancellation:
    """Why, when and by whom an order was cancelled; ``note`` is the text that person wrote."""

    reason: CancelReason
    at: datetime
    by: Impersonal
    note: Personal | None = None
    unknown: Annotated[Mapping[str, Any], Privacy.HIDDEN] = field(default_factory=dict)


@guarded
@dataclass(frozen=True, slots=True)
class Approval:
    """The manual review of a high-value order."""

    status: ApprovalStatus
    expires_at: datetime
    decided_by: Impersonal | None = None
    reason: Personal | None = None
    unknown: Annotated[Mapping[str, Any], Privacy.HIDDEN] = field(default_factory=dict)


@guarded
@dataclass(frozen=True, slots=True)
class Hold:
    """Why, since when and by whom an order is on hold; ``reason`` is the text that person wrote, or the pipeline."""

    reason: Personal
    at: datetime
    by: Impersonal
    unknown: Annotated[Mapping[str, Any], Privacy.HIDDEN] = field(default_factory=dict)


@guarded
@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDetails:
    """What a caller says of an order and the order keeps: a field that stands here is carried from the one to the other."""

    customer_id: CustomerId
    shipping_address: Address
    method: PaymentMethod
    payment_token: Forgotten | None = None
    return_url: Forgotten | None = None
    """Where the customer comes back to from their bank's page; without it, to the order's tracking page."""
    billing_address: Address | None = None
    contact: Contact | None = None
    external_id: Impersonal | None = None
    """What another system calls the order; others may be called the same."""
    metadata: Annotated[Mapping[str, str], Privacy.FORGOTTEN] = field(default_factory=dict)
    """What a shop's own system keeps with it."""
    note: Forgotten | None = None
    """What was written with the order, by its customer or by staff: for both, and for no carrier."""
    shipping_charge: ShippingCharge | None = None
    discounts: tuple[Discount, ...] = ()
    on_shortage: ShortagePolicy = ShortagePolicy.CANCEL
    """What becomes of it where not all is in stock."""


def details(found: OrderDetails) -> dict[str, Any]:
    """What a request, or an order, says as ``OrderDetails``: its fields by their names."""
    return {one.name: getattr(found, one.name) for one in fields(OrderDetails)}


@guarded
@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest(OrderDetails):
    """A requested order; prices come from the catalog, or from a shop."""

    lines: tuple[RequestedLine, ...]
    order_id: OrderId | None = None
    require_approval: bool = False


@guarded
@dataclass(frozen=True, slots=True, kw_only=True)
class Order(OrderDetails):
    """The order itself. ``version`` counts its changes from 1; every write states the version it replaces.

    ``run`` counts the fulfillment executions started for it, ``unwind_run`` the unwinding ones, ``failed_runs`` those that
    failed by themselves since a step was last finished. ``due_at`` is when the sweep
    should look at it if nothing has happened until then; an order that is over has none. ``erased_at`` is when its
    customer's personal data was erased: what is written after it holds none either. The task tokens are credentials
    of the workflow service: they never leave the table.
    """

    order_id: OrderId
    status: OrderStatus
    version: int
    lines: tuple[Line, ...]
    total: Money
    created_at: datetime
    updated_at: datetime
    status_since: datetime
    steps: tuple[Step, ...] = tuple(Step(name) for name in STEPS)
    overall: OverallStatus = OverallStatus.QUEUED
    cancellation: Cancellation | None = None
    approval: Approval | None = None
    run: int = 1
    unwind_run: int = 0
    failed_runs: int = 0
    due_at: datetime | None = None
    erased_at: datetime | None = None
    approval_token: Hidden | None = None
    delivery_token: Hidden | None = None
    confirmation_token: Hidden | None = None
    warehouse_token: Hidden | None = None
    confirmation_due_at: datetime | None = None
    """Until when the payment's confirmation is waited for, where it is or was."""
    hold: Hold | None = None
    """While it is there nothing is charged, captured or handed over by the pipeline itself."""
    release_token: Hidden | None = None
    provider_down_since: datetime | None = None
    """Since when the payment provider takes no calls, so that the order's step is tried again by the sweep."""
    shortage: Shortage | None = None
    """What of it was missing in stock: while ``is_asked``, the rest is reserved; later, what was taken off."""
    shortage_token: Hidden | None = None
    reviewed_by_total: bool = False
    """Whether its review is due to nothing but its total, which may be amended."""
    further_parcels: Annotated[tuple[str, ...], Privacy.IMPERSONAL] = ()
    """The ids of its parcels behind the first, in their order."""
    restock: Annotated[Mapping[str, int] | None, Privacy.IMPERSONAL] = None
    """What the unwinding puts back into stock, by product, where that is not all that was ordered."""
    counted: tuple[tuple[int, int], ...] = ()
    """The pieces of each line that its product counts as reserved, and as sold, for this order (``stock_figures``).

    It is an item of its own: an order that is read alone has none."""
    unknown_steps: Annotated[tuple[Any, ...], Privacy.HIDDEN] = ()
    """Rows of steps that a later release has written behind those this one knows: kept."""

    def step(self, name: StepName) -> Step:
        """The saga's step of that name."""
        return self.steps[STEPS.index(name)]

    @property
    def pieces(self) -> dict[str, int]:
        """How many pieces of each product are ordered, on however many lines."""
        found: dict[str, int] = {}
        for line in self.lines:
            found[line.product_id] = found.get(line.product_id, 0) + line.quantity
        return found

    @property
    def lines_by_id(self) -> Mapping[str, Line]:
        """The lines by their ids. Lines keep their places for as long as there is the order: the place is the line's id."""
        return {str(place): line for place, line in enumerate(self.lines, start=1)}

    @property
    def fulfillment_status(self) -> FulfillmentStatus:
        """How much of what is wanted has been handed over, delivered and given back."""
        return fulfillment_of(self.lines)

    @property
    def totals(self) -> Totals:
        """The sums that the total is made of."""
        dropped = self.shortage.missing if self.shortage and not self.shortage.expires_at else {}
        return pricing.totals(self.lines, self.shipping_charge, self.discounts).without(
            [(line, dropped[line_id]) for line_id, line in self.lines_by_id.items() if line_id in dropped], self.total
        )

    @property
    def shares(self) -> Shares:
        """What its lines and its delivery are worth."""
        return shares.shares(self.lines_by_id, self.shipping_charge, self.discounts)

    @property
    def due(self) -> Money:
        """What is to be paid: the total without what was cancelled of it since it was amended."""
        missing = self.shortage.missing if self.shortage and not self.shortage.expires_at else {}
        gone = {name: line.quantity_cancelled for name, line in self.lines_by_id.items()}
        if all(pieces <= missing.get(name, 0) for name, pieces in gone.items()):
            return self.total
        # Of all pieces that are gone at once: the shares of a line's pieces differ by their places.
        return Money(self.shares.total - self.shares.to_give_back(gone), self.total.currency)

    @property
    def is_settled_unpaid(self) -> bool:
        """Whether there is nothing to pay for what is still wanted of it: it goes on without a payment."""
        return self.is_free or self.due.amount == 0

    @property
    def current_step(self) -> Step | None:
        """The step under way, if one is."""
        return next((step for step in self.steps if step.status is StepStatus.IN_PROGRESS), None)

    @property
    def is_asked(self) -> bool:
        """Whether its customer is asked what to do about a shortage: all but that is reserved."""
        waits = self.shortage is not None and self.shortage.expires_at is not None
        return waits and self.status is OrderStatus.PENDING and not self.is_over

    @property
    def has_digital(self) -> bool:
        """Whether some of it is not sent."""
        return not all(line.requires_shipping for line in self.lines)

    @property
    def is_digital(self) -> bool:
        """Whether nothing of it is sent."""
        return not any(line.requires_shipping for line in self.lines)

    @property
    def is_free(self) -> bool:
        """Whether there is nothing to pay: such an order has no payment, whatever its method."""
        return self.total.amount == 0

    @property
    def pays_on_delivery(self) -> bool:
        """Whether the money is collected with the parcel."""
        return self.method is PaymentMethod.CASH_ON_DELIVERY and not self.is_free

    @property
    def is_over(self) -> bool:
        """Whether nothing is left for the fulfillment workflow to do: ended, or being unwound."""
        return self.overall not in (OverallStatus.QUEUED, OverallStatus.IN_PROGRESS)

    def with_step(self, name: StepName, status: StepStatus, now: datetime, message: str | None = None) -> "Order":
        """The order with one step moved on; times follow from the status."""
        before = self.step(name)
        after = replace(before, status=status, error_message=message or before.error_message)
        if status is StepStatus.IN_PROGRESS:
            after = replace(after, started_at=now)
        elif status in (StepStatus.COMPLETED, StepStatus.FAILED):
            after = replace(after, started_at=before.started_at or now, completed_at=now)
        steps = tuple(after if step.name is name else step for step in self.steps)
        return replace(self, steps=steps)


@dataclass(frozen=True, slots=True)
class Measures:
    """What a change of status teaches: the order's worth, how long the old status lasted, how long the ended steps took.

    ``status_seconds`` is ``None`` for a new order; ``step_seconds`` holds the steps completed since the last such change.
    """

    total: Money
    status_seconds: float | None
    step_seconds: Mapping[StepName, float]


@guarded
@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the audit trail, written in the same transaction as the version it belongs to.

    ``signals`` are the saga notifications that follow, each ``(signal, step name or None)``; ``measures`` is what the
    statistics learn from a change of status; ``follow_up`` is what the workflow service has to do.
    """

    order_id: OrderId
    customer_id: CustomerId
    version: int
    type: EventType
    status: OrderStatus
    old_status: OrderStatus | None
    at: datetime
    by: Impersonal
    reason: Personal | None = None
    metadata: Annotated[Mapping[str, Any], Privacy.BY_NAME] = field(default_factory=dict)
    signals: tuple[tuple[Signal, StepName | None], ...] = ()
    measures: Measures | None = None
    follow_up: FollowUp | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the table knew of one order at one moment; its parcels by their numbers."""

    order: Order
    payment: Payment | None = None
    shipments: tuple[Shipment, ...] = ()
    returns: tuple[Return, ...] = ()
    refunds: tuple[Refund, ...] = ()
    """The oldest first."""

    @property
    def shipment(self) -> Shipment | None:
        """The latest parcel, if there is one."""
        return self.shipments[-1] if self.shipments else None

    def with_shipments(self, *written: Shipment) -> "Snapshot":
        """The same with these parcels, in the places of those of the same numbers or behind them all."""
        found = {one.number: one for one in (*self.shipments, *written)}
        return replace(self, shipments=tuple(found[number] for number in sorted(found)))


@guarded
@dataclass(frozen=True, slots=True)
class Change:
    """One atomic change: all of it is committed, on the condition that ``before`` is still what the table holds, or none.

    ``before`` is ``None`` for a new order, else the order as it was read: what differs from it is written. ``stock`` is what
    each product's stock moves by; ``marker`` is the id of the outside event that is applied by this change, so that it is
    never applied again. ``returns`` are those that are new or have changed.
    """

    before: Order | None
    order: Order
    event: Event
    payment: Payment | None = None
    shipments: tuple[Shipment, ...] = ()
    stock: Annotated[Mapping[str, int], Privacy.IMPERSONAL] = field(default_factory=dict)
    marker: Annotated[str | None, Privacy.HIDDEN] = None
    returns: tuple[Return, ...] = ()
    refunds: tuple[Refund, ...] = ()
    """Those that are new, or have changed."""
    figures: Annotated[Mapping[str, tuple[int, int]], Privacy.IMPERSONAL] = field(default_factory=dict)
    """By how much the pieces of each product move that are reserved, and those that are sold."""

    def applied_to(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot as it is once this change is committed."""
        returns = merged(snapshot.returns, self.returns)
        return Snapshot(
            self.order,
            self.payment or snapshot.payment,
            snapshot.with_shipments(*self.shipments).shipments,
            returns,
            refund.with_changed(snapshot.refunds, self.refunds),
        )
