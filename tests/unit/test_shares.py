"""What pieces are worth: whatever an order is divided into, the parts add up to its total."""

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orders.domain.lines import Line
from orders.domain.money import Money
from orders.domain.pricing import Discount, ShippingCharge, totals
from orders.domain.shares import LineShare, Shares, shares, spread
from tests.harness.orders import an_order


def usd(amount: int) -> Money:
    return Money(amount, "USD")


def a_line(quantity: int, price: int, discount: int | None = None, tax: int | None = None) -> Line:
    return Line("prod", "Thing", quantity, usd(price), usd(discount or 0), usd(tax or 0))


@dataclass
class Parts:
    """An order, and its pieces in some order: each entry is one more piece of that line."""

    lines: dict[str, Line]
    shipping: ShippingCharge | None
    discounts: list[Discount]
    pieces: list[str]
    cuts: list[int]

    @property
    def shares(self) -> Shares:
        return shares(self.lines, self.shipping, self.discounts)

    @property
    def parcels(self) -> list[dict[str, int]]:
        edges = [0, *sorted(self.cuts), len(self.pieces)]
        found = []
        for start, end in pairwise(edges):
            parcel = self.pieces[start:end]
            found.append({line_id: parcel.count(line_id) for line_id in dict.fromkeys(parcel)})
        return [parcel for parcel in found if parcel]


@st.composite
def orders(draw: st.DrawFn) -> Parts:
    lines = {}
    for place in range(1, draw(st.integers(1, 4)) + 1):
        quantity, price = draw(st.integers(1, 7)), draw(st.integers(0, 2000))
        lines[str(place)] = a_line(quantity, price, draw(st.integers(0, quantity * price)), draw(st.integers(0, 300)))
    shipping = ShippingCharge(usd(draw(st.integers(0, 900))), usd(draw(st.integers(0, 90))))
    most = totals(list(lines.values()), shipping, []).total.amount
    discounts = [Discount(usd(draw(st.integers(0, most)))) for _ in range(draw(st.integers(0, 1)))]
    all_pieces = [line_id for line_id, line in lines.items() for _ in range(line.quantity)]
    pieces = draw(st.permutations(all_pieces))
    return Parts(lines, shipping, discounts, list(pieces), draw(st.lists(st.integers(0, len(pieces)), max_size=5)))


def add(counted: dict[str, int], parcel: dict[str, int]) -> dict[str, int]:
    return {line_id: counted.get(line_id, 0) + parcel.get(line_id, 0) for line_id in counted | parcel}


@given(orders())
def test_the_shares_are_the_total_and_none_is_below_nothing(order: Parts) -> None:
    found = order.shares
    assert found.total == totals(list(order.lines.values()), order.shipping, order.discounts).total.amount
    assert min([found.shipping, *(line.total for line in found.lines.values())]) >= 0


@given(orders())
def test_the_parts_of_any_division_are_taken_and_given_back_to_the_minor_unit(order: Parts) -> None:
    found, counted = order.shares, dict[str, int]()
    taken = given_back = 0
    for parcel in order.parcels:
        taken += found.to_take(parcel, counted)
        given_back += found.to_give_back(parcel, counted)
        counted = add(counted, parcel)
        assert given_back <= taken
    assert taken == given_back == found.total


@given(orders())
def test_the_delivery_is_paid_with_the_first_parcel_and_given_back_with_the_last(order: Parts) -> None:
    found, (first, *others) = order.shares, order.parcels
    assert found.to_take(first) == found.of_goods(first) + found.shipping
    assert found.to_give_back(first) == found.of_goods(first) + (0 if others else found.shipping)


@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**6), min_size=1))
def test_an_amount_is_spread_without_a_remainder_and_no_part_is_above_its_weight(amount: int, weights: list[int]) -> None:
    whole = sum(weights)
    amount = min(amount, whole)
    parts = spread(amount, weights)
    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert 0 <= part <= weight
        assert abs(part * whole - amount * weight) < max(whole, 1), "less than a unit from the exact share"


def test_the_units_that_are_left_over_go_to_the_largest_remainders_and_then_to_the_first() -> None:
    assert spread(100, [1000, 1000, 1000]) == [34, 33, 33]
    assert spread(10, [333, 333, 334]) == [3, 3, 4]


def test_the_first_pieces_of_a_line_are_rounded_down_and_the_last_has_the_rest() -> None:
    line = LineShare(quantity=3, total=1000)
    assert [line.of_first(pieces) for pieces in range(4)] == [0, 333, 666, 1000]
    assert line.of_first(4) == 1000, "of more than there are it is no more than all"


def test_a_discount_above_the_goods_comes_off_the_delivery() -> None:
    found = shares({"1": a_line(2, 500)}, ShippingCharge(usd(400)), [Discount(usd(1200))])
    assert found == Shares("USD", {"1": LineShare(2, 0)}, 200)


def test_an_order_knows_its_shares_by_the_ids_of_its_lines() -> None:
    order = an_order(discounts=(Discount(usd(100)),)).order
    assert order.shares.lines == {"1": LineShare(2, 1933), "2": LineShare(1, 967)}
    assert order.shares.total == order.total.amount
