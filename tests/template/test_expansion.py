"""What `local.stack.template.expand` makes of a SAM template."""

import json
import os
from pathlib import Path

import pytest

from local.stack.template import TemplateInvalid, expand

SMALL = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Wait: { Type: Number, Default: 5 }
Globals:
  Function: { Runtime: python3.13, CodeUri: functions/ }
Resources:
  Step: { Type: AWS::Serverless::Function, Properties: { Handler: step.handler } }
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: machine.asl.json
      DefinitionSubstitutions: { StepArn: !GetAtt Step.Arn }
"""
MACHINE = {"StartAt": "Rest", "States": {"Rest": {"Type": "Wait", "Seconds": 1, "End": True}}}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "machine.asl.json").write_text(json.dumps(MACHINE))
    (tmp_path / "template.yaml").write_text(SMALL)
    return tmp_path / "template.yaml"


def test_nothing_of_sam_is_left(small: Path) -> None:
    expanded = expand(small)
    assert "Transform" not in expanded
    assert not [r for r in expanded["Resources"].values() if r["Type"].startswith("AWS::Serverless::")]


def test_a_machine_carries_the_definition_from_its_file(small: Path) -> None:
    definition = expand(small)["Resources"]["Machine"]["Properties"]["DefinitionString"]["Fn::Join"]
    assert json.loads(definition[0].join(definition[1])) == MACHINE


def test_code_stays_where_it_is_and_says_where(small: Path) -> None:
    assert expand(small)["Resources"]["Step"]["Properties"]["Code"] == {
        "S3Bucket": "local-artifacts",
        "S3Key": "functions/",
    }


def test_a_given_parameter_stands_as_its_default(small: Path) -> None:
    assert expand(small, {"Wait": "0.2"})["Parameters"]["Wait"]["Default"] == "0.2"


def test_a_parameter_that_does_not_exist_is_refused_by_name(small: Path) -> None:
    with pytest.raises(TemplateInvalid, match=r"no such parameter: Weight \(there are Wait\)"):
        expand(small, {"Weight": "1"})


def test_a_mistake_is_told_with_the_resource_it_is_in(small: Path) -> None:
    small.write_text(SMALL.replace("CodeUri: functions/", "MemorySize: 128"))
    with pytest.raises(TemplateInvalid, match=r"\[Step\].*CodeUri"):
        expand(small)


def test_the_region_it_borrows_is_given_back(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    expand(small)
    assert "AWS_DEFAULT_REGION" not in os.environ
