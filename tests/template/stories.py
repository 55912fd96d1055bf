"""Every handler run through what it is for, against a table made from the template, with its calls recorded."""

import hmac
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from moto import mock_aws
from standardwebhooks.webhooks import Webhook

from orders import settings
from orders.adapters import secret_store
from orders.adapters.carriers.simulated import SimulatedCarrier
from orders.adapters.payments.simulated import SimulatedGateway
from orders.adapters.store import catalog, event_items, keys, orders, table
from orders.domain import notifications
from orders.domain.errors import ApprovalPending, GatewayUnavailable, OutcomeUnknown
from orders.domain.identifiers import OrderId
from orders.domain.order import timestamp
from orders.domain.payment import GatewayOutcome, OutcomeKind
from orders.domain.steps import UNWINDING, PaymentDeclined
from orders.services import estimates
from orders.services.changes import utc_now
from orders.web import tokens
from tests.harness import stripe_book
from tests.harness.bodies import a_body
from tests.harness.caches import forget
from tests.harness.cloudformation import expanded, table_properties
from tests.harness.events import ALL_TAKEN, a_batch, a_message, a_record, http_event, invoke
from tests.template import wiring

Grant = tuple[str, str]
Event = dict[str, Any]

ROOT = Path(__file__).parents[2]
TEMPLATE = expanded()
RESOURCES = TEMPLATE["Resources"]
FUNCTIONS = {
    r["Properties"]["Handler"].partition(".")[0]: r["Properties"]
    for r in RESOURCES.values()
    if r["Type"] == "AWS::Lambda::Function"
}
BY_THE_SERVICE = {
    # Made by Lambda in the function's name, not by its handler.
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
}
ADDRESS = {"name": "Ada", "line1": "1 Main St", "city": "London", "postal_code": "N1 9GU", "country": "GB"}
ARN = "arn:aws:states:us-east-1:123456789012"
SECRETS: dict[str, str] = {
    r["Properties"].get("Name", {"Fn::Sub": name})["Fn::Sub"].replace("${AWS::StackName}", "orders"): name
    for name, r in RESOURCES.items()
    if r["Type"] == "AWS::SecretsManager::Secret"
}
ONE_RESOURCE = {"events": "OrdersBus", "sns": "NoticesTopic"}
QUEUES = ("WebhookDeliveries", "FulfillmentEvents", "PaymentEvents")
MACHINES = ("orders-fulfil-order", "orders-unwind-order")


# --- what the template grants -----------------------------------------------------------------------------------------


def granted(module: str) -> set[Grant]:
    role = RESOURCES[FUNCTIONS[module]["Role"]["Fn::GetAtt"][0]]["Properties"]
    return {
        (action, _place(resource))
        for policy in role.get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
        for action in _as_list(statement["Action"])
        for resource in _as_list(statement["Resource"])
        if action not in BY_THE_SERVICE and _place(resource) != "UnhandledEvents"
    }


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _place(resource: Any) -> str:
    """The resource by its logical id, an index by its name, a machine or its executions by the machine's name."""
    if "Ref" in resource:
        return str(resource["Ref"])
    if "Fn::GetAtt" in resource:
        return str(resource["Fn::GetAtt"][0])
    text = str(resource["Fn::Sub"])
    if text.startswith("${OrdersTable.Arn}/index/"):
        return text.rpartition("/")[2]
    kind, _, name = text.partition("${AWS::AccountId}:")[2].partition(":")
    return f"{kind} {name.removeprefix('${AWS::StackName}-').removesuffix(':*')}"


# --- what a call needs ------------------------------------------------------------------------------------------------

_TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}


def needed(service: str, operation: str, request: dict[str, Any]) -> Iterator[Grant]:
    if operation == "TransactWriteItems":
        for action in request["TransactItems"]:
            yield f"dynamodb:{_TRANSACTED[next(iter(action))]}", "OrdersTable"
    elif service == "dynamodb":
        yield f"dynamodb:{operation}", request.get("IndexName", "OrdersTable")
    elif service == "secretsmanager":
        yield f"secretsmanager:{operation}", _secret(request["SecretId"])
    elif service == "sqs":
        # Sending ten at once is the same permission as sending one.
        yield f"sqs:{operation.removesuffix('Batch')}", request["QueueUrl"].rpartition("/")[2]
    elif service in ONE_RESOURCE:
        yield f"{service}:{operation}", ONE_RESOURCE[service]
    elif operation.startswith("SendTask"):
        # Only the fulfillment waits for callbacks.
        yield f"states:{operation}", "stateMachine fulfil-order"
    else:
        arn = request.get("stateMachineArn") or request["executionArn"]
        kind, name = arn.split(":")[5:7]
        yield f"states:{operation}", f"{kind} {name.removeprefix('orders-')}"


def _secret(secret_id: str) -> str:
    return SECRETS[max((name for name in SECRETS if name in secret_id), key=len)]


def partition_keys(operation: str, request: dict[str, Any]) -> Iterator[str]:
    """The partition key of every item that a request names; of an index, where it asks one."""
    if operation == "TransactWriteItems":
        for action in request["TransactItems"]:
            ((kind, one),) = action.items()
            yield from partition_keys(f"{kind}Item", one)
    elif operation == "BatchGetItem":
        yield from (key["PK"]["S"] for asked in request["RequestItems"].values() for key in asked["Keys"])
    elif operation == "Query":
        named = re.match(r"\w+ = (:\w+)", request["KeyConditionExpression"])
        assert named, "a query names its partition first"
        yield request["ExpressionAttributeValues"][named[1]]["S"]
    else:
        yield request.get("Key", request.get("Item", {}))["PK"]["S"]


# --- a world in which handlers run ------------------------------------------------------------------------------------


PATH = ("id", "carrier", "provider", "delivery_id", "refund_id")


class RecordingWorld:
    """The template's table in memory, the handlers, and what each has called."""

    def __init__(self) -> None:
        self.calls: dict[str, set[Grant]] = defaultdict(set)
        self.reaches: dict[str, set[wiring.Reach]] = defaultdict(set)
        self.running: str | None = None

    def run(self, module: str, event: Event) -> Any:
        self.running = module
        forget(secret_store)  # as in a process of its own
        try:
            return invoke(module, event)
        finally:
            self.running = None

    def record(self, service: str, operation: str, request: dict[str, Any]) -> None:
        if self.running:
            grants = set(needed(service, operation, request))
            self.calls[self.running].update(grants)
            if service == "dynamodb":
                keys = frozenset(partition_keys(operation, request))
                self.reaches[self.running].update((*grant, keys) for grant in grants)

    def http(
        self, module: str, key: str, *, sub: str = "ada", group: str = "", body: Any = None, **parts: Any
    ) -> dict[str, Any]:
        event = http_event(
            key,
            path={name: parts[name] for name in PATH if name in parts},
            query=parts.get("query"),
            headers=parts.get("headers"),
            body=None if body is None else json.dumps(body),
            claims={"sub": sub, "cognito:groups": [group]} if sub else None,
        )
        answer: dict[str, Any] = self.run(module, event)
        assert answer["statusCode"] < 400 or answer["statusCode"] == parts.get("refused"), answer
        return answer

    def place(
        self, order_id: str, *, method: str = "CREDIT_CARD", token: str | None = "tok_ok", review: bool = False, **more: Any
    ) -> None:
        paid: dict[str, Any] = {"method": method} | ({"token": token} if token else {})
        wish = {"product": "prod-001", "shipping_address": ADDRESS, "require_approval": review, "external_id": f"#{order_id}"}
        wish |= {"contact": {"email": f"{order_id}@example.com"}}
        body = a_body(order_id=order_id, **wish | more, **paid)
        self.http("place_order", "POST /orders", body=body, headers={"idempotency-key": order_id})
        self.drive(order_id)

    def step(self, module: str, order_id: str, **facts: Any) -> Any:
        event = {"order_id": order_id, "task_token": "token", "seconds": 300, "transit": 1, **facts}
        answer = self.run(module, event)
        self.drive(order_id)
        return answer

    def change(self, order_id: str, key: str, body: Any = None, group: str = "support") -> None:
        headers = {"idempotency-key": f"{order_id} {key}"}
        self.http("change_order", key, id=order_id, group=group, body=body or {}, headers=headers)
        self.drive(order_id)

    def drive(self, order_id: str) -> None:
        """The stream brings the order's newest event, where something follows from it."""
        event = event_items.event_to_item(orders.history(OrderId(order_id))[-1])
        if "follow_up" in event:
            assert self.run("drive_workflow", a_batch([a_record(event)])) == ALL_TAKEN

    def unwind(self, order_id: str) -> None:
        for task in UNWINDING.values():
            self.step(task.function, order_id)

    def make_overdue(self, order_id: str, parcel: keys.Key | None = None) -> None:
        table.client().update_item(
            TableName=settings.table_name(),
            Key=parcel or keys.order_key(OrderId(order_id)),
            UpdateExpression="SET due_at = :past, GSI3SK = :sort",
            ExpressionAttributeValues={
                ":past": {"S": "2020-01-01T00:00:00.000Z"},
                ":sort": {"S": f"2020-01-01T00:00:00.000Z#{order_id}"},
            },
        )


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingWorld]:
    world = RecordingWorld()
    real: Any = vars(BaseClient)["_make_api_call"]

    def recorded(client: Any, operation: str, request: dict[str, Any]) -> Any:
        world.record(client.meta.service_model.service_name, operation, request)
        return real(client, operation, request)

    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_METRICS_NAMESPACE": "Orders",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(BaseClient, "_make_api_call", recorded)
    # A local stack that an earlier test of this process has run leaves its address and its session behind.
    for name in ("AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    # So does the history that one of its functions has read.
    monkeypatch.setattr(estimates, "_memory", estimates.Memory())
    with mock_aws():
        forget()
        for name, value in _environment().items():
            monkeypatch.setenv(name, value)
        yield world
    forget()


def _environment() -> dict[str, str]:
    boto3.client("dynamodb").create_table(TableName="orders", **table_properties(RESOURCES))
    for name in SECRETS:
        boto3.client("secretsmanager").create_secret(Name=name, SecretString="s" * 40)
    boto3.client("events").create_event_bus(Name="orders")
    queues = {name: boto3.client("sqs").create_queue(QueueName=name)["QueueUrl"] for name in QUEUES}
    topic = boto3.client("sns").create_topic(Name="notices")
    for name in MACHINES:
        definition = json.dumps({"StartAt": "Rest", "States": {"Rest": {"Type": "Succeed"}}})
        role = "arn:aws:iam::123456789012:role/any"
        boto3.client("stepfunctions").create_state_machine(name=name, definition=definition, roleArn=role)
    defaults = {name: str(p["Default"]) for name, p in TEMPLATE["Parameters"].items()}
    told = next(iter(FUNCTIONS.values()))["Environment"]["Variables"]
    return {
        **{name: defaults[value["Ref"]] for name, value in told.items() if _ref(value) in defaults},
        "TABLE_NAME": "orders",
        "BUS_NAME": "orders",
        "FULFILL_MACHINE_ARN": f"{ARN}:stateMachine:{MACHINES[0]}",
        "UNWIND_MACHINE_ARN": f"{ARN}:stateMachine:{MACHINES[1]}",
        "SIGNING_SECRET_ARN": "SigningSecret",
        "CARRIER_SECRETS_PREFIX": "orders/carriers/",
        "PAYMENT_SECRETS_PREFIX": "orders/payments/",
        "WEBHOOK_DELIVERIES_URL": queues["WebhookDeliveries"],
        "FULFILLMENT_EVENTS_URL": queues["FulfillmentEvents"],
        "PAYMENT_EVENTS_URL": queues["PaymentEvents"],
        "NOTICES_TOPIC_ARN": topic["TopicArn"],
        "POWERTOOLS_SERVICE_NAME": "orders",
        "JWT_ISSUER": "https://issuer.example",
        "JWT_AUDIENCE": "orders",
        "JWKS_URL": "https://issuer.example/keys",
    }


def _ref(value: Any) -> str:
    return str(value.get("Ref", "")) if isinstance(value, dict) else ""


# --- what handlers are for --------------------------------------------------------------------------------------------


def keep_a_catalog(world: RecordingWorld) -> None:
    body = {"name": "A thing", "unit_price": {"amount": 1000, "currency": "USD"}, "stock": 100}
    for product in ("prod-001", "prod-002"):
        world.http("manage_products", "PUT /products/{id}", id=product, group="admin", body=body)
    page = world.http("manage_products", "GET /products", sub="", query={"limit": "1"})
    cursor = json.loads(page["body"])["next_cursor"]
    world.http("manage_products", "GET /products", sub="", query={"limit": "1", "cursor": cursor})
    world.http("manage_products", "GET /products/{id}", sub="", id="prod-001")
    world.http("manage_products", "GET /stock", group="support", query={"limit": "1"})
    key = {"idempotency-key": "count-1"}
    for _ in range(2):
        world.http(
            "manage_products", "POST /products/{id}/stock", id="prod-001", group="admin", body={"change": 5}, headers=key
        )
    world.http("manage_products", "POST /products/{id}/stock", id="prod-001", group="admin", body={"change": -5})
    world.http("manage_products", "PUT /products/{id}", id="prod-003", group="admin", body=body, headers=key)
    world.http("manage_products", "DELETE /products/{id}", id="prod-003", group="admin")


def an_order_is_delivered_and_returned(world: RecordingWorld) -> None:
    world.place("paid")
    world.place("paid")
    world.step("reserve_stock", "paid")
    world.change("paid", "PUT /orders/{id}/address", ADDRESS)
    world.step("charge_payment", "paid")
    world.step("charge_payment", "paid")
    world.step("ship_parcel", "paid", transit=0)
    world.change("paid", "PUT /orders/{id}/shipment/location", {"location": "York"})
    world.step("deliver_order", "paid")
    world.change("paid", "POST /orders/{id}/refunds", {"amount": {"amount": 1, "currency": "USD"}, "reason": "late"})
    world.change("paid", "POST /orders/{id}/return", {"reason": "too small"})
    world.unwind("paid")


def a_parcel_whose_hand_over_never_came_through_is_delivered(world: RecordingWorld) -> None:
    world.place("untaken")
    world.step("reserve_stock", "untaken")
    world.step("charge_payment", "untaken")
    world.step("deliver_order", "untaken")


def a_charge_is_declined(world: RecordingWorld) -> None:
    world.place("poor", token="tok_declined")
    world.step("reserve_stock", "poor")
    with pytest.raises(PaymentDeclined):
        world.step("charge_payment", "poor")
    world.step("begin_unwinding", "poor", failure={"Error": "PaymentDeclined", "Cause": "{}"})
    world.unwind("poor")


def a_charge_s_answer_is_lost(world: RecordingWorld) -> None:
    world.place("lost", token="tok_timeout_1")
    world.step("reserve_stock", "lost")
    with pytest.raises(OutcomeUnknown):
        world.step("charge_payment", "lost")
    world.step("charge_payment", "lost")


def payments_are_decided_later(world: RecordingWorld) -> None:
    for order_id in ("confirmed", "asked", "swept"):
        world.place(order_id, token="tok_requires_action" if order_id == "confirmed" else "tok_async")
        world.step("reserve_stock", order_id)
        world.step("charge_payment", order_id, outcomes=True)
        world.step("await_payment", order_id, seconds=3600)
    said = {"event_type": "payment.confirmed", "order_id": "confirmed"}
    assert world.run("on_payment_event", a_batch([a_message(said)])) == ALL_TAKEN
    world.step("await_payment", "confirmed", seconds=3600)
    world.http("repair_order", "POST /orders/{id}/sync", id="asked", group="support", body={})
    world.drive("asked")
    world.make_overdue("swept")
    world.run("sweep_orders", {})
    world.drive("swept")
    world.place("late", method="BANK_TRANSFER", token=None)
    world.step("reserve_stock", "late")
    world.step("charge_payment", "late", outcomes=True)
    world.change("late", "POST /orders/{id}/cancel")
    world.unwind("late")
    assert world.run("on_payment_event", a_batch([a_message(said | {"order_id": "late"})])) == ALL_TAKEN
    boto3.client("sqs").send_message(QueueUrl=settings.payment_events_url(), MessageBody="early")
    received = boto3.client("sqs").receive_message(QueueUrl=settings.payment_events_url())["Messages"][0]
    early = a_message(said | {"order_id": "nobody-s"}) | {"receiptHandle": received["ReceiptHandle"]}
    assert world.run("on_payment_event", a_batch([early])) == {"batchItemFailures": [{"itemIdentifier": "1"}]}


def a_warehouse_hands_over(world: RecordingWorld) -> None:
    for order_id in ("by-warehouse", "handed-over"):
        world.place(order_id)
        world.step("reserve_stock", order_id)
        world.step("charge_payment", order_id, outcomes=True)
    world.step("await_warehouse", "by-warehouse")
    world.change("by-warehouse", "POST /orders/{id}/shipments", {}, group="warehouse")
    world.drive("by-warehouse")
    world.change("handed-over", "POST /orders/{id}/shipments", {}, group="warehouse")
    world.step("await_warehouse", "handed-over")


def payments_are_at_stripe(world: RecordingWorld) -> None:
    with pytest.MonkeyPatch.context() as patch, stripe_book.served() as book:
        patch.setenv("PAYMENT_PROVIDER", "stripe")
        patch.setenv("STRIPE_API_BASE", book.url)
        patch.setenv("PAGES_URL", "https://shop.example")
        patch.setattr(stripe_book, "KEY", "s" * 40)
        _orders_are_paid(world, "stripe", token=stripe_book.GOOD, later=stripe_book.LATER)
        reported = json.dumps({"id": "evt_1", "type": "charge.dispute.created", "data": {"object": _dispute(book)}})
        signed = {"stripe-signature": _stripe_signature(reported)}
        key, stripe = "POST /payments/{provider}/events", {"sub": "", "provider": "stripe"}
        world.http("receive_payment_event", key, **stripe, body=json.loads(reported), headers=signed)
        detail = {"order_id": "stripe-asked", "sender": "stripe", "dispute": DISPUTE}
        disputed = {"detail-type": "payment.disputed", "source": "orders.payments", "detail": detail}
        assert world.run("on_payment_event", a_batch([a_message(disputed)])) == ALL_TAKEN
        for provider in ("stripe", "generic"):
            world.http("receive_payment_event", key, sub="", provider=provider, body={}, refused=401)
        assert [one["status"] for one in book.intents.values()] == ["succeeded"] * 5


def _orders_are_paid(world: RecordingWorld, name: str, *, token: str, later: str) -> None:
    """Each function that asks this deployment's provider for money, or about it, does; ``later`` is decided later."""
    asked, swept, told, by_hand, ahead = (f"{name}-{one}" for one in ("asked", "swept", "told", "by-hand", "ahead"))
    for order_id in (asked, swept, told):
        world.place(order_id, token=later)
        world.step("reserve_stock", order_id)
        world.step("charge_payment", order_id, outcomes=True)
        world.step("await_payment", order_id, seconds=3600)
    world.http("repair_order", "POST /orders/{id}/sync", id=asked, group="support", body={})
    world.make_overdue(swept)
    world.run("sweep_orders", {})
    said = {"event_type": "payment.confirmed", "order_id": told}
    assert world.run("on_payment_event", a_batch([a_message(said)])) == ALL_TAKEN
    world.change(told, "POST /orders/{id}/cancel")
    world.unwind(told)
    world.place(by_hand, token=token)
    world.change(by_hand, "PATCH /orders/{id}/status", {"status": "PROCESSING"})
    world.place(ahead, token=token)
    packed = {"event_type": "fulfillment.status_changed", "fulfillment_id": "f-1", "order_id": ahead, "new_status": "packed"}
    assert world.run("on_fulfillment_event", a_batch([a_message(packed)])) == ALL_TAKEN


DISPUTE = {"dispute_id": "dp_1", "status": "OPEN", "opened_at": "2026-11-20T12:00:00Z"}


def _dispute(book: stripe_book.StripeBook) -> dict[str, Any]:
    shape: dict[str, Any] = stripe_book.SHAPES["dispute"]
    return shape | {"payment_intent": next(iter(book.intents)), "status": "needs_response"}


def _stripe_signature(body: str) -> str:
    now = int(utc_now().timestamp())
    return f"t={now},v1=" + hmac.new(b"s" * 40, f"{now}.{body}".encode(), "sha256").hexdigest()


def money_is_held_and_taken_with_the_parcels(world: RecordingWorld) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAPTURE_MODE", "on_shipment")
        _parcels_are_paid(world, "held", "tok_ok")
        _parcels_are_paid(world, "held-too-long", "tok_hold_expires", taken=False)
        with stripe_book.served() as book:
            patch.setenv("PAYMENT_PROVIDER", "stripe")
            patch.setenv("STRIPE_API_BASE", book.url)
            patch.setattr(stripe_book, "KEY", "s" * 40)
            _parcels_are_paid(world, "stripe-held", stripe_book.GOOD)
            assert [one["status"] for one in book.intents.values()] == ["succeeded"] * 3


def _parcels_are_paid(world: RecordingWorld, name: str, token: str, *, taken: bool = True) -> None:
    """Three parcels: handed over by us, late, and by others while the order is on hold."""
    by_us, late, by_others = (f"{name}-{number}" for number in (1, 2, 3))
    for order_id in (by_us, late, by_others):
        world.place(order_id, token=token)
        world.step("reserve_stock", order_id)
        world.step("charge_payment", order_id)
    world.step("await_release", by_us)
    if taken:
        world.step("ship_parcel", by_us)
        world.step("deliver_order", late)
    else:
        world.make_overdue(by_us)
        world.run("sweep_orders", {})
    world.change(by_others, "POST /orders/{id}/hold", {"reason": "The address looks odd"})
    world.step("await_release", by_others)
    said = {"event_type": "fulfillment.status_changed", "fulfillment_id": "f-1", "order_id": by_others}
    assert world.run("on_fulfillment_event", a_batch([a_message(said | {"new_status": "shipped"})])) == ALL_TAKEN
    world.change(by_others, "POST /orders/{id}/release")


def hand_overs_are_interrupted(world: RecordingWorld) -> None:
    """What a request has begun is finished by others; what is not paid for then, or not carried, is put back into stock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAPTURE_MODE", "on_shipment")
        for by in ("sync", "sweep"):
            _begun_by_request(world, f"booked-by-{by}", SimulatedCarrier, "book")
            _finished_by(world, f"booked-by-{by}", by)
            _begun_by_request(world, f"unpaid-by-{by}", SimulatedGateway, "capture")
            with patch.context() as refusing:
                refusing.setattr(SimulatedGateway, "capture", _declines)
                _finished_by(world, f"unpaid-by-{by}", by)
        for module in ("ship_parcel", "deliver_order"):
            order_id = f"unpaid-{module.replace('_', '-')}"
            _half_sent(world, order_id)
            with patch.context() as refusing:
                refusing.setattr(SimulatedGateway, "capture", _declines)
                with pytest.raises(PaymentDeclined):
                    world.step(module, order_id)
        _half_sent(world, "uncarried")
        world.step("begin_unwinding", "uncarried", failure={"Error": "ShippingRefused", "Cause": "{}"})


def _declines(*_: Any) -> GatewayOutcome:
    return GatewayOutcome(OutcomeKind.DECLINED, captured=1000)


def _half_sent(world: RecordingWorld, order_id: str) -> None:
    world.place(order_id, quantity=2)
    world.step("reserve_stock", order_id)
    world.step("charge_payment", order_id)
    world.change(order_id, "POST /orders/{id}/shipments", {"items": [{"line_id": "1", "quantity": 1}]})


def _begun_by_request(world: RecordingWorld, order_id: str, party: type, call: str) -> None:
    def is_down(*_: Any) -> Any:
        raise GatewayUnavailable("It does not answer.")

    _half_sent(world, order_id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(party, call, is_down)
        key = "POST /orders/{id}/shipments"
        world.http("change_order", key, id=order_id, group="support", body={}, refused=503)


def _finished_by(world: RecordingWorld, order_id: str, by: str) -> None:
    for _ in range(2):
        # What is given up, as it is not paid for, is recalled by the next one.
        for parcel in [one for one in orders.load(OrderId(order_id)).shipments if one.due_at]:
            if by == "sync":
                world.http("repair_order", "POST /orders/{id}/sync", id=order_id, group="support", body={})
            else:
                world.make_overdue(order_id, keys.shipment_key(OrderId(order_id), parcel.shipment_id))
                world.run("sweep_orders", {})
    found = orders.load(OrderId(order_id))
    assert (found.order.status, [one for one in found.shipments if one.due_at]) == ("SHIPPED", [])


def cash_is_collected_at_the_door(world: RecordingWorld) -> None:
    for order_id in ("cash-timed", "cash-reported"):
        world.place(order_id, method="CASH_ON_DELIVERY", token=None)
        world.step("reserve_stock", order_id)
        world.step("charge_payment", order_id)
        world.step("ship_parcel", order_id)
    world.step("deliver_order", "cash-timed")
    world.change("cash-reported", "POST /orders/{id}/delivered", group="carrier")


def a_refund_is_refused_and_made_again(world: RecordingWorld) -> None:
    world.place("refused-refund", token="tok_refund_declined_1")
    for module in ("reserve_stock", "charge_payment"):
        world.step(module, "refused-refund")
    world.change("refused-refund", "POST /orders/{id}/refunds", {"reason": "late"})
    (refund,) = orders.load(OrderId("refused-refund")).refunds
    key = "POST /orders/{id}/refunds/{refund_id}/retry"
    world.http("change_order", key, id="refused-refund", refund_id=refund.refund_id, group="support", body={})


def an_order_is_reviewed(world: RecordingWorld) -> None:
    for order_id, answer in (("good", "approve"), ("bad", "reject")):
        world.place(order_id, review=True)
        with pytest.raises(ApprovalPending):
            world.step("reserve_stock", order_id)
        world.step("request_approval", order_id)
        world.change(order_id, f"POST /orders/{{id}}/{answer}")
    world.step("request_approval", "good")
    world.step("begin_unwinding", "bad", failure={"Error": "ApprovalRejected", "Cause": "{}"})
    world.unwind("bad")


def an_order_is_short(world: RecordingWorld) -> None:
    few = {"name": "A thing", "unit_price": {"amount": 1000, "currency": "USD"}, "stock": 1}
    for order_id, policy in (("short-dropped", "drop"), ("short-amended", "ask"), ("short-silent", "ask")):
        world.http("manage_products", "PUT /products/{id}", id="prod-few", group="admin", body=few)
        world.place(order_id, product="prod-few", quantity=2, shortage=policy)
        world.step("reserve_stock", order_id)
        if policy == "ask":
            world.step("ask_customer", order_id, seconds=60)
    world.change("short-amended", "POST /orders/{id}/amend", group="")
    world.step("ask_customer", "short-amended", seconds=60)
    world.step("begin_unwinding", "short-silent", failure={"Error": "States.Timeout", "Cause": ""})


def digital_orders_are_delivered_by_their_payment(world: RecordingWorld) -> None:
    song = {"name": "Song", "unit_price": {"amount": 300, "currency": "USD"}, "stock": 10, "requires_shipping": False}
    world.http("manage_products", "PUT /products/{id}", id="song", group="admin", body=song)
    for order_id, token in (("song-at-once", "tok_ok"), ("song-later", "tok_requires_action")):
        world.place(order_id, product="song", token=token)
        world.step("reserve_stock", order_id)
        world.step("charge_payment", order_id, outcomes=True)
    world.step("await_payment", "song-later", seconds=3600)
    said = {"event_type": "payment.confirmed", "order_id": "song-later"}
    assert world.run("on_payment_event", a_batch([a_message(said)])) == ALL_TAKEN
    assert catalog.product("song").sold == 2


def a_release_without_figures_has_put_the_stock_back(world: RecordingWorld) -> None:
    world.place("uncounted")
    world.step("reserve_stock", "uncounted")
    counted = table.get(keys.counted_key(OrderId("uncounted")))
    assert counted
    before = catalog.product("prod-001").reserved
    world.change("uncounted", "POST /orders/{id}/cancel")
    world.step("release_stock", "uncounted")
    table.put(counted)
    world.step("close_order", "uncounted")
    assert catalog.product("prod-001").reserved == before - 2


def an_order_is_cancelled_after_its_hand_over_began(world: RecordingWorld) -> None:
    world.place("regret")
    world.step("reserve_stock", "regret")
    world.step("charge_payment", "regret")
    world.change("regret", "PATCH /orders/{id}", {"external_id": "#1001", "contact": {"email": "ada@example.com"}})
    world.change("regret", "POST /orders/{id}/cancel", {"reason": "regret"})
    world.unwind("regret")


def support_sets_each_status_by_hand(world: RecordingWorld) -> None:
    world.place("by-hand")
    for status in ("PROCESSING", "SHIPPED", "DELIVERED", "RETURNED"):
        world.change("by-hand", "PATCH /orders/{id}/status", {"status": status})
    world.unwind("by-hand")


def a_lost_workflow_is_repaired(world: RecordingWorld) -> None:
    for order_id in ("lost-1", "lost-2", "alive"):
        world.place(order_id)
    for order_id in ("lost-1", "lost-2"):
        boto3.client("stepfunctions").stop_execution(executionArn=f"{ARN}:execution:{MACHINES[0]}:{order_id}")
        world.make_overdue(order_id)
    world.make_overdue("alive")
    world.http("repair_order", "POST /orders/{id}/sync", id="lost-1", group="support", body={})
    world.run("sweep_orders", {})
    world.run("sweep_orders", {"detail": {"executionArn": f"{ARN}:execution:{MACHINES[0]}:lost-2", "status": "ABORTED"}})


def executions_end_before_their_orders(world: RecordingWorld) -> None:
    for status in ("FAILED", "TIMED_OUT", "ABORTED"):
        order_id = f"early-{status.replace('_', '-')}"
        world.place(order_id)
        world.step("reserve_stock", order_id)
        world.run("sweep_orders", {"detail": {"executionArn": f"{ARN}:execution:{MACHINES[0]}:{order_id}", "status": status}})
        world.change(order_id, "POST /orders/{id}/cancel")
        world.run("sweep_orders", {"detail": {"executionArn": f"{ARN}:execution:{MACHINES[1]}:{order_id}", "status": status}})


def an_unwinding_is_looked_after(world: RecordingWorld) -> None:
    for order_id in ("undone-1", "undone-2"):
        world.place(order_id)
        world.step("reserve_stock", order_id)
        world.change(order_id, "POST /orders/{id}/cancel")
        world.make_overdue(order_id)
    world.http("repair_order", "POST /orders/{id}/sync", id="undone-1", group="support", body={})
    world.run("sweep_orders", {})
    world.http("repair_order", "GET /orders/{id}/execution", id="undone-1", group="support")


def orders_are_read_and_watched(world: RecordingWorld) -> None:
    for order_id in ("seen-1", "seen-2"):
        world.place(order_id)
    world.http("read_orders", "GET /orders/{id}", id="seen-1")
    world.http("read_orders", "GET /orders/{id}/history", id="seen-1")
    world.http("read_orders", "GET /orders", query={"limit": "1"})
    world.http("read_orders", "GET /orders", group="support", query={"status": "PENDING"})
    world.http("read_orders", "GET /orders", group="support", query={"external_id": "#seen-1"})
    for name, value in {"email": "ada@example.com", "tracking_number": "T1"}.items():
        world.http("read_orders", "GET /orders", group="support", query={name: value})
    world.http("read_orders", "GET /orders", group="support", query={"overdue": "true"})
    world.http("read_orders", "GET /orders", group="support", query={"return_status": "requested"})
    world.http("read_orders", "GET /orders", group="support", query={"dispute_status": "open"})
    world.http("read_orders", "GET /orders", group="support", query={"shortage_status": "asked"})
    token = tokens.tracking_token(OrderId("seen-1"), utc_now(), secret_store.signing_key())
    for key in ("GET /orders/{id}/status", "GET /orders/{id}/status/stream"):
        world.http("watch_status", key, sub="", id="seen-1", query={"token": token}, headers={"last-event-id": "0"})
    world.http("show_pages", "GET /track/{id}", sub="", id="seen-1", query={"token": token})
    ended = {"token": tokens.seal("unsubscribe", "digest", secret_store.signing_key())}
    world.http("show_pages", "POST /unsubscribe", sub="", query=ended)


def the_warehouse_runs_ahead_of_the_workflow(world: RecordingWorld) -> None:
    world.place("ahead")
    news = {
        "event_type": "fulfillment.status_changed",
        "fulfillment_id": "f-1",
        "order_id": "ahead",
        "old_status": "packed",
        "new_status": "completed",
        "timestamp": timestamp(utc_now()),
    }
    assert world.run("on_fulfillment_event", a_batch([a_message(news)])) == ALL_TAKEN
    # One that runs ahead of its very order comes again soon.
    boto3.client("sqs").send_message(QueueUrl=settings.fulfillment_events_url(), MessageBody="early")
    received = boto3.client("sqs").receive_message(QueueUrl=settings.fulfillment_events_url())["Messages"][0]
    early = a_message(news | {"order_id": "nobody-s"}) | {"receiptHandle": received["ReceiptHandle"]}
    failed = {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert world.run("on_fulfillment_event", a_batch([early])) == failed


def carriers_report_a_parcel(world: RecordingWorld) -> None:
    _report(world, _shipped(world, "parcel"), "DELIVERED")
    _report(world, "nobody-s", "DELIVERED")
    for carrier in ("easypost", "shippo"):
        key = "POST /carriers/{carrier}/events"
        world.http("receive_carrier_event", key, sub="", carrier=carrier, body={}, refused=401)


def a_carrier_s_report_is_missed(world: RecordingWorld) -> None:
    for order_id in ("missed-1", "missed-2"):
        # The bus lost it: nobody runs the consumer here.
        _report(world, _shipped(world, order_id, method="CASH_ON_DELIVERY", token=None), "DELIVERED")
        world.make_overdue(order_id)
    world.http("repair_order", "POST /orders/{id}/sync", id="missed-1", group="support", body={})
    world.run("sweep_orders", {})
    assert all(orders.load_order(OrderId(f"missed-{number}")).status == "DELIVERED" for number in (1, 2))


def _shipped(world: RecordingWorld, order_id: str, **how: Any) -> str:
    world.place(order_id, **how)
    for module in ("reserve_stock", "charge_payment", "ship_parcel"):
        world.step(module, order_id)
    shipment = orders.load(OrderId(order_id)).shipment
    assert shipment
    assert shipment.tracking_number
    return shipment.tracking_number


def _report(world: RecordingWorld, tracking_number: str, status: str) -> None:
    scan = {"event_id": "1", "tracking_number": tracking_number, "status": status, "scanned_at": timestamp(utc_now())}
    signature = Webhook("s" * 40).sign("1", utc_now(), json.dumps(scan))
    headers = {
        "webhook-id": "1",
        "webhook-timestamp": str(int(utc_now().timestamp())),
        "webhook-signature": signature,
    }
    key = "POST /carriers/{carrier}/events"
    world.http("receive_carrier_event", key, sub="", carrier="generic", body=scan, headers=headers)


KEYED = {"idempotency-key": "a-key"}


def everyone_who_waits_for_news_is_told(world: RecordingWorld) -> None:
    admin: dict[str, Any] = {"group": "admin", "headers": KEYED}
    # A name without an address: the delivery is refused before anything is sent.
    made = world.http("manage_webhooks", "POST /webhooks", **admin, body={"url": "https://receiver.invalid/", "events": []})
    webhook = json.loads(made["body"])["webhook_id"]
    world.place("news")
    world.step("reserve_stock", "news")
    events = orders.history(OrderId("news"))
    images = [{"NewImage": event_items.event_to_item(event), "SequenceNumber": str(event.version)} for event in events]
    published = world.run("publish_changes", a_batch([{"dynamodb": image} for image in images]))
    assert published == ALL_TAKEN
    details = [detail for event in events for _, detail, _ in notifications.messages(event)]
    world.run("notify_customers", {"detail": details[0]})
    # With a reason: such an event's order is looked at, in case its personal data has been erased meanwhile.
    told = [a_message({"detail": detail}) for detail in (*details, details[-1] | {"reason": "Sold out"})]
    for module in ("keep_statistics", "fan_out_webhooks"):
        assert world.run(module, a_batch(told)) == ALL_TAKEN
    owed = {"webhook_id": webhook, "delivery_id": details[0]["event_id"]}
    for _ in range(2):
        assert world.run("deliver_webhook", a_batch([a_message(owed)])) == ALL_TAKEN
    world.http("read_analytics", "GET /analytics/summary", group="support")
    world.http("read_analytics", "GET /analytics/summary", group="support", query={"to": "2026-11-20"})
    _look_after_a_webhook(world, webhook, owed["delivery_id"])


def _look_after_a_webhook(world: RecordingWorld, webhook: str, delivery: str) -> None:
    def ask(key: str, **parts: Any) -> dict[str, Any]:
        return world.http("manage_webhooks", key, group="admin", id=webhook, **parts)

    ask("GET /webhooks")
    ask("GET /webhooks/{id}")
    ask("GET /webhooks/{id}/deliveries", query={"limit": "1"})
    ask(
        "POST /webhooks/{id}/deliveries/{delivery_id}/redeliver",
        delivery_id=delivery,
        body={},
        headers=KEYED,
    )
    ask("POST /webhooks/{id}/rotate", body={}, headers=KEYED)
    ask("DELETE /webhooks/{id}")


STORIES: tuple[Callable[[RecordingWorld], None], ...] = (
    an_order_is_delivered_and_returned,
    a_parcel_whose_hand_over_never_came_through_is_delivered,
    a_charge_is_declined,
    a_charge_s_answer_is_lost,
    payments_are_decided_later,
    a_warehouse_hands_over,
    payments_are_at_stripe,
    money_is_held_and_taken_with_the_parcels,
    hand_overs_are_interrupted,
    cash_is_collected_at_the_door,
    a_refund_is_refused_and_made_again,
    an_order_is_reviewed,
    an_order_is_short,
    digital_orders_are_delivered_by_their_payment,
    a_release_without_figures_has_put_the_stock_back,
    an_order_is_cancelled_after_its_hand_over_began,
    support_sets_each_status_by_hand,
    a_lost_workflow_is_repaired,
    an_unwinding_is_looked_after,
    executions_end_before_their_orders,
    orders_are_read_and_watched,
    the_warehouse_runs_ahead_of_the_workflow,
    carriers_report_a_parcel,
    a_carrier_s_report_is_missed,
    everyone_who_waits_for_news_is_told,
)
