"""Two releases' functions on one table, during a gradual shift and on the way back: each reads what the other wrote."""

from collections.abc import Callable
from typing import Any

import pytest

from orders.domain import legacy
from tests.harness.bodies import a_body
from tests.harness.world import CUSTOMER
from tests.upgrade.lives import ID, LIVES, Call, follow_up, place, ship, step
from tests.upgrade.releases import Release
from tests.upgrade.shared_table import URL, SharedTable, part_of

STAFF: dict[str, Any] = {"by": "grace", "groups": ["support"]}
Plan = Callable[[int, int], bool]
"""Whether the call of a number, of so many, is the present release's."""

PLANS: dict[str, Plan] = {
    "new from the middle on": lambda number, calls: number >= calls // 2,
    "back from the middle on": lambda number, calls: number < calls // 2,
    "each second call": lambda number, _: number % 2 == 1,
    "each other second call": lambda number, _: number % 2 == 0,
}


def live(table: SharedTable, calls: list[Call], plan: Plan) -> None:
    for number, call in enumerate(calls):
        table.release = table.releases[plan(number, len(calls))]
        call(table)


def ending(table: SharedTable) -> dict[str, Any]:
    """How an order stands: what both releases say of it, but for times and ids."""
    first, second = table.seen_by_all("GET /orders/{id}", ID, **STAFF)
    old, new = table.seen_by_all("GET /orders/{id}/status", ID, **STAFF)
    for answer in (first, second):
        del answer["tracking_url"]
    for answer in (old, new):
        del answer["estimated_completion"]
    part_of(first, second)
    part_of(old, new)
    shown, trail = table.seen_by_all("GET /orders/{id}/history", ID, **STAFF)
    for event in trail["history"]:
        event["event_type"] = legacy.event_type(event["event_type"])
    part_of(shown, trail)
    return {
        "status": old["status"],
        # Edition one called it rolled back, too, where there was nothing to undo.
        "overall": old["overall_status"].replace("FAILED", "ROLLED_BACK"),
        "steps": [(one["name"], one["status"], one.get("error_message")) for one in old["steps"]],
        "cancellation": first["order"]["cancellation"] and first["order"]["cancellation"]["reason"],
        "payment": first["payment"] and first["payment"]["status"],
        "shipment": first["shipment"] and first["shipment"]["status"],
        # Edition one writes no refund down before the provider is asked for it.
        "trail": [kind for kind in table.trail(ID) if kind in legacy.EVENT_TYPES],
    }


@pytest.fixture(scope="module")
def endings() -> dict[str, Any]:
    """How each life ends when one release alone is there, as it is found."""
    return {}


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("name", LIVES)
def test_an_order_lives_its_life_whoever_answers(table: SharedTable, name: str, plan: str, endings: dict[str, Any]) -> None:
    live(table, LIVES[name], PLANS[plan])
    found = ending(table)
    table.add_up()
    assert endings.setdefault(name, found) == found
    old, new = table.published_by_all(ID)
    known = {one["event_type"] for one in old}
    part_of(old, [one for one in new if one["event_type"] in known])
    assert old[0]["event_type"] == "OrderStatusChanged"


@pytest.mark.parametrize("name", LIVES)
def test_one_release_alone_comes_to_the_same(table: SharedTable, name: str, endings: dict[str, Any]) -> None:
    for is_new in (False, True):
        live(table, LIVES[name], lambda _number, _calls, is_new=is_new: is_new)  # type: ignore[misc]
        found = ending(table)
        assert endings.setdefault(name, found) == found
        table.clear()


@pytest.mark.parametrize("forwards", [True, False], ids=["forwards", "back"])
def test_a_key_holds_across_releases(table: SharedTable, forwards: bool, old: Release, new: Release) -> None:
    first, second = (old, new) if forwards else (new, old)
    for number, body in enumerate((a_body(), a_body(require_approval=False), a_body(method="CASH_ON_DELIVERY", token=None))):
        headers = {"idempotency-key": f"key {number}"}
        table.release = first
        placed = table.http("POST /orders", None, body, headers=headers)
        for table.release in (second, first):
            again = table.http("POST /orders", None, body, headers=headers)
            assert (again.status, again.headers.get("idempotent-replayed")) == (202, "true")
            assert again.order["order_id"] == placed.order["order_id"]
            other = table.http("POST /orders", None, a_body(items=[{"product_id": "prod-001", "quantity": 9}]), headers=headers)
            assert (other.status, other.code) == (422, "IDEMPOTENCY_MISMATCH")


@pytest.mark.parametrize("forwards", [True, False], ids=["forwards", "back"])
def test_notifications_are_counted_and_sent_once_whoever_takes_them(
    table: SharedTable, forwards: bool, old: Release, new: Release
) -> None:
    first, second = (old, new) if forwards else (new, old)
    live(table, LIVES["returned"], PLANS["each second call"])
    table.release = first
    details = table.published(ID)
    webhook_id = table.subscribe()
    half = len(details) // 2
    bodies = [{"detail": detail} for detail in details]
    for table.release, batch in ((first, bodies[:half]), (second, bodies), (first, bodies)):
        table.queue("keep_statistics", batch)
        table.queue("fan_out_webhooks", batch)
    summaries = table.seen_by_all("GET /analytics/summary", "", **STAFF)
    part_of(*summaries)
    assert summaries[0]["orders_placed"] == 1
    assert {one["status"]: one["count"] for one in summaries[0]["statuses"] if one["count"]} == {"RETURNED": 1}

    pending = table.pending_deliveries()
    assert {body["delivery_id"] for body in pending} == {detail["event_id"] for detail in details}
    for table.release, batch in ((second, pending[:half]), (first, pending), (second, pending)):
        table.queue("deliver_webhook", batch)
    assert sorted(delivery_id for delivery_id, _ in table.sent) == sorted(detail["event_id"] for detail in details)
    for table.release in (first, second):
        assert {one["status"] for one in table.deliveries(webhook_id)} == {"SUCCEEDED"}


@pytest.mark.parametrize("forwards", [True, False], ids=["forwards", "back"])
def test_subscriptions_and_attempts_are_both_releases(table: SharedTable, forwards: bool, old: Release, new: Release) -> None:
    first, second = (old, new) if forwards else (new, old)
    live(table, LIVES["placed"], PLANS["each second call"])
    admin: dict[str, Any] = {"by": "ann", "groups": ["admin"]}
    table.release = first
    details = [{"detail": detail} for detail in table.published(ID)]
    webhook_id = table.subscribe()
    table.release = second
    table.queue("fan_out_webhooks", details)
    table.endpoint_status = 500
    table.queue("deliver_webhook", table.pending_deliveries()[:1])
    table.release = first
    (delivery,) = table.deliveries(webhook_id)
    assert (delivery["status"], [one["status_code"] for one in delivery["attempts"]]) == ("PENDING", [500])
    path = {"id": webhook_id, "delivery_id": delivery["delivery_id"]}
    for table.release, code in ((first, 503), (second, 410)):
        table.endpoint_status = code
        answer = table.http("POST /webhooks/{id}/deliveries/{delivery_id}/redeliver", path, {}, **admin)
        assert answer.status == 202, answer.text
        table.queue("deliver_webhook", table.pending_deliveries()[-1:])
    table.release = first
    (delivery,) = table.deliveries(webhook_id)
    assert (delivery["status"], [one["status_code"] for one in delivery["attempts"]]) == ("FAILED", [500, 503, 410])
    part_of(*table.seen_by_all("GET /webhooks/{id}", webhook_id, **admin))
    assert table.http("GET /webhooks/{id}", webhook_id, **admin).body["status"] == "DISABLED"
    table.release = first
    assert table.http("POST /webhooks/{id}/rotate", webhook_id, {}, **admin).status == 200
    (one,) = table.seen_by_all("GET /webhooks", "", **admin)[1]["webhooks"]
    assert (one["webhook_id"], one["url"], one["status"]) == (webhook_id, URL, "ACTIVE")
    table.release = second
    assert table.http("DELETE /webhooks/{id}", webhook_id, **admin).status == 204


@pytest.mark.parametrize("forwards", [True, False], ids=["forwards", "back"])
def test_the_catalog_and_lists_are_both_releases(table: SharedTable, forwards: bool, old: Release, new: Release) -> None:
    first, second = (old, new) if forwards else (new, old)
    product = {"name": "Globe", "unit_price": {"amount": 1250, "currency": "EUR"}, "stock": 3}
    table.release = first
    assert table.http("PUT /products/{id}", "globe", product, by="ann", groups=["admin"]).status == 200
    table.release = second
    bought = a_body(order_id=ID, items=[{"product_id": "globe", "quantity": 2}])
    assert table.http("POST /orders", None, bought).status == 202
    table.step("reserve_stock", ID)
    products = table.seen_by_all("GET /products/{id}", "globe")
    part_of(*products)
    assert products[0] == {"product_id": "globe", **product, "stock": 1}
    part_of(*table.seen_by_all("GET /products", ""))
    lists = table.seen_by_all("GET /orders", "", by=CUSTOMER)
    part_of(*lists)
    assert [one["order_id"] for one in lists[0]["orders"]] == [ID]


@pytest.mark.parametrize(("reserved_by", "shipped_by"), [(0, 1), (1, 0)])
def test_what_products_count_is_put_right_by_this_release_s_next_change(
    table: SharedTable, reserved_by: int, shipped_by: int
) -> None:
    """Edition one counts neither what it reserves nor what it hands over: until then the one is missing, the other too many."""
    table.release = table.releases[reserved_by]
    place()(table)
    follow_up(table)
    step("reserve_stock")(table)
    assert table.figures("prod-001") == ((2, 0) if reserved_by else (0, 0))
    step("charge_payment")(table)
    assert table.figures("prod-001") == ((2, 0) if reserved_by else (0, 0))
    table.release = table.releases[shipped_by]
    ship(table)
    assert table.figures("prod-001") == ((0, 2) if shipped_by else (2, 0))
    table.release = table.releases[True]
    step("deliver_order")(table)
    assert table.figures("prod-001") == (0, 2)
    table.add_up()
