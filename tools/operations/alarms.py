"""Every alarm: what it watches, from which value on it goes off, and which section of the runbook it links."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orders.metrics import Metric
from orders.services.stuck import STUCK_STATUSES
from tools.operations.declared import GROUPS, MACHINES, Declared, Group, MachineAlarms
from tools.operations.measures import (
    Expression,
    FlatList,
    FlatMapping,
    Measured,
    Ref,
    Sub,
    of_api,
    of_function,
    of_machine,
    own,
    percent,
    waiting,
)

AT_LEAST, ABOVE, BELOW = "GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold"


@dataclass(frozen=True)
class Alarm:
    """An alarm: ``over`` is how many of the last periods have to pass the threshold; ``section`` is the runbook's."""

    name: str
    says: str
    section: str
    value: Measured | Expression
    threshold: float = 1
    over: tuple[int, int] = (1, 1)
    compare: str = AT_LEAST
    missing: str = "notBreaching"

    def resource(self) -> dict[str, Any]:
        """The alarm as CloudFormation has it."""
        datapoints, periods = self.over
        return {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": Sub("${Product}-" + self.name),
                "AlarmDescription": Sub(f"{self.says}. ${{Runbook}}#{self.section}"),
                **_watched(self.value),
                "ComparisonOperator": self.compare,
                "Threshold": self.threshold,
                **({"DatapointsToAlarm": datapoints} if periods > 1 else {}),
                "EvaluationPeriods": periods,
                "TreatMissingData": self.missing,
                "AlarmActions": FlatList([Ref("Alarms")]),
                "OKActions": FlatList([Ref("Alarms")]),
            },
        }


def _watched(value: Measured | Expression) -> dict[str, Any]:
    if isinstance(value, Measured):
        return value.alone()
    whole = FlatMapping({"Id": "value", "Label": value.label, "Expression": value.formula})
    return {"Metrics": [whole, *(part.within(identifier) for identifier, part in value.parts.items())]}


def alarms(found: Declared) -> Iterator[Alarm]:
    """Every alarm, in the order in which the dashboard shows them."""
    for machine, name in found.machines.items():
        yield from of_executions(MACHINES[machine], name)
    for group, names in found.functions.items():
        yield from of_functions(group, GROUPS[group], names)
    yield from of_feeds(found)
    yield from OF_THE_WAREHOUSE
    yield from OF_THE_API
    yield from of_stuck_orders()
    yield from OF_THE_BUSINESS
    yield from OF_THE_SWEEP


ENDS = {"failed": "FAILED", "timed-out": "TIMED_OUT", "aborted": "ABORTED"}
SAYS = {"failed": "failed", "timed-out": "timed out", "aborted": "was stopped by hand"}


def of_executions(machine: MachineAlarms, name: str) -> Iterator[Alarm]:
    """What can befall a machine's executions.

    Step Functions' own counts of those that failed or were stopped hold each order that was not fulfilled, a declined card
    among them: what is watched is the executions that ended while their orders, by their rows, still waited for them.
    """
    what = machine.alarms
    for how, status in ENDS.items():
        yield Alarm(
            f"{what}-{how}",
            f"An execution of the {what} {SAYS[how]} before its order was done; the order is restarted",
            f"executions-{how}",
            own(Metric.EXECUTIONS_ENDED_EARLY, machine=what, status=status),
        )
    yield Alarm(
        f"{what}-throttled",
        f"Step Functions throttles the {what}",
        "executions-throttled",
        of_machine(name, "ExecutionThrottled"),
        over=(3, 5),
    )


def of_functions(name: str, group: Group, functions: Sequence[str]) -> Iterator[Alarm]:
    """What can befall a group of functions: one alarm for all of them; the dashboard shows each."""
    often = group.passing_faults
    errors = [of_function(function, "Errors", period=300 if often else 60) for function in functions]
    yield Alarm(
        f"{name}-function-errors",
        f"{group.are.capitalize().replace('api', 'API')} fail{' often' if often else ''}",
        "function-errors",
        _without_refusals(errors) if group.refusals else Expression.of_all("errors", "SUM(FILL(METRICS(), 0))", errors),
        threshold=25 if often else 1,
        over=(1, 1) if often else (2, 5),
    )
    throttles = [of_function(function, "Throttles") for function in functions]
    yield Alarm(
        f"{name}-function-throttles",
        f"{group.are.capitalize().replace('api', 'API')} are throttled",
        "function-throttles",
        Expression.of_all("throttles", "SUM(FILL(METRICS(), 0))", throttles),
        over=(3, 5),
    )
    durations = [of_function(function, "Duration", "p99", 300) for function in functions]
    yield Alarm(
        f"{name}-function-duration",
        f"One of the {group.are} is close to its time-out of 30 s",
        "function-duration",
        Expression.of_all("milliseconds", "MAX(METRICS())", durations),
        threshold=24000,
    )


def _without_refusals(errors: Sequence[Measured]) -> Expression:
    refusals = {"r1": own(Metric.STEP_REFUSALS, period=300)}
    whole = Expression.of_all("errors", 'SUM(FILL(METRICS("m"), 0)) - FILL(r1, 0)', errors)
    return Expression(whole.label, whole.formula, {**whole.parts, **refusals})


def of_feeds(found: Declared) -> Iterator[Alarm]:
    """Streams that are read too late, and queues in which something has come to rest."""
    for feed, function in found.streams.items():
        yield Alarm(
            f"{_dashed(feed)}-age",
            f"The function {function} is a minute behind the table's stream",
            "iterator-age",
            of_function(function, "IteratorAge", "Maximum"),
            threshold=60000,
            over=(3, 5),
        )
    yield Alarm(
        "unhandled-events",
        "Events failed in all retries and are dead letters",
        "unhandled-events",
        waiting("UnhandledEvents"),
    )
    yield Alarm(
        "fulfillment-dead-letters",
        "Fulfillment events of unknown orders, or that could not be applied, are dead letters",
        "fulfillment-dead-letters",
        waiting("FulfillmentDeadLetters"),
    )
    yield Alarm(
        "payment-dead-letters",
        "Payment events of unknown orders, or that could not be applied, are dead letters",
        "payment-dead-letters",
        waiting("PaymentDeadLetters"),
    )
    yield Alarm(
        "late-payments",
        "Money came for payments that had ended, and was given back",
        "late-payments",
        own(Metric.PAYMENTS_AFTER_THE_END, period=300),
    )
    yield Alarm(
        "refunds-failed",
        "Refunds failed: customers wait for their money until somebody retries them",
        "refunds-failed",
        own(Metric.REFUNDS_FAILED, period=300),
    )
    yield Alarm(
        "payments-disputed",
        "Customers' banks ask for money back",
        "payments-disputed",
        own(Metric.DISPUTES_OPENED, period=300),
    )
    lost = (Metric.CAPTURES_REFUSED, Metric.HOLDS_ENDED)
    yield Alarm(
        "money-not-held",
        "The provider has refused to capture money that it held, or holds it for less than a day",
        "money-not-held",
        Expression.of_all("lost", "SUM(FILL(METRICS(), 0))", [own(metric, period=300) for metric in lost]),
    )
    # Lambda drops a call that it takes for one of a loop, and its event with it. The one queue that feeds itself is allowed to.
    dropped = [of_function(function, "RecursiveInvocationsDropped") for function in found.queues]
    yield Alarm(
        "recursion-dropped",
        "Lambda has dropped calls, with their messages, as a recursive loop",
        "recursion-dropped",
        Expression.of_all("dropped", "SUM(FILL(METRICS(), 0))", dropped),
    )


def _dashed(logical_id: str) -> str:
    return "-".join(re.findall("[A-Z][a-z]*", logical_id)).lower()


OF_THE_WAREHOUSE = (
    Alarm(
        "fulfillment-errors",
        "More than one in twenty fulfillment events fails",
        "fulfillment-errors",
        percent(
            "IF(FILL(events, 0) >= 20, 100 * FILL(failed, 0) / events, 0)",
            failed=own(Metric.FULFILLMENT_FAILED, period=300),
            events=own(Metric.FULFILLMENT_CONSUMED, period=300),
        ),
        threshold=5,
    ),
    Alarm(
        "fulfillment-latency",
        "Fulfillment events are applied later than 5 s after they were received",
        "fulfillment-latency",
        own(Metric.FULFILLMENT_AGE_SECONDS, "p90", 300),
        threshold=5,
        over=(3, 3),
        compare=ABOVE,
    ),
)

OF_THE_API = (
    Alarm(
        "api-errors",
        "More than one in a hundred API responses is a 5xx",
        "api-errors",
        percent(
            "IF(FILL(answers, 0) >= 20, 100 * FILL(bad, 0) / answers, 0)",
            bad=of_api("5xx"),
            answers=of_api("Count"),
        ),
        over=(3, 5),
    ),
    Alarm(
        "api-latency",
        "One in a hundred API responses takes longer than 3 s",
        "api-latency",
        of_api("Latency", "p99"),
        threshold=3000,
        over=(5, 10),
        compare=ABOVE,
    ),
)


def of_stuck_orders() -> Iterator[Alarm]:
    """Orders that should have left a status by themselves."""
    for status in STUCK_STATUSES:
        yield Alarm(
            f"stuck-{status.lower()}",
            f"Orders are {status} for 15 minutes longer than the configured waits",
            "stuck-orders",
            own(Metric.ORDERS_STUCK, "Maximum", status=status.value),
            over=(5, 5),
        )


OF_THE_BUSINESS = (
    Alarm(
        "invalid-transitions",
        "Many changes were refused by the transition table",
        "invalid-transitions",
        own(Metric.INVALID_TRANSITIONS, period=300),
        threshold=20,
    ),
    Alarm(
        "cancel-rate",
        "More than three in ten orders are cancelled",
        "cancel-rate",
        percent(
            "IF(FILL(placed, 0) >= 20, 100 * FILL(cancelled, 0) / placed, 0)",
            placed=own(Metric.ORDERS_PLACED, period=3600),
            cancelled=own(Metric.ORDERS_CANCELLED, period=3600),
        ),
        threshold=30,
    ),
    Alarm(
        "webhook-failures",
        "More than one in four webhook attempts fails",
        "webhook-failures",
        percent(
            "IF(FILL(good, 0) + FILL(bad, 0) >= 20, 100 * FILL(bad, 0) / (FILL(good, 0) + FILL(bad, 0)), 0)",
            good=own(Metric.WEBHOOK_DELIVERED, period=900),
            bad=own(Metric.WEBHOOK_FAILED, period=900),
        ),
        threshold=25,
    ),
)

OF_THE_SWEEP = (
    Alarm(
        "parcels-overdue",
        "Parcels have not arrived in time, and only their carriers, or people, can say what becomes of them",
        "parcels-overdue",
        own(Metric.PARCELS_OVERDUE, period=300),
    ),
    Alarm(
        "sweep-missing",
        "The sweep has not run for five minutes: lost workflows are not restarted",
        "sweep-missing",
        own(Metric.SWEEPS, period=300),
        compare=BELOW,
        missing="breaching",
    ),
    Alarm(
        "orders-restarted",
        "The sweep restarts many workflows",
        "orders-restarted",
        own(Metric.ORDERS_RESTARTED, period=900),
        threshold=10,
    ),
)
