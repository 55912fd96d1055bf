"""The alarms and the dashboard are what the template and the code ask for, and the runbook has a section for each alarm."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from local import documents
from orders.metrics import NAMESPACE, Metric
from orders.services.stuck import STUCK_STATUSES
from tests.harness.cloudformation import expanded
from tests.template import wiring
from tools.operations.declared import declared
from tools.operations.file import written

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
OPERATIONS: dict[str, Any] = documents.read(ROOT / "operations.yaml")
ALARMS = wiring.alarms(OPERATIONS)


@cache
def released() -> dict[str, Any]:
    return expanded(released=True)


def of(kind: str) -> dict[str, dict[str, Any]]:
    return {name: made["Properties"] for name, made in released()["Resources"].items() if made["Type"] == kind}


def sections() -> dict[str, str]:
    """The runbook's sections of alarms: each begins with its anchor."""
    parts = re.split(r'^### <a id="([a-z-]+)"></a>', RUNBOOK, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def link(alarm: dict[str, Any]) -> str:
    text = alarm["AlarmDescription"]["Fn::Sub"]
    found = re.fullmatch(r"[A-Z].*[.] \$\{Runbook\}#([a-z-]+)", text)
    assert found, text
    return found[1]


def test_the_file_is_what_is_derived() -> None:
    assert (ROOT / "operations.yaml").read_text(encoding="utf-8") == written(), "make operations writes it anew"


def a_template(group: str, functions: int) -> dict[str, Any]:
    function = {"FunctionName": {"Fn::Sub": "${AWS::StackName}-f"}}
    made = {"Type": "AWS::Serverless::Function", "Metadata": {"AlarmGroup": group}, "Properties": function}
    return {"Resources": {f"F{number}": made for number in range(functions)}}


def test_functions_that_cannot_be_watched_in_groups_are_refused() -> None:
    assert declared(a_template("desk", 9)).functions["desk"] == ["f"] * 9
    with pytest.raises(ValueError, match=r"cannot take all functions of \['desk'\]"):
        declared(a_template("desk", 10))
    with pytest.raises(ValueError, match=r"no such groups of alarms: \['office'\]"):
        declared(a_template("office", 1))


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_an_alarm_links_its_section_and_tells_somebody(name: str) -> None:
    alarm = ALARMS[name]
    assert f"`{name}`" in sections()[link(alarm)], "the section names the alarm"
    assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "Alarms"}]
    assert alarm["TreatMissingData"] == ("breaching" if name == "sweep-missing" else "notBreaching")


def test_every_section_of_the_runbook_is_some_alarm_s() -> None:
    assert {link(alarm) for alarm in ALARMS.values()} == set(sections())
    named = {
        name
        for text in sections().values()
        for name in re.findall(r"^Alarms?: (.*)$", text, re.MULTILINE)
        for name in re.findall(r"`([a-z0-9-]+)`", name)
    }
    assert named == set(ALARMS)


@pytest.mark.parametrize("anchor", sorted(sections()))
def test_a_section_says_what_to_look_at_what_to_run_and_when_it_is_over(anchor: str) -> None:
    for heading in ("**Look at**", "**Run**", "**Over when**"):
        assert heading in sections()[anchor]


def test_an_alarm_s_metric_of_our_own_is_one_that_the_code_has() -> None:
    watched = {(metric, dimensions) for space, metric, dimensions in wiring.alarmed(OPERATIONS) if space == NAMESPACE}
    assert {metric for metric, _ in watched} <= set(Metric)
    stuck = {dimensions.partition("status=")[2] for metric, dimensions in watched if metric == Metric.ORDERS_STUCK}
    assert stuck == {status.value for status in STUCK_STATUSES}


def test_a_function_near_its_time_out_is_told_of_before_it_is_cut_off() -> None:
    timeouts = {function["Timeout"] for function in of("AWS::Lambda::Function").values()}
    durations = [alarm for name, alarm in ALARMS.items() if name.endswith("-function-duration")]
    assert {alarm["Threshold"] for alarm in durations} == {800 * timeout for timeout in timeouts}


def test_an_expression_takes_ten_metrics_at_most() -> None:
    assert max(len(alarm.get("Metrics", [])) for alarm in ALARMS.values()) <= 11


def test_what_takes_a_release_back_is_an_alarm_that_there_is() -> None:
    groups = of("AWS::CodeDeploy::DeploymentGroup").values()
    named = {alarm["Name"]["Fn::Sub"] for group in groups for alarm in group["AlarmConfiguration"]["Alarms"]}
    named |= {
        a["Fn::Sub"]
        for alias in of("AWS::StepFunctions::StateMachineAlias").values()
        for a in alias["DeploymentPreference"]["Alarms"]["Fn::If"][1]  # none, where a release does not shift
    }
    assert {name.removeprefix("${AWS::StackName}-") for name in named} <= set(ALARMS)
    assert len(groups) == len(of("AWS::Lambda::Function"))


def test_whatever_calls_a_function_calls_its_alias() -> None:
    aliases = {f"{name}Aliaslive" for name in of("AWS::Lambda::Function")}
    assert set(of("AWS::Lambda::Alias")) == aliases
    for name in ("AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission"):
        assert {made["FunctionName"]["Ref"] for made in of(name).values()} <= aliases
    for machine in of("AWS::StepFunctions::StateMachine").values():
        assert {step["Ref"] for step in machine["DefinitionSubstitutions"].values()} <= aliases
    assert set(re.findall(r"functions/\$\{(\w+)\}/", json.dumps(of("AWS::ApiGatewayV2::Api")))) <= aliases


def test_a_machine_has_the_alias_that_its_executions_are_started_through() -> None:
    assert {alias["Name"] for alias in of("AWS::StepFunctions::StateMachineAlias").values()} == {"live"}
    samconfig = (ROOT / "samconfig.toml").read_text(encoding="utf-8")
    assert samconfig.count('"MachineAlias=live"') == 2, "the development stack and the production one"


def test_the_nested_stack_gets_what_it_asks_for() -> None:
    given = of("AWS::CloudFormation::Stack")["Operations"]["Parameters"]
    assert set(given) == set(OPERATIONS["Parameters"])


def test_the_dashboard_shows_every_alarm() -> None:
    body = OPERATIONS["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    shown = re.findall(r":alarm:\$\{Product\}-([a-z-]+)", body)
    assert sorted(shown) == sorted(ALARMS)
    assert json.loads(body)["widgets"]
