"""Metrics with their dimensions, as alarms and the dashboard name them, and the forms that CloudFormation has for values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orders.metrics import NAMESPACE, Metric


class Sub(str):
    """A text whose ``${...}`` CloudFormation fills in."""

    __slots__ = ()


class Ref(str):
    """The value of a parameter or resource of operations.yaml."""

    __slots__ = ()


class FlatMapping(dict[str, Any]):
    """A mapping that is written on one line."""


class FlatList(list[Any]):
    """A list that is written on one line."""


@dataclass(frozen=True)
class Measured:
    """One metric with its dimensions, as a statistic of so many seconds."""

    space: str
    metric: str
    dimensions: Mapping[str, str]
    stat: str = "Sum"
    period: int = 60

    def alone(self) -> dict[str, Any]:
        """As an alarm on this metric says it."""
        statistic = "ExtendedStatistic" if self.stat.startswith("p") else "Statistic"
        return {**self._named(), statistic: self.stat, "Period": self.period}

    def within(self, identifier: str) -> FlatMapping:
        """As a part of an expression."""
        metric = {"Stat": self.stat, "Period": self.period, "Metric": self._named()}
        return FlatMapping({"Id": identifier, "ReturnData": False, "MetricStat": metric})

    def shown(self, **how: str) -> list[Any]:
        """As a line of the dashboard."""
        return [self.space, self.metric, *(part for one in self.dimensions.items() for part in one), {"stat": self.stat, **how}]

    def _named(self) -> dict[str, Any]:
        dimensions = FlatList({"Name": name, "Value": _filled_in(value)} for name, value in self.dimensions.items())
        return {"Namespace": self.space, "MetricName": self.metric, "Dimensions": dimensions}


def _filled_in(value: str) -> str:
    """A parameter alone is a reference; the dashboard, which is one text, has it as it is."""
    if value.startswith("${") and value.endswith("}"):
        return Ref(value[2:-1])
    return Sub(value) if "${" in value else value


def own(metric: Metric, stat: str = "Sum", period: int = 60, **dimensions: str) -> Measured:
    """One of the product's own metrics."""
    return Measured(NAMESPACE, str(metric), {**dimensions, "service": "orders"}, stat, period)


def of_function(name: str, metric: str, stat: str = "Sum", period: int = 60) -> Measured:
    """One of Lambda's metrics of a function."""
    return Measured("AWS/Lambda", metric, {"FunctionName": "${Product}-" + name}, stat, period)


def of_machine(name: str, metric: str, period: int = 60) -> Measured:
    """One of Step Functions' metrics of a machine."""
    arn = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:${Product}-" + name
    return Measured("AWS/States", metric, {"StateMachineArn": arn}, "Sum", period)


def of_api(metric: str, stat: str = "Sum") -> Measured:
    """One of API Gateway's metrics of the API."""
    return Measured("AWS/ApiGateway", metric, {"ApiId": "${Api}"}, stat)


def waiting(queue: str) -> Measured:
    """How many messages lie in a queue that should be empty."""
    return Measured("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": "${" + queue + "}"}, "Maximum")


@dataclass(frozen=True)
class Expression:
    """A value that is computed from several metrics, by their identifiers."""

    label: str
    formula: str
    parts: Mapping[str, Measured]

    @classmethod
    def of_all(cls, label: str, formula: str, parts: Sequence[Measured]) -> "Expression":
        """Of any number of metrics, which the formula does not name."""
        return cls(label, formula, {f"m{number}": part for number, part in enumerate(parts, 1)})


def percent(formula: str, **parts: Measured) -> Expression:
    """A share of something that there is enough of to count."""
    return Expression("percent", formula, parts)
