"""The OpenAPI description covers every route, and says of each who may use it and what it answers."""

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orders.domain import notifications
from orders.domain.decisions import refunds, returning
from orders.domain.decisions.returning import Receipt, ReturnRules
from orders.domain.notifications import EVENT_TYPES
from orders.domain.order import timestamp
from orders.domain.returns import ReturnedPieces, ReturnItem
from orders.domain.statuses import DEPRECATED_NAMES, TRANSITIONS, Condition, OrderStatus
from orders.web import bodies, descriptions, event_views, examples, openapi
from orders.web.routes import ROUTES, Route, Who
from tests.harness.orders import CUSTOMER, a_cod_order, an_order

DOCUMENT = openapi.document()
DESCRIBED = [route for route in ROUTES.values() if not route.is_page]


def operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][route.path][route.method.lower()]
    return found


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_every_schema_is_valid_json_schema(name: str) -> None:
    Draft202012Validator.check_schema(DOCUMENT["components"]["schemas"][name])


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(inner) for inner in value.values()))
    return set().union(*(references(inner) for inner in value)) if isinstance(value, list) else set()


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    parts = {part: DOCUMENT["components"][part] for part in ("schemas", "examples")}
    known = {f"#/components/{part}/{name}" for part, names in parts.items() for name in names}
    assert references(DOCUMENT) <= known
    # Which refusals a route has is said at the route; each has an example all the same.
    assert known - references(DOCUMENT) <= {f"#/components/examples/{name}" for name in examples.problems()}


def test_every_route_is_described_and_nothing_else() -> None:
    described = {f"{method.upper()} {path}" for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert described == {route.key for route in DESCRIBED}


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operation(route)["operationId"] for route in DESCRIBED]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("route", DESCRIBED, ids=lambda route: route.key)
def test_every_parameter_of_a_path_is_declared(route: Route) -> None:
    declared = {found["name"] for found in operation(route)["parameters"] if found["in"] == "path"}
    assert declared == set(re.findall(r"{(\w+)}", route.path))


@pytest.mark.parametrize("route", DESCRIBED, ids=lambda route: route.key)
def test_every_route_says_how_it_refuses(route: Route) -> None:
    answers = operation(route)["responses"]
    open_to_all = bool(route.who & {Who.ANYONE, Who.SIGNED})
    assert ("401" in answers) is ("403" in answers) is (not open_to_all) or Who.SIGNED in route.who
    assert str(int(route.status)) in answers
    for status, answer in answers.items():
        if int(status) >= 400:
            assert set(answer["content"]) <= set(SHAPES)
            assert all(content["schema"] == {"$ref": SHAPES[kind]} for kind, content in answer["content"].items())


PROBLEM, MESSAGE = "application/problem+json", "application/json"
SHAPES = {PROBLEM: "#/components/schemas/Problem", MESSAGE: "#/components/schemas/GatewayMessage"}


@pytest.mark.parametrize("route", DESCRIBED, ids=lambda route: route.key)
def test_every_route_says_what_the_gateway_refuses_in_its_own_words(route: Route) -> None:
    content = {int(status): set(answer.get("content", ())) for status, answer in operation(route)["responses"].items()}
    assert content[429] == content[431] == content[500] == {MESSAGE}
    assert content[503] == {PROBLEM, MESSAGE}
    assert content.get(413, set()) == ({PROBLEM, MESSAGE} if route.body else set())
    assert all(content[status] == {PROBLEM} for status in content.keys() & {400, 403, 404, 409, 412, 422})


@pytest.mark.parametrize("route", DESCRIBED, ids=lambda route: route.key)
def test_a_401_is_the_gateway_s_where_it_verifies_the_token_and_a_problem_where_the_function_does(route: Route) -> None:
    said = operation(route)["responses"].get("401", {}).get("content", {})
    if route.who & {Who.TRACKING_LINK, Who.SIGNED}:
        assert set(said) == {PROBLEM}
    else:
        assert set(said) == (set() if Who.ANYONE in route.who else {PROBLEM, MESSAGE})


@pytest.mark.parametrize("route", DESCRIBED, ids=lambda route: route.key)
def test_every_route_says_whether_it_needs_a_token(route: Route) -> None:
    security = {name for one in operation(route)["security"] for name in one}
    assert security <= set(DOCUMENT["components"]["securitySchemes"])
    assert (security == set()) is (Who.ANYONE in route.who)
    assert ("shop" in security) is (Who.SHOP in route.who)
    assert ("tracking" in security) is (Who.TRACKING_LINK in route.who)
    assert ("token" in security) is not bool(route.who & {Who.ANYONE, Who.SIGNED})


def test_every_scheme_is_one_that_somebody_needs() -> None:
    operations = [one for methods in DOCUMENT["paths"].values() for one in methods.values()]
    needed = {name for one in operations for alternative in one["security"] for name in alternative}
    assert needed == set(DOCUMENT["components"]["securitySchemes"])


def test_no_operation_but_a_read_may_be_opened_by_a_tracking_link() -> None:
    assert {route.method for route in ROUTES.values() if Who.TRACKING_LINK in route.who} == {"GET"}


def valid(example: Any, schema: dict[str, Any]) -> list[str]:
    whole = {**schema, "components": DOCUMENT["components"]}
    checked = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for error in checked.iter_errors(example)]


@pytest.mark.parametrize("route", [route for route in DESCRIBED if route.body], ids=lambda route: route.key)
def test_every_body_has_an_example_that_is_taken(route: Route) -> None:
    content = operation(route)["requestBody"]["content"]["application/json"]
    assert valid(content["example"], content["schema"]) == []
    if model := getattr(bodies, route.body or "", None):
        assert model.model_validate(content["example"], strict=False)


EVERY_ANSWER = [
    pytest.param(content, id=f"{route.key} {status} {kind}")
    for route in DESCRIBED
    for status, answer in operation(route)["responses"].items()
    for kind, content in answer.get("content", {}).items()
    if kind in SHAPES and content["schema"] not in ({"$ref": SHAPES[MESSAGE]}, {"$ref": "#/components/schemas/OpenApi"})
]


@pytest.mark.parametrize("content", EVERY_ANSWER)
def test_every_answer_has_an_example_that_is_valid(content: dict[str, Any]) -> None:
    assert content["examples"]
    for shown in content["examples"].values():
        example = DOCUMENT["components"]["examples"][shown["$ref"].rpartition("/")[2]]["value"]
        assert valid(example, content["schema"]) == []


def undescribed(schema: Any, path: str) -> Iterator[str]:
    """The properties, at any depth, that nothing is said of."""
    if isinstance(schema, list):
        for part in schema:
            yield from undescribed(part, path)
    elif isinstance(schema, dict):
        found = schema.get("properties")
        for name, inner in found.items() if isinstance(found, dict) else ():
            if not inner.get("description"):
                yield f"{path}.{name}"
            yield from undescribed(inner, f"{path}.{name}")
        for keyword in ("items", "anyOf", "allOf", "oneOf", "additionalProperties"):
            yield from undescribed(schema.get(keyword), path)


def test_every_property_is_described() -> None:
    """Where one is missing, ``orders.web.descriptions`` takes it, or the member's own type."""
    assert [path for name, schema in DOCUMENT["components"]["schemas"].items() for path in undescribed(schema, name)] == []


def test_every_description_is_of_something() -> None:
    said = {
        schema["description"]
        for found in DOCUMENT["components"]["schemas"].values()
        for schema in all_properties(found)
        if "description" in schema
    }
    assert [name for name, words in descriptions.MEMBERS.items() if words not in said] == []


def all_properties(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, list):
        for part in schema:
            yield from all_properties(part)
    elif isinstance(schema, dict):
        yield from (schema["properties"].values() if isinstance(schema.get("properties"), dict) else ())
        for part in schema.values():
            yield from all_properties(part)


def test_a_property_that_nothing_is_said_of_is_reported() -> None:
    assert list(undescribed({"properties": {"a": {"items": {"properties": {"b": {}}}, "description": "A."}}}, "X")) == ["X.a.b"]


def test_every_schema_and_every_parameter_is_described() -> None:
    unsaid = [name for name, schema in DOCUMENT["components"]["schemas"].items() if not schema.get("description")]
    assert unsaid == []
    operations = [one for methods in DOCUMENT["paths"].values() for one in methods.values()]
    operations += [one["post"] for one in DOCUMENT["webhooks"].values()]
    assert [found for one in operations for found in one["parameters"] if not found.get("description")] == []


@pytest.mark.parametrize("route", DESCRIBED, ids=lambda route: route.key)
def test_every_operation_is_in_one_group(route: Route) -> None:
    (tag,) = operation(route)["tags"]
    assert tag in {found["name"] for found in DOCUMENT["tags"]}


def test_every_group_has_an_operation() -> None:
    operations = [one for methods in DOCUMENT["paths"].values() for one in methods.values()]
    operations += [one["post"] for one in DOCUMENT["webhooks"].values()]
    assert {tag for one in operations for tag in one["tags"]} == {found["name"] for found in DOCUMENT["tags"]}


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_every_event_of_a_webhook_is_described(kind: str) -> None:
    content = DOCUMENT["webhooks"][kind]["post"]["requestBody"]["content"]["application/json"]
    kinds = DOCUMENT["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]["properties"]["type"]["enum"]
    assert kind in kinds
    (shown,) = content["examples"].values()
    assert valid(DOCUMENT["components"]["examples"][shown["$ref"].rpartition("/")[2]]["value"], content["schema"]) == []


@pytest.mark.parametrize("status", OrderStatus)
def test_what_is_published_of_an_order_is_as_described(status: OrderStatus) -> None:
    life = an_order(status) if status is not OrderStatus.CONFIRMED else a_cod_order(status)
    if status is OrderStatus.DELIVERED:
        pieces = [ReturnItem("1", 1, "Too small"), ReturnItem("2", 1, None)]
        rules = ReturnRules(None, is_approved=True)
        life.apply(returning.request(life.snapshot, "ret-1", pieces, None, rules, life.tick(), CUSTOMER))
        receipt = Receipt((ReturnedPieces("1", 1, Condition.DAMAGED),))
        life.apply(returning.receive(life.snapshot, "ret-1", receipt, "refund-1", life.tick(), "wim"))
        life.apply(refunds.complete(life.snapshot, "refund-1", life.tick()))
    published = [message for event in life.trail for message in notifications.messages(event)]
    assert published
    for kind, detail, at in published:
        body = {"type": kind, "timestamp": timestamp(at), "data": detail}
        schema = DOCUMENT["components"]["schemas"][event_views.schema_name(kind)]
        assert valid(json.loads(json.dumps(body)), schema | {"additionalProperties": False}) == []
        known = DOCUMENT["components"]["schemas"][schema["properties"]["data"]["$ref"].rpartition("/")[2]]["properties"]
        assert set(detail) <= set(known)


def test_the_statuses_are_those_of_the_table_and_the_filter_takes_the_old_names_too() -> None:
    assert DOCUMENT["components"]["schemas"]["Order"]["properties"]["status"]["$ref"] == "#/components/schemas/OrderStatus"
    order = DOCUMENT["components"]["schemas"]["OrderStatus"]["enum"]
    assert order == [status.value for status in OrderStatus]
    (listed,) = [found for found in DOCUMENT["paths"]["/orders"]["get"]["parameters"] if found["name"] == "status"]
    assert set(listed["schema"]["enum"]) == set(order) | set(DEPRECATED_NAMES)
    assert {name: set(allowed) for name, allowed in DOCUMENT["x-order-transitions"].items()} == {
        status.value: {following.value for following in allowed} for status, allowed in TRANSITIONS.items()
    }


def test_every_route_says_who_it_is_for() -> None:
    assert all(route.who for route in ROUTES.values())
    assert all(HTTPStatus(route.status) < 300 for route in ROUTES.values())
