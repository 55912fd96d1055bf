"""Requests and responses, and what API Gateway says for itself."""

from __future__ import annotations

import json
from dataclasses import dataclass

from local.common import Json


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


def json_answer(document: Json) -> Response:
    return Response(200, [("content-type", "application/json")], json.dumps(document).encode())
