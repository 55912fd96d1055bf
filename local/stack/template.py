"""The SAM template as CloudFormation would see it: what the local stack deploys and what the checks look at.

Code stays where it is (a function's ``CodeUri`` becomes a bucket that does not exist, its key the folder), and each
state machine carries its definition, read from its file, so that nothing in the template is wired twice.

What only a deployment on AWS has is left out unless it is asked for: versions and aliases, whose place the function or
machine itself takes, the settings' numbers that versions come from, the deployments that shift between them, and the nested
stack of alarms.
"""

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform

from local import documents
from local.stack.parameters import broken_rules
from local.stack.parameters import problems as parameters_problems

LOCAL_ARTIFACTS = "s3://local-artifacts/"
REGION = "us-east-1"
RELEASES = (
    "AWS::AppConfig::",
    "AWS::CloudFormation::Stack",
    "AWS::CodeDeploy::",
    "AWS::Events::EventBusPolicy",
    "AWS::Lambda::Alias",
    "AWS::Lambda::Version",
    "AWS::StepFunctions::StateMachineAlias",
    "AWS::StepFunctions::StateMachineVersion",
)
CODE_DEPLOY_ROLE = "CodeDeployServiceRole"
SETTINGS_NUMBER, NO_NUMBER = {"Fn::GetAtt": ["Settings", "VersionNumber"]}, "unnumbered"
"""The number of a deployment's parameters on AWS, and the value used where nothing is versioned."""

# It warns of feature toggles and metrics that only the service itself has.
logging.getLogger("samtranslator").setLevel(logging.ERROR)

# The translator looks managed policies up in IAM only when a template names one that it does not know.
_NO_IAM = SimpleNamespace(load=dict)


class TemplateInvalid(Exception):
    """The template, or a parameter given for it, is not one that can be deployed."""


def expand(
    path: Path | str = "template.yaml", parameters: Mapping[str, str] | None = None, *, released: bool = False
) -> dict[str, Any]:
    """The template at ``path`` in plain CloudFormation, each given parameter standing as its default.

    ``released`` keeps what only AWS has: versions, aliases, gradual deployments and nested stacks.
    """
    path = Path(path)
    template = documents.read(path)
    _set_defaults(template, parameters or {})
    _put_stand_ins(template, path.parent)
    with _a_region():
        try:
            expanded = transform(template, {}, _NO_IAM)
        except InvalidDocumentException as error:
            causes = [cause.message for cause in error.causes] or [error.message]
            raise TemplateInvalid(f"{path}: " + "; ".join(causes)) from error
    plain: dict[str, Any] = json.loads(json.dumps(expanded))
    return plain if released else _without_releases(plain)


def _without_releases(template: dict[str, Any]) -> dict[str, Any]:
    """The template with each alias replaced by its target, and without what makes and moves aliases."""
    resources = template["Resources"]
    functions = {
        name: made["Properties"]["FunctionName"]["Ref"]
        for name, made in resources.items()
        if made["Type"] == "AWS::Lambda::Alias"
    }
    gone = {name for name, made in resources.items() if made["Type"].startswith(RELEASES)} | {CODE_DEPLOY_ROLE}
    left = {name: _of_no_alias(made) for name, made in resources.items() if name not in gone}
    left = json.loads(json.dumps(left).replace(json.dumps(SETTINGS_NUMBER), json.dumps(NO_NUMBER)))
    straight: dict[str, Any] = _without_aliases({**template, "Resources": left}, functions)
    return straight


def _of_no_alias(made: dict[str, Any]) -> dict[str, Any]:
    """How a function is invoked asynchronously is said of its alias: here of the function, which waits for no alias."""
    if made["Type"] != "AWS::Lambda::EventInvokeConfig":
        return made
    properties = {name: value for name, value in made["Properties"].items() if name != "Qualifier"}
    return {"Type": made["Type"], "Properties": {**properties, "Qualifier": "$LATEST"}}


def _without_aliases(value: Any, functions: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_without_aliases(inner, functions) for inner in value]
    if not isinstance(value, dict):
        return value
    if value.get("Ref") in functions:
        return {"Fn::GetAtt": [functions[value["Ref"]], "Arn"]}
    if isinstance(value.get("FunctionName"), dict) and value["FunctionName"].get("Ref") in functions:
        by_name = {"FunctionName": {"Ref": functions[value["FunctionName"]["Ref"]]}}
        return by_name | {name: _without_aliases(inner, functions) for name, inner in value.items() if name != "FunctionName"}
    if isinstance(value.get("Fn::Sub"), str):
        text = value["Fn::Sub"]
        for alias, function in functions.items():
            text = text.replace(f"${{{alias}}}", f"${{{function}.Arn}}")
        return {"Fn::Sub": text}
    return {name: _without_aliases(inner, functions) for name, inner in value.items()}


def _set_defaults(template: dict[str, Any], parameters: Mapping[str, str]) -> None:
    declared = template.get("Parameters", {})
    if found := parameters_problems(declared, parameters):
        raise TemplateInvalid("; ".join(found))
    for name, value in parameters.items():
        declared[name]["Default"] = value
    if broken := broken_rules(template):
        raise TemplateInvalid("; ".join(broken))


def _put_stand_ins(template: dict[str, Any], folder: Path) -> None:
    """Replace each path that ``sam package`` would upload by what the translator takes instead."""
    function_defaults = template.get("Globals", {}).get("Function", {})
    resources = template["Resources"].values()
    for properties in (function_defaults, *(resource.get("Properties", {}) for resource in resources)):
        for name in ("CodeUri", "ContentUri"):
            if isinstance(properties.get(name), str):
                properties[name] = LOCAL_ARTIFACTS + properties[name]
        if isinstance(properties.get("DefinitionUri"), str):
            definition = folder / properties.pop("DefinitionUri")
            properties["Definition"] = json.loads(definition.read_text(encoding="utf-8"))


@contextmanager
def _a_region() -> Iterator[None]:
    """The translator asks the environment for a region, which a laptop without AWS does not have."""
    before = os.environ.get("AWS_DEFAULT_REGION")
    os.environ["AWS_DEFAULT_REGION"] = before or REGION
    try:
        yield
    finally:
        if before is None:
            del os.environ["AWS_DEFAULT_REGION"]


def main() -> None:
    json.dump(expand(sys.argv[1], released=True), sys.stdout, indent=1)


if __name__ == "__main__":
    main()
