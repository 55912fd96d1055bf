"""Pages and what they load, from one folder of plain files; nothing is built.

Data enters a page in one place, a block of JSON that no browser runs, and leaves it as text nodes only: the policy below
lets no other script in and no string become markup.
"""

import gzip
import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from functools import cache, cached_property
from html import escape
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from orders import settings
from orders.domain import sentences
from orders.domain.errors import NotFound, OrderError
from orders.domain.statuses import transitions
from orders.web.handling import SECURITY_HEADERS, Answer, Request, problem

TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
SENTENCES = "sentences.js"
HTML, JSON = "text/html; charset=utf-8", "application/json"

FOR_EVER = "public, max-age=31536000, immutable"
"""For files whose address contains a hash of their content."""

ASK_AGAIN = "private, no-cache"
KEEP_NOTHING = {"cache-control": "no-store"}
"""For what is opened by an address that is a key in itself: a tracking link, or the code that a sign-in comes back with."""

UNSUBSCRIBING = {
    "asked": ("No more mails?", "You will still hear of what you order, of what is to be done and of your money."),
    "done": ("No more mails", "You get no more mails about the progress of your orders."),
    "unknown": ("This link ends no mails", "Use the one in the latest mail."),
}

TITLES = {
    HTTPStatus.FORBIDDEN: "This link does not open the order",
    HTTPStatus.NOT_FOUND: "There is no such order",
    HTTPStatus.BAD_REQUEST: "There is no such order",
}


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


class Pages:
    """The pages in one folder, and the files that they load."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._packed: dict[str, str] = {}

    @cached_property
    def assets(self) -> Mapping[str, bytes]:
        """Everything a page may load, by its path: the folder's files, and the table of sentences as a module."""
        found = sorted(path for path in self.folder.rglob("*") if path.suffix in TYPES)
        files = {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in found}
        tables = json.dumps(sentences.for_pages(), separators=(",", ":"))
        return files | {SENTENCES: f"export const TABLES = {tables};\n".encode()}

    @cached_property
    def version(self) -> str:
        """The hash all files share: they import each other by relative paths, so one folder holds them together."""
        whole = hashlib.sha256()
        for name, content in self.assets.items():
            whole.update(f"{name}\0{len(content)}\0".encode())
            whole.update(content)
        return whole.hexdigest()[:16]

    def asset(self, request: Request) -> Answer:
        """A file of the pages. Asked for by an older hash, as a page opened before a deployment does, it is not to be kept."""
        name = request.path.get("file", "")
        if name not in self.assets:
            return problem(NotFound("There is no such file."), request.route.path)
        current = request.path.get("version") == self.version
        headers = {
            "content-type": f"{TYPES[Path(name).suffix]}; charset=utf-8",
            "cache-control": FOR_EVER if current else ASK_AGAIN,
            "vary": "accept-encoding",
        }
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return _answer(HTTPStatus.OK, headers, self.assets[name].decode())
        packed = _answer(HTTPStatus.OK, headers | {"content-encoding": "gzip"}, self._gzipped(name))
        return packed | {"isBase64Encoded": True}

    def _gzipped(self, name: str) -> str:
        if name not in self._packed:
            self._packed[name] = b64encode(gzip.compress(self.assets[name], mtime=0)).decode()
        return self._packed[name]

    def page(self, name: str, order: Mapping[str, Any] | None = None) -> Answer:
        """A page that is not cached, with the order that it shows."""
        return _answer(HTTPStatus.OK, _headers() | KEEP_NOTHING, self._page(name, order))

    def fresh(self, name: str, request: Request, parts: Mapping[str, str] = MappingProxyType({})) -> Answer:
        """A page that is asked for again each time, and sent again only when it has changed; ``parts`` are markup."""
        body = self._filled(name, config=_island(_config()), **parts)
        etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:16]}"'
        headers = _headers() | {"etag": etag, "vary": "accept-encoding"}
        if etag in request.headers.get("if-none-match", ""):
            return _answer(HTTPStatus.NOT_MODIFIED, headers, "")
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return _answer(HTTPStatus.OK, headers, body)
        packed = b64encode(gzip.compress(body.encode(), mtime=0)).decode()
        return _answer(HTTPStatus.OK, headers | {"content-encoding": "gzip"}, packed) | {"isBase64Encoded": True}

    def unsubscribing(self, stage: str, status: HTTPStatus = HTTPStatus.OK) -> Answer:
        """The page that ends mails: a form without a script, which sends to the address that the page was opened by."""
        title, words = UNSUBSCRIBING[stage]
        form = '<form method="post"><button class="main">Send no more</button></form>' if stage == "asked" else ""
        headers = _headers() | KEEP_NOTHING
        headers["content-security-policy"] = policy().replace("form-action 'none'", "form-action 'self'")
        return _answer(status, headers, self._filled("unsubscribe.html", title=title, words=words, form=form))

    def refusal(self, refusal: OrderError) -> Answer:
        """A refusal as a page of its own, with a way on."""
        words = {"title": TITLES.get(refusal.http_status, refusal.title), "words": refusal.detail}
        body = self._filled("refused.html", **{name: escape(text) for name, text in words.items()})
        return _answer(refusal.http_status, _headers() | KEEP_NOTHING, body)

    def _page(self, name: str, order: Mapping[str, Any] | None = None) -> str:
        return self._filled(name, config=_island(_config()), order=_island(order))

    def _filled(self, name: str, **parts: str) -> str:
        """A page with its placeholders filled, all in one pass: what is filled in is not looked into again."""
        parts["assets"] = f"/assets/{self.version}"
        text = (self.folder / name).read_text(encoding="utf-8")
        return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], text)


def json_of_page(view: Mapping[str, Any]) -> Answer:
    """What a page shows, as JSON under the page's own address."""
    shown = json.dumps(view, separators=(",", ":"), ensure_ascii=False)
    return _answer(HTTPStatus.OK, _headers() | KEEP_NOTHING | {"content-type": JSON}, shown)


def _config() -> dict[str, Any]:
    """How people sign in here (any OAuth 2 server with Cognito's addresses, or none), and which changes may be offered."""
    url = settings.sign_in_url()
    known = {"url": url, "client_id": settings.jwt_audience(), "groups_claim": settings.groups_claim()}
    sign_in = known if url else None
    return {"sign_in": sign_in, "transitions": transitions()}


_HARMLESS = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def _island(value: Any) -> str:
    """JSON within a script element, escaped so that no text of a customer can end the element."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).translate(_HARMLESS)


def _headers() -> dict[str, str]:
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
