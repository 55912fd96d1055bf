"""The order on a store in memory: services are called as the functions call them, and what follows is done at once."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime

import pytest

from orders.domain.actors import Actor
from orders.domain.decisions import placing, unwinding
from orders.domain.decisions import returning as decisions
from orders.domain.decisions.refunds import WantedRefund
from orders.domain.decisions.returning import Receipt
from orders.domain.errors import OrderError
from orders.domain.fulfillment import FulfillmentEvent, ReportedItem
from orders.domain.identifiers import OrderId
from orders.domain.lines import Line
from orders.domain.money import Money
from orders.domain.order import Snapshot
from orders.domain.refund import RefundedLine
from orders.domain.returns import ReturnedPieces, ReturnItem
from orders.domain.scans import Scan
from orders.domain.shortage import ShortagePolicy
from orders.domain.statuses import SCAN_MEANS, Condition, OverallStatus, PaymentMethod, ShipmentStatus
from orders.domain.steps import TIMED_OUT, OutOfStock
from orders.services import capturing, charging, commands, failing, fulfilling, handovers, holding, refunding, returning
from orders.services.changes import SeenAt
from orders.services.inbound import take
from orders.web.views import Audience, snapshot_view
from tests.goods.door import Condition as Received
from tests.goods.door import Placed
from tests.goods.seen import LINES, PRODUCTS, Found, Ordered, Pieces, Refused, Stock
from tests.harness.memory_store import in_memory
from tests.harness.orders import START, WAITS, a_wish, later

ORDER = OrderId("order-1")
GRACE, ADA = Actor("grace", staff=True), Actor("ada")


def clock() -> datetime:
    return later(1000)


def _line(ordered: Ordered) -> Line:
    discount, tax = (Money(amount, "USD") if amount else None for amount in (ordered.discount, ordered.tax))
    return Line(ordered.product, ordered.product, ordered.quantity, Money(ordered.unit_price, "USD"), discount, tax)


class InProcess:
    """A door to an order of a store of its own."""

    lets_time_pass = True

    def __init__(self, capture_mode: str) -> None:
        self._open = ExitStack()
        self._memory = self._open.enter_context(in_memory())
        self._open.enter_context(pytest.MonkeyPatch.context()).setenv("CAPTURE_MODE", capture_mode)
        self._events, self._is_paid = 0, False

    def close(self) -> None:
        self._open.close()

    @property
    def now(self) -> Snapshot:
        return self._memory.load(ORDER)

    def found(self) -> Found:
        products = {name: Stock(self._memory.left_of(name), *self._memory.figures[name]) for name in PRODUCTS}
        return Found(snapshot_view(self.now, Audience.STAFF), products, is_settled=True)

    def place(self, placed: Placed) -> None:
        self._memory.stocked, self._is_paid = placed.there, placed.is_paid
        lines, policy = tuple(map(_line, LINES.values())), ShortagePolicy(placed.shortage)
        wish = a_wish(method=PaymentMethod(placed.method), lines=lines, on_shortage=policy)
        self._memory.commit(placing.place(wish, WAITS, START, by="ada"))
        try:
            fulfilling.reserve_stock(ORDER, clock)
        except OutOfStock as refusal:
            self._fails(OutOfStock.__name__, failing.report_of(refusal))
        self._go_on()

    def _go_on(self) -> None:
        """What the machine does once the goods are reserved."""
        order = self.now.order
        if order.is_asked:
            fulfilling.ask_customer(ORDER, "token", WAITS.shortage, clock)
        elif self._is_paid and not (order.is_over or order.hold):
            self.pay()

    def amend(self) -> None:
        self._do(lambda: commands.amend(ORDER, ADA, SeenAt(), clock))
        self._go_on()

    def say_nothing(self) -> None:
        self._fails(TIMED_OUT, "")

    def _fails(self, error: str, cause: str) -> None:
        self._do(lambda: failing.begin_unwinding(ORDER, error, cause, clock))

    def pay(self) -> None:
        self._do(lambda: charging.charge_payment(ORDER, clock=clock))

    def hand_over(self, pieces: Pieces | None) -> None:
        self._do(lambda: commands.hand_over(ORDER, GRACE, commands.parcel(pieces, None, None, clock), SeenAt(), clock))

    def warehouse_says(self, fulfillment_id: str, status: str, pieces: Pieces) -> None:
        items = tuple(ReportedItem(count, line) for line, count in pieces.items())
        event = FulfillmentEvent(ORDER, fulfillment_id, status, later(100), event_id=self._next_id(), items=items)
        self._do(lambda: take(event, clock))

    def carrier_says(self, tracking_number: str, status: str) -> None:
        seen = ShipmentStatus(status.upper())
        scan = Scan(seen, later(100 + self._events), sender="generic")
        event = FulfillmentEvent(
            ORDER,
            tracking_number,
            SCAN_MEANS[seen],
            scan.at,
            event_id=self._next_id(),
            scan=scan,
            source="carrier:generic",
            metadata={"source": "generic", "tracking_number": tracking_number},
        )
        self._do(lambda: take(event, clock))

    def cancel(self, pieces: Pieces | None) -> None:
        self._do(lambda: commands.cancel(ORDER, GRACE, None, SeenAt(), clock, items=pieces))

    def deliver(self, shipment_id: str | None) -> None:
        if shipment_id is None:
            self._do(lambda: commands.mark_delivered(ORDER, GRACE, None, SeenAt(), clock))
        else:
            self._do(lambda: commands.mark_parcel_delivered(ORDER, shipment_id, GRACE, None, SeenAt(), clock))

    def bring_back(self, shipment_id: str) -> None:
        self._do(lambda: commands.mark_returned(ORDER, shipment_id, GRACE, None, SeenAt(), clock))

    def refund(self, pieces: Pieces) -> None:
        wanted = WantedRefund("Broken", items=tuple(RefundedLine(line, count) for line, count in pieces.items()))
        self._do(lambda: commands.refund(ORDER, wanted, GRACE, SeenAt(), clock))

    def hand_out(self, refund_id: str) -> None:
        self._do(lambda: refunding.hand_out(ORDER, refund_id, GRACE, SeenAt(), clock))

    def ask_to_return(self, pieces: Pieces) -> None:
        items = [ReturnItem(line, count) for line, count in pieces.items()]
        self._do(lambda: returning.request(ORDER, ADA, items, None, SeenAt(), clock))

    def decide(self, return_id: str, decision: str) -> None:
        decided = {"approve": decisions.approve, "decline": decisions.decline, "cancel": decisions.cancel}[decision]
        self._do(lambda: returning.decide(ORDER, return_id, GRACE, None, SeenAt(), decided, clock))

    def receive(self, return_id: str, pieces: Sequence[Received], *, is_final: bool) -> None:
        back = tuple(ReturnedPieces(line, count, Condition(condition)) for line, count, condition in pieces)
        if not back and not is_final:
            raise Refused("The body of such a request is refused.")
        self._do(lambda: returning.receive(ORDER, return_id, GRACE, Receipt(back, is_final), SeenAt(), clock))

    def take_back(self) -> None:
        self._do(lambda: returning.return_order(ORDER, GRACE, None, SeenAt(), clock))

    def hold(self) -> None:
        self._do(lambda: holding.hold(ORDER, GRACE, "The address looks odd", SeenAt(), clock))

    def release(self) -> None:
        self._do(lambda: holding.release(ORDER, GRACE, None, SeenAt(), clock))

    def _next_id(self) -> str:
        self._events += 1
        return f"e-{self._events}"

    def _do(self, ask: Callable[[], object]) -> None:
        """Asks, and does what the stream and the unwinding machine would do then."""
        try:
            ask()
        except OrderError as refusal:
            raise Refused(refusal.detail) from refusal
        finally:
            self._follow_up()

    def _follow_up(self) -> None:
        capturing.settle(self.now, clock)
        if self.now.order.overall is OverallStatus.ROLLING_BACK:
            handovers.recall_shipment(ORDER, clock)
            refunding.unwind_payment(ORDER, clock)
            fulfilling.record(ORDER, unwinding.release_stock, clock)
            fulfilling.record(ORDER, unwinding.close, clock)
