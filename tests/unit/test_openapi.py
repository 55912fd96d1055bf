"""The OpenAPI description is valid, covers every route, and says of each who may use it and what it answers."""

import re
from http import HTTPStatus
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi.definitions import OPENAPI_31

from orders.domain.statuses import DEPRECATED_NAMES, TRANSITIONS, OrderStatus
from orders.web import bodies, openapi
from orders.web.routes import ROUTES, Route, Who

DOCUMENT = openapi.document()
DESCRIBED = [route for route in ROUTES.values() if not route.is_page]


def operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][route.path][route.method.lower()]
    return found


def test_the_description_is_valid_openapi_31() -> None:
    assert [error.message for error in Draft202012Validator(OPENAPI_31).iter_errors(DOCUMENT)] == []


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_every_schema_is_valid_json_schema(name: str) -> None:
    Draft202012Validator.check_schema(DOCUMENT["components"]["schemas"][name])


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(inner) for inner in value.values()))
    return set().union(*(references(inner) for inner in value)) if isinstance(value, list) else set()


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    known = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert references(DOCUMENT) == known


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
    security = operation(route)["security"]
    if route.who & {Who.ANYONE, Who.SIGNED}:
        assert security == []
    else:
        assert {"token": []} in security
    assert ({} in security) is (Who.TRACKING_LINK in route.who)


def test_no_operation_but_a_read_may_be_opened_by_a_tracking_link() -> None:
    assert {route.method for route in ROUTES.values() if Who.TRACKING_LINK in route.who} == {"GET"}


@pytest.mark.parametrize("route", [route for route in DESCRIBED if route.body], ids=lambda route: route.key)
def test_every_example_of_a_body_is_one_that_is_taken(route: Route) -> None:
    example = operation(route)["requestBody"]["content"]["application/json"].get("example")
    model = getattr(bodies, route.body or "", None)
    if example is not None and model is not None:
        assert model.model_validate(example, strict=False)


def test_the_statuses_are_those_of_the_table_and_the_filter_takes_the_old_names_too() -> None:
    order = DOCUMENT["components"]["schemas"]["Order"]["properties"]["status"]["enum"]
    assert order == [status.value for status in OrderStatus]
    (listed,) = [found for found in DOCUMENT["paths"]["/orders"]["get"]["parameters"] if found["name"] == "status"]
    assert set(listed["schema"]["enum"]) == set(order) | set(DEPRECATED_NAMES)
    assert {name: set(allowed) for name, allowed in DOCUMENT["x-order-transitions"].items()} == {
        status.value: {following.value for following in allowed} for status, allowed in TRANSITIONS.items()
    }


def test_every_route_says_who_it_is_for() -> None:
    assert all(route.who for route in ROUTES.values())
    assert all(HTTPStatus(route.status) < 300 for route in ROUTES.values())
