"""What staff, a warehouse, a carrier and a customer do to one order, and what holds after each step: no piece and no cent is
lost, or counted twice.

The model knows the order by what ``GET /orders/{id}`` shows of it, and does everything through a ``Door``.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

Json = Any
Draw = Callable[..., Any]
Pieces = Mapping[str, int]
"""How many pieces of which line, by the lines' ids."""


class Refused(Exception):
    """What was asked is not allowed now."""


@dataclass(frozen=True)
class Ordered:
    """A line of the order, of one of the model's two products; amounts in minor units, discount and tax of the whole line."""

    product: str
    quantity: int
    unit_price: int
    discount: int = 0
    tax: int = 0

    @property
    def total(self) -> int:
        return self.quantity * self.unit_price - self.discount + self.tax

    def worth(self, pieces: int) -> int:
        """What the first pieces of the line come to."""
        return min(pieces, self.quantity) * self.total // self.quantity


LINES = {"1": Ordered("teapot", 3, 999, tax=7), "2": Ordered("cup", 2, 250), "3": Ordered("teapot", 1, 999, discount=100)}
PRODUCTS = tuple(dict.fromkeys(line.product for line in LINES.values()))
TOTAL = sum(line.total for line in LINES.values())
SAID = ("packed", "shipped", "completed", "cancelled")
SCANNED = ("out_for_delivery", "attempted", "lost", "returning", "delivered", "returned_to_sender")


@dataclass(frozen=True)
class Found:
    """The order as its API shows it to staff; ``taken`` is what is out of stock for it, by product.

    It is settled when nothing is being undone.
    """

    body: Json
    taken: Mapping[str, int]
    is_settled: bool

    @property
    def status(self) -> str:
        return str(self.body["order"]["status"])

    @property
    def lines(self) -> dict[str, Json]:
        return {line["line_id"]: line for line in self.body["order"]["items"]}

    def wanted(self, line_id: str) -> int:
        line = self.lines[line_id]
        return int(line["quantity"] - line["quantity_cancelled"])

    @property
    def left(self) -> dict[str, int]:
        """What is still to be handed over."""
        found = {name: self.wanted(name) - int(line["quantity_shipped"]) for name, line in self.lines.items()}
        return {name: pieces for name, pieces in found.items() if pieces}

    @property
    def under_way(self) -> list[Json]:
        """The parcels that have left, and neither arrived nor come back, as their carriers say."""
        ended = ("DELIVERED", "RETURNED_TO_SENDER")
        return [one for one in self.body["shipments"] if one["shipped_at"] and one["status"] not in ended]

    def gone(self, line_id: str) -> int:
        """The pieces that are not paid for in the end: cancelled, or given back."""
        line = self.lines[line_id]
        return int(line["quantity_cancelled"] + line["quantity_returned"])

    def refunded(self, status: str) -> int:
        return sum(one["amount"]["amount"] for one in self.body["refunds"] if one["status"] == status)


class Door(Protocol):
    """How the model reaches an order. What is refused raises ``Refused``; whatever follows has happened on return."""

    def place(self, method: str, *, is_paid: bool) -> None:
        """An order of ``LINES``, by that method; one that is not ``is_paid`` waits to be."""

    def pay(self) -> None: ...

    def hand_over(self, pieces: Pieces | None) -> None: ...

    def warehouse_says(self, fulfillment_id: str, status: str, pieces: Pieces) -> None: ...

    def carrier_says(self, tracking_number: str, status: str) -> None: ...

    def cancel(self, pieces: Pieces | None) -> None: ...

    def deliver(self, shipment_id: str | None) -> None: ...

    def bring_back(self, shipment_id: str) -> None: ...

    def refund(self, pieces: Pieces) -> None: ...

    def hold(self) -> None: ...

    def release(self) -> None: ...

    def found(self) -> Found: ...

    def close(self) -> None: ...


some_pieces = st.dictionaries(st.sampled_from(list(LINES)), st.integers(1, 3), min_size=1)
few_or_all = st.none() | some_pieces
seldom = st.integers(0, 7).map(lambda number: number == 0)
METHODS = ("CREDIT_CARD", "CASH_ON_DELIVERY")
OPEN = ("PENDING", "CONFIRMED", "PROCESSING")


def _may(now: Found) -> dict[str, int]:
    """What may have an effect on the order now, each with its weight: that others are refused is shown elsewhere."""
    order, payment = now.body["order"], now.body["payment"]
    is_open, is_held, is_way = now.status in OPEN, order["hold"] is not None, bool(now.under_way)
    return {
        "pay": 2 * (now.status == "PENDING"),
        "hand_over": 3 * is_open,
        "warehouse_says": 2,
        "carrier_says": 2 * any(parcel["tracking_number"] for parcel in now.body["shipments"]),
        "cancel_a_part": 2 * is_open,
        "cancel_the_rest": int(is_open and bool(now.body["shipments"])),
        "deliver": 2 * is_way,
        "deliver_all": int(is_way),
        "bring_back": int(is_way),
        "give_money_back": int(bool(payment and payment["amount_captured"]["amount"])),
        "hold": int(is_open and not is_held),
        "release": 3 * is_held,
    }


class PartsOfAnOrder(RuleBasedStateMachine):
    """The rules and the laws; a subclass says which door is gone through."""

    steps: ClassVar[Counter[str]] = Counter()
    """What was asked, and how often each was refused, over all sequences of this process."""
    captures_at_once: ClassVar[bool] = True
    """Whether cards are charged when the order is paid, and not with its parcels."""

    def __init__(self) -> None:
        super().__init__()
        self.door = self.opened()
        self.seen: Found | None = None
        self.staff_gave = False
        self.takes_at_once = False

    @abstractmethod
    def opened(self) -> Door:
        """A door to an order of its own."""

    def teardown(self) -> None:
        self.door.close()

    @property
    def now(self) -> Found:
        """The order as it is after the last step."""
        if self.seen is None:
            self.seen = self.door.found()
        return self.seen

    @contextmanager
    def asked(self, name: str) -> Iterator[None]:
        before = self.now
        self.steps[name] += 1
        self.seen = None
        try:
            yield
        except Refused:
            self.steps[f"{name} refused"] += 1
            assert self.now.lines == before.lines, "a refusal moves no piece"

    # --- what is done ---

    @initialize(method=st.sampled_from(METHODS), is_unpaid=seldom)
    def place(self, method: str, is_unpaid: bool) -> None:
        self.steps["place"] += 1
        self.takes_at_once = self.captures_at_once and method == "CREDIT_CARD"
        self.door.place(method, is_paid=not is_unpaid)

    @rule(data=st.data())
    def next(self, data: st.DataObject) -> None:
        """One of the things that may be done now."""
        may = [name for name, weight in _may(self.now).items() for _ in range(weight)]
        getattr(self, data.draw(st.sampled_from(may), "what"))(data.draw)

    def pay(self, _: Draw) -> None:
        with self.asked("pay"):
            self.door.pay()

    def hand_over(self, draw: Draw) -> None:
        is_held, wanted = self.now.body["order"]["hold"] is not None, self.some_left(draw, few_or_all)
        with self.asked("hand over"):
            self.door.hand_over(wanted)
            assert not is_held, "nothing is handed over by hand while the order is on hold"

    def warehouse_says(self, draw: Draw) -> None:
        status, name = draw(st.sampled_from(SAID)), draw(st.sampled_from("abc"))
        said = self.some_left(draw, few_or_all)
        with self.asked(f"warehouse: {status}"):
            self.door.warehouse_says(name, status, said or {})

    def carrier_says(self, draw: Draw) -> None:
        number = draw(st.sampled_from([one["tracking_number"] for one in self.now.body["shipments"] if one["tracking_number"]]))
        status = draw(st.sampled_from(SCANNED))
        with self.asked(f"carrier: {status}"):
            self.door.carrier_says(number, status)

    def cancel_a_part(self, draw: Draw) -> None:
        part = self.some_left(draw, some_pieces)
        with self.asked("cancel a part" if part else "cancel the rest"):
            self.door.cancel(part)

    def cancel_the_rest(self, _: Draw) -> None:
        with self.asked("cancel the rest"):
            self.door.cancel(None)

    def deliver(self, draw: Draw) -> None:
        parcel = self.parcel(draw)
        with self.asked("deliver a parcel"):
            self.door.deliver(parcel)

    def deliver_all(self, _: Draw) -> None:
        with self.asked("deliver all"):
            self.door.deliver(None)

    def bring_back(self, draw: Draw) -> None:
        parcel = self.parcel(draw)
        with self.asked("bring back"):
            self.door.bring_back(parcel)

    def give_money_back(self, draw: Draw) -> None:
        pieces = draw(some_pieces)
        with self.asked("refund"):
            self.door.refund(pieces)
            self.staff_gave = True

    def hold(self, _: Draw) -> None:
        with self.asked("hold"):
            self.door.hold()

    def release(self, _: Draw) -> None:
        with self.asked("release"):
            self.door.release()

    # --- what is drawn ---

    def parcel(self, draw: Draw) -> str:
        """One of the parcels under way, or seldom any, of which it may be refused."""
        found = self.now.body["shipments"] if draw(seldom) else self.now.under_way
        return str(draw(st.sampled_from([one["shipment_id"] for one in found])))

    def some_left(self, draw: Draw, pieces: st.SearchStrategy[Pieces | None]) -> Pieces | None:
        """As many pieces as are left, all of them, or seldom too many, which is refused."""
        found: Pieces | None = draw(pieces)
        left = self.now.left
        if found is None or draw(seldom):
            return found
        return {name: min(count, left[name]) for name, count in found.items() if name in left} or None

    # --- what holds ---

    @invariant()
    def every_piece_is_in_one_place(self) -> None:
        for name, line in self.now.lines.items():
            assert line["quantity"] == LINES[name].quantity
            assert 0 <= line["quantity_shipped"] <= self.now.wanted(name) <= line["quantity"]
            assert 0 <= line["quantity_delivered"] <= line["quantity_shipped"]
            assert 0 <= line["quantity_returned"] <= line["quantity_shipped"]
            if self.now.status == "CANCELLED":
                assert line["quantity_cancelled"] == line["quantity"]

    @invariant()
    def what_is_in_parcels_is_what_is_handed_over(self) -> None:
        for status, count in (("", "quantity_shipped"), ("DELIVERED", "quantity_delivered")):
            packed: Counter[str] = Counter()
            for parcel in self.now.body["shipments"]:
                if parcel["shipped_at"] and parcel["status"] in (status or parcel["status"]):
                    packed.update({item["line_id"]: item["quantity"] for item in parcel["items"]})
            assert packed == {name: line[count] for name, line in self.now.lines.items() if line[count]}

    @invariant()
    def stock_and_order_add_up(self) -> None:
        """What is out of stock is with the customer, on its way, lost, or in preparation."""
        if self.now.is_settled:
            out: Counter[str] = Counter(dict.fromkeys(PRODUCTS, 0))
            for name in self.now.lines:
                out[LINES[name].product] += LINES[name].quantity - self.now.gone(name)
            assert self.now.taken == dict(out), f"{self.now.taken} taken, {dict(out)} out: {self.now.body}"

    @invariant()
    def money_adds_up(self) -> None:
        payment, given, pending = self.now.body["payment"], self.now.refunded("COMPLETED"), self.now.refunded("PENDING")
        if payment is None:
            assert not self.now.body["refunds"]
            return
        captured = payment["amount_captured"]["amount"]
        assert payment["amount_refunded"]["amount"] == given
        assert 0 <= given + pending <= captured <= payment["amount"]["amount"] <= TOTAL
        if self.now.is_settled and self.now.status in ("CANCELLED", "RETURNED"):
            assert captured == given + pending, "what was taken for an order that came to nothing is given back"

    @invariant()
    def the_customer_pays_for_what_is_kept(self) -> None:
        """To the cent where the money is taken at once; parcel by parcel the pieces of a line differ by one.

        What staff give back, and the pieces of which nothing is kept, are their own affair.
        """
        payment = self.now.body["payment"]
        is_open = self.now.is_settled and self.now.status not in ("CANCELLED", "RETURNED")
        if payment and payment["status"] in ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED") and is_open and not self.staff_gave:
            paid = payment["amount_captured"]["amount"] - self.now.refunded("COMPLETED") - self.now.refunded("PENDING")
            kept = TOTAL - sum(line.worth(self.now.gone(name)) for name, line in LINES.items())
            off_by = 0 if self.takes_at_once else sum(line.quantity for line in LINES.values())
            assert abs(paid - kept) <= off_by, f"{paid} paid, {kept} kept"
