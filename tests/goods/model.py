"""What staff, a warehouse, a carrier and a customer do to one order, and what holds after each step: no piece and no cent is
lost, or counted twice.

The model knows the order by what ``GET /orders/{id}`` shows of it, and does everything through a ``Door``.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

Json = Any
Rule = TypeVar("Rule", bound=Callable[..., Any])
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
places = st.integers(0, 5)
seldom = st.integers(0, 7).map(lambda number: number == 0)
METHODS = ("CREDIT_CARD", "CASH_ON_DELIVERY")
OPEN = ("PENDING", "CONFIRMED", "PROCESSING")


def when(holds: Callable[[Found], bool]) -> Callable[[Rule], Rule]:
    """A rule that is tried where it may do something; that others are refused is shown elsewhere, for each status."""
    return precondition(lambda model: holds(model.now))


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

    def parcel(self, place: int, *, is_any: bool) -> str:
        """One of the parcels under way, or any, of which it may be refused."""
        found = self.now.body["shipments"] if is_any else self.now.under_way
        return str(found[place % len(found)]["shipment_id"])

    # --- what is done ---

    def some_left(self, pieces: Pieces | None, *, is_too_much: bool) -> Pieces | None:
        """As many of these pieces as are left, or all of them, which may be refused."""
        if pieces is None or is_too_much:
            return pieces
        left = self.now.left
        return {name: min(count, left[name]) for name, count in pieces.items() if name in left} or None

    @initialize(method=st.sampled_from(METHODS), is_unpaid=seldom)
    def place(self, method: str, is_unpaid: bool) -> None:
        self.steps["place"] += 1
        self.takes_at_once = self.captures_at_once and method == "CREDIT_CARD"
        self.door.place(method, is_paid=not is_unpaid)

    @when(lambda now: now.status == "PENDING")
    @rule()
    def pay(self) -> None:
        with self.asked("pay"):
            self.door.pay()

    @when(lambda now: now.status in OPEN)
    @rule(pieces=few_or_all, is_too_much=seldom)
    def hand_over(self, pieces: Pieces | None, is_too_much: bool) -> None:
        is_held = self.now.body["order"]["hold"] is not None
        wanted = self.some_left(pieces, is_too_much=is_too_much)
        with self.asked("hand over"):
            self.door.hand_over(wanted)
            assert not is_held, "nothing is handed over by hand while the order is on hold"

    @rule(pieces=few_or_all, is_too_much=seldom, name=st.sampled_from("abc"), status=st.sampled_from(SAID))
    def warehouse_says(self, pieces: Pieces | None, is_too_much: bool, name: str, status: str) -> None:
        said = self.some_left(pieces, is_too_much=is_too_much)
        with self.asked(f"warehouse: {status}"):
            self.door.warehouse_says(name, status, said or {})

    @when(lambda now: any(parcel["tracking_number"] for parcel in now.body["shipments"]))
    @rule(place=places, status=st.sampled_from(SCANNED))
    def carrier_says(self, place: int, status: str) -> None:
        numbers = [parcel["tracking_number"] for parcel in self.now.body["shipments"] if parcel["tracking_number"]]
        number = numbers[place % len(numbers)]
        with self.asked(f"carrier: {status}"):
            self.door.carrier_says(number, status)

    @when(lambda now: now.status in OPEN)
    @rule(pieces=some_pieces, is_too_much=seldom)
    def cancel_a_part(self, pieces: Pieces, is_too_much: bool) -> None:
        part = self.some_left(pieces, is_too_much=is_too_much)
        with self.asked("cancel a part"):
            self.door.cancel(part)

    @when(lambda now: now.status in OPEN)
    @rule(is_meant=seldom)
    def cancel_the_rest(self, is_meant: bool) -> None:
        if is_meant:
            with self.asked("cancel the rest"):
                self.door.cancel(None)

    @when(lambda now: bool(now.under_way))
    @rule(place=places, is_any=seldom)
    def deliver_one(self, place: int, is_any: bool) -> None:
        parcel = self.parcel(place, is_any=is_any)
        with self.asked("deliver a parcel"):
            self.door.deliver(parcel)

    @when(lambda now: bool(now.under_way))
    @rule()
    def deliver_all(self) -> None:
        with self.asked("deliver all"):
            self.door.deliver(None)

    @when(lambda now: bool(now.under_way))
    @rule(place=places, is_any=seldom)
    def bring_back(self, place: int, is_any: bool) -> None:
        parcel = self.parcel(place, is_any=is_any)
        with self.asked("bring back"):
            self.door.bring_back(parcel)

    @when(lambda now: bool(now.body["payment"] and now.body["payment"]["amount_captured"]["amount"]))
    @rule(pieces=some_pieces)
    def give_money_back(self, pieces: Pieces) -> None:
        with self.asked("refund"):
            self.door.refund(pieces)
            self.staff_gave = True

    @when(lambda now: now.status in OPEN and not now.body["order"]["hold"])
    @rule()
    def hold(self) -> None:
        with self.asked("hold"):
            self.door.hold()

    @when(lambda now: bool(now.body["order"]["hold"]))
    @rule()
    def release(self) -> None:
        with self.asked("release"):
            self.door.release()

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
