"""What holds of one order after each step: no piece and no cent is lost, or counted twice."""

from collections import Counter
from collections.abc import Mapping

from hypothesis.stateful import RuleBasedStateMachine, invariant

from tests.goods.seen import LINES, PRODUCTS, TOTAL, Found, Stock, still_to_come

MAY_BECOME = {
    "REQUESTED": ("REQUESTED", "APPROVED", "DECLINED", "CANCELED", "RECEIVED", "CLOSED"),
    "APPROVED": ("APPROVED", "CANCELED", "RECEIVED", "CLOSED"),
    "RECEIVED": ("RECEIVED", "CLOSED"),
    "CLOSED": ("CLOSED",),
    "DECLINED": ("DECLINED",),
    "CANCELED": ("CANCELED",),
}
"""What one step may make of a return; staff who take back all of an order receive what is only asked for."""


class Laws(RuleBasedStateMachine):
    """``now`` is the order after the last step, ``there`` what was in stock before it was placed."""

    there: Mapping[str, int]
    returns: Mapping[str, str]
    """The returns as they were found last: their statuses."""
    staff_gave: bool
    takes_at_once: bool

    @property
    def now(self) -> Found:
        raise NotImplementedError

    @invariant()
    def every_piece_is_in_one_place(self) -> None:
        for name, line in self.now.lines.items():
            assert line["quantity"] == LINES[name].quantity
            assert 0 <= line["quantity_shipped"] <= self.now.wanted(name) <= line["quantity"]
            assert 0 <= line["quantity_delivered"] <= line["quantity_shipped"]
            assert 0 <= self.now.came_back(name) <= line["quantity_returned"] <= line["quantity_shipped"]
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
        """What is out of stock is with the customer, on its way, lost, damaged, or reserved."""
        if not self.now.is_settled:
            return
        missing, is_cancelled = self.now.missing, self.now.status == "CANCELLED"
        reserved, sold, damaged = (Counter(dict.fromkeys(PRODUCTS, 0)) for _ in range(3))
        for name, line in self.now.lines.items():
            product = LINES[name].product
            left = self.now.wanted(name) - line["quantity_shipped"] - missing.get(name, 0)
            reserved[product] += 0 if is_cancelled else left
            sold[product] += line["quantity_shipped"] - line["quantity_returned"]
            damaged[product] += self.now.came_back(name, "damaged")
        for product, found in self.now.products.items():
            assert found.stock >= 0
            counted = Stock(
                self.there[product] - reserved[product] - sold[product] - damaged[product], reserved[product], sold[product]
            )
            assert found == counted, f"{product}: {found}, by the order {counted}: {self.now.body}"

    @invariant()
    def nothing_is_done_while_the_customer_is_asked(self) -> None:
        payment = self.now.body["payment"]
        if self.now.missing:
            assert self.now.status == "PENDING"
            assert not self.now.body["shipments"]
            assert payment is None or payment["amount_captured"]["amount"] == 0

    @invariant()
    def the_status_says_where_the_pieces_are(self) -> None:
        pieces, lines = self.now.pieces, self.now.lines
        wanted, arrived, left = (
            sum(counts) for counts in (map(self.now.wanted, lines), pieces("delivered"), pieces("shipped"))
        )
        back = sum(pieces("returned"))
        steps = (("RETURNED", back), ("DELIVERED", arrived), ("SHIPPED", left))
        found = next((f"{'' if count == wanted else 'PARTIALLY_'}{name}" for name, count in steps if count), "UNFULFILLED")
        assert self.now.body["order"]["fulfillment_status"] == found
        if self.now.status == "DELIVERED":
            assert back < wanted, "an order of which everything came back is returned"

    @invariant()
    def returns_are_of_what_was_delivered(self) -> None:
        """Each piece is sent back once, and what is said of a return is what came back with it."""
        now = {one["return_id"]: one for one in self.now.body["returns"]}
        assert self.returns.keys() <= now.keys(), "no return is forgotten"
        for name, one in now.items():
            before = self.returns.get(name, "REQUESTED")
            assert one["status"] in MAY_BECOME[before], f"{before} became {one['status']}"
            received = [sum(part["quantity"] for part in item["received"]) for item in one["items"]]
            assert all(count <= item["quantity"] for count, item in zip(received, one["items"], strict=True))
            assert any(received) is (one["status"] in ("RECEIVED", "CLOSED"))
            assert ("closed_at" in one) is (one["status"] in ("CLOSED", "DECLINED", "CANCELED"))
        self.returns = {name: one["status"] for name, one in now.items()}
        for name, line in self.now.lines.items():
            assert self.now.claimed(name) <= line["quantity_delivered"], (
                f"line {name} is returned twice: {self.now.body['returns']}"
            )

    @invariant()
    def a_return_is_open_while_somebody_waits_for_money(self) -> None:
        waiting = {one.get("return_id") for one in self.now.body["refunds"] if one["status"] == "PENDING"}
        assert not waiting & {one["return_id"] for one in self.now.returns("CLOSED")}
        for one in self.now.returns("RECEIVED") if self.now.is_settled else []:
            assert any(map(still_to_come, one["items"])) or self.now.refunded("PENDING"), f"{one} waits for nothing"

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
