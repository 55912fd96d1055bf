"""What the local stack takes for a parameter is what CloudFormation takes for it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local import documents
from local.cli import commands
from local.stack.parameters import problems
from local.stack.settings import ROOT
from local.stack.template import TemplateInvalid, expand

SAMPLE = Path(__file__).parent / "sample" / "template.yaml"
DECLARED: dict[str, Any] = {
    "Seconds": {"Type": "Number", "MinValue": 0, "MaxValue": 20, "ConstraintDescription": "must be 0 to 20 seconds."},
    "Days": {"Type": "Number", "AllowedValues": [1, 7, 30]},
    "Mode": {"Type": "String", "AllowedValues": ["timed", "ON", ""]},
    "Word": {"Type": "String", "AllowedPattern": "[a-z]+|x y", "MinLength": 2, "MaxLength": 5},
    "Free": {"Type": "String"},
    "Names": {"Type": "CommaDelimitedList", "AllowedPattern": "[a-z]+"},
    "Numbers": {"Type": "List<Number>", "MaxValue": 9},
}


@pytest.mark.parametrize(
    "given",
    [
        *({"Seconds": text} for text in ("0", "20", "0.05", "1e1")),
        {"Days": "30"},
        *({"Mode": text} for text in ("timed", "ON", "")),
        *({"Word": text} for text in ("ab", "abcde", "x y")),
        {"Free": ""},
        {"Free": "any = thing"},
        {"Names": "a,b"},
        {"Numbers": "1,9"},
        {"Seconds": "1", "Mode": "ON"},
    ],
)
def test_a_value_within_the_limits_is_taken(given: dict[str, str]) -> None:
    assert problems(DECLARED, given) == []


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("Seconds", "-1", "must be 0 to 20 seconds"),
        ("Seconds", "20.1", "must be 0 to 20 seconds"),
        *(("Seconds", text, "is not a number") for text in ("", "five", "5s", "nan", "inf")),
        ("Days", "2", "must be one of '1', '7', '30'"),
        ("Mode", "Timed", "must be one of 'timed', 'ON', ''"),
        *(("Word", text, "does not satisfy the parameter's constraints") for text in ("a", "abcdef", "ab1", "ab\n", "x yz")),
        ("Names", "a,B", "does not satisfy the parameter's constraints"),
        ("Numbers", "1,x", "is not a number"),
        ("Numbers", "1,10", "does not satisfy the parameter's constraints"),
    ],
)
def test_a_value_beyond_them_is_refused_with_the_reason(name: str, value: str, why: str) -> None:
    assert problems(DECLARED, {name: value}) == [f"{name}: {value!r} {why}"]


def test_a_name_that_there_is_none_of_is_refused_with_those_there_are() -> None:
    (found,) = problems(DECLARED, {"Secondes": "1", "Free": ""})
    assert found.startswith("no such parameter: Secondes (there are Days, Free, ")


def test_every_default_of_the_product_s_template_is_within_its_limits() -> None:
    declared = documents.read(ROOT / "template.yaml")["Parameters"]
    assert problems(declared, {name: str(parameter["Default"]) for name, parameter in declared.items()}) == []


def test_a_template_is_not_expanded_with_a_value_that_it_refuses() -> None:
    with pytest.raises(TemplateInvalid, match="no such parameter: Nothing"):
        expand(SAMPLE, {"Nothing": "1"})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ReviewThreshold", "-1", "ReviewThreshold: '-1' must be 0 or more minor units (50000 is 500.00)"),
        (
            "ReviewThresholds",
            "EUR=500.00",
            "ReviewThresholds: 'EUR=500.00' must be empty, or currencies with minor units, such as EUR=50000,JPY=75000",
        ),
        ("Deliverymode", "timed", "no such parameter: Deliverymode (there are "),
    ],
)
def test_the_product_s_template_says_what_it_does_not_take(name: str, value: str, said: str) -> None:
    with pytest.raises(TemplateInvalid, match=re.escape(said)):
        expand(ROOT / "template.yaml", {name: value})


def test_serve_says_what_it_does_not_take() -> None:
    command = [sys.executable, "-m", "local.cli", "serve", "--port", "0", "--set", "DeliveryMode=slow"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr) == (1, "orders: DeliveryMode: 'slow' must be one of 'timed', 'carrier'\n")


@pytest.mark.parametrize("text", ["ReviewThreshold", "=5", ""])
def test_what_is_no_name_and_value_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        commands.main(["serve", "--set", text])
    assert "is not NAME=VALUE" in capsys.readouterr().err
