"""One order, whatever is done to its parts in whatever order: no piece and no cent is lost, or counted twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from orders.domain import goods
from orders.domain.actors import Actor
from orders.domain.decisions import placing
from orders.domain.decisions.refunds import WantedRefund
from orders.domain.errors import OrderError
from orders.domain.fulfillment import FulfillmentEvent, ReportedItem
from orders.domain.identifiers import OrderId
from orders.domain.lines import Line
from orders.domain.money import Money
from orders.domain.order import Snapshot
from orders.domain.parcels import Shipment
from orders.domain.refund import RefundedLine
from orders.domain.statuses import OrderStatus, ParcelEnd, PaymentMethod, PaymentStatus, RefundStatus, ShipmentStatus
from orders.services import charging, commands, fulfilling
from orders.services.changes import SeenAt
from orders.services.inbound import take
from tests.harness.memory_store import in_memory
from tests.harness.orders import START, WAITS, a_wish, later

ORDER = OrderId("order-1")
GRACE = Actor("grace", staff=True)
LINES = (
    Line("prod-001", "Teapot", 3, Money(999, "USD"), tax=Money(7, "USD")),
    Line("prod-002", "Cup", 2, Money(250, "USD")),
    Line("prod-001", "Teapot", 1, Money(999, "USD"), discount=Money(100, "USD")),
)
STOCK = 1000
SAID = ["packed", "shipped", "completed", "cancelled"]

some_pieces = st.dictionaries(st.sampled_from(["1", "2", "3"]), st.integers(1, 3), min_size=1)
parcels = st.integers(0, 5)


def clock() -> datetime:
    return later(1000)


class PartsOfAnOrder(RuleBasedStateMachine):
    """What staff, a warehouse, a customer and the workflow do to one order; what is refused changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._world = in_memory()
        self.memory = self._world.__enter__()
        self.memory.stock = STOCK
        self.events = 0

    def teardown(self) -> None:
        self._world.__exit__(None, None, None)

    @property
    def now(self) -> Snapshot:
        return self.memory.load(ORDER)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        before = self.now
        try:
            yield
        except OrderError:
            assert self.now.order.lines == before.order.lines, "a refusal moves no piece"

    def parcel(self, place: int) -> Shipment | None:
        shipments = self.now.shipments
        return shipments[place % len(shipments)] if shipments else None

    # --- what is done ---

    @initialize(method=st.sampled_from([PaymentMethod.CREDIT_CARD, PaymentMethod.CASH_ON_DELIVERY]), is_paid=st.booleans())
    def place(self, method: PaymentMethod, is_paid: bool) -> None:
        wish = a_wish(method=method, lines=LINES)
        self.memory.commit(placing.place(wish, WAITS, START, by="ada"))
        fulfilling.reserve_stock(ORDER, clock)
        if is_paid:
            charging.charge_payment(ORDER, clock=clock)

    @rule()
    def pay(self) -> None:
        with self.allowed():
            charging.charge_payment(ORDER, clock=clock)

    @rule(pieces=st.none() | some_pieces)
    def hand_over(self, pieces: dict[str, int] | None) -> None:
        with self.allowed():
            commands.hand_over(ORDER, GRACE, commands.parcel(pieces, None, None, clock), SeenAt(), clock)

    @rule(
        pieces=st.none() | some_pieces,
        name=st.sampled_from("abc"),
        status=st.sampled_from(["packed", "shipped", "completed", "cancelled"]),
    )
    def warehouse_reports(self, pieces: dict[str, int] | None, name: str, status: str) -> None:
        self.events += 1
        items = tuple(ReportedItem(count, line) for line, count in (pieces or {}).items())
        with self.allowed():
            take(FulfillmentEvent(ORDER, name, status, later(100), event_id=f"e-{self.events}", items=items), clock)

    @rule(pieces=st.none() | some_pieces)
    def cancel(self, pieces: dict[str, int] | None) -> None:
        with self.allowed():
            commands.cancel(ORDER, GRACE, None, SeenAt(), clock, items=pieces)

    @rule(place=parcels)
    def deliver_one(self, place: int) -> None:
        if parcel := self.parcel(place):
            with self.allowed():
                commands.mark_parcel_delivered(ORDER, parcel.shipment_id, GRACE, None, SeenAt(), clock)

    @rule()
    def deliver_all(self) -> None:
        with self.allowed():
            commands.mark_delivered(ORDER, GRACE, None, SeenAt(), clock)

    @rule(place=parcels)
    def bring_back(self, place: int) -> None:
        if parcel := self.parcel(place):
            with self.allowed():
                commands.mark_returned(ORDER, parcel.shipment_id, GRACE, None, SeenAt(), clock)

    @rule(pieces=some_pieces)
    def give_money_back(self, pieces: dict[str, int]) -> None:
        wanted = WantedRefund("Broken", items=tuple(RefundedLine(line, count) for line, count in pieces.items()))
        with self.allowed():
            commands.refund(ORDER, wanted, GRACE, SeenAt(), clock)

    @rule(place=parcels)
    def lose(self, place: int) -> None:
        parcel = self.parcel(place)
        if parcel in goods.under_way(self.now):
            found = self.now.with_shipments(_lost(parcel))
            self.memory.orders[ORDER] = found

    # --- what holds ---

    @invariant()
    def every_piece_is_in_one_place(self) -> None:
        for line in self.now.order.lines:
            assert 0 <= line.quantity_shipped <= line.wanted <= line.quantity
            assert 0 <= line.quantity_delivered <= line.quantity_shipped
            assert 0 <= line.quantity_returned <= line.quantity_shipped

    @invariant()
    def what_is_in_parcels_is_what_is_handed_over(self) -> None:
        order, packed = self.now.order, dict[str, int]()
        for parcel in self.now.shipments:
            if goods.is_handed_over(order, parcel) and not parcel.recalled:
                for line_id, count in goods.in_parcel(order, parcel).items():
                    packed[line_id] = packed.get(line_id, 0) + count
        if order.status is not OrderStatus.CANCELLED:
            assert packed == {name: line.quantity_shipped for name, line in order.lines_by_id.items() if line.quantity_shipped}

    @invariant()
    def stock_and_order_add_up(self) -> None:
        """What is out of stock is with the customer, on its way, lost, in preparation, or about to be put back."""
        order = self.now.order
        to_come = sum(goods.to_restock(self.now).values()) if not order.is_over else 0
        lost = sum(sum(goods.in_parcel(order, one).values()) for one in self.now.shipments if one.ended is ParcelEnd.LOST)
        if not order.is_over:
            assert self.memory.stock == STOCK - to_come - lost

    @invariant()
    def money_adds_up(self) -> None:
        payment, refunds = self.now.payment, self.now.refunds
        if payment is None:
            return
        given = sum(one.amount.amount for one in refunds if one.status is RefundStatus.COMPLETED)
        promised = sum(one.amount.amount for one in refunds if one.status is RefundStatus.PENDING)
        assert payment.amount_refunded == given
        assert 0 <= given + promised <= payment.amount_captured <= self.now.order.total.amount

    @invariant()
    def the_customer_pays_for_what_is_kept_and_no_less_without_a_refund_by_staff(self) -> None:
        found = self.now
        payment, order = found.payment, found.order
        if payment is None or payment.status is not PaymentStatus.COMPLETED or order.is_over or found.refunds:
            return
        kept = {name: line.wanted - line.quantity_returned for name, line in order.lines_by_id.items()}
        assert payment.amount_captured >= order.shares.of_goods(kept)


def _lost(parcel: Shipment) -> Shipment:
    return replace(parcel, status=ShipmentStatus.LOST)


TestPartsOfAnOrder = PartsOfAnOrder.TestCase
TestPartsOfAnOrder.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
