"""A request as the event of a function, and a function's answer as the response: payload format 2.0."""

from __future__ import annotations

import base64
import json
import logging
import re
import time
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from local.api_gateway.messages import Request, Response, json_answer
from local.api_gateway.routes import Route
from local.common import Json

logger = logging.getLogger(__name__)

MAX_PAYLOAD = 6 * 1024 * 1024  # of a Lambda invocation, each way: a larger event never reaches its function
MOST_ESCAPED = 6  # bytes that JSON makes of one


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
        return json_answer(answer)
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


def is_too_large(request: Request, event: Json) -> bool:
    """Whether Lambda would refuse the event: the body in it, escaped or in base64, and all the rest."""
    if len(request.body) * MOST_ESCAPED <= MAX_PAYLOAD:
        return False
    return len(json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass")) > MAX_PAYLOAD
