"""The wiring as the template has it: functions, machines, mappings, queues, rules, settings. A resource is its logical id."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import ZipFile

Json = Any

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "template.yaml"
FIRST_RELEASE = ROOT / "tests" / "data" / "editions" / "1" / "release.zip"
ISSUER = "https://issuer.test"
PARAMETERS = {
    "JwtIssuer": ISSUER,
    "JwtAudience": "orders",
    "JwksUrl": f"{ISSUER}/jwks.json",
    "DeliveryOverdueSeconds": "3600",
    # Nobody reads the logs of a history.
    "LogLevel": "ERROR",
    "PaymentConfirmationSeconds": "240",
    "BankTransferConfirmationSeconds": "300",
    "ShortageTimeoutSeconds": "120",
    "WarehouseOverdueSeconds": "240",
}
PSEUDO = {"Partition": "aws", "Region": "us-east-1", "AccountId": "123456789012", "StackName": "orders", "URLSuffix": "test"}


@dataclass(frozen=True, slots=True)
class Feed:
    """An event source mapping."""

    name: str
    function: str
    source: str
    batch_size: int
    window: float
    lanes: int
    reports_failures: bool
    bisects: bool
    retries: int
    longest_age: float
    on_failure: str | None
    patterns: tuple[Mapping[str, Json], ...]
    most_at_once: int
    needs: frozenset[str]
    """Attributes that an item must have for any of the patterns to match."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue."""

    name: str
    visibility: float
    retention: float
    dead_letters: str | None
    receives: int


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a bus, and what it leads to: each target's id and the queue of what could not be delivered."""

    name: str
    pattern: Mapping[str, Json]
    schedule: float | None
    targets: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A function, and how it is invoked asynchronously."""

    name: str
    module: str
    timeout: float
    retries: int = 2
    longest_age: float = 21600
    on_failure: str | None = None


class Wiring:
    """The expanded template, read."""

    def __init__(self, template: Mapping[str, Json]) -> None:
        self._template = template
        self._resources: Mapping[str, Mapping[str, Json]] = template["Resources"]

    @cached_property
    def environment(self) -> dict[str, str]:
        """What every function finds in its environment."""
        function = self._resources["ReserveStockFunction"]["Properties"]
        found = {name: self._text(value) for name, value in function["Environment"]["Variables"].items()}
        credentials = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
        powertools = {"POWERTOOLS_TRACE_DISABLED": "true", "POWERTOOLS_METRICS_DISABLED": "true"}
        return found | credentials | powertools

    @cached_property
    def functions(self) -> dict[str, Function]:
        """By their logical ids."""
        asked = {self._id(made["FunctionName"]): made for _, made in self._of("AWS::Lambda::EventInvokeConfig")}
        return {name: self._function(name, made, asked.get(name, {})) for name, made in self._of("AWS::Lambda::Function")}

    def _function(self, name: str, made: Mapping[str, Json], asked: Mapping[str, Json]) -> Function:
        return Function(
            name,
            made["Handler"].partition(".")[0],
            float(made["Timeout"]),
            int(asked.get("MaximumRetryAttempts", 2)),
            float(asked.get("MaximumEventAgeInSeconds", 21600)),
            self._destination(asked),
        )

    @cached_property
    def feeds(self) -> list[Feed]:
        """The event source mappings."""
        return [self._feed(name, made) for name, made in self._of("AWS::Lambda::EventSourceMapping")]

    def _feed(self, name: str, made: Mapping[str, Json]) -> Feed:
        filters = made.get("FilterCriteria", {}).get("Filters", [])
        return Feed(
            name=name,
            function=self._id(made["FunctionName"]),
            source=self._id(made["EventSourceArn"]),
            batch_size=int(made.get("BatchSize", 100)),
            window=float(made.get("MaximumBatchingWindowInSeconds", 0)),
            lanes=int(made.get("ParallelizationFactor", 1)),
            reports_failures="ReportBatchItemFailures" in made.get("FunctionResponseTypes", []),
            bisects=bool(made.get("BisectBatchOnFunctionError")),
            retries=int(made.get("MaximumRetryAttempts", -1)),
            longest_age=float(made.get("MaximumRecordAgeInSeconds", -1)),
            on_failure=self._destination(made),
            patterns=tuple(json.loads(one["Pattern"]) for one in filters),
            needs=_needed([json.loads(one["Pattern"]) for one in filters]),
            most_at_once=int(made.get("ScalingConfig", {}).get("MaximumConcurrency", 10)),
        )

    def _destination(self, made: Mapping[str, Json]) -> str | None:
        named = made.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        return self._id(named) if named else None

    @cached_property
    def queues(self) -> list[Queue]:
        """The queues."""
        return [self._queue(name, made) for name, made in self._of("AWS::SQS::Queue")]

    def _queue(self, name: str, made: Mapping[str, Json]) -> Queue:
        redrive = made.get("RedrivePolicy", {})
        dead = self._id(redrive["deadLetterTargetArn"]) if redrive else None
        times = float(made.get("VisibilityTimeout", 30)), float(made.get("MessageRetentionPeriod", 345600))
        return Queue(name, *times, dead, int(redrive.get("maxReceiveCount", 0)))

    @cached_property
    def rules(self) -> list[Rule]:
        """The rules of the buses, and the schedules."""
        return [self._rule(name, made) for name, made in self._of("AWS::Events::Rule")]

    def _rule(self, name: str, made: Mapping[str, Json]) -> Rule:
        targets = tuple((self._id(one["Arn"]), self._dead_letters(one)) for one in made["Targets"])
        pattern = self._plain(made.get("EventPattern", {}))
        return Rule(name, pattern, _seconds(made.get("ScheduleExpression")), targets)

    def _dead_letters(self, target: Mapping[str, Json]) -> str | None:
        named = target.get("DeadLetterConfig", {}).get("Arn")
        return self._id(named) if named else None

    @cached_property
    def machines(self) -> dict[str, dict[str, Json]]:
        """The definitions by their names, each function under its logical id."""
        return {
            self._text(made["StateMachineName"]): self._machine(made)
            for _, made in self._of("AWS::StepFunctions::StateMachine")
        }

    @cached_property
    def first_machines(self) -> dict[str, dict[str, Json]]:
        """The definitions of the first release, by the same names: executions that began with them go on with them."""
        with ZipFile(FIRST_RELEASE) as archive:
            texts = [archive.read(name).decode() for name in archive.namelist() if name.endswith(".asl.json")]
        found = [json.loads(re.sub(r"\$\{(\w+)Arn\}", r"\1", text)) for text in texts]
        by_start = {definition["StartAt"]: definition for definition in found}
        return {name: by_start[definition["StartAt"]] for name, definition in self.machines.items()}

    def _machine(self, made: Mapping[str, Json]) -> dict[str, Json]:
        separator, lines = made["DefinitionString"]["Fn::Join"]
        text: str = separator.join(lines)
        for name, value in made.get("DefinitionSubstitutions", {}).items():
            text = text.replace(f"${{{name}}}", self._id(value))
        definition: dict[str, Json] = json.loads(text)
        return definition

    @cached_property
    def indexes(self) -> dict[str, tuple[str, str]]:
        """The table's indexes: the names of both parts of each one's key."""
        (table,) = (made for _, made in self._of("AWS::DynamoDB::Table"))
        return {
            index["IndexName"]: (index["KeySchema"][0]["AttributeName"], index["KeySchema"][1]["AttributeName"])
            for index in table["GlobalSecondaryIndexes"]
        }

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """The secrets, by what functions ask for: a name, or the logical id."""
        made = self._of("AWS::SecretsManager::Secret")
        return tuple(self._text(secret["Name"]) if "Name" in secret else name for name, secret in made)

    # --- CloudFormation ---

    def _of(self, kind: str) -> list[tuple[str, Mapping[str, Json]]]:
        return [(name, made["Properties"]) for name, made in sorted(self._resources.items()) if made["Type"] == kind]

    def _id(self, value: Json) -> str:
        """The logical id behind a reference."""
        if isinstance(value, str):
            return value
        if "Ref" in value:
            return str(value["Ref"])
        named = value["Fn::GetAtt"]
        return str(named[0] if isinstance(named, list) else named.partition(".")[0])

    def _plain(self, value: Json) -> Json:
        """A value with every function of CloudFormation in it filled in."""
        if isinstance(value, list):
            return [self._plain(inner) for inner in value]
        if isinstance(value, dict):
            is_function = len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))
            return self._text(value) if is_function else {name: self._plain(inner) for name, inner in value.items()}
        return value

    def _text(self, value: Json) -> str:
        if not isinstance(value, dict):
            return str(value)
        ((kind, argument),) = value.items()
        if kind == "Ref":
            parameter = self._template["Parameters"].get(argument)
            return str(parameter["Default"]) if parameter else str(argument).removeprefix("AWS::")
        if kind == "Fn::If":
            return self._text(argument[1] if self._holds(self._template["Conditions"][argument[0]]) else argument[2])
        if kind == "Fn::Sub":
            return re.sub(r"\$\{([\w:.]+)\}", lambda found: self._named(found[1]), argument)
        return self._id(value)

    def _named(self, name: str) -> str:
        return PSEUDO.get(name.removeprefix("AWS::")) or self._text({"Ref": name.partition(".")[0]})

    def _holds(self, condition: Json) -> bool:
        ((kind, argument),) = condition.items()
        if kind == "Fn::Equals":
            return self._text(argument[0]) == self._text(argument[1])
        if kind == "Fn::Not":
            return not self._holds(argument[0])
        if kind == "Condition":
            return self._holds(self._template["Conditions"][argument])
        held = [self._holds(part) for part in argument]
        return all(held) if kind == "Fn::And" else any(held)


def _needed(patterns: list[Json]) -> frozenset[str]:
    images = [pattern.get("dynamodb", {}).get("NewImage", {}) for pattern in patterns]
    needed = [{name for name, wanted in image.items() if isinstance(wanted, dict)} for image in images]
    return frozenset(set.intersection(*needed)) if needed else frozenset()


def _seconds(expression: str | None) -> float | None:
    if expression is None:
        return None
    found = re.fullmatch(r"rate\((\d+) (minute|hour)s?\)", expression)
    if not found:
        raise NotImplementedError(expression)
    return int(found[1]) * {"minute": 60.0, "hour": 3600.0}[found[2]]


def wiring() -> Wiring:
    """The template's wiring. Expanding it takes a second: what came of it is kept, by what it was made from."""
    sources = [TEMPLATE, *sorted((ROOT / "statemachine").glob("*.json"))]
    digest = hashlib.sha256(json.dumps(PARAMETERS).encode() + b"".join(path.read_bytes() for path in sources)).hexdigest()
    kept = ROOT / ".cache" / f"expanded-{digest[:16]}.json"
    if not kept.exists():
        # Loaded only then: the translator takes longer than many a seed.
        from local.stack.template import expand  # noqa: PLC0415

        kept.parent.mkdir(exist_ok=True)
        made = kept.with_suffix(f".{hashlib.sha256(str(kept).encode()).hexdigest()[:4]}")
        made.write_text(json.dumps(expand(TEMPLATE, PARAMETERS)), encoding="utf-8")
        made.replace(kept)
    return Wiring(json.loads(kept.read_text(encoding="utf-8")))
