"""The counters of the statistics: exact under redelivery, and within DynamoDB's limits."""

import json
from random import Random
from typing import Any

import pytest

from orders import settings
from orders.adapters.store import counters, keys, orders, table
from orders.adapters.store.table import WriteOutcome
from orders.domain import analytics, notifications
from orders.domain.actors import Actor
from orders.domain.errors import StoreBusy
from orders.domain.identifiers import OrderId
from orders.domain.statuses import OrderStatus
from orders.services import commands
from orders.services.changes import SeenAt
from tests.harness.aws import live, notifying
from tests.harness.events import ALL_TAKEN, a_batch, http_event, invoke, refused

pytestmark = pytest.mark.usefixtures("deployed_stack")


def test_a_full_batch_in_a_hundred_currencies_stays_inside_dynamodb_s_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    details = [_delivered_in(f"C{number:02}", number) for number in range(100)]
    for detail in details:
        table.client().put_item(TableName=settings.table_name(), Item=dict(keys.event_key(detail["order_id"], 9)))
    sent: list[list[dict[str, Any]]] = []
    write = table.client().transact_write_items

    def recorded(TransactItems: Any) -> Any:  # noqa: N803 - botocore's name
        sent.append(TransactItems)
        return write(TransactItems=TransactItems)

    monkeypatch.setattr(table.client(), "transact_write_items", recorded)
    batch = notifying(details)
    assert invoke("keep_statistics", a_batch(batch)) == ALL_TAKEN
    assert invoke("keep_statistics", a_batch(batch)) == ALL_TAKEN, "delivered twice, counted once"

    assert max(len(actions) for actions in sent) <= 100
    updates = [action["Update"] for actions in sent for action in actions]
    assert max(len(update["UpdateExpression"].encode()) for update in updates) <= 4096
    assert max(len(update.get("ExpressionAttributeNames", {})) for update in updates) <= 300, "operands of one expression"
    assert all(len({json.dumps(action["Update"]["Key"]) for action in actions}) == len(actions) for actions in sent)
    kept = counters.totals()
    assert kept["now:DELIVERED"] == 100
    assert [kept[f"worth:DELIVERED:C{number:02}"] for number in range(100)] == [number + 1 for number in range(100)]


def _delivered_in(currency: str, number: int) -> dict[str, Any]:
    """A notification that touches as many counters of its own as any can: its currency's, and a bucket of each histogram."""
    return {
        "event_type": "OrderStatusChanged",
        "event_id": f"event-{number}",
        "order_id": f"order-{number}",
        "version": 9,
        "old_status": "SHIPPED",
        "new_status": "DELIVERED",
        "timestamp": "2026-11-20T12:00:00.000Z",
        "total": {"amount": number + 1, "currency": currency},
        "seconds_in_old_status": 1.1**number,
        "step_seconds": dict.fromkeys(("Payment Processing", "Shipment", "Delivery"), 1.1**number),
    }


def test_the_counters_in_the_table_are_exact_under_redelivery(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [live(f"s-{number}", status=OrderStatus.PENDING if number % 3 else OrderStatus.SHIPPED) for number in range(9)]
    commands.cancel(OrderId(ids[1]), Actor("ada"), None, SeenAt())
    details = [
        detail for one in ids for event in orders.history(OrderId(one)) for _, detail, _ in notifications.messages(event)
    ]
    once = analytics.added(one.counters for one in map(analytics.counted_event, details) if one)
    random = Random(1)  # noqa: S311 - the same shuffle in every run
    delivered = notifying(details) + notifying(details)
    random.shuffle(delivered)
    real, faults = counters._count_at_once, iter([True, False, False] * 100)

    def faulty(shard: int, told: Any) -> WriteOutcome:
        outcome = real(shard, told)
        if next(faults):
            raise StoreBusy("its answer was lost")  # counted, and told otherwise
        return outcome

    monkeypatch.setattr(counters, "_count_at_once", faulty)
    while delivered:
        batch, delivered = delivered[:13], delivered[13:]
        failed = set(refused(invoke("keep_statistics", a_batch(batch))))
        delivered += [record for record in batch if record["messageId"] in failed]
    kept = {name: value for name, value in counters.totals().items() if value}
    assert kept == {name: value for name, value in once.items() if value}
    claims = {"sub": "sue", "cognito:groups": ["support"]}
    answer = invoke("read_analytics", http_event("GET /analytics/summary", claims=claims))
    said = json.loads(answer["body"])
    assert said["orders_placed"] == 9
    assert {entry["status"]: entry["count"] for entry in said["statuses"] if entry["count"]} == {
        "PENDING": 5,
        "SHIPPED": 3,
        "CANCELLED": 1,
    }
    assert said["cancel_rate"] == round(1 / 9, 4)
