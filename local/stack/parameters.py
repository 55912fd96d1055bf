"""What CloudFormation refuses of the values that are given for a template's parameters."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

Declared = Mapping[str, Any]


def problems(declared: Mapping[str, Declared], given: Mapping[str, str]) -> list[str]:
    """A sentence for each value that the parameter of its name does not take, and for each name that there is none of."""
    if unknown := sorted(set(given) - set(declared)):
        return [f"no such parameter: {', '.join(unknown)} (there are {', '.join(sorted(declared))})"]
    return [f"{name}: {value!r} {why}" for name, value in given.items() for why in _refusals(declared[name], value)]


def _refusals(parameter: Declared, value: str) -> Iterator[str]:
    """Why the parameter does not take the value: in the template's own words, where it has some."""
    parts = value.split(",") if _is_list(parameter) else [value]
    if any(_is_number(parameter) and _number(part) is None for part in parts):
        yield "is not a number"
    elif "AllowedValues" in parameter and any(part not in map(str, parameter["AllowedValues"]) for part in parts):
        yield f"must be one of {', '.join(map(repr, map(str, parameter['AllowedValues'])))}"
    elif not all(_is_within(parameter, part) for part in parts):
        yield parameter.get("ConstraintDescription", "does not satisfy the parameter's constraints").rstrip(".")


def _is_list(parameter: Declared) -> bool:
    kind = str(parameter["Type"])
    return kind == "CommaDelimitedList" or kind.startswith("List<")


def _is_number(parameter: Declared) -> bool:
    return parameter["Type"] in ("Number", "List<Number>")


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _is_within(parameter: Declared, value: str) -> bool:
    """Between the limits, of a number or of a text's length, and matched as a whole by the pattern."""
    size = float(value) if _is_number(parameter) else len(value)
    smallest, largest = ("MinValue", "MaxValue") if _is_number(parameter) else ("MinLength", "MaxLength")
    matches = "AllowedPattern" not in parameter or re.fullmatch(parameter["AllowedPattern"], value) is not None
    return float(parameter.get(smallest, -math.inf)) <= size <= float(parameter.get(largest, math.inf)) and matches


def broken_rules(template: Mapping[str, Any]) -> list[str]:
    """What the template's rules say of its parameters' values, as CloudFormation says it before it makes anything."""
    values = {name: str(declared.get("Default", "")) for name, declared in template.get("Parameters", {}).items()}
    return [
        assertion["AssertDescription"]
        for rule in template.get("Rules", {}).values()
        if _holds(rule.get("RuleCondition", True), values)
        for assertion in rule["Assertions"]
        if not _holds(assertion["Assert"], values)
    ]


def _holds(condition: Any, values: Mapping[str, str]) -> bool:
    if isinstance(condition, bool):
        return condition
    ((function, parts),) = condition.items()
    if function == "Fn::Equals":
        first, second = (values[part["Ref"]] if isinstance(part, dict) else str(part) for part in parts)
        return first == second
    results = [_holds(part, values) for part in parts]
    return {"Fn::Not": not results[0], "Fn::And": all(results), "Fn::Or": any(results)}[function]
