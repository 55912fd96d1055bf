"""What is said of an order besides what is ordered: kept as it was sent, shown to whom it concerns, changed, and erased."""

import json
from typing import Any

import pytest

from orders.domain.address import Contact
from orders.domain.identifiers import CustomerId
from orders.domain.statuses import OrderStatus
from orders.services import privacy
from orders.web import personal_data
from tests.harness.bodies import ELSEWHERE, a_body
from tests.harness.world import CUSTOMER, STRANGER, World

DETAILS: dict[str, Any] = {
    "billing_address": ELSEWHERE,
    "contact": {"email": "josé@example.com", "phone": "+43 1 234567", "locale": "de-AT"},
    "external_id": "#1001",
    "metadata": {"channel": "phone", "gift wrap": "", "lines": "one\ntwo"},
    "note": "Leave it with the neighbors.\nThank you!",
}
PERSONAL = ["Ockham", "josé@example.com", "234567", "gift wrap", "neighbors"]
CARRIER: dict[str, Any] = {"by": "carl", "groups": ["carrier"]}


def patch(world: World, body: dict[str, Any], **more: Any) -> Any:
    return world.support("PATCH /orders/{id}", "order-1", body, **more)


def external_ids(world: World) -> list[tuple[str, str]]:
    """The ids of other systems that lead to orders."""
    items = [item for item in world.everything() if item.get("kind") == {"S": "external id"}]
    return sorted((item["PK"]["S"].removeprefix("EXTERNAL#"), item["order_id"]["S"]) for item in items)


def test_what_was_sent_with_an_order_is_kept_and_shown(world: World) -> None:
    placed = world.place(**DETAILS)
    assert {name: placed.order[name] for name in DETAILS} == DETAILS
    assert world.http("GET /orders/{id}", "order-1").order == placed.order
    (listed,) = world.support("GET /orders", query={"customer_id": CUSTOMER}).body["orders"]
    assert {name: listed[name] for name in DETAILS} == DETAILS
    assert external_ids(world) == [("#1001", "order-1")]


def test_an_order_without_any_of_it_is_stored_and_shown_as_before(world: World) -> None:
    placed = world.place()
    assert not set(DETAILS) & set(placed.order)
    (row,) = world.items("order-1", "#ORDER")
    assert not set(DETAILS) & set(row)
    assert external_ids(world) == []


@pytest.mark.parametrize("empty", [{"contact": {}}, {"metadata": {}}, {"contact": {"email": None}}])
def test_what_says_nothing_is_nothing(world: World, empty: dict[str, Any]) -> None:
    assert not set(DETAILS) & set(world.place(**empty).order)


def test_carriers_and_the_warehouse_see_none_of_it_but_the_external_id(world: World) -> None:
    world.live(OrderStatus.SHIPPED, **DETAILS)
    for group in ("carrier", "warehouse"):
        shipment_id = world.http("GET /orders/{id}", "order-1").body["shipment"]["shipment_id"]
        route, path = (
            ("PUT /orders/{id}/shipment/location", {"id": "order-1"})
            if group == "carrier"
            else ("POST /orders/{id}/shipments/{shipment_id}/returned", {"id": "order-1", "shipment_id": shipment_id})
        )
        body = {"location": "Utrecht"} if group == "carrier" else {}
        shown = world.http(route, path, body, by="carl", groups=[group])
        assert shown.status == 200, shown.text
        assert set(DETAILS) & set(shown.order) == {"external_id"}


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("contact", {"email": "nobody"}, "contact.email"),
        ("contact", {"email": "a b@example.com"}, "contact.email"),
        ("contact", {"email": "a@b@example.com"}, "contact.email"),
        ("contact", {"email": "a\u202e@example.com"}, "contact.email"),
        ("contact", {"email": f"{'a' * 251}@b.c"}, "contact.email"),
        ("contact", {"phone": ""}, "contact.phone"),
        ("contact", {"phone": "1" * 33}, "contact.phone"),
        ("contact", {"locale": "de_AT!"}, "contact.locale"),
        ("contact", {"fax": "1"}, "contact.fax"),
        ("contact", "josé@example.com", "contact"),
        ("billing_address", {"name": "Ada"}, "billing_address.line1"),
        ("external_id", "", "external_id"),
        ("external_id", "x" * 129, "external_id"),
        ("external_id", 1001, "external_id"),
        ("metadata", {"a": 1}, "metadata.a"),
        ("metadata", {"a": None}, "metadata.a"),
        ("metadata", {"a": "x" * 501}, "metadata.a"),
        ("metadata", {"a": "x\u0000"}, "metadata.a"),
        ("metadata", {"": "x"}, "metadata."),
        ("metadata", {"x" * 41: "x"}, f"metadata.{'x' * 40}"),
        ("metadata", {f"{number}": "x" for number in range(51)}, "metadata"),
        ("metadata", {f"{number}": "x" * 500 for number in range(33)}, "metadata"),
        ("metadata", ["a"], "metadata"),
        ("note", "", "note"),
        ("note", " \n ", "note"),
        ("note", "x" * 2001, "note"),
        ("note", "a\u202eb", "note"),
    ],
)
def test_what_is_too_long_or_no_such_thing_is_refused_with_its_path(world: World, name: str, value: Any, field: str) -> None:
    refused = world.http("POST /orders", body=_body({name: value}))
    assert refused.status == 400
    assert field in refused.fields
    if name != "billing_address" and value != {"a": None}:
        world.place()
        assert field in patch(world, {name: value}).fields


def _body(changes: dict[str, Any]) -> dict[str, Any]:
    return a_body(order_id="order-2", **changes)


def test_the_longest_of_each_is_taken(world: World) -> None:
    metadata = {f"{number:040}": "é" * 100 for number in range(50)}
    world.place(external_id="🫖" * 128, note="é" * 2000, metadata=metadata, contact={"email": f"{'a' * 250}@b.c"})
    assert world.http("GET /orders/{id}", "order-1").order["metadata"] == metadata


# --- changes ---


def test_a_change_replaces_what_is_sent_takes_away_what_is_null_and_leaves_the_rest(world: World) -> None:
    world.place(**DETAILS)
    body = {"metadata": {"channel": "web", "gift wrap": None, "new": "1"}, "contact": {"phone": None}, "external_id": "#1002"}
    changed = patch(world, body)
    assert changed.status == 200, changed.text
    assert changed.order["metadata"] == {"channel": "web", "lines": "one\ntwo", "new": "1"}
    assert changed.order["contact"] == {"email": "josé@example.com", "locale": "de-AT"}
    assert (changed.order["external_id"], changed.order["note"]) == ("#1002", DETAILS["note"])
    assert external_ids(world) == [("#1002", "order-1")]
    nothing = patch(world, dict.fromkeys(("metadata", "external_id", "contact", "note")))
    assert set(DETAILS) & set(nothing.order) == {"billing_address"}
    assert external_ids(world) == []


def test_a_change_is_on_the_trail_with_what_was_and_is(world: World) -> None:
    world.place(**DETAILS)
    patch(world, {"note": "Ring twice", "external_id": None, "metadata": {"channel": "phone"}})
    *_, last = world.http("GET /orders/{id}/history", "order-1").body["history"]
    assert (last["event_type"], last["triggered_by"], last["status"]) == ("DETAILS_CHANGED", "grace", "PENDING")
    assert last["metadata"] == {
        "changed_details": ["external_id", "note"],
        "old_details": {"external_id": "#1001", "note": DETAILS["note"]},
        "new_details": {"note": "Ring twice"},
    }


@pytest.mark.parametrize("body", [{}, {"note": DETAILS["note"]}, {"metadata": {"channel": "phone"}}, {"contact": {}}])
def test_what_changes_nothing_is_no_change(world: World, body: dict[str, Any]) -> None:
    world.place(**DETAILS)
    assert patch(world, body).order["version"] == 1


@pytest.mark.parametrize("status", [OrderStatus.SHIPPED, OrderStatus.DELIVERED, OrderStatus.CANCELLED])
def test_it_may_be_changed_at_any_time_and_changes_nothing_else(world: World, status: OrderStatus) -> None:
    before = world.live(status)
    changed = world.shop("PATCH /orders/{id}", "order-1", {"note": "Ring twice"})
    assert changed.status == 200, changed.text
    after = world.snapshot()
    assert (after.order.status, after.order.overall, after.order.due_at) == (
        *(before.order.status, before.order.overall, before.order.due_at),
    )
    assert (after.payment, after.shipment) == (before.payment, before.shipment)
    assert world.follow_up() == (["STOP_AND_UNWIND"] if status is OrderStatus.CANCELLED else [])


def test_it_is_for_staff_and_shops(world: World) -> None:
    world.place()
    for who in ({"by": CUSTOMER}, {"by": STRANGER}, CARRIER):
        assert world.http("PATCH /orders/{id}", "order-1", {"note": "x"}, **who).status == 403
    assert patch(world, {"note": "x"}, headers={"if-match": '"7"'}).status == 412
    assert patch(world, {"note": "x"}, headers={"if-match": '"1"'}).status == 200


@pytest.mark.parametrize("body", [{"status": "SHIPPED"}, {"billing_address": ELSEWHERE}, {"contact": {"email": ""}}])
def test_what_it_does_not_change_is_refused(world: World, body: dict[str, Any]) -> None:
    world.place()
    assert patch(world, body).status == 400


def test_entries_add_up_to_the_most_there_may_be(world: World) -> None:
    world.place(metadata={f"{number}": "x" for number in range(49)})
    assert patch(world, {"metadata": {"a": "x"}}).status == 200
    refused = patch(world, {"metadata": {"b": "x"}})
    assert (refused.status, refused.fields) == (400, ["metadata"])
    assert patch(world, {"metadata": {"b": "x", "a": None}}).status == 200


def test_two_orders_may_have_one_external_id(world: World) -> None:
    world.place("order-1", external_id="#1001")
    world.place("order-2", external_id="#1001")
    assert external_ids(world) == [("#1001", "order-1"), ("#1001", "order-2")]
    patch(world, {"external_id": None})
    assert external_ids(world) == [("#1001", "order-2")]


def test_the_same_key_with_another_note_is_another_request(world: World) -> None:
    key = {"idempotency-key": "key-1"}
    world.place(note="Ring twice", headers=key)
    assert world.http("POST /orders", body=_body({"note": "Ring once"}), headers=key).status == 422


# --- erasure ---


def test_it_is_handed_over_and_erased_with_the_trail_of_its_changes(world: World) -> None:
    world.live(OrderStatus.DELIVERED, **DETAILS)
    patch(world, {"note": "For the neighbors again", "contact": {"phone": "+43 1 234567 9"}})
    exported = json.dumps(personal_data.export(CustomerId(CUSTOMER)), ensure_ascii=False)
    assert [text for text in PERSONAL if text not in exported] == []
    privacy.erase(CustomerId(CUSTOMER), "grace")
    left = json.dumps(world.everything(), ensure_ascii=False, default=sorted)
    assert [text for text in PERSONAL if text in left] == []
    order = world.order()
    assert (order.contact, order.note, order.metadata) == (Contact(locale="de-AT"), None, {})
    assert (order.external_id, external_ids(world)) == ("#1001", [("#1001", "order-1")])


def test_nothing_personal_is_written_to_an_erased_order(world: World) -> None:
    world.live(OrderStatus.DELIVERED)
    privacy.erase(CustomerId(CUSTOMER), "grace")
    assert patch(world, {"note": "For the neighbors", "contact": {"email": "josé@example.com"}}).status == 200
    left = json.dumps(world.everything(), ensure_ascii=False, default=sorted)
    assert "neighbors" not in left
    assert "josé" not in left
