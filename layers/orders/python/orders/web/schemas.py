"""What the OpenAPI description calls schemas: the responses', from the types of the views, and the request bodies'."""

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from importlib import import_module
from inspect import getdoc, isclass
from pkgutil import iter_modules
from types import NoneType, UnionType
from typing import Annotated, Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from orders import web
from orders.domain import limits
from orders.web import bodies, details, event_views, order_bodies, return_bodies
from orders.web.descriptions import described
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
MODULES = tuple(
    import_module(f"{web.__name__}.{one.name}")
    for one in iter_modules(web.__path__)
    if one.name.endswith(("views", "responses"))
)


def _types() -> Iterator[tuple[str, Any]]:
    """The views by their names in the description, without the underscore of those that no other module reads."""
    for module in MODULES:
        for name, kind in vars(module).items():
            if is_typeddict(kind) and name.endswith(ENDING) and kind.__module__ == module.__name__:
                yield plain_name(kind), kind


def plain_name(kind: type) -> str:
    """A view's name in the description."""
    return kind.__name__.removeprefix("_").removesuffix(ENDING)


@cache
def named() -> dict[str, Any]:
    """The views that stand among the components: those that share a name with another are described where they stand."""
    found = list(_types())
    shared = Counter(name for name, _ in found)
    return {name: kind for name, kind in found if shared[name] == 1 or not kind.__name__.startswith("_")}


def schema_of(hint: Any) -> Schema:
    """The schema of a view's type, or of one of its members."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        own = [part.keywords for part in hint.__metadata__ if isinstance(part, Keywords)]
        return schema_of(parts[0]) | {name: value for keywords in own for name, value in keywords.items()}
    if origin in (Union, UnionType):
        return nullable(schema_of(_held(hint)))
    if origin is list:
        return {"type": "array", "items": schema_of(parts[0])}
    if origin is dict:
        return _schema_of_dict(*parts)
    if is_typeddict(hint):
        name = plain_name(hint)
        return ref(name) if named().get(name) is hint else inline(hint)
    return _schema_of_plain(hint)


_ENUMERATIONS: dict[str, type[StrEnum]] = {}
"""Those that a view has, by their names."""
_TEXTS: Schema = {"type": "object", "additionalProperties": TEXT, "description": "Texts by their names."}


def _schema_of_dict(key: Any, value: Any) -> Schema:
    if isclass(key) and issubclass(key, StrEnum):
        return object_of({str(name): schema_of(value) | {"description": f"Of `{name}`."} for name in key})
    return ref("Texts") if value is str else {"type": "object", "additionalProperties": value is Any or schema_of(value)}


def _schema_of_plain(hint: Any) -> Schema:
    if isclass(hint) and issubclass(hint, StrEnum):
        _ENUMERATIONS[hint.__name__] = hint
        return ref(hint.__name__)
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
    properties = described(plain_name(kind), required | optional)
    words = getdoc(kind) or ""
    return object_of(properties) | {"required": list(required)} | ({"description": " ".join(words.split())} if words else {})


def answers() -> dict[str, Schema]:
    """The responses' schemas by their names, and those of the events that webhooks get."""
    wanted = [route.answer for route in ROUTES.values() if route.answer in named()]
    wanted += ["Problem", "GatewayMessage", *event_views.EVENTS]
    found: dict[str, Schema] = {}
    while wanted:
        if (name := wanted.pop()) not in found:
            found[name] = _component(name)
            wanted += references(found[name])
    listed, order = found["ListedOrder"]["properties"], found["Order"]["properties"]
    found["ListedOrder"] = found["ListedOrder"] | {
        "allOf": [ref("Order")],
        "properties": {name: schema for name, schema in listed.items() if name not in order},
        "required": [],
    }
    return dict(sorted(found.items())) | {"OpenApi": {"type": "object", "description": "This description."}}


def _component(name: str) -> Schema:
    if name in _ENUMERATIONS:
        words = " ".join((getdoc(_ENUMERATIONS[name]) or "").split())
        return {**one_of(_ENUMERATIONS[name]), "description": words}
    return _TEXTS if name == "Texts" else inline(named()[name])


def references(schema: Any) -> list[str]:
    """The components that a schema names, at any depth."""
    if isinstance(schema, list):
        return [name for inner in schema for name in references(inner)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"].rpartition("/")[2]] if isinstance(schema.get("$ref"), str) else []
    return own + [name for inner in schema.values() for name in references(inner)]


OF_SENDERS = {"CarrierEvent": "As the carrier documents it.", "PaymentEvent": "As the payment provider documents it."}
"""Bodies that others define."""
_BODIES = (bodies, details, order_bodies, return_bodies)
_SCHEMA_PREFIX = "#/components/schemas/{model}"


def request_bodies() -> dict[str, Schema]:
    """The request bodies' schemas, their nested definitions beside them."""
    found: dict[str, Schema] = {}
    for name in sorted({route.body for route in ROUTES.values() if route.body} - set(OF_SENDERS)):
        schema = _model(name).model_json_schema(ref_template=_SCHEMA_PREFIX)
        for each in (*schema.pop("$defs", {}).items(), (name, schema)):
            found[each[0]] = _told(*each)
    return found | {name: {"type": "object", "description": text} for name, text in OF_SENDERS.items()}


def _model(name: str) -> type[Body]:
    """The body of that name; raises ``StopIteration`` where there is none."""
    found: type[Body] = next(getattr(module, name) for module in _BODIES if hasattr(module, name))
    return found


def _told(name: str, schema: Schema) -> Schema:
    """A body's schema with what is said of it and of each member."""
    if "properties" not in schema:
        return schema
    return schema | {"properties": described(name.removesuffix("Body"), schema["properties"])}
