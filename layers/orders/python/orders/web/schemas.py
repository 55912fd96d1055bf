"""What the OpenAPI description calls schemas: the responses', from the types of the views, and the request bodies'."""

from enum import StrEnum
from inspect import isclass
from types import NoneType, UnionType
from typing import Annotated, Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from orders.domain import limits
from orders.web import analytics_views, bodies, progress_views, responses, views, webhook_views
from orders.web.routes import ROUTES
from orders.web.shapes import NULL, ForeignId, Keywords
from orders.web.texts import Body

Schema = dict[str, Any]


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def object_of(required: Schema, optional: Schema | None = None) -> Schema:
    return {"type": "object", "properties": required | (optional or {}), "required": list(required)}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def one_of(statuses: Any) -> Schema:
    return {"type": "string", "enum": [str(status) for status in statuses]}


TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
MOMENT: Schema = {"type": "string", "format": "date-time", "examples": ["2026-11-20T12:00:00Z"]}
DAY: Schema = {"type": "string", "format": "date", "examples": ["2026-11-20"]}
ID: Schema = {"type": "string", "pattern": limits.ORDER_ID}
PLAIN: dict[Any, Schema] = {str: TEXT, int: {"type": "integer"}, float: {"type": "number"}, bool: {"type": "boolean"}}
ID_TYPES: dict[str, Schema] = {"OrderId": ID}
"""The schemas of id types that are no text of any form."""
ENDING = "View"


def schema_of(hint: Any) -> Schema:
    """The schema of a view's type, or of one of its members: a view with a public name stands among the components."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        own = [part.keywords for part in hint.__metadata__ if isinstance(part, Keywords)]
        return schema_of(parts[0]) | {name: value for keywords in own for name, value in keywords.items()}
    if origin in (Union, UnionType):
        return nullable(schema_of(_held(hint)))
    if origin is list:
        return {"type": "array", "items": schema_of(parts[0])}
    if origin is dict:
        names = parts[0] if isclass(parts[0]) and issubclass(parts[0], StrEnum) else ()
        return object_of({str(name): schema_of(parts[1]) for name in names}) if names else {"type": "object"}
    if is_typeddict(hint):
        return inline(hint) if hint.__name__.startswith("_") else ref(hint.__name__.removesuffix(ENDING))
    return _schema_of_plain(hint)


def _schema_of_plain(hint: Any) -> Schema:
    if isclass(hint) and issubclass(hint, StrEnum):
        return one_of(hint)
    name, base = getattr(hint, "__name__", ""), getattr(hint, "__supertype__", hint)
    return ID_TYPES.get(name) or PLAIN[base]


FOREIGN_ID: Schema = schema_of(ForeignId)


def _held(hint: Any) -> Any:
    """What an optional type holds, if anything."""
    return next(part for part in get_args(hint) if part is not NoneType)


def inline(kind: Any) -> Schema:
    """The schema of a view: what is ``NotRequired`` is left out rather than null, but for what is ``Nullable``."""
    required, optional = {}, {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if get_origin(hint) is not NotRequired:
            required[name] = schema_of(hint)
            continue
        (held,) = get_args(hint)
        can_be_null = NULL in getattr(held, "__metadata__", ())
        is_optional = get_origin(held) in (Union, UnionType)
        optional[name] = schema_of(_held(held) if is_optional and not can_be_null else held)
    return object_of(required, optional)


def answers() -> dict[str, Schema]:
    """The responses' schemas by their names."""
    found = {
        name.removesuffix(ENDING): inline(kind)
        for module in (views, progress_views, webhook_views, analytics_views, responses)
        for name, kind in vars(module).items()
        if is_typeddict(kind) and name.endswith(ENDING) and not name.startswith("_")
    }
    listed, order = found["ListedOrder"]["properties"], found["Order"]["properties"]
    found["ListedOrder"] = {
        "allOf": [ref("Order")],
        "properties": {name: schema for name, schema in listed.items() if name not in order},
    }
    return found | {"OpenApi": {"type": "object"}}


CARRIER_EVENT = "CarrierEvent"
_SCHEMA_PREFIX = "#/components/schemas/{model}"


def request_bodies() -> dict[str, Schema]:
    """The request bodies' schemas, their nested definitions beside them."""
    found: dict[str, Schema] = {}
    for name in sorted({route.body for route in ROUTES.values() if route.body} - {CARRIER_EVENT}):
        model: type[Body] = getattr(bodies, name)
        schema = model.model_json_schema(ref_template=_SCHEMA_PREFIX)
        found |= schema.pop("$defs", {})
        found[name] = schema
    return found | {CARRIER_EVENT: {"type": "object", "description": "As the carrier documents it."}}
