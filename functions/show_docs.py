"""The public routes: health, the API's description, and the response for unknown routes."""

import re
from html import escape
from http import HTTPStatus
from typing import Any

from orders.domain import errors
from orders.domain.errors import MethodNotAllowed, NotFound
from orders.web.handling import SECURITY_HEADERS, Answer, Request, anchor, answer, problem, serve
from orders.web.responses import HealthView
from orders.web.routes import ROUTES

PAGE_HEADERS = {
    **SECURITY_HEADERS,
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
}


def get_health(_: Request) -> Answer:
    """The API responds."""
    body: HealthView = {"status": "ok"}
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


def get_docs(_: Request) -> Answer:
    """The description as one page, which loads nothing from anywhere."""
    return {"statusCode": int(HTTPStatus.OK), "headers": PAGE_HEADERS, "body": docs_page()}


def docs_page() -> str:
    """Every route, what it takes and who may use it."""
    document = _document()
    sections = "".join(
        _section(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    description = f"<p>{escape(document['info']['description'])} "
    machine_readable = 'Machine-readable: <a href="openapi.json">openapi.json</a>.</p>'
    content = f"{description}{machine_readable}{sections}{_problems()}"
    return _page("Order pipeline: API", content, document["info"]["title"])


def _problems() -> str:
    """What each ``type`` of a problem leads to: its statuses and titles."""
    refusals = {(refusal.code, int(refusal.http_status), refusal.title) for refusal in errors.family()}
    sections = ""
    for code in sorted({code for code, _, _ in refusals}):
        titles = "".join(_item(str(status), title) for found, status, title in sorted(refusals) if found == code)
        sections += f'<section id="{anchor(code)}"><h2><code>{escape(code)}</code></h2><ul>{titles}</ul></section>'
    return f"<h2>Problems</h2><p>A refusal is a problem document (RFC 9457); its <code>type</code> leads here.</p>{sections}"


def _page(title: str, content: str, heading: str | None = None) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "code{background:#8882;padding:.1em .3em;border-radius:.2em}h2{font-size:1.1rem;margin-top:2rem}"
        "li{margin:.2rem 0}:root{color-scheme:light dark}</style></head><body><main>"
        f"<h1>{escape(heading or title)}</h1>{content}</main></body></html>"
    )


def _section(path: str, method: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        _item(found["name"], f"in {found['in']} {found.get('description', '')}") for found in operation["parameters"]
    )
    answers = "".join(_item(status, response["description"]) for status, response in operation["responses"].items())
    heading = f"<h2><code>{escape(method.upper())} {escape(path)}</code></h2>"
    words = f"<p>{escape(operation['summary'])}. {escape(operation['description'])}</p>"
    return f'<section id="{escape(operation["operationId"])}">{heading}{words}<ul>{parameters}</ul><ul>{answers}</ul></section>'


def _item(name: str, words: str) -> str:
    return f"<li><code>{escape(name)}</code> {escape(words)}</li>"


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
