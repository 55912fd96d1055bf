"""Whatever changes what a function runs with makes a version of it, and nothing else does: Lambda refuses a version of a
function that has not changed, and an alias left on the version before is a change that never goes live.
"""

import hashlib
import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from local.stack.template import expand
from tests.harness.cloudformation import PSEUDO, Deployed, expanded

ROOT = Path(__file__).parents[2]
OTHER_ISSUER = {"JwtIssuer": "https://issuer.example", "JwtAudience": "orders"}
BASES: dict[str, dict[str, str]] = {"own pool": {}, "other issuer": OTHER_ISSUER}
OTHER = {
    "JwtIssuer": "https://another.example",
    "JwtAudience": "another",
    "ShopAudience": "another-shop",
    "JwksUrl": "https://issuer.example/keys",
    "SignInUrl": "https://sign-in.example",
    "ReviewThresholds": "EUR=50000",
    "GroupsClaim": "roles",
    "PagesUrl": "https://shop.example",
    "SimulatedFailureRate": "0.5",
    "MailSender": "orders@shop.example",
    "ShopName": "Tea and Cups",
    "ShopLogoUrl": "https://shop.example/logo.svg",
    "ShopContact": "help@shop.example",
    "PaymentProvider": "another",
    "StripeApiBase": "https://stripe.example",
    "CarrierProvider": "another",
    "CorsOrigins": "https://shop.example",
    "AlarmEmail": "on-call@shop.example",
    "RunbookUrl": "https://wiki.example/runbook",
    "EndpointUrl": "http://127.0.0.1:4566",
}
"""Another value for each parameter whose values cannot be derived."""


@cache
def template() -> dict[str, Any]:
    return expanded(released=True)


def another(name: str) -> str:
    declared = template()["Parameters"][name]
    if name in OTHER:
        return OTHER[name]
    if "AllowedValues" in declared:
        return next(str(value) for value in declared["AllowedValues"] if str(value) != str(declared["Default"]))
    return str(int(declared["Default"]) + 1)


@cache
def create_only(kind: str) -> frozenset[str]:
    """The properties that AWS cannot change."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER  # noqa: PLC0415 - a second of imports that only this needs

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(PSEUDO["AWS::Region"], kind).schema
    return frozenset(path.split("/")[2] for path in schema.get("createOnlyProperties", []))


class Released(Deployed):
    """Its resources are named by what stays the same as long as CloudFormation keeps them."""

    def __init__(self, template: dict[str, Any], parameters: dict[str, str]) -> None:
        super().__init__(template, parameters, lambda name, attribute: f"{attribute or 'Ref'} of {self.identity(name)}")
        self._identities: dict[str, str] = {}

    def identity(self, name: str) -> str:
        """Its logical id, and what AWS cannot change in it."""
        if name not in self._identities:
            self._identities[name] = self._made_identity(name)
        return self._identities[name]

    def _made_identity(self, name: str) -> str:
        made = self.resources[name]
        fixed = create_only(made["Type"])
        kept = self.value({key: value for key, value in made.get("Properties", {}).items() if key in fixed})
        return f"{name} {hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()}"


def versions(found: Released) -> dict[str, str]:
    """The identity of the version that each function's alias names."""
    named = {}
    for alias in (made for made in found.resources.values() if made["Type"] == "AWS::Lambda::Alias"):
        version = alias["Properties"]["FunctionVersion"]["Fn::GetAtt"][0]
        named[alias["Properties"]["FunctionName"]["Ref"]] = found.identity(version)
    return named


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name in before if before[name] != after[name]}


@cache
def deployed_before(base: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The functions, and the identities of their versions, before a parameter changes."""
    before = Released(template(), BASES[base])
    return before.of("AWS::Lambda::Function"), versions(before)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("name", sorted(template()["Parameters"]))
def test_a_parameter_makes_versions_of_the_functions_that_it_changes_and_of_no_others(name: str, base: str) -> None:
    functions, before = deployed_before(base)
    after = Released(template(), {**BASES[base], name: another(name)})
    affected = changed(functions, after.of("AWS::Lambda::Function"))
    assert changed(before, versions(after)) == affected


@pytest.mark.parametrize("name", ["LogLevel", "PaymentWaitSeconds", "ReviewThreshold", "DeliveryMode", "JwtIssuer", "PagesUrl"])
def test_what_functions_are_told_by_a_parameter_reaches_all_of_them(name: str) -> None:
    given = {**OTHER_ISSUER, name: another(name)} if name.startswith("Jwt") else {name: another(name)}
    before, after = versions(Released(template(), {})), versions(Released(template(), given))
    assert changed(before, after) == set(Released(template(), {}).of("AWS::Lambda::Function"))


def test_the_numbered_settings_name_each_parameter_once() -> None:
    lines = template()["Resources"]["Settings"]["Properties"]["Content"]["Fn::Sub"].splitlines()
    assert all(re.fullmatch(r"(\w+)=\$\{\1\}", line) for line in lines)
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize(
    ("text", "replacement"),
    [
        ("    Timeout: 30\n", "    Timeout: 20\n"),
        ("    MemorySize: 512\n", "    MemorySize: 256\n"),
        ("      SystemLogLevel: INFO\n", "      SystemLogLevel: DEBUG\n"),
        ("[LambdaLogLevels, !Ref LogLevel, Application]", "[LambdaLogLevels, ERROR, Application]"),
    ],
)
def test_a_setting_that_the_template_changes_makes_a_version_of_every_function(
    text: str, replacement: str, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "statemachine", tmp_path / "statemachine")
    written = (ROOT / "template.yaml").read_text(encoding="utf-8")
    assert written.count(text) == 1
    (tmp_path / "template.yaml").write_text(written.replace(text, replacement), encoding="utf-8")
    before, after = (
        {name for name, made in expanded["Resources"].items() if made["Type"] == "AWS::Lambda::Version"}
        for expanded in (template(), expand(tmp_path / "template.yaml", released=True))
    )
    assert len(before) == len(after) == len(Released(template(), {}).of("AWS::Lambda::Function"))
    assert before & after == set()


def test_lambda_is_given_other_code_for_another_template_and_for_another_layer(tmp_path: Path) -> None:
    for folder in ("functions", "layers"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "template.yaml", tmp_path)
    digests = [digest(tmp_path)]
    for path in (tmp_path / "template.yaml", tmp_path / "layers/orders/python/orders/domain/order.py"):
        with path.open("a", encoding="utf-8") as file:
            file.write("# another\n")
        digests.append(digest(tmp_path))
    assert len(set(digests)) == 3
    assert digest(tmp_path) == digests[-1], "what has not changed makes no version"


def digest(root: Path) -> str:
    artifacts = root / "artifacts"
    shutil.rmtree(artifacts, ignore_errors=True)
    artifacts.mkdir()
    make = shutil.which("make")
    assert make
    subprocess.run([make, "-C", root / "functions", "build-Any", f"ARTIFACTS_DIR={artifacts}"], check=True, capture_output=True)
    return (artifacts / "release.digest").read_text(encoding="ascii")


def test_a_machine_s_alias_names_a_version_of_what_is_deployed_now() -> None:
    machines = {name for name, made in template()["Resources"].items() if made["Type"] == "AWS::StepFunctions::StateMachine"}
    for machine in machines:
        version = template()["Resources"][f"{machine}Version"]
        # AWS gives a machine another revision for another definition, role, logging or tracing; a version is of one revision.
        assert version["Properties"]["StateMachineRevisionId"] == {"Fn::GetAtt": [machine, "StateMachineRevisionId"]}
        assert version["UpdateReplacePolicy"] == "Retain", "the version before is what a release is taken back to"
        alias = template()["Resources"][f"{machine}Aliaslive"]["Properties"]
        assert alias["DeploymentPreference"]["StateMachineVersionArn"] == {"Ref": f"{machine}Version"}
    assert len(machines) == 2


def test_a_release_that_no_alarm_can_hold_up_is_one_parameter_away() -> None:
    gradual = Released(template(), {})
    assert all(
        alias["DeploymentPreference"]["Alarms"] for alias in gradual.of("AWS::StepFunctions::StateMachineAlias").values()
    )
    at_once = Released(expanded({"GradualDeployment": "false"}, released=True), {"GradualDeployment": "false"})
    assert at_once.of("AWS::CodeDeploy::DeploymentGroup") == {}
    aliases = [made for made in at_once.resources.values() if made["Type"] == "AWS::Lambda::Alias"]
    assert len(aliases) == len(at_once.of("AWS::Lambda::Function"))
    assert [alias for alias in aliases if "UpdatePolicy" in alias] == [], "the alias moves without CodeDeploy"
    machines = at_once.of("AWS::StepFunctions::StateMachineAlias")
    assert {alias["DeploymentPreference"]["Type"] for alias in machines.values()} == {"ALL_AT_ONCE"}
    assert [alias for alias in machines.values() if "Alarms" in alias["DeploymentPreference"]] == []
    assert len(machines) == 2
