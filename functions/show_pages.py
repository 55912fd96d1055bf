"""The pages people look at: a customer's tracking page, support's desk, where a sign-in comes back to, and what they load.

Plain files stand in ``pages/``; nothing is built. Data enters a page in one place, a block of JSON that no browser runs, and
leaves it as text nodes only: the policy below lets no other script in and no string become markup.
"""

import gzip
import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from html import escape
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from orders import settings
from orders.adapters import secrets
from orders.adapters.store import orders
from orders.domain import sentences
from orders.domain.errors import NotFound, OrderError, Unauthenticated
from orders.domain.statuses import transitions
from orders.services.changes import utc_now
from orders.web import tokens
from orders.web.http import SECURITY_HEADERS, Answer, Request, problem, serve
from orders.web.tracking import tracking_view

PAGES = Path(__file__).parent / "pages"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
SENTENCES = "sentences.js"
HTML, JSON = "text/html; charset=utf-8", "application/json"

FOR_EVER = "public, max-age=31536000, immutable"
"""For what stands under its content's own hash: another content has another address."""

ASK_AGAIN = "private, no-cache"
KEEP_NOTHING = {"cache-control": "no-store"}
"""For what is opened by an address that is a key in itself: a tracking link, or the code that a sign-in comes back with."""


@cache
def assets() -> Mapping[str, bytes]:
    """Everything a page may load, by its path: the files in ``pages/``, and the table of sentences as a module."""
    found = sorted(path for path in PAGES.rglob("*") if path.suffix in TYPES)
    files = {path.relative_to(PAGES).as_posix(): path.read_bytes() for path in found}
    tables = json.dumps(sentences.for_pages(), separators=(",", ":"))
    return files | {SENTENCES: f"export const TABLES = {tables};\n".encode()}


@cache
def version() -> str:
    """The hash all files share: they import each other by relative paths, so one folder holds them together."""
    whole = hashlib.sha256()
    for name, content in assets().items():
        whole.update(f"{name}\0{len(content)}\0".encode())
        whole.update(content)
    return whole.hexdigest()[:16]


@cache
def policy() -> str:
    """The Content-Security-Policy: our own files, our own API and the sign-in's token address; nothing inline."""
    address = urlsplit(settings.sign_in_url())
    sign_in = f" {address.scheme}://{address.netloc}" if address.netloc else ""
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'{sign_in}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def show_tracking(request: Request) -> Answer:
    """One order's page. With a tracking token it carries what it shows; without one it offers sign-in.

    The page asks this very route for JSON when the order has moved on.
    """
    as_json = JSON in request.headers.get("accept", "")
    try:
        view = _tracked(request)
        if not as_json:
            return _answer(HTTPStatus.OK, _page_headers() | KEEP_NOTHING, _page("track.html", order=view))
        if view is None:
            raise Unauthenticated("Open this with the token of a tracking link.")
        shown = json.dumps(view, separators=(",", ":"), ensure_ascii=False)
        return _answer(HTTPStatus.OK, _page_headers() | KEEP_NOTHING | {"content-type": JSON}, shown)
    except OrderError as refusal:
        return problem(refusal, request.route.path) if as_json else _refusal(refusal)


def _tracked(request: Request) -> dict[str, Any] | None:
    """What the bearer of the tracking token may see; ``None`` for somebody who brings none."""
    token, order_id = request.query.get("token"), request.order_id
    if token is None:
        return None
    now = utc_now()
    tokens.check_tracking_token(token, order_id, now, secrets.signing_key())
    return tracking_view(orders.load(order_id, to_show=True), now)


def show_desk(request: Request) -> Answer:
    """Support's desk: an empty page, which asks the API for everything with the token of the person signed in."""
    return _fresh(request, _page("desk.html"))


def show_signed_in(_: Request) -> Answer:
    """Where the sign-in sends people back to; its script changes the code for a token and goes where they came from."""
    return _answer(HTTPStatus.OK, _page_headers() | KEEP_NOTHING, _page("signed-in.html"))


def show_asset(request: Request) -> Answer:
    """A file of the pages. Asked for by an older hash, as a page opened before a deployment does, it is not to be kept."""
    name = request.path.get("file", "")
    if name not in assets():
        return problem(NotFound("There is no such file."), request.route.path)
    current = request.path.get("version") == version()
    headers = {
        "content-type": f"{TYPES[Path(name).suffix]}; charset=utf-8",
        "cache-control": FOR_EVER if current else ASK_AGAIN,
        "vary": "accept-encoding",
    }
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return _answer(HTTPStatus.OK, headers, assets()[name].decode())
    packed = _answer(HTTPStatus.OK, headers | {"content-encoding": "gzip"}, _packed(name))
    return packed | {"isBase64Encoded": True}


@cache
def _packed(name: str) -> str:
    return b64encode(gzip.compress(assets()[name], mtime=0)).decode()


def _page(name: str, order: Mapping[str, Any] | None = None) -> str:
    return _filled(name, config=_island(_config()), order=_island(order))


TITLES = {
    HTTPStatus.FORBIDDEN: "This link does not open the order",
    HTTPStatus.NOT_FOUND: "There is no such order",
    HTTPStatus.BAD_REQUEST: "There is no such order",
}


def _refusal(refusal: OrderError) -> Answer:
    """A refusal as a page of its own, with a way on."""
    words = {"title": TITLES.get(refusal.http_status, refusal.title), "words": refusal.detail}
    body = _filled("refused.html", **{name: escape(text) for name, text in words.items()})
    return _answer(refusal.http_status, _page_headers() | KEEP_NOTHING, body)


def _filled(name: str, **parts: str) -> str:
    """A page with its placeholders filled, all in one pass: what is filled in is not looked into again."""
    parts["assets"] = f"/assets/{version()}"
    text = (PAGES / name).read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], text)


def _config() -> dict[str, Any]:
    """How people sign in here (any OAuth 2 server with Cognito's addresses, or none), and which changes may be offered."""
    url = settings.sign_in_url()
    known = {"url": url, "client_id": settings.jwt_audience(), "groups_claim": settings.groups_claim()}
    sign_in = known if url else None
    return {"sign_in": sign_in, "transitions": transitions()}


_HARMLESS = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def _island(value: Any) -> str:
    """JSON that stands within a script element and cannot end it, whatever a customer has typed."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).translate(_HARMLESS)


def _fresh(request: Request, body: str) -> Answer:
    """A page that is asked for again each time, and sent again only when it has changed."""
    etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:16]}"'
    headers = _page_headers() | {"etag": etag}
    if etag in request.headers.get("if-none-match", ""):
        return _answer(HTTPStatus.NOT_MODIFIED, headers, "")
    return _answer(HTTPStatus.OK, headers, body)


def _page_headers() -> dict[str, str]:
    return {
        "content-type": HTML,
        "cache-control": ASK_AGAIN,
        "content-security-policy": policy(),
        # A tracking link is a key: it is not sent to whatever is opened from the page.
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
    }


def _answer(status: HTTPStatus, headers: Mapping[str, str], body: str) -> Answer:
    return {"statusCode": int(status), "headers": {**SECURITY_HEADERS, **headers}, "body": body}


handler = serve(
    {
        "GET /track/{id}": show_tracking,
        "GET /admin": show_desk,
        "GET /signed-in": show_signed_in,
        "GET /assets/{version}/{file+}": show_asset,
    }
)
