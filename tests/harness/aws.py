"""The template's stack in moto's account: what a handler needs around it, made from the template itself.

Only what handlers reach at run time: the table, the bus, queues, topics, secrets and their environment.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
import pytest
from moto.backends import get_backend

from orders.adapters.store import catalog, event_items, orders
from orders.domain.actors import Actor
from orders.domain.identifiers import OrderId
from orders.domain.money import Money
from orders.domain.products import Product
from orders.domain.statuses import OrderStatus
from orders.services import charging, fulfilling, handovers
from orders.services.placing import place_order
from tests.harness.caches import forget
from tests.harness.cloudformation import PSEUDO, Deployed, Named, by_logical_id, environment, expanded, table_properties
from tests.harness.events import a_record, messages
from tests.harness.orders import a_request

STACK = "orders"
CARRIER_SECRET = "the secret agreed on with the carrier"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
CATALOG = (
    Product("prod-001", "Enamel mug", Money(1000, "USD"), 100),
    Product("prod-002", "Canvas tote bag", Money(1000, "USD"), 100),
    Product("prod-005", "Standing desk", Money(64900, "USD"), 5),
)
"""Two products at 10.00, and one dear enough to need a review."""


@cache
def template() -> dict[str, Any]:
    """The template as CloudFormation sees it."""
    return expanded()


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
        for name, value in environment(Deployed(template(), named=_named(made))).items():
            patch.setenv(name, value)
        for product in CATALOG:
            catalog.save_product(product)
        yield
        forget()
        # moto's account may live on, for a machine that is dear to deploy: only what was made here goes.
        for service in ("dynamodb", "events", "sqs", "sns", "secretsmanager"):
            for backend in get_backend(service).values():
                backend[PSEUDO["AWS::Region"]].reset()


def _made() -> dict[str, str]:
    """Makes the resources; answers what ``Ref`` gives for each."""
    dynamodb, events, sqs, sns, secrets = map(_client, ("dynamodb", "events", "sqs", "sns", "secretsmanager"))
    dynamodb.create_table(TableName=STACK, **table_properties(template()["Resources"]))
    made = {"OrdersTable": STACK}
    for name in resources("AWS::Events::EventBus"):
        made[name] = f"{STACK}-{name}"
        events.create_event_bus(Name=made[name])
    for name in resources("AWS::SQS::Queue"):
        made[name] = sqs.create_queue(QueueName=name)["QueueUrl"]
    for name in resources("AWS::SNS::Topic"):
        made[name] = sns.create_topic(Name=name)["TopicArn"]
    for name in resources("AWS::SecretsManager::Secret"):
        made[name] = secrets.create_secret(Name=name, SecretString="s" * 64)["ARN"]
    # What operators put in beside the stack.
    settings = _named_settings()
    secrets.create_secret(Name=f"{settings['CARRIER_SECRETS_PREFIX']}easypost", SecretString=CARRIER_SECRET)
    secrets.create_secret(Name=f"{settings['PAYMENT_SECRETS_PREFIX']}stripe-webhooks", SecretString="s" * 64)
    return made


@cache
def _client(service: str) -> Any:
    """Of imitated AWS: making one takes longer than what it is asked for."""
    region, key = CREDENTIALS["AWS_DEFAULT_REGION"], CREDENTIALS["AWS_ACCESS_KEY_ID"]
    return boto3.Session(key, key, region_name=region).client(service)  # type: ignore[call-overload]


@cache
def _named_settings() -> dict[str, str]:
    """The settings that name nothing that was made."""
    return environment(Deployed(template(), named=_named({})))


def _named(made: Mapping[str, str]) -> Named:
    return lambda name, attribute: by_logical_id(made.get(name, name), attribute)


# --- orders in it, and what becomes of their changes ---


def live(order_id: str, token: str = "tok_ok", status: OrderStatus = OrderStatus.SHIPPED) -> str:
    """Places an order and takes it to a status by the workflow's services; returns its id."""
    place_order(a_request({"prod-001": 1}, payment_token=token, order_id=OrderId(order_id)), Actor("ada"))
    fulfilling.reserve_stock(OrderId(order_id))
    if status is not OrderStatus.PENDING:
        charging.charge_payment(OrderId(order_id))
        handovers.ship_parcel(OrderId(order_id), None)
    return order_id


def records(*order_ids: str) -> list[dict[str, Any]]:
    """The stream of these orders' audit events, one order's change after another's."""
    trails = [[event_items.event_to_item(event) for event in orders.history(OrderId(order_id))] for order_id in order_ids]
    mixed = sorted((item for trail in trails for item in trail), key=lambda item: int(item["version"]["N"]))
    return [a_record(item, f"{number:05d}") for number, item in enumerate(mixed, 1)]


def notifying(details: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Notifications as the bus's rules hand them to the queues."""
    return messages({"detail": detail} for detail in details)


def waiting(queue: str) -> list[dict[str, Any]]:
    """The messages of a queue, which are left in it for later."""
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    found: list[dict[str, Any]] = []
    while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0).get("Messages"):
        found += [json.loads(one["Body"]) for one in batch]
    return found
