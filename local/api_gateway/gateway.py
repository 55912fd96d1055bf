"""The HTTP API: API Gateway's routes, authorizer and event format, derived from the deployed template's own API."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from local.api_gateway.keys import Issuer, Unauthenticated, as_gateway
from local.api_gateway.sign_in import AUTHORIZE, LOGOUT, SignIn
from local.common import Json
from local.lambda_runtime.answers import Answer
from local.lambda_runtime.lambdas import Lambdas
from local.ports import guard
from local.ports.guard import Message, Receive, Send

logger = logging.getLogger(__name__)

Tool = Callable[[], Awaitable[Json]]

MAX_BODY = 10 * 1024 * 1024
MAX_HEAD = 10_240  # the request line and the headers' values
MAX_PAYLOAD = 6 * 1024 * 1024  # of a Lambda invocation, each way: a larger event never reaches its function
MOST_ESCAPED = 6  # bytes that JSON makes of one
INTEGRATION_SECONDS = 30.0
LOCAL = "/.local/"
TOKEN_HEADER = re.compile(r"(?:Bearer )?\s*(\S+)\s*", re.IGNORECASE)


# --- Routes -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Route:
    method: str  # ANY takes each
    parts: tuple[str, ...]
    function: str
    audience: tuple[str, ...] | None  # None: anyone
    key: str
    scopes: frozenset[str] = frozenset()  # one of them is enough

    def match(self, method: str, parts: Sequence[str]) -> dict[str, str] | None:
        if self.method not in ("ANY", method):
            return None
        found: dict[str, str] = {}
        for place, part in enumerate(self.parts):
            if part.endswith("+}"):
                found[part[1:-2]] = "/".join(parts[place:])
                return found if place < len(parts) else None
            if place >= len(parts):
                return None
            if part.startswith("{"):
                found[part[1:-1]] = parts[place]
            elif part != parts[place]:
                return None
        return found if len(parts) == len(self.parts) else None

    def rank(self) -> tuple[Any, ...]:
        """API Gateway prefers literal parts, then parameters, then a greedy one; a named method before ANY."""
        kinds = [2 if part.endswith("+}") else 1 if part.startswith("{") else 0 for part in self.parts]
        return (max(kinds, default=0) == 2, kinds, self.method == "ANY")


@dataclass(frozen=True, slots=True)
class Routes:
    ranked: tuple[Route, ...]
    default: Route | None

    def find(self, method: str, path: str) -> tuple[Route | None, dict[str, str]]:
        parts = _parts(path)
        for route in self.ranked:
            parameters = route.match(method, parts)
            if parameters is not None:
                return route, parameters
        return self.default, {}


def _parts(path: str) -> tuple[str, ...]:
    return tuple(path.split("/")[1:])


def routes_of(body: Mapping[str, Any]) -> Routes:
    """From the OpenAPI body that SAM makes, its references resolved by the deployment."""
    schemes = body.get("components", {}).get("securitySchemes", {})
    found = [
        _route(path, method, operation, body, schemes)
        for path, operations in body["paths"].items()
        for method, operation in operations.items()
        if method != "options"
    ]
    default = next((route for route in found if route.key == "$default"), None)
    ranked = sorted((route for route in found if route is not default), key=Route.rank)
    return Routes(tuple(ranked), default)


def _route(path: str, method: str, operation: Mapping[str, Any], body: Mapping[str, Any], schemes: Mapping[str, Any]) -> Route:
    uri = operation["x-amazon-apigateway-integration"]["uri"]
    function = uri.split(":function:", 1)[1].split("/", 1)[0]
    verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
    key = path if path == "$default" else f"{verb} {path}"
    audience, scopes = _authorizer(operation.get("security", body.get("security")), schemes)
    return Route(verb, _parts(path), function, audience, key, scopes)


def _authorizer(
    security: Sequence[Mapping[str, Any]] | None, schemes: Mapping[str, Any]
) -> tuple[tuple[str, ...] | None, frozenset[str]]:
    """The audience whose tokens are let in (None: anyone is), and the scopes of which such a token has to have one."""
    named = [(name, scopes) for requirement in security or () for name, scopes in requirement.items() if name != "NONE"]
    if not named:
        return None, frozenset()
    name, scopes = named[0]
    authorizer = schemes[name]["x-amazon-apigateway-authorizer"]
    return tuple(authorizer["jwtConfiguration"]["audience"]), frozenset(scopes or ())


@dataclass(frozen=True, slots=True)
class Cors:
    """What the gateway itself says to browsers, for the origins it is told of; functions have no say in it."""

    origins: frozenset[str]
    methods: str
    headers: str
    exposed: str
    max_age: str

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Cors | None:
        """From the deployed API; None where it names no origins, and the gateway then adds and answers nothing."""
        configured = body.get("x-amazon-apigateway-cors")
        if not configured:
            return None

        def joined(name: str) -> str:
            return ",".join(configured.get(name, ()))

        return cls(
            frozenset(configured["allowOrigins"]),
            joined("allowMethods"),
            joined("allowHeaders"),
            joined("exposeHeaders"),
            str(configured.get("maxAge", 0)),
        )

    def preflight(self, request: Request) -> Response | None:
        """The answer to a browser that asks before it calls; None for any other request."""
        names = request.named()
        if request.method != "OPTIONS" or not {"origin", "access-control-request-method"} <= names.keys():
            return None
        headers = [("access-control-allow-methods", self.methods), ("access-control-allow-headers", self.headers)]
        headers += [("access-control-max-age", self.max_age), *self._allowed(names)]
        return Response(204, headers if names["origin"] in self.origins else [], b"")

    def apply(self, request: Request, response: Response) -> None:
        """Puts the gateway's own headers in place of the function's."""
        kept = [(name, value) for name, value in response.headers if not name.startswith("access-control-")]
        names = request.named()
        if names.get("origin") in self.origins:
            kept += [*self._allowed(names), ("access-control-expose-headers", self.exposed)]
        response.headers = kept

    def _allowed(self, names: Mapping[str, str]) -> list[tuple[str, str]]:
        return [("access-control-allow-origin", names["origin"]), ("vary", "origin")]


class Throttle:
    """A bucket of `burst` requests for each route, filled again with `rate` a second; an empty one is 429."""

    def __init__(self, rate: float, burst: float, now: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self.burst = burst
        self._now = now
        self._buckets: dict[str, tuple[float, float]] = {}

    @classmethod
    def of(cls, stage: Mapping[str, Any] | None) -> Throttle:
        """From the deployed stage; without settings the account's own limits hold."""
        settings = (stage or {}).get("DefaultRouteSettings") or {}
        return cls(float(settings.get("ThrottlingRateLimit", 10_000)), float(settings.get("ThrottlingBurstLimit", 5_000)))

    def admits(self, key: str) -> bool:
        now = self._now()
        left, since = self._buckets.get(key, (self.burst, now))
        left = min(self.burst, left + (now - since) * self.rate)
        self._buckets[key] = (left - 1 if left >= 1 else left, now)
        return left >= 1


# --- Requests and answers -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Request:
    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    client: str = "127.0.0.1"

    def named(self) -> dict[str, str]:
        return dict(self.headers)


@dataclass(slots=True)
class Response:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


# The gateway's own answers, which no template changes. No document of AWS's has the words of 413 and 431, nor that it is 431
# and not 414 where the line alone is too long: clients go by the first digit.
MESSAGES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def gateway_answer(status: int, *headers: tuple[str, str]) -> Response:
    """What API Gateway says for itself; what a function says is a problem document."""
    body = json.dumps({"message": MESSAGES[status]}, separators=(",", ":")).encode()
    return Response(status, [("content-type", "application/json"), *headers], body)


def _json(document: Json) -> Response:
    return Response(200, [("content-type", "application/json")], json.dumps(document).encode())


def event_of(request: Request, route: Route, parameters: Mapping[str, str], claims: Mapping[str, str] | None) -> Json:
    """The API Gateway event, payload format 2.0."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in request.headers:
        if name == "cookie":
            cookies += [cookie.strip() for cookie in value.split(";") if cookie.strip()]
        else:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    query: dict[str, str] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    context = _request_context(request, route, headers)
    if claims is not None:
        context["authorizer"] = {"jwt": {"claims": dict(claims), "scopes": None}}
    body, encoded = _body(request.body, headers.get("content-type", ""))
    return {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": unquote(request.path),
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": context,
        "isBase64Encoded": encoded,
        **({"cookies": cookies} if cookies else {}),
        **({"queryStringParameters": query} if query else {}),
        **({"pathParameters": {k: unquote(v) for k, v in parameters.items()}} if parameters else {}),
        **({"body": body} if request.body else {}),
    }


def _request_context(request: Request, route: Route, headers: Mapping[str, str]) -> dict[str, Any]:
    now = time.time()
    return {
        "accountId": "000000000000",
        "apiId": "local",
        "domainName": headers.get("host", "127.0.0.1"),
        "domainPrefix": "local",
        "http": {
            "method": request.method,
            "path": unquote(request.path),
            "protocol": "HTTP/1.1",
            "sourceIp": request.client,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": str(uuid.uuid4()),
        "routeKey": route.key,
        "stage": "$default",
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "timeEpoch": int(now * 1000),
    }


_TEXT = re.compile(r"^(text/.*|application/(.*\+)?(json|xml|javascript)|application/x-www-form-urlencoded)\b", re.IGNORECASE)


def _body(body: bytes, content_type: str) -> tuple[str, bool]:
    if not content_type or _TEXT.match(content_type):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            logger.debug("a body that claims to be text is not UTF-8")
    return base64.b64encode(body).decode(), True


def response_of(answer: Json) -> Response:
    """What API Gateway makes of a function's answer; one without a status code is a body in itself.

    Raises:
        ValueError, TypeError, AttributeError: the answer is none that API Gateway understands.
    """
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return _json(answer)
    headers = [(str(name).lower(), _header(value)) for name, value in (answer.get("headers") or {}).items()]
    headers += [("set-cookie", str(cookie)) for cookie in answer.get("cookies") or ()]
    text = answer.get("body") or ""
    if not isinstance(text, str):
        raise TypeError("the body is not a string")
    if len(text) > MAX_PAYLOAD:
        raise ValueError(f"the body is longer than the {MAX_PAYLOAD} bytes that Lambda passes on")
    body = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain; charset=utf-8"))
    return Response(int(answer["statusCode"]), headers, body)


def _header(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _internal(reason: str) -> Response:
    logger.error("%s", reason)
    return gateway_answer(500)


# --- The application ----------------------------------------------------------------------------------------


class Front:
    """An ASGI application. Beside the API it serves `/.local/`: the key set, the sign-in, and tools for this machine's user.

    `tools` are what a POST to `/.local/<name>` does, beside giving out tokens.
    """

    def __init__(
        self,
        routes: Routes,
        lambdas: Lambdas,
        issuer: Issuer,
        tools: Mapping[str, Tool] | None = None,
        cors: Cors | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        self._routes = routes
        self._lambdas = lambdas
        self._issuer = issuer
        self._tools = tools or {}
        self._sign_in = SignIn(issuer)
        self._cors = cors
        self._throttle = throttle or Throttle.of(None)
        port = urlsplit(issuer.issuer).port
        self._own_origins = frozenset({f"http://127.0.0.1:{port}", f"http://localhost:{port}"})

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._may_come_in(scope):
            await guard.refuse(scope, send)
            return
        request = Request(
            method=scope["method"],
            path=_path(scope),
            query=_query(scope),
            headers=[(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]],
            client=(scope.get("client") or ("127.0.0.1",))[0],
        )
        await _write(send, request, await self._take(request, receive))

    async def _take(self, request: Request, receive: Receive) -> Response:
        if _head_size(request) > MAX_HEAD:
            return gateway_answer(431, ("connection", "close"))
        body = await _read(receive)
        if body is None:
            return gateway_answer(413, ("connection", "close"))
        request.body = body
        return await self.respond(request)

    def _may_come_in(self, scope: Message) -> bool:
        """Whether a program, one of our own pages or somebody who follows a link sends this; see `guard`.

        The origins that the deployment allows (CorsOrigins) may call the API, and nothing that is this machine's own.
        """
        method, path, headers = scope["method"], _path(scope), guard.headers_of(scope)
        # The page may be open at localhost through a tunnel, at another port than this process's own.
        own = self._own_origins | {f"http://{headers.get('host', '')}"}
        if not path.startswith(LOCAL):
            allowed = own | self._cors.origins if self._cors else own
            return guard.is_from_origin(headers, allowed) or guard.is_followed_link(method, headers)
        if guard.is_from_origin(headers, own):
            return True
        # A page at localhost leads to the sign-in at 127.0.0.1, another site in a browser's eyes. Without a person chosen it
        # lists people, or leads back, and changes nothing.
        chosen = any(name == "person" for name, _ in parse_qsl(_query(scope)))
        return path in {AUTHORIZE, LOGOUT} and not chosen and guard.is_followed_link(method, headers)

    async def respond(self, request: Request) -> Response:
        if request.path.startswith(LOCAL):
            return await self._local(request)
        if self._cors and (preflight := self._cors.preflight(request)):
            return preflight
        response = await self._respond(request)
        if self._cors:
            self._cors.apply(request, response)
        return response

    async def _respond(self, request: Request) -> Response:
        route, parameters = self._routes.find(request.method, request.path)
        if route is None:
            return gateway_answer(404)
        if not self._throttle.admits(route.key):
            return gateway_answer(429)
        claims = None
        if route.audience is not None:
            try:
                verified = self._issuer.claims(_bearer(request.headers), route.audience)
            except Unauthenticated as refused:
                return gateway_answer(401, ("www-authenticate", _challenge(str(refused))))
            if route.scopes and route.scopes.isdisjoint(_scopes(verified)):
                return gateway_answer(403, ("www-authenticate", _challenge("", "insufficient_scope", route.scopes)))
            claims = as_gateway(verified)
        event = event_of(request, route, parameters, claims)
        if _is_too_large(request, event):
            return gateway_answer(413)
        return await self._integrate(route, event)

    async def _integrate(self, route: Route, event: Json) -> Response:
        answering = self._lambdas.begin(route.function, event, front=True)
        try:
            answer = await asyncio.wait_for(answering, INTEGRATION_SECONDS)
        except TimeoutError:
            return gateway_answer(503)
        return self._result(route, answer)

    def _result(self, route: Route, answer: Answer) -> Response:
        """A function that failed, one over its own time-out too, is 500; only one that the gateway gives up on is 503."""
        if answer.failed:
            return _internal(f"{route.function} on {route.key}: {_told(answer.payload)}")
        try:
            return response_of(answer.payload)
        except (ValueError, TypeError, AttributeError) as malformed:
            return _internal(f"{route.function} on {route.key} gave a malformed response: {malformed}")

    async def _local(self, request: Request) -> Response:
        name = request.path.removeprefix("/.local/")
        if name == "jwks.json":
            return _json(self._issuer.jwks())
        if reply := self._sign_in.answer(request.method, request.path, request.query, dict(request.headers), request.body):
            return Response(*reply)
        if request.method != "POST" or name not in {"token", *self._tools}:
            return gateway_answer(404)
        if not guard.is_from_program(request.named()):
            return gateway_answer(403)
        return self._token(request) if name == "token" else _json(await self._tools[name]())

    def _token(self, request: Request) -> Response:
        try:
            asked = json.loads(request.body)
            token = self._issuer.token(str(asked["sub"]), [str(group) for group in asked.get("groups", ())])
        except (ValueError, KeyError, TypeError, AttributeError):
            return gateway_answer(400)
        return _json({"token": token})


def _told(document: Json) -> str:
    trace = "".join(document.get("stackTrace") or ())
    return f"{document.get('errorType')}: {document.get('errorMessage')}\n{trace}".rstrip()


def _path(scope: Message) -> str:
    """As it was sent, escapes and all."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("latin-1").split("?", 1)[0]


def _query(scope: Message) -> str:
    query: bytes = scope.get("query_string", b"")
    return query.decode("latin-1")


def _head_size(request: Request) -> int:
    """In bytes: the request line with its version, and the values of the headers without their names."""
    target = request.path + (f"?{request.query}" if request.query else "")
    return len(f"{request.method} {target} HTTP/1.1") + sum(len(value) for _, value in request.headers)


def _is_too_large(request: Request, event: Json) -> bool:
    """Whether Lambda would refuse the event: the body in it, escaped or in base64, and all the rest."""
    if len(request.body) * MOST_ESCAPED <= MAX_PAYLOAD:
        return False
    return len(json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass")) > MAX_PAYLOAD


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    found = claims.get("scope", claims.get("scp", ()))
    return found.split() if isinstance(found, str) else [str(one) for one in found]


def _challenge(description: str, error: str = "invalid_token", scopes: Iterable[str] = ()) -> str:
    """The `WWW-Authenticate` of the JWT authorizer; with no token at all it names the scheme only."""
    if not description and not scopes:
        return "Bearer"
    # A forged token's own words may be in it: they stay in the header's line, and in its quotes.
    words = " ".join(description.encode("ascii", "replace").decode().replace('"', "'").split())
    named = f'Bearer scope="{" ".join(sorted(scopes))}" error="{error}"'
    return f'{named} error_description="{words}"' if words else named


def _bearer(headers: Iterable[tuple[str, str]]) -> str:
    value = next((value for name, value in headers if name == "authorization"), None)
    if value is None:
        raise Unauthenticated
    match = TOKEN_HEADER.fullmatch(value)
    if match is None:
        raise Unauthenticated("the authorization header holds no token")
    return match.group(1)


async def _read(receive: Receive) -> bytes | None:
    """The whole body, or None when it is larger than the API takes."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body"):
            return bytes(body)


async def _write(send: Send, request: Request, response: Response) -> None:
    headers = [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in response.headers]
    if not any(name == b"content-length" for name, _ in headers) and response.status >= 200 and response.status != 204:
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else response.body})
