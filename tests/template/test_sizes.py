"""A module is read in one sitting and a function at one look."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("functions", "layers/orders/python/orders", "local", "simulator")
BESIDE = ("bench", "tools", "tests/harness")
MOST_LINES_OF_A_MODULE = 400
MOST_LINES_OF_NINE_FUNCTIONS_IN_TEN = 20


def modules(folder: str) -> list[Path]:
    return [path for path in sorted((ROOT / folder).rglob("*.py")) if "node_modules" not in path.parts]


def functions(path: Path) -> Iterator[int]:
    """The lines of each function, from its name to its end."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("folder", [*PRODUCT, *BESIDE])
def test_no_module_is_longer_than_one_meaning_needs(folder: str) -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in modules(folder)}
    assert lines, folder
    assert {name: count for name, count in lines.items() if count > MOST_LINES_OF_A_MODULE} == {}


@pytest.mark.parametrize("folder", PRODUCT)
def test_nine_functions_in_ten_are_short(folder: str) -> None:
    lengths = [length for path in modules(folder) for length in functions(path)]
    assert quantiles(lengths, n=10)[-1] <= MOST_LINES_OF_NINE_FUNCTIONS_IN_TEN
