"""What the documents tell people to run, and promise them, is so."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from orders.adapters import workflow
from orders.domain.identifiers import OrderId
from tests.template.test_operations import ALARMS, OPERATIONS, of

ROOT = Path(__file__).parents[2]
DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in ROOT.rglob("*.md")
    if ".venv" not in path.parts
}
RUNBOOK, DEPLOY, SCALE = (DOCUMENTS[f"docs/{name}.md"] for name in ("runbook", "deploy", "scale"))
LARGE = ("us-east-1", "us-west-2", "eu-west-1")


def test_a_user_that_is_made_by_hand_is_sent_a_mail() -> None:
    commands = [
        re.sub(r"\\\n\s*", " ", text[found.start() :]).splitlines()[0]
        for text in DOCUMENTS.values()
        for found in re.finditer("admin-create-user", text)
    ]
    assert commands
    assert [command for command in commands if "--desired-delivery-mediums EMAIL" not in command] == []


def test_the_first_line_on_a_release_while_an_alarm_is_on_is_the_command_that_makes_it() -> None:
    section = RUNBOOK.partition("## Releasing while an alarm is on\n\n")[2]
    command = re.match(r"\*\*Run\*\* `(make deploy [^`]*)`", section)
    assert command
    make = shutil.which("make")
    assert make
    done = subprocess.run([make, "-n", *command[1].split()[1:]], cwd=ROOT, check=True, capture_output=True, text=True)
    deployed = [line for line in done.stdout.splitlines() if "sam deploy " in line]
    assert len(deployed) == 1
    assert deployed[0].endswith("deploy --config-env prod --parameter-overrides GradualDeployment=false")


def test_no_trace_is_promised_that_nothing_sends() -> None:
    sources = [*(ROOT / "functions").glob("*.py"), *(ROOT / "layers/orders/python").rglob("*.py")]
    assert [path.name for path in sources if re.search("Tracer|xray", path.read_text(encoding="utf-8"))] == []
    # Lambda's own segments alone: where a call's time went cannot be looked up there.
    assert re.findall(r"(?i)[^.]*(?:subsegment|traces? of a|traces in)[^.]*", RUNBOOK) == []
    assert "X-Ray shows a call's own start, initialization and end, and nothing of what it called" in RUNBOOK


@pytest.mark.parametrize("quota", ["StartExecution", "state transitions", "StopExecution"])
def test_a_quota_that_differs_by_region_says_for_which(quota: str) -> None:
    assert [region for region in LARGE if region not in SCALE.partition("\n## ")[0]] == []
    row = next(line for line in SCALE.splitlines() if line.startswith(f"| {quota} |"))
    assert "large: " in row
    assert "other: " in row


@pytest.mark.parametrize(
    "unshown",
    [
        "SendTaskSuccess",
        "through the alias",
        "nested stack's alarms",
        "billed seven transitions",
        "second factor can be required",
        "filter of levels",
        "The bus keeps",
    ],
)
def test_what_only_a_deployment_shows_has_a_command_and_what_it_should_answer(unshown: str) -> None:
    checklist = DEPLOY.partition("## What only the first deployment shows")[2].partition("\n## ")[0]
    items = re.split(r"\n\*\*", checklist)[1:]
    (item,) = [item for item in items if unshown in item]
    assert "```sh\naws " in item
    assert "\nExpected: " in item


def test_the_checklist_counts_what_there_is() -> None:
    assert f"Expected: `{len(ALARMS)}`; `{len(of('AWS::CodeDeploy::DeploymentGroup'))}` with" in DEPLOY


def test_the_checklist_names_an_order_s_execution_as_the_product_does() -> None:
    named = re.findall(r"--execution-arn \S+ .*-fulfil-order:(\S+)", DEPLOY)
    assert named == [workflow.execution_name(OrderId("ORDER_ID"), 1)]


def test_a_second_factor_can_be_required_where_cloudformation_refuses_it() -> None:
    item = DEPLOY.partition("**A second factor can be required later.**")[2].partition("\n**")[0]
    assert "set-user-pool-mfa-config --user-pool-id POOL --mfa-configuration ON" in item


def test_what_the_alarms_cost_is_counted() -> None:
    made = [
        resource["Properties"] for resource in OPERATIONS["Resources"].values() if resource["Type"] == "AWS::CloudWatch::Alarm"
    ]
    metrics = sum(sum("MetricStat" in one for one in alarm.get("Metrics", ())) or 1 for alarm in made)
    assert f"{len(made)} alarms on {metrics} metrics" in DOCUMENTS["docs/decisions/011-gradual-releases.md"]


def test_where_callbacks_may_not_be_answered_each_statement_to_widen_is_named() -> None:
    item = DEPLOY.partition("**Task tokens are answered")[2].partition("\n**")[0]
    statements = [
        statement
        for role in of("AWS::IAM::Role").values()
        for policy in role.get("Policies", ())
        for statement in policy["PolicyDocument"]["Statement"]
        if "states:SendTaskSuccess" in statement["Action"]
    ]
    assert len(statements) == 3
    assert [one["Sid"] for one in statements if f"`{one['Sid']}`" not in item] == []
    assert '`"*"`' in item
