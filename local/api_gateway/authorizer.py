"""What the JWT authorizer reads of a request, and how it refuses one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from local.api_gateway.keys import TokenRefused

TOKEN_HEADER = re.compile(r"(?:Bearer )?\s*(\S+)\s*", re.IGNORECASE)


def scopes_of(claims: Mapping[str, Any]) -> list[str]:
    found = claims.get("scope", claims.get("scp", ()))
    return found.split() if isinstance(found, str) else [str(one) for one in found]


def challenge(description: str, error: str = "invalid_token", scopes: Iterable[str] = ()) -> str:
    """The `WWW-Authenticate` of the JWT authorizer; with no token at all it names the scheme only."""
    if not description and not scopes:
        return "Bearer"
    # A forged token's own words may be in it: they stay in the header's line, and in its quotes.
    words = " ".join(description.encode("ascii", "replace").decode().replace('"', "'").split())
    named = f'Bearer scope="{" ".join(sorted(scopes))}" error="{error}"'
    return f'{named} error_description="{words}"' if words else named


def bearer_of(headers: Iterable[tuple[str, str]]) -> str:
    value = next((value for name, value in headers if name == "authorization"), None)
    if value is None:
        raise TokenRefused
    match = TOKEN_HEADER.fullmatch(value)
    if match is None:
        raise TokenRefused("the authorization header holds no token")
    return match.group(1)
