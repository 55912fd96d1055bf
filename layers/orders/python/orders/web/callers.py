"""Who calls: the claims of a verified token, as the route table and the audit trail name them."""

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orders import settings
from orders.domain.actors import Actor
from orders.domain.errors import Unauthenticated
from orders.domain.events import SHOP_PREFIX
from orders.domain.identifiers import CustomerId
from orders.web.routes import GROUPS, STAFF, Who

SHOP_SCOPE = "orders/shop"
"""The scope of a shop's token: a Cognito resource server's identifier, and the name of its scope."""

_OF_MACHINES = ("client_id", "scope")
"""Claims that make a shop of a caller, where they are texts."""

_TOKEN = re.compile(r"(?:Bearer +)?[\w-]+\.([\w-]+)\.[\w-]+", re.IGNORECASE | re.ASCII)
"""One signed token and nothing else: two headers of this name arrive as one, with a comma between."""


def _payload(encoded: str) -> dict[str, Any]:
    """The claims of a token that has been verified; none for what is not a token's middle part."""
    try:
        claims = json.loads(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    """What the token was given for: one text with spaces between, as RFC 8693 has it."""
    scope = claims.get("scope")
    return scope.split(" ") if isinstance(scope, str) else []


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling: ``subject`` is the customer, or the client of a shop; ``groups`` is what else they are."""

    subject: CustomerId
    groups: frozenset[Who]

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> "Principal":
        """The caller that a verified token names. A group counts when it is a member of the token's list, letter for letter.

        A token that a machine got by its own credentials names no person: with the scope ``orders/shop`` it is a shop's, and
        no group in it counts. Raises ``Unauthenticated`` for a token without a subject.
        """
        client = claims.get("client_id")
        if isinstance(client, str) and client and claims.get("sub", client) == client and SHOP_SCOPE in _scopes(claims):
            return cls(CustomerId(client), frozenset({Who.SHOP}))
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject:
            raise Unauthenticated("The bearer token has no subject (sub).")
        named = claims.get(settings.groups_claim())
        members = named if isinstance(named, list) else ()
        return cls(CustomerId(subject), frozenset(group for group in GROUPS if group.value in members))

    @classmethod
    def from_authorizer(cls, verified: Mapping[str, Any], headers: Mapping[str, str]) -> "Principal":
        """The caller of a request that API Gateway's authorizer has let through.

        The authorizer hands a list on as one text, in which ``[it support]`` is one group or two. So the claims are read
        from the token that it has verified. Raises ``Unauthenticated`` when the header holds another token than that one.
        """
        found = _TOKEN.fullmatch(headers.get("authorization", "").strip())
        claims = _payload(found[1]) if found else {}
        others = {name for name in _OF_MACHINES if isinstance(claims.get(name), str) and claims[name] != verified.get(name)}
        if others or claims.get("sub") != verified.get("sub"):
            raise Unauthenticated("The Authorization header differs from the verified one.")
        return cls.from_claims(claims)

    @property
    def is_staff(self) -> bool:
        """Whether they act for the shop."""
        return bool(self.groups & STAFF)

    @property
    def is_shop(self) -> bool:
        """Whether it is a merchant's system, which acts for any customer and is none."""
        return Who.SHOP in self.groups

    @property
    def acts_for_anyone(self) -> bool:
        """Whether other customers' orders are theirs to see and to place."""
        return self.is_staff or self.is_shop

    @property
    def actor(self) -> Actor:
        """The caller as the audit trail names them."""
        return Actor(f"{SHOP_PREFIX}{self.subject}" if self.is_shop else self.subject, staff=self.is_staff)
