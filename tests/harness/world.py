"""A small world around the handlers: what calls them, what they call outside the table, and what adds up in the end."""

import importlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import jwt
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa
from jsonschema import Draft202012Validator

from local.api_gateway.keys import as_gateway
from local.stack.template import expand
from orders.adapters.store import catalog, orders, table
from orders.domain.decisions import unwinding
from orders.domain.errors import ApprovalPending
from orders.domain.events import FollowUp
from orders.domain.identifiers import OrderId
from orders.domain.money import Money
from orders.domain.order import Order, Snapshot
from orders.domain.products import Product
from orders.domain.statuses import TRANSITIONS, OrderStatus, PaymentMethod
from orders.domain.steps import StepName, unwound_from
from orders.web import openapi
from orders.web.routes import ROUTES, Who
from tests.harness.orders import bearer

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
ISSUER, AUDIENCE = "https://issuer.test", "orders-test"
PARAMETERS = {"JwtIssuer": ISSUER, "JwtAudience": AUDIENCE, "JwksUrl": f"{ISSUER}/jwks.json"}
CUSTOMER, STRANGER = "ada", "mallory"
ADDRESS = {
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "city": "London",
    "postal_code": "SW1Y 4JH",
    "country": "GB",
}

Json = Any


# --- what the template says ---


@cache
def template() -> dict[str, Any]:
    return expand(TEMPLATE, PARAMETERS)


def table_of_the_template() -> dict[str, Any]:
    """What creates the table, as far as an engine in memory needs it."""
    properties = template()["Resources"]["OrdersTable"]["Properties"]
    names = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    return {"TableName": "OrdersTable", **{name: properties[name] for name in names}}


_PSEUDO = {"Partition": "aws", "Region": "us-east-1", "AccountId": "123456789012", "StackName": "orders", "URLSuffix": "test"}


def resolved(value: Any) -> str:
    """A value of the template as CloudFormation would fill it in; a resource stands for itself by its logical id."""
    if not isinstance(value, dict):
        return str(value)
    ((kind, argument),) = value.items()
    if kind == "Ref":
        parameter = template()["Parameters"].get(argument)
        return str(parameter["Default"]) if parameter else str(argument).replace("AWS::", "")
    if kind == "Fn::GetAtt":
        return ".".join(argument) if isinstance(argument, list) else str(argument)
    if kind == "Fn::If":
        condition, yes, no = argument
        return resolved(yes if _holds(template()["Conditions"][condition]) else no)
    if kind == "Fn::Sub":
        text = str(argument)
        for name, filled in _PSEUDO.items():
            text = text.replace("${AWS::" + name + "}", filled)
        for name, parameter in template()["Parameters"].items():
            text = text.replace("${" + name + "}", str(parameter.get("Default", "")))
        return text
    raise NotImplementedError(kind)


def _holds(condition: Any) -> bool:
    ((kind, argument),) = condition.items()
    if kind == "Fn::Equals":
        return resolved(argument[0]) == resolved(argument[1])
    if kind == "Fn::Not":
        return not _holds(argument[0])
    if kind == "Condition":
        return _holds(template()["Conditions"][argument])
    results = (_holds(part) for part in argument)
    return all(results) if kind == "Fn::And" else any(results)


def _environment() -> dict[str, str]:
    """What every function gets, from the template itself; no credentials of anybody's."""
    function = template()["Resources"]["ReserveStockFunction"]["Properties"]
    found = {name: resolved(value) for name, value in function["Environment"]["Variables"].items()}
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    return found | credentials


ENVIRONMENT = _environment()
FULFIL = ENVIRONMENT["FULFILL_MACHINE_ARN"].replace(":stateMachine:", ":execution:")
UNWIND = ENVIRONMENT["UNWIND_MACHINE_ARN"].replace(":stateMachine:", ":execution:")


# --- outside services ---


class FakeStepFunctions:
    """Executions as the service keeps them: names are taken once, tokens are answered once, what ended stays ended."""

    def __init__(self) -> None:
        self.executions: dict[str, dict[str, Any]] = {}
        self.waiting: set[str] = set()
        self.answers: dict[str, Json] = {}
        self.breaks: Exception | None = None
        self.unseen: set[str] = set()
        """Executions that were started too short a time ago to be described: reading is eventually consistent."""
        self.described = 0

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:  # noqa: A002, N803
        self._break()
        arn = f"{stateMachineArn.replace(':stateMachine:', ':execution:')}:{name}"
        known = self.executions.get(arn)
        if known and not (known["status"] == "RUNNING" and known["input"] == input):
            raise _error("ExecutionAlreadyExists", "StartExecution")
        self.executions[arn] = {"status": "RUNNING", "input": input, "name": name, "arn": arn}
        return {"executionArn": arn}

    def stop_execution(self, *, executionArn: str, error: str, cause: str) -> dict[str, Any]:  # noqa: N803
        self._break()
        if executionArn not in self.executions:
            raise _error("ExecutionDoesNotExist", "StopExecution")
        if self.executions[executionArn]["status"] == "RUNNING":
            self.end(executionArn, "ABORTED")
        return {"error": error, "cause": cause}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        self._break()
        self.described += 1
        if executionArn not in self.executions or executionArn in self.unseen:
            raise _error("ExecutionDoesNotExist", "DescribeExecution")
        return {**self.executions[executionArn], "startDate": datetime(2026, 11, 20, tzinfo=UTC)}

    def describe_state_machine_for_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        return {"definition": json.dumps({"StartAt": "Reserve stock", "States": {}})}

    def get_paginator(self, name: str) -> Any:
        return SimpleNamespace(paginate=lambda **request: [getattr(self, name)(**request)])

    def get_execution_history(self, *, executionArn: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        scheduled = {"Payload": {"order_id": "order-1", "task_token": "secret-token"}}
        details = {"parameters": json.dumps(scheduled), "resource": "invoke.waitForTaskToken"}
        event = {"id": 1, "type": "TaskScheduled", "taskScheduledEventDetails": details}
        return {"events": [event | {"timestamp": datetime(2026, 11, 20, tzinfo=UTC)}]}

    def send_task_success(self, *, taskToken: str, output: str) -> dict[str, Any]:  # noqa: N803
        return self._answer(taskToken, "SendTaskSuccess", json.loads(output))

    def send_task_failure(self, *, taskToken: str, error: str, cause: str) -> dict[str, Any]:  # noqa: N803
        return self._answer(taskToken, "SendTaskFailure", (error, cause))

    def _answer(self, token: str, call: str, said: Json) -> dict[str, Any]:
        self._break()
        if token not in self.waiting:
            raise _error("TaskTimedOut" if token in self.answers else "InvalidToken", call)
        self.waiting.discard(token)
        self.answers[token] = said
        return {}

    def _break(self) -> None:
        if self.breaks:
            raise self.breaks

    # --- what tests do ---

    def end(self, arn: str, status: str, error: str | None = None) -> None:
        self.executions[arn] |= {"status": status} | ({"error": error} if error else {})

    def lose(self, arn: str) -> None:
        del self.executions[arn]

    def running(self) -> list[str]:
        return sorted(
            arn.rpartition(":")[0].rpartition("-")[0].rpartition("-")[2] + " " + execution["name"]
            for arn, execution in self.executions.items()
            if execution["status"] == "RUNNING"
        )

    def input_of(self, arn: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.executions[arn]["input"])
        return found


def _error(code: str, call: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, call)


def throttled(call: str = "UpdateItem") -> ClientError:
    return _error("ThrottlingException", call)


@dataclass
class FakeBus:
    """Takes events as they come."""

    taken: list[dict[str, Any]] = field(default_factory=list)

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.taken.extend(Entries)
        return {"FailedEntryCount": 0, "Entries": [{"EventId": str(position)} for position in range(len(Entries))]}

    def details(self) -> list[dict[str, Any]]:
        return [json.loads(entry["Detail"]) for entry in self.taken]


# --- the issuer ---


@cache
def issuer_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_set() -> dict[str, Any]:
    """What the issuer publishes."""
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(issuer_key().public_key()))
    return {"keys": [{**public, "kid": "world", "use": "sig", "alg": "RS256"}]}


def signed(claims: Mapping[str, Any]) -> str:
    """A token that the issuer gives out, for an hour."""
    usual = {"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 3600}
    return jwt.encode({**usual, **claims}, issuer_key(), algorithm="RS256", headers={"kid": "world"})


# --- answers ---


@dataclass(frozen=True)
class Answer:
    """What a caller gets."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Json:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        return str(self.body["code"])

    @property
    def order(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body["order"]
        return found

    @property
    def fields(self) -> list[str]:
        return [problem["field"] for problem in self.body["errors"]]


@cache
def description() -> dict[str, Any]:
    return openapi.document()


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": description()["components"]})


def check_answer(route_key: str, answer: Answer) -> None:
    """Every answer is one that the description promises: its status, its type and its shape."""
    if ROUTES[route_key].is_page:
        return
    route = ROUTES[route_key]
    described = description()["paths"][route.path][route.method.lower()]["responses"]
    assert str(answer.status) in described, f"{route_key} does not say that it answers {answer.status}: {answer.text}"
    kind = answer.headers.get("content-type", "").split(";")[0]
    if answer.status >= 400:
        assert kind == "application/problem+json"
        name = "Problem"
        assert answer.body["status"] == answer.status
    elif kind != "application/json" or route.answer == "OpenApi":
        return
    else:
        name = route.answer or ""
    errors = [f"{'.'.join(map(str, error.path))}: {error.message}" for error in _validator(name).iter_errors(answer.body)]
    assert not errors, f"{route_key} answers otherwise than described: {errors}"


# --- the world ---


@dataclass
class World:
    """Everything a test needs to live an order through the real handlers."""

    executions: FakeStepFunctions
    bus: FakeBus
    followed: dict[str, int] = field(default_factory=dict)
    stocked: dict[str, int] = field(default_factory=dict)
    seconds_left: Callable[[], float] = lambda: 30.0

    def __post_init__(self) -> None:
        self.stock("prod-001", 100)
        self.stock("prod-002", 100)

    def stock(self, product_id: str, pieces: int, price: int = 1000, currency: str = "USD") -> None:
        catalog.save_product(Product(product_id, f"Product {product_id}", Money(price, currency), pieces))
        self.stocked[product_id] = pieces

    # --- calls from outside ---

    def http(
        self,
        route_key: str,
        path: Mapping[str, str] | str | None = None,
        body: Json = None,
        *,
        by: str | None = CUSTOMER,
        groups: Iterable[Json] = (),
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        raw: str | None = None,
    ) -> Answer:
        """One request as API Gateway hands it on, with the token and the claims that its authorizer has verified."""
        parameters = {"id": path} if isinstance(path, str) else dict(path or {})
        context: dict[str, Any] = {"requestId": "request-1", "http": {"method": route_key.split(" ", maxsplit=1)[0]}}
        given = dict(headers or {})
        claims = {"sub": by, "cognito:groups": list(groups)}
        # No authorizer stands before these: the function verifies the token itself.
        verifies = by is not None and Who.TRACKING_LINK in ROUTES[route_key].who
        if verifies:
            given = {"authorization": f"Bearer {signed(claims)}"} | given
        elif by is not None:
            context["authorizer"] = {"jwt": {"claims": as_gateway(claims), "scopes": None}}
            given = {"authorization": bearer(claims)} | given
        text = raw if raw is not None else json.dumps(body) if body is not None else None
        event = {
            "version": "2.0",
            "routeKey": route_key,
            "rawPath": "/somewhere",
            "headers": given,
            "requestContext": context,
            "isBase64Encoded": False,
            **({"pathParameters": parameters} if parameters else {}),
            **({"queryStringParameters": dict(query)} if query else {}),
            **({"body": text} if text is not None else {}),
        }
        with patch.object(jwt.PyJWKClient, "fetch_data", lambda _: key_set()) if verifies else nullcontext():
            said = self.invoke(self.function_of(route_key), event)
        answer = Answer(said["statusCode"], said.get("headers", {}), said.get("body", ""))
        self.check(route_key, answer)
        return answer

    def function_of(self, route_key: str) -> str:
        return ROUTES[route_key].function

    def check(self, route_key: str, answer: Answer) -> None:
        check_answer(route_key, answer)

    def support(self, route_key: str, path: str | None = None, body: Json = None, **more: Any) -> Answer:
        return self.http(route_key, path, body, by="grace", groups=["support"], **more)

    def invoke(self, module: str, event: Json) -> Json:
        context = SimpleNamespace(
            aws_request_id="request-1", function_name=module, get_remaining_time_in_millis=lambda: self.seconds_left() * 1000
        )
        return importlib.import_module(module).handler(event, context)

    def step(self, module: str, order_id: str = "order-1", **more: Json) -> Json:
        return self.invoke(module, {"order_id": order_id, **more})

    def reserve_for_review(self, order_id: str = "order-1") -> None:
        """The first step of an order that a person has to look at first: the goods are taken, and an error says so."""
        with pytest.raises(ApprovalPending):
            self.step("reserve_stock", order_id)

    # --- an order's life ---

    def place(self, order_id: str = "order-1", **more: Any) -> Answer:
        headers = more.pop("headers", None)
        by, groups = more.pop("by", CUSTOMER), more.pop("groups", ())
        answer = self.http("POST /orders", None, a_body(order_id=order_id, **more), by=by, groups=groups, headers=headers)
        assert answer.status == 202, answer.text
        return answer

    def live(self, status: OrderStatus, order_id: str = "order-1", **more: Any) -> Snapshot:
        """Places an order and takes it to a status by the workflow's own steps."""
        self.place(order_id, **more)
        self.follow_up(order_id)
        self.go_on(status, order_id)
        found = orders.load(OrderId(order_id))
        assert found.order.status is status
        return found

    def go_on(self, status: OrderStatus, order_id: str = "order-1") -> None:
        if status is OrderStatus.PENDING:
            return
        self.step("reserve_stock", order_id)
        if status is OrderStatus.CANCELLED:
            assert self.http("POST /orders/{id}/cancel", order_id).status == 200
            return
        self.step("charge_payment", order_id)
        if status in (OrderStatus.CONFIRMED, orders.load_order(OrderId(order_id)).status):
            return
        if status is OrderStatus.PROCESSING:
            assert self.support("PATCH /orders/{id}/status", order_id, {"status": "PROCESSING"}).status == 200
            return
        self.executions.waiting.add(f"ship-{order_id}")
        self.step("ship_parcel", order_id, task_token=f"ship-{order_id}", transit=10)
        if status is OrderStatus.SHIPPED:
            return
        self.step("deliver_order", order_id)
        if status is OrderStatus.RETURNED:
            assert self.http("POST /orders/{id}/return", order_id).status == 200

    def unwind(self, order_id: str = "order-1") -> None:
        """Walks the unwinding machine from where it would enter; every step twice, as may happen."""
        for task in unwound_from(unwinding.undo_from(orders.load(OrderId(order_id)))):
            self.step(task.function, order_id)
            self.step(task.function, order_id)

    # --- the table's stream ---

    def records(self, order_id: str = "order-1") -> list[dict[str, Any]]:
        """The stream records of an order's events that ask for a follow-up, as the feed's filter lets them through."""
        items = self.items(order_id, "EVENT#")
        return [
            {
                "eventID": item["SK"]["S"],
                "eventName": "INSERT",
                "eventSource": "aws:dynamodb",
                "dynamodb": {"SequenceNumber": f"{order_id}/{item['version']['N']}", "NewImage": item},
            }
            for item in items
            if "follow_up" in item
        ]

    def follow_up(self, order_id: str = "order-1") -> list[str]:
        """Delivers what the stream has not delivered yet; answers the follow-ups that were asked for."""
        known = self.followed.get(order_id, 0)
        fresh = [record for record in self.records(order_id) if int(record["dynamodb"]["NewImage"]["version"]["N"]) > known]
        answer = self.invoke("drive_workflow", {"Records": fresh}) if fresh else {"batchItemFailures": []}
        assert answer == {"batchItemFailures": []}
        if fresh:
            self.followed[order_id] = int(fresh[-1]["dynamodb"]["NewImage"]["version"]["N"])
        return [FollowUp(record["dynamodb"]["NewImage"]["follow_up"]["S"]).name for record in fresh]

    # --- looking ---

    def items(self, order_id: str, prefix: str = "") -> list[dict[str, Any]]:
        answer = table.client().query(
            TableName=ENVIRONMENT["TABLE_NAME"],
            KeyConditionExpression="PK = :pk AND begins_with(SK, :prefix)" if prefix else "PK = :pk",
            ExpressionAttributeValues={":pk": {"S": f"ORDER#{order_id}"}} | ({":prefix": {"S": prefix}} if prefix else {}),
        )
        found: list[dict[str, Any]] = answer["Items"]
        return found

    def everything(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = table.client().scan(TableName=ENVIRONMENT["TABLE_NAME"])["Items"]
        return found

    def order(self, order_id: str = "order-1") -> Order:
        return orders.load_order(OrderId(order_id))

    def snapshot(self, order_id: str = "order-1") -> Snapshot:
        return orders.load(OrderId(order_id))

    def trail(self, order_id: str = "order-1") -> list[str]:
        return [event.type.value for event in orders.history(OrderId(order_id))]

    def ledger(self, kind: str = "GATEWAY") -> list[dict[str, Any]]:
        """What the simulated gateway (or ``CARRIER``) has in its books."""
        entries = [item for item in self.everything() if item["PK"]["S"].startswith(f"{kind}#") and "state" in item]
        return [{"state": item["state"]["S"], **json.loads(item["facts"]["S"])} for item in entries]

    def pieces(self, product_id: str) -> int:
        return catalog.product(product_id).stock

    def add_up(self) -> None:
        """Whatever happened: money, goods and trail agree."""
        gone: dict[str, int] = {}
        kept = charged = refunded = 0
        for entry in self.ledger():
            charged += entry["amount"] if entry["state"] in ("charged", "refunded") else 0
            refunded += entry["amount"] if entry["state"] == "refunded" else 0
        for item in self.everything():
            if item.get("kind") != {"S": "order"}:
                continue
            order_id = item["order_id"]["S"]
            found = orders.load(order_id)
            _check_trail(order_id, found)
            if found.payment and found.payment.status.value == "COMPLETED":
                kept += found.payment.amount.amount
            if found.order.step(StepName.INVENTORY).status.value in ("COMPLETED", "COMPENSATING"):
                for line in found.order.lines:
                    gone[line.product_id] = gone.get(line.product_id, 0) + line.quantity
        assert charged == kept + refunded
        for product_id, pieces in self.stocked.items():
            assert self.pieces(product_id) == pieces - gone.get(product_id, 0)


def _check_trail(order_id: str, found: Snapshot) -> None:
    events = orders.history(OrderId(order_id))
    assert [event.version for event in events] == list(range(1, found.order.version + 1))
    path = [event.status for event in events if event.old_status is not event.status]
    assert path[0] is OrderStatus.PENDING
    assert all(after in TRANSITIONS[before] for before, after in pairwise(path))
    assert path[-1] is found.order.status


def a_body(**changes: Any) -> dict[str, Any]:
    """A request body that places two of one product and one of another; ``token`` and ``method`` go to the payment."""
    payment = {"method": changes.pop("method", PaymentMethod.CREDIT_CARD.value), "token": changes.pop("token", "tok_ok")}
    usual = {
        "items": [{"product_id": "prod-001", "quantity": 2}, {"product_id": "prod-002", "quantity": 1}],
        "payment": payment,
        "shipping_address": ADDRESS,
    }
    return usual | {name: value for name, value in changes.items() if value is not None}


def in_a_while(seconds: float) -> Callable[[], datetime]:
    """A clock that runs ahead."""
    return lambda: datetime.now(UTC) + timedelta(seconds=seconds)
