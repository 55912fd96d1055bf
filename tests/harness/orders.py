"""Shared builders: an order at any point of its life, made by living it, so that no test sees one that cannot be."""

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from orders.adapters import pauses
from orders.adapters.payments import simulated
from orders.domain.address import Address
from orders.domain.decisions import delivering, ending, paying, placing, refunds, reviewing, shipping, unwinding
from orders.domain.decisions.placing import PricedRequest
from orders.domain.identifiers import CustomerId, OrderId, TrackingNumber
from orders.domain.lines import Line, RequestedLine
from orders.domain.money import Money
from orders.domain.order import Change, Event, Order, OrderRequest, Snapshot
from orders.domain.parcels import Shipment
from orders.domain.payment import OpenedPayment
from orders.domain.statuses import OrderStatus, PaymentMethod, ShipmentStatus
from orders.domain.steps import CancelReason, unwound_from
from orders.domain.waits import Waits

START = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
WAITS = Waits(payment=5, preparation=5, delivery=10, approval=300, confirmation=3600, transfer=604_800, shortage=86_400)
CUSTOMER = CustomerId("ada")
TEAPOT = Line("prod-001", "Teapot", 2, Money(1000, "USD"))
CUP = Line("prod-002", "Cup", 1, Money(1000, "USD"))
LEAFLET = Line("prod-003", "Leaflet", 1, Money(0, "USD"))
HOME = Address("Ada Lovelace", "12 St James's Square", "London", "SW1Y 4JH", "GB")
OPENED = OpenedPayment("pay-1", "simulated", "sim_pay-1")
ELSEWHERE = replace(HOME, line1="1 Ockham Park", city="Ockham", postal_code="GU23 6NQ")


def bearer(claims: Mapping[str, Any]) -> str:
    """The Authorization header with a token of these claims, as a function gets it behind an authorizer: the signature is
    verified by then, and nobody looks at it again.
    """
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({"alg": "RS256"}, claims)
    )
    return f"Bearer {head}.{body}.verified"


def later(seconds: float = 1) -> datetime:
    """So many seconds after everything began."""
    return START + timedelta(seconds=seconds)


def without_pauses(patch: pytest.MonkeyPatch) -> None:
    """The product pauses for no time; ``time.sleep`` itself stays, as what a stopped stack left in this process lives by it."""
    still = SimpleNamespace(**{**vars(time), "sleep": lambda seconds: None})
    for module in (pauses, simulated):
        patch.setattr(module, "time", still)


def a_request(pieces: Mapping[str, int], **changes: Any) -> OrderRequest:
    """What a customer asks to order, paid by card."""
    usual = OrderRequest(
        customer_id=CUSTOMER,
        lines=tuple(RequestedLine(product_id, quantity) for product_id, quantity in pieces.items()),
        shipping_address=HOME,
        method=PaymentMethod.CREDIT_CARD,
        payment_token="tok_ok",
    )
    return replace(usual, **changes)


def a_wish(**changes: Any) -> PricedRequest:
    """The same with prices: two teapots and a cup."""
    usual = PricedRequest(
        customer_id=CUSTOMER,
        shipping_address=HOME,
        method=PaymentMethod.CREDIT_CARD,
        payment_token="tok_ok",
        order_id=OrderId("order-1"),
        lines=(TEAPOT, CUP),
        needs_review=False,
    )
    return replace(usual, **changes)


def booked(snapshot: Snapshot, transit: float = WAITS.delivery) -> Shipment:
    """The parcel as the carrier has accepted it."""
    assert snapshot.shipment is not None
    estimated = START + timedelta(seconds=transit)
    return replace(
        snapshot.shipment,
        status=ShipmentStatus.IN_TRANSIT,
        tracking_number=TrackingNumber("TRACK-1"),
        current_location="Handed over to the carrier",
        estimated_delivery=estimated,
    )


Decision = Callable[..., Change | None]


@dataclass
class Life:
    """One order's life as it is lived: each decision is applied to what the one before it left."""

    wish: PricedRequest = field(default_factory=a_wish)
    waits: Waits = WAITS
    now: datetime = START
    trail: list[Event] = field(default_factory=list)
    stock: dict[str, int] = field(default_factory=dict)
    snapshot: Snapshot = field(init=False)

    def __post_init__(self) -> None:
        change = placing.place(self.wish, self.waits, self.now, by=self.wish.customer_id)
        self.snapshot = Snapshot(change.order)
        self.trail.append(change.event)

    @property
    def order(self) -> Order:
        return self.snapshot.order

    def apply(self, change: Change | None) -> Change | None:
        """Commits a change the way the store would: on the version it was decided for."""
        if change is not None:
            assert change.before is not None
            assert change.before == self.order, "what differs from it is what is written"
            self.snapshot = change.applied_to(self.snapshot)
            self.trail.append(change.event)
            for product_id, delta in change.stock.items():
                self.stock[product_id] = self.stock.get(product_id, 0) + delta
        return change

    def tick(self, seconds: float = 1) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now

    # --- the way forward, one step each ---

    def reserve(self) -> "Life":
        self.apply(placing.reserve_stock(self.snapshot, self.now, self.tick()))
        return self

    def approve(self) -> "Life":
        self.apply(reviewing.approve(self.snapshot, self.tick(), "grace", None))
        return self

    def start_payment(self) -> "Life":
        self.apply(paying.start_payment(self.snapshot, OPENED, self.tick()))
        return self

    def pay(self) -> "Life":
        if self.order.is_free:
            self.apply(paying.skip_payment(self.snapshot, self.tick()))
            return self
        if self.order.pays_on_delivery:
            self.apply(paying.accept_cash(self.snapshot, "pay-1", self.tick()))
            return self
        self.start_payment()
        self.apply(paying.payment_completed(self.snapshot, self.tick()))
        return self

    def start_handover(self) -> "Life":
        self.apply(shipping.start_handover(self.snapshot, "ship-1", "SimEx", self.tick()))
        return self

    def ship(self, token: str | None = "task-1") -> "Life":
        self.start_handover()
        self.apply(shipping.ship(self.snapshot, booked(self.snapshot), self.waits.delivery, token, self.tick()))
        return self

    def deliver(self) -> "Life":
        self.apply(delivering.deliver(self.snapshot, self.tick()))
        return self

    # --- and back ---

    def cancel(self, reason: CancelReason = CancelReason.CUSTOMER) -> "Life":
        self.apply(ending.cancel(self.snapshot, reason, self.tick(), CUSTOMER))
        return self

    def return_goods(self, *, to_sender: bool = False) -> "Life":
        self.apply(ending.return_order(self.snapshot, self.tick(), CUSTOMER, to_sender=to_sender))
        return self

    def unwind(self, *, charged: bool | None = None) -> "Life":
        """What the unwinding machine does; ``charged`` is what the gateway says (by default: what the row says)."""
        payment = self.snapshot.payment
        known = payment.amount_captured if payment else 0
        taken = known if charged is None else self.order.total.amount * charged
        decisions: dict[str, Decision] = {
            "recall_shipment": lambda snapshot: unwinding.shipment_recalled(snapshot, 1, self.tick()),
            "release_stock": lambda snapshot: unwinding.release_stock(snapshot, self.tick()),
            "close_order": lambda snapshot: unwinding.close(snapshot, self.tick()),
        }
        for task in unwound_from(unwinding.undo_from(self.snapshot)):
            if task.function == "refund_payment":
                self.give_back(taken)
            else:
                self.apply(decisions[task.function](self.snapshot))
        return self

    def give_back(self, taken: int) -> "Life":
        """What the unwinding does about the money."""
        self.apply(refunds.unwind(self.snapshot, captured=taken, now=self.tick()))
        for refund in self.snapshot.refunds:
            if refund.due_at:
                self.apply(refunds.complete(self.snapshot, refund.refund_id, self.tick()))
        self.apply(refunds.arrange(self.snapshot, self.tick()))
        return self

    def until(self, status: OrderStatus) -> "Life":
        """Lives on to a status, by the usual way."""
        if status is OrderStatus.PENDING:
            return self
        self.reserve()
        if status is OrderStatus.CANCELLED:
            return self.cancel()
        if self.order.approval is not None:
            self.approve()
        self.pay()
        if status in (OrderStatus.CONFIRMED, OrderStatus.PROCESSING) and self.order.status is status:
            return self
        if status is OrderStatus.PROCESSING:
            self.apply(shipping.start_preparation(self.snapshot, self.tick(), "warehouse", {}))
            return self
        self.ship()
        if status is OrderStatus.SHIPPED:
            return self
        self.deliver()
        return self if status is OrderStatus.DELIVERED else self.return_goods()


def an_order(status: OrderStatus = OrderStatus.PENDING, **wish: Any) -> Life:
    """An order that has come to that status; ``wish`` changes what was asked for."""
    if status is OrderStatus.CONFIRMED:
        wish.setdefault("method", PaymentMethod.CASH_ON_DELIVERY)
    life = Life(a_wish(**wish)).until(status)
    assert life.order.status is status
    return life


def a_cod_order(status: OrderStatus = OrderStatus.PENDING, **wish: Any) -> Life:
    """An order to be paid when it is handed over."""
    return an_order(status, method=PaymentMethod.CASH_ON_DELIVERY, **wish)


def a_free_order(status: OrderStatus = OrderStatus.PENDING, **wish: Any) -> Life:
    """An order that comes to nothing."""
    return an_order(status, lines=(LEAFLET,), **wish)


def a_dear_order(status: OrderStatus = OrderStatus.PENDING, **wish: Any) -> Life:
    """An order that a person has to look at first."""
    return an_order(status, needs_review=True, **wish)
