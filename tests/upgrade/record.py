"""Writes what edition one leaves in a table as test data: ``python -m tests.upgrade.record``."""

import json
import tempfile
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.harness.bodies import a_body
from tests.harness.world import ENVIRONMENT, Json
from tests.upgrade.lives import ID, LIVES
from tests.upgrade.releases import EDITION_ONE, edition_one
from tests.upgrade.shared_table import SharedTable, open_table

ROUTES = ("GET /orders/{id}", "GET /orders/{id}/status", "GET /orders/{id}/history")
MOVING = ("tracking_url", "estimated_completion")
"""What an answer has of the moment or the key it was made with."""
ADMIN: dict[str, Any] = {"by": "ann", "groups": ["admin"]}

ADDRESS = a_body()["shipping_address"]
BODIES: tuple[Json, ...] = (
    a_body(),
    a_body(require_approval=False),
    a_body(require_approval=True),
    a_body(order_id="order-2"),
    a_body(order_id="order-3", customer_id="ada", require_approval=True),
    {**a_body(), "order_id": None, "customer_id": None},
    a_body(method="CASH_ON_DELIVERY", token=None),
    {**a_body(), "payment": {"method": "BANK_TRANSFER"}},
    a_body(shipping_address={**ADDRESS, "line2": None}),
    a_body(shipping_address={**ADDRESS, "line2": "Flat 3"}),
    a_body(shipping_address={**ADDRESS, "name": "  Ágnes Fábián ", "city": "Győr", "country": "HU"}),
    a_body(items=[{"quantity": 3, "product_id": "prod-002"}]),
)
TEXTS = (*(json.dumps(body) for body in BODIES), json.dumps(BODIES[0], indent=2), json.dumps(BODIES[10], ensure_ascii=False))


def steady(answer: Json) -> Json:
    """The answer without what belongs to the moment."""
    return {name: value for name, value in answer.items() if name not in MOVING}


def rows(table: SharedTable) -> dict[str, Any]:
    found = {}
    for name, calls in LIVES.items():
        for call in calls:
            call(table)
        answers = {route: steady(table.support(route, ID).body) for route in ROUTES}
        items = [item for item in table.everything() if "stock" not in item]
        found[name] = {"items": items, "answers": answers, "published": table.published(ID)}
        table.clear()
    return found


def other_rows(table: SharedTable) -> dict[str, Any]:
    """The catalog, the counters, a subscription and its deliveries, after one order's life."""
    for call in LIVES["returned"]:
        call(table)
    details = [{"detail": detail} for detail in table.published(ID)]
    first, second = table.subscribe(), table.subscribe()
    table.queue("keep_statistics", details)
    table.queue("fan_out_webhooks", details)
    for table.endpoint_status, hook in ((500, first), (410, second)):
        table.queue("deliver_webhook", [one for one in table.pending_deliveries() if one["webhook_id"] == hook][:1])
        table.queue("fan_out_webhooks", details)
    answers = {
        "GET /products": table.http("GET /products", None).body,
        "GET /webhooks": table.http("GET /webhooks", None, **ADMIN).body,
        "GET /analytics/summary": table.support("GET /analytics/summary").body,
        first: {"deliveries": table.deliveries(first)},
        second: {"deliveries": table.deliveries(second)},
    }
    return {"items": table.everything(), "answers": answers}


def digests(table: SharedTable) -> list[dict[str, Any]]:
    found = []
    for number, text in enumerate(TEXTS):
        answer = table.http("POST /orders", None, raw=text, headers={"idempotency-key": f"key {number}"})
        assert answer.status == 202, answer.text
        (item,) = [one for one in table.everything() if one["SK"]["S"] == f"KEY#key {number}"]
        orders = [one for one in table.everything() if one["PK"]["S"] == f"ORDER#{answer.order['order_id']}"]
        found.append({"sent": text, "items": [item, *orders]})
        table.clear()
    return found


def main() -> None:
    """Runs the archived functions, and writes what they left."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        boto3.client("secretsmanager").create_secret(Name=ENVIRONMENT["SIGNING_SECRET_ARN"], SecretString="key of the tests")
        table = open_table(patch, (edition_one(Path(folder)),))
        made = {"digests.json": digests(table), "rows.json": {"orders": rows(table), "others": other_rows(table)}}
    for file, content in made.items():
        text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True)
        (EDITION_ONE / file).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
