"""What staff, a warehouse, a carrier and a customer do to one order, whatever is in stock of it.

The model knows the order by what ``GET /orders/{id}`` shows of it, and does everything through a ``Door``.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.goods.door import Door, Placed
from tests.goods.laws import Laws
from tests.goods.seen import LINES, PLENTY, PRODUCTS, Found, Pieces, Refused, missing_of, still_to_come

Draw = Callable[..., Any]

some_pieces = st.dictionaries(st.sampled_from(list(LINES)), st.integers(1, 3), min_size=1)
few_or_all = st.none() | some_pieces
seldom = st.integers(0, 7).map(lambda number: number == 0)
METHODS = ("CREDIT_CARD", "CASH_ON_DELIVERY")
SHORTAGES = ("cancel", "drop", "ask")
scarce = st.fixed_dictionaries({"teapot": st.integers(0, 4), "cup": st.integers(0, 2)})
stocked = st.integers(0, 3).flatmap(lambda number: st.just(dict.fromkeys(PRODUCTS, PLENTY)) if number else scarce)
"""How many pieces there are: plenty, or in one order of four perhaps too few."""
SAID = ("packed", "shipped", "completed", "cancelled")
SCANNED = ("out_for_delivery", "attempted", "lost", "returning", "delivered", "returned_to_sender")
DECISIONS = {"REQUESTED": ("approve", "approve", "approve", "decline", "cancel"), "APPROVED": ("cancel",)}
OPEN = ("PENDING", "CONFIRMED", "PROCESSING")


def _may(now: Found, *, lets_time_pass: bool) -> dict[str, int]:
    """What may have an effect on the order now, each with its weight: that others are refused is shown elsewhere."""
    order, payment = now.body["order"], now.body["payment"]
    is_open, is_held, is_way = now.status in OPEN, order["hold"] is not None, bool(now.under_way)
    is_asked, cash = bool(now.missing), bool(payment and payment["method"] == "CASH_ON_DELIVERY")
    return {
        "pay": 2 * (now.status == "PENDING" and not is_asked),
        "amend": 6 * is_asked,
        "say_nothing": int(is_asked and lets_time_pass),
        "hand_over": 3 * is_open,
        "warehouse_says": 2,
        "carrier_says": 2 * any(parcel["tracking_number"] for parcel in now.body["shipments"]),
        "cancel_a_part": 2 * is_open,
        "cancel_the_rest": int(is_open and (is_asked or bool(now.body["shipments"]))),
        "deliver": 2 * is_way,
        "deliver_all": int(is_way),
        "bring_back": int(is_way),
        "give_money_back": int(bool(payment and payment["amount_captured"]["amount"])),
        "hold": int(is_open and not is_held),
        "release": 3 * is_held,
        "hand_out": 2 * (cash and bool(now.refunded("PENDING"))),
        "ask_to_return": 5 * (now.status in ("SHIPPED", "DELIVERED") and bool(now.returnable)),
        "decide": 4 * bool(now.returns("REQUESTED")) or int(bool(now.returns("APPROVED"))),
        "receive": 6 * bool(now.to_come_back),
        "take_back": int(now.status == "DELIVERED"),
    }


class PartsOfAnOrder(Laws):
    """The rules, and with them the laws; a subclass says which door is gone through."""

    steps: ClassVar[Counter[str]] = Counter()
    """What was asked, and how often each was refused, over all sequences of this process."""
    captures_at_once: ClassVar[bool] = True
    """Whether cards are charged when the order is paid, and not with its parcels."""

    def __init__(self) -> None:
        super().__init__()
        self.door = self.opened()
        self.seen: Found | None = None
        self.there, self.returns = {}, {}
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

    @initialize(
        method=st.sampled_from(METHODS),
        is_unpaid=seldom,
        shortage=st.sampled_from(SHORTAGES),
        there=stocked,
        is_delivered=st.integers(0, 2).map(lambda number: number == 0),
    )
    def begin(self, method: str, is_unpaid: bool, shortage: str, there: Mapping[str, int], is_delivered: bool) -> None:
        """An order placed, and of some all that there is of it delivered at once: the steps are few, and returns come last."""
        self.place(method, is_unpaid, shortage, there)
        if is_delivered and self.now.status in ("CONFIRMED", "PROCESSING"):
            with self.asked("hand over"):
                self.door.hand_over(None)
            with self.asked("deliver all"):
                self.door.deliver(None)
            assert self.now.status == "DELIVERED"

    def place(self, method: str, is_unpaid: bool, shortage: str, there: Mapping[str, int]) -> None:
        self.steps["place"] += 1
        self.takes_at_once = self.captures_at_once and method == "CREDIT_CARD"
        self.there = there
        self.door.place(Placed(method, not is_unpaid, shortage, there))
        missing = missing_of(there)
        if missing:
            self.steps[f"place: short, {shortage}"] += 1
        self._is_short_as_told(missing, shortage)

    def _is_short_as_told(self, missing: Pieces, shortage: str) -> None:
        taken_off = {name: line["quantity_cancelled"] for name, line in self.now.lines.items() if line["quantity_cancelled"]}
        everything = {name: line.quantity for name, line in LINES.items()}
        if missing and (shortage == "cancel" or missing == everything):
            self._is_out_of_stock()
        else:
            assert self.now.status != "CANCELLED"
            assert taken_off == (missing if shortage == "drop" else {})
            assert self.now.missing == (missing if shortage == "ask" else {})

    def _is_out_of_stock(self) -> None:
        assert self.now.status == "CANCELLED"
        assert self.now.body["order"]["cancellation"]["reason"] == "out_of_stock"

    @rule(data=st.data())
    def next(self, data: st.DataObject) -> None:
        """One of the things that may be done now."""
        may = [name for name, weight in _may(self.now, lets_time_pass=self.door.lets_time_pass).items() for _ in range(weight)]
        getattr(self, data.draw(st.sampled_from(may), "what"))(data.draw)

    def pay(self, _: Draw) -> None:
        with self.asked("pay"):
            self.door.pay()

    def amend(self, _: Draw) -> None:
        missing = self.now.missing
        with self.asked("amend"):
            self.door.amend()
        assert {
            name: line["quantity_cancelled"] for name, line in self.now.lines.items() if line["quantity_cancelled"]
        } == missing

    def say_nothing(self, _: Draw) -> None:
        with self.asked("say nothing"):
            self.door.say_nothing()
        self._is_out_of_stock()

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

    def hand_out(self, draw: Draw) -> None:
        refund_id = draw(st.sampled_from([one["refund_id"] for one in self.now.body["refunds"] if one["status"] == "PENDING"]))
        with self.asked("hand out cash"):
            self.door.hand_out(refund_id)

    def ask_to_return(self, draw: Draw) -> None:
        wanted, left = draw(some_pieces), self.now.returnable
        if not draw(seldom):
            wanted = {name: min(count, left[name]) for name, count in wanted.items() if name in left} or left
        with self.asked("ask to return"):
            self.door.ask_to_return(wanted)
            assert all(count <= self.delivered(name) for name, count in wanted.items()), "more than was delivered"

    def delivered(self, line_id: str) -> int:
        return int(self.now.lines[line_id]["quantity_delivered"])

    def decide(self, draw: Draw) -> None:
        found = self.now.returns("REQUESTED") or self.now.returns("APPROVED")
        one = draw(st.sampled_from(self.now.body["returns"] if draw(seldom) else found))
        decision = draw(st.sampled_from(DECISIONS.get(one["status"], ("approve", "decline", "cancel"))))
        with self.asked(f"return: {decision}"):
            self.door.decide(one["return_id"], decision)

    def receive(self, draw: Draw) -> None:
        one = draw(st.sampled_from(self.now.to_come_back))
        any_number, came = draw(seldom), []
        for item in one["items"]:
            count = draw(st.integers(0, 3 if any_number else still_to_come(item)))
            damaged = draw(st.integers(0, count))
            came += [(item["line_id"], damaged, "damaged"), (item["line_id"], count - damaged, "resellable")]
        is_final = draw(seldom)
        with self.asked("receive the last" if is_final else "receive"):
            self.door.receive(one["return_id"], [part for part in came if part[1]], is_final=is_final)

    def take_back(self, _: Draw) -> None:
        with self.asked("take back"):
            self.door.take_back()

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
