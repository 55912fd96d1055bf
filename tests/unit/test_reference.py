"""The page of the API's description: everything of the description is on it, and every link on it leads somewhere."""

import itertools
import json
import re
import shlex
from html import unescape
from urllib.parse import parse_qsl

import pytest

from orders.domain import errors
from orders.web import openapi, reference
from orders.web.handling import anchor

DOCUMENT = openapi.document()
PARTS = reference.content()
PAGE = "".join(PARTS.values())
OPERATIONS = [
    pytest.param(method.upper(), path, operation, id=operation["operationId"])
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def test_every_link_leads_to_one_place() -> None:
    places = re.findall(r'\bid="([^"]+)"', PAGE)
    assert len(set(places)) == len(places)
    links = set(re.findall(r'href="#([^"]+)"', PAGE))
    assert links - set(places) == {"access"}, "of the page's own parts"


def test_every_operation_schema_event_and_code_has_a_place() -> None:
    wanted = {operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()}
    wanted |= {f"schema-{name}" for name in DOCUMENT["components"]["schemas"]}
    wanted |= {f"event-{anchor(kind)}" for kind in DOCUMENT["webhooks"]}
    wanted |= {anchor(refusal.code) for refusal in errors.family()}
    assert wanted <= set(re.findall(r'\bid="([^"]+)"', PAGE))


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_the_curl_line_of_an_operation_is_that_request(method: str, path: str, operation: dict[str, object]) -> None:
    line = reference.curl(method, path, operation)
    words = shlex.split(line)
    given = dict(itertools.pairwise(words))
    assert words[0] == "curl"
    assert given.get("-X", "GET") == method
    (address,) = [word for word in words if word.startswith("$URL")]
    asked, _, query = address.removeprefix("$URL").partition("?")
    assert re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/{}]+", re.escape(path)), asked)
    required = {one["name"] for one in operation["parameters"] if one["in"] == "query" and one.get("required")}  # type: ignore[attr-defined]
    assert dict(parse_qsl(query)).keys() == required
    schemes = {name for one in operation["security"] for name in one}  # type: ignore[attr-defined]
    assert ("Authorization: Bearer $TOKEN" in words) is bool(schemes & {"token", "shop"})
    assert ("webhook-signature: $SIGNATURE" in words) is ("webhook" in schemes)
    if "-d" in given:
        assert json.loads(given["-d"]) == reference._example_of(operation)


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_the_form_of_an_operation_has_its_parameters_and_its_body(method: str, path: str, operation: dict[str, object]) -> None:
    found = re.search(rf'id="{operation["operationId"]}".*?data-operation="([^"]*)"', PARTS["operations"], re.DOTALL)
    assert found
    tried = json.loads(unescape(found[1]))
    assert (tried["method"], tried["path"]) == (method, path)
    assert [one["name"] for one in tried["fields"]] == [one["name"] for one in operation["parameters"]]  # type: ignore[attr-defined]
    assert tried["body"] == reference._example_of(operation)


def test_markup_in_a_text_is_text() -> None:
    assert reference._said("a <b> `c<d>`") == "a &lt;b&gt; <code>c&lt;d&gt;</code>"
