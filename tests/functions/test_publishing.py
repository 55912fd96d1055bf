"""What the stream's consumer puts on the bus, and what customers are told of it."""

import json
from collections import Counter

import boto3
import pytest

from orders import settings
from orders.adapters.store import event_items, orders
from orders.domain import notifications
from orders.domain.identifiers import OrderId
from orders.domain.statuses import OrderStatus
from orders.services import handovers
from tests.harness.aws import live, records, resources, waiting
from tests.harness.events import ALL_TAKEN, a_batch, invoke
from tests.harness.fakes import FakeBus

pytestmark = pytest.mark.usefixtures("deployed_stack")


def test_each_change_is_published_in_order_with_its_time(events: FakeBus) -> None:
    live("p-1")
    assert invoke("publish_changes", a_batch(records("p-1"))) == ALL_TAKEN
    expected = [message for event in orders.history(OrderId("p-1")) for message in notifications.messages(event)]
    assert [(entry["DetailType"], json.loads(entry["Detail"])) for entry in events.taken] == [
        (kind, json.loads(json.dumps(detail))) for kind, detail, _ in expected
    ]
    assert {entry["Source"] for entry in events.taken} == {"orders"}


def test_a_busy_bus_brings_the_batch_again_with_the_same_ids(events: FakeBus) -> None:
    live("p-2")
    batch = records("p-2")
    events.refuses = 1
    assert invoke("publish_changes", a_batch(batch)) == {"batchItemFailures": [{"itemIdentifier": "00001"}]}
    assert invoke("publish_changes", a_batch(batch)) == ALL_TAKEN
    counted = Counter(detail["event_id"] for detail in events.details())
    wanted = [detail["event_id"] for event in orders.history(OrderId("p-2")) for _, detail, _ in notifications.messages(event)]
    assert set(counted) == set(wanted)
    assert list(dict.fromkeys(wanted)) == wanted


def test_a_poisoned_record_is_set_aside_and_the_others_go_on(events: FakeBus) -> None:
    for name in ("p-3", "p-4"):
        live(name)
    batch = records("p-3", "p-4")
    poisoned = batch[3]
    del poisoned["dynamodb"]["NewImage"]["type"]
    unreadable = batch[5]
    unreadable["dynamodb"]["NewImage"]["at"] = {"S": "yesterday"}
    assert invoke("publish_changes", a_batch(batch)) == ALL_TAKEN
    told = {(detail["order_id"], detail["version"]) for detail in events.details()}
    images = [record["dynamodb"]["NewImage"] for record in (poisoned, unreadable)]
    bad = {(image["order_id"]["S"], int(image["version"]["N"])) for image in images}
    trail = [event for name in ("p-3", "p-4") for event in orders.history(OrderId(name))]
    expected = {(event.order_id, event.version) for event in trail if notifications.messages(event)}
    assert told == expected - bad
    aside = waiting("UnhandledEvents")
    assert [one["record"]["dynamodb"]["SequenceNumber"] for one in aside] == ["00004", "00006"]
    assert "KeyError" in aside[0]["error"]
    assert "yesterday" in aside[1]["error"]


def test_transitions_and_times_are_measured_by_status(events: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    live("p-measured")
    capsys.readouterr()
    invoke("publish_changes", a_batch(records("p-measured")))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"_aws"')]
    measured = {
        (line.get("status"), metric["Name"]): line[metric["Name"]]
        for line in lines
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    }
    for line in (line for line in lines if "status" in line):
        assert [set(dimensions) for dimensions in line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]] == [{"service", "status"}]
    transitions = {status: values for (status, name), values in measured.items() if name == "order_transitions_total"}
    assert transitions == {None: [1.0] * 3, "PENDING": [1.0], "PROCESSING": [1.0], "SHIPPED": [1.0]}
    times = {status: values for (status, name), values in measured.items() if name == "order_status_duration_seconds"}
    assert set(times) == {"PENDING", "PROCESSING"}
    trail = [event for event in orders.history(OrderId("p-measured")) if event.old_status is not event.status]
    known = {event.old_status: event.measures.status_seconds for event in trail if event.old_status and event.measures}
    assert {OrderStatus(status): values for status, values in times.items()} == {one: [known[one]] for one in known}


def test_what_is_published_holds_no_token(events: FakeBus) -> None:
    handovers.ship_parcel(OrderId(live("p-5", token="tok_ok")), "TASK-TOKEN")
    invoke("publish_changes", a_batch(records("p-5")))
    said = json.dumps(events.taken, default=str)
    assert not any(secret in said for secret in ("tok_ok", "TASK-TOKEN", "St James"))


def test_only_new_audit_events_reach_the_consumer() -> None:
    feed = resources("AWS::Lambda::EventSourceMapping")["ChangesFeed"]
    (one,) = feed["FilterCriteria"]["Filters"]
    assert json.loads(one["Pattern"]) == {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"kind": {"S": ["event"]}}}}
    assert "event" in event_items.event_to_item(orders.history(OrderId(live("p-6")))[0])["kind"]["S"]


def test_a_customer_is_told_in_words_and_may_filter(events: FakeBus) -> None:
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    mine = sqs.create_queue(QueueName="mine")["QueueUrl"]
    sns.subscribe(
        TopicArn=settings.notices_topic_arn(),
        Protocol="sqs",
        Endpoint=sqs.get_queue_attributes(QueueUrl=mine, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"],
        Attributes={"FilterPolicy": json.dumps({"customer_id": ["ada"], "status": ["SHIPPED"]})},
    )
    live("n-1")
    told = [detail for event in orders.history(OrderId("n-1")) for _, detail, _ in notifications.messages(event)]
    changes = [detail for detail in told if "new_status" in detail]
    for detail in changes:
        invoke("notify_customers", {"detail": detail})
    (notice,) = waiting("mine")
    assert (notice["Subject"], notice["Message"]) == (
        "Your order is on its way",
        "Order n-1 has been handed over to the carrier.",
    )
    attributes = {name: one["Value"] for name, one in notice["MessageAttributes"].items()}
    assert attributes == {
        "event_id": changes[-1]["event_id"],
        "order_id": "n-1",
        "customer_id": "ada",
        "status": "SHIPPED",
        "version": str(changes[-1]["version"]),
    }
