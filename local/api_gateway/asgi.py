"""Requests read from a server, and responses written to it."""

from __future__ import annotations

from local.api_gateway.messages import Request, Response
from local.ports.guard import Message, Receive, Send

MAX_BODY = 10 * 1024 * 1024


def path_of(scope: Message) -> str:
    """As it was sent, escapes and all."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("latin-1").split("?", 1)[0]


def query_of(scope: Message) -> str:
    query: bytes = scope.get("query_string", b"")
    return query.decode("latin-1")


def head_size(request: Request) -> int:
    """In bytes: the request line with its version, and the values of the headers without their names."""
    target = request.path + (f"?{request.query}" if request.query else "")
    return len(f"{request.method} {target} HTTP/1.1") + sum(len(value) for _, value in request.headers)


async def read(receive: Receive) -> bytes | None:
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


async def write(send: Send, request: Request, response: Response) -> None:
    headers = [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in response.headers]
    if not any(name == b"content-length" for name, _ in headers) and response.status >= 200 and response.status != 204:
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else response.body})
