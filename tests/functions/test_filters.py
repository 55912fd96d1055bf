"""Lists by what other systems call an order, by its payment, and by when it was placed; alone and together, page by page."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orders.adapters.store import keys, table
from orders.domain.identifiers import CustomerId, OrderId
from orders.domain.order import timestamp
from orders.domain.statuses import OrderStatus
from orders.services import listing, privacy
from orders.web.routes import ROUTES
from read_orders import FILTERS
from tests.harness.world import CUSTOMER, STRANGER, World

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at(minutes: float) -> str:
    return timestamp(NOON + timedelta(minutes=minutes))


def placed_at(world: World, order_id: str, minutes: float, **more: Any) -> None:
    """An order as it stands in the table and its indexes when it was placed so many minutes past noon."""
    world.place(order_id, **more)
    order = world.order(order_id)
    sort = f"{at(minutes)}#{order_id}"
    attributes = {"created_at": {"S": at(minutes)}, "GSI1SK": {"S": sort}, "GSI2SK": {"S": sort}}
    table.set_attributes(keys.order_key(OrderId(order_id)), attributes)
    partitions = [keys.external_id_partition(order.external_id)] if order.external_id else []
    partitions += [keys.email_partition(order.contact.email)] if order.contact and order.contact.email else []
    for partition in partitions:
        earlier = keys.lookup_key(partition, order.order_id, order.created_at)
        item = table.get(earlier)
        assert item is not None
        table.put({**item, **keys.lookup_key(partition, order.order_id, NOON + timedelta(minutes=minutes))})
        table.delete(earlier)


def ids(answer: Any) -> list[str]:
    assert answer.status == 200, answer.text
    return [order["order_id"] for order in answer.body["orders"]]


def by_staff(world: World, **query: str) -> list[str]:
    return ids(world.support("GET /orders", query=query))


def every_page(world: World, **query: str) -> Iterator[list[str]]:
    cursor: dict[str, str] = {}
    while True:
        page = world.support("GET /orders", query={**query, **cursor})
        yield ids(page)
        if page.body["next_cursor"] is None:
            return
        cursor = {"cursor": page.body["next_cursor"]}


@pytest.fixture
def five(world: World) -> World:
    """Five orders, a minute apart, of two customers and under two external ids."""
    for minute in range(5):
        of = {"by": STRANGER} if minute % 2 else {}
        contact = {"email": "Ada@example.com" if minute < 4 else "bob@example.com"}
        placed_at(world, f"order-{minute}", minute, external_id="#1" if minute < 3 else "#/2", contact=contact, **of)
    return world


def test_orders_are_found_by_what_another_system_calls_them(five: World) -> None:
    assert by_staff(five, external_id="#1") == ["order-2", "order-1", "order-0"]
    assert by_staff(five, external_id="#/2") == ["order-4", "order-3"]
    assert by_staff(five, external_id="#3") == []
    assert list(every_page(five, external_id="#1", limit="1")) == [["order-2"], ["order-1"], ["order-0"], []]
    assert five.support("PATCH /orders/{id}", "order-1", {"external_id": "#3"}).status == 200
    assert (by_staff(five, external_id="#1"), by_staff(five, external_id="#3")) == (["order-2", "order-0"], ["order-1"])


def test_a_customer_finds_their_own_only(five: World) -> None:
    assert ids(five.http("GET /orders", query={"external_id": "#1"})) == ["order-2", "order-0"]
    assert ids(five.http("GET /orders", query={"external_id": "#1"}, by=STRANGER)) == ["order-1"]
    assert by_staff(five, external_id="#1", customer_id=CUSTOMER) == ["order-2", "order-0"]


def test_orders_are_found_by_an_email_address_in_any_letter_case(five: World) -> None:
    assert by_staff(five, email="ada@EXAMPLE.com") == ["order-3", "order-2", "order-1", "order-0"]
    assert by_staff(five, email="Ada@example.com", external_id="#/2") == ["order-3"]
    assert by_staff(five, email="nobody@example.com") == []
    assert ids(five.http("GET /orders", query={"email": "ada@example.com"})) == ["order-2", "order-0"]
    assert list(every_page(five, email="ada@example.com", limit="3")) == [["order-3", "order-2", "order-1"], ["order-0"]]
    assert five.support("PATCH /orders/{id}", "order-2", {"contact": {"email": "bob@example.com"}}).status == 200
    assert five.support("PATCH /orders/{id}", "order-0", {"contact": None}).status == 200
    assert by_staff(five, email="ada@example.com") == ["order-3", "order-1"]
    assert by_staff(five, email="bob@example.com") == ["order-4", "order-2"]


def test_no_key_shows_an_address_and_an_erasure_leaves_no_entry_of_it(world: World) -> None:
    world.live(OrderStatus.DELIVERED, contact={"email": "ada@example.com"})
    entries = [item for item in world.everything() if item.get("kind") == {"S": "e-mail"}]
    assert len(entries) == 1
    assert "ada" not in str(entries)
    privacy.erase(CustomerId(CUSTOMER), by="carl")
    assert not [item for item in world.everything() if item.get("kind") == {"S": "e-mail"}]
    assert by_staff(world, email="ada@example.com") == []


def test_an_address_without_an_entry_may_change(world: World) -> None:
    """A release that does not know the entries has set it."""
    world.place(contact={"email": "ada@example.com"})
    order = world.order()
    table.delete(keys.lookup_key(keys.email_partition("ada@example.com"), order.order_id, order.created_at))
    assert world.support("PATCH /orders/{id}", "order-1", {"contact": {"email": "bob@example.com"}}).status == 200
    assert by_staff(world, email="bob@example.com") == ["order-1"]


def test_orders_are_found_by_a_parcels_number_as_people_write_it(world: World) -> None:
    world.live(OrderStatus.SHIPPED, "order-1")
    world.live(OrderStatus.SHIPPED, "order-2", by=STRANGER)
    number = world.snapshot("order-1").shipment.tracking_number  # type: ignore[union-attr]
    spaced = f" {number[:4]} {number[4:].lower()}"  # type: ignore[index]
    assert by_staff(world, tracking_number=spaced) == ["order-1"]
    assert by_staff(world, tracking_number=spaced, status="SHIPPED", created_after=at(-60 * 24 * 365)) == ["order-1"]
    assert by_staff(world, tracking_number=spaced, created_before=at(-60 * 24 * 365)) == []
    assert ids(world.http("GET /orders", query={"tracking_number": spaced}, by=STRANGER)) == []
    assert by_staff(world, tracking_number="nobody's") == []


def test_several_orders_in_one_parcel_come_by_their_time(five: World) -> None:
    for minute in (0, 3, 4):
        key = keys.shipment_key(OrderId(f"order-{minute}"))
        table.put({**key, "GSI1PK": {"S": "TRACKING#T1"}, "GSI1SK": {"S": f"order-{minute}"}})
    assert by_staff(five, tracking_number="t 1") == ["order-4", "order-3", "order-0"]
    assert list(every_page(five, tracking_number="T1", limit="2")) == [["order-4", "order-3"], ["order-0"]]
    assert list(every_page(five, tracking_number="T1", limit="2", sort="created_at")) == [["order-0", "order-3"], ["order-4"]]


TRIED = {
    "customer_id": CUSTOMER,
    "status": "PENDING",
    "payment_status": "PENDING",
    "external_id": "#1",
    "email": "ada@example.com",
    "tracking_number": "T1",
    "created_after": at(0),
    "created_before": at(9),
    "sort": "created_at",
    "overdue": "true",
    "return_status": "requested",
    "dispute_status": "open",
    "shortage_status": "asked",
    "to_ship": "true",
    "expand": "payment,shipments",
}


def test_every_filter_is_among_those_that_are_tried() -> None:
    assert TRIED.keys() == set(ROUTES["GET /orders"].query) - {"limit", "cursor"}


@pytest.mark.parametrize("query", [{name: value} for name, value in TRIED.items()], ids=str)
def test_no_filter_scans(world: World, query: dict[str, str]) -> None:
    world.place(external_id="#1", contact={"email": "ada@example.com"})
    asked: list[str] = []
    events = table.client().meta.events
    events.register("before-call.dynamodb.*", record := lambda model, **_: asked.append(model.name))
    try:
        by_staff(world, **query)
    finally:
        events.unregister("before-call.dynamodb.*", record)
    assert asked
    assert set(asked) <= {"Query", "BatchGetItem"}


def test_a_trail_shows_the_entries_of_one_type(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    found = world.http("GET /orders/{id}/history", "order-1", query={"event_type": "payment_completed"}).body["history"]
    assert [entry["event_type"] for entry in found] == ["PAYMENT_COMPLETED"]
    assert world.http("GET /orders/{id}/history", "order-1", query={"event_type": "PAID"}).fields == ["event_type"]


@pytest.mark.parametrize("of", [{}, {"customer_id": CUSTOMER}, {"status": "PENDING"}, {"external_id": "#1"}])
def test_times_are_exact_to_the_millisecond_and_neither_end_belongs_to_them(five: World, of: dict[str, str]) -> None:
    whole = by_staff(five, **of)
    for first in (-1, 1, 3, 5):
        wanted = [name for name in whole if int(name[-1]) > first]
        assert by_staff(five, created_after=at(first), **of) == wanted
        assert by_staff(five, created_after=timestamp(NOON + timedelta(minutes=first, milliseconds=-1)), **of) == [
            name for name in whole if int(name[-1]) >= first
        ]
        for last in (0, 1, 3, 5):
            between = [name for name in wanted if int(name[-1]) < last]
            assert by_staff(five, created_after=at(first), created_before=at(last), **of) == between


@pytest.mark.parametrize("of", [{}, {"customer_id": CUSTOMER}, {"status": "PENDING"}, {"email": "ada@example.com"}])
def test_the_oldest_come_first_where_that_is_asked_for_page_by_page_in_each_index(five: World, of: dict[str, str]) -> None:
    for span in ({}, {"created_after": at(0)}, {"created_before": at(4)}, {"created_after": at(0), "created_before": at(4)}):
        newest_first = by_staff(five, **of, **span)
        assert by_staff(five, **of, **span, sort="-created_at") == newest_first
        pages = list(every_page(five, **of, **span, sort="created_at", limit="1"))
        assert [name for page in pages for name in page] == newest_first[::-1]
    cursor = five.support("GET /orders", query={**of, "sort": "created_at", "limit": "1"}).body["next_cursor"]
    assert five.support("GET /orders", query={**of, "cursor": cursor}).fields == ["cursor"]


@pytest.mark.parametrize("of", [{}, {"customer_id": CUSTOMER}, {"external_id": "#1"}])
@pytest.mark.parametrize("limit", ["1", "2"])
def test_pages_of_a_time_hold_each_order_once(five: World, of: dict[str, str], limit: str) -> None:
    span = {"created_after": at(0), "created_before": at(4)}
    pages = list(every_page(five, **span, **of, limit=limit))
    assert [name for page in pages for name in page] == by_staff(five, **span, **of)
    assert all(len(page) <= int(limit) for page in pages)


def test_a_time_may_have_any_offset(five: World) -> None:
    assert by_staff(five, created_after="2026-11-20T13:02:00+01:00") == ["order-4", "order-3"]
    assert by_staff(five, created_before="2026-11-20t12:01:00z") == ["order-0"]


@pytest.fixture
def paid(world: World) -> World:
    """Orders whose payments differ; the last has none yet."""
    world.live(OrderStatus.PROCESSING, "paid-1")
    world.live(OrderStatus.CONFIRMED, "cash", method="CASH_ON_DELIVERY")
    world.live(OrderStatus.DELIVERED, "paid-2", by=STRANGER)
    world.live(OrderStatus.PROCESSING, "back")
    assert world.http("POST /orders/{id}/cancel", "back").status == 200
    world.unwind("back")
    world.place("new")
    return world


def test_orders_are_found_by_their_payment(paid: World) -> None:
    assert by_staff(paid, payment_status="COMPLETED") == ["paid-2", "paid-1"]
    assert by_staff(paid, payment_status="pending") == ["cash"]
    assert by_staff(paid, payment_status="REFUNDED") == ["back"]
    assert by_staff(paid, payment_status="COMPLETED", status="DELIVERED") == ["paid-2"]
    assert by_staff(paid, payment_status="COMPLETED", customer_id=CUSTOMER) == ["paid-1"]
    assert ids(paid.http("GET /orders", query={"payment_status": "COMPLETED"}, by=STRANGER)) == ["paid-2"]
    shown = paid.support("GET /orders", query={"payment_status": "COMPLETED"}).body["orders"][0]
    assert "payment" not in shown
    shown = paid.support("GET /orders", query={"payment_status": "COMPLETED", "expand": "payment,shipments"}).body["orders"][0]
    assert (shown["payment"]["status"], len(shown["shipments"])) == ("COMPLETED", 1)


@pytest.mark.parametrize(("most", "chunk"), [(1, 1), (2, 1), (4, 2), (500, 100)])
def test_a_page_looks_at_so_many_orders_and_the_cursor_goes_on_behind_them(
    paid: World, monkeypatch: pytest.MonkeyPatch, most: int, chunk: int
) -> None:
    monkeypatch.setattr(listing, "MOST_LOOKED_AT", most)
    monkeypatch.setattr(listing, "CHUNK", chunk)
    for limit in ("1", "2", "100"):
        pages = list(every_page(paid, payment_status="COMPLETED", limit=limit))
        assert [name for page in pages for name in page] == ["paid-2", "paid-1"]
        assert len(pages) <= 6


def test_a_cursor_goes_on_with_the_same_filter_only(five: World) -> None:
    first = five.support("GET /orders", query={"limit": "1", "created_after": at(0), "external_id": "#1"})
    cursor = first.body["next_cursor"]
    for query in ({"created_after": at(1), "external_id": "#1"}, {"created_after": at(0)}, {"external_id": "#1"}, {}):
        assert five.support("GET /orders", query={"cursor": cursor, **query}).fields == ["cursor"]
    again = {"cursor": cursor, "created_after": "2026-11-20T13:00:00.000+01:00", "external_id": "#1"}
    assert ids(five.support("GET /orders", query=again)) == ["order-1"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("payment_status", "PAID"),
        ("payment_status", "COMPLETED,FAILED"),
        ("created_after", "2026-11-20"),
        ("created_after", "2026-11-20T12:00:00"),
        ("created_after", "2026-11-20T12:00:00 01:00"),
        ("created_before", "2026-13-20T12:00:00Z"),
        ("created_before", "0001-01-01T00:00:00+14:00"),
        ("sort", "total"),
        ("external_id", "a\nb"),
        ("email", "ada"),
        ("email", f"{'a' * 250}@b.cd"),
        ("tracking_number", "a\nb"),
        ("tracking_number", "x" * 101),
        ("external_id", "x" * 129),
    ],
)
def test_a_bad_filter_is_refused_by_its_name(world: World, name: str, value: str) -> None:
    assert world.support("GET /orders", query={name: value}).fields == [name]


@pytest.mark.parametrize("name", FILTERS)
def test_the_overdue_list_has_no_other_filter(world: World, name: str) -> None:
    assert world.support("GET /orders", query={"overdue": "true", name: "x"}).fields == ["overdue"]
