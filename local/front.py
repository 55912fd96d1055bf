"""The HTTP API: API Gateway's routes, authorizer and event format, derived from the deployed template's own API."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from local.asl import Answer, Json
from local.keys import Issuer, Unauthenticated, as_gateway
from local.lambdas import Lambdas
from local.sign_in import SignIn

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

Tool = Callable[[], Awaitable[Json]]

MAX_BODY = 10 * 1024 * 1024
INTEGRATION_SECONDS = 30.0
TOKEN_HEADER = re.compile(r"(?:Bearer )?\s*(\S+)\s*", re.IGNORECASE)


# --- Routes -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Route:
    method: str  # ANY takes each
    parts: tuple[str, ...]
    function: str
    audience: tuple[str, ...] | None  # None: anyone
    key: str

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
    return Route(verb, _parts(path), function, _audience(operation.get("security", body.get("security")), schemes), key)


def _audience(security: Sequence[Mapping[str, Any]] | None, schemes: Mapping[str, Any]) -> tuple[str, ...] | None:
    names = [name for requirement in security or () for name in requirement if name != "NONE"]
    if not names:
        return None
    authorizer = schemes[names[0]]["x-amazon-apigateway-authorizer"]
    return tuple(authorizer["jwtConfiguration"]["audience"])


# --- Requests and answers -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Request:
    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    client: str = "127.0.0.1"


@dataclass(slots=True)
class Response:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


def problem(status: int, code: str, detail: str, *headers: tuple[str, str]) -> Response:
    document = {
        "type": f"/docs#{code.lower().replace('_', '-')}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "code": code,
        "detail": detail,
    }
    return Response(status, [("content-type", "application/problem+json"), *headers], json.dumps(document).encode())


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
    """What API Gateway makes of a function's answer; one without a status code is a body in itself."""
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return _json(answer)
    headers = [(str(name).lower(), _header(value)) for name, value in (answer.get("headers") or {}).items()]
    headers += [("set-cookie", str(cookie)) for cookie in answer.get("cookies") or ()]
    text = answer.get("body") or ""
    if not isinstance(text, str):
        return _internal("the function answered with a body that is not a string")
    body = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain; charset=utf-8"))
    return Response(int(answer["statusCode"]), headers, body)


def _header(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _internal(reason: str) -> Response:
    logger.error("%s", reason)
    return problem(500, "INTERNAL", "Something went wrong here.")


# --- The application ----------------------------------------------------------------------------------------


class Front:
    """An ASGI application. Beside the API it serves `/.local/`: the key set, the sign-in, and tools for this machine's user.

    `tools` are what a POST to `/.local/<name>` does, beside giving out tokens.
    """

    def __init__(self, routes: Routes, lambdas: Lambdas, issuer: Issuer, tools: Mapping[str, Tool] | None = None) -> None:
        self._routes = routes
        self._lambdas = lambdas
        self._issuer = issuer
        self._tools = tools or {}
        self._sign_in = SignIn(issuer)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(
            method=scope["method"],
            path=(scope.get("raw_path") or scope["path"].encode()).decode("latin-1").split("?", 1)[0],
            query=scope.get("query_string", b"").decode("latin-1"),
            headers=[(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]],
            client=(scope.get("client") or ("127.0.0.1",))[0],
        )
        body = await _read(receive)
        if body is None:
            response = problem(413, "INVALID_ARGUMENT", f"A request may have {MAX_BODY} bytes.", ("connection", "close"))
        else:
            request.body = body
            response = await self.respond(request)
        await _write(send, request, response)

    async def respond(self, request: Request) -> Response:
        if request.path.startswith("/.local/"):
            return await self._local(request)
        route, parameters = self._routes.find(request.method, request.path)
        if route is None:
            return problem(404, "NOT_FOUND", "There is no such route.")
        claims = None
        if route.audience is not None:
            try:
                claims = as_gateway(self._issuer.claims(_bearer(request.headers), route.audience))
            except Unauthenticated as refused:
                return problem(401, "UNAUTHENTICATED", str(refused), ("www-authenticate", "Bearer"))
        return await self._integrate(route, event_of(request, route, parameters, claims))

    async def _integrate(self, route: Route, event: Json) -> Response:
        answering = self._lambdas.begin(route.function, event, front=True)
        try:
            answer = await asyncio.wait_for(answering, INTEGRATION_SECONDS)
        except TimeoutError:
            return _unavailable()
        return self._result(route, answer)

    def _result(self, route: Route, answer: Answer) -> Response:
        if not answer.failed:
            return response_of(answer.payload)
        if answer.payload.get("errorType") == "Sandbox.Timedout":
            return _unavailable()
        return _internal(f"{route.function} on {route.key}: {_told(answer.payload)}")

    async def _local(self, request: Request) -> Response:
        name = request.path.removeprefix("/.local/")
        if name == "jwks.json":
            return _json(self._issuer.jwks())
        if reply := self._sign_in.answer(request.method, request.path, request.query, dict(request.headers), request.body):
            return Response(*reply)
        if request.method != "POST" or name not in {"token", *self._tools}:
            return problem(404, "NOT_FOUND", "There is no such route.")
        if not _from_this_machine(dict(request.headers)):
            return problem(403, "PERMISSION_DENIED", "This is for programs on this machine.")
        return self._token(request) if name == "token" else _json(await self._tools[name]())

    def _token(self, request: Request) -> Response:
        try:
            asked = json.loads(request.body)
            token = self._issuer.token(str(asked["sub"]), [str(group) for group in asked.get("groups", ())])
        except (ValueError, KeyError, TypeError, AttributeError):
            return problem(400, "INVALID_ARGUMENT", 'Ask with {"sub": "...", "groups": [...]}.')
        return _json({"token": token})


def _from_this_machine(headers: Mapping[str, str]) -> bool:
    """A program of this machine's user. A page in a browser says where it comes from, and one that has this address
    resolved to a name of its own says that name."""
    host = headers.get("host", "").rsplit(":", 1)[0]
    return host in {"127.0.0.1", "localhost"} and not {"origin", "sec-fetch-site"} & set(headers)


def _told(document: Json) -> str:
    trace = "".join(document.get("stackTrace") or ())
    return f"{document.get('errorType')}: {document.get('errorMessage')}\n{trace}".rstrip()


def _unavailable() -> Response:
    return problem(503, "UNAVAILABLE", "It took too long; try again.", ("retry-after", "1"))


def _bearer(headers: Iterable[tuple[str, str]]) -> str:
    value = next((value for name, value in headers if name == "authorization"), None)
    if value is None:
        raise Unauthenticated("A bearer token is needed.")
    match = TOKEN_HEADER.fullmatch(value)
    if match is None:
        raise Unauthenticated("The Authorization header is not a bearer token.")
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
