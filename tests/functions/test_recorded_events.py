"""Every function answers the events recorded in ``events/`` as it should; ``docs/invoke.md`` says how to send one by hand.

A file is named for its function, and for the case where a function has several. What an event needs is put into the table
first; what cannot be recorded, because it expires or has to be signed anew, is filled in here.
"""

import importlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from types import SimpleNamespace
from typing import Any

import boto3
import jwt
import pytest
from moto import mock_aws

from local.api_gateway.keys import as_gateway
from orders import settings
from orders.adapters import secret_store
from orders.adapters.store import catalog, counters, deliveries, keys, ledgers, orders, table, webhooks
from orders.domain import outcomes
from orders.domain.actors import Actor
from orders.domain.address import Address
from orders.domain.analytics import CountedEvent
from orders.domain.events import ORDER_STATUS_CHANGED, EventType
from orders.domain.identifiers import OrderId
from orders.domain.money import Money
from orders.domain.products import Product
from orders.domain.shortage import ShortagePolicy
from orders.domain.statuses import ApprovalStatus, OrderStatus, OverallStatus, PaymentStatus, ShipmentStatus
from orders.domain.steps import UNWINDING
from orders.domain.webhooks import Delivery, Secret, Webhook
from orders.services import charging, commands, fulfilling, handovers, holding
from orders.services.changes import SeenAt, utc_now
from orders.services.placing import place_order
from orders.web import tokens
from tests.harness.aws import STACK, deployed
from tests.harness.cloudformation import ROOT
from tests.harness.orders import a_request

EVENTS = ROOT / "events"
ORDER, OTHER = OrderId("order-1001"), OrderId("order-1002")
TRACKING_TOKEN = "(a tracking token)"
HOME = Address("Ada Lovelace", "12 St James's Square", "London", "SW1Y 4JH", "GB")
ADA = Actor("ada")

Answer = Any
Seed = Callable[[], object]
Expect = Callable[[Answer], object]


@pytest.fixture
def stack() -> Iterator[None]:
    """The deployed stack, with machines that rest: what they do is another test's business."""
    with mock_aws(), deployed():
        definition = json.dumps({"StartAt": "Rest", "States": {"Rest": {"Type": "Succeed"}}})
        client, role = boto3.client("stepfunctions"), "arn:aws:iam::123456789012:role/any"
        for machine in ("fulfil-order", "unwind-order"):
            client.create_state_machine(name=f"{STACK}-{machine}", definition=definition, roleArn=role)
        yield


# --- what an event needs ---


def nothing() -> None:
    """The catalog is there anyway."""


def placed(order_id: str = ORDER, token: str = "tok_ok", *, review: bool = False) -> None:
    pieces = {"prod-001": 2, "prod-002": 1}
    place_order(
        a_request(pieces, payment_token=token, order_id=OrderId(order_id), require_approval=review),
        ADA,
    )


def reserved() -> None:
    placed()
    fulfilling.reserve_stock(ORDER)


def under_review() -> None:
    placed(review=True)
    fulfilling.reserve_stock(ORDER)


def paid() -> None:
    reserved()
    charging.charge_payment(ORDER)


def to_be_confirmed() -> None:
    placed(token="tok_requires_action")
    fulfilling.reserve_stock(ORDER)
    charging.charge_payment(ORDER, waits=True)


def shipped() -> None:
    paid()
    handovers.ship_parcel(ORDER, None)


def tracked() -> None:
    """Shipped, under the tracking number of the recorded scan."""
    shipped()
    table.client().update_item(
        TableName=settings.table_name(),
        Key=keys.shipment_key(ORDER),
        UpdateExpression="SET tracking_number = :number, GSI1PK = :key",
        ExpressionAttributeValues={":number": {"S": "TRACK-RECORDED"}, ":key": {"S": "TRACKING#TRACK-RECORDED"}},
    )


def charge_refused() -> None:
    placed(token="tok_declined")
    fulfilling.reserve_stock(ORDER)
    with pytest.raises(Exception, match="declined"):
        charging.charge_payment(ORDER)


def unwinding_before(function: str) -> Seed:
    """Failed after its hand-over had begun, and unwound up to this function."""
    done = list(takewhile(lambda task: task.function != function, UNWINDING.values()))

    def seed() -> None:
        paid()
        commands.cancel(ORDER, ADA, None, SeenAt())
        for task in done:
            importlib.import_module(task.function).handler({"order_id": ORDER}, SimpleNamespace(aws_request_id="r"))

    return seed


def followed() -> None:
    placed()
    placed(OTHER)
    commands.cancel(OTHER, ADA, None, SeenAt())


def overdue() -> None:
    placed()
    table.client().update_item(
        TableName=settings.table_name(),
        Key=keys.order_key(ORDER),
        UpdateExpression="SET due_at = :past, GSI3SK = :sort",
        ExpressionAttributeValues={
            ":past": {"S": "2020-01-01T00:00:00.000Z"},
            ":sort": {"S": f"2020-01-01T00:00:00.000Z#{ORDER}"},
        },
    )


def subscribed() -> None:
    """Somebody wants to know of every change of status."""
    webhooks.add(
        Webhook("wh-1", "https://shop.example/orders", (ORDER_STATUS_CHANGED,), (Secret("whsec_c2VjcmV0"),), utc_now())
    )


def owed() -> None:
    """A delivery that failed once and is not due yet."""
    subscribed()
    later = utc_now() + timedelta(hours=2)
    deliveries.add([Delivery("wh-1", "delivery-1", ORDER_STATUS_CHANGED, "{}", utc_now(), next_attempt_at=later)])


def counted() -> None:
    placed()
    counters.count(0, [CountedEvent(ORDER, 1, "event-1", Counter({"placed": 1}))])


# --- what is to come of it ---


def answers(status: int, check: Expect = lambda body: True) -> Expect:
    """The HTTP answer's status, and what its body says."""

    def expect(answer: Answer) -> None:
        assert answer["statusCode"] == status, answer
        kind = answer.get("headers", {}).get("content-type", "")
        body = json.loads(answer["body"]) if "json" in kind else answer.get("body", "")
        assert check(body), body

    return expect


def refuses(status: int, code: str, field: str | None = None) -> Expect:
    """A problem, and the field it names."""

    def check(body: Any) -> bool:
        fields = [error["field"] for error in body.get("errors", [])]
        return body["code"] == code and (field is None or fields == [field])

    return answers(status, check)


def order_is(status: OrderStatus, **payload: Any) -> Expect:
    """The step's answer, and the row it left."""

    def expect(answer: Answer) -> None:
        snapshot = orders.load(ORDER)
        assert snapshot.order.status is status
        assert answer == outcomes.of(snapshot) | payload

    return expect


def order_shows(status: OrderStatus) -> Expect:
    return answers(200, lambda body: body["order"]["status"] == status.value)


def review_is_asked_for(answer: Answer) -> None:
    order = orders.load(ORDER).order
    assert answer == {}
    assert order.approval_token
    assert order.approval
    assert order.approval.status is ApprovalStatus.PENDING


def short() -> None:
    few = Product("prod-001", "Teapot", Money(1000, "USD"), 1)
    catalog.save_product(few)
    pieces = {"prod-001": 2, "prod-002": 1}
    place_order(a_request(pieces, order_id=OrderId(ORDER), on_shortage=ShortagePolicy.ASK), ADA)
    fulfilling.reserve_stock(ORDER)


def customer_is_asked(answer: Answer) -> None:
    order = orders.load(ORDER).order
    assert answer == {}
    assert order.is_asked
    assert order.shortage_token


def payment_is_awaited(answer: Answer) -> None:
    order = orders.load(ORDER).order
    assert answer == {}
    assert order.confirmation_token
    assert order.confirmation_due_at


def on_hold() -> None:
    placed()
    fulfilling.reserve_stock(ORDER)
    holding.hold(ORDER, Actor("grace", staff=True), "The address looks odd", SeenAt())


def release_is_awaited(answer: Answer) -> None:
    assert answer == {}
    assert orders.load(ORDER).order.release_token


def warehouse_is_awaited(answer: Answer) -> None:
    order = orders.load(ORDER).order
    assert answer == {}
    assert order.warehouse_token


def payment_is_confirmed(answer: Answer) -> None:
    assert answer == {"batchItemFailures": [{"itemIdentifier": "059f36b4-87a3-44ab-83d2-661975978122"}]}, "no such order"
    snapshot = orders.load(ORDER)
    assert snapshot.payment
    assert (snapshot.order.status, snapshot.payment.left) == (OrderStatus.PROCESSING, 3000)


def order_is_unwinding(answer: Answer) -> None:
    snapshot = orders.load(ORDER)
    assert (snapshot.order.status, snapshot.order.overall) == (OrderStatus.PENDING, OverallStatus.ROLLING_BACK)
    assert answer == outcomes.of(snapshot) | outcomes.why_not_fulfilled(snapshot.order)
    assert answer["error"] in ("payment_failed", "approval_timeout")


def payment_was_declined(answer: Answer) -> None:
    order_is_unwinding(answer)
    payment = orders.load(ORDER).payment
    assert payment
    assert (payment.status, payment.failure_reason) == (PaymentStatus.FAILED, "The card was declined.")


def executions(machine: str) -> list[str]:
    arn = f"arn:aws:states:us-east-1:123456789012:stateMachine:{STACK}-{machine}"
    found = boto3.client("stepfunctions").list_executions(stateMachineArn=arn)["executions"]
    return [execution["name"] for execution in found]


def what_follows_is_told(answer: Answer) -> None:
    assert executions("fulfil-order") == [ORDER]
    assert executions("unwind-order") == [], "nothing of the other order had taken effect"
    assert answer == {"batchItemFailures": [{"itemIdentifier": "4421584500000000017450439003"}]}, "one failed alone"


def money_is_back(answer: Answer) -> None:
    payment = orders.load(ORDER).payment
    assert payment
    assert payment.status is PaymentStatus.REFUNDED
    entry = ledgers.entry(keys.charge_key(payment.payment_id))
    assert entry
    assert entry.state == "refunded"


def goods_are_back(answer: Answer) -> None:
    assert catalog.product("prod-001").stock == 100


def order_is_closed(answer: Answer) -> None:
    order = orders.load(ORDER).order
    assert (order.status, order.overall) == (OrderStatus.CANCELLED, OverallStatus.ROLLED_BACK)


def order_is_restarted(answer: Answer) -> None:
    assert answer == {"looked_at": 1, "restarted": [ORDER], "failed": [], "throttled": 0, "cursor": None}
    assert orders.history(ORDER)[-1].type is EventType.WORKFLOW_RESTARTED


def order_is_checked(answer: Answer) -> None:
    assert answer == {"checked": ORDER}
    assert orders.load(ORDER).order.run == 2


def shipment_is_reported(answer: Answer) -> None:
    assert answer == {"batchItemFailures": [{"itemIdentifier": "059f36b4-87a3-44ab-83d2-661975978112"}]}, "no such order"
    assert orders.load(ORDER).order.status is OrderStatus.SHIPPED


def all_but(*failed: str) -> Expect:
    """A batch of which only these come again."""

    def expect(answer: Answer) -> None:
        assert answer == {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}

    return expect


def one_is_set_aside(answer: Answer) -> None:
    all_but()(answer)
    message = boto3.client("sqs").receive_message(QueueUrl=settings.unhandled_events_url())["Messages"][0]
    assert json.loads(message["Body"])["record"]["dynamodb"]["SequenceNumber"] == "4421584500000000017450440003"


def nothing_is_said(answer: Answer) -> None:
    assert answer is None, "the topic has been told; nobody waits for an answer"


def payment_is_counted(answer: Answer) -> None:
    all_but("19dd0b57-b21e-4ac1-bd88-01bbb068cb73")(answer)
    kept = counters.totals()
    assert (kept["placed"], kept["now:PENDING"], kept["now:PROCESSING"]) == (1, 0, 1)


def queued() -> list[str]:
    """What waits in the webhooks' queue, held back or not."""
    url = settings.webhook_deliveries_url()
    counts = boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return [counts["ApproximateNumberOfMessages"], counts["ApproximateNumberOfMessagesDelayed"]]


def delivery_is_owed(answer: Answer) -> None:
    all_but()(answer)
    assert len(list(deliveries.newest_first("wh-1", None, 10))) == 1, "of the two events it wants one"
    assert queued() == ["1", "0"]


def delivery_is_held_back(answer: Answer) -> None:
    all_but()(answer)
    assert queued() == ["0", "1"], "one is not due yet; for the other nobody waits any more"


# --- the recorded events ---


@dataclass(frozen=True)
class Case:
    """What an event needs, and what is to come of it."""

    seed: Seed
    expect: Expect


CASES: Mapping[str, Case] = {
    "place_order": Case(nothing, answers(202, lambda body: body["order"]["total"] == {"amount": 3000, "currency": "USD"})),
    "place_order-no_quantity": Case(nothing, refuses(400, "INVALID_ARGUMENT", "items.0.quantity")),
    "place_order-for_a_customer": Case(nothing, answers(202, lambda body: body["order"]["approval"]["status"] == "PENDING")),
    "read_orders": Case(shipped, answers(200, lambda body: body["shipment"]["tracking_number"].startswith("TRACK-"))),
    "read_orders-list": Case(placed, answers(200, lambda body: [order["order_id"] for order in body["orders"]] == [ORDER])),
    "read_orders-history": Case(reserved, answers(200, lambda body: len(body["history"]) == 2)),
    "read_orders-somebody_else_s": Case(placed, refuses(403, "PERMISSION_DENIED")),
    "watch_status": Case(reserved, answers(200, lambda body: body["current_step"] == "Payment Processing")),
    "watch_status-stream": Case(reserved, answers(200, lambda body: "id: 2\nevent: STOCK_RESERVED\n" in body)),
    "watch_status-nobody": Case(placed, refuses(401, "UNAUTHENTICATED")),
    "change_order": Case(reserved, order_shows(OrderStatus.CANCELLED)),
    "change_order-address": Case(
        placed, answers(200, lambda body: body["order"]["shipping_address"]["line1"] == "1 Ockham Park")
    ),
    "change_order-approve": Case(under_review, answers(200, lambda body: body["order"]["approval"]["decided_by"] == "grace")),
    "change_order-status": Case(placed, order_shows(OrderStatus.PROCESSING)),
    "change_order-delivered": Case(shipped, order_shows(OrderStatus.DELIVERED)),
    "change_order-location": Case(
        shipped, answers(200, lambda body: body["shipment"]["current_location"] == "Sorting center, Reading")
    ),
    "repair_order": Case(placed, answers(200, lambda body: body["order"]["version"] == 2)),
    "repair_order-execution": Case(placed, answers(200, lambda body: body["fulfilment"] is None)),
    "manage_products": Case(
        nothing, answers(200, lambda body: [found["product_id"] for found in body["products"]] == ["prod-001", "prod-002"])
    ),
    "manage_products-put": Case(nothing, answers(200, lambda body: body["stock"] == 40)),
    "show_docs": Case(nothing, answers(200, lambda body: body["status"] == "ok")),
    "show_docs-no_such_route": Case(nothing, refuses(404, "NOT_FOUND")),
    "show_pages": Case(nothing, answers(200)),
    "receive_carrier_event": Case(tracked, answers(200, lambda body: body == {"accepted": True})),
    "receive_carrier_event-forged": Case(tracked, refuses(401, "UNAUTHENTICATED")),
    "receive_payment_event": Case(paid, refuses(401, "UNAUTHENTICATED")),
    "on_fulfillment_event": Case(paid, shipment_is_reported),
    "reserve_stock": Case(placed, order_is(OrderStatus.PENDING)),
    "request_approval": Case(under_review, review_is_asked_for),
    "charge_payment": Case(reserved, order_is(OrderStatus.PROCESSING)),
    "ask_customer": Case(short, customer_is_asked),
    "await_payment": Case(to_be_confirmed, payment_is_awaited),
    "await_release": Case(on_hold, release_is_awaited),
    "on_payment_event": Case(to_be_confirmed, payment_is_confirmed),
    "await_warehouse": Case(paid, warehouse_is_awaited),
    "ship_parcel": Case(paid, order_is(OrderStatus.SHIPPED)),
    "deliver_order": Case(shipped, order_is(OrderStatus.DELIVERED)),
    "begin_unwinding": Case(charge_refused, payment_was_declined),
    "begin_unwinding-approval_timeout": Case(under_review, order_is_unwinding),
    "recall_shipment": Case(unwinding_before("recall_shipment"), order_is(OrderStatus.CANCELLED)),
    "refund_payment": Case(unwinding_before("refund_payment"), money_is_back),
    "release_stock": Case(unwinding_before("release_stock"), goods_are_back),
    "close_order": Case(unwinding_before("close_order"), order_is_closed),
    "drive_workflow": Case(followed, what_follows_is_told),
    "publish_changes": Case(nothing, one_is_set_aside),
    "notify_customers": Case(nothing, nothing_is_said),
    "keep_statistics": Case(paid, payment_is_counted),
    "read_analytics": Case(counted, answers(200, lambda body: body["orders_placed"] == 1)),
    "fan_out_webhooks": Case(subscribed, delivery_is_owed),
    "deliver_webhook": Case(owed, delivery_is_held_back),
    "manage_webhooks": Case(nothing, answers(201, lambda body: body["secret"].startswith("whsec_"))),
    "manage_webhooks-redeliver": Case(owed, answers(202, lambda body: body["status"] == "PENDING")),
    "sweep_orders": Case(overdue, order_is_restarted),
    "sweep_orders-execution_failed": Case(placed, order_is_checked),
}


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("name", CASES)
def test_a_function_answers_its_recorded_event(name: str) -> None:
    case = CASES[name]
    case.seed()
    text = (EVENTS / f"{name}.json").read_text(encoding="utf-8")
    token = tokens.tracking_token(ORDER, utc_now(), secret_store.signing_key())
    event = json.loads(text.replace(TRACKING_TOKEN, token))
    handler = importlib.import_module(name.partition("-")[0]).handler
    answer = json.loads(
        json.dumps(handler(event, SimpleNamespace(aws_request_id="r", get_remaining_time_in_millis=lambda: 30_000)))
    )
    case.expect(answer)


def test_a_recorded_token_says_what_the_authorizer_has_verified() -> None:
    for path in EVENTS.glob("*.json"):
        event = json.loads(path.read_text(encoding="utf-8"))
        context = event.get("requestContext", {}) if isinstance(event, dict) else {}
        if claims := context.get("authorizer", {}).get("jwt", {}).get("claims"):
            token = jwt.decode(event["headers"]["authorization"].removeprefix("Bearer "), options={"verify_signature": False})
            assert as_gateway(token) == claims, path.name


def test_every_recorded_event_is_sent() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == set(CASES)


@pytest.mark.usefixtures("stack")
def test_a_delivered_scan_reaches_the_parcel_by_the_bus_alone() -> None:
    tracked()
    event = json.loads((EVENTS / "receive_carrier_event.json").read_text(encoding="utf-8"))
    importlib.import_module("receive_carrier_event").handler(
        event, SimpleNamespace(aws_request_id="r", get_remaining_time_in_millis=lambda: 30_000)
    )
    shipment = orders.load(ORDER).shipment
    assert shipment
    assert shipment.status is ShipmentStatus.IN_TRANSIT, "the queue's consumer moves it, not the door"
