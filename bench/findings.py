"""What one run of the benchmarks found."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from bench import cold, standing, units
from bench.pipeline import Flood


@dataclass
class Party:
    """The product, or what somebody would take instead."""

    name: str
    version: str
    floods: dict[int, list[Flood]] = field(default_factory=dict)
    one: list[float] = field(default_factory=list)
    status: list[float] = field(default_factory=list)
    beyond: list[float] = field(default_factory=list)
    missing: str = ""

    def median(self, count: int, of: Callable[[Flood], float]) -> float:
        return statistics.median(map(of, self.floods[count]))

    def spread(self, count: int, of: Callable[[Flood], float]) -> str:
        values = [of(flood) for flood in self.floods[count]]
        return f"{min(values):.1f}-{max(values):.1f}"


@dataclass
class Findings:
    began: datetime
    calm: str
    parties: list[Party]
    cold: list[cold.ColdStart]
    cold_missing: str
    bills: list[units.Bill]
    trips: tuple[int, int] | None
    """Calls of AWS for one ``POST /orders``, and for one read of a status."""
    standing: standing.Standing | None
