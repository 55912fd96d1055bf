"""Who may do what: every role on every route, derived from the one table; deny is the default."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from local.api_gateway.keys import as_gateway
from orders.adapters import secret_store
from orders.domain.errors import PermissionDenied, Unauthenticated
from orders.domain.identifiers import CustomerId, OrderId
from orders.domain.statuses import OrderStatus
from orders.domain.steps import PaymentDeclined
from orders.services.changes import utc_now
from orders.web import tokens
from orders.web.callers import Principal
from orders.web.handling import Request, authorize
from orders.web.routes import ROUTES, Route, Who
from tests.harness import behavior
from tests.harness.bodies import HOME, a_body
from tests.harness.events import http_event
from tests.harness.orders import bearer
from tests.harness.world import CUSTOMER, SHOP, STRANGER, World, machine_claims

ROLES: dict[str, dict[str, Any]] = {
    "anonymous": {"by": None},
    "stranger": {"by": STRANGER},
    "owner": {"by": CUSTOMER},
    "support": {"by": "grace", "groups": ["support"]},
    "admin": {"by": "root", "groups": ["admin"]},
    "carrier": {"by": "carl", "groups": ["carrier"]},
    "warehouse": {"by": "wim", "groups": ["warehouse"]},
    "shop": {"claims": machine_claims()},
    "unknown group": {"by": "eve", "groups": ["managers"]},
}
BODIES: dict[str, Any] = {
    "PlaceOrder": a_body(),
    "AddressBody": HOME | {"city": "Ockham"},
    "PatchOrder": {"note": "Ring twice"},
    "SetStatus": {"status": "PROCESSING"},
    "RequestReturn": {"items": [{"line_id": "1", "quantity": 1}]},
    "ReceiveReturn": {"items": [], "final": True},
    "SetLocation": {"location": "Utrecht"},
    "ChangeStock": {"change": 0},
    "SetProduct": {"name": "Teapot", "unit_price": {"amount": 1, "currency": "USD"}, "stock": 1},
}
OPENED_BY = {
    "anyone": set(ROLES),
    "customer": {"stranger", "owner", "unknown group"},
    **{name: {name} for name in ("owner", "support", "admin", "carrier", "warehouse", "shop")},
}
VERIFIED_BY_THE_FUNCTION = {"tracking link", "signed by the sender"}
PROMISED: dict[str, set[str]] = {
    key: set[str]().union(*(OPENED_BY[name] for name in who))
    for key, who in behavior.routes().items()
    if not who & VERIFIED_BY_THE_FUNCTION and not key.partition(" ")[2].startswith("/webhooks")
}
"""Who gets past the door of each route, by ``docs/behavior.md#routes``."""
REFUSED = {401, 403}


def asked(world: World, route: Route, role: str) -> Any:
    path = {"id": "prod-001" if "products" in route.path else "order-1"} if "{id}" in route.path else {}
    named = {"customer_id": CUSTOMER} if (role, route.body) == ("shop", "PlaceOrder") else {}
    body = BODIES.get(route.body or "")
    return world.http(route.key, path, body and body | named, **ROLES[role])


@pytest.mark.parametrize("role", ROLES)
def test_every_role_on_every_route(world: World, role: str) -> None:
    world.place()
    for key, allowed in PROMISED.items():
        answer = asked(world, ROUTES[key], role)
        if role in allowed:
            assert answer.status not in REFUSED, f"{role} on {key}: {answer.text}"
        else:
            assert answer.status == (401 if role == "anonymous" else 403), f"{role} on {key}: {answer.text}"


@pytest.mark.parametrize("role", [role for role in ROLES if role not in ("admin", "shop")])
def test_webhooks_are_for_admins_and_shops_alone(world: World, role: str) -> None:
    for key, route in ROUTES.items():
        if route.path.startswith("/webhooks"):
            assert route.who == {Who.ADMIN, Who.SHOP}
            answer = world.http(key, {"id": "wh-1", "delivery_id": "d-1"}, **ROLES[role])
            assert answer.status == (401 if role == "anonymous" else 403), key


def test_whoever_may_write_a_thing_may_read_it(world: World) -> None:
    """Of a carrier's reports the answer is all that a carrier is shown."""
    reads = {"orders": "GET /orders/{id}", "products": "GET /products/{id}", "webhooks": "GET /webhooks/{id}"}
    for route in ROUTES.values():
        read = reads.get(route.path.split("/")[1])
        if read and route.method != "GET":
            readers = ROUTES[read].who
            assert Who.ANYONE in readers or route.who - {Who.CARRIER, Who.WAREHOUSE, Who.CUSTOMER} <= readers, route.key
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
    for key, allowed in PROMISED.items():
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
        authorize(request)


# --- shops ---


def test_a_shop_places_and_changes_orders_of_any_customer_and_sees_them_as_their_owner_does(world: World) -> None:
    placed = world.shop("POST /orders", body=a_body(order_id="order-1", customer_id=CUSTOMER))
    assert (placed.status, placed.order["customer_id"]) == (202, CUSTOMER)
    assert placed.body["tracking_url"].startswith("/track/order-1?token=")
    world.shop("POST /orders", body=a_body(order_id="order-2", customer_id=STRANGER))
    listed = world.shop("GET /orders").body["orders"]
    assert [order["order_id"] for order in listed] == ["order-2", "order-1"]
    assert [o["order_id"] for o in world.shop("GET /orders", query={"customer_id": STRANGER}).body["orders"]] == ["order-2"]
    assert world.shop("GET /orders", query={"overdue": "true"}).status == 200
    moved = world.shop("PUT /orders/{id}/address", "order-1", HOME | {"city": "Ockham"})
    assert moved.order["shipping_address"]["city"] == "Ockham"
    assert world.http("GET /orders/{id}", "order-1").body == world.shop("GET /orders/{id}", "order-1").body
    assert world.shop("GET /orders/{id}/status", "order-1").status == 200


def test_what_a_shop_does_is_done_for_the_customer_and_stands_under_its_name(world: World) -> None:
    world.place()
    cancelled = world.shop("POST /orders/{id}/cancel", "order-1", {"reason": "Bought twice"})
    expected = {"reason": "customer", "cancelled_by": f"shop:{SHOP}", "note": "Bought twice"}
    for seen in (cancelled, world.http("GET /orders/{id}", "order-1"), world.shop("GET /orders/{id}", "order-1")):
        assert seen.order["cancellation"] == seen.order["cancellation"] | expected
    for reader in (world.shop, world.http, world.support):
        last = reader("GET /orders/{id}/history", "order-1").body["history"][-1]
        assert (last["triggered_by"], last["reason"]) == (f"shop:{SHOP}", "Bought twice")


def test_a_shop_does_not_read_what_staff_noted(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    world.support("POST /orders/{id}/cancel", "order-1", {"reason": "smells of fraud"})
    assert "fraud" not in world.shop("GET /orders/{id}", "order-1").text
    assert "fraud" not in world.shop("GET /orders/{id}/history", "order-1").text


def test_a_shop_names_the_customer_it_orders_for(world: World) -> None:
    refused = world.shop("POST /orders", body=a_body())
    assert (refused.status, refused.body["errors"][0]["field"]) == (400, "customer_id")


def test_a_shop_owns_no_order_even_under_its_own_id(world: World) -> None:
    world.live(OrderStatus.DELIVERED, customer_id=SHOP, claims=machine_claims())
    assert world.order().customer_id == SHOP
    assert world.shop("POST /orders/{id}/return", "order-1").status == 403
    assert world.http("POST /orders/{id}/return", "order-1", by=SHOP).status == 200, "a person of that name"


NO_SHOP: dict[str, dict[str, Any]] = {
    "another scope": machine_claims("orders/read"),
    "a longer one": machine_claims("orders/shopping"),
    "one in another case": machine_claims("Orders/Shop"),
    "commas between": machine_claims("openid,orders/shop"),
    "no scope": {**machine_claims(), "scope": None},
    "a list": {**machine_claims(), "scope": ["orders/shop"]},
    "a person's, by an application": {**machine_claims(), "sub": STRANGER},
    "no client": {**machine_claims(), "client_id": None},
    "a client that is no text": {**machine_claims(), "client_id": True},
    "a group of that name": {"sub": STRANGER, "cognito:groups": ["shop", "orders/shop"]},
}


@pytest.mark.parametrize("case", NO_SHOP)
def test_a_token_without_exactly_a_shop_s_claims_is_no_shop_s(world: World, case: str) -> None:
    world.place()
    claims = {name: value for name, value in NO_SHOP[case].items() if value is not None}
    assert world.http("GET /orders/{id}", "order-1", claims=claims).status == 403
    assert Principal.from_claims(claims).groups == set()


@pytest.mark.parametrize("scope", ["orders/shop", "openid orders/shop", "orders/shop orders/read"])
def test_one_scope_of_several_makes_a_shop_and_groups_do_not_count(scope: str) -> None:
    claims = machine_claims(scope) | {"cognito:groups": ["admin"]}
    by_the_function = Principal.from_claims(claims)
    assert by_the_function == Principal(CustomerId(SHOP), frozenset({Who.SHOP}))
    assert Principal.from_authorizer(as_gateway(claims), {"authorization": bearer(claims)}) == by_the_function
    del claims["sub"]
    assert Principal.from_claims(claims) == by_the_function


def test_a_shop_s_header_that_is_not_the_verified_token_opens_nothing() -> None:
    verified = {name: value for name, value in machine_claims("orders/read").items() if name != "sub"}
    for other in (machine_claims(), {**verified, "scope": "orders/shop"}, {**verified, "client_id": "another"}):
        with pytest.raises(Unauthenticated):
            Principal.from_authorizer(as_gateway(verified), {"authorization": bearer(other)})


# --- who a token names ---

GROUPS: dict[str, tuple[Any, set[str]]] = {
    "one": (["support"], {"support"}),
    "several": (["SUPPORT", "admin", "carrier"], {"admin", "carrier"}),
    "none": ([], set()),
    "no claim": (None, set()),
    "another case": (["Support", "SUPPORT", "ADMIN"], set()),
    "a part of a name": (["it support", "support team", "supporters", "not-support", "support.readonly"], set()),
    "spaces around it": ([" support", "support ", "support\n", "\tadmin"], set()),
    "brackets": (["[support]", "[admin", "carrier]"], set()),
    "commas": (["support,admin", "x, carrier"], set()),
    "quotes": (['"support"', "'admin'", '["support"]'], set()),
    "members that are no text": ([["support"], {"support": True}, None, True, 7, "admin"], {"admin"}),
    "a plain text": ("support", set()),
    "a text that looks like a list": ("[support admin]", set()),
    "a text of JSON": ('["support","carrier"]', set()),
    "an object": ({"support": "admin"}, set()),
    "a number": (7, set()),
    "words of the route table that are no groups": (["owner", "customer", "anyone", "tracking link"], set()),
}


@pytest.mark.parametrize("case", GROUPS)
@pytest.mark.parametrize("claim", ["cognito:groups", "groups", "https://example.com/roles"])
def test_a_group_is_a_member_of_the_token_s_own_list(monkeypatch: pytest.MonkeyPatch, claim: str, case: str) -> None:
    monkeypatch.setenv("GROUPS_CLAIM", claim)
    listed, groups = GROUPS[case]
    claims = {"sub": "grace", claim: listed}
    behind = Principal.from_authorizer(as_gateway(claims), {"authorization": bearer(claims)})
    assert behind == Principal.from_claims(claims)
    assert {group.value for group in behind.groups} == groups


def test_no_other_claim_than_the_one_that_is_set_names_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUPS_CLAIM", "roles")
    claims = {"sub": "grace", "cognito:groups": ["admin"], "groups": ["admin"], "roles": ["carrier"]}
    assert Principal.from_claims(claims).groups == {Who.CARRIER}


@pytest.mark.parametrize("groups", [["IT support"], ["Support"], ["[support]"], ["x,support"], [["support"]]])
def test_a_group_with_another_name_opens_no_order_behind_the_authorizer(world: World, groups: list[Any]) -> None:
    world.place()
    assert world.http("GET /orders/{id}", "order-1", by="grace", groups=groups).status == 403
    assert world.http("GET /orders/{id}", "order-1", by="grace", groups=["support"]).status == 200


@pytest.mark.parametrize("subject", [None, "", 7, ["ada"]])
def test_a_verified_token_without_a_subject_is_nobody_s(world: World, subject: Any) -> None:
    world.place()
    claims = {"cognito:groups": ["support"]} | ({} if subject is None else {"sub": subject})
    answer = world.invoke("read_orders", http_event("GET /orders/{id}", path={"id": "order-1"}, claims=claims))
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  ", ""])
def test_the_authorizer_takes_a_token_by_any_case_of_its_scheme_or_none(world: World, scheme: str) -> None:
    token = bearer({"sub": CUSTOMER}).removeprefix("Bearer ")
    assert world.http("GET /orders", headers={"authorization": scheme + token}).status == 200


MINE, THEIRS = bearer({"sub": CUSTOMER}), bearer({"sub": STRANGER, "cognito:groups": ["support"]})
OTHERS = {
    "none": "",
    "another's": THEIRS,
    "two headers, joined": f"{MINE},{THEIRS}",
    "two, the other way round": f"{THEIRS},{MINE}",
    "two, with a space": f"{MINE}, {THEIRS}",
    "two tokens": f"{MINE} {THEIRS.removeprefix('Bearer ')}",
    "not JSON": "Bearer a.YWJj.c",
    "not base64": "Bearer a.b.c",
    "not an object": "Bearer a.W10.c",
    "not UTF-8": "Bearer a._____w.c",
    "two parts": MINE.rpartition(".")[0],
    "four parts": f"{MINE}.d",
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_header_that_is_not_the_verified_token_opens_nothing(world: World, case: str) -> None:
    world.place()
    assert world.http("GET /orders/{id}", "order-1", headers={"authorization": OTHERS[case]}).status == 401


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
    return {"token": tokens.tracking_token(OrderId(order_id), made, secret_store.signing_key())}


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
    cursor = {"token": tokens.cursor("order-1", "x", secret_store.signing_key())}
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
