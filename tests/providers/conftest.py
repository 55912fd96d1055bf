"""The same table and world as the functions' tests have."""

from tests.functions.conftest import aws, world

__all__ = ["aws", "world"]
