"""Rows of a release to come: what this one does not know of them is read, kept by whatever it writes, and never decided on."""

import json
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import pytest

from orders.adapters.store import counters, items, keys
from orders.domain.identifiers import OrderId
from orders.domain.statuses import OverallStatus, StepStatus
from orders.domain.steps import StepName
from tests.harness.events import a_batch, a_message, refused
from tests.harness.world import CUSTOMER
from tests.upgrade.lives import ADDRESS, ID, LIVES, START, by_customer, place
from tests.upgrade.releases import Release
from tests.upgrade.shared_table import SharedTable

Item = dict[str, Any]
CUSTOMS = "Customs Clearance"
ATTRIBUTES: Item = {
    "loyalty_status": {"S": "GOLD"},
    "gift": {"M": {"message": {"S": "for you"}, "levels": {"L": [{"N": "1"}]}}},
    f"step:{CUSTOMS}": {"S": '["COMPLETED","2026-11-20T12:00:00.000Z","2026-11-20T12:00:01.000Z",null]'},
}
MEMBERS: dict[str, dict[str, Any]] = {"address": {"floor": "2", "doorbell": "Byron"}, "approval": {"level": 2}}
ORDER, PAYMENT, SHIPMENT = keys.order_key(OrderId(ID)), keys.payment_key(OrderId(ID)), keys.shipment_key(OrderId(ID))


@pytest.fixture
def present(table: SharedTable, new: Release) -> SharedTable:
    table.release = new
    return table


def changed(table: SharedTable, key: keys.Key, change: Callable[[Item], None]) -> Item:
    """An item as a later release has left it."""
    item = table.raw(key)
    change(item)
    table.put(item)
    return item


def later_order(item: Item) -> None:
    item.update(ATTRIBUTES)
    for name, members in MEMBERS.items():
        if name in item:
            item[name] = {"S": json.dumps({**members, **json.loads(item[name]["S"])})}


def document(item: Item, name: str) -> Any:
    return json.loads(item[name]["S"])


LONG = ("delivered by hand", "returned", "cancelled when paid", "declined", "approved", "rejected", "review timed out")


@pytest.mark.parametrize("life", LONG)
def test_what_is_not_known_is_kept_through_a_whole_life(present: SharedTable, life: str) -> None:
    first, *calls = LIVES[life]
    first(present)
    marked = changed(present, ORDER, later_order)
    seen: set[str] = set()
    for call in calls:
        call(present)
        for key in (PAYMENT, SHIPMENT):
            if key["SK"]["S"] not in seen and any(item["SK"] == key["SK"] for item in present.items(ID)):
                seen.add(key["SK"]["S"])
                changed(present, key, lambda item: item.update(installments={"S": "later"}))
    item = present.raw(ORDER)
    assert item["version"] != marked["version"]
    assert {name: item[name] for name in ATTRIBUTES} == ATTRIBUTES
    for name in MEMBERS.keys() & item.keys():
        assert MEMBERS[name].items() <= document(item, name).items()
    for key in (key for key in (PAYMENT, SHIPMENT) if key["SK"]["S"] in seen):
        assert present.raw(key)["installments"] == {"S": "later"}
    present.add_up()


def test_an_order_that_ends_otherwise_takes_its_optional_attributes_along(present: SharedTable) -> None:
    """What goes from an order goes from its row, too: nothing that this release knows is left standing."""
    for call in LIVES["delivered"]:
        call(present)
    item = present.raw(ORDER)
    assert {"due_at", "GSI3PK", "GSI3SK"}.isdisjoint(item)
    assert item["GSI2PK"] == {"S": "STATUS#DELIVERED"}


def test_another_address_is_another_address(present: SharedTable) -> None:
    place()(present)
    changed(present, ORDER, later_order)
    by_customer("PUT /orders/{id}/address", ADDRESS)(present)
    item = present.raw(ORDER)
    assert document(item, "address") == ADDRESS, "nothing of the old one is left"
    assert item["gift"] == ATTRIBUTES["gift"]


def test_rows_of_steps_that_are_longer_or_more_are_kept(present: SharedTable) -> None:
    place()(present)
    more = ["COMPLETED", None, None, None]

    def steps(item: Item) -> None:
        rows = document(item, "steps")
        item["steps"] = {"S": json.dumps([[*rows[0], "by hand"], *rows[1:], more])}

    changed(present, ORDER, steps)
    START[1](present)
    rows = document(present.raw(ORDER), "steps")
    assert (rows[0][0], rows[0][4:], rows[5:]) == ("COMPLETED", ["by hand"], [more])
    names = [step["name"] for step in present.http("GET /orders/{id}/status", ID).body["steps"]]
    assert names == [name.value for name in StepName], "what has no name here is not shown"


UNKNOWN: dict[str, tuple[keys.Key, str, str]] = {
    "status": (ORDER, "status", "ON_HOLD"),
    "overall": (ORDER, "overall", "PAUSED"),
    "a step's status": (ORDER, "steps", "WAITING"),
    "a payment's method": (PAYMENT, "method", "GIFT_CARD"),
    "a payment's status": (PAYMENT, "status", "DISPUTED"),
    "a parcel's status": (SHIPMENT, "status", "IN_CUSTOMS"),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_an_unknown_value_is_shown_and_refused_and_left_alone(present: SharedTable, what: str) -> None:
    for call in LIVES["shipped"]:
        call(present)
    key, name, value = UNKNOWN[what]

    def later(item: Item) -> None:
        item[name] = {"S": item[name]["S"].replace("SKIPPED", value) if name == "steps" else value}

    changed(present, key, later)
    before = present.items(ID)
    with_checks, present.check = present.check, lambda *_: None  # type: ignore[method-assign]
    for route in ("GET /orders/{id}", "GET /orders/{id}/status", "GET /orders/{id}/history"):
        answer = present.support(route, ID)
        assert answer.status == 200, answer.text
    shown = present.support("GET /orders/{id}", ID).text + present.support("GET /orders/{id}/status", ID).text
    assert value in shown
    present.check = with_checks  # type: ignore[method-assign]
    for route, body in (
        ("POST /orders/{id}/cancel", {}),
        ("POST /orders/{id}/return", {}),
        ("POST /orders/{id}/delivered", {}),
        ("PATCH /orders/{id}/status", {"status": "DELIVERED"}),
        ("POST /orders/{id}/sync", {}),
    ):
        answer = present.support(route, ID, body)
        assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "UNAVAILABLE", "1"), route
        assert value in answer.body["detail"]
    for module in ("reserve_stock", "charge_payment", "deliver_order", "close_order", "release_stock", "refund_payment"):
        present.refused("NewerRow", module, ID)
    assert present.items(ID) == before


def test_a_list_shows_orders_of_unknown_status_among_the_others(present: SharedTable) -> None:
    place()(present)
    present.place("order-2")
    changed(present, ORDER, lambda item: item.update(status={"S": "ON_HOLD"}))
    present.check = lambda *_: None  # type: ignore[method-assign]
    answer = present.http("GET /orders", by=CUSTOMER)
    assert {one["order_id"]: one["status"] for one in answer.body["orders"]} == {ID: "ON_HOLD", "order-2": "PENDING"}


def test_events_of_unknown_types_are_shown_published_counted_and_sent(present: SharedTable) -> None:
    for call in LIVES["placed"]:
        call(present)
    webhook_id = present.subscribe()
    event = present.items(ID, "EVENT#")[0]
    event |= {
        "SK": {"S": "EVENT#00000002"},
        "version": {"N": "2"},
        "type": {"S": "ORDER_HELD"},
        "old_status": {"S": "PENDING"},
        "status": {"S": "ON_HOLD"},
        "signals": {"S": json.dumps([["STEP_PAUSED", "Customs Clearance"], ["STEP_STARTED", "Payment Processing"]])},
        "measures": {"S": json.dumps([3000, "USD", 1.5, {"Customs Clearance": 0.5}, {"lines": 2}])},
        "parcels": {"N": "2"},
    }
    del event["follow_up"]
    present.put(event)
    changed(present, ORDER, lambda item: item.update(version={"N": "2"}))
    present.check = lambda *_: None  # type: ignore[method-assign]
    (_, shown) = present.support("GET /orders/{id}/history", ID).body["history"]
    assert (shown["event_type"], shown["status"]) == ("ORDER_HELD", "ON_HOLD")
    details = [detail for detail in present.published(ID) if detail["version"] == 2]
    assert [(one["event_type"], one.get("new_status"), one.get("step")) for one in details] == [
        ("OrderStatusChanged", "ON_HOLD", None),
        ("STEP_PAUSED", None, "Customs Clearance"),
        ("STEP_STARTED", None, "Payment Processing"),
    ]
    bodies = [{"detail": detail} for detail in details]
    present.queue("keep_statistics", bodies)
    present.queue("fan_out_webhooks", bodies)
    assert len(present.pending_deliveries()) == 3
    assert {one["event_type"] for one in present.deliveries(webhook_id)} == {one["event_type"] for one in details}
    kept = counters.totals()
    assert (kept["now:ON_HOLD"], kept["step:Customs Clearance:n"]) == (1, 1)


def test_what_webhooks_and_deliveries_have_besides_is_kept(present: SharedTable) -> None:
    place()(present)
    webhook_id = present.subscribe()
    bodies = [{"detail": detail} for detail in present.published(ID)]
    present.queue("fan_out_webhooks", bodies)
    (delivery,) = present.deliveries(webhook_id)
    key, delivery_key = keys.webhook_key(webhook_id), keys.delivery_key(webhook_id, delivery["delivery_id"])

    def later(item: Item) -> None:
        item["document"] = {"S": json.dumps({"api_version": "2027-01", **document(item, "document")}, indent=1)}
        item["owner"] = {"S": "ann"}

    changed(present, key, later)
    changed(present, delivery_key, lambda item: item.update(batch={"S": "b-1"}))
    present.endpoint_status = 500
    present.queue("deliver_webhook", present.pending_deliveries())
    item = present.raw(key)
    assert document(item, "document")["failing_since"]
    assert (document(item, "document")["api_version"], item["owner"]) == ("2027-01", {"S": "ann"})
    item = present.raw(delivery_key)
    assert (item["tries"], item["batch"]) == ({"N": "1"}, {"S": "b-1"})


@pytest.mark.parametrize("of", ["webhook", "delivery"])
def test_a_delivery_of_unknown_standing_comes_again(present: SharedTable, of: str) -> None:
    place()(present)
    webhook_id = present.subscribe()
    present.queue("fan_out_webhooks", [{"detail": detail} for detail in present.published(ID)])
    pending = present.pending_deliveries()
    if of == "webhook":
        key = keys.webhook_key(webhook_id)
        changed(present, key, lambda item: item.update(document={"S": item["document"]["S"].replace("ACTIVE", "PAUSED")}))
    else:
        key = keys.delivery_key(webhook_id, pending[0]["delivery_id"])
        changed(present, key, lambda item: item.update(status={"S": "HELD"}))
    before = present.raw(key)
    assert refused(present.invoke("deliver_webhook", a_batch([a_message(pending[0])]))) == ["1"]
    assert present.sent == []
    assert present.raw(key) == before


def test_a_step_that_a_row_does_not_have_lies_ahead_or_was_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release with one step more reads the rows of this one, and writes the step beside the five."""

    class Names(StrEnum):
        INVENTORY = "Inventory Reservation"
        REVIEW = "Manual Review"
        CUSTOMS = "Customs Clearance"
        PAYMENT = "Payment Processing"
        SHIPPING = "Shipping Arrangement"
        DELIVERY = "Delivery"

    monkeypatch.setattr(items, "STEPS", tuple(Names))
    read: Any = items._steps_from_item

    def statuses_of(rows: list[str], overall: OverallStatus, **more: str) -> list[str]:
        item = {"steps": {"S": json.dumps([[status, None, None, None] for status in rows])}}
        item |= {f"step:{name}": {"S": json.dumps([status, None, None, None])} for name, status in more.items()}
        steps, unknown = read(item, overall)
        assert ([step.name for step in steps], unknown) == (list(Names), ())
        return [step.status for step in steps]

    begun, done, waits, passed = StepStatus.IN_PROGRESS, StepStatus.COMPLETED, StepStatus.PENDING, StepStatus.SKIPPED
    ahead = statuses_of([done, begun, waits, waits, waits], OverallStatus.IN_PROGRESS)
    assert ahead == [done, begun, waits, waits, waits, waits]
    behind = statuses_of([done, passed, begun, waits, waits], OverallStatus.IN_PROGRESS)
    assert behind == [done, passed, passed, begun, waits, waits]
    over = statuses_of([done, passed, done, done, done], OverallStatus.COMPLETED)
    assert over == [done, passed, passed, done, done, done]
    known = statuses_of([done, passed, waits, waits, waits], OverallStatus.IN_PROGRESS, **{CUSTOMS: begun})
    assert known == [done, passed, begun, waits, waits, waits]
