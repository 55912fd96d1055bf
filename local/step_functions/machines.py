"""A state machine, and what of the language can be run here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from local.common import Json

LAMBDA = "arn:aws:states:::lambda:invoke"
CALLBACK = "arn:aws:states:::lambda:invoke.waitForTaskToken"
START_EXECUTION = "arn:aws:states:::states:startExecution"
RESOURCES = {
    LAMBDA: ("lambda", "invoke"),
    CALLBACK: ("lambda", "invoke.waitForTaskToken"),
    START_EXECUTION: ("states", "startExecution"),
}
TYPES = {"Task", "Choice", "Wait", "Pass", "Succeed", "Fail"}


@dataclass(frozen=True, slots=True)
class Machine:
    arn: str
    name: str
    role_arn: str
    definition: dict[str, Json]


def unsupported(definition: Mapping[str, Json]) -> list[str]:
    """What of the definition this walker cannot run; a machine is refused at start, not half-run."""
    found = [] if definition.get("QueryLanguage", "JSONPath") == "JSONPath" else ["QueryLanguage JSONata"]
    for name, state in definition["States"].items():
        if state["Type"] not in TYPES:
            found.append(f"{name}: Type {state['Type']}")
        if state["Type"] == "Task" and state["Resource"] not in RESOURCES:
            found.append(f"{name}: Resource {state['Resource']}")
        found += [f"{name}: {word}" for word in ("QueryLanguage", "Assign", "Arguments", "Output") if word in state]
    return found
