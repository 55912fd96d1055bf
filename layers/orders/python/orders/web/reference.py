"""The description of the API as a page to read: every operation with its schemas, its example and its curl line.

All of it is in the page itself, so that it can be searched, printed and linked to; ``docs.js`` adds trying it out.
"""

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from typing import Any
from urllib.parse import urlencode

from orders.domain import errors
from orders.web import examples, openapi
from orders.web.handling import anchor

Schema = Mapping[str, Any]


@cache
def content() -> dict[str, str]:
    """The parts of the page, by their placeholders."""
    whole = openapi.document()
    groups = _groups(whole)
    return {
        "title": escape(whole["info"]["title"]),
        "about": _said(whole["info"]["description"]),
        "access": "".join(
            _row(f"<code>{name}</code>", _said(scheme["description"])) for name, scheme in _schemes(whole).items()
        ),
        "navigation": "".join(_links(name, operations) for name, operations in groups.items()),
        "operations": "".join(_group(tag, groups[tag["name"]]) for tag in whole["tags"] if tag["name"] in groups),
        "events": "".join(_event(kind, methods["post"]) for kind, methods in whole["webhooks"].items()),
        "problems": _problems(),
        "schemas": "".join(_schema(name, schema, whole) for name, schema in sorted(whole["components"]["schemas"].items())),
    }


def _schemes(whole: Schema) -> dict[str, Any]:
    found: dict[str, Any] = whole["components"]["securitySchemes"]
    return found


Operation = tuple[str, str, Schema]


def _groups(whole: Schema) -> dict[str, list[Operation]]:
    """The operations of each group, each with its method and path."""
    found: dict[str, list[Operation]] = {}
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            found.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    return found


def _links(group: str, operations: Iterable[Operation]) -> str:
    items = "".join(
        f'<li><a href="#{operation["operationId"]}"><span class="method">{method}</span> {escape(path)}</a></li>'
        for method, path, operation in operations
    )
    return f'<li><a href="#{_slug(group)}">{escape(group)}</a><ul>{items}</ul></li>'


def _group(tag: Schema, operations: Iterable[Operation]) -> str:
    name = str(tag["name"])
    sections = "".join(_operation(*one) for one in operations)
    return f'<section id="{_slug(name)}"><h2>{escape(name)}</h2><p>{_said(tag["description"])}</p>{sections}</section>'


def _slug(name: str) -> str:
    return f"group-{anchor(name.replace(' ', '_'))}"


def _operation(method: str, path: str, operation: Schema) -> str:
    name = operation["operationId"]
    tried = json.dumps(_tried(method, path, operation), separators=(",", ":"))
    return (
        f'<article class="card operation" id="{name}"><h3><a href="#{name}"><span class="method">{method}</span> '
        f"<code>{escape(path)}</code></a></h3>"
        f"<p>{_said(operation['summary'])}. {_said(operation['description'])} {_signed(operation)}</p>"
        f"{_parameters(operation)}{_body(operation)}{_responses(operation)}"
        f"<h4>curl</h4><pre><code>{escape(curl(method, path, operation))}</code></pre>"
        f'<details class="try" data-operation="{escape(tried)}"><summary>Try it here</summary></details></article>'
    )


def _signed(operation: Schema) -> str:
    names = [name for alternative in operation["security"] for name in alternative]
    shown = " or ".join(f'<a href="#access"><code>{name}</code></a>' for name in names)
    return f"Needs {shown}." if names else "Needs no token."


def _tried(method: str, path: str, operation: Schema) -> dict[str, Any]:
    """What a form needs to send such a request."""
    fields = [
        {"name": one["name"], "in": one["in"], "required": one.get("required", False), "value": _sample(one)}
        for one in operation["parameters"]
    ]
    return {"method": method, "path": path, "fields": fields, "body": _example_of(operation)}


_SAMPLES = {"id": "order-1001", "product_id": "prod-001", "carrier": "generic", "provider": "generic"}
_IDS = {"/products/": "prod-001", "/webhooks/": "hook-1"}
"""What `id` is an id of, where that is no order."""


def _sample(parameter: Schema) -> str:
    """A value for what a path needs; what may be left out is."""
    return _SAMPLES.get(parameter["name"], "1") if parameter["in"] == "path" else ""


def _example_of(operation: Schema) -> Any:
    return operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")


def curl(method: str, path: str, operation: Schema) -> str:
    """The request as a line for a shell: ``URL`` and ``TOKEN`` are the caller's."""
    words = ["curl", *(["-X", method] if method != "GET" else []), f'"$URL{_address(path, operation)}"']
    headers = _credentials(operation)
    if any(one["name"] == "Idempotency-Key" for one in operation["parameters"]):
        headers.append("Idempotency-Key: $KEY")
    body = _example_of(operation)
    if body is not None:
        headers.append("Content-Type: application/json")
    words += [word for header in headers for word in ("-H", f'"{header}"')]
    if body is not None:
        words += ["-d", shlex.quote(json.dumps(body, ensure_ascii=False))]
    return " ".join(words)


def _address(path: str, operation: Schema) -> str:
    """The path of an example, with what has to be in its query."""
    ids = _SAMPLES | {"id": next((one for start, one in _IDS.items() if path.startswith(start)), _SAMPLES["id"])}
    asked = [one["name"] for one in operation["parameters"] if one["in"] == "query" and one.get("required")]
    query = urlencode({name: ids.get(name, "1") for name in asked})
    return re.sub(r"\{(\w+)\+?\}", lambda found: ids.get(found[1], "1"), path) + (query and f"?{query}")


def _credentials(operation: Schema) -> list[str]:
    """The headers by which the caller is known; what others send is signed, here by Standard Webhooks."""
    schemes = {name for alternative in operation["security"] for name in alternative}
    if "webhook" in schemes:
        return ["webhook-id: $KEY", "webhook-timestamp: $(date +%s)", "webhook-signature: $SIGNATURE"]
    return ["Authorization: Bearer $TOKEN"] if schemes else []


def _parameters(operation: Schema) -> str:
    rows = "".join(
        _row(f"<code>{escape(one['name'])}</code>", _in(one), _type(one["schema"]), _said(one["description"]))
        for one in operation["parameters"]
    )
    return f"<h4>Parameters</h4>{_table(rows)}" if rows else ""


def _in(parameter: Schema) -> str:
    return f"{parameter['in']}{', required' if parameter.get('required') else ''}"


def _body(operation: Schema) -> str:
    asked = operation.get("requestBody")
    if not asked:
        return ""
    found = asked["content"]["application/json"]
    optional = "" if asked["required"] else " (may be left out)"
    return f"<h4>Request: {_type(found['schema'])}{optional}</h4>{_json(found.get('example'))}"


def _responses(operation: Schema) -> str:
    rows = "".join(_response(status, one) for status, one in operation["responses"].items())
    return f"<h4>Responses</h4>{_table(rows)}"


def _response(status: str, response: Schema) -> str:
    kinds = {_type(found["schema"]) for found in response.get("content", {}).values() if "schema" in found}
    return _row(f"<code>{status}</code>", ", ".join(sorted(kinds)), _linked(_said(response["description"])))


def _linked(words: str) -> str:
    """The codes in a text lead to what is said of them."""
    codes = {refusal.code for refusal in errors.family()}
    return re.sub(
        r"\b[A-Z_]{6,}\b",
        lambda found: f'<a href="#{anchor(found[0])}">{found[0]}</a>' if found[0] in codes else found[0],
        words,
    )


def _event(kind: str, operation: Schema) -> str:
    found = operation["requestBody"]["content"]["application/json"]
    return f'<li id="event-{anchor(kind)}"><code>{kind}</code>: {_said(operation["summary"])} ({_type(found["schema"])})</li>'


def _problems() -> str:
    """What each ``type`` of a problem leads to: its statuses, its titles, and one of them as it is sent."""
    refusals = {(refusal.code, int(refusal.http_status), refusal.title, refusal.__name__) for refusal in errors.family()}
    return "".join(_problem(code, refusals) for code in sorted({code for code, *_ in refusals}))


def _problem(code: str, refusals: Iterable[tuple[str, int, str, str]]) -> str:
    own = sorted(one for one in refusals if one[0] == code)
    titles = "".join(f"<li><code>{status}</code> {escape(title)}</li>" for _, status, title in sorted({one[:3] for one in own}))
    shown = examples.problems()[own[0][3]]
    return f'<section id="{anchor(code)}"><h3><code>{escape(code)}</code></h3><ul>{titles}</ul>{_json(shown)}</section>'


def _schema(name: str, schema: Schema, whole: Schema) -> str:
    required = schema.get("required", ())
    rows = "".join(
        _row(
            f"<code>{escape(member)}</code>",
            "required" if member in required else "",
            _type(found),
            _said(found.get("description", "")),
        )
        for member, found in schema.get("properties", {}).items()
    )
    more = "".join(f"<p>All of {_type(one)}, and:</p>" for one in schema.get("allOf", ()))
    shown = whole["components"]["examples"].get(name, {}).get("value")
    example = f"<details><summary>Example</summary>{_json(shown)}</details>" if shown is not None else ""
    return (
        f'<section id="schema-{name}"><h3><code>{name}</code></h3><p>{_said(schema.get("description", ""))}</p>'
        f"{more}{_table(rows) if rows else ''}{example}</section>"
    )


def _type(schema: Schema) -> str:
    """A schema in a few words, with a link to each that has a place of its own."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    if kind == "object" and "properties" in schema:
        return "object of " + ", ".join(f"<code>{escape(name)}</code>" for name in schema["properties"])
    return f"{kind}{_limits(schema)}"


_LIMITS = {
    "minimum": "from {}",
    "maximum": "up to {}",
    "minLength": "of {} characters at least",
    "maxLength": "of {} characters at most",
    "format": "({})",
}


def _limits(schema: Schema) -> str:
    return "".join(f" {words.format(schema[name])}" for name, words in _LIMITS.items() if name in schema)


def _said(words: str) -> str:
    """A text with its code set as such."""
    return re.sub(r"`{1,2}([^`]+)`{1,2}", r"<code>\1</code>", escape(words, quote=False))


def _json(value: Any) -> str:
    if value is None:
        return ""
    return f"<pre><code>{escape(json.dumps(value, indent=2, ensure_ascii=False), quote=False)}</code></pre>"


def _row(*cells: str) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _table(rows: str) -> str:
    # In a box of its own, which scrolls: a phone is narrower than a table.
    return f'<div class="wide" tabindex="0"><table>{rows}</table></div>'
