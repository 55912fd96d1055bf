"""What the template declares, as far as it is watched: functions by group, machines, and what feeds functions.

A function is watched in the group that its calls put it in, or in the one that its ``Metadata`` names as ``AlarmGroup``.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orders.services.recovery import FULFILLMENT, UNWINDING

MOST_IN_AN_EXPRESSION = 10
"""An alarm's expression takes ten metrics at most."""

Resource = Mapping[str, Any]


@dataclass(frozen=True)
class Group:
    """Functions that share their alarms; ``are`` says what they are, the rest which of their errors are everyday business."""

    are: str
    passing_faults: bool = False
    refusals: bool = False


GROUPS: Mapping[str, Group] = {
    "api": Group("functions behind the API"),
    "desk": Group("functions behind the desk's part of the API"),
    # A refusal (an order that was closed meanwhile; for older executions a declined card) leaves a step as an error too, and
    # is subtracted.
    # Some passing faults, which are tried again, are everyday business as well.
    "step": Group("functions that are the workflow's steps", passing_faults=True, refusals=True),
    "unwinding": Group("functions that unwind orders", passing_faults=True),
    "inbound": Group("functions that take what warehouses and payment providers report on the bus"),
    "consumer": Group("functions behind streams, queues and schedules"),
}


@dataclass(frozen=True)
class MachineAlarms:
    """A state machine: what its metrics and alarms call it, and its functions' group."""

    alarms: str
    group: str


MACHINES: Mapping[str, MachineAlarms] = {
    "FulfilOrder": MachineAlarms(alarms=FULFILLMENT, group="step"),
    "UnwindOrder": MachineAlarms(alarms=UNWINDING, group="unwinding"),
}


@dataclass(frozen=True)
class Declared:
    """What is to be watched, by its name without the stack's: functions by group, machines and streams by their logical ids."""

    functions: Mapping[str, Sequence[str]]
    machines: Mapping[str, str]
    streams: Mapping[str, str]
    queues: Sequence[str]


def declared(template: Mapping[str, Any]) -> Declared:
    """What the template declares; raises ``ValueError`` where its functions cannot be watched in groups."""
    resources: Mapping[str, Resource] = template["Resources"]
    steps = {
        target["Ref"].removesuffix(".Alias"): MACHINES[name].group
        for name, machine in _of(resources, "AWS::Serverless::StateMachine")
        for target in machine["DefinitionSubstitutions"].values()
    }
    functions = defaultdict(list)
    names = {}
    for name, function in _of(resources, "AWS::Serverless::Function"):
        names[name] = _own(function["FunctionName"])
        functions[_group(resources[name], steps.get(name))].append(names[name])
    _check(functions)
    fed = {
        name: (names[feed["FunctionName"]["Ref"].removesuffix(".Alias")], "StartingPosition" in feed)
        for name, feed in _of(resources, "AWS::Lambda::EventSourceMapping")
    }
    return Declared(
        functions={group: functions[group] for group in GROUPS},
        machines={name: _own(machine["Name"]) for name, machine in _of(resources, "AWS::Serverless::StateMachine")},
        streams={name: function for name, (function, is_stream) in fed.items() if is_stream},
        queues=[function for function, is_stream in fed.values() if not is_stream],
    )


def _check(groups: Mapping[str, Sequence[str]]) -> None:
    if unknown := set(groups) - set(GROUPS):
        raise ValueError(f"There are no such groups of alarms: {sorted(unknown)}")
    # One less, for what is subtracted.
    if crowded := [group for group, members in groups.items() if len(members) >= MOST_IN_AN_EXPRESSION]:
        raise ValueError(f"An alarm cannot take all functions of {crowded}: name another AlarmGroup in the Metadata of some")


def _of(resources: Mapping[str, Resource], kind: str) -> Iterator[tuple[str, Any]]:
    return ((name, made["Properties"]) for name, made in resources.items() if made["Type"] == kind)


def _own(name: Mapping[str, str]) -> str:
    return name["Fn::Sub"].removeprefix("${AWS::StackName}-")


def _group(function: Resource, of_its_machine: str | None) -> str:
    """By what calls it, where it does not say so itself."""
    calls = {event["Type"] for event in function["Properties"].get("Events", {}).values()}
    by_its_calls = of_its_machine or ("api" if "HttpApi" in calls else "consumer")
    return str(function["Metadata"].get("AlarmGroup", by_its_calls))
