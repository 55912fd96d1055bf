"""Pages and what they load, from one folder of plain files; nothing is built.

Data enters a page in one place, a block of JSON that no browser runs, and leaves it as text nodes only: the policy below
lets no other script in and no string become markup. What customers see is in their language, under the shop's name.
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
from orders.domain.errors import NotFound, OrderError
from orders.domain.languages import direction_of, language_of
from orders.domain.statuses import PaymentStatus, transitions
from orders.web import catalogs
from orders.web.handling import SECURITY_HEADERS, Answer, Request, problem

TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
HTML, JSON = "text/html; charset=utf-8", "application/json"

FOR_EVER = "public, max-age=31536000, immutable"
"""For files whose address contains a hash of their content."""

ASK_AGAIN = "private, no-cache"
KEEP_NOTHING = {"cache-control": "no-store"}
"""For what is opened by an address that is a key in itself: a tracking link, or the code that a sign-in comes back with."""

REFUSED = {HTTPStatus.FORBIDDEN: 403, HTTPStatus.NOT_FOUND: 404, HTTPStatus.BAD_REQUEST: 404}
"""What a refusal is told as; any other is told as 503."""


@cache
def policy(picture: str = "") -> str:
    """The Content-Security-Policy: our own files, our own API and the sign-in's token address; nothing inline.

    ``picture`` is the one address outside that a picture may come from.
    """
    address = urlsplit(settings.sign_in_url())
    sign_in = f" {address.scheme}://{address.netloc}" if address.netloc else ""
    pictures = f" {picture}" if picture else ""
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'{pictures}; connect-src 'self'{sign_in}; "
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
        """Everything a page may load, by its path: the folder's files, and the texts of each language as a module."""
        found = sorted(path for path in self.folder.rglob("*") if path.suffix in TYPES)
        files = {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in found}
        return files | catalogs.modules()

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

    def page(self, name: str, tag: str, order: Mapping[str, Any] | None = None) -> Answer:
        """A customer's page in the language of the tag, with the order that it shows; it is not cached."""
        body = self._for_customers(name, tag, config=_island(_config()), order=_island(order))
        return _answer(HTTPStatus.OK, _headers(settings.shop().logo_url) | KEEP_NOTHING, body)

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

    def unsubscribing(self, stage: str, tag: str, status: HTTPStatus = HTTPStatus.OK) -> Answer:
        """The page that ends mails: a form without a script, which sends to the address that the page was opened by."""
        title, words, button = (
            escape(catalogs.text(tag, f"unsubscribe.{key}")) for key in (f"{stage}.title", f"{stage}.words", "go")
        )
        form = f'<form method="post"><button class="main">{button}</button></form>' if stage == "asked" else ""
        headers = _headers(settings.shop().logo_url) | KEEP_NOTHING
        headers["content-security-policy"] = headers["content-security-policy"].replace(
            "form-action 'none'", "form-action 'self'"
        )
        return _answer(status, headers, self._for_customers("unsubscribe.html", tag, title=title, words=words, form=form))

    def refusal(self, refusal: OrderError, tag: str) -> Answer:
        """A refusal as a page of its own, with a way on."""
        told = f"refused.{REFUSED.get(refusal.http_status, 503)}"
        title, words, way, link = (
            escape(catalogs.text(tag, key)) for key in (f"{told}.title", f"{told}.words", "refused.way", "refused.sign_in")
        )
        way = way.replace("{link}", f'<a href="?lang={tag}">{link}</a>')
        body = self._for_customers("refused.html", tag, title=title, words=words, way=way)
        return _answer(refusal.http_status, _headers(settings.shop().logo_url) | KEEP_NOTHING, body)

    def _for_customers(self, name: str, tag: str, **parts: str) -> str:
        """A page that customers see: in their language, under the shop's name."""
        shop = settings.shop()
        brand = escape(shop.name or catalogs.text(tag, "page.brand"))
        logo = f'<img src="{escape(shop.logo_url)}" alt="{brand}">'
        link = f'<a href="{escape(shop.contact_url)}"><bdi>{escape(shop.contact)}</bdi></a>'
        asked = escape(catalogs.text(tag, "contact")).replace("{contact}", link)
        return self._filled(
            name,
            tag,
            brand=logo if shop.logo_url else brand,
            contact=f'<footer class="contact small quiet">{asked}</footer>' if shop.contact else "",
            lang=tag,
            dir=direction_of(tag),
            language=language_of(tag),
            **parts,
        )

    def _filled(self, name: str, tag: str = "", **parts: str) -> str:
        """A page with its placeholders filled, all in one pass: what is filled in is not looked into again.

        A placeholder with a dot in it is a text of the catalog.
        """
        parts["assets"] = f"/assets/{self.version}"
        text = (self.folder / name).read_text(encoding="utf-8")
        return re.sub(
            r"\{\{([\w.]+)\}\}",
            lambda found: escape(catalogs.text(tag, found[1])) if "." in found[1] else parts[found[1]],
            text,
        )


def json_of_page(view: Mapping[str, Any]) -> Answer:
    """What a page shows, as JSON under the page's own address."""
    shown = json.dumps(view, separators=(",", ":"), ensure_ascii=False)
    return _answer(HTTPStatus.OK, _headers() | KEEP_NOTHING | {"content-type": JSON}, shown)


def _config() -> dict[str, Any]:
    """How people sign in here (any OAuth 2 server with Cognito's addresses, or none), which changes may be offered, which
    statuses payments have, and whether orders move neither money nor parcels.
    """
    url = settings.sign_in_url()
    known = {"url": url, "client_id": settings.jwt_audience(), "groups_claim": settings.groups_claim()}
    sign_in = known if url else None
    simulated = set(settings.providers().values()) == {settings.SIMULATED}
    return {"sign_in": sign_in, "transitions": transitions(), "payment_statuses": list(PaymentStatus), "simulated": simulated}


_HARMLESS = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def _island(value: Any) -> str:
    """JSON within a script element, escaped so that no text of a customer can end the element."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).translate(_HARMLESS)


def _headers(picture: str = "") -> dict[str, str]:
    return {
        "content-type": HTML,
        "cache-control": ASK_AGAIN,
        "content-security-policy": policy(picture),
        # A tracking link is a key: it is not sent to whatever is opened from the page.
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
    }


def _answer(status: HTTPStatus, headers: Mapping[str, str], body: str) -> Answer:
    return {"statusCode": int(status), "headers": {**SECURITY_HEADERS, **headers}, "body": body}
