"""The dashboard: every alarm on top, what is measured below."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orders.domain.statuses import FORWARD_PATH
from orders.metrics import Metric
from orders.services.stuck import STUCK_STATUSES
from tools.operations.alarms import ENDS
from tools.operations.declared import MACHINES, Declared
from tools.operations.measures import of_api, of_function, of_machine, own, waiting

Widget = tuple[str, list[list[Any]]]
RIGHT = {"yAxis": "right"}
LETTERS = ("UnhandledEvents", "FulfillmentDeadLetters", "PaymentDeadLetters")
EXECUTIONS = (
    *("ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed"),
    *("ExecutionsTimedOut", "ExecutionsAborted", "ExecutionThrottled"),
)


def dashboard(names: Sequence[str], found: Declared) -> str:
    """The dashboard's body: every alarm on top, three widgets to a row below."""
    arn = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:${Product}-"
    on_top = {"title": "Alarms", "alarms": [arn + name for name in names]}
    drawn = [_placed("alarm", 0, 0, 24, 5, on_top)]
    for number, (title, metrics) in enumerate(widgets(found)):
        properties = {"title": title, "region": "${AWS::Region}", "period": 60, "metrics": metrics}
        drawn.append(_placed("metric", 8 * (number % 3), 5 + 6 * (number // 3), 8, 6, properties))
    return '{"widgets": [\n' + ",\n".join(drawn) + "\n]}\n"


def _placed(kind: str, x: int, y: int, width: int, height: int, properties: Mapping[str, Any]) -> str:
    """A widget, each of its alarms or metrics on a line."""
    listed = list(properties)[-1]
    lines = ",\n".join(f"    {json.dumps(one)}" for one in properties[listed])
    before = json.dumps({"type": kind, "x": x, "y": y, "width": width, "height": height, "properties": 0})
    told = json.dumps({**properties, listed: 0})
    return f"  {before[:-2]}{told[:-2]}[\n{lines}\n  ]}}}}"


def widgets(found: Declared) -> Iterator[Widget]:
    """What the dashboard shows, with its titles."""
    counted = (Metric.ORDERS_PLACED, Metric.ORDERS_CANCELLED, Metric.TRANSITIONS, Metric.INVALID_TRANSITIONS)
    yield "Orders", [own(metric).shown() for metric in counted]
    stuck = [own(Metric.ORDERS_STUCK, "Maximum", status=status.value).shown() for status in STUCK_STATUSES]
    yield "Stuck orders", [*stuck, own(Metric.PARCELS_OVERDUE).shown()]
    yield "Sweep", [own(metric).shown() for metric in (Metric.SWEEPS, Metric.ORDERS_RESTARTED, Metric.SWEEP_THROTTLES)]
    for machine, name in found.machines.items():
        what = MACHINES[machine].alarms
        early = [own(Metric.EXECUTIONS_ENDED_EARLY, machine=what, status=status).shown() for status in ENDS.values()]
        yield what.capitalize(), [*(of_machine(name, metric).shown() for metric in EXECUTIONS), *early]
    yield "API", [*(of_api(metric).shown() for metric in ("Count", "4xx", "5xx")), of_api("Latency", "p99").shown(**RIGHT)]
    yield "Function errors", _of_each_function("Errors", "Sum")
    yield "Function throttles", _of_each_function("Throttles", "Sum")
    yield "Function duration, p99", _of_each_function("Duration", "p99")
    ages = [of_function(function, "IteratorAge", "Maximum").shown() for function in found.streams.values()]
    yield "How far the streams are behind", ages
    yield "Dead letters", [waiting(queue).shown() for queue in LETTERS]
    events = [own(metric).shown() for metric in (Metric.FULFILLMENT_CONSUMED, Metric.FULFILLMENT_FAILED)]
    yield "Fulfillment events", [*events, own(Metric.FULFILLMENT_AGE_SECONDS, "p90").shown(**RIGHT)]
    money = (Metric.PAYMENT_EVENTS_FAILED, Metric.PAYMENTS_AFTER_THE_END, Metric.REFUNDS_FAILED, Metric.DISPUTES_OPENED)
    held = (Metric.CAPTURES_REFUSED, Metric.HOLDS_ENDED)
    yield "Payments", [own(metric).shown() for metric in (*money, *held)]
    yield "Webhook attempts", [own(metric).shown() for metric in (Metric.WEBHOOK_DELIVERED, Metric.WEBHOOK_FAILED)]
    lasting = [own(Metric.STATUS_SECONDS, "p95", status=status.value).shown() for status in FORWARD_PATH]
    yield "How long a status lasts (95th percentile)", lasting


def _of_each_function(metric: str, stat: str) -> list[list[Any]]:
    """By a search, which a dashboard may have and an alarm may not."""
    search = f"SEARCH('{{AWS/Lambda,FunctionName}} MetricName=\"{metric}\" \"${{Product}}-\"', '{stat}', 60)"
    return [[{"expression": search, "id": "e1", "label": ""}]]
