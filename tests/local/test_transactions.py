"""A transaction of a known shape does what the engine does, and is refused as the engine refuses it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local import engine, transactions
from local.stack import Settings, Stack, running

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


def delete(key: str) -> Json:
    return {"Delete": {"TableName": "things", "Key": {"PK": {"S": key}, "SK": {"S": "#"}}}}


KEYS = st.sampled_from("abc")
ACTIONS = st.one_of(
    st.builds(put, KEYS, st.integers(-5, 5), st.none() | st.integers(-5, 5)),
    st.builds(add, KEYS, st.integers(-5, 5)),
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


def _instead(ours: Any, _: Any) -> Any:
    return ours


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(ACTIONS, min_size=1, max_size=3), max_size=12))
def test_the_short_way_and_the_whole_way_come_to_the_same(stack: Stack, sequence: list[list[Json]]) -> None:
    ours = engine.part("dynamodb", "_transact_write_items")
    whole = ours.__closure__[[*ours.__code__.co_freevars].index("original")].cell_contents
    client = boto3.client("dynamodb", endpoint_url=stack.aws_url, region_name="us-east-1")
    seen = []
    for transact in (ours, whole):
        engine.replace("dynamodb", "_transact_write_items", partial(_instead, transact))
        try:
            make_table(client)
            seen.append([outcome(client, actions) for actions in sequence])
        finally:
            client.delete_table(TableName="things")
            engine.replace("dynamodb", "_transact_write_items", partial(_instead, ours))
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    "odd",
    [
        {"TransactItems": [put("", 1, None)]},
        {"TransactItems": [put("a", 1, None)], "ReturnConsumedCapacity": "TOTAL"},
        {"TransactItems": [put("a", 1, None)], "ClientRequestToken": "once"},
        {"TransactItems": [{"Put": {"TableName": "things", "Item": {"PK": {"S": "a"}, "n": {"N": "1.50"}}}}]},
        {"TransactItems": [{"Steal": {"TableName": "things"}}]},
        {"TransactItems": [{}]},
        {"TransactItems": "all"},
    ],
)
def test_what_has_to_be_looked_at_closely_has_no_shape(odd: Json) -> None:
    assert transactions.shape_of(odd) is None
