"""Handlers in a world of their own: a table made from the template, in memory; outside services faked at the edge."""

import importlib
from collections.abc import Iterator

import boto3
import pytest
from aws_lambda_powertools.utilities.parameters import clear_caches
from moto import mock_aws

from orders import bus, identity, settings, store, workflow
from tests.functions.world import ENVIRONMENT, FakeBus, FakeStepFunctions, World, table_of_the_template


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    """AWS in memory, for the tests of one module."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        for forgotten in (store.client, bus.client, settings.waits, identity._keys):
            forgotten.cache_clear()
        yield
        for forgotten in (store.client, bus.client, settings.waits, identity._keys):
            forgotten.cache_clear()


@pytest.fixture
def world(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A new world: an empty table but for the catalogue, no executions, nothing on the bus."""
    dynamodb = boto3.client("dynamodb")
    dynamodb.create_table(**table_of_the_template())
    secrets = boto3.client("secretsmanager")
    secrets.create_secret(Name=ENVIRONMENT["SIGNING_SECRET_ARN"], SecretString="signing key of the tests")
    executions, events = FakeStepFunctions(), FakeBus()
    monkeypatch.setattr(workflow, "client", lambda: executions)
    monkeypatch.setattr(bus, "client", lambda: events)
    monkeypatch.setattr(importlib.import_module("orders.changes").time, "sleep", lambda seconds: None)
    for forgetful in (settings.waits.cache_clear, clear_caches):
        forgetful()
    yield World(executions, events)
    dynamodb.delete_table(TableName=ENVIRONMENT["TABLE_NAME"])
    secrets.delete_secret(SecretId=ENVIRONMENT["SIGNING_SECRET_ARN"], ForceDeleteWithoutRecovery=True)
    settings.waits.cache_clear()
