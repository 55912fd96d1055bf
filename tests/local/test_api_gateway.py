"""Requests become API Gateway's events, answers go back, and nobody gets in without a token of ours."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from local.api_gateway.cors import Cors
from local.api_gateway.gateway import Gateway
from local.api_gateway.keys import AUDIENCE, KEY_ID, SHOP_CLIENT, SHOP_SCOPE, Issuer, TokenRefused, new_key
from local.api_gateway.messages import Request, Response
from local.api_gateway.routes import Route, Routes
from local.api_gateway.throttle import Throttle
from local.cli import commands
from local.lambda_runtime.lambdas import Call, Invocation, Lambdas, timed_out
from local.stack.stack import Stack


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self) -> Any:
        return json.loads(self.body)


def ask(stack: Stack, method: str, path: str, body: Any = None, **headers: Any) -> Answer:
    return ask_port(stack.port, method, path, body, **headers)


def ask_port(port: int, method: str, path: str, body: Any = None, **headers: Any) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
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


def test_what_no_route_takes_goes_to_the_default_route(stack: Stack) -> None:
    assert ask(stack, "GET", "/nowhere").json()["event"]["routeKey"] == "$default"


def test_head_is_a_method_of_its_own_and_answered_without_a_body(stack: Stack) -> None:
    answer = ask(stack, "HEAD", "/echo/x")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


# --- The gateway's own answers ------------------------------------------------------------------------------


def assert_gateway(answer: Answer | Response, status: int) -> None:
    """Exactly what API Gateway says for itself, to the byte."""
    messages = {
        401: b'{"message":"Unauthorized"}',
        403: b'{"message":"Forbidden"}',
        404: b'{"message":"Not Found"}',
        413: b'{"message":"Request Entity Too Large"}',
        429: b'{"message":"Too Many Requests"}',
        431: b'{"message":"Request Header Fields Too Large"}',
        500: b'{"message":"Internal Server Error"}',
        503: b'{"message":"Service Unavailable"}',
    }
    headers = dict(answer.headers) if isinstance(answer, Response) else answer.headers
    assert (answer.status, answer.body) == (status, messages[status])
    assert headers["content-type"] == "application/json"


def test_a_crash_is_a_500_that_tells_nothing(stack: Stack) -> None:
    assert_gateway(ask(stack, "GET", "/echo/crash"), 500)


@pytest.mark.parametrize("kind", ["status", "body", "base64", "headers", "length"])
def test_a_response_that_is_none_is_a_500(stack: Stack, kind: str) -> None:
    assert_gateway(ask(stack, "GET", f"/echo/malformed/{kind}"), 500)


def respond(stack: Stack, gateway: Gateway, path: str, token: str = "") -> Response:
    request = Request("GET", path, "", [("authorization", token)] if token else [])
    # In a thread: this one may have a loop already, where a browser's tests share the process.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(gateway.respond(request))).result()


class NeverDone(Lambdas):
    """Functions that are still at it when the gateway gives up, or that Lambda gives up itself."""

    def __init__(self, stack: Stack, *, own_limit: bool) -> None:
        super().__init__()
        self._answer = timed_out(stack.lambdas.config(stack.lambdas.names()[0])) if own_limit else None

    def begin(self, *_: Any, **__: Any) -> asyncio.Future[Any]:
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._answer:
            answered.set_result(self._answer)
        return answered


@pytest.mark.parametrize(("own_limit", "status"), [(False, 503), (True, 500)])
def test_the_gateway_s_time_out_is_503_and_the_function_s_own_500(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, own_limit: bool, status: int
) -> None:
    monkeypatch.setattr("local.api_gateway.gateway.INTEGRATION_SECONDS", 0.001)
    gateway = Gateway(stack.gateway._routes, NeverDone(stack, own_limit=own_limit), stack.issuer)
    assert_gateway(respond(stack, gateway, "/echo/x"), status)


def test_without_a_default_route_an_unknown_path_is_404(stack: Stack) -> None:
    assert_gateway(respond(stack, Gateway(Routes((), None), stack.lambdas, stack.issuer), "/nowhere"), 404)


def test_beyond_the_limit_of_its_route_a_request_is_429(stack: Stack) -> None:
    now = [0.0]
    throttle = Throttle(rate=2, burst=3, now=lambda: now[0])
    gateway = Gateway(stack.gateway._routes, NeverDone(stack, own_limit=True), stack.issuer, throttle=throttle)

    def statuses(path: str, count: int) -> list[int]:
        return [respond(stack, gateway, path).status for _ in range(count)]

    assert statuses("/orders/o-1", 4) == [401, 401, 401, 429]
    assert statuses("/echo/x", 1) == [500], "each route has its own"
    now[0] = 1.0
    assert statuses("/orders/o-1", 3) == [401, 401, 429]
    assert_gateway(respond(stack, gateway, "/orders/o-1"), 429)
    now[0] = 100.0
    assert statuses("/orders/o-1", 4) == [401, 401, 401, 429], "no more than the burst is saved up"


def test_the_limit_is_the_deployed_stage_s(stack: Stack) -> None:
    throttle = stack.gateway._throttle
    assert (throttle.rate, throttle.burst) == (4000, 3000)


MB = 1024 * 1024


@contextmanager
def counting(stack: Stack) -> Iterator[list[str]]:
    """The functions that are called meanwhile; each only says that it was."""
    called: list[str] = []

    def note(invocation: Invocation, _: Call) -> dict[str, Any]:
        called.append(invocation.function)
        return {"statusCode": 200}

    stack.lambdas.wrappers.append(note)
    try:
        yield called
    finally:
        stack.lambdas.wrappers.remove(note)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"x" * (10 * MB + 1), "text/plain", 413),
        (b"x" * (6 * MB), "text/plain", 413),  # the event is more than its body
        (b"x" * (6 * MB - 10_000), "text/plain", 200),
        (b"\xff" * (5 * MB), "application/octet-stream", 413),  # in base64 it is a third more
        (b'"' * (4 * MB), "application/json", 413),  # escaped it is twice as much
        (b"x" * (2 * MB), "application/json", 200),
    ],
)
def test_what_lambda_would_not_take_is_413_and_reaches_no_function(stack: Stack, body: bytes, kind: str, status: int) -> None:
    with counting(stack) as called:
        answer = ask(stack, "POST", "/echo/x", body, content_type=kind)
    if status == 413:
        assert_gateway(answer, 413)
    assert (answer.status, len(called)) == (status, int(status == 200))


def head_of(stack: Stack, size: int, *, in_line: bool) -> Answer:
    """A request whose line and headers' values have so many bytes together; http.client adds Host and Accept-Encoding."""
    path = "/echo/x?q="
    added = len(f"127.0.0.1:{stack.port}") + len("identity") + len(f"GET {path} HTTP/1.1")
    filler = "x" * (size - added)
    if in_line:
        return ask(stack, "GET", path + filler)
    return ask(stack, "GET", path, x_filler=filler)


@pytest.mark.parametrize("in_line", [True, False])
def test_a_head_of_more_than_ten_kilobytes_is_431_and_reaches_no_function(stack: Stack, *, in_line: bool) -> None:
    with counting(stack) as called:
        assert head_of(stack, 10_240, in_line=in_line).status == 200
        assert_gateway(head_of(stack, 10_241, in_line=in_line), 431)
    assert len(called) == 1


def token_with(stack: Stack, **claims: Any) -> str:
    good = {"sub": "sue", "iss": stack.url, "aud": AUDIENCE, "exp": 4_000_000_000}
    return f"Bearer {jwt.encode(good | claims, stack.issuer._private, algorithm='RS256', headers={'kid': KEY_ID})}"


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({}, 403),
        ({"scope": "orders/read openid"}, 403),
        ({"scope": "orders/shopping"}, 403),
        ({"scope": "openid orders/shop"}, 500),
        ({"scp": ["orders/shop"]}, 500),
    ],
)
def test_a_token_without_the_route_s_scope_is_403(stack: Stack, claims: dict[str, Any], status: int) -> None:
    route, _ = stack.gateway._routes.find("GET", "/orders/o-1")
    assert route is not None
    scoped = Routes((replace(route, scopes=frozenset({"orders/shop"})),), None)
    answer = respond(
        stack, Gateway(scoped, NeverDone(stack, own_limit=True), stack.issuer), "/orders/o-1", token_with(stack, **claims)
    )
    assert_gateway(answer, status)
    if status == 403:
        assert dict(answer.headers)["www-authenticate"] == 'Bearer scope="orders/shop" error="insufficient_scope"'


# --- Pages of other origins (CORS) --------------------------------------------------------------------------

SHOP = "https://shop.example"
CORS = {"allowOrigins": [SHOP], "allowMethods": ["GET", "POST"], "allowHeaders": ["authorization"], "exposeHeaders": ["etag"]}


@pytest.fixture
def allowing(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """The stack as if it were deployed with CorsOrigins."""
    monkeypatch.setattr(stack.gateway, "_cors", Cors.of({"x-amazon-apigateway-cors": CORS | {"maxAge": 600}}))
    return stack


def cors(answer: Answer) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items() if name.lower().startswith("access-control-")}


def test_the_gateway_answers_a_preflight_by_itself(allowing: Stack) -> None:
    answer = ask(allowing, "OPTIONS", "/orders/o-1", origin=SHOP, access_control_request_method="POST")
    assert (answer.status, answer.body) == (204, b"")
    assert cors(answer) == {
        "access-control-allow-origin": SHOP,
        "access-control-allow-methods": "GET,POST",
        "access-control-allow-headers": "authorization",
        "access-control-max-age": "600",
    }


def test_the_gateway_s_word_on_cors_stands_and_not_the_function_s(allowing: Stack) -> None:
    allowed = {"access-control-allow-origin": SHOP, "access-control-expose-headers": "etag"}
    assert cors(ask(allowing, "GET", "/echo/cors", origin=SHOP)) == allowed
    assert cors(ask(allowing, "GET", "/orders/o-1", origin=SHOP)) == allowed  # a 401 can be read too
    assert cors(ask(allowing, "GET", "/echo/cors")) == {}


def test_without_origins_a_preflight_is_a_request_like_any_other(stack: Stack) -> None:
    answer = ask(stack, "OPTIONS", "/echo/x", origin=stack.url, access_control_request_method="POST")
    assert (answer.status, answer.json()["event"]["requestContext"]["http"]["method"]) == (200, "OPTIONS")
    assert cors(ask(stack, "GET", "/echo/cors")) == {"access-control-allow-origin": "*"}


def test_an_allowed_origin_may_call_the_api_and_not_this_machine_s_own_tools(allowing: Stack) -> None:
    assert ask(allowing, "GET", "/echo/x", origin=SHOP, sec_fetch_site="cross-site").status == 200
    for method, path in LOCAL_PATHS:
        assert_gateway(ask(allowing, method, path, origin=SHOP), 403)


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
        case "other key id" | "a header line of its own":
            headers = {"kid": "other"} if kind == "other key id" else header | {"crit": ['x"\r\nset-cookie: session=theirs']}
            return jwt.encode(good, own, algorithm="RS256", headers=headers)
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
        "a header line of its own",
        "no expiry",
        "expired",
        "not yet",
        "other issuer",
        "other audience",
    ],
)
def test_a_forged_token_is_refused(stack: Stack, kind: str) -> None:
    answer = ask(stack, "GET", "/orders/o-1", authorization=f"Bearer {forged(stack, kind)}")
    assert_gateway(answer, 401)
    challenge = 'Bearer scope="" error="invalid_token" error_description="'
    assert answer.headers["www-authenticate"].startswith(challenge)
    assert answer.headers["www-authenticate"].count('"') == 6
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic c3VlOng="}, {"authorization": "Bearer"}])
def test_nobody_gets_in_without_a_token(stack: Stack, headers: dict[str, str]) -> None:
    answer = ask(stack, "GET", "/orders/o-1", **headers)
    assert_gateway(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_who_sends_no_token_is_told_the_scheme_and_who_sends_another_s_is_told_so(stack: Stack) -> None:
    assert ask(stack, "GET", "/orders/o-1").headers["www-authenticate"] == "Bearer"
    answer = ask(stack, "GET", "/orders/o-1", authorization=f"Bearer {forged(stack, 'other audience')}")
    described = 'error="invalid_token" error_description="the token does not have a valid audience"'
    assert answer.headers["www-authenticate"] == f'Bearer scope="" {described}'


def test_the_key_set_verifies_the_tokens(stack: Stack) -> None:
    (key,) = ask(stack, "GET", "/.local/jwks.json").json()["keys"]
    claims = jwt.decode(stack.token("sue"), jwt.PyJWK(key), algorithms=["RS256"], audience=AUDIENCE, issuer=stack.url)
    assert claims["sub"] == "sue"


def test_a_program_on_this_machine_gets_a_token_and_a_page_in_a_browser_does_not(stack: Stack) -> None:
    asked = json.dumps({"sub": "sue", "groups": ["support"]}).encode()
    token = ask(stack, "POST", "/.local/token", asked).json()["token"]
    assert ask(stack, "GET", "/orders/o-1", authorization=f"Bearer {token}").status == 200
    assert_gateway(ask(stack, "POST", "/.local/token", asked, origin=stack.url), 403)
    assert_gateway(ask(stack, "POST", "/.local/token", asked, sec_fetch_site="same-origin"), 403)
    assert_gateway(ask(stack, "GET", "/.local/nothing"), 404)
    refused = ask(stack, "POST", "/.local/token", b"{}")
    assert (refused.status, refused.json()) == (400, {"message": "Bad Request"})


# --- What a page of another origin makes a browser send -------------------------------------------------------

LOCAL_PATHS = [
    ("POST", "/.local/token"),
    ("POST", "/.local/stack"),
    ("POST", "/.local/sweep"),
    ("GET", "/.local/jwks.json"),
    ("GET", "/.local/oauth2/authorize?person=alex"),
    ("POST", "/.local/oauth2/token"),
    ("GET", "/.local/logout?person=x"),
]
ANYBODYS_PATHS = [("GET", "/echo/x"), ("POST", "/echo/x"), ("PUT", "/echo/x"), ("OPTIONS", "/echo/x"), ("GET", "/nowhere")]
FOREIGN: dict[str, dict[str, str]] = {
    "fetch, another site": {"origin": "https://evil.example", "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"},
    "fetch, another port": {"origin": "http://127.0.0.1:1", "sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
    "a file or a sandboxed frame": {"origin": "null", "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
    "an origin that begins like ours": {"origin": "http://127.0.0.1:{port}0"},
    "image or script": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
    "image, another port": {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
    "frame": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
    "form": {"origin": "https://evil.example", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    "a name that leads here": {"host": "rebound.example:{port}"},
    "a name like ours": {"host": "127.0.0.1.rebound.example"},
    "a host that is none": {"host": "[x"},
    "websocket": {"upgrade": "websocket", "connection": "Upgrade", "origin": "https://evil.example"},
    "websocket, no origin": {"upgrade": "WebSocket", "connection": "Upgrade"},
}


def spoken(headers: dict[str, str], port: int) -> dict[str, str]:
    return {name: value.replace("{port}", str(port)) for name, value in headers.items()}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=list(FOREIGN))
def test_what_a_foreign_page_sends_is_refused(stack: Stack, headers: dict[str, str]) -> None:
    with counting(stack) as called:
        for method, path in ANYBODYS_PATHS + LOCAL_PATHS:
            answer = ask(stack, method, path, b"{}" if method == "POST" else None, **spoken(headers, stack.port))
            assert_gateway(answer, 403)
            assert cors(answer) == {}
    assert called == []


FOLLOWED = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def test_a_link_in_a_mail_opens_a_page_and_nothing_of_this_machine_s_own(stack: Stack) -> None:
    assert ask(stack, "GET", "/echo/x", **FOLLOWED).status == 200
    assert ask(stack, "GET", "/echo/x", sec_fetch_site="none", sec_fetch_mode="navigate").status == 200
    assert_gateway(ask(stack, "POST", "/echo/x", b"{}", **FOLLOWED), 403)
    for method, path in LOCAL_PATHS:
        assert_gateway(ask(stack, method, path, **FOLLOWED), 403)


def test_the_sign_in_lists_people_for_a_page_of_ours_at_another_name(stack: Stack) -> None:
    """In a browser's eyes localhost and 127.0.0.1 are two sites; 400 is the sign-in's own word on an incomplete request."""
    assert ask(stack, "GET", "/.local/oauth2/authorize", **FOLLOWED).status == 400
    assert ask(stack, "POST", "/.local/oauth2/token", origin=f"http://localhost:{stack.port}", **FOLLOWED).status == 400


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "localhost:8080", "[::1]:{port}", "LOCALHOST"])
def test_our_own_pages_are_served_at_every_name_of_this_machine(stack: Stack, host: str) -> None:
    named = spoken({"host": host, "origin": f"http://{host}"}, stack.port)
    assert ask(stack, "POST", "/echo/x", b"{}", **named, sec_fetch_site="same-origin").status == 200


OLD_BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:68.0) Gecko/20100101 Firefox/68.0"}
"""It sends neither `Origin` with a form nor `Sec-Fetch-Site` with anything."""


def test_a_browser_that_does_not_say_where_a_request_comes_from_uses_no_tool(stack: Stack) -> None:
    for path in ("/.local/token", "/.local/stack", "/.local/sweep"):
        assert_gateway(ask(stack, "POST", path, b"{}", **OLD_BROWSER), 403)
    assert ask(stack, "GET", "/echo/x", **OLD_BROWSER).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        *FOREIGN.values(),
        FOLLOWED,
        OLD_BROWSER,
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "same-origin"},
        {"origin": "http://127.0.0.1:{aws}"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_the_local_aws_is_for_programs(stack: Stack, method: str, headers: dict[str, str]) -> None:
    port = urlsplit(stack.aws_url).port
    assert port is not None
    sent = {name: value.replace("{aws}", str(port)) for name, value in spoken(headers, port).items()}
    for path in ("/", "/?Action=ListQueues", "/_ministack/health", "/2015-03-31/functions/"):
        answer = ask_port(port, method, path, b"" if method == "POST" else None, **sent)
        assert_gateway(answer, 403)
        assert cors(answer) == {}


def test_a_program_may_call_the_local_aws_and_is_given_no_cors_headers(stack: Stack) -> None:
    port = urlsplit(stack.aws_url).port
    assert port is not None
    for method, host in (("GET", "127.0.0.1"), ("OPTIONS", "localhost")):
        answer = ask_port(port, method, "/", host=f"{host}:{port}")
        assert (answer.status, cors(answer)) == (200, {})
    assert stack.client("dynamodb").list_tables()["TableNames"]


def test_a_checked_token_is_not_taken_beyond_its_time() -> None:
    issuer = Issuer("http://127.0.0.1", new_key())
    token = issuer.token("sue", lifetime=60)
    assert issuer.claims(token, [AUDIENCE])["sub"] == "sue"
    key = (token, AUDIENCE)
    issuer._checked[key] = {**issuer._checked[key], "exp": 1}
    assert issuer.claims(token, [AUDIENCE])["exp"] > 1  # looked into again, not taken from memory


def test_a_checked_token_is_not_taken_for_another_audience() -> None:
    issuer = Issuer("http://127.0.0.1", new_key())
    token = issuer.token("sue")
    assert issuer.claims(token, [AUDIENCE])["sub"] == "sue"
    with pytest.raises(TokenRefused, match="audience"):
        issuer.claims(token, ["another"])


def test_a_shop_s_token_is_a_machine_s_and_taken_for_its_client_only(stack: Stack) -> None:
    token = ask(stack, "POST", "/.local/token", b'{"shop": true}').json()["token"]
    (key,) = ask(stack, "GET", "/.local/jwks.json").json()["keys"]
    claims = jwt.decode(token, jwt.PyJWK(key), algorithms=["RS256"], issuer=stack.url)
    assert (claims["client_id"], claims["sub"], claims["token_use"]) == (SHOP_CLIENT, SHOP_CLIENT, "access")
    assert claims["scope"] == SHOP_SCOPE
    assert not {"aud", "cognito:groups"} & set(claims)
    assert stack.issuer.claims(token, [AUDIENCE, SHOP_CLIENT])["scope"] == SHOP_SCOPE
    with pytest.raises(TokenRefused, match="valid audience"):
        stack.issuer.claims(token, [AUDIENCE])


def test_the_command_prints_a_shop_s_token_or_a_person_s(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["token", "--shop", "--url", stack.url]) == 0
    assert stack.issuer.claims(capsys.readouterr().out.strip(), [SHOP_CLIENT])["scope"] == SHOP_SCOPE
    assert commands.main(["token", "sue", "--group", "support", "--url", stack.url]) == 0
    assert stack.issuer.claims(capsys.readouterr().out.strip(), [AUDIENCE])["cognito:groups"] == ["support"]
    for neither_nor_both in ([], ["sue", "--shop"]):
        assert commands.main(["token", *neither_nor_both, "--url", stack.url]) == 2
        assert "a SUB, or --shop" in capsys.readouterr().err


def test_the_url_is_on_loopback_only(stack: Stack) -> None:
    assert urlsplit(stack.url).hostname == "127.0.0.1"
