"""moto without what it does again and again. What it returns, refuses and stores is the same; ``test_fast_moto.py`` compares.

Values never change in place, but for the parts of lists and maps: what a copy shares with its original are strings and numbers.
"""

import copy
import functools
import json
import string
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore import useragent
from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.loaders import JSONFileLoader, Loader
from botocore.parsers import create_parser
from botocore.regions import EndpointRulesetResolver
from moto.core import responses, utils
from moto.core.models import botocore_stubber
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.serialize import BaseJSONSerializer, ResponseSerializer
from moto.dynamodb import responses as dynamodb_responses
from moto.dynamodb.comparisons import ConditionExpressionParser
from moto.dynamodb.exceptions import ItemSizeTooLarge
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler
from moto.iam.models import get_account_id_from
from moto.moto_api._internal.moto_random import MotoRandom

from tests.harness import fast_updates, fast_values

PLAIN_CALLS = {
    *("BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query"),
    *("Scan", "TransactGetItems", "TransactWriteItems", "UpdateItem"),
}
"""The operations of which requests and responses are their JSON, but for bytes."""
BYTES = b'"B'
REPLACED: dict[Any, tuple[str, ...]] = {
    BaseClient: ("_make_request",),
    DynamoDBBackend: ("update_item",),
    DynamoType: ("__deepcopy__", "__eq__", "__ne__", "__hash__", "__lt__", "cast_value", "size"),
    Item: ("__init__", "__deepcopy__", "size"),
    BaseJSONSerializer: ("_serialize_type_map",),
    ResponseSerializer: ("_serialize_type_structure",),
    MotoRandom: ("get_random_string",),
    ConditionExpressionParser: ("_lex_condition_expression",),
    EndpointRulesetResolver: ("construct_endpoint",),
    dynamodb_responses: ("dynamo_to_dict",),
    useragent: ("sanitize_user_agent_string_component",),
    Table: ("query", "all_items"),
    responses: ("method_names_from_class",),
    **fast_updates.REPLACED,
}
MADE = ((Table, "__deepcopy__"), *fast_updates.MADE)
"""What moto has none of."""
_ITS_OWN = {(owner, name): vars(owner)[name] for owner, names in REPLACED.items() for name in names}


@contextmanager
def fast_moto() -> Iterator[None]:
    """As long as it is open, moto takes the short ways."""
    with pytest.MonkeyPatch.context() as patch:
        _read_services_once(patch)
        _take_short_ways(patch)
        yield


@contextmanager
def slow_moto() -> Iterator[None]:
    """As long as it is open, moto goes its own ways again."""
    with pytest.MonkeyPatch.context() as patch:
        for (owner, name), its_own in _ITS_OWN.items():
            patch.setattr(owner, name, its_own)
        for owner, name in MADE:
            patch.delattr(owner, name, raising=False)
        yield


def _take_short_ways(patch: pytest.MonkeyPatch) -> None:
    for replace in (
        _hand_over,
        _copy_what_changes,
        *fast_updates.SHORT_WAYS,
        _look_at_one_partition,
        *fast_values.SHORT_WAYS,
        _list_methods_once,
        _name_requests,
        _find_the_endpoint_once,
        _read_conditions_once,
    ):
        replace(patch)


def _read_services_once(patch: pytest.MonkeyPatch) -> None:
    """botocore reads a service's description anew for each session, and imitated AWS is a session for each test."""
    read = functools.cache(JSONFileLoader().load_file)
    patch.setattr(JSONFileLoader, "load_file", lambda _, path: read(path))
    for name in ("list_available_services", "list_api_versions"):
        patch.setattr(Loader, name, _listed_once(getattr(Loader, name)))


def _listed_once(its_own: Any) -> Any:
    """What is found in the folders of all services."""
    found: dict[Any, list[str]] = {}

    def listed(loader: Loader, *others: str, **named: str) -> list[str]:
        asked = (tuple(loader.search_paths), others, tuple(sorted(named.items())))
        if asked not in found:
            found[asked] = its_own(loader, *others, **named)
        return list(found[asked])

    return listed


# --- requests ---


def _hand_over(patch: pytest.MonkeyPatch) -> None:
    """A request to the table is made into HTTP, signed, taken apart again by moto, and its response too: it is handed over as
    it is, after botocore has checked and written it.
    """
    make_request: Any = vars(BaseClient)["_make_request"]
    act: Any = vars(DynamoHandler)["call_action"].__wrapped__

    def made(client: Any, operation: Any, request: dict[str, Any], context: Any) -> Any:
        if operation.service_model.service_name != "dynamodb" or not botocore_stubber.enabled:
            return make_request(client, operation, request, context)
        handler = _handler(client, operation, request)
        status, headers, text = act(handler)
        response = AWSResponse(request["url"], int(status), headers, None)
        return response, _parsed(client, operation, response.status_code, headers, text.encode())

    patch.setattr(BaseClient, "_make_request", made)


def _handler(client: Any, operation: Any, request: dict[str, Any]) -> DynamoHandler:
    made = DynamoHandler()
    made.headers, made.response_headers, made.querystring = request["headers"], {}, {}
    made.region, made.current_account = client.meta.region_name, get_account_id_from("")
    body: bytes = request["body"]
    if operation.name in PLAIN_CALLS and BYTES not in body:
        made.params = json.loads(body)
    else:
        parser = PROTOCOL_PARSERS["json"](operation, map_type=dict)
        whole: Any = {
            "method": "POST",
            "values": {},
            "headers": request["headers"],
            "body": body,
            "url_path": "/",
            "url_params": {},
        }
        made.params = parser.parse(whole)
    return made


def _parsed(client: Any, operation: Any, status: int, headers: Any, body: bytes) -> Any:
    if status == 200 and operation.name in PLAIN_CALLS and BYTES not in body:
        return {**json.loads(body), "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers, "RetryAttempts": 0}}
    found, parser = {"status_code": status, "headers": headers, "body": body}, create_parser("json")
    parsed = parser.parse(found, operation.output_shape)
    if status >= 300:
        client._endpoint._add_modeled_error_fields(found, parsed, operation, parser)
    return parsed


# --- copies ---


def _copy_what_changes(patch: pytest.MonkeyPatch) -> None:
    """moto copies a whole table, deep down, for each item of a transaction, to have it back if that fails. A row is changed in
    place by an update only: that one is copied before."""
    update = DynamoDBBackend.update_item

    def updated(backend: DynamoDBBackend, table_name: str, key: dict[str, Any], *others: Any, **named: Any) -> Any:
        table = backend.get_table(table_name)
        rows: Any = table.items
        place = DynamoType(key[table.hash_key_attr])
        if table.range_key_attr:
            rows, place = rows[place], DynamoType(key[table.range_key_attr])
        if place in rows:
            rows[place] = copy.deepcopy(rows[place])
        return update(backend, table_name, key, *others, **named)

    patch.setattr(Table, "__deepcopy__", _copied_table, raising=False)
    patch.setattr(DynamoDBBackend, "update_item", updated)
    patch.setattr(Item, "__init__", _made_item)
    patch.setattr(Item, "__deepcopy__", lambda item, _: _copied_item(item))
    patch.setattr(DynamoType, "__deepcopy__", lambda value, _: _copied_value(value, {}))


def _copied_table(table: Table, _: dict[int, Any]) -> Table:
    made = copy.copy(table)
    made.items = copy.copy(table.items)
    for key, rows in table.items.items():
        made.items[key] = copy.copy(rows)
    if table.stream_shard:
        made.stream_shard = copy.copy(table.stream_shard)
        made.stream_shard.table = made
        made.stream_shard.items = list(table.stream_shard.items)
    return made


def _made_item(item: Item, hash_key: DynamoType, range_key: DynamoType | None, attrs: dict[str, Any]) -> None:
    """Its size is looked at once, instead of with each of its attributes."""
    item.hash_key, item.range_key, item.attrs = hash_key, range_key, LimitedSizeDict()
    for name, value in attrs.items():
        dict.__setitem__(item.attrs, name, DynamoType(value))
    if item.size() > fast_updates.LARGEST:
        raise ItemSizeTooLarge


def _copied_item(item: Item) -> Any:
    made: Any = Item.__new__(Item)
    made.hash_key, made.range_key, made.attrs = item.hash_key, item.range_key, LimitedSizeDict()
    copies: dict[int, Any] = {}  # what two attributes share, as after `SET b = a`, their copies share too
    for name, value in item.attrs.items():
        dict.__setitem__(made.attrs, name, _copied_value(value, copies))
    return made


def _copied_value(value: Any, copies: dict[int, Any]) -> Any:
    if type(value) is str:
        return value
    if type(value) is not DynamoType:
        return copy.deepcopy(value)
    if id(value) in copies:
        return copies[id(value)]
    made = copies[id(value)] = DynamoType.__new__(DynamoType)
    made.type, made.value = value.type, value.value
    if isinstance(value.value, list):
        made.value = [_copied_value(part, copies) for part in value.value]
    elif isinstance(value.value, dict):
        made.value = {name: _copied_value(part, copies) for name, part in value.value.items()}
    return made


# --- queries ---


def _look_at_one_partition(patch: pytest.MonkeyPatch) -> None:
    """moto goes through the whole table, in its order, for each query of one partition."""
    query, every = Table.query, Table.all_items

    def of_one(table: Table, hash_key: DynamoType | None, *others: Any, **named: Any) -> Any:
        index_name = others[6] if len(others) > 6 else named.get("index_name")
        if index_name or hash_key is None:
            return query(table, hash_key, *others, **named)
        part = copy.copy(table)
        part.items = {hash_key: table.items[hash_key]} if hash_key in table.items else {}  # type: ignore[assignment]
        return query(part, hash_key, *others, **named)

    def in_order(table: Table) -> list[Item]:
        if not table.range_key_attr:
            return every(table)
        items: list[Any] = [item for rows in table.items.values() for item in rows.values()]
        return sorted(items, key=lambda item: (item.hash_key.cast_value, item.range_key.cast_value))

    patch.setattr(Table, "query", of_one)
    patch.setattr(Table, "all_items", in_order)


# --- requests and descriptions ---


def _list_methods_once(patch: pytest.MonkeyPatch) -> None:
    """moto goes through a service's methods for each request."""
    patch.setattr(responses, "method_names_from_class", functools.cache(utils.method_names_from_class))


def _name_requests(patch: pytest.MonkeyPatch) -> None:
    """botocore looks at each letter of its own name for each request, and moto draws each letter of the request's."""
    check = functools.cache(useragent.sanitize_user_agent_string_component)

    def drawn(chance: MotoRandom, length: int = 20, include_digits: bool = True, lower_case: bool = False) -> str:
        text = "".join(chance.choices(string.ascii_letters + (string.digits if include_digits else ""), k=length))
        return text.lower() if lower_case else text

    patch.setattr(useragent, "sanitize_user_agent_string_component", check)
    patch.setattr(MotoRandom, "get_random_string", drawn)


def _find_the_endpoint_once(patch: pytest.MonkeyPatch) -> None:
    """botocore goes through the rules of where a service is for each request; for the table they lead to one place."""
    construct = EndpointRulesetResolver.construct_endpoint

    def constructed(rules: EndpointRulesetResolver, operation_model: Any, call_args: Any, request_context: Any) -> Any:
        if operation_model.service_model.service_name != "dynamodb":
            return construct(rules, operation_model, call_args, request_context)
        known = vars(rules).setdefault("_constructed", {})
        if operation_model.name not in known:
            known[operation_model.name] = construct(rules, operation_model, call_args, request_context)
        return known[operation_model.name]

    patch.setattr(EndpointRulesetResolver, "construct_endpoint", constructed)


def _read_conditions_once(patch: pytest.MonkeyPatch) -> None:
    """moto takes a condition apart, with six expressions that it makes for each word, for each row that it is asked of."""
    read = ConditionExpressionParser._lex_condition_expression
    found: dict[str, Any] = {}

    def once(parser: ConditionExpressionParser) -> Any:
        text = parser.condition_expression
        if not text:
            return read(parser)
        if text not in found:
            found[text] = tuple(read(parser))
        return deque(found[text])

    patch.setattr(ConditionExpressionParser, "_lex_condition_expression", once)
