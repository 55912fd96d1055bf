"""Erasing a customer's personal data: every text that a person, a carrier or a warehouse can write is gone, and stays gone."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from standardwebhooks import Webhook as Signer

from orders import settings
from orders.adapters import queues
from orders.adapters.store import deliveries, event_items, indexes, keys, orders, redaction, scans, table, webhooks
from orders.domain import erasure, facts, notifications
from orders.domain.decisions import disputing
from orders.domain.errors import ConstraintViolated, OrderChanged
from orders.domain.events import FULFILLMENT
from orders.domain.identifiers import CustomerId, OrderId, TrackingNumber
from orders.domain.order import timestamp
from orders.domain.payment import Dispute
from orders.domain.statuses import DisputeStatus, OrderStatus
from orders.domain.webhooks import Attempt, WebhookStatus, attempted
from orders.services import privacy
from orders.services.changes import apply, utc_now
from orders.web import personal_data
from tests.harness.bodies import a_body
from tests.harness.world import CUSTOMER, STRANGER, World

ADA = CustomerId(CUSTOMER)
ADMIN: dict[str, Any] = {"by": "root", "groups": ["admin"]}
SECRET = base64.b64encode(b"what the carriers of these tests sign with").decode()


class UniqueTexts:
    """Hands out texts that stand nowhere else, and looks for them."""

    def __init__(self) -> None:
        self.made: dict[str, str] = {}

    def text(self, where: str) -> str:
        return self.made.setdefault(where, f"pl{len(self.made):03d}nted")

    def found_in(self, text: str) -> list[str]:
        return [where for where, word in self.made.items() if word in text]


@pytest.fixture
def unique() -> UniqueTexts:
    return UniqueTexts()


@pytest.fixture
def deliveries_queued(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the deliveries' queue would take; the carriers' secrets are there."""
    monkeypatch.setattr(queues, "send_delivery", lambda *_: None)
    monkeypatch.setattr(queues, "send_deliveries", lambda _: [])
    secrets = boto3.client("secretsmanager")
    names = [f"{settings.carrier_secrets_prefix()}{carrier}" for carrier in ("easypost", "shippo", "generic")]
    for name in names:
        secrets.create_secret(Name=name, SecretString=SECRET)
    yield
    for name in names:
        secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def contents(world: World) -> str:
    return json.dumps(world.everything(), ensure_ascii=False, default=sorted)


# --- what carriers send, each with all the texts its format has ---


def _easypost(number: str, unique: UniqueTexts, when: str, status: str) -> tuple[bytes, dict[str, str]]:
    place = {part: unique.text(f"easypost {part} {when}") for part in ("city", "state", "country", "zip")}
    texts = {name: unique.text(f"easypost {name} {when}") for name in ("message", "description", "source", "status_detail")}
    detail = {"datetime": timestamp(utc_now()), "tracking_location": place, "status": status, **texts}
    signed_by = {"signed_by": unique.text(f"easypost signed_by {when}"), "carrier": unique.text(f"easypost carrier {when}")}
    tracker = {"object": "Tracker", "tracking_code": number, "status": status, "tracking_details": [detail], **signed_by}
    event = {"id": unique.text(f"easypost id {when}"), "description": unique.text(f"easypost event {when}"), "result": tracker}
    body = json.dumps(event).encode()
    return body, {"x-hmac-signature": f"hmac-sha256-hex={hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}"}


def _shippo(number: str, unique: UniqueTexts, when: str, status: str) -> tuple[bytes, dict[str, str]]:
    place = {part: unique.text(f"shippo {part} {when}") for part in ("city", "state", "zip", "country")}
    scan = {
        "status": {"in_transit": "TRANSIT", "delivered": "DELIVERED"}[status],
        "status_date": timestamp(utc_now()),
        "status_details": unique.text(f"shippo status_details {when}"),
        "substatus": {"code": "information_received", "text": unique.text(f"shippo substatus {when}")},
        "location": place,
    }
    data = {"tracking_number": number, "carrier": unique.text(f"shippo carrier {when}"), "tracking_status": scan}
    named = {"metadata": unique.text(f"shippo metadata {when}")}
    body = json.dumps({"event": "track_updated", "data": data | named}).encode()
    sent = str(int(utc_now().timestamp()))
    digest = hmac.new(SECRET.encode(), sent.encode() + b"." + body, hashlib.sha256).hexdigest()
    return body, {"shippo-auth-signature": f"t={sent},v1={digest}"}


def _generic(number: str, unique: UniqueTexts, when: str, status: str) -> tuple[bytes, dict[str, str]]:
    texts = {name: unique.text(f"generic {name} {when}") for name in ("event_id", "location", "carrier", "message", "note")}
    status = {"in_transit": "IN_TRANSIT", "delivered": "DELIVERED"}[status]
    event = {"tracking_number": number, "status": status, "scanned_at": timestamp(utc_now()), **texts}
    body, now = json.dumps(event).encode(), utc_now()
    signature = Signer(SECRET).sign("msg-1", now, body.decode())
    headers = {"webhook-id": "msg-1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
    return body, headers


FORMATS = {"easypost": _easypost, "shippo": _shippo, "generic": _generic}


def report(world: World, carrier: str, order_id: str, unique: UniqueTexts, when: str, status: str = "in_transit") -> None:
    """One scan with every text that the carrier's format has, taken from the door to the order."""
    shipment = world.snapshot(order_id).shipment
    assert shipment
    assert shipment.tracking_number
    body, headers = FORMATS[carrier](shipment.tracking_number, unique, when, status)
    published = len(world.bus.taken)
    answer = world.http("POST /carriers/{carrier}/events", {"carrier": carrier}, raw=body.decode(), headers=headers, by=None)
    assert (answer.status, answer.body) == (200, {"accepted": True})
    take(world, json.loads(world.bus.taken[published]["Detail"]))


def take(world: World, detail: Mapping[str, Any]) -> None:
    source = "orders.carriers" if "scan" in detail["metadata"] else "warehouse"
    body = json.dumps({"detail-type": detail["event_type"], "source": source, "detail": detail})
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(utc_now().timestamp() * 1000))}
    record = {"messageId": "1", "receiptHandle": "none", "body": body, "attributes": attributes, "eventSource": "aws:sqs"}
    assert world.invoke("on_fulfillment_event", {"Records": [record]}) == {"batchItemFailures": []}


def news(order_id: str, status: str, unique: UniqueTexts, when: str) -> dict[str, Any]:
    """A warehouse's event with every text it can have; ``fulfillment_id`` is an id and may stay."""
    texts = {
        name: unique.text(f"warehouse {name} of {status} {when}")
        for name in ("picker", "reason", "carrier", "source", "expires_at")
    }
    return {
        "event_type": "fulfillment.status_changed",
        "event_id": unique.text(f"warehouse event_id of {status} {when}"),
        "fulfillment_id": "ful-1",
        "order_id": order_id,
        "old_status": unique.text(f"warehouse old_status {when}"),
        "new_status": status,
        "timestamp": timestamp(utc_now()),
        "metadata": texts | {"nested": [{"note": unique.text(f"warehouse nested note of {status} {when}")}]},
    }


# --- an eventful life ---


def address(unique: UniqueTexts) -> dict[str, str]:
    return {part: unique.text(f"address {part}") for part in ("name", "line1", "line2", "city", "postal_code")} | {
        "country": "GB"
    }


def live_eventfully(world: World, unique: UniqueTexts) -> None:
    """Orders of one customer that end in every way there is, each with words wherever somebody can write some."""

    def ok(answer: Any) -> None:
        assert answer.status == 200, answer.text

    def place(order_id: str, **more: Any) -> None:
        key = {"idempotency-key": unique.text(f"idempotency key of {order_id}")}
        world.place(order_id, shipping_address=address(unique), headers=key, **more)
        world.follow_up(order_id)

    place("delivered", require_approval=True)
    world.reserve_for_review("delivered")
    ok(world.http("PUT /orders/{id}/address", "delivered", address(unique) | {"line1": unique.text("second address")}))
    ok(world.support("POST /orders/{id}/approve", "delivered", {"reason": unique.text("approval")}))
    world.step("charge_payment", "delivered")
    take(world, news("delivered", "picking", unique, "before"))
    take(world, news("delivered", unique.text("unknown fulfillment status"), unique, "before"))
    world.step("ship_parcel", "delivered", task_token="t", transit=10)
    ok(world.support("PUT /orders/{id}/shipment/location", "delivered", {"location": unique.text("location by staff")}))
    ok(world.support("POST /orders/{id}/delivered", "delivered", {"reason": unique.text("delivery")}))

    for carrier in FORMATS:
        place(f"by-{carrier}")
        world.go_on(OrderStatus.SHIPPED, f"by-{carrier}")
        report(world, carrier, f"by-{carrier}", unique, "before")
        ok(world.support("POST /orders/{id}/delivered", f"by-{carrier}", {}))

    place("returned")
    world.go_on(OrderStatus.DELIVERED, "returned")
    ok(world.http("POST /orders/{id}/return", "returned", {"reason": unique.text("customer's return")}))
    ok(world.support("POST /orders/{id}/return", "returned", {"reason": unique.text("what staff say of it")}))
    world.unwind("returned")

    place("sent-back")
    world.go_on(OrderStatus.SHIPPED, "sent-back")
    sent_back = {"status": "RETURNED", "reason": unique.text("staff's return")}
    ok(world.support("PATCH /orders/{id}/status", "sent-back", sent_back))
    world.unwind("sent-back")

    place("rejected", require_approval=True)
    world.reserve_for_review("rejected")
    ok(world.support("POST /orders/{id}/reject", "rejected", {"reason": unique.text("rejection")}))
    world.unwind("rejected")

    for order_id, call in (("cancelled", world.http), ("cancelled-by-staff", world.support)):
        place(order_id)
        world.go_on(OrderStatus.PROCESSING, order_id)
        ok(call("POST /orders/{id}/cancel", order_id, {"reason": unique.text(order_id)}))
        world.unwind(order_id)

    place("warehouse")
    world.go_on(OrderStatus.PROCESSING, "warehouse")
    take(world, news("warehouse", "shipped", unique, "before"))
    take(world, news("warehouse", "completed", unique, "before"))
    take(world, news("warehouse", "cancelled", unique, "before"))


UNREAD = re.compile(
    "(easypost|shippo|generic) (zip|description|source|status_detail|signed_by|event|substatus|metadata|note) "
    "|old_status|warehouse (picker|reason|source|expires_at|nested note) of shipped|warehouse carrier of completed"
)
"""The texts that can be sent and that nothing stores, erased or not."""


def fan_out(world: World, order_id: str, trail: Any = None) -> None:
    """What the bus leads to webhooks of an order's whole trail."""
    events = trail if trail is not None else orders.history(OrderId(order_id))
    details = [detail for event in events for _, detail, _ in notifications.messages(event)]
    records = [
        {"messageId": str(number), "body": json.dumps({"detail": detail}), "eventSource": "aws:sqs"}
        for number, detail in enumerate(details)
    ]
    assert world.invoke("fan_out_webhooks", {"Records": records}) == {"batchItemFailures": []}


def subscribe(world: World) -> str:
    made = world.http("POST /webhooks", None, {"url": "https://receiver.example/hook"}, **ADMIN)
    assert made.status == 201
    return str(made.body["webhook_id"])


@pytest.mark.usefixtures("deliveries_queued")
def test_nothing_that_anybody_wrote_is_left_and_nothing_that_arrives_later(world: World, unique: UniqueTexts) -> None:
    live_eventfully(world, unique)
    kept, ended = subscribe(world), subscribe(world)
    trails = {order_id: orders.history(order_id) for order_id in privacy._orders_of(ADA)}
    for order_id, trail in trails.items():
        fan_out(world, order_id, trail[:-1])
    assert world.http("DELETE /webhooks/{id}", ended, **ADMIN).status == 204

    stored = {where for where in unique.made if not UNREAD.search(where)}
    assert stored - set(unique.found_in(contents(world))) == set(), "what is not there cannot be erased"

    # --- erased ---
    privacy.erase(ADA, "grace")
    assert unique.found_in(contents(world)) == []

    # --- and what arrives afterwards ---
    for carrier in FORMATS:
        report(world, carrier, f"by-{carrier}", unique, "after", "delivered")
    take(world, news("delivered", unique.text("unknown late status"), unique, "after"))
    for late, status in (("delivered", "cancelled"), ("delivered", "picking"), ("warehouse", "completed")):
        take(world, news(late, status, unique, f"after for {late}"))
    for order_id, trail in trails.items():
        fan_out(world, order_id, trail)
    returned = world.support(
        "PATCH /orders/{id}/status", "delivered", {"status": "RETURNED", "reason": unique.text("late return")}
    )
    assert returned.status == 200, returned.text
    world.unwind("delivered")
    fan_out(world, "delivered")
    assert unique.found_in(contents(world)) == []
    assert webhooks.load(kept).status is WebhookStatus.ACTIVE

    # --- what accounts need is still there ---
    found = world.snapshot("delivered")
    assert (found.order.total.amount, found.order.status.value) == (3000, "RETURNED")
    assert found.order.shipping_address.country == "GB"
    assert found.payment
    assert found.payment.status.value == "REFUNDED"
    world.add_up()


@pytest.mark.usefixtures("deliveries_queued")
def test_a_late_report_under_a_number_that_was_replaced_is_not_kept(world: World, unique: UniqueTexts) -> None:
    world.live(OrderStatus.PROCESSING)
    heard = UniqueTexts()
    for status, number in (("packed", "JD 0145"), ("shipped", "JD 0146")):
        take(world, news("order-1", status, heard, "before") | {"metadata": {"tracking_number": number}})
    shipment = world.snapshot("order-1").shipment
    assert shipment
    assert shipment.tracking_number == "JD 0146"
    assert world.support("POST /orders/{id}/delivered", "order-1", {}).status == 200

    def reported(when: str) -> None:
        body, headers = FORMATS["generic"]("jd0145", unique, when, "delivered")
        sent: dict[str, Any] = {"raw": body.decode(), "headers": headers, "by": None}
        answer = world.http("POST /carriers/{carrier}/events", {"carrier": "generic"}, **sent)
        assert (answer.status, answer.body) == (200, {"accepted": False}), "nobody's, before and after"

    reported("before")
    assert unique.found_in(contents(world)) != []
    privacy.erase(ADA, "grace")
    reported("after")
    assert unique.found_in(contents(world)) == []
    erased = contents(world)
    privacy.erase(ADA, "grace")
    assert contents(world) == erased

    expired = utc_now() + event_items.MARKERS_KEPT + timedelta(seconds=1)
    assert scans.is_erased_parcel(TrackingNumber("JD 0145"), utc_now())
    assert not scans.is_erased_parcel(TrackingNumber("JD 0145"), expired), "it may be another parcel's by then"
    assert not scans.is_erased_parcel(shipment.tracking_number, utc_now()), "by this one the order is found"


@pytest.mark.usefixtures("deliveries_queued")
def test_erasing_again_changes_nothing_and_takes_what_was_on_its_way(world: World, unique: UniqueTexts) -> None:
    live_eventfully(world, unique)
    privacy.erase(ADA, "grace")
    before = contents(world)
    privacy.erase(ADA, "grace")
    assert contents(world) == before


def test_a_row_of_an_earlier_release_keeps_no_warehouse_s_words_under_a_name_of_ours(world: World, unique: UniqueTexts) -> None:
    """Earlier releases took them as they came."""
    placed = world.live(OrderStatus.PROCESSING).order
    told: dict[str, Any] = {name: unique.text(name) for name in sorted(facts.OWN)}
    told |= {"cancellation_reason": [unique.text("a list where a word belongs")]}
    event = replace(orders.history(placed.order_id)[-1], by=FULFILLMENT, metadata=told)
    assert unique.found_in(json.dumps(dict(erasure.redacted_event(event).metadata))) == []
    own = replace(event, by="system", metadata={"expires_at": "2026-11-20T12:00:00.000Z"})
    assert erasure.redacted_event(own).metadata == own.metadata


@pytest.mark.usefixtures("deliveries_queued")
def test_an_attempt_under_way_does_not_bring_the_words_back(world: World, unique: UniqueTexts) -> None:
    webhook_id = subscribe(world)
    world.live(OrderStatus.PROCESSING)
    assert world.http("POST /orders/{id}/cancel", "order-1", {"reason": unique.text("cancellation")}).status == 200
    world.unwind()
    fan_out(world, "order-1")
    under_way = [one for one in deliveries.newest_first(webhook_id) if unique.found_in(one.payload)]
    assert under_way
    privacy.erase(ADA, "grace")
    for delivery in under_way:
        assert deliveries.save(delivery, attempted(delivery, Attempt(utc_now(), 20, 500)))
        noted = deliveries.load(webhook_id, delivery.delivery_id)
        assert [one.status_code for one in noted.attempts] == [500]
    assert unique.found_in(contents(world)) == []


@pytest.mark.usefixtures("deliveries_queued")
def test_erasing_again_takes_what_others_were_writing_at_that_very_moment(
    world: World, unique: UniqueTexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver and a fan-out that had found the order as it was before, and write after the erasure has looked."""
    subscribe(world)
    shipment = world.live(OrderStatus.SHIPPED).shipment
    assert shipment
    assert shipment.tracking_number
    before = {"reason": unique.text("delivery")}
    assert world.support("POST /orders/{id}/delivered", "order-1", before).status == 200
    trail = orders.history(OrderId("order-1"))
    privacy.erase(ADA, "grace")
    scan = {"metadata": {"scan": {"location": unique.text("place")}}}
    scans.keep_scan(shipment.tracking_number, "late", utc_now(), scan, utc_now())
    monkeypatch.setattr(orders, "erased_orders", lambda _: frozenset())
    fan_out(world, "order-1", trail)
    assert sorted(unique.found_in(contents(world))) == ["delivery", "place"]
    privacy.erase(ADA, "grace")
    assert unique.found_in(contents(world)) == []


def test_an_idempotency_key_leads_to_its_order_after_an_erasure_too(world: World) -> None:
    headers = {"idempotency-key": "a key of Ada's"}
    world.place("order-1", headers=headers)
    world.follow_up("order-1")
    world.go_on(OrderStatus.DELIVERED)
    privacy.erase(ADA, "grace")
    privacy.erase(ADA, "grace")
    assert "a key of Ada's" not in contents(world)
    again = world.place("order-1", headers=headers)
    assert again.body["order"]["status"] == OrderStatus.DELIVERED
    assert again.headers["idempotent-replayed"] == "true"
    another = world.http("POST /orders", None, a_body(order_id="order-2"), headers=headers)
    assert (another.status, another.body["code"]) == (422, "IDEMPOTENCY_MISMATCH")
    assert [item for item in world.everything() if item["PK"]["S"] == "ORDER#order-2"] == []


def _sealed_and_taken_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Two orders under one key: the second by a release that does not look where an erasure has put the first."""
    headers = {"idempotency-key": "a key of Ada's"}
    for order_id in ("order-1", "order-2"):
        with monkeypatch.context() as older:
            if order_id == "order-2":
                older.setattr(keys, "erased_idempotency_key", lambda _, key: keys.marker_key(OrderId("nowhere"), key))
            world.place(order_id, headers=headers)
        world.follow_up(order_id)
        world.go_on(OrderStatus.DELIVERED, order_id)
        if order_id == "order-1":
            privacy.erase(ADA, "grace")
    return headers


def test_a_key_taken_anew_after_an_erasure_leads_to_its_first_order_once_erased_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = _sealed_and_taken_anew(world, monkeypatch)
    privacy.erase(ADA, "grace")
    assert "a key of Ada's" not in contents(world)
    assert world.place("order-1", headers=headers).body["order"]["order_id"] == "order-1"
    later = world.http("POST /orders", None, a_body(order_id="order-2"), headers=headers)
    assert (later.status, later.body["code"]) == (422, "IDEMPOTENCY_MISMATCH")


class _Interrupted:
    """The table's client, with somebody who writes right before its first transaction of an idempotency record."""

    def __init__(self, real: Any, others: Callable[[], object]) -> None:
        self._real, self._others = real, [others]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def transact_write_items(self, **request: Any) -> Any:
        if self._others and "IDEMPOTENCY#" in str(request):
            self._others.pop()()
        return self._real.transact_write_items(**request)


def test_a_key_moved_and_taken_anew_by_others_while_it_is_being_moved_is_not_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another erasure moves the record, and an older release takes its key, between this erasure's reading and its writing."""
    world.place("order-1", headers={"idempotency-key": "a key of Ada's"})
    world.follow_up("order-1")
    world.go_on(OrderStatus.DELIVERED)
    real = table.client()
    plain = keys.idempotency_key(ADA, "a key of Ada's")
    first = real.get_item(TableName=settings.table_name(), Key=plain)["Item"]

    def others() -> None:
        redaction.redact_idempotency_keys(ADA)
        anew: Any = {**first, "order_id": {"S": "order-2"}}
        real.put_item(TableName=settings.table_name(), Item=anew)

    with monkeypatch.context() as meanwhile:
        interrupted = _Interrupted(real, others)
        meanwhile.setattr(table, "client", lambda: interrupted)
        with pytest.raises(OrderChanged):
            redaction.redact_idempotency_keys(ADA)
    (there,) = [item for item in world.everything() if item["SK"]["S"].startswith(keys.KEY_PREFIX)]
    assert there["order_id"] == {"S": "order-2"}

    with monkeypatch.context() as meanwhile:
        interrupted = _Interrupted(real, lambda: real.put_item(TableName=settings.table_name(), Item=first))
        meanwhile.setattr(table, "client", lambda: interrupted)
        privacy.erase(ADA, "grace")
    assert "a key of Ada's" not in contents(world)
    found = orders.idempotency_record(ADA, "a key of Ada's")
    assert found
    assert found.order_id == "order-1"


@pytest.mark.usefixtures("deliveries_queued")
def test_a_name_that_looks_erased_protects_nobody_s_data(world: World, unique: UniqueTexts) -> None:
    sly = address(unique) | {"name": "(erased)"}
    world.place("sly", shipping_address=sly)
    world.follow_up("sly")
    world.go_on(OrderStatus.DELIVERED, "sly")
    privacy.erase(ADA, "grace")
    assert unique.found_in(contents(world)) == []


@pytest.mark.usefixtures("deliveries_queued")
def test_others_keep_their_words(world: World, unique: UniqueTexts) -> None:
    world.place("theirs", by=STRANGER, shipping_address=address(unique))
    world.follow_up("theirs")
    world.go_on(OrderStatus.SHIPPED, "theirs")
    report(world, "easypost", "theirs", unique, "before")
    subscribe(world)
    fan_out(world, "theirs")
    before = contents(world)
    world.live(OrderStatus.DELIVERED, "mine")
    privacy.erase(ADA, "grace")
    after = contents(world)
    assert unique.found_in(after) == unique.found_in(before)


@pytest.mark.usefixtures("deliveries_queued")
def test_an_open_order_keeps_everything(world: World, unique: UniqueTexts) -> None:
    world.live(OrderStatus.DELIVERED, "over", shipping_address=address(unique))
    world.live(OrderStatus.SHIPPED, "open")
    with pytest.raises(ConstraintViolated, match=r"Still open: open \(SHIPPED, IN_PROGRESS\)\."):
        privacy.erase(ADA, "grace")
    assert unique.found_in(contents(world)) != []


def test_a_customer_who_waits_for_money_is_not_erased(world: World) -> None:
    staff: dict[str, Any] = {"by": "sue", "groups": ["support"]}
    world.live(OrderStatus.DELIVERED, "order-1", method="CASH_ON_DELIVERY")
    (refund,) = world.http("POST /orders/{id}/refunds", "order-1", {"reason": "Late"}, **staff).body["refunds"]
    with pytest.raises(ConstraintViolated, match=r"A refund of order-1 is not completed"):
        privacy.erase(ADA, "grace")
    path = {"id": "order-1", "refund_id": refund["refund_id"]}
    assert world.http("POST /orders/{id}/refunds/{refund_id}/complete", path, **staff).status == 200
    assert privacy.erase(ADA, "grace") == ["order-1"]
    (kept,) = orders.load(OrderId("order-1")).refunds
    assert (kept.reason, kept.amount.amount) == ("(erased)", 3000)


def test_a_customer_whose_bank_asks_for_the_money_back_is_not_erased_until_that_is_decided(world: World) -> None:
    world.live(OrderStatus.DELIVERED, "order-1")
    asked = Dispute("dp-1", DisputeStatus.OPEN, utc_now(), reason="fraudulent")
    apply(OrderId("order-1"), lambda found: disputing.follow(found, asked, utc_now()))
    with pytest.raises(ConstraintViolated, match="The payment of order-1 is disputed"):
        privacy.erase(ADA, "grace")
    apply(OrderId("order-1"), lambda found: disputing.follow(found, replace(asked, status=DisputeStatus.WON), utc_now()))
    assert privacy.erase(ADA, "grace") == ["order-1"]


@pytest.mark.parametrize("end", [OrderStatus.CANCELLED, OrderStatus.RETURNED])
def test_an_order_that_is_still_unwound_is_open(world: World, end: OrderStatus) -> None:
    world.live(end)
    with pytest.raises(ConstraintViolated) as refused:
        privacy.erase(ADA, "grace")
    assert refused.value.detail.startswith(f"Still open: order-1 ({end}, ROLLING_BACK).")
    assert (refused.value.http_status, refused.value.extra) == (409, {"orders": ["order-1"]})
    world.unwind()
    assert privacy.erase(ADA, "grace") == ["order-1"]


def test_an_order_that_is_opened_while_others_are_erased_is_left_as_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = world.live(OrderStatus.DELIVERED)
    assert world.support("POST /orders/{id}/return", "order-1").status == 200
    monkeypatch.setattr(indexes, "orders_by_id", lambda _: [found.order])
    with pytest.raises(ConstraintViolated, match=r"order-1 \(RETURNED, ROLLING_BACK\)"):
        privacy.erase(ADA, "grace")
    assert "PERSONAL_DATA_ERASED" not in world.trail()


@pytest.mark.usefixtures("deliveries_queued")
def test_an_export_holds_what_the_carriers_reported(world: World, unique: UniqueTexts) -> None:
    for carrier in FORMATS:
        world.live(OrderStatus.SHIPPED, f"by-{carrier}")
        report(world, carrier, f"by-{carrier}", unique, "before")
    reports = [one for order in personal_data.export(ADA)["orders"] for one in order["carrier_reports"]]
    assert sorted(one["metadata"]["source"] for one in reports) == sorted(FORMATS)
    places = " ".join(one["metadata"]["scan"]["location"] for one in reports)
    assert {"easypost city before", "shippo city before", "generic location before"} <= set(unique.found_in(places))


@pytest.mark.usefixtures("deliveries_queued")
def test_a_removed_subscription_is_gone_for_everyone_and_its_row_expires_after_its_deliveries(world: World) -> None:
    webhook_id = subscribe(world)
    world.live(OrderStatus.CANCELLED)
    fan_out(world, "order-1")
    assert world.http("DELETE /webhooks/{id}", webhook_id, **ADMIN).status == 204
    for key in ("GET /webhooks/{id}", "DELETE /webhooks/{id}", "GET /webhooks/{id}/deliveries"):
        assert world.http(key, webhook_id, **ADMIN).status == 404
    assert world.http("GET /webhooks", None, **ADMIN).body == {"webhooks": []}
    items = [item for item in world.everything() if item["PK"]["S"] == f"WEBHOOK#{webhook_id}"]
    (left,) = [item for item in items if item["SK"]["S"] == "#WEBHOOK"]
    assert "receiver.example" not in json.dumps(left)
    assert "whsec_" not in json.dumps(left)
    expiries = [int(item["expires_at_epoch"]["N"]) for item in items if item is not left]
    assert expiries
    assert int(left["expires_at_epoch"]["N"]) > max(expiries) + timedelta(days=14).total_seconds()
