"""operations.yaml: its hand-written part as it is, and what is derived below it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from local import documents
from tools.operations.alarms import alarms
from tools.operations.dashboard import dashboard
from tools.operations.declared import declared
from tools.operations.measures import FlatList, FlatMapping, Ref, Sub

ROOT = Path(__file__).parents[2]
TEMPLATE, OPERATIONS = ROOT / "template.yaml", ROOT / "operations.yaml"
DERIVED = "  # --- What follows is written by `make operations`, from template.yaml and tools/operations ---\n"
"""The line of operations.yaml above which it is written by hand."""


class _Dumper(yaml.SafeDumper):
    """Writes CloudFormation's short forms, and no anchors, which it does not take."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML calls it so
        """Nothing is written as a reference to an equal thing before it."""
        return True


_Dumper.add_representer(Ref, lambda dumper, value: dumper.represent_scalar("!Ref", value))
_Dumper.add_representer(Sub, lambda dumper, value: dumper.represent_scalar("!Sub", value, "|" if "\n" in value else '"'))
_Dumper.add_representer(
    FlatList, lambda dumper, value: dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True)
)
_Dumper.add_representer(
    FlatMapping, lambda dumper, value: dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=True)
)


def derived(template: Mapping[str, Any]) -> str:
    """The part of operations.yaml that follows its hand-written part."""
    found = declared(template)
    listed = list(alarms(found))
    body = Sub(dashboard([alarm.name for alarm in listed], found))
    shown = {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardName": Ref("Product"), "DashboardBody": body}}
    resources = {_logical_id(alarm.name): alarm.resource() for alarm in listed} | {"Dashboard": shown}
    texts = (
        yaml.dump({name: made}, Dumper=_Dumper, sort_keys=False, width=10_000, default_flow_style=False)
        for name, made in resources.items()
    )
    return "\n".join("".join(f"  {line}" for line in text.splitlines(keepends=True)) for text in texts)


def _logical_id(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-")) + "Alarm"


def written(template: Path = TEMPLATE, operations: Path = OPERATIONS) -> str:
    """What operations.yaml should hold: its hand-written part as it is, and what is derived."""
    by_hand, line, _ = operations.read_text(encoding="utf-8").partition(DERIVED)
    if not line:
        raise ValueError(f"{operations.name} has no line under which the derived part belongs")
    return by_hand + line + "\n" + derived(documents.read(template))
