"""Handlers in a world of their own: a table made from the template, in memory; outside services faked at the edge."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from orders.adapters import bus, workflow
from orders.adapters.store.table import client
from tests.harness.aws import deployed
from tests.harness.caches import forget, forget_settings
from tests.harness.fakes import FakeBus, FakeStepFunctions
from tests.harness.orders import without_pauses
from tests.harness.world import ENVIRONMENT, World, table_of_the_template


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    """AWS in memory, for the tests of one module: making clients and reading secrets takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        forget()
        secrets = boto3.client("secretsmanager")
        secrets.create_secret(Name=ENVIRONMENT["SIGNING_SECRET_ARN"], SecretString="signing key of the tests")
        yield
        forget()


@pytest.fixture
def world(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A new world: an empty table but for the catalog, no executions, nothing on the bus."""
    forget_settings()
    table = table_of_the_template()
    client().create_table(**table)
    executions, events = FakeStepFunctions(), FakeBus()
    monkeypatch.setattr(workflow, "client", lambda: executions)
    monkeypatch.setattr(bus, "client", lambda: events)
    # Whoever lost a race waits a moment before the next try: nothing of that is tested here.
    without_pauses(monkeypatch)
    yield World(executions, events)
    client().delete_table(TableName=table["TableName"])
    forget_settings()


@pytest.fixture
def deployed_stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The template's stack in memory, for one test."""
    with mock_aws(), deployed():
        monkeypatch.setenv("LOOPBACK_WEBHOOKS", "true")
        yield


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> FakeBus:
    """What is put on the bus."""
    taken = FakeBus()
    monkeypatch.setattr(bus, "client", lambda: taken)
    return taken
