"""The SAM template as CloudFormation would see it: what the local stack deploys and what the checks look at.

Code stays where it is (a function's ``CodeUri`` becomes a bucket that does not exist, its key the folder), and each
state machine carries its definition, read from its file, so that nothing that stands in the template is wired twice.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

LOCAL_ARTIFACTS = "s3://local-artifacts/"
REGION = "us-east-1"

# The translator looks managed policies up in IAM only when a template names one that it does not know.
_NO_IAM = SimpleNamespace(load=dict)


class TemplateInvalid(Exception):
    """The template, or a parameter given for it, is not one that can be deployed."""


def expand(path: Path | str = "template.yaml", parameters: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The template at ``path`` in plain CloudFormation, each given parameter standing as its default."""
    path = Path(path)
    template = yaml_parse(path.read_text(encoding="utf-8"))
    _set_defaults(template, parameters or {})
    _put_stand_ins(template, path.parent)
    with _a_region():
        try:
            expanded = transform(template, {}, _NO_IAM)
        except InvalidDocumentException as error:
            causes = [cause.message for cause in error.causes] or [error.message]
            raise TemplateInvalid(f"{path}: " + "; ".join(causes)) from error
    plain: dict[str, Any] = json.loads(json.dumps(expanded))
    return plain


def _set_defaults(template: dict[str, Any], parameters: Mapping[str, str]) -> None:
    declared = template.get("Parameters", {})
    if unknown := sorted(set(parameters) - set(declared)):
        raise TemplateInvalid(f"no such parameter: {', '.join(unknown)} (there are {', '.join(sorted(declared))})")
    for name, value in parameters.items():
        declared[name]["Default"] = value


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
    json.dump(expand(sys.argv[1]), sys.stdout, indent=1)


if __name__ == "__main__":
    main()
