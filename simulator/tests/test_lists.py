"""The lists of the simulator and its page say the same, and nothing of them is out of date."""

from collections import Counter
from pathlib import Path

import pytest

from simulator.faults import CALLS as OPERATIONS
from simulator.faults import PROVIDERS
from simulator.mutations import MUTATIONS, Mutation
from simulator.run import product, seeds_of
from simulator.tables import TABLES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", TABLES)
def test_the_page_has_the_tables_of_the_code(name: str) -> None:
    assert TABLES[name]() in (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.says)
def test_each_defect_can_still_be_planted(mutation: Mutation, tmp_path: Path) -> None:
    copy = tmp_path / mutation.path
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text((ROOT / mutation.path).read_text(encoding="utf-8"), encoding="utf-8")
    mutation.planted_in(tmp_path)
    assert copy.read_text(encoding="utf-8") != (ROOT / mutation.path).read_text(encoding="utf-8")


def test_the_list_of_calls_has_every_function_and_knows_every_operation() -> None:
    wiring = product()
    from simulator.coverage import CALLS, SILENT, STEPS, Universe

    assert {*CALLS, *SILENT} == {one.module for one in wiring.functions.values()}
    assert set(STEPS) <= CALLS.keys()
    assert {call for calls in CALLS.values() for call in calls} <= {*OPERATIONS, *PROVIDERS}
    assert len(Universe(wiring).cells) > 500


def test_what_is_explained_is_on_the_list_and_was_not_met() -> None:
    from simulator import explained
    from simulator.coverage import Universe

    cells, met = Universe(product()).cells, explained.recorded()
    rows = [cell for reason in explained.REASONS for cell in reason.cells()]
    assert len(rows) == len(set(rows))
    assert set(rows) <= cells.keys()
    assert not [cell for cell in rows if met[cell]]
    assert set(met) <= cells.keys()


def test_a_gathered_run_is_added_to_what_was_met_before(tmp_path: Path) -> None:
    from simulator import explained

    cell, other = ("a", "b", "c", "before"), ("a", "", "d", "")
    explained.keep(Counter({cell: 2}), tmp_path / "met.json")
    explained.keep(Counter({cell: 1, other: 1}), tmp_path / "met.json")
    assert explained.gathered(tmp_path / "met.json") == {cell: 3, other: 1}


def test_seeds_are_read_as_they_are_written() -> None:
    assert seeds_of("1,7,100-103") == [1, 7, 100, 101, 102, 103]
