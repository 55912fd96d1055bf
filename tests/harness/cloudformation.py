"""What CloudFormation would make of the expanded template: values, and which resources another set of parameters replaces."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

REGION = "us-east-1"
PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/orders/1a2b",
    "AWS::StackName": "orders",
    "AWS::URLSuffix": "amazonaws.com",
}
NO_VALUE = object()


class Deployed:
    """One deployment of a template: its parameters are the given ones, or their defaults."""

    def __init__(self, template: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
        self.resources: Mapping[str, Any] = template["Resources"]
        self._template = template
        defaults = {name: str(declared["Default"]) for name, declared in template["Parameters"].items()}
        self._parameters = {**PSEUDO, **defaults, **parameters}

    def of(self, kind: str) -> dict[str, Any]:
        """The properties of all resources of one type, as values."""
        return {name: self.value(made["Properties"]) for name, made in self.resources.items() if made["Type"] == kind}

    def identity(self, name: str) -> str:
        """What stays the same as long as CloudFormation keeps a resource: its logical id, and what AWS cannot change in it."""
        made = self.resources[name]
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, made["Type"]).schema
        fixed = {path.split("/")[2] for path in schema.get("createOnlyProperties", [])}
        kept = self.value({key: value for key, value in made.get("Properties", {}).items() if key in fixed})
        return f"{name} {hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()}"

    def value(self, found: Any) -> Any:
        """A value with every function of CloudFormation's carried out; a resource's attribute names the resource's identity."""
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
        return self._parameters[name] if name in self._parameters else self.identity(name)

    def attribute(self, path: Any) -> str:
        name, attribute = path if isinstance(path, list) else path.split(".", 1)
        return f"{attribute} of {self.identity(name)}"

    def sub(self, text: Any) -> str:
        assert isinstance(text, str), "no template here gives Fn::Sub variables of its own"
        return re.sub(r"\$\{([\w:]+)(?:[.](\w+))?\}", lambda m: str(self._named(m[1], m[2])), text)

    def _named(self, name: str, attribute: str | None) -> Any:
        return self.attribute([name, attribute]) if attribute else self.ref(name)


_FUNCTIONS: Mapping[str, Any] = {
    "Ref": Deployed.ref,
    "Condition": Deployed.holds,
    "Fn::GetAtt": Deployed.attribute,
    "Fn::Sub": Deployed.sub,
    "Fn::If": lambda self, given: self.value(given[1 if self.holds(given[0]) else 2]),
    "Fn::Equals": lambda self, given: self.value(given[0]) == self.value(given[1]),
    "Fn::Not": lambda self, given: not self.value(given[0]),
    "Fn::And": lambda self, given: all(self.value(one) for one in given),
    "Fn::Join": lambda self, given: given[0].join(map(str, self.value(given[1]))),
    "Fn::Split": lambda self, given: self.value(given[1]).split(given[0]),
    "Fn::Select": lambda self, given: self.value(given[1])[int(given[0])],
    "Fn::FindInMap": lambda self, given: self._template["Mappings"][given[0]][self.value(given[1])][given[2]],
}
