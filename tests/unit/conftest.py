"""What several files of these tests begin with."""

from collections.abc import Iterator

import pytest

from tests.harness.memory_store import MemoryStore, in_memory


@pytest.fixture
def memory() -> Iterator[MemoryStore]:
    """An empty store in memory, in the place of the table."""
    with in_memory() as made:
        yield made
