"""The tables of ``docs/simulator.md`` that stand in the code: printed anew, so that the page can follow."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType

from simulator import explained
from simulator.coverage import Universe
from simulator.faults import CALL_FAULTS, OTHER_FAULTS, Fault
from simulator.mutations import MUTATIONS


def faults() -> str:
    """Each fault: what happens, around which calls or at which places, and where it is documented."""
    rows = [
        f"| {fault.name} | {fault.says} | {_moments(fault)} | {fault.documented} |" for fault in (*CALL_FAULTS, *OTHER_FAULTS)
    ]
    return "\n".join(["| fault | what happens | moments | documented |", "|---|---|---|---|", *rows])


def _moments(fault: Fault) -> str:
    return f"{' and '.join(fault.moments)} {len(fault.calls)} calls" if fault.calls else "a place of its own"


def defects() -> str:
    """Each planted defect, and where it is planted."""
    rows = [f"| {one.says} | `{one.path.removeprefix('layers/orders/python/')}` |" for one in MUTATIONS]
    return "\n".join(["| defect | file |", "|---|---|", *rows])


def laws() -> str:
    """Each law, in its own words."""
    from simulator.run import product  # noqa: PLC0415 - the laws' modules read the environment of the product

    product()
    from simulator.laws import LAWS  # noqa: PLC0415

    rows = [f"| {name} | {(law.__doc__ or '').splitlines()[0]} |" for name, law in LAWS.items()]
    return "\n".join(["| law | what holds |", "|---|---|", *rows])


def coverage() -> str:
    """What the recorded run has met of the list."""
    from simulator.run import product  # noqa: PLC0415 - as above

    return explained.table(Universe(product()), explained.recorded())


TABLES: Mapping[str, Callable[[], str]] = MappingProxyType(
    {"faults": faults, "defects": defects, "laws": laws, "coverage": coverage, "unmet": explained.reasons}
)

if __name__ == "__main__":
    for name in sys.argv[1:] or TABLES:
        print(TABLES[name](), end="\n\n")
