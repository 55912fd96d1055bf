"""What a web page of another origin can make a browser send to a port of this stack is refused here.

Both ports listen on loopback, and a page of any origin can make the browser on this machine send to loopback: by fetch,
form, image, script or websocket, or to a name of its own that resolves to 127.0.0.1. A program (curl, boto3) sends none of
the headers by which a browser says where a request comes from. Browsers of before 2023 do not say it of each request (an
image, a form), but every browser names itself in a header that a page cannot set for those.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
FORBIDDEN = b'{"message":"Forbidden"}'
_FROM_BROWSERS = frozenset({"origin", "sec-fetch-site"})
_BROWSER = "mozilla/"
"""With this the `User-Agent` of every browser begins, and that of no SDK."""


def is_loopback(headers: Mapping[str, str], names: Collection[str] = LOOPBACK) -> bool:
    """Whether the request names this machine; a page that has its own name resolved to 127.0.0.1 says that name."""
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname in names
    except ValueError:
        return False


def is_from_program(headers: Mapping[str, str], names: Collection[str] = LOOPBACK) -> bool:
    """Whether no browser sent it. A browser says `Sec-Fetch-Site` in each of its requests to loopback, or is an old one."""
    plain = is_loopback(headers, names) and not _is_websocket(headers) and not _FROM_BROWSERS & headers.keys()
    return plain and not headers.get("user-agent", "").lower().startswith(_BROWSER)


def is_from_origin(headers: Mapping[str, str], origins: Collection[str]) -> bool:
    """Whether a program sent it, a page of one of these origins, or a person who typed the address."""
    if not is_loopback(headers) or _is_websocket(headers):
        return False
    origin = headers.get("origin")
    return origin in origins if origin is not None else headers.get("sec-fetch-site", "none") in {"none", "same-origin"}


def is_followed_link(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a user followed a link from another site: a GET of a whole page, which that site cannot read."""
    plain = is_loopback(headers) and "origin" not in headers and not _is_websocket(headers)
    target = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest"))
    return plain and method == "GET" and target == ("navigate", "document")


def _is_websocket(headers: Mapping[str, str]) -> bool:
    return "websocket" in headers.get("upgrade", "").lower()


def headers_of(scope: Message) -> dict[str, str]:
    """The request's headers in lower case, those sent twice joined by a comma."""
    found: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
        found[name] = f"{found[name]},{text}" if name in found else text
    return found


async def refuse(scope: Message, send: Send) -> None:
    """403, without reading the body; a websocket is refused before its handshake."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(FORBIDDEN)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": FORBIDDEN})


def programs_only(application: Application, container_host: str | None = None) -> Application:
    """The engine's port: nothing that a browser sends gets through, and no answer permits a page to read it (CORS).

    ``container_host`` is what containers call this machine, where they are let in.
    """
    names = LOOPBACK | {container_host} if container_host else LOOPBACK

    async def guarded(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_from_program(headers_of(scope), names):
            await refuse(scope, send)
            return
        await application(scope, receive, _without_cors(send))

    return guarded


def _without_cors(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if "headers" in message:
            kept = [(name, value) for name, value in message["headers"] if not name.lower().startswith(b"access-control-")]
            message = {**message, "headers": kept}
        await send(message)

    return sending
