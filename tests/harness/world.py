"""A small world around the handlers: what calls them, what they call outside the table, and what adds up in the end."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jsonschema_rs import Draft202012Validator

from orders.adapters.store import catalog, orders, table
from orders.domain.decisions import unwinding
from orders.domain.errors import ApprovalPending
from orders.domain.events import FollowUp
from orders.domain.identifiers import OrderId
from orders.domain.money import Money
from orders.domain.order import Order, Snapshot
from orders.domain.products import Product
from orders.domain.statuses import TRANSITIONS, OrderStatus
from orders.domain.steps import StepName, unwound_from
from orders.web import openapi
from orders.web.routes import ROUTES, Who
from tests.harness.bodies import a_body
from tests.harness.cloudformation import Deployed, environment, expanded, table_properties
from tests.harness.events import ALL_TAKEN, a_batch, a_record, http_event, invoke
from tests.harness.fakes import FakeBus, FakeStepFunctions
from tests.harness.figures import reserved_and_sold

ISSUER, AUDIENCE = "https://issuer.test", "orders-test"
SHOP = "shop-client"
"""The client of a shop's own system."""
PARAMETERS = {"JwtIssuer": ISSUER, "JwtAudience": AUDIENCE, "ShopAudience": SHOP, "JwksUrl": f"{ISSUER}/jwks.json"}
CUSTOMER, STRANGER = "ada", "mallory"
Json = Any


# --- what the template says ---


@cache
def template() -> dict[str, Any]:
    return expanded(PARAMETERS)


def table_of_the_template() -> dict[str, Any]:
    """What creates the table, as far as an engine in memory needs it."""
    return {"TableName": "OrdersTable", **table_properties(template()["Resources"])}


# What every function gets, from the template itself, and no credentials of anybody's.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
ENVIRONMENT = environment(Deployed(template(), PARAMETERS)) | CREDENTIALS
FULFIL = ENVIRONMENT["FULFILL_MACHINE_ARN"].replace(":stateMachine:", ":execution:")
UNWIND = ENVIRONMENT["UNWIND_MACHINE_ARN"].replace(":stateMachine:", ":execution:")


# --- the issuer ---


@cache
def issuer_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_set() -> dict[str, Any]:
    """What the issuer publishes."""
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(issuer_key().public_key()))
    return {"keys": [{**public, "kid": "world", "use": "sig", "alg": "RS256"}]}


def machine_claims(scope: str = "orders/shop") -> dict[str, Any]:
    """What Cognito says in a token that a machine got by its own credentials."""
    return {"sub": SHOP, "client_id": SHOP, "token_use": "access", "scope": scope, "version": 2}


def signed(claims: Mapping[str, Any]) -> str:
    """A token that the issuer gives out, for an hour."""
    audience = {} if "client_id" in claims else {"aud": AUDIENCE}
    usual = {"iss": ISSUER, "exp": int(time.time()) + 3600, **audience}
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
    errors = [
        f"{'.'.join(map(str, error.instance_path))}: {error.message}" for error in _validator(name).iter_errors(answer.body)
    ]
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
        claims: Mapping[str, Json] | None = None,
    ) -> Answer:
        """One request as API Gateway hands it on, with the token and the claims that its authorizer has verified."""
        parameters = {"id": path} if isinstance(path, str) else path
        given = dict(headers or {})
        claims = claims or {"sub": by, "cognito:groups": list(groups)}
        # No authorizer stands before these: the function verifies the token itself.
        verifies = by is not None and Who.TRACKING_LINK in ROUTES[route_key].who
        if verifies:
            given = {"authorization": f"Bearer {signed(claims)}"} | given
        behind_authorizer = claims if by is not None and not verifies else None
        text = raw if raw is not None else json.dumps(body) if body is not None else None
        event = http_event(route_key, path=parameters, query=query, headers=given, body=text, claims=behind_authorizer)
        with patch.object(jwt.PyJWKClient, "fetch_data", lambda _: key_set()) if verifies else nullcontext():
            said = self.invoke(self.function_of(route_key), event)
        answer = Answer(said["statusCode"], said.get("headers", {}), said.get("body", ""))
        self.check(route_key, answer)
        return answer

    def function_of(self, route_key: str) -> str:
        return ROUTES[route_key].function

    def check(self, route_key: str, answer: Answer) -> None:
        check_answer(route_key, answer)

    def support(self, route_key: str, path: Mapping[str, str] | str | None = None, body: Json = None, **more: Any) -> Answer:
        return self.http(route_key, path, body, by="grace", groups=["support"], **more)

    def shop(self, route_key: str, path: str | None = None, body: Json = None, **more: Any) -> Answer:
        return self.http(route_key, path, body, claims=machine_claims(), **more)

    def invoke(self, module: str, event: Json) -> Json:
        return invoke(module, event, self.seconds_left)

    def step(self, module: str, order_id: str = "order-1", **more: Json) -> Json:
        return self.invoke(module, {"order_id": order_id, **more})

    def reserve_for_review(self, order_id: str = "order-1") -> None:
        """The first step of an order that a person has to look at first: the goods are taken, and an error says so."""
        with pytest.raises(ApprovalPending):
            self.step("reserve_stock", order_id)

    # --- an order's life ---

    def place(self, order_id: str = "order-1", **more: Any) -> Answer:
        headers = more.pop("headers", None)
        who = {name: more.pop(name) for name in ("by", "groups", "claims") if name in more}
        answer = self.http("POST /orders", None, a_body(order_id=order_id, **more), headers=headers, **who)
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
            assert self.support("POST /orders/{id}/return", order_id).status == 200

    def unwind(self, order_id: str = "order-1") -> None:
        """Walks the unwinding machine from where it would enter; every step twice, as may happen."""
        for task in unwound_from(unwinding.undo_from(orders.load(OrderId(order_id)))):
            self.step(task.function, order_id)
            self.step(task.function, order_id)

    # --- the table's stream ---

    def records(self, order_id: str = "order-1") -> list[dict[str, Any]]:
        """The stream records of an order's events that ask for a follow-up, as the feed's filter lets them through."""
        items = self.items(order_id, "EVENT#")
        return [a_record(item, f"{order_id}/{item['version']['N']}") for item in items if "follow_up" in item]

    def follow_up(self, order_id: str = "order-1") -> list[str]:
        """Delivers what the stream has not delivered yet; answers the follow-ups that were asked for."""
        known = self.followed.get(order_id, 0)
        fresh = [record for record in self.records(order_id) if int(record["dynamodb"]["NewImage"]["version"]["N"]) > known]
        assert not fresh or self.invoke("drive_workflow", a_batch(fresh)) == ALL_TAKEN
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

    def figures(self, product_id: str) -> tuple[int, int]:
        """The pieces of a product that are reserved, and those that are sold."""
        product = catalog.product(product_id)
        return product.reserved, product.sold

    def add_up(self) -> None:
        """Whatever happened: money, goods and trail agree."""
        gone: dict[str, int] = {}
        found_orders: list[Order] = []
        kept = charged = refunded = 0
        for entry in self.ledger():
            taken = sum(entry["captures"].values()) if "captures" in entry else entry.get("amount", 0)
            charged += taken if entry["state"] in ("charged", "refunded") else 0
            refunded += taken if entry["state"] == "refunded" else sum(entry.get("refunds", {}).values())
        for item in self.everything():
            if item.get("kind") != {"S": "order"}:
                continue
            order_id = item["order_id"]["S"]
            found = orders.load(order_id)
            found_orders.append(found.order)
            _check_trail(order_id, found)
            kept += found.payment.left if found.payment else 0
            if found.order.step(StepName.INVENTORY).status.value in ("COMPLETED", "COMPENSATING"):
                is_ended = found.order.status in (OrderStatus.CANCELLED, OrderStatus.RETURNED)
                for line in found.order.lines:
                    out = line.quantity if is_ended else line.wanted - line.quantity_returned
                    gone[line.product_id] = gone.get(line.product_id, 0) + out
        assert charged == kept + refunded
        for product_id, pieces in self.stocked.items():
            assert self.pieces(product_id) == pieces - gone.get(product_id, 0)
        self.check_figures(found_orders)

    def check_figures(self, found: list[Order]) -> None:
        """Each product counts what its orders hold of it, as soon as none of them is being unwound."""
        if not any(step.status.value == "COMPENSATING" for order in found for step in order.steps):
            wanted = dict.fromkeys(self.stocked, (0, 0)) | reserved_and_sold(found)
            assert {product_id: self.figures(product_id) for product_id in wanted} == wanted


def _check_trail(order_id: str, found: Snapshot) -> None:
    events = orders.history(OrderId(order_id))
    assert [event.version for event in events] == list(range(1, found.order.version + 1))
    path = [event.status for event in events if event.old_status is not event.status]
    assert path[0] is OrderStatus.PENDING
    assert all(after in TRANSITIONS[before] for before, after in pairwise(path))
    assert path[-1] is found.order.status


def in_a_while(seconds: float) -> Callable[[], datetime]:
    """A clock that runs ahead."""
    return lambda: datetime.now(UTC) + timedelta(seconds=seconds)
