"""Who may do what: every role on every route, derived from the one table; deny is the default."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from orders import secrets, tokens
from orders.changes import utc_now
from orders.errors import PaymentDeclined, PermissionDenied, Unauthenticated
from orders.http import Principal, Request, authorise
from orders.ids import CustomerId, OrderId
from orders.routes import ROUTES, Route, Who
from orders.statuses import OrderStatus
from tests.functions.world import ADDRESS, CUSTOMER, STRANGER, World, a_body

ROLES: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "anonymous": (None, ()),
    "stranger": (STRANGER, ()),
    "owner": (CUSTOMER, ()),
    "support": ("grace", ("support",)),
    "admin": ("root", ("admin",)),
    "carrier": ("carl", ("carrier",)),
    "unknown group": ("eve", ("managers",)),
}
BODIES: dict[str, Any] = {
    "PlaceOrder": a_body(),
    "AddressBody": ADDRESS | {"city": "Ockham"},
    "SetStatus": {"status": "PROCESSING"},
    "SetLocation": {"location": "Utrecht"},
    "SetProduct": {"name": "Teapot", "unit_price": {"amount": 1, "currency": "USD"}, "stock": 1},
}
# What the contract's table of section 3 says, written out a second time: who gets past the door of each route.
CONTRACT: dict[str, set[str]] = {
    "POST /orders": {"stranger", "owner", "support", "admin", "unknown group"},
    "GET /orders": {"stranger", "owner", "support", "admin", "unknown group"},
    "GET /orders/{id}": {"owner", "support", "admin"},
    "GET /orders/{id}/history": {"owner", "support", "admin"},
    "POST /orders/{id}/cancel": {"owner", "support", "admin"},
    "PUT /orders/{id}/address": {"owner", "support", "admin"},
    "POST /orders/{id}/return": {"owner", "support", "admin"},
    "POST /orders/{id}/approve": {"support", "admin"},
    "POST /orders/{id}/reject": {"support", "admin"},
    "PATCH /orders/{id}/status": {"support", "admin"},
    "PUT /orders/{id}/shipment/location": {"support", "admin", "carrier"},
    "POST /orders/{id}/delivered": {"support", "admin", "carrier"},
    "POST /orders/{id}/sync": {"support", "admin"},
    "GET /orders/{id}/execution": {"support", "admin"},
    "GET /analytics/summary": {"support", "admin"},
    "PUT /products/{id}": {"admin"},
    "GET /products": set(ROLES),
    "GET /products/{id}": set(ROLES),
    "GET /health": set(ROLES),
    "GET /openapi.json": set(ROLES),
    "GET /docs": set(ROLES),
}
REFUSED = {401, 403}


def asked(world: World, route: Route, role: str) -> Any:
    by, groups = ROLES[role]
    path = {"id": "prod-001" if "products" in route.path else "order-1"} if "{id}" in route.path else {}
    return world.http(route.key, path, BODIES.get(route.body or ""), by=by, groups=groups)


@pytest.mark.parametrize("role", ROLES)
def test_every_role_on_every_route_of_the_contract(world: World, role: str) -> None:
    world.place()
    for key, allowed in CONTRACT.items():
        answer = asked(world, ROUTES[key], role)
        if role in allowed:
            assert answer.status not in REFUSED, f"{role} on {key}: {answer.text}"
        else:
            assert answer.status == (401 if role == "anonymous" else 403), f"{role} on {key}: {answer.text}"


@pytest.mark.parametrize("role", [role for role in ROLES if role != "admin"])
def test_webhooks_are_for_admins_alone(world: World, role: str) -> None:
    for key, route in ROUTES.items():
        if route.path.startswith("/webhooks"):
            assert route.who == {Who.ADMIN}
            by, groups = ROLES[role]
            answer = world.http(key, {"id": "wh-1", "delivery_id": "d-1"}, by=by, groups=groups)
            assert answer.status == (401 if role == "anonymous" else 403), key


def test_every_route_has_its_line_in_the_contract() -> None:
    elsewhere = {key for key, route in ROUTES.items() if route.path.startswith("/webhooks") or route.is_page}
    self_checked = {"GET /orders/{id}/status", "GET /orders/{id}/status/stream", "POST /carriers/{carrier}/events"}
    assert set(ROUTES) == set(CONTRACT) | elsewhere | self_checked


def test_whoever_may_write_a_thing_may_read_it(world: World) -> None:
    """Of a carrier's reports the answer is all that a carrier is shown."""
    reads = {"orders": "GET /orders/{id}", "products": "GET /products/{id}", "webhooks": "GET /webhooks/{id}"}
    for route in ROUTES.values():
        read = reads.get(route.path.split("/")[1])
        if read and route.method != "GET":
            readers = ROUTES[read].who
            assert Who.ANYONE in readers or route.who - {Who.CARRIER, Who.CUSTOMER} <= readers, route.key
            assert (Who.SUPPORT in route.who) <= (Who.ADMIN in route.who), route.key


def test_an_admin_acts_for_the_shop_as_support_does(world: World) -> None:
    world.live(OrderStatus.PROCESSING, "one")
    world.live(OrderStatus.PROCESSING, "two")
    admin: dict[str, Any] = {"by": "root", "groups": ["admin"]}
    listed = world.http("GET /orders", query={"customer_id": CUSTOMER}, **admin)
    assert {order["order_id"] for order in listed.body["orders"]} == {"one", "two"}
    assert world.http("GET /orders", query={"overdue": "true"}, **admin).status == 200
    cancelled = world.http("POST /orders/{id}/cancel", "one", **admin)
    assert cancelled.order["cancellation"] == cancelled.order["cancellation"] | {"reason": "staff", "cancelled_by": "root"}


def test_a_refused_caller_changes_nothing(world: World) -> None:
    world.place()
    before = world.everything()
    for key, allowed in CONTRACT.items():
        for role in set(ROLES) - allowed:
            asked(world, ROUTES[key], role)
    assert world.everything() == before


@pytest.mark.parametrize(
    "principal", [None, Principal(CustomerId("x"), frozenset()), Principal(CustomerId("x"), frozenset({Who.ADMIN}))]
)
def test_a_route_that_names_nobody_opens_for_nobody(principal: Principal | None) -> None:
    nobody = Route("GET /secret", frozenset(), "x", "x", "x")
    request = Request(nobody, {}, {"token": "any"}, {}, b"", principal)
    with pytest.raises((Unauthenticated, PermissionDenied)):
        authorise(request)


@pytest.mark.parametrize(
    ("claim", "groups"),
    [
        ("[support]", {"support"}),
        ("[SUPPORT ADMIN]", {"support", "admin"}),
        ("support", {"support"}),
        ('["support","carrier"]', {"support", "carrier"}),
        ("support, admin", {"support", "admin"}),
        (["support"], {"support"}),
        ([], set()),
        ("", set()),
        ("[]", set()),
        ("[supporters]", set()),
        ("[not-support]", set()),
        ("[support.readonly]", set()),
        ("owner customer anyone", set()),
        (None, set()),
        (7, set()),
    ],
)
def test_groups_are_read_however_the_gateway_writes_them(claim: Any, groups: set[str]) -> None:
    principal = Principal.from_claims({"sub": "grace", "cognito:groups": claim})
    assert {group.value for group in principal.groups} == groups


def test_whose_order_it_is_does_not_help_with_what_support_alone_may_do(world: World) -> None:
    world.place()
    for key in ("POST /orders/{id}/approve", "PATCH /orders/{id}/status", "POST /orders/{id}/sync"):
        assert asked(world, ROUTES[key], "owner").status == 403


def test_an_order_that_is_not_there_is_told_from_one_of_somebody_else(world: World) -> None:
    world.place()
    assert world.http("GET /orders/{id}", "order-1", by=STRANGER).status == 403
    assert world.http("GET /orders/{id}", "order-2", by=STRANGER).status == 404


# --- tracking links ---

WATCHED = ("GET /orders/{id}/status", "GET /orders/{id}/status/stream")


def link(order_id: str = "order-1", days_ago: float = 0) -> dict[str, str]:
    made = utc_now() - timedelta(days=days_ago)
    return {"token": tokens.tracking_token(OrderId(order_id), made, secrets.signing_key())}


@pytest.mark.parametrize("route", WATCHED)
def test_a_tracking_link_opens_its_orders_progress(world: World, route: str) -> None:
    world.place()
    assert world.http(route, "order-1", by=None, query=link()).status == 200


@pytest.mark.parametrize("route", WATCHED)
def test_a_tracking_link_opens_nothing_when_it_is_not_the_right_one(world: World, route: str) -> None:
    world.place()
    world.place("order-2")
    expired = link(days_ago=tokens.TRACKING_LIFETIME / timedelta(days=1) + 1)
    forged = {"token": link()["token"][:-1] + ("A" if link()["token"][-1] != "A" else "B")}
    cursor = {"token": tokens.cursor("order-1", "x", secrets.signing_key())}
    for query in (link("order-2"), expired, forged, cursor, {"token": ""}, {"token": "a,b"}, {"token": "é"}):
        assert world.http(route, "order-1", by=None, query=query).status == 403
    assert world.http(route, "order-1", by=None).status == 401


def test_a_tracking_link_opens_no_other_route(world: World) -> None:
    world.place()
    before = world.snapshot()
    for key, route in ROUTES.items():
        if key in WATCHED or route.is_page or route.who & {Who.ANYONE, Who.SIGNED}:
            continue
        path = {"id": "order-1", "delivery_id": "d"} if "{id}" in route.path else {}
        answer = world.http(key, path, BODIES.get(route.body or ""), by=None, query=link())
        assert answer.status == 401, key
    assert world.snapshot() == before


def test_a_link_in_an_answer_is_one_that_opens(world: World) -> None:
    shown = world.place().body
    assert shown["tracking_url"].startswith("/track/order-1?token=")
    token = shown["tracking_url"].partition("token=")[2]
    assert world.http(WATCHED[0], "order-1", by=None, query={"token": token}).status == 200


# --- the stream ---


def frames(text: str) -> list[dict[str, str]]:
    blocks = [block for block in text.split("\n\n") if block.startswith("id:")]
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]


def test_the_stream_begins_with_the_present_and_misses_nothing(world: World) -> None:
    world.place()
    first = world.http(WATCHED[1], "order-1", by=None, query=link())
    assert first.headers["content-type"].startswith("text/event-stream")
    assert re.match(r"retry: 1\d{3}\n\n", first.text)
    (present,) = frames(first.text)
    assert (present["id"], present["event"]) == ("1", "status")
    world.go_on(OrderStatus.DELIVERED)
    rest = world.http(WATCHED[1], "order-1", by=None, query=link(), headers={"last-event-id": present["id"]})
    version = world.order().version
    assert [frame["id"] for frame in frames(rest.text)] == [str(number) for number in range(2, version + 1)]
    assert frames(rest.text)[-1]["event"] == "ORDER_DELIVERED"
    over = world.http(WATCHED[1], "order-1", by=None, query=link(), headers={"last-event-id": str(version)})
    assert (over.status, over.text) == (204, "")


def test_the_stream_says_which_step_a_change_is_about_and_what_became_of_it(world: World) -> None:
    world.place(token="tok_declined")
    world.step("reserve_stock")
    with pytest.raises(PaymentDeclined):
        world.step("charge_payment")
    failure = {"Error": "PaymentDeclined", "Cause": json.dumps({"errorType": "PaymentDeclined", "errorMessage": "No."})}
    world.step("begin_unwinding", failure=failure)
    world.unwind()
    told = world.http(WATCHED[1], "order-1", by=None, query=link(), headers={"last-event-id": "1"})
    changes = [json.loads(frame["data"]) for frame in frames(told.text)]
    assert [(one["event_type"], one.get("step"), one.get("step_status")) for one in changes] == [
        ("STOCK_RESERVED", "Inventory Reservation", "COMPLETED"),
        ("PAYMENT_STARTED", None, None),
        ("STEP_FAILED", "Payment Processing", "FAILED"),
        ("STOCK_RELEASED", "Inventory Reservation", "COMPENSATED"),
        ("ORDER_CANCELLED", None, None),
    ]
    assert changes[0]["steps"] == [
        {"name": "Inventory Reservation", "status": "COMPLETED"},
        {"name": "Payment Processing", "status": "IN_PROGRESS"},
    ]


@pytest.mark.parametrize("seen", ["x", "-1", "1.0", "9" * 19, "1,2"])
def test_a_malformed_place_in_the_stream_is_refused(world: World, seen: str) -> None:
    world.place()
    answer = world.http(WATCHED[1], "order-1", by=None, query=link(), headers={"last-event-id": seen})
    assert (answer.status, answer.fields) == (400, ["Last-Event-ID"])


def test_the_stream_of_an_order_that_goes_on_is_empty_when_nothing_is_new(world: World) -> None:
    world.place()
    answer = world.http(WATCHED[1], "order-1", by=None, query=link(), headers={"last-event-id": "1"})
    assert (answer.status, frames(answer.text)) == (200, [])
