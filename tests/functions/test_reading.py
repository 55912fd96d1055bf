"""Reading orders: one, lists page by page, audit trails, progress and its stream."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from orders.adapters.store import indexes, table
from orders.domain import errors, facts
from orders.domain.identifiers import CustomerId
from orders.domain.statuses import OrderStatus
from orders.services import privacy
from orders.web.handling import anchor, problem
from orders.web.routes import ROUTES
from tests.harness.bodies import HOME
from tests.harness.world import CUSTOMER, STRANGER, World, in_a_while


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the calls to the table, as they are made from now on."""
    calls: list[str] = []
    real = table.call

    def counting(operation: Any, **request: Any) -> Any:
        calls.append(operation.__name__)
        return real(operation, **request)

    monkeypatch.setattr(table, "call", counting)
    return calls


def ids(answer: Any) -> list[str]:
    return [order["order_id"] for order in answer.body["orders"]]


def listed(world: World, *, support: bool = False, **query: str) -> Any:
    if support:
        return world.support("GET /orders", query=query)
    return world.http("GET /orders", query=query)


def all_pages(world: World, *, support: bool = False, **query: str) -> list[str]:
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = listed(world, support=support, **query, **cursor)
        assert page.status == 200, page.text
        found += ids(page)
        if page.body["next_cursor"] is None:
            return found
        assert len(ids(page)) == int(query["limit"])
        cursor = {"cursor": page.body["next_cursor"]}


def some_orders(world: World, count: int = 7) -> list[str]:
    """Orders of two customers, newest first; every third is cancelled."""
    names = [f"order-{number:02}" for number in range(count)]
    for number, name in enumerate(names):
        world.place(name, by=CUSTOMER if number % 2 == 0 else STRANGER)
        if number % 3 == 0:
            by = CUSTOMER if number % 2 == 0 else STRANGER
            assert world.http("POST /orders/{id}/cancel", name, by=by).status == 200
    return names[::-1]


def test_a_customer_lists_their_own_orders_newest_first(world: World) -> None:
    names = some_orders(world)
    mine = [name for name in names if int(name[-2:]) % 2 == 0]
    assert ids(listed(world)) == mine
    assert ids(listed(world, customer_id=CUSTOMER)) == mine
    assert listed(world, customer_id=STRANGER).status == 403


def test_support_lists_everybodys_orders(world: World) -> None:
    names = some_orders(world)
    assert sorted(ids(listed(world, support=True))) == sorted(names)
    assert ids(listed(world, support=True)) == names
    assert ids(listed(world, support=True, customer_id=STRANGER)) == [name for name in names if int(name[-2:]) % 2]
    assert ids(listed(world, support=True, customer_id="nobody")) == []


def test_pages_hold_every_order_once(world: World) -> None:
    some_orders(world)
    filters: list[dict[str, str]] = [{}, {"status": "PENDING"}, {"status": "CANCELLED"}, {"customer_id": CUSTOMER}]
    for query in filters:
        whole = ids(listed(world, support=True, limit="100", **query))
        assert len(set(whole)) == len(whole) > 1
        for limit in ("1", "2", "3", "7"):
            assert all_pages(world, support=True, limit=limit, **query) == whole


def test_a_list_is_filtered_by_customer_and_status_at_once(world: World) -> None:
    names = some_orders(world)
    both = [name for name in names if int(name[-2:]) % 6 == 0]
    assert ids(listed(world, status="CANCELLED")) == both
    assert all_pages(world, limit="1", status="CANCELLED") == both


def test_orders_that_come_between_two_pages_shift_nothing(world: World) -> None:
    names = some_orders(world)
    first = listed(world, support=True, limit="3")
    world.place("latecomer")
    world.http("POST /orders/{id}/cancel", names[-2], by=STRANGER)
    rest = listed(world, support=True, limit="100", cursor=first.body["next_cursor"])
    assert ids(first) + ids(rest) == names


def test_an_index_that_lags_behind_shows_no_order_in_a_status_it_has_left(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_orders(world)
    stale = list(indexes.orders_in_status(OrderStatus.PENDING))
    assert world.support("POST /orders/{id}/cancel", stale[0].order_id).status == 200
    real = indexes.orders_in_status

    def lagging(status: OrderStatus, *more: Any) -> Any:
        return iter(stale) if status is OrderStatus.PENDING else real(status, *more)

    monkeypatch.setattr(indexes, "orders_in_status", lagging)
    shown = listed(world, support=True, status="PENDING")
    assert stale[0].order_id not in ids(shown)
    assert {order["status"] for order in shown.body["orders"]} == {"PENDING"}
    everything = ids(listed(world, support=True))
    assert everything.count(stale[0].order_id) == 1


@pytest.mark.parametrize("name", ["PAID", "COMPLETED"])
def test_an_old_name_of_a_status_filters_and_is_marked(world: World, name: str) -> None:
    world.live(OrderStatus.PROCESSING if name == "PAID" else OrderStatus.DELIVERED)
    shown = listed(world, status=name)
    assert ids(shown) == ["order-1"]
    assert shown.headers["deprecation"]
    assert name not in {order["status"] for order in shown.body["orders"]}
    assert "deprecation" not in listed(world, status="PROCESSING").headers


@pytest.mark.parametrize("name", ["processing", "Processing", "pROCESSING", "paid", "Paid"])
def test_a_status_filters_in_whatever_letter_case_it_is_named(world: World, name: str) -> None:
    world.live(OrderStatus.PROCESSING)
    shown = listed(world, status=name)
    assert ids(shown) == ["order-1"]
    assert shown.body["orders"][0]["status"] == "PROCESSING"
    assert ("deprecation" in shown.headers) is (name.lower() == "paid")


BAD_PARAMETERS: list[tuple[dict[str, str], str]] = [
    ({"limit": "0"}, "limit"),
    ({"limit": "101"}, "limit"),
    ({"limit": "-1"}, "limit"),
    ({"limit": "1.5"}, "limit"),
    ({"limit": ""}, "limit"),
    ({"limit": "9" * 5000}, "limit"),
    ({"limit": "1,2"}, "limit"),
    ({"status": ""}, "status"),
    ({"status": "UNKNOWN"}, "status"),
    ({"status": "PENDING,SHIPPED"}, "status"),
    ({"status": "sh\u0131pped"}, "status"),
    ({"customer_id": ""}, "customer_id"),
    ({"customer_id": "a\u202eb"}, "customer_id"),
    ({"customer_id": "x" * 500}, "customer_id"),
    ({"cursor": ""}, "cursor"),
    ({"cursor": "made-up"}, "cursor"),
    ({"cursor": "é.ü"}, "cursor"),
]


def test_a_bad_parameter_is_refused_by_its_name(world: World) -> None:
    for query, field in BAD_PARAMETERS:
        answer = world.support("GET /orders", query=query)
        assert (answer.status, answer.fields) == (400, [field]), query


def test_a_list_shows_payments_and_shipments_where_they_are_asked_for(world: World) -> None:
    world.live(OrderStatus.SHIPPED, "shipped")
    world.live(OrderStatus.PROCESSING, "paid")
    world.place("new")
    whole = {name: world.http("GET /orders/{id}", name).body for name in ("shipped", "paid", "new")}
    shown = {order["order_id"]: order for order in listed(world, expand="payment,shipments").body["orders"]}
    assert set(shown) == set(whole)
    for name, order in shown.items():
        assert order.pop("payment") == whole[name]["payment"]
        assert order.pop("shipments") == ([whole[name]["shipment"]] if whole[name]["shipment"] else [])
        assert order == whole[name]["order"]
    assert [shown_one["payment"] is None for shown_one in listed(world, expand="payment").body["orders"]] == [
        True,
        False,
        False,
    ]
    only = listed(world, expand="shipments").body["orders"]
    assert all("payment" not in order and "shipments" in order for order in only)
    assert all(not {"payment", "shipments"} & set(order) for order in listed(world).body["orders"])


def test_the_overdue_list_shows_them_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.live(OrderStatus.SHIPPED)
    monkeypatch.setattr("read_orders.utc_now", in_a_while(10_000))
    (order,) = listed(world, support=True, overdue="true", expand="payment,shipments").body["orders"]
    assert (order["payment"]["status"], len(order["shipments"])) == ("COMPLETED", 1)


def test_what_is_shown_beside_orders_is_read_for_all_of_them_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    some_orders(world, 12)
    calls = counted(monkeypatch)
    for limit in ("1", "6"):
        calls.clear()
        assert len(ids(listed(world, limit=limit, expand="payment,shipments"))) == int(limit)
        assert calls == ["query", "batch_get_item", "batch_get_item"]


def test_a_cursor_goes_on_with_the_same_parts_only(world: World) -> None:
    names = some_orders(world)
    assert all_pages(world, support=True, limit="2", expand="payment,shipments") == names
    cursor = listed(world, support=True, limit="1", expand="payment,shipments").body["next_cursor"]
    assert listed(world, support=True, cursor=cursor, expand="shipments,payment").status == 200
    assert listed(world, support=True, cursor=cursor, expand="payment").fields == ["cursor"]
    assert listed(world, support=True, cursor=cursor).fields == ["cursor"]


@pytest.mark.parametrize("expand", ["", "refunds", "payment,", "payment,refunds", "PAYMENT", "payment shipments"])
def test_what_a_list_cannot_show_is_refused(world: World, expand: str) -> None:
    assert (listed(world, expand=expand).status, listed(world, expand=expand).fields) == (400, ["expand"])


JSON_ROUTES = [key for key, route in ROUTES.items() if not route.is_page and route.answer != "text/html"]


@pytest.mark.parametrize("key", JSON_ROUTES)
def test_a_parameter_the_route_does_not_know_is_refused_by_its_name(world: World, key: str) -> None:
    path = dict.fromkeys(re.findall(r"\{(\w+)\}", key), "some-1") | ({"carrier": "generic"} if "{carrier}" in key else {})
    answer = world.http(key, path, by="root", groups=["support", "admin"], query={"utm_source": "mail", "order": "up"})
    assert (answer.status, answer.code, answer.fields) == (400, "INVALID_ARGUMENT", ["utm_source", "order"]), key


KNOWN_PARAMETERS = [(key, name) for key in JSON_ROUTES for name in ROUTES[key].query if name != "token"]


@pytest.mark.parametrize(("key", "name"), KNOWN_PARAMETERS)
def test_a_parameter_that_is_empty_is_refused_by_its_name(world: World, key: str, name: str) -> None:
    path = dict.fromkeys(re.findall(r"\{(\w+)\}", key), "some-1")
    body = {"name": "Teapot", "unit_price": {"amount": 1, "currency": "USD"}, "stock": 1} if key.startswith("PUT") else None
    answer = world.http(key, path, body, by="root", groups=["support", "admin"], query={name: ""})
    assert (answer.status, answer.code, answer.fields) == (400, "INVALID_ARGUMENT", [name])


@pytest.mark.parametrize("key", ["GET /orders/{id}/status", "GET /orders/{id}/status/stream"])
def test_an_empty_token_opens_nothing(world: World, key: str) -> None:
    world.place()
    assert world.http(key, "order-1", by=None, query={"token": ""}).status == 403


def test_who_may_not_use_a_route_hears_that_and_nothing_of_its_parameters(world: World) -> None:
    assert world.http("GET /orders", query={"order": "up"}, by=None).status == 401
    assert world.http("GET /analytics/summary", query={"order": "up"}).status == 403


def test_pages_ignore_what_a_link_gained_on_its_way(world: World) -> None:
    shown = json.loads(world.place().text)["tracking_url"]
    query = {"token": shown.partition("token=")[2], "utm_source": "mail"}
    assert world.http("GET /track/{id}", "order-1", by=None, query=query).status == 200
    for key in ("GET /admin", "GET /signed-in", "GET /docs"):
        assert world.http(key, by=None, query={"utm_source": "mail"}).status == 200, key


def test_every_problem_s_type_leads_to_a_place_on_the_documents_page(world: World) -> None:
    page = world.http("GET /docs", by=None).text
    refusals = errors.family()
    assert len(refusals) > 20
    assert json.loads(problem(errors.AlreadyExists("No."), "/")["body"])["type"] == "/docs#already-exists"
    for refusal in refusals:
        assert f'<section id="{anchor(refusal.code)}"><h3><code>{refusal.code}</code></h3><ul><li>' in page


def test_an_unknown_parameter_is_repeated_in_part_only(world: World) -> None:
    query = {f"{number:03}" + "x" * 500: "1" for number in range(50)}
    answer = world.support("GET /orders", query=query)
    assert answer.fields == [f"{number:03}" + "x" * 97 for number in range(20)]


def test_a_cursor_belongs_to_its_own_list(world: World) -> None:
    some_orders(world)
    cursor = listed(world, support=True, limit="1").body["next_cursor"]
    assert listed(world, support=True, cursor=cursor, status="PENDING").status == 400
    assert listed(world, cursor=cursor).status == 400, "nobody else's list is opened by it"


def test_a_page_asks_for_no_more_than_it_shows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    some_orders(world, 12)
    calls = counted(monkeypatch)
    listed(world, limit="3")
    assert calls.count("query") == 1
    assert "scan" not in calls


# --- one order ---


@pytest.mark.parametrize("status", OrderStatus)
def test_an_order_is_shown_in_every_status(world: World, status: OrderStatus) -> None:
    method = "CASH_ON_DELIVERY" if status is OrderStatus.CONFIRMED else "CREDIT_CARD"
    world.live(status, method=method)
    answer = world.http("GET /orders/{id}", "order-1")
    assert answer.order["status"] == status.value
    assert answer.headers["etag"] == f'"{answer.order["version"]}"'
    assert world.http("GET /orders/{id}/history", "order-1").status == 200


def test_what_cannot_be_an_id_is_refused_and_not_looked_for(world: World) -> None:
    for order_id in ("", "a/b", "..", "_2_order-1", "x" * 65, "a b", "é", "order-1\n", "-a", "a%00"):
        answer = world.http("GET /orders/{id}", {"id": order_id})
        assert (answer.status, answer.fields) == (400, ["id"]), order_id


def test_an_order_that_is_not_there_is_not_found(world: World) -> None:
    for route in ("GET /orders/{id}", "GET /orders/{id}/history"):
        assert world.http(route, "nowhere").status == 404
    assert world.http("POST /orders/{id}/cancel", "nowhere").status == 404


def test_a_trail_says_who_did_what_and_why_oldest_first(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    world.support("POST /orders/{id}/cancel", "order-1", {"reason": "Customer called"})
    world.unwind()
    history = world.support("GET /orders/{id}/history", "order-1").body["history"]
    assert [entry["version"] for entry in history] == list(range(1, len(history) + 1))
    assert history[0]["triggered_by"] == CUSTOMER
    cancelled = next(entry for entry in history if entry["event_type"] == "ORDER_CANCELLED")
    assert (cancelled["triggered_by"], cancelled["reason"]) == ("grace", "Customer called")
    assert cancelled["metadata"]["cancellation_reason"] == "staff"
    assert {entry["triggered_by"] for entry in history} == {CUSTOMER, "system", "grace"}


def facts_of(world: World, kind: str) -> dict[str, Any]:
    history = world.http("GET /orders/{id}/history", "order-1").body["history"]
    found: dict[str, Any] = next(entry["metadata"] for entry in history if entry["event_type"] == kind)
    return found


def test_a_trail_holds_the_facts_of_each_change(world: World) -> None:
    world.place()
    there = HOME | {"line1": "1 Ockham Park", "city": "Ockham"}
    assert world.http("PUT /orders/{id}/address", "order-1", there).status == 200
    world.go_on(OrderStatus.RETURNED)
    world.unwind()
    whole = world.http("GET /orders/{id}", "order-1").body
    items = [{"product_id": item["product_id"], "quantity": item["quantity"]} for item in whole["order"]["items"]]
    amount, payment, parcel = whole["order"]["total"], whole["payment"], whole["shipment"]
    placed = {"items": items, "amount": amount, "method": "CREDIT_CARD"}
    paid = {"payment_id": payment["payment_id"], "amount": payment["amount"], "method": payment["method"]}
    sent = {name: parcel[name] for name in ("shipment_id", "carrier", "tracking_number")}
    assert facts_of(world, "ORDER_PLACED") == placed
    assert facts_of(world, "ADDRESS_CHANGED") == {"old_address": HOME, "new_address": there}
    assert facts_of(world, "STOCK_RESERVED") == {"items": items} == facts_of(world, "STOCK_RELEASED")
    for kind in ("PAYMENT_STARTED", "PAYMENT_COMPLETED"):
        assert facts_of(world, kind) == paid, kind
    assert facts_of(world, "PAYMENT_REFUNDED") == paid | {
        "refund_id": whole["refunds"][0]["refund_id"],
        "refund_status": "COMPLETED",
    }
    assert facts_of(world, "HANDOVER_STARTED") == {name: sent[name] for name in ("shipment_id", "carrier")}
    assert facts_of(world, "ORDER_SHIPPED") == sent
    assert facts_of(world, "ORDER_DELIVERED") == {**sent, "delivered_at": parcel["delivered_at"]}
    stood = {"method": "CREDIT_CARD", "payment_status": "COMPLETED"}
    assert facts_of(world, "ORDER_RETURNED") == {"items": items, "amount": amount, **sent, **stood}
    assert facts_of(world, "UNWINDING_COMPLETED") == {"undone": ["Inventory Reservation", "Payment Processing"]}


def test_an_erasure_takes_the_addresses_from_the_trail_and_leaves_the_amounts(world: World) -> None:
    world.place()
    there = HOME | {"line1": "1 Ockham Park", "city": "Ockham"}
    assert world.http("PUT /orders/{id}/address", "order-1", there).status == 200
    world.go_on(OrderStatus.DELIVERED)
    before = {kind: facts_of(world, kind) for kind in ("ORDER_PLACED", "STOCK_RESERVED", "PAYMENT_COMPLETED")}
    privacy.erase(CustomerId(CUSTOMER), "operator")
    assert facts_of(world, "ADDRESS_CHANGED") == {}
    assert {kind: facts_of(world, kind) for kind in before} == before
    assert facts_of(world, "PERSONAL_DATA_ERASED")["erased"]
    left = json.dumps(world.items("order-1"))
    for word in ("Ockham", HOME["line1"], HOME["name"], HOME["postal_code"]):
        assert word not in left, word


def test_a_fact_that_others_named_like_ours_stays_only_in_our_shape() -> None:
    def stays(name: str, value: Any) -> bool:
        return facts.stays(name, value, by_others=False)

    assert stays("items", [{"product_id": "prod-001", "quantity": 2}])
    assert stays("amount", {"amount": 5, "currency": "USD"})
    assert not stays("items", [{"product_id": "prod-001", "gift_note": "For Ada"}])
    assert not stays("items", [{"product_id": "prod-001"}, {"for": "Ada"}])
    assert not stays("method", {"by": "Ada"})
    assert not stays("old_address", {})


def test_no_credential_stands_in_any_answer_event_or_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.place(token="tok_very_secret", require_approval=True)
    world.reserve_for_review()
    world.executions.waiting.update({"task-approval", "task-delivery"})
    world.step("request_approval", task_token="task-approval", seconds=300)
    seen = [world.support("POST /orders/{id}/approve", "order-1").text]
    world.follow_up()
    world.step("charge_payment")
    world.step("ship_parcel", task_token="task-delivery", transit=10)
    routes = ("GET /orders/{id}", "GET /orders/{id}/history", "GET /orders/{id}/execution")
    seen.extend(world.support(route, "order-1").text for route in routes)
    seen.append(world.support("GET /orders").text)
    seen.append(json.dumps(world.items("order-1", "EVENT#")))
    seen.append(caplog.text)
    for secret in ("tok_very_secret", "task-approval", "task-delivery", "secret-token", "signing key of the tests"):
        assert not any(secret in text for text in seen), secret


def test_an_execution_is_shown_with_its_history(world: World) -> None:
    world.place()
    assert world.support("GET /orders/{id}/execution", "order-1").body["fulfilment"] is None
    world.follow_up()
    shown = world.support("GET /orders/{id}/execution", "order-1").body
    assert shown["fulfilment"]["name"] == "order-1"
    assert shown["unwinding"] is None
    assert shown["fulfilment"]["events"][0]["timestamp"] == "2026-11-20T00:00:00.000Z"


TRACE = ['  File "/var/task/charge_payment.py", line 10, in handler\n    boom()\n']
LAMBDA_ERROR = {"errorMessage": "No such file: '/opt/python/orders/x.json'", "errorType": "OSError", "stackTrace": TRACE}
DECLINED = {"errorMessage": "The card was declined.", "errorType": "PaymentDeclined"}
BARE_TRACE = """Traceback (most recent call last):
  File "/var/task/x.py", line 1, in <module>
KeyError: 'x'
"""
CAUSES = {
    "a Lambda error": (json.dumps(LAMBDA_ERROR), "OSError"),
    "a refusal": (json.dumps(DECLINED), "The card was declined."),
    "a bare trace": (BARE_TRACE, "KeyError: 'x'"),
    "words": ("Could not read /var/runtime/bootstrap.py in time", "Could not read"),
    "a text in JSON": (json.dumps("The order is over."), "The order is over."),
    "a list": (json.dumps([LAMBDA_ERROR]), "(hidden)"),
}


@pytest.mark.parametrize("kind", CAUSES)
def test_an_execution_tells_what_failed_and_nothing_of_our_code(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    cause, words = CAUSES[kind]
    failed = {"error": "OSError", "cause": cause, "resource": "invoke"}
    caught = json.dumps({"order_id": "order-1", "failure": {"Error": "OSError", "Cause": cause}})
    answered = json.dumps({"Payload": {"task_token": "secret-token", "report": LAMBDA_ERROR | {"errorMessage": "x"}}})
    events = [
        {"id": 1, "type": "TaskFailed", "taskFailedEventDetails": failed},
        {"id": 2, "type": "TaskStateExited", "stateExitedEventDetails": {"name": "Charge", "output": caught}},
        {"id": 3, "type": "TaskScheduled", "taskScheduledEventDetails": {"parameters": answered}},
        {"id": 4, "type": "TaskSucceeded", "taskSucceededEventDetails": {"output": '{"cut": "sho'}},
        {"id": 5, "type": "ExecutionFailed", "executionFailedEventDetails": {"error": "OSError", "cause": cause}},
    ]
    stamped = [event | {"timestamp": datetime(2026, 11, 20, tzinfo=UTC)} for event in events]
    monkeypatch.setattr(world.executions, "get_execution_history", lambda **_: {"events": stamped})
    world.place()
    world.follow_up()
    answer = world.support("GET /orders/{id}/execution", "order-1")
    shown = answer.body["fulfilment"]["events"]
    assert words in shown[0]["taskFailedEventDetails"]["cause"]
    assert words in json.loads(shown[1]["stateExitedEventDetails"]["output"])["failure"]["Cause"]
    assert words in shown[4]["executionFailedEventDetails"]["cause"]
    for inner in ("stackTrace", "Traceback", "File ", "/var/", "/opt/", ".py", "secret-token"):
        assert inner not in answer.text, inner


# --- the catalog ---


def test_the_catalog_is_read_page_by_page(world: World) -> None:
    for number in range(3, 8):
        world.stock(f"prod-00{number}", number)
    first = world.http("GET /products", query={"limit": "4"}, by=None)
    rest = world.http("GET /products", query={"limit": "4", "cursor": first.body["next_cursor"]}, by=None)
    names = [product["product_id"] for product in first.body["products"] + rest.body["products"]]
    assert names == [f"prod-00{number}" for number in range(1, 8)]
    assert rest.body["next_cursor"] is None


def test_an_admin_keeps_the_catalog(world: World) -> None:
    product = {"name": "Teapot", "unit_price": {"amount": 1250, "currency": "USD"}, "stock": 3}
    assert world.http("PUT /products/{id}", "teapot", product, by="root", groups=["admin"]).status == 200
    assert world.http("GET /products/{id}", "teapot", by=None).body == {"product_id": "teapot"} | product
    assert world.http("GET /products/{id}", "saucer", by=None).status == 404
    assert world.http("PUT /products/{id}", "teapot", product | {"stock": -1}, by="root", groups=["admin"]).fields == ["stock"]
