"""What the gateway itself says to browsers of other origins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.api_gateway.messages import Request, Response


@dataclass(frozen=True, slots=True)
class Cors:
    """What the gateway itself says to browsers, for the origins it is told of; functions have no say in it."""

    origins: frozenset[str]
    methods: str
    headers: str
    exposed: str
    max_age: str

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Cors | None:
        """From the deployed API; None where it names no origins, and the gateway then adds and answers nothing."""
        configured = body.get("x-amazon-apigateway-cors")
        if not configured:
            return None

        def joined(name: str) -> str:
            return ",".join(configured.get(name, ()))

        return cls(
            frozenset(configured["allowOrigins"]),
            joined("allowMethods"),
            joined("allowHeaders"),
            joined("exposeHeaders"),
            str(configured.get("maxAge", 0)),
        )

    def preflight(self, request: Request) -> Response | None:
        """The answer to a browser that asks before it calls; None for any other request."""
        names = request.named()
        if request.method != "OPTIONS" or not {"origin", "access-control-request-method"} <= names.keys():
            return None
        headers = [("access-control-allow-methods", self.methods), ("access-control-allow-headers", self.headers)]
        headers += [("access-control-max-age", self.max_age), *self._allowed(names)]
        return Response(204, headers if names["origin"] in self.origins else [], b"")

    def apply(self, request: Request, response: Response) -> None:
        """Puts the gateway's own headers in place of the function's."""
        kept = [(name, value) for name, value in response.headers if not name.startswith("access-control-")]
        names = request.named()
        if names.get("origin") in self.origins:
            kept += [*self._allowed(names), ("access-control-expose-headers", self.exposed)]
        response.headers = kept

    def _allowed(self, names: Mapping[str, str]) -> list[tuple[str, str]]:
        return [("access-control-allow-origin", names["origin"]), ("vary", "origin")]
