"""Routes of the HTTP API, from the OpenAPI body that SAM makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Route:
    method: str  # ANY takes each
    parts: tuple[str, ...]
    function: str
    audience: tuple[str, ...] | None  # None: anyone
    key: str
    scopes: frozenset[str] = frozenset()  # one of them is enough

    def match(self, method: str, parts: Sequence[str]) -> dict[str, str] | None:
        if self.method not in ("ANY", method):
            return None
        found: dict[str, str] = {}
        for place, part in enumerate(self.parts):
            if part.endswith("+}"):
                found[part[1:-2]] = "/".join(parts[place:])
                return found if place < len(parts) else None
            if place >= len(parts):
                return None
            if part.startswith("{"):
                found[part[1:-1]] = parts[place]
            elif part != parts[place]:
                return None
        return found if len(parts) == len(self.parts) else None

    def rank(self) -> tuple[Any, ...]:
        """API Gateway prefers literal parts, then parameters, then a greedy one; a named method before ANY."""
        kinds = [2 if part.endswith("+}") else 1 if part.startswith("{") else 0 for part in self.parts]
        return (max(kinds, default=0) == 2, kinds, self.method == "ANY")


@dataclass(frozen=True, slots=True)
class Routes:
    ranked: tuple[Route, ...]
    default: Route | None

    def find(self, method: str, path: str) -> tuple[Route | None, dict[str, str]]:
        parts = _parts(path)
        for route in self.ranked:
            parameters = route.match(method, parts)
            if parameters is not None:
                return route, parameters
        return self.default, {}


def _parts(path: str) -> tuple[str, ...]:
    return tuple(path.split("/")[1:])


def routes_of(body: Mapping[str, Any]) -> Routes:
    """From the OpenAPI body that SAM makes, its references resolved by the deployment."""
    schemes = body.get("components", {}).get("securitySchemes", {})
    found = [
        _route(path, method, operation, body, schemes)
        for path, operations in body["paths"].items()
        for method, operation in operations.items()
        if method != "options"
    ]
    default = next((route for route in found if route.key == "$default"), None)
    ranked = sorted((route for route in found if route is not default), key=Route.rank)
    return Routes(tuple(ranked), default)


def _route(path: str, method: str, operation: Mapping[str, Any], body: Mapping[str, Any], schemes: Mapping[str, Any]) -> Route:
    uri = operation["x-amazon-apigateway-integration"]["uri"]
    function = uri.split(":function:", 1)[1].split("/", 1)[0]
    verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
    key = path if path == "$default" else f"{verb} {path}"
    audience, scopes = _authorizer(operation.get("security", body.get("security")), schemes)
    return Route(verb, _parts(path), function, audience, key, scopes)


def _authorizer(
    security: Sequence[Mapping[str, Any]] | None, schemes: Mapping[str, Any]
) -> tuple[tuple[str, ...] | None, frozenset[str]]:
    """The audience whose tokens are let in (None: anyone is), and the scopes of which such a token has to have one."""
    named = [(name, scopes) for requirement in security or () for name, scopes in requirement.items() if name != "NONE"]
    if not named:
        return None, frozenset()
    name, scopes = named[0]
    authorizer = schemes[name]["x-amazon-apigateway-authorizer"]
    return tuple(authorizer["jwtConfiguration"]["audience"]), frozenset(scopes or ())
