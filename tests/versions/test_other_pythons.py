"""What a Python may change is tried with every other one of this machine, beside the other tests: ``make test`` asks for it."""

import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests import pythons

WANTED = os.environ.get("OTHER_PYTHONS") == "1"
FOUND = pythons.others() if WANTED else {}
OTHERS = {".".join(map(str, version)): version for version in FOUND}

pytestmark = pytest.mark.skipif(not WANTED, reason="it makes environments in .venvs: OTHER_PYTHONS=1 asks for it")


def result(name: str) -> tuple[bool, str]:
    version = OTHERS[name]
    asked = pythons.asked_of(version, {*FOUND, sys.version_info[:2]})
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        passed = pythons.passes(name, FOUND[version], [*pythons.QUICKLY, *asked], output)
        output.seek(0)
        return passed, output.read()


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, Future[tuple[bool, str]]]]:
    """All of them at the same time."""
    with ThreadPoolExecutor(max(1, len(OTHERS))) as threads:
        yield {name: threads.submit(result, name) for name in OTHERS}


@pytest.mark.parametrize("name", OTHERS or ["none"])
def test_the_tests_pass_with_it_too(results: dict[str, Future[tuple[bool, str]]], name: str) -> None:
    if not OTHERS:
        pytest.skip("there is no other Python from 3.11 on here")
    passed, said = results[name].result()
    assert passed, said[-20_000:]
    assert " passed" in said
