"""The one reader of the templates: what SAM makes of them, and what CloudFormation would make of that."""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from local.stack.expansion import keep, kept, place_of

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"
PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/orders/1a2b",
    "AWS::StackName": "orders",
    "AWS::URLSuffix": "amazonaws.com",
}
NO_VALUE = object()
Named = Callable[[str, str | None], str]
"""What a resource, or one of its attributes, is called once it is deployed."""


# --- what SAM makes of it ---


def expanded(parameters: Mapping[str, str] | None = None, *, released: bool = False) -> dict[str, Any]:
    """The product's template in plain CloudFormation; see ``local.stack.template``. A copy of the caller's own."""
    made: dict[str, Any] = json.loads(_expanded(tuple(sorted((parameters or {}).items())), released))
    return made


@cache
def _expanded(parameters: tuple[tuple[str, str], ...], released: bool) -> str:
    """Expanding takes a second: once for all processes, as the stacks keep it too."""
    place = place_of(TEMPLATE, dict(parameters), released=released)
    text = kept(place)
    if text is None:
        from local.stack.template import expand  # noqa: PLC0415 - a second of imports for what is mostly kept

        text = json.dumps(expand(TEMPLATE, dict(parameters), released=released))
        keep(place, text)
    return text


# --- what CloudFormation makes of that ---


def by_logical_id(name: str, attribute: str | None) -> str:
    """Resources that stand for themselves."""
    return f"{name}.{attribute}" if attribute else name


class Deployed:
    """One deployment of a template: its parameters are the given ones, or their defaults."""

    def __init__(
        self, template: Mapping[str, Any], parameters: Mapping[str, str] | None = None, named: Named = by_logical_id
    ) -> None:
        self.resources: Mapping[str, Any] = template["Resources"]
        self._template = template
        defaults = {name: str(declared.get("Default", "")) for name, declared in template["Parameters"].items()}
        self._parameters = {**PSEUDO, **defaults, **(parameters or {})}
        self._named = named

    def of(self, kind: str) -> dict[str, Any]:
        """The properties of all resources of one type, as values."""
        return {name: self.value(made["Properties"]) for name, made in self.resources.items() if made["Type"] == kind}

    def value(self, found: Any) -> Any:
        """A value with every function of CloudFormation's carried out."""
        if isinstance(found, list):
            return [value for one in found if (value := self.value(one)) is not NO_VALUE]
        if not isinstance(found, dict):
            return found
        name, argument = next(iter(found.items()), ("", None))
        act = _FUNCTIONS.get(name) if len(found) == 1 else None
        if act:
            return act(self, argument)
        return {key: value for key, one in found.items() if (value := self.value(one)) is not NO_VALUE}

    def holds(self, condition: str) -> bool:
        """Whether a condition of the template is met."""
        return bool(self.value(self._template["Conditions"][condition]))

    def ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        return self._parameters[name] if name in self._parameters else self._named(name, None)

    def attribute(self, path: Any) -> str:
        name, attribute = path if isinstance(path, list) else path.split(".", 1)
        return self._named(name, attribute)

    def sub(self, text: Any) -> str:
        assert isinstance(text, str), "no template here gives Fn::Sub variables of its own"
        return re.sub(r"\$\{([\w:]+)(?:[.](\w+))?\}", lambda m: str(self._of(m[1], m[2])), text)

    def _of(self, name: str, attribute: str | None) -> Any:
        return self._named(name, attribute) if attribute else self.ref(name)


_FUNCTIONS: Mapping[str, Any] = {
    "Ref": Deployed.ref,
    "Condition": Deployed.holds,
    "Fn::GetAtt": Deployed.attribute,
    "Fn::Sub": Deployed.sub,
    "Fn::If": lambda self, given: self.value(given[1 if self.holds(given[0]) else 2]),
    "Fn::Equals": lambda self, given: self.value(given[0]) == self.value(given[1]),
    "Fn::Not": lambda self, given: not self.value(given[0]),
    "Fn::And": lambda self, given: all(self.value(one) for one in given),
    "Fn::Or": lambda self, given: any(self.value(one) for one in given),
    "Fn::Join": lambda self, given: given[0].join(map(str, self.value(given[1]))),
    "Fn::Split": lambda self, given: self.value(given[1]).split(given[0]),
    "Fn::Select": lambda self, given: self.value(given[1])[int(given[0])],
    "Fn::FindInMap": lambda self, given: self._template["Mappings"][given[0]][self.value(given[1])][given[2]],
}


# --- the parts that tests need most ---


def table_properties(resources: Mapping[str, Any]) -> dict[str, Any]:
    """What creates the table, as far as an engine in memory needs it."""
    properties = resources["OrdersTable"]["Properties"]
    names = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    return {name: properties[name] for name in names}


def environment(deployed: Deployed) -> dict[str, str]:
    """The variables that every function gets."""
    functions = deployed.of("AWS::Lambda::Function")
    variables: Mapping[str, Any] = next(iter(functions.values()))["Environment"]["Variables"]
    return {name: str(value) for name, value in variables.items()}
