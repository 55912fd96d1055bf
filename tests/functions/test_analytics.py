"""The analytics, from the changes to the answer: of all orders, and of the days that were asked for."""

import json
from datetime import timedelta
from typing import Any

import pytest

from orders.adapters.store import orders
from orders.domain import notifications
from orders.domain.identifiers import OrderId
from orders.domain.statuses import OrderStatus
from orders.services.changes import utc_now
from tests.harness.events import ALL_TAKEN, a_batch, a_message
from tests.harness.world import World

MONDAY, TUESDAY, THURSDAY = "2026-11-16", "2026-11-17", "2026-11-19"


def counted_on(world: World, order_id: str, days: dict[str, str] | str) -> None:
    """Brings what happened to an order to its counters, as if it had been on that day: one for all, or one by status."""
    records: list[dict[str, Any]] = []
    for event in orders.history(OrderId(order_id)):
        day = days if isinstance(days, str) else days[event.status.value]
        for _, detail, _ in notifications.messages(event):
            dated = json.loads(json.dumps(detail)) | {"timestamp": f"{day}T23:59:59.999Z"}
            records.append(a_message({"detail": dated}, len(records)))
    for _ in range(2):  # what is delivered twice counts once
        assert world.invoke("keep_statistics", a_batch(records)) == ALL_TAKEN


def a_week(world: World) -> None:
    """Three orders: one delivered over two days and sent back later, one cancelled, one declined."""
    world.live(OrderStatus.RETURNED, "returned")
    world.unwind("returned")
    there = {"PENDING": MONDAY, "PROCESSING": MONDAY, "SHIPPED": TUESDAY, "DELIVERED": TUESDAY, "RETURNED": THURSDAY}
    counted_on(world, "returned", there)
    world.live(OrderStatus.PROCESSING, "cancelled")
    assert world.http("POST /orders/{id}/cancel", "cancelled").status == 200
    counted_on(world, "cancelled", TUESDAY)
    world.place("declined", token="tok_declined")
    world.step("reserve_stock", "declined")
    failure = {"Error": "PaymentDeclined", "Cause": json.dumps({"errorType": "PaymentDeclined", "errorMessage": "No."})}
    with pytest.raises(Exception, match="declined"):
        world.step("charge_payment", "declined")
    world.step("begin_unwinding", "declined", failure=failure)
    world.unwind("declined")
    counted_on(world, "declined", TUESDAY)


def asked(world: World, **query: str) -> Any:
    return world.support("GET /analytics/summary", query=query)


def shown(world: World, first: str, last: str) -> dict[str, Any]:
    answer = asked(world, **{"from": first, "to": last})
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.body
    return found


def of_status(summary: dict[str, Any], status: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in summary["statuses"] if one["status"] == status)
    return found


def stage(summary: dict[str, Any], status: str) -> tuple[int, int, float | None]:
    one = next(one for one in summary["conversion"] if one["status"] == status)
    return one["left"], one["went_on"], one["rate"]


def test_figures_of_some_days_are_what_happened_in_them(world: World) -> None:
    a_week(world)
    whole = shown(world, MONDAY, THURSDAY)
    assert (whole["from"], whole["to"], whole["orders_placed"], whole["payment_failures"]) == (MONDAY, THURSDAY, 3, 1)
    assert (whole["cancel_rate"], whole["return_rate"]) == (round(2 / 3, 4), 1.0)
    reasons = {one["reason"]: one["count"] for one in whole["cancel_reasons"] if one["count"]}
    assert reasons == {"customer": 1, "payment_failed": 1}
    assert {one["status"]: one["count"] for one in whole["statuses"]} == {
        "PENDING": 3,
        "CONFIRMED": 0,
        "PROCESSING": 2,
        "SHIPPED": 1,
        "DELIVERED": 1,
        "CANCELLED": 2,
        "RETURNED": 1,
    }
    assert of_status(whole, "PROCESSING")["mean_order_value"] == {"amount": 3000, "currency": "USD"}
    assert of_status(whole, "PENDING")["time_in_status"]["mean_seconds"] >= 0
    assert of_status(whole, "RETURNED")["time_in_status"] is None
    assert stage(whole, "PENDING") == (3, 2, round(2 / 3, 4))
    assert stage(whole, "PROCESSING") == (2, 1, 0.5)
    assert stage(whole, "SHIPPED") == (1, 1, 1.0)
    assert stage(whole, "CONFIRMED") == (0, 0, None)


def test_each_day_stands_by_itself_those_of_rest_too(world: World) -> None:
    a_week(world)
    days = {day["date"]: day for day in shown(world, "2026-11-15", "2026-11-20")["days"]}
    assert list(days) == [f"2026-11-{number}" for number in range(15, 21)]
    assert [day["orders_placed"] for day in days.values()] == [0, 1, 2, 0, 0, 0]
    assert days[TUESDAY]["payment_failures"] == 1
    assert days[TUESDAY]["cancel_rate"] == 1.0
    assert days[TUESDAY]["entered"]["SHIPPED"] == days[TUESDAY]["entered"]["DELIVERED"] == 1
    assert days[THURSDAY]["entered"]["RETURNED"] == 1
    assert not any(days["2026-11-18"]["entered"].values())


def test_a_day_that_was_not_asked_for_counts_for_nothing(world: World) -> None:
    a_week(world)
    monday = shown(world, MONDAY, MONDAY)
    assert (monday["orders_placed"], monday["cancel_rate"], len(monday["days"])) == (1, 0.0, 1)
    assert stage(monday, "PENDING") == (1, 1, 1.0)
    assert of_status(monday, "CANCELLED")["mean_order_value"] is None
    assert shown(world, "2026-11-20", "2026-11-21")["orders_placed"] == 0


def test_without_days_all_orders_are_counted_where_they_are_now(world: World) -> None:
    a_week(world)
    whole = asked(world).body
    assert (whole["from"], whole["to"], whole["days"]) == (None, None, [])
    assert {one["status"]: one["count"] for one in whole["statuses"] if one["count"]} == {"CANCELLED": 2, "RETURNED": 1}
    assert (whole["orders_placed"], whole["cancel_rate"], whole["return_rate"]) == (3, round(2 / 3, 4), 1.0)
    assert stage(whole, "PENDING") == (3, 2, round(2 / 3, 4))


def test_one_end_is_enough(world: World) -> None:
    today = utc_now().date()
    last = asked(world, to="2026-11-20").body
    assert (last["from"], last["to"], len(last["days"])) == ("2026-10-22", "2026-11-20", 30)
    since = asked(world, **{"from": (today - timedelta(days=3)).isoformat()}).body
    assert (since["to"], len(since["days"])) == (today.isoformat(), 4)
    assert asked(world, to="0001-01-02").body["from"] == "0001-01-01"
    assert len(asked(world, **{"from": "9999-12-31"}).body["days"]) == 1


BAD: list[tuple[dict[str, str], str]] = [
    ({"from": "yesterday"}, "from"),
    ({"from": ""}, "from"),
    ({"to": "2026-02-30"}, "to"),
    ({"to": "2026-11-20T00:00:00Z"}, "to"),
    ({"to": "20261120"}, "to"),
    ({"to": "\u0662026-11-20"}, "to"),
    ({"from": TUESDAY, "to": MONDAY}, "from"),
    ({"from": "2025-11-19", "to": "2026-11-20"}, "from"),
    ({"from": "2020-01-01"}, "from"),
]


def test_what_is_no_range_of_days_is_refused_by_its_name(world: World) -> None:
    for query, field in BAD:
        answer = asked(world, **query)
        assert (answer.status, answer.fields) == (400, [field]), query
    assert len(shown(world, "2025-11-20", "2026-11-20")["days"]) == 366


def test_a_batch_over_midnight_is_counted_on_both_days(world: World) -> None:
    for name, day in (("before", MONDAY), ("after", TUESDAY)):
        world.place(name)
        counted_on(world, name, day)
    records = []
    for number, day in enumerate((MONDAY, TUESDAY) * 3):
        world.place(f"late-{number}")
        (event,) = orders.history(OrderId(f"late-{number}"))
        ((_, detail, _),) = notifications.messages(event)
        dated = json.loads(json.dumps(detail)) | {"timestamp": f"{day}T12:00:00.000Z"}
        records.append(a_message({"detail": dated}, number))
    assert world.invoke("keep_statistics", a_batch(records)) == ALL_TAKEN
    assert [day["orders_placed"] for day in shown(world, MONDAY, TUESDAY)["days"]] == [4, 4]
    assert asked(world).body["orders_placed"] == 8
