"""Signing in locally: the addresses of Cognito's hosted UI, with people to choose from in place of a password.

The pages go through authorization code and PKCE here as they do on AWS; only who answers differs. It answers on loopback,
and sends nobody anywhere but back to this stack's own pages.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from local.api_gateway.keys import AUDIENCE, Issuer
from local.people import PEOPLE, Person

AUTHORIZE, TOKEN, LOGOUT = "/.local/oauth2/authorize", "/.local/oauth2/token", "/.local/logout"
CALLBACK = "/signed-in"
CODE_SECONDS = 60.0

Headers = list[tuple[str, str]]
Reply = tuple[int, Headers, bytes]


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """The sign-in of a code until the code is exchanged for a token, once."""

    person: Person
    challenge: str
    redirect_uri: str
    until: float


class SignIn:
    def __init__(self, issuer: Issuer, now: Callable[[], float] = time.time) -> None:
        self._issuer = issuer
        self._now = now
        self._port = urlsplit(issuer.issuer).port
        self._codes: dict[str, AuthorizationCode] = {}

    def answer(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Reply | None:
        """The reply to a request of the sign-in; None for one that is none."""
        if not self._is_ours(f"//{headers.get('host', '')}"):
            return None
        if method == "GET" and path == AUTHORIZE:
            return self._authorize(dict(parse_qsl(query)))
        if method == "GET" and path == LOGOUT:
            target = dict(parse_qsl(query)).get("logout_uri", "")
            return _redirect(target) if self._is_callback(target) else _refused("invalid_request")
        if method == "POST" and path == TOKEN:
            return self._token(body, headers.get("origin"))
        return None

    def _is_ours(self, url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme in {"http", ""} and parts.netloc in {f"127.0.0.1:{self._port}", f"localhost:{self._port}"}

    def _is_callback(self, url: str) -> bool:
        """Whether the address is the one that a sign-in comes back to, letter for letter, as a user pool has it registered."""
        return url in {f"http://{host}:{self._port}{CALLBACK}" for host in ("127.0.0.1", "localhost")}

    def _authorize(self, asked: dict[str, str]) -> Reply:
        target = asked.get("redirect_uri", "")
        is_whole = asked.get("code_challenge_method") == "S256" and asked.get("code_challenge")
        if not self._is_callback(target) or not is_whole or asked.get("client_id") != AUDIENCE:
            return _refused("invalid_request")
        subject = asked.pop("person", None)
        if subject is None:
            return _choice(asked)
        code = secrets.token_urlsafe(24)
        self._forget_old()
        person = next((one for one in PEOPLE if one.subject == subject), Person(subject, subject, "A customer"))
        self._codes[code] = AuthorizationCode(person, asked["code_challenge"], target, self._now() + CODE_SECONDS)
        return _redirect(f"{target}?{urlencode({'code': code, 'state': asked.get('state', '')})}")

    def _forget_old(self) -> None:
        self._codes = {code: kept for code, kept in self._codes.items() if kept.until > self._now()}

    def _token(self, body: bytes, origin: str | None) -> Reply:
        if origin is not None and not self._is_ours(origin):
            return _refused("invalid_request")
        asked = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        granted = self._codes.pop(asked.get("code", ""), None)
        if granted is None or granted.until < self._now() or granted.redirect_uri != asked.get("redirect_uri"):
            return _refused("invalid_grant")
        digest = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
        if not secrets.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), granted.challenge):
            return _refused("invalid_grant")
        token = self._issuer.token(granted.person.subject, granted.person.groups)
        answer = {"id_token": token, "access_token": token, "token_type": "Bearer", "expires_in": 12 * 3600}
        # The pages may be open at localhost while this is 127.0.0.1; both are this stack.
        allowed = [("access-control-allow-origin", origin), ("vary", "origin")] if origin else []
        return 200, [("content-type", "application/json"), *_NOT_KEPT, *allowed], json.dumps(answer).encode()


_NOT_KEPT: Headers = [("cache-control", "no-store")]
_STYLE = """:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:10vh auto;padding:0 1rem}
ul{list-style:none;padding:0}a,form{display:block;padding:.7rem 1rem;margin:.5rem 0;border:1px solid #8886;border-radius:.6rem;
color:inherit;text-decoration:none}a:hover,a:focus-visible{border-color:#2a7f62;outline:2px solid #2a7f62}b,span{display:block}
input,button{font:inherit;padding:.3rem .6rem;max-width:100%;box-sizing:border-box}"""


def _choice(asked: Mapping[str, str]) -> Reply:
    """Everybody there is to sign in as, and a field for any other customer."""
    people = "".join(
        f'<li><a href="{AUTHORIZE}?{escape(urlencode({**asked, "person": one.subject}))}">'
        f"<b>{escape(one.name)}</b><span>{escape(one.does)}</span></a></li>"
        for one in PEOPLE
    )
    hidden = "".join(f'<input type="hidden" name="{escape(name)}" value="{escape(text)}">' for name, text in asked.items())
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sign in locally</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body><main>'
        "<h1>Who are you today?</h1><p>This is the local stack: there are no passwords, and nothing leaves this machine.</p>"
        f'<ul>{people}</ul><form action="{AUTHORIZE}">{hidden}<label>Another customer: '
        '<input name="person" required pattern="[A-Za-z0-9][A-Za-z0-9._:@|+\\-]{0,127}" autocomplete="off"></label> '
        "<button>Sign in</button></form></main></body></html>"
    )
    # No form-action: the browser would apply it to where the form's answer leads, and that may be localhost.
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    guard = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
    headers = [("content-type", "text/html; charset=utf-8"), ("content-security-policy", guard), *_NOT_KEPT]
    return 200, headers, page.encode()


def _redirect(target: str) -> Reply:
    return 302, [("location", target), *_NOT_KEPT], b""


def _refused(error: str) -> Reply:
    return 400, [("content-type", "application/json"), *_NOT_KEPT], json.dumps({"error": error}).encode()
