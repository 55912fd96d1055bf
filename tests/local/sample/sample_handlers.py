"""The handlers of the sample shop: they behave as an order's id asks for."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

import boto3

MALFORMED: dict[str, dict[str, Any]] = {
    "status": {"statusCode": "teapot"},
    "body": {"statusCode": 200, "body": {"no": "text"}},
    "base64": {"statusCode": 200, "isBase64Encoded": True, "body": "x"},
    "headers": {"statusCode": 200, "headers": ["x"], "body": ""},
    "length": {"statusCode": 200, "body": "x" * (6 * 1024 * 1024 + 1)},
}
SEEN: dict[str, list[Any]] = {"drive": [], "inbox": [], "watch": []}


class Busy(Exception):
    pass


class Refused(Exception):
    pass


@cache
def client(service: str) -> Any:
    make: Any = boto3.client
    return make(service)


def write(order_id: str, version: int, status: str, **more: str) -> None:
    """As the product does: the order on its condition, and one event item beside it."""
    table = os.environ["SAMPLE_TABLE"]
    key = {"PK": {"S": f"ORDER#{order_id}"}}
    order = {**key, "SK": {"S": "ORDER"}, "status": {"S": status}, "version": {"N": str(version)}}
    event = {**key, "SK": {"S": f"EVENT#{version:08d}"}, "status": {"S": status}}
    condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(PK)"}
    if version > 1:
        condition = {
            "ConditionExpression": "version = :before",
            "ExpressionAttributeValues": {":before": {"N": str(version - 1)}},
        }
    client("dynamodb").transact_write_items(
        TransactItems=[
            {"Put": {"TableName": table, "Item": order, **condition}},
            {"Put": {"TableName": table, "Item": {**event, **{name: {"S": text} for name, text in more.items()}}}},
        ]
    )


def status(order_id: str) -> str:
    item = client("dynamodb").get_item(
        TableName=os.environ["SAMPLE_TABLE"], Key={"PK": {"S": f"ORDER#{order_id}"}, "SK": {"S": "ORDER"}}
    )
    return str(item["Item"]["status"]["S"])


def place(event: dict[str, Any], _: Any) -> dict[str, Any]:
    order = json.loads(event["body"])
    write(order["id"], 1, "PENDING", follow_up="start")
    return {"statusCode": 202, "headers": {"location": f"/orders/{order['id']}"}, "body": json.dumps(order)}


def echo(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if event["rawPath"] == "/echo/crash":
        raise RuntimeError("a secret that must not leave")
    if event["rawPath"] == "/echo/binary":
        return {"statusCode": 200, "isBase64Encoded": True, "body": "AAEC", "cookies": ["a=1", "b=2"]}
    if event["rawPath"] == "/echo/plain":
        return {"shorthand": True}
    if event["rawPath"].startswith("/echo/malformed/"):
        return MALFORMED[event["rawPath"].removeprefix("/echo/malformed/")]
    if event["rawPath"] == "/echo/cors":
        return {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}, "body": "{}"}
    return {"statusCode": 200, "body": json.dumps({"event": event, "function": context.function_name})}


def step(event: dict[str, Any], _: Any) -> dict[str, Any]:
    order_id = event["id"]
    if event["step"] == "reserve" and order_id.startswith("refused"):
        raise Refused("no")
    versions = {"reserve": 2, "charge": 3, "deliver": 5}
    write(order_id, versions[event["step"]], event["step"].upper())
    return {"done": event["step"]}


def ship(event: dict[str, Any], _: Any) -> None:
    write(event["id"], 4, "SHIP", token=event["token"])
    client("stepfunctions").send_task_success(taskToken=event["token"], output="{}")


def drive(event: dict[str, Any], _: Any) -> dict[str, Any]:
    SEEN["drive"].append(event)
    failures = []
    for record in event["Records"]:
        order_id = record["dynamodb"]["Keys"]["PK"]["S"].removeprefix("ORDER#")
        if order_id.startswith("poison"):
            failures.append({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})
        elif not order_id.startswith("still"):
            wait = float(os.environ["SAMPLE_WAIT"])
            client("stepfunctions").start_execution(
                stateMachineArn=os.environ["SAMPLE_MACHINE"],
                name=order_id,
                input=json.dumps({"id": order_id, "wait": wait}),
            )
    return {"batchItemFailures": failures}


def inbox(event: dict[str, Any], _: Any) -> dict[str, Any]:
    SEEN["inbox"].append(event)
    bad = [record["messageId"] for record in event["Records"] if "poison" in record["body"]]
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in bad]}


def watch(event: dict[str, Any], _: Any) -> None:
    name = event["detail"]["name"]
    SEEN["watch"].append(event)
    if name.startswith("twice") and sum(seen["detail"]["name"] == name for seen in SEEN["watch"]) == 1:
        raise Busy("again")
