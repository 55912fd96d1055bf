"""The public routes: health, the API's description, and the response for unknown routes."""

import re
from html import escape
from http import HTTPStatus
from pathlib import Path
from typing import Any

from orders import settings
from orders.domain.errors import MethodNotAllowed, NotFound
from orders.web.handling import SECURITY_HEADERS, Answer, Request, answer, problem, serve
from orders.web.responses import HealthView
from orders.web.routes import ROUTES

PAGE_HEADERS = {
    **SECURITY_HEADERS,
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
}


def get_health(_: Request) -> Answer:
    """The API responds; which payment provider and which carrier it works with."""
    used = settings.providers()
    body: HealthView = {
        "status": "ok",
        "payment_provider": used["payment_provider"],
        "carrier_provider": used["carrier_provider"],
    }
    return answer(body)


def get_openapi(_: Request) -> Answer:
    """The OpenAPI description."""
    return answer(_document())


START = (
    ("/admin", "The desk", "orders, reviews and figures; sign in as support"),
    ("/docs", "The API", "every route, what it takes and who may use it"),
    ("/openapi.json", "Its description", "for programs"),
)


def show_start(_: Request) -> Answer:
    """Links to the desk and to the API's description."""
    links = "".join(f'<li><a href="{path}">{name}</a>: {words}</li>' for path, name, words in START)
    return {"statusCode": int(HTTPStatus.OK), "headers": PAGE_HEADERS, "body": _page("Orders", f"<ul>{links}</ul>")}


def get_docs(request: Request) -> Answer:
    """The description as a page, from which requests can be sent to this deployment."""
    # As the description itself: a health check loads none of it.
    from orders.web import reference  # noqa: PLC0415
    from orders.web.pages import Pages  # noqa: PLC0415

    return Pages(Path(__file__).parent / "pages").fresh("docs.html", request, reference.content())


def _page(title: str, content: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "code{background:#8882;padding:.1em .3em;border-radius:.2em}h2{font-size:1.1rem;margin-top:2rem}"
        "li{margin:.2rem 0}:root{color-scheme:light dark}</style></head><body><main>"
        f"<h1>{escape(title)}</h1>{content}</main></body></html>"
    )


def _document() -> Any:
    # The bodies' models are half of a cold start, which a health check need not pay.
    from orders.web import openapi  # noqa: PLC0415

    return openapi.document()


_handler = serve({"GET /": show_start, "GET /health": get_health, "GET /openapi.json": get_openapi, "GET /docs": get_docs})


def handler(event: dict[str, Any], context: Any) -> Answer:
    """The documents, and the response for unknown routes."""
    if event["routeKey"] not in ROUTES:
        return _nothing_at(event.get("rawPath", ""))
    return _handler(event, context)


def _nothing_at(path: str) -> Answer:
    methods = sorted(route.method for route in ROUTES.values() if _leads_to(route.path, path))
    if not methods:
        return problem(NotFound("There is nothing here; see /docs."), path)
    allowed = ", ".join(methods)
    refused = problem(MethodNotAllowed(f"This path takes {allowed}; see /docs."), path)
    return refused | {"headers": refused["headers"] | {"allow": allowed}}


def _leads_to(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) is not None
