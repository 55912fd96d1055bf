"""Each payment provider and each carrier is whole: its module, the parameter that selects it, its contract tests, its page."""

import ast
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from orders.adapters.payment_webhooks import SENDERS
from orders.domain.payment_reports import OTHERS, OWN_FORMAT
from orders.settings import NO_CARRIER
from tests.providers.cases import ADAPTERS, CARRIERS, PAYMENTS, modules
from tests.template.test_wiring import template

PAGE = Path(__file__).parents[2] / "docs/providers.md"


@dataclass(frozen=True)
class Kind:
    """What is the same for all providers of a kind: where they are, and the constant of which type each module has."""

    package: str
    parameter: str
    constant: str
    protocol: str
    tested: frozenset[str]


KINDS = (
    Kind("payments", "PaymentProvider", "GATEWAY", "PaymentGateway", frozenset(PAYMENTS)),
    Kind("carriers", "CarrierProvider", "CARRIER", "Carrier", frozenset({*CARRIERS, NO_CARRIER})),
)


def faults(kind: Kind, adapters: Path = ADAPTERS) -> list[str]:
    """What is missing of the providers of a kind, in words."""
    found = modules(kind.package, adapters)
    selectable = set(template()["Parameters"][kind.parameter]["AllowedValues"])
    page = PAGE.read_text(encoding="utf-8")
    return [
        *(f"template.yaml: {kind.parameter} does not allow {name}" for name in sorted(found - selectable)),
        *(f"template.yaml: {kind.parameter} allows {name}, which has no module" for name in sorted(selectable - found)),
        *(f"tests/providers/cases.py: {name} has no contract tests" for name in sorted(found - kind.tested)),
        *(f"docs/providers.md: nothing about `{name}`" for name in sorted(found) if f"`{name}`" not in page),
        *(
            f"{kind.package}/{name}.py: no `{kind.constant}: {kind.protocol}`"
            for name in sorted(found)
            if not _declares(kind, adapters / kind.package / f"{name}.py")
        ),
    ]


def _declares(kind: Kind, path: Path) -> bool:
    """Whether the module has the constant, annotated with the protocol: mypy compares what it is with what it has to be."""
    return any(
        isinstance(node, ast.AnnAssign)
        and (ast.unparse(node.target), ast.unparse(node.annotation)) == (kind.constant, kind.protocol)
        for node in ast.parse(path.read_text(encoding="utf-8")).body
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.package)
def test_every_provider_is_whole(kind: Kind) -> None:
    assert faults(kind) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.package)
def test_what_is_missing_of_a_new_provider_is_reported(kind: Kind, tmp_path: Path) -> None:
    shutil.copytree(ADAPTERS / kind.package, tmp_path / kind.package)
    (tmp_path / kind.package / "planted.py").write_text("class Planted:\n    pass\n", encoding="utf-8")
    about = [fault for fault in faults(kind, tmp_path) if "planted" in fault]
    assert about == [
        f"template.yaml: {kind.parameter} does not allow planted",
        "tests/providers/cases.py: planted has no contract tests",
        "docs/providers.md: nothing about `planted`",
        f"{kind.package}/planted.py: no `{kind.constant}: {kind.protocol}`",
    ]


def test_every_sender_of_payment_webhooks_is_known_as_one_and_has_its_secret() -> None:
    assert set(SENDERS) == {*OWN_FORMAT, OTHERS}
    named = {
        resource["Properties"].get("Name", {}).get("Fn::Sub")
        for resource in template()["Resources"].values()
        if resource["Type"] == "AWS::SecretsManager::Secret"
    }
    assert {f"${{AWS::StackName}}/payments/{sender}-webhooks" for sender in SENDERS} <= named


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.package)
def test_a_parameter_s_value_without_a_module_is_reported(kind: Kind, tmp_path: Path) -> None:
    (tmp_path / kind.package).mkdir()
    assert f"template.yaml: {kind.parameter} allows simulated, which has no module" in faults(kind, tmp_path)
