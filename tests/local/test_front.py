"""Requests become API Gateway's events, answers go back, and nobody gets in without a token of ours."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from local.front import Route, Routes
from local.keys import AUDIENCE, KEY_ID, Issuer, new_key
from local.stack import Stack


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self) -> Any:
        return json.loads(self.body)


def ask(stack: Stack, method: str, path: str, body: Any = None, **headers: Any) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=10)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def signed(stack: Stack, *groups: str) -> str:
    return f"Bearer {stack.token('sue', groups)}"


# --- Routes -------------------------------------------------------------------------------------------------


def a_route(key: str) -> Route:
    method, _, path = key.partition(" ")
    return Route(method, tuple(path.split("/")[1:]), "function", None, key)


@pytest.mark.parametrize(
    ("request_line", "expected", "parameters"),
    [
        ("GET /orders", "GET /orders", {}),
        ("GET /orders/o-1", "GET /orders/{id}", {"id": "o-1"}),
        ("GET /orders/latest", "GET /orders/latest", {}),
        ("DELETE /orders/o-1", "ANY /orders/{id}", {"id": "o-1"}),
        ("GET /files/a/b", "GET /files/{proxy+}", {"proxy": "a/b"}),
        ("GET /files", "$default", {}),
        ("GET /orders/", "GET /orders/{id}", {"id": ""}),
        ("POST /orders", "$default", {}),
    ],
)
def test_the_most_specific_route_takes_the_request(request_line: str, expected: str, parameters: dict[str, str]) -> None:
    keys = ["GET /files/{proxy+}", "ANY /orders/{id}", "GET /orders/{id}", "GET /orders/latest", "GET /orders"]
    ranked = tuple(sorted((a_route(key) for key in keys), key=Route.rank))
    method, _, path = request_line.partition(" ")
    route, found = Routes(ranked, a_route("$default")).find(method, path)
    assert route is not None
    assert (route.key, found) == (expected, parameters)


# --- Events and answers -------------------------------------------------------------------------------------


def test_a_request_becomes_an_event_of_format_2(stack: Stack) -> None:
    answer = ask(
        stack,
        "PUT",
        "/echo/a%20b/c?x=1&y=2&x=3",
        b'{"n": 1}',
        content_type="application/json",
        cookie="a=1; b=2",
        X_Custom="Yes",
    )
    event = answer.json()["event"]
    assert event["version"] == "2.0"
    assert event["routeKey"] == "ANY /echo/{proxy+}"
    assert event["rawPath"] == "/echo/a b/c"
    assert event["rawQueryString"] == "x=1&y=2&x=3"
    assert event["queryStringParameters"] == {"x": "1,3", "y": "2"}
    assert event["pathParameters"] == {"proxy": "a b/c"}
    assert event["cookies"] == ["a=1", "b=2"]
    assert "cookie" not in event["headers"]
    assert event["headers"]["x-custom"] == "Yes"
    assert (event["body"], event["isBase64Encoded"]) == ('{"n": 1}', False)
    context = event["requestContext"]
    assert context["http"]["method"] == "PUT"
    assert context["http"]["sourceIp"] == "127.0.0.1"
    assert context["requestId"]
    assert context["timeEpoch"] > 1_700_000_000_000
    assert "authorizer" not in context


def test_bytes_travel_as_base64_both_ways(stack: Stack) -> None:
    event = ask(stack, "POST", "/echo/x", b"\xff\x00", content_type="application/octet-stream").json()["event"]
    assert (event["body"], event["isBase64Encoded"]) == ("/wA=", True)
    answer = ask(stack, "GET", "/echo/binary")
    assert answer.body == b"\x00\x01\x02"
    assert answer.headers.get_all("set-cookie") == ["a=1", "b=2"]


def test_an_answer_without_a_status_is_a_body(stack: Stack) -> None:
    answer = ask(stack, "GET", "/echo/plain")
    assert (answer.status, answer.json(), answer.headers["content-type"]) == (200, {"shorthand": True}, "application/json")


def test_a_crash_is_a_500_that_tells_nothing(stack: Stack) -> None:
    answer = ask(stack, "GET", "/echo/crash")
    assert (answer.status, answer.headers["content-type"]) == (500, "application/problem+json")
    assert b"secret" not in answer.body
    assert b"Traceback" not in answer.body


def test_what_no_route_takes_goes_to_the_default_route(stack: Stack) -> None:
    assert ask(stack, "GET", "/nowhere").json()["event"]["routeKey"] == "$default"


def test_head_is_a_method_of_its_own_and_answered_without_a_body(stack: Stack) -> None:
    answer = ask(stack, "HEAD", "/echo/x")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


def test_a_body_over_ten_megabytes_is_refused(stack: Stack) -> None:
    answer = ask(stack, "POST", "/echo/x", b"x" * (10 * 1024 * 1024 + 1))
    assert (answer.status, answer.json()["code"]) == (413, "INVALID_ARGUMENT")


# --- Who may call -------------------------------------------------------------------------------------------


def test_a_token_of_ours_opens_and_its_claims_arrive_as_strings(stack: Stack) -> None:
    event = ask(stack, "GET", "/orders/o-1", authorization=signed(stack, "support", "admin")).json()["event"]
    claims = event["requestContext"]["authorizer"]["jwt"]["claims"]
    assert claims["sub"] == "sue"
    assert claims["cognito:groups"] == "[support admin]"
    assert claims["exp"].isdigit()


def forged(stack: Stack, kind: str) -> str:
    good = {"sub": "sue", "iss": stack.url, "aud": AUDIENCE, "exp": 4_000_000_000}
    own = stack.issuer._private
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    header = {"kid": KEY_ID}
    changes: dict[str, dict[str, Any]] = {
        "expired": {"exp": 1},
        "not yet": {"nbf": 4_000_000_000 - 1},
        "other issuer": {"iss": "https://example.com"},
        "other audience": {"aud": "another"},
    }
    match kind:
        case "unsigned":
            return jwt.encode(good, "", algorithm="none", headers=header)
        case "symmetric":
            return jwt.encode(good, "x" * 64, algorithm="HS256", headers=header)
        case "other key":
            return jwt.encode(good, stranger, algorithm="RS256", headers=header)
        case "other key id":
            return jwt.encode(good, own, algorithm="RS256", headers={"kid": "other"})
        case "no expiry":
            return jwt.encode({k: v for k, v in good.items() if k != "exp"}, own, algorithm="RS256", headers=header)
        case _:
            return jwt.encode(good | changes[kind], own, algorithm="RS256", headers=header)


@pytest.mark.parametrize(
    "kind",
    [
        "unsigned",
        "symmetric",
        "other key",
        "other key id",
        "no expiry",
        "expired",
        "not yet",
        "other issuer",
        "other audience",
    ],
)
def test_a_forged_token_is_refused(stack: Stack, kind: str) -> None:
    answer = ask(stack, "GET", "/orders/o-1", authorization=f"Bearer {forged(stack, kind)}")
    assert (answer.status, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.json()["code"] == "UNAUTHENTICATED"
    assert set(answer.json()) >= {"type", "title", "status", "code", "detail"}


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic c3VlOng="}, {"authorization": "Bearer"}])
def test_nobody_gets_in_without_a_token(stack: Stack, headers: dict[str, str]) -> None:
    assert ask(stack, "GET", "/orders/o-1", **headers).status == 401


def test_the_key_set_verifies_the_tokens(stack: Stack) -> None:
    (key,) = ask(stack, "GET", "/.local/jwks.json").json()["keys"]
    claims = jwt.decode(stack.token("sue"), jwt.PyJWK(key), algorithms=["RS256"], audience=AUDIENCE, issuer=stack.url)
    assert claims["sub"] == "sue"


def test_a_program_on_this_machine_gets_a_token_and_a_page_in_a_browser_does_not(stack: Stack) -> None:
    asked = json.dumps({"sub": "sue", "groups": ["support"]}).encode()
    token = ask(stack, "POST", "/.local/token", asked).json()["token"]
    assert ask(stack, "GET", "/orders/o-1", authorization=f"Bearer {token}").status == 200
    assert ask(stack, "POST", "/.local/token", asked, origin="http://127.0.0.1:3000").status == 403
    assert ask(stack, "POST", "/.local/token", asked, host="rebound.example").status == 403
    assert ask(stack, "POST", "/.local/token", b"{}").status == 400


def test_a_checked_token_is_not_taken_beyond_its_time() -> None:
    issuer = Issuer("http://127.0.0.1", new_key())
    token = issuer.token("sue", lifetime=60)
    assert issuer.claims(token, [AUDIENCE])["sub"] == "sue"
    issuer._checked[token] = {**issuer._checked[token], "exp": 1}
    assert issuer.claims(token, [AUDIENCE])["exp"] > 1  # looked into again, not taken from memory


def test_the_url_is_on_loopback_only(stack: Stack) -> None:
    assert urlsplit(stack.url).hostname == "127.0.0.1"
