"""What holds for every test: no outcome depends on how fast the machine is, and a run that is ended leaves nothing behind."""

import copy
import functools
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader
from hypothesis import HealthCheck, settings
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

# An example may take as long as it likes, and so may making them: the machine may have other work.
settings.register_profile("orders", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# For another Python after this one: its words and defaults show with the first examples, if they show at all.
settings.register_profile("few", settings.get_profile("orders"), max_examples=5)
settings.load_profile("orders")


def pytest_configure() -> None:
    """SIGTERM ends a run as Ctrl-C does: fixtures stop the stacks that they have started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def services_are_read_once() -> Iterator[None]:
    """botocore reads a service's description anew for each session, and imitated AWS is a session for each test: a third of
    their time. What is read does not change, and botocore itself shares it among the clients of a session."""
    read = functools.cache(JSONFileLoader().load_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: read(path))
        yield


@pytest.fixture(scope="session", autouse=True)
def tables_are_copied_as_far_as_they_change() -> Iterator[None]:
    """moto copies a whole table, deep down, for each item of a transaction, to have it back if that fails: most of the time of
    tests with many rows. A row is changed in place by an update only: that one is copied before."""
    update = DynamoDBBackend.update_item

    def copied(table: Table, _: dict[int, Any]) -> Table:
        made = copy.copy(table)
        made.items = copy.copy(table.items)
        for key, rows in table.items.items():
            made.items[key] = copy.copy(rows)
        if table.stream_shard:
            made.stream_shard = copy.copy(table.stream_shard)
            made.stream_shard.table = made
            made.stream_shard.items = list(table.stream_shard.items)
        return made

    def updated(backend: DynamoDBBackend, table_name: str, key: dict[str, Any], *others: Any, **named: Any) -> Any:
        table = backend.get_table(table_name)
        rows: Any = table.items
        place = DynamoType(key[table.hash_key_attr])
        if table.range_key_attr:
            rows, place = rows[place], DynamoType(key[table.range_key_attr])
        if place in rows:
            rows[place] = copy.deepcopy(rows[place])
        return update(backend, table_name, key, *others, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Table, "__deepcopy__", copied, raising=False)
        patch.setattr(DynamoDBBackend, "update_item", updated)
        yield
