"""Whole orders come to the same on the fast path and without it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from local.cli.client import Api
from local.engine import internals
from local.fastpath import switch
from local.fastpath.pool import Pool
from local.fastpath.spill import Partitions
from local.lambda_runtime.threads import Threads
from local.stack.running import running, wait_until
from local.stack.settings import Settings
from local.stack.stack import Stack

AT_ONCE = {"PaymentWaitSeconds": "0", "PreparationWaitSeconds": "0", "DeliveryWaitSeconds": "0"}
ADDRESS = {"name": "Ada Lovelace", "line1": "1 Kirkby Lane", "city": "Leicester", "postal_code": "LE9 7QE", "country": "GB"}
CARD = {"method": "CREDIT_CARD", "token": "tok_ok"}
ORDERS: dict[str, dict[str, Any]] = {
    "delivered": {"payment": CARD},
    "cash": {"payment": {"method": "CASH_ON_DELIVERY"}},
    "declined": {"payment": CARD | {"token": "tok_declined"}},
    "approved": {"payment": CARD, "require_approval": True},
    "rejected": {"payment": CARD, "require_approval": True},
    "canceled": {"payment": CARD, "require_approval": True},
}
ANSWERS = {"approved": "approve", "rejected": "reject", "canceled": "cancel"}
# Other ones each time, on either path: times, durations, identifiers, tokens.
OTHERS = re.compile(
    r"\d{4}-\d\d-\d\dT[\d:.]+Z|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|TRACK-[0-9A-Fa-f]+"
    r"|[\w.=-]{40,}|\d+\.\d+"
)


def alike(document: Any) -> Any:
    return json.loads(OTHERS.sub("...", json.dumps(document, sort_keys=True)))


def left_by_orders(stack: Stack) -> dict[str, Any]:
    """What the API and the table say of each order at its end, and what is left of the products."""
    customer, support = Api(stack.url, stack.token("ada")), Api(stack.url, stack.token("sam", ["support"]))
    for order_id, asked in ORDERS.items():
        items = [{"product_id": "prod-001", "quantity": 2}, {"product_id": "prod-003", "quantity": 1}]
        customer.call("POST", "/orders", {"order_id": order_id, "items": items, "shipping_address": ADDRESS, **asked})
    for order_id, answer in ANSWERS.items():
        wait_until(lambda path=f"/orders/{order_id}/history": "APPROVAL_REQUESTED" in events(support.call("GET", path)))
        support.call("POST", f"/orders/{order_id}/{answer}", {})
    wait_until(stack.settled)
    paths = [f"/orders/{order_id}{of}" for order_id in ORDERS for of in ("", "/status", "/history")]
    found = {path: support.call("GET", path) for path in [*paths, "/products/prod-001", "/products/prod-003"]}
    return {"api": alike(found), "rows": alike(rows())}


def events(history: dict[str, Any]) -> list[str]:
    return [event["event_type"] for event in history["history"]]


def rows() -> dict[str, Any]:
    (table,) = internals.part("dynamodb", "_tables").values()
    with internals.LOCK:
        return {f"{pk} {sk}": item for pk in map("ORDER#{}".format, ORDERS) for sk, item in table["items"][pk].items()}


def test_whole_orders_come_to_the_same_both_ways() -> None:
    left = {}
    for fast_path in (True, False):
        with running(Settings(parameters=AT_ONCE, fast_path=fast_path)) as stack:
            left[fast_path] = left_by_orders(stack)
            (table,) = internals.part("dynamodb", "_tables").values()
            assert isinstance(table["items"], Partitions) is fast_path
            assert isinstance(stack.lambdas._work, Pool if fast_path else Threads)
    assert {name: left[False]["api"][f"/orders/{name}"]["order"]["status"] for name in ORDERS} == {
        "delivered": "DELIVERED",
        "cash": "DELIVERED",
        "declined": "CANCELLED",
        "approved": "DELIVERED",
        "rejected": "CANCELLED",
        "canceled": "CANCELLED",
    }
    assert left[True] == left[False]


@pytest.fixture
def wish(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv(switch.VARIABLE, raising=False)
    return monkeypatch


def test_the_environment_turns_it_off(wish: pytest.MonkeyPatch) -> None:
    assert Settings().fast_path
    wish.setenv(switch.VARIABLE, "off")
    assert not Settings().fast_path
    wish.setenv(switch.VARIABLE, "no")
    with pytest.raises(ValueError, match="on or off, not 'no'"):
        Settings()
