"""The fulfillment's queue and the carriers' door: against the table, with what SQS and API Gateway hand over."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from standardwebhooks import Webhook as Signer

from orders import settings
from orders.adapters.carriers.protocol import Booking
from orders.adapters.carriers.simulated import SimulatedCarrier
from orders.adapters.store import keys, ledgers, orders, scans, table
from orders.domain.actors import Actor
from orders.domain.address import Address
from orders.domain.errors import StoreBusy
from orders.domain.events import EventType
from orders.domain.identifiers import OrderId, TrackingNumber
from orders.domain.order import Snapshot, timestamp
from orders.domain.parcels import Shipment
from orders.domain.statuses import OrderStatus, PaymentMethod, PaymentStatus, ShipmentStatus
from orders.services import charging, fulfilling, handovers, inbound, listing, recovery
from orders.services.changes import utc_now
from orders.services.placing import place_order
from tests.harness.aws import CARRIER_SECRET, deployed
from tests.harness.caches import forget_settings
from tests.harness.events import a_batch, a_message, a_warehouse_event, http_event, invoke, on_bus, refused
from tests.harness.fakes import FakeBus
from tests.harness.orders import a_request, without_pauses

HOME = Address("Ada Lovelace", "12 St James's Square", "London", "SW1Y 4JH", "GB")
DATA = Path(__file__).parents[1] / "data"
SECRET = "s" * 64
GENERIC_SECRET = base64.b64encode(b"agreed on with everybody else").decode()


@pytest.fixture(scope="module", autouse=True)
def _stack() -> Iterator[None]:
    with mock_aws(), deployed():
        name = f"{settings.carrier_secrets_prefix()}generic"
        boto3.client("secretsmanager").create_secret(Name=name, SecretString=GENERIC_SECRET)
        definition = json.dumps({"StartAt": "Rest", "States": {"Rest": {"Type": "Succeed"}}})
        for machine in ("fulfil-order", "unwind-order"):
            boto3.client("stepfunctions").create_state_machine(
                name=f"orders-{machine}", definition=definition, roleArn="arn:aws:iam::123456789012:role/any"
            )
        yield


def an_order(order_id: str, status: OrderStatus, method: PaymentMethod = PaymentMethod.CREDIT_CARD) -> str:
    token = None if method is PaymentMethod.CASH_ON_DELIVERY else "tok_ok"
    place_order(a_request({"prod-001": 1}, method=method, payment_token=token, order_id=OrderId(order_id)), Actor("ada"))
    if status is not OrderStatus.PENDING:
        fulfilling.reserve_stock(OrderId(order_id))
        charging.charge_payment(OrderId(order_id))
    if status is OrderStatus.SHIPPED:
        handovers.ship_parcel(OrderId(order_id), None)
    return order_id


def message(detail: Any, number: int = 1, tries: int = 1) -> dict[str, Any]:
    return a_message(detail if isinstance(detail, str) else on_bus(detail), number, tries=tries, age=2)


def received(detail: Any, number: int = 1, tries: int = 1) -> dict[str, Any]:
    """A message that is really in the queue, so that its visibility can be changed."""
    sqs, url = boto3.client("sqs"), settings.fulfillment_events_url()
    sent = message(detail, number, tries)
    sqs.send_message(QueueUrl=url, MessageBody=sent["body"])
    there = sqs.receive_message(QueueUrl=url, VisibilityTimeout=180)["Messages"][0]
    return sent | {"receiptHandle": there["ReceiptHandle"]}


def take(*records: dict[str, Any]) -> list[str]:
    """Delivers a batch; answers which come again."""
    return refused(invoke("on_fulfillment_event", a_batch(records)))


def metrics(printed: str) -> dict[str, Any]:
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith('{"_aws"')]
    return {name: value for line in lines for name, value in line.items()}


# --- the queue --------------------------------------------------------------------------------------------------------


def test_an_event_and_its_marker_are_one_transaction() -> None:
    an_order("f-1", OrderStatus.PROCESSING)
    assert take(message(a_warehouse_event("f-1", "shipped", event_id="evt-1"))) == []
    order = orders.load_order(OrderId("f-1"))
    marker = table.client().get_item(TableName="orders", Key=keys.marker_key(OrderId("f-1"), "evt-1"))["Item"]
    assert int(marker["version"]["N"]) == order.version
    assert int(marker["expires_at_epoch"]["N"]) > utc_now().timestamp() + 80 * 86_400
    assert take(message(a_warehouse_event("f-1", "shipped", event_id="evt-1"))) == []
    assert orders.load_order(OrderId("f-1")).version == order.version, "a duplicate changes nothing"


def test_what_stands_on_the_bus_and_its_bare_detail_are_the_same_event() -> None:
    an_order("f-bare", OrderStatus.PROCESSING)
    detail = a_warehouse_event("f-bare", "packed", event_id="evt-bare")
    assert take(message(json.dumps(detail)), message(detail, 2)) == []
    assert [event.type for event in orders.history(OrderId("f-bare"))].count(EventType.PACKAGE_PREPARED) == 1


def undated(order_id: str, status: str, **more: Any) -> dict[str, Any]:
    return {name: value for name, value in a_warehouse_event(order_id, status, **more).items() if name != "timestamp"}


def test_an_event_without_a_time_happened_when_it_came_to_the_bus() -> None:
    an_order("f-when", OrderStatus.PROCESSING)
    came = "2026-11-20T14:01:01Z"
    on_bus = {"detail-type": "fulfillment.status_changed", "time": came, "detail": undated("f-when", "shipped")}
    assert take(message(json.dumps(on_bus))) == []
    assert orders.load_order(OrderId("f-when")).status is OrderStatus.SHIPPED
    assert take(message(json.dumps(on_bus | {"detail": undated("f-when", "packed") | {"timestamp": None}}))) == []
    assert orders.history(OrderId("f-when"))[-1].metadata["reported_at"] == "2026-11-20T14:01:01.000Z"


def test_past_the_bus_it_happened_when_it_came_to_the_queue() -> None:
    an_order("f-direct", OrderStatus.PROCESSING)
    record = message(json.dumps(undated("f-direct", "packed")))
    record["attributes"]["SentTimestamp"] = "1795183261000"
    assert take(record) == []
    assert orders.history(OrderId("f-direct"))[-1].metadata["reported_at"] == "2026-11-20T14:01:01.000Z"


def test_an_event_without_time_and_id_counts_once_however_often_and_late_it_is_sent() -> None:
    an_order("f-again", OrderStatus.PROCESSING)
    first = message(undated("f-again", "packed"))
    again = message(json.dumps({"detail-type": "x", "time": "2027-01-01T00:00:00Z", "detail": undated("f-again", "packed")}))
    again["attributes"]["SentTimestamp"] = "1895183261000"
    assert take(first) == take(first) == take(again) == []
    recorded = [event for event in orders.history(OrderId("f-again")) if event.type is EventType.PACKAGE_PREPARED]
    assert len(recorded) == 1


def test_cash_on_delivery_end_to_end(capsys: pytest.CaptureFixture[str]) -> None:
    an_order("f-cod", OrderStatus.CONFIRMED, PaymentMethod.CASH_ON_DELIVERY)
    seen = []
    for status in ("planning", "picking", "shipped", "completed"):
        assert take(message(a_warehouse_event("f-cod", status))) == []
        seen.append(orders.load_order(OrderId("f-cod")).status.value)
    assert seen == ["PROCESSING", "PROCESSING", "SHIPPED", "DELIVERED"]
    payment = orders.load(OrderId("f-cod")).payment
    assert payment
    assert payment.status is PaymentStatus.COMPLETED
    assert ledgers.entry(keys.charge_key(payment.payment_id))
    said = metrics(capsys.readouterr().out)
    assert said["fulfillment_status_events_consumed_total"] == [1.0]
    assert said["order_status_updates_from_fulfillment_total"] == [1.0]
    assert 0 < said["fulfillment_event_processing_duration_seconds"][0] < 30
    assert 2 <= said["fulfillment_event_age_seconds"][0] < 30


def test_one_bad_event_does_not_keep_the_others_of_its_batch() -> None:
    for name in ("f-2", "f-3"):
        an_order(name, OrderStatus.PROCESSING)
    batch = [
        message(a_warehouse_event("f-2", "shipped"), 1),
        received("{", 2),
        received(a_warehouse_event("nobody-s", "shipped"), 3),
        received(a_warehouse_event("f-2", "shipped", event_type="something.else"), 4),
        received(a_warehouse_event("f-2", "shipped", timestamp="yesterday"), 5),
        received("5", 6),
        received(json.dumps({"detail-type": "fulfillment.status_changed"}), 7),
        message(a_warehouse_event("f-3", "shipped"), 8),
    ]
    assert take(*batch) == ["2", "3", "4", "5", "6", "7"]
    assert {orders.load_order(OrderId(name)).status for name in ("f-2", "f-3")} == {OrderStatus.SHIPPED}


def test_what_can_never_be_applied_is_found_out_within_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    monkeypatch.setattr("orders.adapters.queues.hold_back", lambda _url, _handle, seconds: held.append(seconds))
    for tries in range(1, 6):
        assert take(message(a_warehouse_event("nobody-s", "shipped"), tries=tries)) == ["1"]
    assert held == [1, 4, 10, 20, 20]
    assert sum(held[:4]) < 60


def test_a_fault_of_ours_is_given_the_queue_s_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    an_order("f-4", OrderStatus.PROCESSING)

    def busy(*_: object) -> Snapshot:
        raise StoreBusy("throttled")

    monkeypatch.setattr("orders.adapters.queues.hold_back", lambda *_: pytest.fail("it is held back"))
    without_pauses(monkeypatch)
    monkeypatch.setattr("orders.adapters.store.orders.load", busy)
    assert take(message(a_warehouse_event("f-4", "shipped"))) == ["1"]


def test_an_early_event_is_held_back_in_the_queue() -> None:
    record = received(a_warehouse_event("soon", "shipped"), tries=1)
    assert take(record) == ["1"]
    queue = boto3.client("sqs").get_queue_attributes(QueueUrl=settings.fulfillment_events_url(), AttributeNames=["All"])
    assert int(queue["Attributes"]["ApproximateNumberOfMessagesNotVisible"]) >= 1


def test_what_a_person_hands_over_has_no_receipt_and_is_not_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orders.adapters.queues.hold_back", lambda *_: pytest.fail("it is held back"))
    assert take(message(a_warehouse_event("nobody-s", "shipped")) | {"receiptHandle": ""}) == ["1"]


def test_a_late_cancelled_is_refused_reported_and_not_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    an_order("f-5", OrderStatus.SHIPPED)
    assert take(message(a_warehouse_event("f-5", "cancelled"))) == []
    assert orders.load_order(OrderId("f-5")).status is OrderStatus.SHIPPED
    assert orders.history(OrderId("f-5"))[-1].type is EventType.FULFILLMENT_REFUSED
    assert metrics(capsys.readouterr().out)["invalid_transitions_total"] == [1.0]


# --- the carriers' door -----------------------------------------------------------------------------------------------


def report(carrier: str, body: bytes, headers: Mapping[str, str], *, encoded: bool = False) -> tuple[int, Any]:
    text = base64.b64encode(body).decode() if encoded else body.decode()
    event = http_event("POST /carriers/{carrier}/events", path={"carrier": carrier}, headers=headers, body=text)
    answer = invoke("receive_carrier_event", event | {"isBase64Encoded": encoded})
    return answer["statusCode"], json.loads(answer["body"])


def easypost(tracking_number: str, status: str, at: datetime, event_id: str = "evt_1") -> tuple[bytes, dict[str, str]]:
    detail = {"datetime": timestamp(at), "tracking_location": {"city": "Köln", "country": "DE"}}
    tracker = {"object": "Tracker", "tracking_code": tracking_number, "status": status, "tracking_details": [detail]}
    body = json.dumps({"id": event_id, "object": "Event", "result": tracker | {"carrier": "DHL"}}, ensure_ascii=False).encode()
    digest = hmac.new(CARRIER_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return body, {"x-hmac-signature": f"hmac-sha256-hex={digest}"}


def number_of(order_id: str) -> str:
    shipment = orders.load(OrderId(order_id)).shipment
    assert shipment
    assert shipment.tracking_number
    return shipment.tracking_number


@pytest.mark.parametrize("encoded", [False, True], ids=["text", "base64"])
def test_a_scan_becomes_an_event_on_the_bus(events: FakeBus, encoded: bool) -> None:
    order_id = an_order(f"c-{encoded}", OrderStatus.SHIPPED)
    at = utc_now() - timedelta(minutes=5)
    body, headers = easypost(number_of(order_id), "out_for_delivery", at)
    assert report("easypost", body, headers, encoded=encoded) == (200, {"accepted": True})
    (entry,) = events.taken
    assert (entry["Source"], entry["DetailType"]) == ("orders.carriers", "fulfillment.status_changed")
    (detail,) = events.details()
    assert (detail["order_id"], detail["new_status"], detail["event_id"]) == (order_id, "shipped", "easypost:evt_1")
    assert detail["timestamp"] == timestamp(at), "the scan's own time"
    assert take(message(detail)) == []
    shipment = orders.load(OrderId(order_id)).shipment
    assert shipment
    assert (shipment.status, shipment.current_location) == (ShipmentStatus.OUT_FOR_DELIVERY, "Köln, DE")
    assert orders.load_order(OrderId(order_id)).status is OrderStatus.SHIPPED


def test_a_bad_signature_is_401_and_leaves_no_trace(events: FakeBus) -> None:
    order_id = an_order("c-forged", OrderStatus.SHIPPED)
    body, headers = easypost(number_of(order_id), "delivered", utc_now())
    for forged in ({}, {"x-hmac-signature": ""}, {"x-hmac-signature": headers["x-hmac-signature"][:-1] + "x"}):
        status, problem = report("easypost", body, forged)
        assert (status, problem["code"]) == (401, "UNAUTHENTICATED")
    assert report("easypost", body + b" ", headers)[0] == 401
    assert events.taken == []
    assert scans.of_parcel(TrackingNumber(number_of(order_id))) == []


def test_an_unknown_parcel_and_a_duplicate_are_200(events: FakeBus) -> None:
    body, headers = easypost("EZ-NOBODY-S", "delivered", utc_now())
    assert report("easypost", body, headers) == (200, {"accepted": False})
    assert events.taken == []
    order_id = an_order("c-twice", OrderStatus.SHIPPED)
    body, headers = easypost(number_of(order_id), "delivered", utc_now())
    for _ in range(3):
        assert report("easypost", body, headers) == (200, {"accepted": True})
    assert len(scans.of_parcel(TrackingNumber(number_of(order_id)))) == 1
    assert take(*(message(detail, number) for number, detail in enumerate(events.details()))) == []
    assert [event.type for event in orders.history(OrderId(order_id))].count(EventType.ORDER_DELIVERED) == 1


def test_what_tells_nothing_of_a_parcel_is_200(events: FakeBus) -> None:
    body, headers = easypost("EZ-1", "unknown", utc_now())
    assert report("easypost", body, headers) == (200, {"accepted": False})


def test_an_unknown_carrier_is_404_and_a_huge_body_413(events: FakeBus) -> None:
    assert report("pigeon", b"{}", {})[0] == 404
    assert report("easypost", b" " * 300_000, {})[0] == 413


def test_a_signed_body_that_is_no_event_is_400(events: FakeBus) -> None:
    body = b'{"id": "evt_1"}'
    digest = hmac.new(CARRIER_SECRET.encode(), body, hashlib.sha256).hexdigest()
    status, problem = report("easypost", body, {"x-hmac-signature": f"hmac-sha256-hex={digest}"})
    assert (status, problem["code"]) == (400, "INVALID_ARGUMENT")


def test_a_scan_of_shippo_s_example_is_kept_though_it_is_years_old(events: FakeBus) -> None:
    body = (DATA / "shippo/track_updated.docs-example.json").read_bytes()
    sent = str(int(utc_now().timestamp()))
    digest = hmac.new(SECRET.encode(), sent.encode() + b"." + body, hashlib.sha256).hexdigest()
    secrets = boto3.client("secretsmanager")
    secrets.create_secret(Name=f"{settings.carrier_secrets_prefix()}shippo", SecretString=SECRET)
    assert report("shippo", body, {"shippo-auth-signature": f"t={sent},v1={digest}"}) == (200, {"accepted": False})
    number = json.loads(body)["data"]["tracking_number"]
    (kept,) = scans.of_parcel(number)
    assert kept["timestamp"] == "2016-07-23T00:00:00.000Z"
    item = table.client().scan(
        TableName="orders",
        FilterExpression="PK = :pk",
        ExpressionAttributeValues={":pk": {"S": f"TRACKING#{number}"}},
    )["Items"][0]
    assert int(item["expires_at_epoch"]["N"]) > utc_now().timestamp(), "kept from its arrival on, not from the scan"


# --- what was missed --------------------------------------------------------------------------------------------------


def test_sync_makes_up_for_what_was_lost_on_its_way(events: FakeBus) -> None:
    order_id = an_order("m-1", OrderStatus.SHIPPED)
    number, now = number_of(order_id), utc_now()
    for count, (status, minutes) in enumerate([("out_for_delivery", 20), ("in_transit", 40), ("delivered", 10)]):
        body, headers = easypost(number, status, now - timedelta(minutes=minutes), f"evt_{count}")
        assert report("easypost", body, headers)[0] == 200
    # The bus lost every one of them.
    after = recovery.sync(OrderId(order_id), "sue")
    assert after.order.status is OrderStatus.DELIVERED
    assert after.shipment
    assert after.shipment.status is ShipmentStatus.DELIVERED
    version = orders.load_order(OrderId(order_id)).version
    # And brings them after all.
    assert take(*(message(detail, place) for place, detail in enumerate(events.details()))) == []
    recovery.sync(OrderId(order_id), "sue")
    assert orders.load_order(OrderId(order_id)).version == version, "repetition is harmless"


def test_a_scan_that_came_before_we_knew_the_parcel_is_found_by_sync(events: FakeBus) -> None:
    order_id = an_order("m-2", OrderStatus.PROCESSING)
    body, headers = easypost("DHL-EARLY", "delivered", utc_now(), "evt_early")
    assert report("easypost", body, headers) == (200, {"accepted": False})
    shipped = a_warehouse_event(order_id, "shipped", metadata={"carrier": "DHL", "tracking_number": "DHL-EARLY"})
    assert take(message(shipped)) == []
    assert recovery.sync(OrderId(order_id), "sue").order.status is OrderStatus.DELIVERED
    assert orders.history(OrderId(order_id))[-1].by == "carrier:easypost"


def test_the_sweep_makes_up_for_it_too_once_the_parcel_is_overdue(events: FakeBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELIVERY_MODE", "carrier")
    forget_settings()
    lost, silent = an_order("m-3", OrderStatus.SHIPPED), an_order("m-4", OrderStatus.SHIPPED)
    body, headers = easypost(number_of(lost), "delivered", utc_now(), "evt_lost")
    assert report("easypost", body, headers)[0] == 200
    overdue = utc_now() + timedelta(days=15)
    recovery.sweep(clock=lambda: overdue)
    assert orders.load_order(OrderId(lost)).status is OrderStatus.DELIVERED
    order = orders.load_order(OrderId(silent))
    assert order.status is OrderStatus.SHIPPED, "not delivered by default"
    assert orders.history(OrderId(silent))[-1].type is EventType.DELIVERY_OVERDUE
    assert order.due_at
    assert order.due_at > overdue, "and looked at again"
    another = an_order("m-5", OrderStatus.SHIPPED)
    recovery.sweep(clock=lambda: overdue)
    assert overdue_orders(overdue) == [silent, another]
    assert overdue_orders(utc_now()) == []
    forget_settings()


def overdue_orders(now: datetime) -> list[str]:
    """As support finds them, page by page."""
    found, after = list[str](), None
    while True:
        page = listing.overdue_page(now, 1, after, timedelta(seconds=settings.waits().delivery))
        found += [listed.order.order_id for listed in page.found]
        if (after := page.following) is None:
            return [order_id for order_id in found if order_id.startswith("m-")]


# --- whose parcel it is ---


def generic(tracking_number: str, status: str, event_id: str = "g-1") -> tuple[bytes, dict[str, str]]:
    told = {"tracking_number": tracking_number, "status": status, "scanned_at": timestamp(utc_now()), "event_id": event_id}
    body, now = json.dumps(told).encode(), utc_now()
    signature = Signer(GENERIC_SECRET).sign("msg-1", now, body.decode())
    return body, {"webhook-id": "msg-1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}


def shipment_of(order_id: str) -> Shipment:
    shipment = orders.load(OrderId(order_id)).shipment
    assert shipment
    return shipment


def test_a_sender_moves_its_own_parcels_only(events: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    order_id = an_order("own", OrderStatus.SHIPPED)
    body, headers = easypost(number_of(order_id), "in_transit", utc_now())
    assert report("easypost", body, headers) == (200, {"accepted": True})
    assert take(message(events.details()[0])) == []
    before = shipment_of(order_id)
    assert before.sender == "easypost"
    kept = scans.of_parcel(TrackingNumber(number_of(order_id)))
    capsys.readouterr()
    body, headers = generic(number_of(order_id), "DELIVERED")
    assert report("generic", body, headers) == (200, {"accepted": False})
    assert metrics(capsys.readouterr().out)["carrier_reports_of_foreign_parcels_total"] == [1.0]
    assert len(events.taken) == 1
    assert scans.of_parcel(TrackingNumber(number_of(order_id))) == kept, "nothing that a sync could apply later"
    assert shipment_of(order_id) == before


@pytest.mark.parametrize("named_by", ["booking", "warehouse"])
def test_a_parcel_that_names_its_sender_waits_for_that_one(
    events: FakeBus, monkeypatch: pytest.MonkeyPatch, named_by: str
) -> None:
    if named_by == "booking":
        booked = Booking("SimEx", TrackingNumber("EZ-NAMED-1"), "generic")
        monkeypatch.setattr(SimulatedCarrier, "book", lambda *_: booked)
        order_id = an_order("named-booking", OrderStatus.SHIPPED)
    else:
        order_id = an_order("named-warehouse", OrderStatus.PROCESSING)
        told = {"tracking_number": "EZ-NAMED-2", "carrier": "DHL", "sender": "generic"}
        assert take(message(a_warehouse_event(order_id, "shipped", metadata=told))) == []
    body, headers = easypost(number_of(order_id), "delivered", utc_now())
    assert report("easypost", body, headers) == (200, {"accepted": False})
    body, headers = generic(number_of(order_id), "DELIVERED")
    assert report("generic", body, headers) == (200, {"accepted": True})
    assert take(message(events.details()[-1])) == []
    assert orders.load_order(OrderId(order_id)).status is OrderStatus.DELIVERED


@pytest.mark.parametrize("status", ["delivered", "return_to_sender", "in_transit"])
def test_of_two_senders_that_report_at_once_the_first_that_is_taken_counts(events: FakeBus, status: str) -> None:
    order_id = an_order(f"race-{status}", OrderStatus.SHIPPED)
    first = generic(number_of(order_id), "IN_TRANSIT")
    second = easypost(number_of(order_id), status, utc_now())
    assert report("generic", *first) == (200, {"accepted": True})
    assert report("easypost", *second) == (200, {"accepted": True})
    mine, theirs = events.details()
    assert take(message(mine)) == []
    before = shipment_of(order_id)
    assert take(message(theirs), message(theirs, 2)) == []
    assert shipment_of(order_id) == before
    order = orders.load_order(OrderId(order_id))
    assert order.status is OrderStatus.SHIPPED
    last = orders.history(OrderId(order_id))[-1]
    assert (last.type, last.by) == (EventType.FULFILLMENT_REFUSED, "carrier:easypost")
    assert order.version == last.version, "refused once, however often it is delivered"
    assert inbound.replay(orders.load(OrderId(order_id))) is False


def test_a_scan_is_believed_of_the_pipeline_s_receiver_only(events: FakeBus) -> None:
    order_id = an_order("forged-scan", OrderStatus.SHIPPED)
    body, headers = easypost(number_of(order_id), "out_for_delivery", utc_now())
    assert report("easypost", body, headers)[0] == 200
    (detail,) = events.details()
    before = shipment_of(order_id)
    for number, forged in enumerate((on_bus(detail, "warehouse"), on_bus(detail, "Orders.Carriers"), json.dumps(detail))):
        told = json.loads(forged)
        inner = told.get("detail", told)
        inner["event_id"] = f"forged-{number}"
        assert take(message(json.dumps(told))) == []
        assert replace(shipment_of(order_id), fulfillment_id=None) == before, "only the warehouse's name for it is new"
        assert orders.history(OrderId(order_id))[-1].by == "fulfillment"
    assert take(message(detail)) == []
    assert shipment_of(order_id).status is ShipmentStatus.OUT_FOR_DELIVERY


HOSTILE = {
    "nested": "[" * 100_000,
    "a lone surrogate": json.dumps({"order_id": "\ud800"}),
    "5,000 digits": '{"detail-type": "x", "detail": ' + "9" * 5_000 + "}",
    "no object": '"text"',
    "nothing": "",
}
SHIPPED_BADLY = {
    "large metadata": {"metadata": {"note": "x" * 9_000}},
    "a surrogate in the metadata": {"metadata": {"note": "\ud800"}},
    "nested metadata": {"metadata": json.loads("[" * 400 + "]" * 400)},
    "not a number": {"metadata": {"weight": float("nan")}},
    "a carrier that is no text": {"metadata": {"carrier": {"name": "DHL"}}},
    "200 kB of carrier": {"metadata": {"carrier": "x" * 200_000}},
    "a tracking number with a break": {"metadata": {"tracking_number": "A\nB"}},
    "an unknown sender": {"metadata": {"sender": "mallory"}},
    "a long id": {"event_id": "x" * 201},
    "a time that is none in UTC": {"timestamp": "0001-01-01T00:00:00+14:00"},
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_what_cannot_be_read_comes_again_and_ends_as_a_dead_letter(events: FakeBus, body: str) -> None:
    good = a_warehouse_event(an_order(f"beside-{len(body)}", OrderStatus.PROCESSING), "picked")
    assert take(message(body, 1), message(good, 2)) == ["1"], "and holds up nobody else"


@pytest.mark.parametrize("said", SHIPPED_BADLY.values(), ids=SHIPPED_BADLY)
def test_what_could_not_be_stored_is_not_applied(events: FakeBus, said: dict[str, Any]) -> None:
    order_id = an_order(f"bad-{abs(hash(str(said))) % 10**9}", OrderStatus.PROCESSING)
    before = orders.load(OrderId(order_id))
    assert take(message(a_warehouse_event(order_id, "shipped", **said))) == ["1"]
    assert orders.load(OrderId(order_id)) == before
