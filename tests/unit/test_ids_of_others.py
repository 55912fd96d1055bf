"""Ids that others give may have any characters: no two things ever get one key, or one cursor, because of them."""

import re
from dataclasses import replace
from itertools import combinations
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

import read_orders
from orders.adapters.store import items, keys
from orders.domain import legacy, limits
from orders.domain.identifiers import CustomerId, OrderId, TrackingNumber
from orders.domain.statuses import OrderStatus
from orders.services.listing import Filter
from tests.harness.orders import a_wish, an_order

separators = st.text(alphabet="#/*:@|%? KEYCALOR", min_size=1, max_size=12)
printed = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=30)
foreign = (separators | printed).filter(lambda text: re.fullmatch(limits.FOREIGN_ID, text))
own = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,20}\Z")


def as_tuple(key: Any) -> tuple[str, str]:
    return key["PK"]["S"], key["SK"]["S"]


def keys_of(customer: str, other: str, key: str, own_id: str) -> dict[tuple[str, ...], tuple[str, str]]:
    """What each of these is called, and the key of its item."""
    found: dict[tuple[str, ...], Any] = {
        ("order", own_id): keys.order_key(OrderId(own_id)),
        ("payment", own_id): keys.payment_key(OrderId(own_id)),
        ("webhook", own_id): keys.webhook_key(own_id),
    }
    for one in (customer, other):
        found |= {
            ("product", one): keys.product_key(one),
            ("record", one, key): keys.idempotency_key(CustomerId(one), key),
            ("erased record", one, key): keys.erased_idempotency_key(CustomerId(one), key),
            ("call", one, key): keys.call_key(one, key),
        }
    return {what: as_tuple(named) for what, named in found.items()}


@given(foreign, foreign, printed, own)
@example("ada#KEY", "ada", "#KEY#1", "KEY")
@example("ORDER#order-1", "order-1", "CALL#1", "order-1")
def test_no_two_items_have_one_key(customer: str, other: str, key: str, own_id: str) -> None:
    named = keys_of(customer, other, key, own_id)
    assert len(set(named.values())) == len(named)


@given(foreign, foreign)
@example("CATALOGUE", "WEBHOOKS")
def test_no_two_customers_share_a_list_and_none_gets_one_of_another_kind(one: str, other: str) -> None:
    of_customers = {
        customer: items.order_to_item(an_order(customer_id=CustomerId(customer)).order)["GSI1PK"]["S"]
        for customer in (one, other)
    }
    assert len(set(of_customers.values())) == len({one, other})
    others = {legacy.CATALOG_PARTITION, "WEBHOOKS", "REMOVED_WEBHOOKS", keys.parcel_partition(TrackingNumber(one))}
    assert not others & set(of_customers.values())


@given(st.lists(st.none() | foreign, min_size=2, max_size=4, unique=True), st.none() | st.sampled_from(OrderStatus))
@example(["*", None], None)
@example(["ada/*", "ada", "ada%2F*"], OrderStatus.PENDING)
def test_a_cursor_of_one_list_is_of_no_other(customers: list[str | None], status: OrderStatus | None) -> None:
    filters = [Filter(CustomerId(one) if one is not None else None, wanted) for one in customers for wanted in (status, None)]
    for one, other in combinations(dict.fromkeys(filters), 2):
        assert read_orders.name_of(one) != read_orders.name_of(other)


def test_cursors_of_the_ids_there_were_are_as_they_were() -> None:
    for customer in ("ada", "auth0|5f7c", "eu-west-1:1c9f", "ada+test@example.com"):
        assert read_orders.name_of(Filter(CustomerId(customer), OrderStatus.PENDING)) == f"{customer}/PENDING"


@given(foreign, foreign)
def test_an_order_of_such_ids_is_read_back_as_it_was(customer: str, product: str) -> None:
    lines = tuple(line for line in a_wish().lines)
    named = tuple(type(line)(product, line.name, line.quantity, line.unit_price) for line in lines)
    order = an_order(OrderStatus.SHIPPED, customer_id=CustomerId(customer), lines=named).order
    assert items.order_from_item(items.order_to_item(order)) == replace(order, counted=())
