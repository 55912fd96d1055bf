"""Rows, digests and events that edition one wrote, literally: they mean today what they meant then."""

import json
from typing import Any

import pytest

from orders.adapters.store import orders
from orders.adapters.store.table import client
from orders.domain.identifiers import OrderId
from orders.domain.notifications import messages
from tests.harness.world import ENVIRONMENT
from tests.upgrade.record import ADMIN, steady
from tests.upgrade.releases import EDITION_ONE, Release
from tests.upgrade.shared_table import SharedTable, part_of


def recorded(name: str) -> Any:
    return json.loads((EDITION_ONE / name).read_text(encoding="utf-8"))


ROWS, DIGESTS = recorded("rows.json"), recorded("digests.json")
ORDERS, OTHERS = ROWS["orders"], ROWS["others"]
ID = "order-1"


@pytest.fixture
def present(table: SharedTable, new: Release) -> SharedTable:
    table.release = new
    return table


def test_every_kind_of_item_is_among_them() -> None:
    items = [item for life in ORDERS.values() for item in life["items"]] + OTHERS["items"]
    partitions = {item["PK"]["S"].partition("#")[0] for item in items}
    assert partitions == {"ORDER", "IDEMPOTENCY", "TRACKING", "PRODUCT", "STATISTICS", "WEBHOOK", "GATEWAY", "CARRIER"}
    kinds = {item["kind"]["S"] for item in items if "kind" in item}
    assert kinds == {"order", "payment", "shipment", "event", "marker", "scan", "promise", "product", "webhook", "delivery"}
    statuses = {item["status"]["S"] for item in items if item.get("kind") == {"S": "order"}}
    assert statuses == {"PENDING", "PROCESSING", "SHIPPED", "DELIVERED", "CANCELLED", "RETURNED"}


@pytest.mark.parametrize("life", ORDERS)
def test_its_orders_are_read_as_they_were(present: SharedTable, life: str) -> None:
    for item in ORDERS[life]["items"]:
        present.put(item)
    for route, answer in ORDERS[life]["answers"].items():
        part_of(answer, steady(present.support(route, ID).body), route)
    events = [detail for event in orders.history(OrderId(ID)) for _, detail, _ in messages(event)]
    part_of(ORDERS[life]["published"], json.loads(json.dumps(events)))
    part_of(ORDERS[life]["published"], present.published(ID))


@pytest.mark.parametrize("life", ORDERS)
def test_its_orders_go_on(present: SharedTable, life: str) -> None:
    """Each of them takes the next change of an order that stands where it stands, or refuses it as it did then."""
    for item in ORDERS[life]["items"]:
        present.put(item)
    before = present.snapshot(ID)
    allowed = before.order.status.value in {"PENDING", "PROCESSING"} and not before.order.is_over
    answer = present.support("POST /orders/{id}/cancel", ID, {"reason": "as asked"})
    assert answer.status == (200 if allowed else 409), answer.text
    assert present.order(ID).version == before.order.version + allowed


def test_its_other_rows_are_read_as_they_were(present: SharedTable) -> None:
    for item in OTHERS["items"]:
        present.put(item)
    answers = dict(OTHERS["answers"])
    part_of(answers.pop("GET /products"), present.http("GET /products").body)
    part_of(answers.pop("GET /webhooks"), present.http("GET /webhooks", **ADMIN).body)
    part_of(answers.pop("GET /analytics/summary"), present.support("GET /analytics/summary").body)
    for webhook_id, answer in answers.items():
        part_of(answer["deliveries"], present.deliveries(webhook_id))


@pytest.mark.parametrize("one", DIGESTS, ids=range(len(DIGESTS)))
def test_its_keys_are_honored(present: SharedTable, one: dict[str, Any]) -> None:
    for item in one["items"]:
        present.put(item)
    kept = next(item for item in one["items"] if item["PK"]["S"].startswith("IDEMPOTENCY#"))
    headers = {"idempotency-key": kept["SK"]["S"].removeprefix("KEY#")}
    body = json.loads(one["sent"])
    for text in (one["sent"], json.dumps(dict(reversed(body.items())), separators=(",", ":"))):
        answer = present.http("POST /orders", raw=text, headers=headers)
        assert (answer.status, answer.order["order_id"]) == (202, kept["order_id"]["S"])
    others = [
        {**body, "require_approval": not body.get("require_approval", False)},
        {**body, "items": [{**body["items"][0], "quantity": 7}, *body["items"][1:]]},
        {**body, "shipping_address": {**body["shipping_address"], "line2": "Back door"}},
    ]
    for other in others:
        answer = present.http("POST /orders", None, other, headers=headers)
        assert (answer.status, answer.code) == (422, "IDEMPOTENCY_MISMATCH")
    assert client().get_item(TableName=ENVIRONMENT["TABLE_NAME"], Key={"PK": kept["PK"], "SK": kept["SK"]})["Item"] == kept
