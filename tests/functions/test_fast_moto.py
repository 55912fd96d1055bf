"""The short ways that moto takes in these tests lead where its own ways lead."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from tests.harness.examples import examples
from tests.harness.fast_moto import slow_moto
from tests.harness.world import ENVIRONMENT, table_of_the_template

INDEX = table_of_the_template()["GlobalSecondaryIndexes"][0]
INDEXED = {part["AttributeName"]: {"S": "found by it"} for part in INDEX["KeySchema"]}
KEYS = st.tuples(st.sampled_from(["A", "B", "C"]), st.sampled_from(["1", "2", "10"])).map(
    lambda key: {"PK": {"S": key[0]}, "SK": {"S": key[1]}}
)
VALUES = st.recursive(
    st.text(max_size=3).map(lambda text: {"S": text})
    | st.integers(-9, 11).map(lambda number: {"N": str(number)})
    | st.booleans().map(lambda yes: {"BOOL": yes})
    | st.just({"NULL": True})
    | st.binary(min_size=1, max_size=3).map(lambda some: {"B": some})
    | st.sets(st.sampled_from("abc"), min_size=1).map(lambda some: {"SS": sorted(some)})
    | st.sets(st.integers(8, 11), min_size=1).map(lambda some: {"NS": sorted(map(str, some))}),
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda parts: {"L": parts})
        | st.dictionaries(st.sampled_from("xy"), inner, max_size=2).map(lambda parts: {"M": parts})
    ),
    max_leaves=4,
)
CONDITIONS = st.sampled_from(["attribute_not_exists(PK)", "attribute_exists(PK)", "a = :v", "a < :v", "attribute_exists(a)"])
UPDATES = st.sampled_from(
    [
        "SET a = :v",
        "SET #b = :v, a = :v",
        "SET #b = :v, a = :one REMOVE m, n",
        "REMOVE a, #b",
        f"SET a = :v, {INDEX['KeySchema'][0]['AttributeName']} = :v",
        "SET name = :v",
        "SET a = :v, b = a",
        "SET m.x = :v",
        "SET #b = if_not_exists(a, :v), n = n + :one REMOVE m.x",
        "ADD n :one",
        "ADD n :one, #b :v",
        "ADD s :some",
        "REMOVE a",
        "DELETE s :some",
        # refused
        "SET a = :v, #b = :v, b = :v",
        "SET #b = :v, a = :v, #b = :one",
        "SET m = :v, m.x = :v",
        "SET a = :v SET b = :v, b = :one",
        "REMOVE a, a REMOVE b",
        "SET PK = :v",
    ]
)
ITEMS = st.tuples(KEYS, st.dictionaries(st.sampled_from(["a", "b", "m", "n", "s"]), VALUES), st.booleans()).map(
    lambda parts: {**parts[0], **parts[1], **(INDEXED if parts[2] else {})}
)
TABLE = ENVIRONMENT["TABLE_NAME"]

Request = tuple[str, dict[str, Any]]


@st.composite
def requests(draw: st.DrawFn) -> Request:
    kind = draw(st.sampled_from(["put", "update", "delete", "transact"]))
    if kind == "put":
        return "put_item", {"Item": draw(ITEMS)}
    if kind == "update":
        return "update_item", draw(updates())
    if kind == "delete":
        return "delete_item", {"Key": draw(KEYS), "ReturnValues": "ALL_OLD"}
    puts = draw(st.lists(st.tuples(ITEMS, CONDITIONS), min_size=1, max_size=2))
    actions = [{"Put": {"TableName": TABLE, "Item": item} | _asked(condition)} for item, condition in puts]
    changes = [
        {"Update": {"TableName": TABLE} | {name: change[name] for name in change if name != "ReturnValues"}}
        for change in draw(st.lists(updates(), max_size=2))
    ]
    return "transact_write_items", {"TransactItems": [*changes, *actions]}


@st.composite
def updates(draw: st.DrawFn) -> dict[str, Any]:
    expression = draw(UPDATES)
    given = {":v": draw(VALUES), ":one": {"N": "1"}, ":some": {"SS": ["b"]}}
    used = {name: value for name, value in given.items() if name in expression}
    names = {"ExpressionAttributeNames": {"#b": "b"}} if "#b" in expression else {}
    values = {"ExpressionAttributeValues": used} if used else {}
    return {"Key": draw(KEYS), "UpdateExpression": expression, "ReturnValues": "ALL_NEW", **names, **values}


def _asked(condition: str) -> dict[str, Any]:
    values = {"ExpressionAttributeValues": {":v": {"N": "3"}}} if ":v" in condition else {}
    return {"ConditionExpression": condition} | values


def answered(client: Any, call: str, request: dict[str, Any]) -> Any:
    try:
        answer = getattr(client, call)(**request)
    except ClientError as refusal:
        return refusal.response["Error"], refusal.response.get("CancellationReasons")
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def found(client: Any) -> list[Any]:
    queries: list[dict[str, Any]] = [
        {"KeyConditionExpression": "PK = :pk", "ExpressionAttributeValues": {":pk": {"S": "A"}}},
        {
            "KeyConditionExpression": "PK = :pk",
            "ExpressionAttributeValues": {":pk": {"S": "B"}},
            "ScanIndexForward": False,
            "Limit": 2,
        },
        {
            "KeyConditionExpression": "PK = :pk AND SK > :sk",
            "ExpressionAttributeValues": {":pk": {"S": "C"}, ":sk": {"S": "1"}},
            "ExclusiveStartKey": {"PK": {"S": "C"}, "SK": {"S": "1"}},
        },
        {
            "IndexName": INDEX["IndexName"],
            "KeyConditionExpression": f"{INDEX['KeySchema'][0]['AttributeName']} = :value",
            "ExpressionAttributeValues": {":value": {"S": "found by it"}},
        },
    ]
    answers = [answered(client, "query", {"TableName": TABLE} | query) for query in queries]
    return [
        *answers,
        answered(client, "scan", {"TableName": TABLE}),
        answered(client, "scan", {"TableName": TABLE, "Limit": 2}),
        answered(client, "get_item", {"TableName": TABLE, "Key": {"PK": {"S": "A"}, "SK": {"S": "1"}}}),
        answered(client, "batch_get_item", {"RequestItems": {TABLE: {"Keys": [{"PK": {"S": "B"}, "SK": {"S": "10"}}]}}}),
        answered(client, "get_item", {"TableName": TABLE, "Key": {"PK": {"S": "A"}}}),
    ]


def lived(steps: list[Request], *, fast: bool) -> list[Any]:
    """What each request and each look at the table returned."""
    with nullcontext() if fast else slow_moto(), mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(**table_of_the_template())
        answers = []
        for call, request in steps:
            named = {} if call == "transact_write_items" else {"TableName": TABLE}
            answers += [answered(client, call, named | request), found(client)]
        return answers


@pytest.fixture(scope="module", autouse=True)
def _credentials() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
            patch.setenv(name, ENVIRONMENT[name])
        yield


@given(st.lists(requests(), min_size=1, max_size=6))
@examples(25)
def test_whatever_is_written_and_read_both_ways_return_the_same(steps: list[Request]) -> None:
    assert lived(steps, fast=True) == lived(steps, fast=False)


def test_what_two_attributes_share_they_share_both_ways() -> None:
    key = {"PK": {"S": "A"}, "SK": {"S": "1"}}
    item, given = {**key, "a": {"M": {"x": {"S": "1"}}}}, {":v": {"S": "2"}}
    steps: list[Request] = [
        ("put_item", {"Item": item}),
        ("update_item", {"Key": key, "UpdateExpression": "SET b = a"}),
        ("update_item", {"Key": key, "UpdateExpression": "SET a.x = :v", "ExpressionAttributeValues": given}),
    ]
    assert lived(steps, fast=True) == lived(steps, fast=False)


def test_an_item_that_is_too_large_is_refused_both_ways() -> None:
    large = {"PK": {"S": "A"}, "SK": {"S": "1"}, "a": {"S": "x" * 410_000}}
    steps: list[Request] = [
        ("put_item", {"Item": large}),
        ("transact_write_items", {"TransactItems": [{"Put": {"TableName": TABLE, "Item": large}}]}),
    ]
    fast = lived(steps, fast=True)
    assert fast == lived(steps, fast=False)
    assert all(answer[0]["Code"] for answer in fast[::2])
