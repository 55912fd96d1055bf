"""Libraries are held back whatever level Lambda gives the root logger."""

import logging
from collections.abc import Iterator

import pytest

from orders import logs

REQUESTS = ("botocore.endpoint", "botocore.hooks", "urllib3.connectionpool", "boto3.resources", "s3transfer.tasks")


@pytest.fixture(autouse=True)
def _levels() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("", *logs.LIBRARIES)]
    before = [found.level for found in loggers]
    yield
    for found, level in zip(loggers, before, strict=True):
        found.setLevel(level)


@pytest.mark.parametrize("level", [logging.NOTSET, logging.DEBUG, logging.INFO, logging.WARNING])
def test_what_handles_requests_logs_warnings_at_most(level: int) -> None:
    logging.getLogger().setLevel(level)
    logs.hold_libraries()
    assert {logging.getLogger(name).getEffectiveLevel() for name in REQUESTS} == {logging.WARNING}


@pytest.mark.parametrize("level", [logging.NOTSET, logging.DEBUG, logging.INFO])
def test_any_other_library_logs_information_at_most(level: int) -> None:
    logging.getLogger().setLevel(level)
    logs.hold_libraries()
    assert logging.getLogger("a_library.nobody_knows").getEffectiveLevel() == logging.INFO


def test_a_stricter_level_holds_for_libraries_too() -> None:
    logging.getLogger().setLevel(logging.ERROR)
    logs.hold_libraries()
    assert {logging.getLogger(name).getEffectiveLevel() for name in ("any", *REQUESTS)} == {logging.ERROR}
