"""Everyone who waits for news: the stream's consumer, customers' notices, webhooks, counters and the status stream."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

import boto3
import pytest
from moto import mock_aws
from standardwebhooks import Webhook as Signer

from local.cli import operate
from local.cli.client import Api
from orders import settings
from orders.adapters import bus, queues, secret_store, webhook_sender
from orders.adapters.store import counters, deliveries, event_items, keys, orders, table, webhooks
from orders.adapters.store.table import WriteOutcome
from orders.domain import analytics, notifications
from orders.domain.actors import Actor
from orders.domain.errors import StoreBusy
from orders.domain.identifiers import OrderId
from orders.domain.order import Address
from orders.domain.statuses import OrderStatus
from orders.domain.webhooks import DeliveryStatus, WebhookStatus
from orders.services import commands, fulfilling
from orders.services.changes import utc_now
from orders.services.placing import place_order
from orders.web import tokens
from tests.harness.aws import deployed, resources
from tests.harness.events import ALL_TAKEN, a_batch, a_message, a_record, http_event, invoke, messages, refused
from tests.harness.fakes import FakeBus
from tests.harness.orders import a_request

HOME = Address("Ada Lovelace", "12 St James's Square", "London", "SW1Y 4JH", "GB")


@pytest.fixture
def _stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with mock_aws(), deployed():
        monkeypatch.setenv("LOOPBACK_WEBHOOKS", "true")
        yield


pytestmark = pytest.mark.usefixtures("_stack")


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> FakeBus:
    taken = FakeBus()
    monkeypatch.setattr(bus, "client", lambda: taken)
    return taken


def live(order_id: str, token: str = "tok_ok", status: OrderStatus = OrderStatus.SHIPPED) -> str:
    place_order(a_request({"prod-001": 1}, payment_token=token, order_id=OrderId(order_id)), Actor("ada"))
    fulfilling.reserve_stock(OrderId(order_id))
    if status is not OrderStatus.PENDING:
        fulfilling.charge_payment(OrderId(order_id))
        fulfilling.ship_parcel(OrderId(order_id), None)
    return order_id


def records(*order_ids: str) -> list[dict[str, Any]]:
    """The stream of these orders' audit events, one order's change after another's."""
    trails = [[event_items.event_to_item(event) for event in orders.history(OrderId(order_id))] for order_id in order_ids]
    mixed = sorted((item for trail in trails for item in trail), key=lambda item: int(item["version"]["N"]))
    return [a_record(item, f"{number:05d}") for number, item in enumerate(mixed, 1)]


def notifying(details: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Notifications as the bus's rules hand them to the queues."""
    return messages({"detail": detail} for detail in details)


def waiting(queue: str) -> list[dict[str, Any]]:
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    found: list[dict[str, Any]] = []
    while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0).get("Messages"):
        found += [json.loads(one["Body"]) for one in batch]
    return found


# --- the stream's consumer --------------------------------------------------------------------------------------------


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
    fulfilling.ship_parcel(OrderId(live("p-5", token="tok_ok")), "TASK-TOKEN")
    invoke("publish_changes", a_batch(records("p-5")))
    said = json.dumps(events.taken, default=str)
    assert not any(secret in said for secret in ("tok_ok", "TASK-TOKEN", "St James"))


def test_only_new_audit_events_reach_the_consumer() -> None:
    feed = resources("AWS::Lambda::EventSourceMapping")["ChangesFeed"]
    (one,) = feed["FilterCriteria"]["Filters"]
    assert json.loads(one["Pattern"]) == {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"kind": {"S": ["event"]}}}}
    assert "event" in event_items.event_to_item(orders.history(OrderId(live("p-6")))[0])["kind"]["S"]


# --- customers --------------------------------------------------------------------------------------------------------


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


# --- webhooks ---------------------------------------------------------------------------------------------------------


class Endpoint(ThreadingHTTPServer):
    """A subscriber on loopback; answers what it is told to."""

    daemon_threads = True

    def __init__(self) -> None:
        self.code, self.got = 204, list[tuple[dict[str, str], bytes]]()
        super().__init__(("127.0.0.1", 0), _Endpoint)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook"


class _Endpoint(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.code)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def admin(key: str, body: Any = None, **path: str) -> tuple[int, Any]:
    claims = {"sub": "ann", "cognito:groups": ["admin"]}
    event = http_event(key, path=path, claims=claims, body=None if body is None else json.dumps(body))
    answer = invoke("manage_webhooks", event)
    return answer["statusCode"], json.loads(answer.get("body") or "null")


def subscribe(url: str, *events: str) -> dict[str, Any]:
    status, made = admin("POST /webhooks", {"url": url, "events": list(events)})
    assert status == 201
    found: dict[str, Any] = made
    return found


def tell(order_id: str) -> list[dict[str, Any]]:
    """Fans the order's news out; answers them."""
    details = [detail for event in orders.history(OrderId(order_id)) for _, detail, _ in notifications.messages(event)]
    assert invoke("fan_out_webhooks", a_batch(notifying(details))) == ALL_TAKEN
    return details


def owed() -> list[dict[str, Any]]:
    return waiting("WebhookDeliveries")


def deliver(bodies: list[dict[str, Any]]) -> None:
    assert invoke("deliver_webhook", a_batch(messages(bodies))) == ALL_TAKEN


def test_every_subscriber_gets_what_it_asked_for_signed_with_its_own_secret(endpoint: Endpoint) -> None:
    everything, some = subscribe(endpoint.url), subscribe(endpoint.url, "OrderStatusChanged")
    details = tell(live("w-1"))
    bodies = owed()
    wanted = [detail for detail in details if detail["event_type"] == "OrderStatusChanged"]
    assert Counter(body["webhook_id"] for body in bodies) == {
        everything["webhook_id"]: len(details),
        some["webhook_id"]: len(wanted),
    }
    deliver([body for body in bodies if body["webhook_id"] == some["webhook_id"]])
    for headers, body in endpoint.got:
        told = Signer(some["secret"]).verify(body, headers)
        assert told["data"]["event_id"] == headers["webhook-id"]
        assert (told["type"], told["timestamp"]) == (told["data"]["event_type"], told["data"]["timestamp"])
    assert [json.loads(body)["data"] for _, body in endpoint.got] == json.loads(json.dumps(wanted))
    assert owed() == []


def test_an_event_told_twice_is_sent_once(endpoint: Endpoint) -> None:
    subscribe(endpoint.url, "OrderStatusChanged")
    tell(live("w-2"))
    tell("w-2")
    deliver(owed())
    ids = [headers["webhook-id"] for headers, _ in endpoint.got]
    assert len(ids) == len(set(ids)) == 3


def test_a_failure_is_held_back_and_tried_again_with_the_same_body(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    made = subscribe(endpoint.url, "OrderStatusChanged")
    details = tell(live("w-3", status=OrderStatus.PENDING))
    endpoint.code = 500
    held: list[int] = []
    monkeypatch.setattr(queues, "send_delivery", lambda _webhook, _delivery, seconds: held.append(seconds))
    body = {"webhook_id": made["webhook_id"], "delivery_id": details[0]["event_id"]}
    deliver([body])
    assert held == [5]
    deliver([body])
    assert len(endpoint.got) == 1, "not due yet: no second attempt"
    assert held[1] in (4, 5)
    delivery = deliveries.load(made["webhook_id"], details[0]["event_id"])
    deliveries.save(delivery, replace(delivery, next_attempt_at=utc_now() - timedelta(seconds=1)))
    endpoint.code = 200
    deliver([body])
    assert endpoint.got[0][1] == endpoint.got[1][1]
    assert endpoint.got[0][0]["webhook-id"] == endpoint.got[1][0]["webhook-id"]
    _, listed = admin("GET /webhooks/{id}/deliveries", id=made["webhook_id"])
    (one,) = listed["deliveries"]
    assert (one["status"], [attempt["status_code"] for attempt in one["attempts"]]) == ("SUCCEEDED", [500, 200])
    assert all(attempt["duration_ms"] >= 0 for attempt in one["attempts"])
    deliver([body])
    assert len(endpoint.got) == 2, "what has arrived is not sent again"


def test_410_disables_it_and_a_new_secret_enables_it_again(endpoint: Endpoint) -> None:
    made = subscribe(endpoint.url, "OrderStatusChanged")
    identifier = made["webhook_id"]
    details = tell(live("w-4", status=OrderStatus.PENDING))
    endpoint.code = 410
    deliver(owed())
    assert webhooks.load(identifier).status is WebhookStatus.DISABLED
    assert deliveries.load(identifier, details[0]["event_id"]).status is DeliveryStatus.FAILED
    tell(live("w-5"))
    assert owed() == [], "nothing is owed to one that wants nothing"
    again = "POST /webhooks/{id}/deliveries/{delivery_id}/redeliver"
    assert admin(again, {}, id=identifier, delivery_id=details[0]["event_id"])[0] == 409
    status, rotated = admin("POST /webhooks/{id}/rotate", {}, id=identifier)
    assert (status, rotated["status"]) == (200, "ACTIVE")
    endpoint.code = 200
    assert admin(again, {}, id=identifier, delivery_id=details[0]["event_id"])[0] == 202
    deliver(owed())
    headers, body = endpoint.got[-1]
    for secret in (made["secret"], rotated["secret"]):
        assert Signer(secret).verify(body, headers), "both sign for a day"


def test_two_copies_of_a_message_make_one_attempt_that_counts(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    made = subscribe(endpoint.url, "OrderStatusChanged")
    details = tell(live("w-6", status=OrderStatus.PENDING))
    body = {"webhook_id": made["webhook_id"], "delivery_id": details[0]["event_id"]}
    endpoint.code = 500
    held: list[int] = []
    monkeypatch.setattr(queues, "send_delivery", lambda *_: held.append(1))
    real = webhook_sender.send

    def meanwhile(*arguments: Any) -> Any:
        monkeypatch.setattr(webhook_sender, "send", real)
        deliver([body])
        return real(*arguments)

    monkeypatch.setattr(webhook_sender, "send", meanwhile)
    deliver([body])
    assert len(deliveries.load(**body).attempts) == 1
    assert len(held) == 1, "the schedule has one thread, not two"


def test_an_attempt_whose_answer_was_lost_is_followed_by_the_next(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    made = subscribe(endpoint.url, "OrderStatusChanged")
    details = tell(live("w-8", status=OrderStatus.PENDING))
    endpoint.code = 500
    held: list[int] = []
    monkeypatch.setattr(queues, "send_delivery", lambda *_: held.append(1))
    real = table.update

    def tried_again(**request: Any) -> WriteOutcome:
        """As the SDK does when the first answer was lost: the second finds what the first has written."""
        real(**request)
        return real(**request)

    monkeypatch.setattr(table, "update", tried_again)
    deliver([{"webhook_id": made["webhook_id"], "delivery_id": details[0]["event_id"]}])
    assert len(held) == 1, "nothing else would ever send it"


class Handled(Api):
    """The API's webhooks routes, called as the gateway calls them."""

    def call(self, method: str, path: str, body: Any = None) -> Any:
        _, _, *rest = path.partition("?")[0].split("/")
        named = list(zip(("id", "", "delivery_id", ""), rest, strict=False))
        route = "/".join(["/webhooks", *(f"{{{name}}}" if name else value for name, value in named)])
        values = {name: value for name, value in named if name}
        return admin(f"{method} {route}", body, **values)[1]


def test_a_delivery_whose_message_was_lost_is_sent_by_a_redrive(endpoint: Endpoint) -> None:
    made = subscribe(endpoint.url, "OrderStatusChanged")
    details = tell(live("w-lost", status=OrderStatus.PENDING))
    assert len(owed()) == 1, "taken from the queue and never handled: dropped as a loop, or purged"
    later = utc_now() + operate.LEFT_AFTER
    assert operate.redrive_webhooks(Handled(""), made["webhook_id"], utc_now()) == {made["webhook_id"]: 0}
    assert operate.redrive_webhooks(Handled(""), made["webhook_id"], later) == {made["webhook_id"]: 1}
    deliver(owed())
    assert [json.loads(body)["data"]["order_id"] for _, body in endpoint.got] == ["w-lost"]
    assert deliveries.load(made["webhook_id"], details[0]["event_id"]).status is DeliveryStatus.SUCCEEDED


def test_one_that_has_been_removed_gets_nothing_more(endpoint: Endpoint) -> None:
    made = subscribe(endpoint.url)
    tell(live("w-7", status=OrderStatus.PENDING))
    assert admin("DELETE /webhooks/{id}", id=made["webhook_id"])[0] == 204
    deliver(owed())
    assert endpoint.got == []
    assert admin("GET /webhooks/{id}", id=made["webhook_id"])[0] == 404
    assert admin("DELETE /webhooks/{id}", id=made["webhook_id"])[0] == 404


def test_a_secret_is_never_shown_again(endpoint: Endpoint) -> None:
    made = subscribe(endpoint.url)
    for key in ("GET /webhooks", "GET /webhooks/{id}"):
        assert made["secret"] not in json.dumps(admin(key, id=made["webhook_id"])[1])


@pytest.mark.parametrize(
    "url",
    ["https://10.0.0.1/", "http://169.254.169.254/latest/", "https://[::ffff:10.0.0.1]/", "http://example.com/", "ftp://x/"],
)
def test_what_is_not_public_is_refused_when_it_is_subscribed(url: str) -> None:
    status, problem = admin("POST /webhooks", {"url": url})
    assert (status, problem["code"]) == (400, "INVALID_ARGUMENT")
    assert problem["errors"][0]["field"] == "url"
    assert webhooks.load_all() == []


def test_a_message_that_makes_no_sense_does_not_keep_the_others(endpoint: Endpoint) -> None:
    made = subscribe(endpoint.url, "OrderStatusChanged")
    live("w-8", status=OrderStatus.PENDING)
    details = [detail for event in orders.history(OrderId("w-8")) for _, detail, _ in notifications.messages(event)]
    batch = [a_message("{}", "bad"), *notifying(details)]
    for module in ("fan_out_webhooks", "keep_statistics"):
        assert invoke(module, {"Records": batch}) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert [body["webhook_id"] for body in owed()] == [made["webhook_id"]]
    assert counters.totals()["placed"] == 1


# --- counters ---------------------------------------------------------------------------------------------------------


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
    commands.cancel(OrderId(ids[1]), Actor("ada"), None, None)
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


# --- the status stream ------------------------------------------------------------------------------------------------


def stream(order_id: str, last: str | None = None) -> tuple[int, list[tuple[str, str, dict[str, Any]]]]:
    token = tokens.tracking_token(OrderId(order_id), utc_now(), secret_store.signing_key())
    headers = {"last-event-id": last} if last is not None else {}
    event = http_event("GET /orders/{id}/status/stream", path={"id": order_id}, query={"token": token}, headers=headers)
    answer = invoke("watch_status", event)
    if answer["statusCode"] != 200:
        return answer["statusCode"], []
    assert answer["headers"]["content-type"].startswith("text/event-stream")
    assert answer["body"].startswith("retry: ")
    frames = []
    for block in answer["body"].split("\n\n")[1:]:
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if fields:
            frames.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return 200, frames


def test_the_stream_begins_with_the_present_and_misses_nothing_after_that() -> None:
    place_order(a_request({"prod-001": 1}, order_id=OrderId("e-1")), Actor("ada"))
    _, ((version, kind, data),) = stream("e-1")
    assert (version, kind, data["status"]) == ("1", "status", "PENDING")
    assert stream("e-1", "1") == (200, [])
    fulfilling.reserve_stock(OrderId("e-1"))
    fulfilling.charge_payment(OrderId("e-1"))
    _, frames = stream("e-1", "1")
    assert [one[0] for one in frames] == [str(event.version) for event in orders.history(OrderId("e-1"), 1)]
    assert frames[-1][2]["progress"]["steps"]
    assert "progress" not in frames[0][2]
    assert not any("by" in one[2] or "triggered_by" in one[2] for one in frames)


def test_the_stream_ends_when_the_order_is_over() -> None:
    live("e-2")
    fulfilling.record_delivery(OrderId("e-2"), "sue")
    last = str(orders.load_order(OrderId("e-2")).version)
    assert [one[0] for one in stream("e-2")[1]] == [last], "the first answer is there even then"
    status, frames = stream("e-2", "3")
    assert (status, frames[-1][0]) == (200, last)
    assert stream("e-2", last) == (204, [])
    assert stream("e-2", "soon")[0] == 400
