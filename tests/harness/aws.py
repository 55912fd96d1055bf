"""The template's stack in moto's account: what a handler needs around it, made from the template itself.

Only what handlers reach at run time: the table, the bus, queues, topics, secrets and their environment.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.backends import get_backend

from local.stack.template import expand
from orders.adapters.store import catalog
from orders.domain.money import Money
from orders.domain.products import Product

ROOT = Path(__file__).parents[2]
STACK = "orders"
CARRIER_SECRET = "the secret agreed on with the carrier"
PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": STACK,
    "AWS::URLSuffix": "amazonaws.com",
}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
CATALOGUE = (
    Product("prod-001", "Enamel mug", Money(1000, "USD"), 100),
    Product("prod-002", "Canvas tote bag", Money(1000, "USD"), 100),
    Product("prod-005", "Standing desk", Money(64900, "USD"), 5),
)
"""Two products at 10.00, and one dear enough to need a review."""


@cache
def template() -> dict[str, Any]:
    """The template as CloudFormation sees it."""
    return expand(ROOT / "template.yaml")


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """The resources of one type, by their logical id."""
    return {name: made["Properties"] for name, made in template()["Resources"].items() if made["Type"] == kind}


@contextmanager
def deployed() -> Iterator[None]:
    """The stack with its catalog, for as long as it is needed; inside ``mock_aws``."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        forget()
        made = _made()
        for name, value in _variables().items():
            patch.setenv(name, _text(value, made))
        for product in CATALOGUE:
            catalog.save_product(product)
        yield
        forget()
        # moto's account may live on, for a machine that is dear to deploy: only what was made here goes.
        for service in ("dynamodb", "events", "sqs", "sns", "secretsmanager"):
            for backend in get_backend(service).values():
                backend[PSEUDO["AWS::Region"]].reset()


def forget() -> None:
    """What one process keeps for its life: clients, settings, what was read once."""
    for name, module in list(sys.modules.items()):
        if name.startswith("orders."):
            for kept in vars(module).values():
                if getattr(kept, "__module__", None) == name and hasattr(kept, "cache_clear"):
                    kept.cache_clear()


def _made() -> dict[str, str]:
    """Makes the resources; answers what ``Ref`` gives for each."""
    table = resources("AWS::DynamoDB::Table")["OrdersTable"]
    wanted = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    dynamodb, events, sqs, sns = (boto3.client("dynamodb"), boto3.client("events"), boto3.client("sqs"), boto3.client("sns"))
    dynamodb.create_table(TableName=STACK, **{name: table[name] for name in wanted})
    made = {"OrdersTable": STACK}
    for name in resources("AWS::Events::EventBus"):
        made[name] = f"{STACK}-{name}"
        events.create_event_bus(Name=made[name])
    for name in resources("AWS::SQS::Queue"):
        made[name] = sqs.create_queue(QueueName=name)["QueueUrl"]
    for name in resources("AWS::SNS::Topic"):
        made[name] = sns.create_topic(Name=name)["TopicArn"]
    secrets = boto3.client("secretsmanager")
    for name in resources("AWS::SecretsManager::Secret"):
        made[name] = secrets.create_secret(Name=name, SecretString="s" * 64)["ARN"]
    # What operators put in beside the stack.
    prefix = _text(_variables()["CARRIER_SECRETS_PREFIX"], made)
    secrets.create_secret(Name=f"{prefix}easypost", SecretString=CARRIER_SECRET)
    return made


def _variables() -> dict[str, Any]:
    """The environment of every function."""
    found: dict[str, Any] = next(iter(resources("AWS::Lambda::Function").values()))["Environment"]["Variables"]
    return found


# --- what CloudFormation makes of a value ---


def _text(value: Any, made: Mapping[str, str]) -> str:
    if not isinstance(value, dict):
        return str(value)
    (function, argument), *_ = value.items()
    match function:
        case "Ref":
            return _named(argument, made)
        case "Fn::Sub":
            return re.sub(r"\$\{([\w:.]+)\}", lambda found: _named(found[1], made), str(argument))
        case "Fn::If":
            condition, yes, no = argument
            return _text(yes if _holds(template()["Conditions"][condition], made) else no, made)
        case "Fn::GetAtt":
            return ".".join(argument)
    raise AssertionError(f"{function} is not known here")


def _named(name: str, made: Mapping[str, str]) -> str:
    parameters = {name: str(parameter.get("Default", "")) for name, parameter in template()["Parameters"].items()}
    return {**PSEUDO, **parameters, **made}.get(name, name)


def _holds(condition: Any, made: Mapping[str, str]) -> bool:
    (function, argument), *_ = condition.items()
    match function:
        case "Fn::Equals":
            return _text(argument[0], made) == _text(argument[1], made)
        case "Fn::Not":
            return not _holds(argument[0], made)
        case "Fn::And":
            return all(_holds(part, made) for part in argument)
        case "Fn::Or":
            return any(_holds(part, made) for part in argument)
        case "Condition":
            return _holds(template()["Conditions"][argument], made)
    raise AssertionError(f"{function} is not known here")
