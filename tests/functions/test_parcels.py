"""A parcel's way by the doors that carriers, the warehouse and staff have, and what its order and its timeline make of it."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from standardwebhooks import Webhook as Signer

from orders import settings
from orders.adapters.store import orders, scans
from orders.domain.errors import DeliveryPending
from orders.domain.events import FollowUp
from orders.domain.identifiers import OrderId, TrackingNumber
from orders.domain.order import timestamp
from orders.domain.statuses import OrderStatus, PaymentStatus, ShipmentStatus
from orders.domain.waits import LONGEST
from orders.services import recovery
from orders.services.changes import utc_now
from tests.harness.caches import forget_settings
from tests.harness.events import ALL_TAKEN, a_batch, a_message, on_bus
from tests.harness.world import CUSTOMER, FULFIL, STRANGER, Answer, World, in_a_while

SECRET = base64.b64encode(b"what the carriers of these tests sign with").decode()
RETURNED = "POST /orders/{id}/shipments/{shipment_id}/returned"
CARRIERS = "POST /carriers/{carrier}/events"
AT = utc_now().replace(microsecond=0) - timedelta(hours=2)


@pytest.fixture(autouse=True)
def _secrets(world: World) -> Iterator[None]:
    client = boto3.client("secretsmanager")
    names = [f"{settings.carrier_secrets_prefix()}{carrier}" for carrier in ("easypost", "shippo", "generic")]
    for name in names:
        client.create_secret(Name=name, SecretString=SECRET)
    yield
    for name in names:
        client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


@pytest.fixture
def by_carrier(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Only the carrier says that a parcel has arrived."""
    monkeypatch.setenv("DELIVERY_MODE", "carrier")
    forget_settings()
    yield
    forget_settings()


def at(minutes: int) -> datetime:
    return AT + timedelta(minutes=minutes)


def number_of(world: World) -> str:
    shipment = world.snapshot("order-1").shipment
    assert shipment
    assert shipment.tracking_number
    return shipment.tracking_number


def post(world: World, carrier: str, event: Any, headers: dict[str, str] | None = None, **more: Any) -> Answer:
    """What a carrier sends, taken from the door to the order; with ``headers`` it is signed by the caller."""
    body = json.dumps(event)
    published = len(world.bus.taken)
    signed = headers if headers is not None else signatures(carrier, body)
    answer = world.http(CARRIERS, {"carrier": carrier}, raw=body, headers=signed, by=None, **more)
    for entry in world.bus.taken[published:]:
        record = a_message(on_bus(json.loads(entry["Detail"]), entry["Source"]))
        assert world.invoke("on_fulfillment_event", a_batch([record])) == ALL_TAKEN
    return answer


def signatures(carrier: str, body: str) -> dict[str, str]:
    now = utc_now()
    if carrier == "easypost":
        return {"x-hmac-signature": f"hmac-sha256-hex={hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()}"}
    return {
        "webhook-id": "msg-1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(SECRET).sign("msg-1", now, body),
    }


def report(world: World, status: str, minutes: int = 0, number: str | None = None, **more: Any) -> None:
    event = {"event_id": f"{status}-{minutes}", "tracking_number": number or number_of(world), "status": status}
    answer = post(world, "generic", event | {"scanned_at": timestamp(at(minutes))} | more)
    assert (answer.status, answer.body) == (200, {"accepted": True})


def shown(world: World) -> dict[str, Any]:
    """The parcel as its customer sees it."""
    view: dict[str, Any] = world.http("GET /orders/{id}", "order-1", by=CUSTOMER).body["shipment"]
    return view


def path(world: World) -> dict[str, str]:
    shipment = world.snapshot("order-1").shipment
    return {"id": "order-1", "shipment_id": shipment.shipment_id if shipment else "none"}


# --- back to the sender ---


@pytest.mark.parametrize("who", ["support", "admin", "warehouse"])
def test_whoever_has_the_parcel_back_says_so_and_the_money_follows(world: World, who: str) -> None:
    world.live(OrderStatus.SHIPPED)
    report(world, "RETURNING", 10, location="Leeds", message="Refused by the addressee")
    assert (world.order().status, shown(world)["status"]) == (OrderStatus.SHIPPED, "RETURNING")
    answer = world.http(RETURNED, path(world), {"reason": "box is torn"}, by="wim", groups=[who])
    assert answer.status == 200, answer.text
    assert (answer.order["status"], answer.body["shipment"]["status"]) == ("RETURNED", "RETURNED_TO_SENDER")
    assert ("tracking_url" in answer.body) == (who != "warehouse"), "a link shows more than a warehouse may see"
    world.follow_up("order-1")
    world.unwind("order-1")
    payment = world.snapshot("order-1").payment
    assert payment
    assert payment.status is PaymentStatus.REFUNDED
    world.add_up()
    again = world.http(RETURNED, path(world), by="wim", groups=[who])
    assert (again.status, again.code) == (409, "FAILED_PRECONDITION")


@pytest.mark.parametrize("status", [OrderStatus.PENDING, OrderStatus.PROCESSING, OrderStatus.DELIVERED])
def test_only_a_parcel_on_its_way_comes_back(world: World, status: OrderStatus) -> None:
    world.live(status)
    answer = world.http(RETURNED, path(world), by="wim", groups=["warehouse"])
    assert answer.status == (409 if status is OrderStatus.DELIVERED else 404)
    assert world.order().status is status


def test_a_parcel_of_another_id_is_not_found_and_another_version_not_changed(world: World) -> None:
    world.live(OrderStatus.SHIPPED)
    staff: dict[str, Any] = {"by": "grace", "groups": ["support"]}
    assert world.http(RETURNED, {"id": "order-1", "shipment_id": "another"}, **staff).code == "NOT_FOUND"
    assert world.http(RETURNED, path(world), headers={"if-match": '"1"'}, **staff).status == 412
    for caller in ({"by": CUSTOMER}, {"by": STRANGER}, {"by": "carl", "groups": ["carrier"]}):
        assert world.http(RETURNED, path(world), **caller).status == 403
    assert world.order().status is OrderStatus.SHIPPED


def test_a_delivery_of_a_parcel_on_its_way_back_stays_overdue_until_staff_have_said(world: World) -> None:
    world.live(OrderStatus.SHIPPED)
    report(world, "RETURNING", 10)
    report(world, "DELIVERED", 20)
    for later in (0, 3600, 86_400):
        recovery.sweep(clock=lambda later=later: utc_now() + timedelta(seconds=later))  # type: ignore[misc]
        overdue = world.support("GET /orders", query={"overdue": "true"}).body["orders"]
        assert [order["order_id"] for order in overdue] == ["order-1"]
    assert world.order().status is OrderStatus.SHIPPED
    assert world.order().run == 1, "there is nothing to be started again"
    assert world.support("GET /orders/{id}", "order-1").body["shipment"]["unconfirmed_delivery_at"] == timestamp(at(20))
    assert "unconfirmed_delivery_at" not in shown(world)
    assert world.support("POST /orders/{id}/delivered", "order-1", {}).status == 200
    assert shown(world)["delivered_at"] == timestamp(at(20)), "the scan's time"
    assert world.support("GET /orders", query={"overdue": "true"}).body["orders"] == []


@pytest.mark.parametrize("status", ["RETURNING", "LOST"])
def test_no_timer_delivers_a_parcel_that_is_lost_or_on_its_way_back(world: World, status: str) -> None:
    world.live(OrderStatus.SHIPPED)
    report(world, status, 10)
    the_transit_ends(world)
    order, waits = world.order(), json.loads(world.executions.executions[f"{FULFIL}:_2_order-1"]["input"])["waits"]
    assert (order.status, order.run) == (OrderStatus.SHIPPED, 2), "its execution waits, and does not end as if it had arrived"
    assert waits["delivery"] == waits["transit"] == LONGEST
    assert recovery.sweep(clock=in_a_while(86_400)).overdue == 1
    assert (world.trail()[-1], world.order().run) == ("DELIVERY_OVERDUE", 2)
    assert world.http("GET /orders/{id}/status", "order-1").body["estimated_completion"] is None


def test_a_parcel_that_is_found_again_is_delivered_by_the_timer(world: World) -> None:
    world.live(OrderStatus.SHIPPED)
    report(world, "LOST", 10)
    the_transit_ends(world)
    world.executions.waiting.add("second")
    world.step("ship_parcel", task_token="second", transit=LONGEST, run=2)
    report(world, "IN_TRANSIT", 20)
    later = in_a_while(86_400)
    recovery.follow_up(OrderId("order-1"), FollowUp.ANSWER_DELIVERED)
    assert "second" in world.executions.waiting, "the transit is not over"
    recovery.follow_up(OrderId("order-1"), FollowUp(world.items("order-1", "EVENT#")[-1]["follow_up"]["S"]), later)
    assert world.executions.answers["second"]["shipment"]["status"] == "IN_TRANSIT"
    world.step("deliver_order")
    assert (world.order().status, world.order().run) == (OrderStatus.DELIVERED, 2)
    world.add_up()


def the_transit_ends(world: World) -> None:
    """The timer of the first run; what becomes of its failure, and what follows."""
    with pytest.raises(DeliveryPending):
        world.step("deliver_order")
    failure = {"Error": DeliveryPending.__name__, "Cause": "{}"}
    report = world.step("begin_unwinding", so_far={"failure": failure}, run=1)
    assert (report["error"], report["status"]) == ("replaced", "SHIPPED")
    world.follow_up()


# --- the timeline ---


def test_every_scan_is_on_the_timeline_that_owner_staff_and_tracking_link_see(world: World) -> None:
    world.live(OrderStatus.SHIPPED)
    report(world, "OUT_FOR_DELIVERY", 30, location="London, GB", message="With the courier")
    report(world, "IN_TRANSIT", 10, location="Hamburg, DE", message="Departed facility")
    report(world, "ATTEMPTED", 40, location="London, GB", message="Nobody at home")
    expected = [
        (10, "IN_TRANSIT", "Hamburg, DE", "Departed facility"),
        (30, "OUT_FOR_DELIVERY", "London, GB", "With the courier"),
        (40, "ATTEMPTED", "London, GB", "Nobody at home"),
    ]
    scans = [
        {"at": timestamp(at(minutes)), "status": status, "location": location, "message": message}
        for minutes, status, location, message in expected
    ]
    assert shown(world)["scans"] == scans
    assert shown(world)["status"] == "ATTEMPTED"
    assert world.support("GET /orders/{id}", "order-1").body["shipment"]["scans"] == scans
    listed = world.http("GET /orders", query={"expand": "shipments"}).body["orders"]
    assert listed[0]["shipments"][0]["scans"] == scans
    for caller in ({"by": CUSTOMER}, {"by": "grace", "groups": ["support"]}):
        history = world.http("GET /orders/{id}/history", "order-1", **caller).body["history"]
        told = [scan for event in history for scan in event["metadata"].get("scans", ())]
        assert sorted(told, key=lambda scan: str(scan["at"])) == scans


def tracker(world: World, status: str, *details: tuple[str, int], **more: Any) -> dict[str, Any]:
    """An EasyPost event whose tracker lists details, each a status and its minutes."""
    listed = [
        {
            "status": said,
            "datetime": timestamp(at(minutes)),
            "message": f"{said} at {minutes}",
            "tracking_location": {"city": "Leeds"},
        }
        for said, minutes in details
    ]
    tracked = {"object": "Tracker", "tracking_code": number_of(world), "status": status, "tracking_details": listed}
    return {"id": f"evt-{status}-{len(details)}", "result": tracked | more}


def test_a_tracker_s_details_that_were_missed_are_on_the_timeline_and_each_once_on_the_trail(world: World) -> None:
    world.live(OrderStatus.SHIPPED)
    first = [("pre_transit", 1), ("in_transit", 2), ("in_transit", 3)]
    assert post(world, "easypost", tracker(world, "in_transit", *first)).body == {"accepted": True}
    second = [*first, ("out_for_delivery", 4), ("available_for_pickup", 5)]
    assert post(world, "easypost", tracker(world, "available_for_pickup", *second)).body == {"accepted": True}
    assert [scan["message"] for scan in shown(world)["scans"]] == [f"{status} at {minutes}" for status, minutes in second]
    history = world.http("GET /orders/{id}/history", "order-1").body["history"]
    told = [[scan["message"] for scan in event["metadata"]["scans"]] for event in history if "scans" in event["metadata"]]
    assert told == [[f"{s} at {m}" for s, m in first], [f"{s} at {m}" for s, m in second[3:]]]


def test_the_scan_that_is_taken_agrees_with_the_tracker(world: World) -> None:
    world.live(OrderStatus.SHIPPED)
    details = [("in_transit", 2), ("delivered", 3), ("in_transit", 4)]
    post(world, "easypost", tracker(world, "delivered", *details))
    assert (shown(world)["status"], shown(world)["delivered_at"]) == ("DELIVERED", timestamp(at(3)))


@pytest.mark.parametrize("status", ["error", "cancelled"])
def test_what_easypost_says_of_its_tracker_is_recorded_and_moves_nothing(world: World, status: str) -> None:
    world.live(OrderStatus.SHIPPED)
    before = world.snapshot("order-1")
    assert post(world, "easypost", tracker(world, status, updated_at=timestamp(at(1)))).body == {"accepted": True}
    after = world.snapshot("order-1")
    assert after.order.status is before.order.status
    assert after.shipment
    assert before.shipment
    assert (after.shipment.status, after.shipment.scans) == (before.shipment.status, ())
    last = world.http("GET /orders/{id}/history", "order-1").body["history"][-1]
    assert (last["event_type"], last["metadata"]["fulfillment_status"]) == ("FULFILLMENT_RECORDED", f"tracker_{status}")


# --- Shippo's unsigned webhooks ---


def track_updated(world: World, **scan: Any) -> dict[str, Any]:
    latest = {"object_id": "scan-1", "status": "TRANSIT", "status_date": timestamp(at(1)), "status_details": "On the way"}
    return {"event": "track_updated", "data": {"tracking_number": number_of(world), "tracking_status": latest | scan}}


def test_shippo_s_own_webhook_is_known_by_the_secret_in_its_url(world: World) -> None:
    world.live(OrderStatus.SHIPPED)
    event = track_updated(world)
    answer = post(world, "shippo", event, {}, query={"token": SECRET})
    assert (answer.status, answer.body) == (200, {"accepted": True})
    assert [scan["message"] for scan in shown(world)["scans"]] == ["On the way"]
    for token in (SECRET[:-1], f"{SECRET}x", SECRET.lower(), "ü"):
        assert post(world, "shippo", event, {}, query={"token": token}).status == 401
    assert post(world, "shippo", event, {}).status == 401
    assert post(world, "shippo", event, {}, query={"token": SECRET, "secret": "x"}).status == 400


def test_no_other_carrier_is_known_by_a_token(world: World) -> None:
    world.live(OrderStatus.SHIPPED)
    for carrier in ("easypost", "generic"):
        assert post(world, carrier, tracker(world, "delivered"), {}, query={"token": SECRET}).status == 401
    assert world.order().status is OrderStatus.SHIPPED


def test_shippo_s_scans_of_one_second_are_told_apart_by_their_id(world: World) -> None:
    world.live(OrderStatus.SHIPPED)
    for number, words in ((1, "Arrived"), (2, "Departed"), (2, "Departed")):
        event = track_updated(world, object_id=f"scan-{number}", status_details=words)
        assert post(world, "shippo", event, {}, query={"token": SECRET}).status == 200
    assert {scan["message"] for scan in shown(world)["scans"]} == {"Arrived", "Departed"}
    assert world.trail().count("FULFILLMENT_RECORDED") == 2


# --- times and numbers as they are sent ---


def test_a_scan_without_a_time_was_seen_when_it_came_and_one_without_an_offset_in_utc(world: World) -> None:
    world.live(OrderStatus.SHIPPED)
    before = utc_now()
    told = {"estimated_delivery": (before + timedelta(days=2)).date().isoformat()}
    report(world, "IN_TRANSIT", 1, scanned_at="2026-01-02T03:04:05", **told)
    report(world, "OUT_FOR_DELIVERY", 2, scanned_at=None)
    first, second = shown(world)["scans"]
    assert first["at"] == "2026-01-02T03:04:05.000Z"
    assert timestamp(before) <= second["at"] <= timestamp(utc_now())
    assert shown(world)["estimated_delivery"] == f"{told['estimated_delivery']}T12:00:00.000Z"


@pytest.mark.parametrize("written", [str.lower, str.upper, lambda number: f" {number[:5]} {number[5:8]} {number[8:]}"])
def test_a_tracking_number_is_the_same_without_spaces_and_in_either_case(world: World, written: Any) -> None:
    world.live(OrderStatus.SHIPPED)
    number = number_of(world)
    report(world, "IN_TRANSIT", 1, written(number))
    assert shown(world)["status"] == "IN_TRANSIT"
    assert shown(world)["tracking_number"] == number, "it is shown as it was given"
    assert len(scans.of_parcel(TrackingNumber(number))) == 1


def completion(world: World) -> Any:
    return world.http("GET /orders/{id}/status", "order-1").body["estimated_completion"]


@pytest.mark.usefixtures("by_carrier")
def test_where_only_the_carrier_can_tell_nothing_is_expected_before_it_does(world: World) -> None:
    world.live(OrderStatus.SHIPPED)
    assert (shown(world)["estimated_delivery"], completion(world)) == (None, None)
    expected = timestamp(utc_now() + timedelta(days=2))
    report(world, "IN_TRANSIT", 1, estimated_delivery=expected)
    assert (shown(world)["estimated_delivery"], completion(world)) == (expected, expected)


def test_a_long_story_keeps_its_latest_scans(world: World) -> None:
    world.live(OrderStatus.SHIPPED)
    details = [("in_transit", minutes) for minutes in range(110)]
    post(world, "easypost", tracker(world, "in_transit", *details))
    seen = shown(world)["scans"]
    assert 20 < len(seen) <= 100
    assert seen[-1]["message"] == "in_transit at 109"
    assert [scan["at"] for scan in seen] == sorted(scan["at"] for scan in seen)
    assert orders.load(OrderId("order-1")).shipment.status is ShipmentStatus.IN_TRANSIT  # type: ignore[union-attr]
