"""The two machines as they stand in ``statemachine/``, with what the template and the code have to say about them."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from orders.domain.steps import WAITS
from tests.harness.cloudformation import expanded
from tests.statemachine.graph import Rules
from tests.statemachine.raises import raised_by

ROOT = Path(__file__).parents[2]
FULFIL, UNWIND = "FulfilOrder", "UnwindOrder"
FILES = {FULFIL: "fulfill_order.asl.json", UNWIND: "unwind_order.asl.json"}
INPUTS = {
    FULFIL: (
        "$.order_id",
        "$.run",
        # The limit of a transfer is the confirmation's, for an order that is paid by one.
        *(f"$.waits.{wait.name}" for wait in WAITS if wait.name != "transfer"),
        "$.waits.transit",
    ),
    UNWIND: ("$.order_id", "$.run", "$.undo_from"),
}
UNDOING = {FULFIL: "Unwind order", UNWIND: "Left to the sweep"}
LAST_RESORT = "Left to the sweep"


def definition(machine: str) -> dict[str, Any]:
    """The machine's definition, ``${…}`` and all."""
    found: dict[str, Any] = json.loads((ROOT / "statemachine" / FILES[machine]).read_text(encoding="utf-8"))
    return found


@cache
def template() -> dict[str, Any]:
    """The template as CloudFormation sees it."""
    return expanded()


def substitutions(machine: str) -> dict[str, str]:
    """For each ``${…}`` of the machine the module of the function that the template puts in for it."""
    made = template()["Resources"]
    targets = made[machine]["Properties"]["DefinitionSubstitutions"]
    return {name: made[target["Fn::GetAtt"][0]]["Properties"]["Handler"].partition(".")[0] for name, target in targets.items()}


def rules(machine: str) -> Rules:
    """What the machine is checked against."""
    modules = substitutions(machine)
    return Rules(
        inputs=INPUTS[machine],
        substitutions=modules.keys(),
        raises=lambda name: raised_by(modules[name]),
        undoing=UNDOING[machine],
        last_resort=LAST_RESORT,
    )
