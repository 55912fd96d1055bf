"""What no recorded run has met of the list in ``coverage``, and why: each row explains a family of faults at their moments.

``simulator/coverage.json`` is the recorded run: what was met, as ``--coverage`` gathers it. A test holds that no row explains
what that run has met, and that each row names what the list has.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from simulator.coverage import Cell, Universe
from simulator.wiring import Wiring

RECORDED = Path(__file__).with_name("coverage.json")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why some faults at their moments were not met: of one place, or of one call of a function."""

    says: str
    where: str
    call: str
    faults: tuple[str, ...]
    """Each fault, with its moment behind it where it has one."""

    def cells(self) -> Iterator[Cell]:
        """What it explains."""
        for one in self.faults:
            name, _, moment = one.rpartition(" ")
            known = moment in ("before", "after")
            yield (self.where, self.call, name if known else one, moment if known else "")


REASONS: tuple[Reason, ...] = (
    Reason(
        "ask_customer returns the token itself only where the customer has taken what is there between its own two tries, or in the tenth of a second between the reservation and the first",
        "AskCustomerFunction",
        "SendTaskSuccess",
        (
            "answer lost after",
            "failing before",
            "killed after",
            "killed before",
            "no answer after",
            "stale token",
            "throttled before",
            "timed out before",
        ),
    ),
    Reason(
        "begin_unwinding enters cash only where an order that is paid at the door has a parcel that has arrived, and the rest of it cannot be handed over",
        "BeginUnwindingFunction",
        "UpdateItem",
        (
            "killed before",
            "no answer after",
            "timed out after",
            "timed out before",
        ),
    ),
)


def explained() -> Mapping[Cell, str]:
    """Each fault at its moment that a row explains, with the row's words."""
    return {cell: reason.says for reason in REASONS for cell in reason.cells()}


def recorded() -> Counter[Cell]:
    """What the recorded run has met."""
    return gathered(RECORDED)


def gathered(path: Path) -> Counter[Cell]:
    """What the runs have met that were gathered in a file."""
    return Counter({(where, call, fault, moment): times for where, call, fault, moment, times in json.loads(path.read_text())})


def unmet(wiring: Wiring, path: Path | None) -> list[Cell]:
    """What those runs have not met; nothing where there is no file of them."""
    return Universe(wiring).left(gathered(path)) if path else []


def keep(covered: Counter[Cell], path: Path) -> None:
    """Writes what was met, a line for each: of what a file has already, the sum."""
    every = covered + gathered(path) if path.exists() else covered
    lines = ",\n".join(json.dumps([*cell, times]) for cell, times in sorted(every.items()))
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def table(universe: Universe, covered: Counter[Cell]) -> str:
    """Each part with what was met of it, what is explained, and what is not, as Markdown."""
    reasons = explained()
    counts: dict[str, Counter[str]] = {"all": Counter()}
    for cell, part in universe.cells.items():
        kind = "met" if covered[cell] else "explained" if cell in reasons else "unexplained"
        for row in ("all", part):
            counts.setdefault(row, Counter()).update([kind])
    rows = [
        f"| {part} | {found['met']} | {found['explained']} | {found['unexplained']} | {found.total()} |"
        for part, found in counts.items()
    ]
    return "\n".join(["| where | met | explained | unexplained | of |", "|---|---|---|---|---|", *rows])


def unexplained(universe: Universe, covered: Counter[Cell]) -> list[Cell]:
    """What was not met, and no row explains."""
    reasons = explained()
    return [cell for cell in universe.left(covered) if cell not in reasons]


def reasons() -> str:
    """The rows as Markdown."""
    rows = [f"| {one.where} | {one.call} | {', '.join(one.faults)} | {one.says} |" for one in REASONS]
    return "\n".join(["| where | call | not met | because |", "|---|---|---|---|", *rows])
