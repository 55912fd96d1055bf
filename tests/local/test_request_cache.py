"""A request of a known shape does what the engine does, and is refused as the engine refuses it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from local.engine import internals
from local.fastpath import expressions, request_cache, switch
from local.stack.running import running
from local.stack.settings import Settings
from local.stack.stack import Stack
from tests.harness.examples import examples

Json = Any


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(Settings(seed=False)) as started:
        yield started


def put(key: str, amount: int, before: int | None) -> Json:
    condition: Json = {"ConditionExpression": "attribute_not_exists(PK)"}
    if before is not None:
        condition = {"ConditionExpression": "amount = :before", "ExpressionAttributeValues": {":before": {"N": str(before)}}}
    return {"Put": {"TableName": "things", "Item": item(key, amount), **condition}}


def item(key: str, amount: int) -> Json:
    return {"PK": {"S": key}, "SK": {"S": "#"}, "amount": {"N": str(amount)}}


def add(key: str, amount: int) -> Json:
    action = {"TableName": "things", "Key": {"PK": {"S": key}, "SK": {"S": "#"}}, "UpdateExpression": "ADD amount :more"}
    return {
        "Update": {
            **action,
            "ConditionExpression": "attribute_exists(PK)",
            "ExpressionAttributeValues": {":more": {"N": str(amount)}},
        }
    }


def rewrite(key: str, amount: int, before: int, note: str | None) -> Json:
    """An update that sets one attribute, and sets or removes another."""
    values = {":amount": {"N": str(amount)}, ":before": {"N": str(before)}} | ({":note": {"S": note}} if note else {})
    expression = "SET #amount = :amount" + (", #note = :note" if note else " REMOVE #note, #other")
    names = {"#amount": "amount", "#note": "note"} | ({} if note else {"#other": "other"})
    return {
        "Update": {
            "TableName": "things",
            "Key": {"PK": {"S": key}, "SK": {"S": "#"}},
            "UpdateExpression": expression,
            "ConditionExpression": "#amount = :before",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
    }


def delete(key: str) -> Json:
    return {"Delete": {"TableName": "things", "Key": {"PK": {"S": key}, "SK": {"S": "#"}}}}


KEYS = st.sampled_from("abc")
ACTIONS = st.one_of(
    st.builds(put, KEYS, st.integers(-5, 5), st.none() | st.integers(-5, 5)),
    st.builds(add, KEYS, st.integers(-5, 5)),
    st.builds(rewrite, KEYS, st.integers(-2, 2), st.integers(-2, 2), st.none() | st.just("noted")),
    st.builds(delete, KEYS),
)


def make_table(client: Any) -> None:
    client.create_table(
        TableName="things",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK")],
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
    )


def outcome(client: Any, actions: list[Json]) -> Json:
    """What the caller is told, and what the table holds then."""
    try:
        client.transact_write_items(TransactItems=actions)
        told: Json = None
    except ClientError as refused:
        reasons: Json = refused.response.get("CancellationReasons", [])
        told = [refused.response["Error"]["Code"], [reason["Code"] for reason in reasons]]
    return told, sorted(json.dumps(found, sort_keys=True) for found in client.scan(TableName="things")["Items"])


def both_ways(stack: Stack, do: Callable[[Any], Json]) -> tuple[Json, Json]:
    """What comes of it on the fast path, and without it."""
    client = boto3.client("dynamodb", endpoint_url=stack.aws_url, region_name="us-east-1")
    seen = []
    for on in (True, False):
        switch.turn(on)
        try:
            make_table(client)
            seen.append(do(client))
        finally:
            client.delete_table(TableName="things")
            switch.turn(True)
    return seen[0], seen[1]


@examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(ACTIONS, min_size=1, max_size=3), max_size=12))
def test_the_short_way_and_the_whole_way_come_to_the_same(stack: Stack, sequence: list[list[Json]]) -> None:
    short, long = both_ways(stack, lambda client: [outcome(client, actions) for actions in sequence])
    assert short == long


def test_only_the_first_of_a_shape_and_what_is_refused_reach_the_engine() -> None:
    reached: list[str] = []

    def whole(data: str) -> internals.Response:
        reached.append(data)
        return (400 if data == "bad" else 200), {}, b"whole"

    def shapes(data: str) -> tuple[tuple[str], ...]:
        return ((data,),)

    handle = request_cache.remembering(shapes, lambda data: None if data == "lost" else (200, {}, b"short"))(whole)
    answers = [handle(data)[2] for data in ("get", "get", "put", "bad", "bad", "lost", "lost")]
    assert answers == [b"whole", b"short", *[b"whole"] * 5]
    assert reached == ["get", "put", "bad", "bad", "lost", "lost"]


# --- Other requests -----------------------------------------------------------------------------------------

TEXTS = st.sampled_from(["a", "b", "ab", "bb"])
NUMBERS = st.integers(-20, 20).map(str)
VALUES = st.one_of(
    st.builds(lambda text: {"S": text}, TEXTS),
    st.builds(lambda number: {"N": number}, NUMBERS),
    st.builds(lambda texts: {"SS": sorted(texts)}, st.sets(TEXTS, min_size=1, max_size=2)),
    st.builds(lambda truth: {"BOOL": truth}, st.booleans()),
)
ITEMS = st.dictionaries(st.sampled_from(["x", "y", "z"]), VALUES, max_size=3)
CONDITIONS = st.sampled_from(
    [
        "attribute_exists(x)",
        "attribute_not_exists(x)",
        "x = :v",
        "#n < :v",
        "x <= :v",
        "x > :v AND attribute_exists(y)",
        "x >= :v",
        "x BETWEEN :v AND :w",
        "begins_with(x, :v)",
        "contains(x, :v)",
        "attribute_exists(y) AND NOT contains(#n, :v)",
        "x BETWEEN :v AND :w AND y = :v",
    ]
)


def used(text: str, value: Json, more: Json) -> tuple[Json, Json]:
    """The values and names that an expression asks for, and no others."""
    values = {name: given for name, given in ((":v", value), (":w", more)) if name in text}
    return values, {"#n": "x"} if "#n" in text else {}


@given(CONDITIONS, ITEMS, VALUES, VALUES)
def test_a_condition_holds_for_the_items_that_the_engine_says(text: str, item: Json, value: Json, more: Json) -> None:
    values, names = used(text, value, more)
    test = expressions.condition(text)
    assert test is not None
    try:
        found = test(item, values, names)
    except expressions.Unfit:
        return
    try:
        expected = internals.part("dynamodb", "_evaluate_condition")(text, item, values, names)
    except ValueError:  # refused; such a request has no known shape, as the engine has never accepted it
        return
    assert found is bool(expected)


UPDATES = st.sampled_from(
    [
        "SET x = :v",
        "SET x = :v, #n = :w",
        "ADD x :v",
        "ADD x :v, y :w",
        "SET y = :v, z = :w",
        "SET x = :v REMOVE y, #n",
        "SET #n = :v REMOVE x",
    ]
)


@given(UPDATES, ITEMS, VALUES, VALUES)
def test_an_update_makes_of_an_item_what_the_engine_makes_of_it(text: str, item: Json, value: Json, more: Json) -> None:
    values, names = used(text, value, more)
    names = {"#n": "y"} if names else {}
    change = expressions.update(text)
    assert change is not None
    before = copy.deepcopy(item)
    try:
        after = change(item, values, names)
    except expressions.Unfit:
        return
    try:
        expected, _ = internals.part("dynamodb", "_apply_update_expression")(item, text, values, names)
    except ValueError:
        return
    assert after == expected
    assert item == before


@pytest.mark.parametrize("text", ["x = y", "size(x) > :v", "a.b = :v", "x = :v OR y = :v", "(x = :v)", "x <> :v", "x IN (:v)"])
def test_a_condition_of_more_than_we_read_is_the_engines(text: str) -> None:
    assert expressions.condition(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "REMOVE x",
        "SET x = x + :v",
        "SET x = :v REMOVE a.b",
        "SET x = :v REMOVE y[0]",
        "SET x = if_not_exists(x, :v)",
        "ADD a.b :v",
    ],
)
def test_an_update_of_more_than_we_read_is_the_engines(text: str) -> None:
    assert expressions.update(text) is None


SORTS = st.sampled_from(["#", "A#1", "A#2", "B#1"])
READS = st.one_of(
    st.builds(lambda key, sort: ("get", key, sort), KEYS, SORTS),
    st.builds(lambda key, sort: ("several", key, sort), KEYS, SORTS),
    st.builds(lambda key, sort: ("begins", key, sort[0]), KEYS, SORTS),
    st.builds(lambda key, sort: ("between", key, sort), KEYS, SORTS),
    st.builds(lambda key, sort: ("set", key, sort), KEYS, SORTS),
    st.builds(lambda key, sort: ("add", key, sort), KEYS, SORTS),
)


def done(client: Any, what: str, key: str, sort: str) -> Json:
    """What one request is answered."""
    table, place = {"TableName": "things"}, {"PK": {"S": key}, "SK": {"S": sort}}
    query = partial(client.query, **table, ConsistentRead=True)
    one = {":one": {"N": "1"}}
    calls: Json = {
        "get": partial(client.get_item, **table, Key=place, ConsistentRead=True),
        "several": partial(client.batch_get_item, RequestItems={"things": {"Keys": [place, {**place, "SK": {"S": "none"}}]}}),
        "begins": partial(
            query,
            KeyConditionExpression="PK = :pk AND begins_with(SK, :own)",
            ExpressionAttributeValues={":pk": {"S": key}, ":own": {"S": sort}},
        ),
        "between": partial(
            query,
            KeyConditionExpression="PK = :pk AND SK BETWEEN :from AND :to",
            ExpressionAttributeValues={":pk": {"S": key}, ":from": {"S": sort}, ":to": {"S": "B"}},
        ),
        "set": partial(
            client.update_item,
            **table,
            Key=place,
            UpdateExpression="SET n = :one",
            ConditionExpression="attribute_not_exists(n)",
            ExpressionAttributeValues=one,
            ReturnValues="ALL_NEW",
        ),
        "add": partial(client.update_item, **table, Key=place, UpdateExpression="ADD n :one", ExpressionAttributeValues=one),
    }
    try:
        answer = calls[what]()
    except ClientError as refused:
        return refused.response["Error"]
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


@examples(40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(READS, max_size=25))
def test_reads_and_updates_are_answered_as_the_engine_answers_them(stack: Stack, requests: list[tuple[str, str, str]]) -> None:
    short, long = both_ways(stack, lambda client: [done(client, *request) for request in requests])
    assert short == long


@pytest.mark.parametrize(
    "odd",
    [
        {"TransactItems": [put("", 1, None)]},
        {"TransactItems": [put("a", 1, None)], "ReturnConsumedCapacity": "TOTAL"},
        {"TransactItems": [put("a", 1, None)], "ClientRequestToken": "once"},
        {"TransactItems": [{"Put": {"TableName": "things", "Item": {"PK": {"S": "a"}, "n": {"N": "1.50"}}}}]},
        {"TransactItems": [{"Put": {"TableName": "things", "Item": {"PK": {"S": "a"}, "n": {"N": "007"}}}}]},
        {"TransactItems": [{"Put": {"TableName": "things", "Item": {"PK": {"S": "a"}, "t": {"S": "x" * 60_000}}}}]},
        {"TransactItems": [put("a" * 40_000, 1, None)] * 40},
        {"TransactItems": [{"Steal": {"TableName": "things"}}]},
        {"TransactItems": [{}]},
        {"TransactItems": "all"},
    ],
)
def test_what_has_to_be_looked_at_closely_has_no_shape(odd: Json) -> None:
    with pytest.raises(request_cache.UnknownShape):
        request_cache.shapes_of_transaction(odd)
