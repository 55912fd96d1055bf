"""A pytest plugin, ``-p tests.backwards``: the last test first. What passes both ways leans on no test before it."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.reverse()
