"""The HTTP API: API Gateway's routes, authorizer and event format, derived from the deployed template's own API."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl, urlsplit

from local.api_gateway.asgi import head_size, path_of, query_of, read, write
from local.api_gateway.authorizer import bearer_of, challenge, scopes_of
from local.api_gateway.cors import Cors
from local.api_gateway.events import event_of, is_too_large, response_of
from local.api_gateway.keys import Issuer, TokenRefused, as_gateway
from local.api_gateway.messages import Request, Response, gateway_answer, json_answer
from local.api_gateway.routes import Route, Routes
from local.api_gateway.sign_in import AUTHORIZE, LOGOUT, SignIn
from local.api_gateway.throttle import Throttle
from local.common import Json
from local.lambda_runtime.answers import Answer
from local.lambda_runtime.lambdas import Lambdas
from local.ports import guard
from local.ports.guard import Message, Receive, Send

logger = logging.getLogger(__name__)

Tool = Callable[[], Awaitable[Json]]

MAX_HEAD = 10_240  # the request line and the headers' values
INTEGRATION_SECONDS = 30.0
LOCAL = "/.local/"


def _internal(reason: str) -> Response:
    logger.error("%s", reason)
    return gateway_answer(500)


class Gateway:
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
            path=path_of(scope),
            query=query_of(scope),
            headers=[(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]],
            client=(scope.get("client") or ("127.0.0.1",))[0],
        )
        await write(send, request, await self._take(request, receive))

    async def _take(self, request: Request, receive: Receive) -> Response:
        if head_size(request) > MAX_HEAD:
            return gateway_answer(431, ("connection", "close"))
        body = await read(receive)
        if body is None:
            return gateway_answer(413, ("connection", "close"))
        request.body = body
        return await self.respond(request)

    def _may_come_in(self, scope: Message) -> bool:
        """Whether the sender is a program, one of our own pages or a user who follows a link; see `guard`.

        The origins that the deployment allows (CorsOrigins) may call the API, and nothing that is this machine's own.
        """
        method, path, headers = scope["method"], path_of(scope), guard.headers_of(scope)
        # The page may be open at localhost through a tunnel, at another port than this process's own.
        own = self._own_origins | {f"http://{headers.get('host', '')}"}
        if not path.startswith(LOCAL):
            allowed = own | self._cors.origins if self._cors else own
            return guard.is_from_origin(headers, allowed) or guard.is_followed_link(method, headers)
        if guard.is_from_origin(headers, own):
            return True
        # A page at localhost leads to the sign-in at 127.0.0.1, another site in a browser's eyes. Without a person chosen it
        # lists people, or leads back, and changes nothing.
        chosen = any(name == "person" for name, _ in parse_qsl(query_of(scope)))
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
                verified = self._issuer.claims(bearer_of(request.headers), route.audience)
            except TokenRefused as refused:
                return gateway_answer(401, ("www-authenticate", challenge(str(refused))))
            if route.scopes and route.scopes.isdisjoint(scopes_of(verified)):
                return gateway_answer(403, ("www-authenticate", challenge("", "insufficient_scope", route.scopes)))
            claims = as_gateway(verified)
        event = event_of(request, route, parameters, claims)
        if is_too_large(request, event):
            return gateway_answer(413)
        return await self._integrate(route, event)

    async def _integrate(self, route: Route, event: Json) -> Response:
        answering = self._lambdas.begin(route.function, event, for_api=True)
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
            return json_answer(self._issuer.jwks())
        if reply := self._sign_in.answer(request.method, request.path, request.query, dict(request.headers), request.body):
            return Response(*reply)
        if request.method != "POST" or name not in {"token", *self._tools}:
            return gateway_answer(404)
        if not guard.is_from_program(request.named()):
            return gateway_answer(403)
        return self._token(request) if name == "token" else json_answer(await self._tools[name]())

    def _token(self, request: Request) -> Response:
        try:
            asked = json.loads(request.body)
            token = self._issuer.shop_token() if asked.get("shop") is True else self._person_token(asked)
        except (ValueError, KeyError, TypeError, AttributeError):
            return gateway_answer(400)
        return json_answer({"token": token})

    def _person_token(self, asked: Json) -> str:
        return self._issuer.token(str(asked["sub"]), [str(group) for group in asked.get("groups", ())])


def _told(document: Json) -> str:
    trace = "".join(document.get("stackTrace") or ())
    return f"{document.get('errorType')}: {document.get('errorMessage')}\n{trace}".rstrip()
