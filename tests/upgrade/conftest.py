"""The archived release beside the present one, on one table in memory."""

import os
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from orders.adapters.store.table import client
from tests.harness.world import ENVIRONMENT
from tests.upgrade.releases import Present, Release, edition_one
from tests.upgrade.shared_table import QUEUES, SharedTable, open_table


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Edition one."""
    return edition_one(tmp_path_factory.mktemp("edition-1"))


@pytest.fixture(scope="session")
def new() -> Release:
    """The present code."""
    return Present()


@pytest.fixture(scope="module")
def aws(old: Release, new: Release) -> Iterator[None]:
    """AWS in memory, for the tests of one module; clients are made once."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        # Edition one reads it by this name; each version of a function keeps the environment that it was deployed with.
        patch.setenv("FULFIL_MACHINE_ARN", ENVIRONMENT["FULFILL_MACHINE_ARN"])
        for release in (old, new):
            release.forget()
        boto3.client("secretsmanager").create_secret(Name=ENVIRONMENT["SIGNING_SECRET_ARN"], SecretString="key of the tests")
        yield
        for release in (old, new):
            release.forget()


@pytest.fixture
def table(aws: None, old: Release, new: Release, monkeypatch: pytest.MonkeyPatch) -> Iterator[SharedTable]:
    """A new table with the catalog; edition one answers first."""
    made = open_table(monkeypatch, (old, new))
    yield made
    client().delete_table(TableName=ENVIRONMENT["TABLE_NAME"])
    sqs = boto3.client("sqs")
    for queue in QUEUES:
        sqs.delete_queue(QueueUrl=os.environ[queue])
