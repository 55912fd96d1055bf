"""The OpenAPI 3.1 description, made from the route table, the request models and the responses' schemas."""

import re
from http import HTTPStatus

from orders.domain import errors, limits
from orders.domain.events import EventType
from orders.domain.notifications import EVENT_TYPES
from orders.domain.shortage import ShortageStatus
from orders.domain.statuses import (
    DEPRECATED_NAMES,
    OPEN_RETURNS,
    DisputeStatus,
    OrderStatus,
    PaymentStatus,
    transitions,
)
from orders.services.carrier_reports import SENDERS
from orders.services.listing import Part
from orders.web import event_views, examples, schemas
from orders.web.access import SCHEMES, security_of
from orders.web.routes import ROUTES, Route, Who
from orders.web.schemas import DAY, FOREIGN_ID, ID, MOMENT, TEXT, Schema, one_of, ref
from orders.web.tags import EVENTS_TAG, TAGS, tag_of

VERSION = "1.0.0"


PARAMETERS: dict[str, Schema] = {
    "customer_id": {"name": "customer_id", "in": "query", "description": "Of this customer only.", "schema": FOREIGN_ID},
    "product_id": {
        "name": "product_id",
        "in": "query",
        "description": "The product of this id, and no other; it may have characters that no path can name. "
        "Goes with neither limit nor cursor.",
        "schema": FOREIGN_ID,
    },
    "status": {
        "name": "status",
        "in": "query",
        "description": "In any letter case. PAID and COMPLETED are deprecated names for PROCESSING and DELIVERED, still taken.",
        "schema": one_of([*OrderStatus, *sorted(DEPRECATED_NAMES)]),
    },
    "external_id": {
        "name": "external_id",
        "in": "query",
        "description": "What another system calls the order.",
        "schema": FOREIGN_ID,
    },
    "email": {
        "name": "email",
        "in": "query",
        "description": "The address in `contact`, in any letter case.",
        "schema": {"type": "string", "pattern": limits.EMAIL, "maxLength": limits.LONGEST_EMAIL},
    },
    "tracking_number": {
        "name": "tracking_number",
        "in": "query",
        "description": "The number of one of the order's parcels, in any letter case, with spaces or without.",
        "schema": {
            "type": "string",
            "pattern": rf"^{limits.PRINTED}*(?!\s){limits.PRINTED}+$",
            "maxLength": limits.LONGEST_TRACKING_NUMBER,
        },
    },
    "event_type": {
        "name": "event_type",
        "in": "query",
        "description": "Only the entries of this type. In any letter case.",
        "schema": one_of(EventType),
    },
    "payment_status": {
        "name": "payment_status",
        "in": "query",
        "description": "In any letter case. A page of such a list may have fewer orders than `limit`, even none: follow "
        "`next_cursor` until it is null.",
        "schema": one_of(PaymentStatus),
    },
    "created_after": {"name": "created_after", "in": "query", "description": "Placed later than then.", "schema": MOMENT},
    "created_before": {"name": "created_before", "in": "query", "description": "Placed before then.", "schema": MOMENT},
    "return_status": {
        "name": "return_status",
        "in": "query",
        "description": "For staff and shops: orders with an open return of that status, in any letter case. "
        "Goes with no other filter.",
        "schema": {"type": "string", "enum": list(OPEN_RETURNS)},
    },
    "dispute_status": {
        "name": "dispute_status",
        "in": "query",
        "description": "For staff and shops: orders whose payment has a dispute of that status, in any letter case, the last "
        "dispute first. Goes with no other filter.",
        "schema": one_of(DisputeStatus),
    },
    "shortage_status": {
        "name": "shortage_status",
        "in": "query",
        "description": "For staff and shops: orders that wait for their customers' answer about a shortage (`ASKED`), in any "
        "letter case. Goes with no other filter.",
        "schema": one_of(ShortageStatus),
    },
    "to_ship": {
        "name": "to_ship",
        "in": "query",
        "description": "For staff and shops: orders that wait for their warehouse to hand over parcels, the oldest first. "
        "Goes with no other filter.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "overdue": {
        "name": "overdue",
        "in": "query",
        "description": "For staff and shops: open orders nothing has happened to in time, longest overdue first. "
        "Goes with no other filter.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "sort": {
        "name": "sort",
        "in": "query",
        "description": "`-created_at`, the order without this: newest first. `created_at`: oldest first. Goes with every "
        "filter but those of the queues and `overdue`, which have an order of their own.",
        "schema": {"type": "string", "enum": ["-created_at", "created_at"]},
    },
    "expand": {
        "name": "expand",
        "in": "query",
        "description": "What each order of the list has beside it. A cursor goes on with the same `expand` only.",
        "style": "form",
        "explode": False,
        "schema": {"type": "array", "minItems": 1, "items": one_of(Part)},
    },
    "limit": {
        "name": "limit",
        "in": "query",
        "description": "How many a page has at most.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 100},
    },
    "cursor": {
        "name": "cursor",
        "in": "query",
        "description": "`next_cursor` of the page before; goes on with the same filters only.",
        "schema": TEXT,
    },
    "from": {
        "name": "from",
        "in": "query",
        "description": "The first day (UTC) to be counted; by default thirty days end with `to`. At most 366 days. "
        "With neither, all orders there ever were.",
        "schema": DAY,
    },
    "to": {"name": "to", "in": "query", "description": "The last day (UTC) to be counted; by default today.", "schema": DAY},
    "token": {
        "name": "token",
        "in": "query",
        "description": "The token of a tracking link; of an unsigned webhook, the carrier's secret.",
        "schema": TEXT,
    },
}

_IF_MATCH: Schema = {
    "name": "If-Match",
    "in": "header",
    "description": "The version to change, in quotes; 412 when the order has moved on.",
    "schema": {"type": "string", "pattern": r'^(\*|(W/)?("[0-9]{1,18}"|[0-9]{1,18}))?$'},
}
_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and body at the same path get what the first such request led to, and start nothing new.",
    "schema": {"type": "string", "pattern": limits.IDEMPOTENCY_KEY, "maxLength": 255},
}
_LAST_EVENT: Schema = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The version last seen; the stream goes on behind it.",
    "schema": {"type": "string", "pattern": "^[0-9]{0,18}$"},
}


_ID_IN_PATH: Schema = FOREIGN_ID | {"pattern": rf"^((?![/?#]){limits.PRINTED})+$"}
"""A product's id that a path can name."""


def _path_parameter(name: str, path: str) -> Schema:
    part: Schema = {"type": "string", "minLength": 1, "maxLength": 200}
    schemas = {"carrier": one_of(SENDERS), "shipment_id": part, "refund_id": part}
    schema = _ID_IN_PATH if path.startswith("/products/{id}") and name == "id" else schemas.get(name, ID)
    # "/orders/{id}" is about an order, "{shipment_id}" about a shipment, "{carrier}" is one.
    what = path.split("/")[1].removesuffix("s") if name == "id" else name.removesuffix("_id")
    words = f"The {what}'s id." if name.endswith("id") else f"The {what}, by its name."
    return {"name": name, "in": "path", "required": True, "description": words, "schema": schema}


def document() -> Schema:
    """The whole description."""
    paths: dict[str, Schema] = {}
    for route in ROUTES.values():
        if not route.is_page:
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Order pipeline",
            "version": VERSION,
            "description": "Order fulfillment: one order's life, from placed to delivered, and every way back. "
            "Query parameters that an operation does not name are refused with 400, each by its name in `errors`; "
            "only what is read by people (`GET /docs`) ignores them. "
            "What an operation refuses is a problem (RFC 9457, `application/problem+json`). What the gateway before it refuses "
            'is a bare `{"message": "..."}` (`application/json`): each response lists both where both may come.',
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag.name, "description": tag.words} for tag in TAGS],
        "paths": paths,
        "webhooks": {kind: {"post": _event(kind)} for kind in EVENT_TYPES},
        "components": {
            "schemas": schemas.answers() | schemas.request_bodies(),
            "examples": {name: {"value": value} for name, value in examples.shown().items()},
            "securitySchemes": SCHEMES,
        },
        "x-order-transitions": transitions(),
    }


def _operation(route: Route) -> Schema:
    who = ", ".join(sorted(route.who))
    open_to_all = bool(route.who & {Who.ANYONE, Who.SIGNED})
    operation: Schema = {
        "operationId": route.operation,
        "tags": [tag_of(route)],
        "summary": route.summary,
        "description": f"Who: {who}.",
        "parameters": _parameters(route),
        "responses": _responses(route, open_to_all=open_to_all),
        "security": security_of(route),
    }
    if route.body:
        schema = {"application/json": {"schema": ref(route.body)} | _asked(route.body)}
        operation["requestBody"] = {"required": route.body not in OPTIONAL_BODIES, "content": schema}
    return operation


OPTIONAL_BODIES = frozenset({"WithReason", "CancelOrder", "HandOver", "Empty", "PatchOrder"})


def _parameters(route: Route) -> list[Schema]:
    found = [_path_parameter(name, route.path) for name in re.findall(r"\{(\w+)\}", route.path)]
    # A change names what it changes; what is read may be all, and a sender's secret is for those who do not sign.
    needed = {"required": True} if route.method != "GET" and Who.SIGNED not in route.who else {}
    found += [PARAMETERS[name] | needed for name in route.query]
    if "VersionMismatch" in route.refusals:
        found.append(_IF_MATCH)
    if "IdempotencyMismatch" in route.refusals:
        found.append(_KEY)
    if route.answer == EVENT_STREAM:
        found.append(_LAST_EVENT)
    return found


EVENT_STREAM, PAGE = "text/event-stream", "text/html"


def _responses(route: Route, *, open_to_all: bool) -> Schema:
    answers: Schema = {str(int(route.status)): _success(route)}
    if route.answer == EVENT_STREAM:
        answers["204"] = {"description": "The order is over, and all of it was seen."}
    refusals = {*route.refusals, "InvalidArgument", "StoreBusy"} | (set() if open_to_all else _GUARDED)
    refusals |= {"PayloadTooLarge"} if route.body else set()
    by_status: dict[HTTPStatus, list[type[errors.OrderError]]] = {}
    for name in sorted(refusals):
        refusal: type[errors.OrderError] = getattr(errors, name)
        by_status.setdefault(refusal.http_status, []).append(refusal)
    for status, refused in sorted(by_status.items()):
        codes = sorted({one.code for one in refused})
        shown = {one.__name__: {"$ref": f"#/components/examples/{one.__name__}"} for one in refused}
        answers[str(int(status))] = {
            "description": f"{_PHRASES.get(status, status.phrase)}: {', '.join(codes)}",
            "content": {"application/problem+json": {"schema": ref("Problem"), "examples": shown}},
        }
    return _with_gateway(answers, route)


_GATEWAY = {
    HTTPStatus.UNAUTHORIZED: "Unauthorized: the gateway, for a token that is missing or not valid",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large: the gateway, for a body of more than 6 MB",
    HTTPStatus.TOO_MANY_REQUESTS: "Too Many Requests: the gateway, for more requests to this route than its limit",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        "Request Header Fields Too Large: the gateway, for a request line and headers of more than 10,240 bytes together"
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: "Internal Server Error: the gateway, when the operation failed",
    HTTPStatus.SERVICE_UNAVAILABLE: "Service Unavailable: the gateway, when the operation took more than 30 seconds",
}
"""API Gateway's own errors. They cannot be changed; the local stack returns the same."""


def _with_gateway(answers: Schema, route: Route) -> Schema:
    """The responses, and beside them those that come from the gateway before the operation."""
    left_out = {
        *({HTTPStatus.UNAUTHORIZED} if not route.is_verified_by_gateway else ()),
        *({HTTPStatus.REQUEST_ENTITY_TOO_LARGE} if not route.body else ()),
    }
    for status, words in _GATEWAY.items():
        if status not in left_out:
            own = answers.get(str(int(status)), {"description": "", "content": {}})
            answers[str(int(status))] = {
                "description": f"{own['description']}; {words.partition(': ')[2]}" if own["description"] else words,
                "content": {**own["content"], "application/json": {"schema": ref("GatewayMessage")}},
            }
    return dict(sorted(answers.items()))


_GUARDED = {"Unauthenticated", "PermissionDenied"}
# As RFC 9110 renamed them and Python 3.13 has them: the document is the same whichever Python writes it.
_PHRASES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}


def _success(route: Route) -> Schema:
    if route.status is HTTPStatus.NO_CONTENT:
        return {"description": route.summary}
    if route.answer == EVENT_STREAM:
        # A schema here would be one of each event, which OpenAPI 3.1 has no words for.
        return {"description": route.summary, "content": {EVENT_STREAM: {}}}
    if route.answer == PAGE:
        return {"description": route.summary, "content": {route.answer: {"schema": TEXT}}}
    content = {"schema": ref(route.answer or "OpenApi")} | _shown(route.answer)
    return {"description": route.summary, "content": {"application/json": content}}


def _shown(name: str | None) -> Schema:
    """The example of a response; the description itself is its own."""
    return {"examples": {"usual": {"$ref": f"#/components/examples/{name}"}}} if name in examples.shown() else {}


def _asked(body: str) -> Schema:
    return {"example": examples.REQUESTS[body]} if body in examples.REQUESTS else {}


def _event(kind: str) -> Schema:
    """The request that a webhook gets for a type of event."""
    name = event_views.schema_name(kind)
    headers = [
        {"name": header, "in": "header", "required": True, "description": words, "schema": TEXT}
        for header, words in event_views.HEADERS.items()
    ]
    return {
        "operationId": f"receive{''.join(part.capitalize() for part in kind.split('_'))}" if "_" in kind else f"receive{kind}",
        "tags": [EVENTS_TAG.name],
        "summary": event_views.WORDS[kind],
        "parameters": headers,
        "requestBody": {"required": True, "content": {"application/json": {"schema": ref(name)} | _shown(name)}},
        "responses": {
            "2XX": {"description": "Taken; the body is not read."},
            "410": {"description": "Nothing more is wanted: the subscription is disabled."},
            "default": {"description": "Tried again, ten times within three days."},
        },
        "security": [{"webhook": []}],
    }
