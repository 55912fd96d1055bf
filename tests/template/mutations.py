"""The list of what can be taken away from the wiring: every variable, grant, permission, event source, route and alarm."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.template import wiring
from tests.template.wiring import Deployment, faults

Resources = dict[str, Any]


@dataclass(frozen=True)
class Mutation:
    """One thing to take away from a copy of both templates' resources; ``kind`` groups them for the count."""

    kind: str
    name: str
    take_away: Callable[[Resources], object]


def is_missed(found: Deployment, mutation: Mutation) -> bool:
    """Whether one of the checks that look at this kind of thing says so once it is gone; one that cannot go on says so too."""
    side = "operations" if mutation.kind == "alarm" else "template"
    resources = copy.copy(getattr(found, side)["Resources"])
    touched = mutation.name.split(" ")[0]
    resources[touched] = copy.deepcopy(resources[touched])
    mutation.take_away(resources)
    changed = {**getattr(found, side), "Resources": resources}
    check = {"variable": wiring.environment, "alarm": wiring.watched}.get(mutation.kind, faults)
    mutated = replace(found, operations=changed) if side == "operations" else replace(found, template=changed)
    try:
        return any(True for _ in check(mutated))
    except (KeyError, IndexError):
        return True


# --- the list ---------------------------------------------------------------------------------------------------------


def mutations(found: Deployment) -> Iterator[Mutation]:
    """One for each thing that the wiring consists of."""
    for name, made in found.template["Resources"].items():
        yield from _OF_KIND.get(made["Type"], _nothing)(name, made["Properties"])
    for name, made in found.operations["Resources"].items():
        if made["Type"] == "AWS::CloudWatch::Alarm":
            yield Mutation("alarm", name, _without(name))
            parts = [number for number, part in enumerate(made["Properties"].get("Metrics", [])) if "MetricStat" in part]
            yield from (Mutation("alarm", f"{name} {number}", _pop(name, "Metrics", number)) for number in parts)


def _nothing(_: str, __: Resources) -> Iterator[Mutation]:
    return iter(())


def _function(name: str, function: Resources) -> Iterator[Mutation]:
    for variable in function["Environment"]["Variables"]:
        yield Mutation("variable", f"{name} {variable}", _pop(name, "Environment", "Variables", variable))


def _role(name: str, role: Resources) -> Iterator[Mutation]:
    for number, arn in enumerate(role.get("ManagedPolicyArns", [])):
        yield Mutation("grant", f"{name} {arn}", _pop(name, "ManagedPolicyArns", number))
    for number, policy in enumerate(role.get("Policies", [])):
        for position, statement in enumerate(policy["PolicyDocument"]["Statement"]):
            path = ("Policies", number, "PolicyDocument", "Statement", position)
            for action in wiring.as_list(statement["Action"]):
                yield Mutation("grant", f"{name} {action}", _drop(name, path, "Action", action))
            for resource in wiring.as_list(statement["Resource"]):
                yield Mutation("grant", f"{name} {resource}", _drop(name, path, "Resource", resource))
            like = statement.get("Condition", {}).get("ForAllValues:StringLike", {})
            for key in like.get("dynamodb:LeadingKeys", []):
                within = (*path, "Condition", "ForAllValues:StringLike")
                yield Mutation("key", f"{name} {key}", _drop(name, within, "dynamodb:LeadingKeys", key))
            if like:
                yield Mutation("narrowing", f"{name} {statement['Sid']}", _pop(name, *path, "Condition"))


def _rule(name: str, rule: Resources) -> Iterator[Mutation]:
    yield Mutation("rule", name, _without(name))
    yield from (Mutation("target", f"{name} {number}", _pop(name, "Targets", number)) for number in range(len(rule["Targets"])))


def _queue_policy(name: str, policy: Resources) -> Iterator[Mutation]:
    yield from (Mutation("queue policy", f"{name} {queue}", _drop(name, (), "Queues", queue)) for queue in policy["Queues"])
    for position, statement in enumerate(policy["PolicyDocument"]["Statement"]):
        path: tuple[str | int, ...] = ("PolicyDocument", "Statement", position)
        for resource in wiring.as_list(statement["Resource"]):
            yield Mutation("queue policy", f"{name} {resource}", _drop(name, path, "Resource", resource))
        ((operator, condition),) = statement["Condition"].items()
        for source in wiring.as_list(condition["aws:SourceArn"]):
            inner = (*path, "Condition", operator)
            yield Mutation("queue policy", f"{name} {source}", _drop(name, inner, "aws:SourceArn", source))


def _api(name: str, api: Resources) -> Iterator[Mutation]:
    for path, methods in api["Body"]["paths"].items():
        for method in methods:
            yield Mutation("route", f"{name} {method} {path}", _pop(name, "Body", "paths", path, method))


def _machine(name: str, machine: Resources) -> Iterator[Mutation]:
    for step in machine["DefinitionSubstitutions"]:
        yield Mutation("step", f"{name} {step}", _pop(name, "DefinitionSubstitutions", step))


def _whole(kind: str) -> Callable[[str, Resources], Iterator[Mutation]]:
    return lambda name, _: iter([Mutation(kind, name, _without(name))])


_OF_KIND: dict[str, Callable[[str, Resources], Iterator[Mutation]]] = {
    "AWS::Lambda::Function": _function,
    "AWS::IAM::Role": _role,
    "AWS::Lambda::Permission": _whole("permission"),
    "AWS::Lambda::EventSourceMapping": _whole("feed"),
    "AWS::Events::Rule": _rule,
    "AWS::SQS::QueuePolicy": _queue_policy,
    "AWS::ApiGatewayV2::Api": _api,
    "AWS::StepFunctions::StateMachine": _machine,
}


# --- taking away ------------------------------------------------------------------------------------------------------


def _without(name: str) -> Callable[[Resources], object]:
    return lambda resources: resources.pop(name)


def _pop(name: str, *path: str | int) -> Callable[[Resources], object]:
    def take_away(resources: Resources) -> object:
        found: Any = resources[name]["Properties"]
        for part in path[:-1]:
            found = found[part]
        return found.pop(path[-1])

    return take_away


def _drop(name: str, path: tuple[str | int, ...], listed: str, value: Any) -> Callable[[Resources], object]:
    """One of what may be a list, or the only one."""

    def take_away(resources: Resources) -> object:
        found: Any = resources[name]["Properties"]
        for part in path:
            found = found[part]
        found[listed] = [one for one in wiring.as_list(found[listed]) if one != value]
        return found

    return take_away
