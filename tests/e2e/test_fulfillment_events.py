"""Orders that follow their fulfillment, over the bus, the queue and the carriers' door of a running stack."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cli.carriers import EVENTS, SECRETS, SIGNERS
from tests.e2e.conftest import FULL
from tests.harness.books import Books, rows_of
from tests.harness.stacks import Served, deployed, serving, until

WAY = ("planning", "picking", "picked", "packing", "quality_check", "packed", "labelled", "ready", "shipped", "completed")
Figure = Callable[[str], None]


@pytest.fixture(scope="module")
def stack() -> Iterator[Served]:
    """Where only the fulfillment moves an order on: the preparation takes hours, and only the carrier says what has arrived."""
    if deployed():
        pytest.skip("needs the bus of a stack on this machine")
    with serving("--payment-seconds", "0", "--preparation-seconds", "7200", "--delivery-mode", "carrier") as served:
        if not FULL:
            give_up_soon(served)
        yield served


def give_up_soon(stack: Served) -> None:
    """An event of an unknown order is a dead letter after two attempts: the template's five take most of a minute."""
    sqs, queue = stack.aws("sqs"), stack.aws_names["FulfillmentEvents"]
    named = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"]
    policy = json.dumps(json.loads(named) | {"maxReceiveCount": 2})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": policy})


def event(order_id: str, status: str, number: int = 0) -> dict[str, Any]:
    return {
        "event_type": "fulfillment.status_changed",
        "event_id": f"{order_id}/{number}/{status}",
        "fulfillment_id": f"ful-{order_id}",
        "order_id": order_id,
        "old_status": None,
        "new_status": status,
        "timestamp": datetime.now(UTC).isoformat(),
    }


def publish(stack: Served, events: list[dict[str, Any]]) -> None:
    """As the warehouse does: on the bus, ten a call."""
    bus, client = stack.aws_names["BusName"], stack.aws("events")
    for first in range(0, len(events), 10):
        entries = [
            {"EventBusName": bus, "Source": "warehouse", "DetailType": one["event_type"], "Detail": json.dumps(one)}
            for one in events[first : first + 10]
        ]
        assert client.put_events(Entries=entries)["FailedEntryCount"] == 0


@pytest.mark.parametrize("source", ["orders", "orders.carriers"])
def test_nobody_else_speaks_under_the_pipeline_s_own_names(stack: Served, source: str) -> None:
    """A call with one such event is refused whole."""
    order_id = stack.ada.place()["order"]["order_id"]
    forged = event(order_id, "completed") | {"metadata": {"scan": {"status": "DELIVERED", "at": "2026-01-01T00:00:00Z"}}}
    entries = [
        {
            "EventBusName": stack.aws_names["BusName"],
            "Source": name,
            "DetailType": forged["event_type"],
            "Detail": json.dumps(forged),
        }
        for name in ("warehouse", source)
    ]
    with pytest.raises(ClientError, match="AccessDenied"):
        stack.aws("events").put_events(Entries=entries)
    assert dead_letters(stack) == []
    assert stack.support.order(order_id)["order"]["status"] in ("PENDING", "PROCESSING")


def dead_letters(stack: Served) -> list[dict[str, Any]]:
    """Takes what is in the queue of events that could not be applied."""
    sqs, url, found = stack.aws("sqs"), stack.aws_names["FulfillmentDeadLetters"], list[dict[str, Any]]()
    while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [json.loads(message["Body"])["detail"] for message in batch]
        for message in batch:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def report(stack: Served, order_id: str, status: str, carrier: str = "easypost", **more: Any) -> dict[str, Any]:
    """A scan, signed as that carrier signs it."""
    number = stack.support.order(order_id)["shipment"]["tracking_number"]
    secret_id = stack.aws_names[SECRETS[carrier]]
    secret = stack.aws("secretsmanager").get_secret_value(SecretId=secret_id)["SecretString"]
    event_id = more.pop("event_id", f"{order_id}-{status}")
    body = json.dumps(EVENTS[carrier](event_id, number, status, more.pop("at", datetime.now(UTC)), more.pop("location", None)))
    headers = SIGNERS[carrier](body.encode(), secret, event_id)
    answer = stack.http.post(
        f"/carriers/{carrier}/events", content=body, headers={**headers, "content-type": "application/json"}
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_cash_on_delivery_follows_its_fulfillment_from_end_to_end(stack: Served) -> None:
    order_id = stack.ada.place(method="CASH_ON_DELIVERY")["order"]["order_id"]
    confirmed = stack.ada.until_status(order_id, "CONFIRMED")
    assert confirmed["payment"]["status"] == "PENDING", "nothing is charged before delivery"
    publish(stack, [event(order_id, "planning")])
    stack.ada.until_status(order_id, "PROCESSING")
    publish(stack, [event(order_id, "picking")])
    picking = until(
        lambda: [one for one in stack.ada.history(order_id) if one["metadata"].get("fulfillment_status") == "picking"]
    )
    assert picking[0]["status"] == "PROCESSING", "it stays"
    publish(stack, [event(order_id, "shipped")])
    assert stack.ada.until_status(order_id, "SHIPPED")["payment"]["status"] == "PENDING"
    publish(stack, [event(order_id, "completed")])
    delivered = stack.ada.until_status(order_id, "DELIVERED")
    assert delivered["payment"]["status"] == "COMPLETED"
    statuses = list(dict.fromkeys(one["status"] for one in stack.ada.history(order_id)))
    assert statuses == ["PENDING", "CONFIRMED", "PROCESSING", "SHIPPED", "DELIVERED"]
    books = Books.of(stack)
    assert books.ledger[delivered["payment"]["payment_id"]][0] == "charged", "collected, and entered once"


def test_the_carrier_s_own_event_ends_the_transit_at_once(stack: Served) -> None:
    order_id = stack.ada.place()["order"]["order_id"]
    stack.ada.until_status(order_id, "PROCESSING")
    assert stack.support.patch(f"/orders/{order_id}/status", {"status": "SHIPPED"}).status_code == 200
    assert report(stack, order_id, "out_for_delivery", "generic", location="London") == {"accepted": True}
    until(lambda: stack.ada.order(order_id)["shipment"]["status"] == "OUT_FOR_DELIVERY")
    assert stack.ada.order(order_id)["shipment"]["current_location"] == "London"
    assert stack.ada.order(order_id)["order"]["status"] == "SHIPPED"
    for _ in range(2):
        assert report(stack, order_id, "delivered", "generic") == {"accepted": True}
    stack.ada.until_status(order_id, "DELIVERED")
    assert stack.ada.until_over(order_id)["order"]["status"] == "DELIVERED"
    assert [one["event_type"] for one in stack.ada.history(order_id)].count("ORDER_DELIVERED") == 1


def test_a_late_cancelled_is_refused_and_reported(stack: Served) -> None:
    order_id = stack.ada.place()["order"]["order_id"]
    stack.ada.until_status(order_id, "PROCESSING")
    publish(stack, [event(order_id, "completed")])
    stack.ada.until_status(order_id, "DELIVERED")
    publish(stack, [event(order_id, "cancelled")])
    until(lambda: stack.ada.history(order_id)[-1]["event_type"] == "FULFILLMENT_REFUSED")
    assert stack.ada.order(order_id)["order"]["status"] == "DELIVERED"


def test_thousands_of_events_shuffled_and_twice_are_all_applied_and_none_twice(stack: Served, figure: Figure) -> None:
    orders = 500 if FULL else 40
    product = stack.a_product("prod-many", stock=orders)
    ids = [
        stack.ada.place(product=product, method="CASH_ON_DELIVERY" if n % 2 else "CREDIT_CARD")["order"]["order_id"]
        for n in range(orders)
    ]
    for order_id in ids:
        stack.ada.until_status(order_id, "CONFIRMED", "PROCESSING")
    nobody_s = [event(f"nobody-{number}", "shipped") for number in range(5)]
    told = [event(order_id, status, number) for order_id in ids for number, status in enumerate(WAY)]
    delivered = [*told, *told, *nobody_s]
    random.Random(4).shuffle(delivered)  # noqa: S311 - the same shuffle in every run
    began = time.monotonic()
    publish(stack, delivered)
    put = time.monotonic() - began

    def applied() -> int:
        return markers(stack, ids).total()

    until(lambda: applied() == len(told), seconds=600, what=f"all of {len(told)} events")
    took = time.monotonic() - began
    figure(
        f"{len(told)} events for {orders} orders, each twice, shuffled: {len(delivered)} messages in {took:.1f} s "
        f"({len(delivered) / took:.0f} messages/s; put on the bus in {put:.1f} s)"
    )
    # Only what belongs there.
    letters = list[str]()

    def all_arrived() -> bool:
        letters.extend(one["order_id"] for one in dead_letters(stack))
        return len(letters) >= len(nobody_s)

    until(all_arrived, what="the dead letters")
    assert sorted(letters) == sorted(one["order_id"] for one in nobody_s)
    assert set(markers(stack, ids).values()) == {len(WAY)}
    books = Books.of(stack)
    accounts = [books.accounts[order_id] for order_id in ids]
    assert {account.order.status.value for account in accounts} == {"DELIVERED"}
    for account in accounts:
        entered = [entry.status for entry in account.trail if entry.old_status is not entry.status]
        assert len(entered) == len(set(entered)), "no status twice"
        recorded = Counter(entry.metadata["event_id"] for entry in account.trail if entry.type.value == "FULFILLMENT_RECORDED")
        assert set(recorded.values()) <= {1}
    assert stack.stock(product) == 0
    mine = set(ids)
    assert [error for error in books.errors() if error.split(":")[0] in mine] == []


def markers(stack: Served, ids: list[str]) -> Counter[str]:
    """How many events each of these orders has taken in, by the markers in the table."""
    wanted = set(ids)
    marked = rows_of(stack, "Scan", FilterExpression="kind = :kind", ExpressionAttributeValues={":kind": {"S": "marker"}})
    return Counter(row["order_id"]["S"] for row in marked if row["order_id"]["S"] in wanted)
