"""Webhooks, from a change to the subscriber: who gets what, signed by whom, how often, and what ends it."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks import Webhook as Signer

from local.cli import operate
from local.cli.client import Api
from orders.adapters import queues, webhook_sender
from orders.adapters.store import counters, deliveries, orders, table, webhooks
from orders.adapters.store.table import WriteOutcome
from orders.domain import notifications
from orders.domain.identifiers import OrderId
from orders.domain.statuses import OrderStatus
from orders.domain.webhooks import DeliveryStatus, WebhookStatus
from orders.services.changes import utc_now
from tests.harness.aws import live, notifying, waiting
from tests.harness.events import ALL_TAKEN, a_batch, a_message, http_event, invoke, messages

pytestmark = pytest.mark.usefixtures("deployed_stack")


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


def fan_out(order_id: str) -> list[dict[str, Any]]:
    """Fans the order's news out; answers them."""
    details = [detail for event in orders.history(OrderId(order_id)) for _, detail, _ in notifications.messages(event)]
    assert invoke("fan_out_webhooks", a_batch(notifying(details))) == ALL_TAKEN
    return details


def pending() -> list[dict[str, Any]]:
    return waiting("WebhookDeliveries")


def deliver(bodies: list[dict[str, Any]]) -> None:
    assert invoke("deliver_webhook", a_batch(messages(bodies))) == ALL_TAKEN


def test_every_subscriber_gets_what_it_asked_for_signed_with_its_own_secret(endpoint: Endpoint) -> None:
    everything, some = subscribe(endpoint.url), subscribe(endpoint.url, "OrderStatusChanged")
    details = fan_out(live("w-1"))
    bodies = pending()
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
    assert pending() == []


def test_an_event_told_twice_is_sent_once(endpoint: Endpoint) -> None:
    subscribe(endpoint.url, "OrderStatusChanged")
    fan_out(live("w-2"))
    fan_out("w-2")
    deliver(pending())
    ids = [headers["webhook-id"] for headers, _ in endpoint.got]
    assert len(ids) == len(set(ids)) == 3


def test_a_failure_is_held_back_and_tried_again_with_the_same_body(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    made = subscribe(endpoint.url, "OrderStatusChanged")
    details = fan_out(live("w-3", status=OrderStatus.PENDING))
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
    details = fan_out(live("w-4", status=OrderStatus.PENDING))
    endpoint.code = 410
    deliver(pending())
    assert webhooks.load(identifier).status is WebhookStatus.DISABLED
    assert deliveries.load(identifier, details[0]["event_id"]).status is DeliveryStatus.FAILED
    fan_out(live("w-5"))
    assert pending() == [], "nothing is owed to one that wants nothing"
    again = "POST /webhooks/{id}/deliveries/{delivery_id}/redeliver"
    assert admin(again, {}, id=identifier, delivery_id=details[0]["event_id"])[0] == 409
    status, rotated = admin("POST /webhooks/{id}/rotate", {}, id=identifier)
    assert (status, rotated["status"]) == (200, "ACTIVE")
    endpoint.code = 200
    assert admin(again, {}, id=identifier, delivery_id=details[0]["event_id"])[0] == 202
    deliver(pending())
    headers, body = endpoint.got[-1]
    for secret in (made["secret"], rotated["secret"]):
        assert Signer(secret).verify(body, headers), "both sign for a day"


def test_two_copies_of_a_message_make_one_attempt_that_counts(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    made = subscribe(endpoint.url, "OrderStatusChanged")
    details = fan_out(live("w-6", status=OrderStatus.PENDING))
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
    details = fan_out(live("w-8", status=OrderStatus.PENDING))
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


def test_a_subscription_whose_answer_was_lost_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    real = table.put

    def tried_again(*arguments: Any, **condition: Any) -> None:
        real(*arguments, **condition)
        real(*arguments, **condition)

    monkeypatch.setattr(table, "put", tried_again)
    made = subscribe("https://shop.example/hook")
    assert [found.webhook_id for found in webhooks.load_all()] == [made["webhook_id"]]


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
    details = fan_out(live("w-lost", status=OrderStatus.PENDING))
    assert len(pending()) == 1, "taken from the queue and never handled: dropped as a loop, or purged"
    later = utc_now() + operate.LEFT_AFTER
    assert operate.redrive_webhooks(Handled(""), made["webhook_id"], utc_now()) == {made["webhook_id"]: 0}
    assert operate.redrive_webhooks(Handled(""), made["webhook_id"], later) == {made["webhook_id"]: 1}
    deliver(pending())
    assert [json.loads(body)["data"]["order_id"] for _, body in endpoint.got] == ["w-lost"]
    assert deliveries.load(made["webhook_id"], details[0]["event_id"]).status is DeliveryStatus.SUCCEEDED


def test_one_that_has_been_removed_gets_nothing_more(endpoint: Endpoint) -> None:
    made = subscribe(endpoint.url)
    fan_out(live("w-7", status=OrderStatus.PENDING))
    assert admin("DELETE /webhooks/{id}", id=made["webhook_id"])[0] == 204
    deliver(pending())
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
    assert [body["webhook_id"] for body in pending()] == [made["webhook_id"]]
    assert counters.totals()["placed"] == 1
