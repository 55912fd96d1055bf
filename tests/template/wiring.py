"""What must hold between the template, the machines, the code and the alarms: each check names what is missing.

Pure functions of a ``Deployment``, so that test_handlers.py can take one thing away after the other and see it missed.
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from orders.metrics import NAMESPACE
from orders.web.routes import ROUTES

ROOT = Path(__file__).parents[2]
SOURCES = [*(ROOT / "functions").glob("*.py"), *(ROOT / "layers/orders/python/orders").rglob("*.py")]
Grant = tuple[str, str]
Reach = tuple[str, str, frozenset[str]]
"""A call on the table or an index: its action, its place, and the partition keys of all items that the request names."""

Watched = tuple[str, str, str]

FED_BY: Mapping[str, set[str]] = {
    "drive_workflow": {"stream OrdersTable"},
    "publish_changes": {"stream OrdersTable"},
    "keep_statistics": {"queue StatisticsEvents"},
    "fan_out_webhooks": {"queue WebhookEvents"},
    "deliver_webhook": {"queue WebhookDeliveries"},
    "on_fulfillment_event": {"queue FulfillmentEvents"},
    "on_payment_event": {"queue PaymentEvents"},
    "notify_customers": {"rule orders", "rule orders.mail", "rule aws.ses"},
    "sweep_orders": {"rule rate(1 minute)", "rule aws.states"},
}
"""What brings events to those functions that no route and no machine calls."""

FED_QUEUES = {"StatisticsEvents", "WebhookEvents", "FulfillmentEvents", "PaymentEvents"}
"""The queues that a rule of the bus fills; the deliveries' queue is filled by functions."""
BY_THE_BUS_ONLY = {"FulfillmentEvents": "FulfillmentRule", "PaymentEvents": "PaymentRule"}
"""The queues whose messages are believed to have come over the bus, and the rule that fills each."""

STREAM_CALLS = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")
QUEUE_CALLS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
EXECUTION_METRICS = ("ExecutionThrottled",)
ENDED_EARLY = [(machine, status) for machine in ("fulfillment", "unwinding") for status in ("ABORTED", "FAILED", "TIMED_OUT")]
FUNCTION_METRICS = ("Errors", "Throttles", "Duration")
BUSINESS: tuple[tuple[str, str], ...] = (
    *(("executions_ended_early_total", f"machine={what},service=orders,status={status}") for what, status in ENDED_EARLY),
    ("fulfillment_status_events_failed_total", "service=orders"),
    ("fulfillment_status_events_consumed_total", "service=orders"),
    ("fulfillment_event_age_seconds", "service=orders"),
    ("invalid_transitions_total", "service=orders"),
    ("orders_cancelled_total", "service=orders"),
    ("orders_placed_total", "service=orders"),
    ("orders_restarted_total", "service=orders"),
    ("orders_stuck", "service=orders,status=CONFIRMED"),
    ("orders_stuck", "service=orders,status=PENDING"),
    ("orders_stuck", "service=orders,status=PROCESSING"),
    ("payment_disputes_opened_total", "service=orders"),
    ("authorizations_ended_total", "service=orders"),
    ("captures_refused_total", "service=orders"),
    ("parcels_overdue_total", "service=orders"),
    ("payments_after_the_end_total", "service=orders"),
    ("refunds_failed_total", "service=orders"),
    ("step_refusals_total", "service=orders"),
    ("sweeps_total", "service=orders"),
    ("webhook_deliveries_failed_total", "service=orders"),
    ("webhook_deliveries_succeeded_total", "service=orders"),
)


@dataclass(frozen=True)
class Deployment:
    """Both templates in plain CloudFormation; ``calls`` is what each handler was seen to call, ``reaches`` with which keys,
    ``read`` which variables.
    """

    template: dict[str, Any]
    operations: dict[str, Any]
    calls: Mapping[str, set[Grant]]
    reaches: Mapping[str, set[Reach]]
    read: frozenset[str]

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of all resources of one type."""
        return self._by_kind.get(kind, {})

    @cached_property
    def _by_kind(self) -> dict[str, dict[str, dict[str, Any]]]:
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for name, made in self.template["Resources"].items():
            if "Properties" in made:
                found.setdefault(made["Type"], {})[name] = made["Properties"]
        return found

    def functions(self) -> dict[str, dict[str, Any]]:
        """The functions by their logical ids."""
        return self.of("AWS::Lambda::Function")


def faults(found: Deployment) -> Iterator[str]:
    """Everything that is missing, in words, one after the other."""
    for check in (environment, called_for, reached_for, narrowed, fed, service_grants, routes, steps, watched):
        yield from check(found)


def module_of(function: Mapping[str, Any]) -> str:
    """The module that holds a function's handler."""
    return str(function["Handler"]).partition(".")[0]


# --- what a function is told and what it may do ---


def environment(found: Deployment) -> Iterator[str]:
    """Every function is told all that the code reads: one process may hold any of them."""
    for name, function in found.functions().items():
        told = set(function.get("Environment", {}).get("Variables", {}))
        yield from (f"{name} is not told {variable}" for variable in sorted(found.read - told))


def called_for(found: Deployment) -> Iterator[str]:
    """Every call that a handler makes is granted."""
    for name, function in found.functions().items():
        missing = found.calls.get(module_of(function), set()) - set(granted(found, _role_of(function)))
        yield from (f"{name} may not {action} on {place}" for action, place in sorted(missing))


def reached_for(found: Deployment) -> Iterator[str]:
    """Every item that a handler reaches for has a key that its role is narrowed to.

    All keys of a request have to fit one statement: AWS does not document whether a transaction's are looked at one by one.
    """
    for name, function in found.functions().items():
        statements = list(on_the_table(found, _role_of(function)))
        reaches = found.reaches.get(module_of(function), ())
        missing = [reach for reach in reaches if not any(one.allows(*reach) for one in statements)]
        for action, place, keys in sorted(missing, key=str):
            yield f"{name} may not {action} {', '.join(sorted(keys))} on {place}"


def narrowed(found: Deployment) -> Iterator[str]:
    """Every statement on the table names the kinds of keys that it is for, and no kind that no call of its handler uses."""
    for name, function in found.functions().items():
        reaches = found.reaches.get(module_of(function), set())
        for one in on_the_table(found, _role_of(function)):
            if not one.keys:
                yield f"{name} is not narrowed to any keys: {one.sid}"
            for pattern in one.keys:
                if not KIND_OF_KEY.fullmatch(pattern):
                    yield f"{name} is narrowed to no kind of key: {one.sid} {pattern}"
                elif not any(one.uses(pattern, *reach) for reach in reaches):
                    yield f"{name} uses no such key: {one.sid} {pattern}"


KIND_OF_KEY = re.compile(r"[A-Z]+(#\*)?")
"""One key, or all keys of one kind."""


@dataclass(frozen=True)
class OnTheTable:
    """A statement on items of the table; ``keys`` are the patterns of the partition keys that it is narrowed to."""

    sid: str
    actions: tuple[str, ...]
    places: tuple[str, ...]
    keys: tuple[str, ...]

    def allows(self, action: str, place: str, keys: frozenset[str]) -> bool:
        """As IAM decides: every key is like one of the patterns; case counts."""
        if action not in self.actions or place not in self.places:
            return False
        return not self.keys or all(any(fnmatchcase(key, pattern) for pattern in self.keys) for key in keys)

    def uses(self, pattern: str, action: str, place: str, keys: frozenset[str]) -> bool:
        """Whether a call is one that this statement has the pattern for."""
        return action in self.actions and place in self.places and any(fnmatchcase(key, pattern) for key in keys)


def on_the_table(found: Deployment, role: str) -> Iterator[OnTheTable]:
    """What a role may do with items; reading the table's stream names no items."""
    for policy in found.of("AWS::IAM::Role")[role].get("Policies", []):
        for statement in as_list(policy["PolicyDocument"]["Statement"]):
            actions = tuple(action for action in as_list(statement["Action"]) if action.startswith("dynamodb:"))
            if actions and not {*actions} <= {*STREAM_CALLS, "dynamodb:ListStreams"}:
                like = statement.get("Condition", {}).get("ForAllValues:StringLike", {})
                places = tuple(place_of(resource) for resource in as_list(statement["Resource"]))
                yield OnTheTable(statement["Sid"], actions, places, tuple(as_list(like.get("dynamodb:LeadingKeys", []))))


def service_grants(found: Deployment) -> Iterator[str]:
    """What Lambda does in a function's name, and what every function needs: logs and traces."""
    for name, function in found.functions().items():
        role = found.of("AWS::IAM::Role")[_role_of(function)]
        managed = " ".join(json.dumps(arn) for arn in role.get("ManagedPolicyArns", []))
        yield from (
            f"{name} lacks {need}" for need in ("AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess") if need not in managed
        )
    for name, mapping in found.of("AWS::Lambda::EventSourceMapping").items():
        yield from _missing(found, name, mapping["FunctionName"]["Ref"], _needed_by_feed(mapping))
    for name, config in found.of("AWS::Lambda::EventInvokeConfig").items():
        kept = config["DestinationConfig"]["OnFailure"]["Destination"]
        yield from _missing(found, name, config["FunctionName"]["Ref"], [("sqs:SendMessage", place_of(kept))])


def _needed_by_feed(mapping: Mapping[str, Any]) -> list[Grant]:
    source = mapping["EventSourceArn"]["Fn::GetAtt"][0]
    if "StartingPosition" not in mapping:
        return [(action, source) for action in QUEUE_CALLS]
    kept = mapping["DestinationConfig"]["OnFailure"]["Destination"]
    streams = "${" + source + ".Arn}/stream/*"
    return [
        *((action, source) for action in STREAM_CALLS),
        ("dynamodb:ListStreams", streams),
        ("sqs:SendMessage", place_of(kept)),
    ]


def _missing(found: Deployment, name: str, function: str, needed: list[Grant]) -> Iterator[str]:
    role = _role_of(found.functions()[function])
    has = set(granted(found, role))
    yield from (f"{name}: {function} may not {action} on {place}" for action, place in needed if (action, place) not in has)


def granted(found: Deployment, role: str) -> Iterator[Grant]:
    """Every action a role is allowed, on every place."""
    for policy in found.of("AWS::IAM::Role")[role].get("Policies", []):
        for statement in as_list(policy["PolicyDocument"]["Statement"]):
            for action in as_list(statement["Action"]):
                yield from ((action, place_of(resource)) for resource in as_list(statement["Resource"]))


def place_of(resource: Any) -> str:
    """A resource by its logical id, an index by its name, a machine or its executions by the machine's name."""
    if isinstance(resource, str):
        return resource
    if "Ref" in resource:
        return str(resource["Ref"])
    if "Fn::GetAtt" in resource:
        return str(resource["Fn::GetAtt"][0])
    text = str(resource["Fn::Sub"])
    if "/index/" in text:
        return text.rpartition("/")[2]
    kind, _, name = text.partition("${AWS::AccountId}:")[2].partition(":")
    return f"{kind} {name.removeprefix('${AWS::StackName}-').removesuffix(':*')}" if name else text


def as_list(value: Any) -> list[Any]:
    """One or many, as a list."""
    return value if isinstance(value, list) else [value]


def _role_of(function: Mapping[str, Any]) -> str:
    return str(function["Role"]["Fn::GetAtt"][0])


# --- what brings events ---


def fed(found: Deployment) -> Iterator[str]:
    """Every consumer is fed by what it is for, and every rule may reach what it names."""
    feeds: dict[str, set[str]] = {module: set() for module in FED_BY}
    for mapping in found.of("AWS::Lambda::EventSourceMapping").values():
        kind = "stream" if "StartingPosition" in mapping else "queue"
        module = module_of(found.functions()[mapping["FunctionName"]["Ref"]])
        feeds.setdefault(module, set()).add(f"{kind} {mapping['EventSourceArn']['Fn::GetAtt'][0]}")
    queues = set()
    for name, rule in found.of("AWS::Events::Rule").items():
        for target in rule["Targets"]:
            place = target["Arn"]["Fn::GetAtt"][0]
            if place in found.functions():
                said = rule.get("ScheduleExpression") or rule["EventPattern"]["source"][0]
                feeds.setdefault(module_of(found.functions()[place]), set()).add(f"rule {said}")
                yield from _may_invoke(found, place, "events.amazonaws.com", name)
            else:
                queues.add(place)
                yield from _may_queue(found, place, name)
            if "DeadLetterConfig" in target:
                yield from _may_queue(found, target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0], name)
    yield from (f"{module} is fed by {sorted(feeds[module])}" for module in feeds if feeds[module] != FED_BY.get(module))
    yield from (f"nothing fills {queue}" for queue in sorted(FED_QUEUES - queues))
    for queue, sender in BY_THE_BUS_ONLY.items():
        yield from _denied_to_others(found, queue, sender)


def _denied_to_others(found: Deployment, queue: str, rule: str) -> Iterator[str]:
    for policy in found.of("AWS::SQS::QueuePolicy").values():
        for statement in policy["PolicyDocument"]["Statement"] if {"Ref": queue} in policy["Queues"] else ():
            denies = (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "sqs:SendMessage")
            places = [place_of(resource) for resource in as_list(statement["Resource"])]
            # Not "IfExists", and no other condition: a caller with credentials of their own sends no SourceArn.
            source = {"Fn::GetAtt": [rule, "Arn"]}
            if denies and queue in places and statement["Condition"] == {"ArnNotEquals": {"aws:SourceArn": source}}:
                return
    yield f"others than {rule} may send to {queue}"


def _may_invoke(found: Deployment, function: str, principal: str, source: str) -> Iterator[str]:
    for permission in found.of("AWS::Lambda::Permission").values():
        named = permission["FunctionName"].get("Ref") or permission["FunctionName"]["Fn::GetAtt"][0]
        if named == function and permission["Principal"] == principal and source in json.dumps(permission.get("SourceArn")):
            return
    yield f"{source} may not invoke {function}"


def _may_queue(found: Deployment, queue: str, rule: str) -> Iterator[str]:
    for policy in found.of("AWS::SQS::QueuePolicy").values():
        if {"Ref": queue} not in policy["Queues"]:
            continue
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Effect"] != "Allow":
                continue
            places = [place_of(resource) for resource in as_list(statement["Resource"])]
            sources = [place_of(source) for source in as_list(statement["Condition"]["ArnEquals"]["aws:SourceArn"])]
            if queue in places and rule in sources and statement["Action"] == "sqs:SendMessage":
                return
    yield f"{rule} may not send to {queue}"


def routes(found: Deployment) -> Iterator[str]:
    """Every route leads to its function, which the API may invoke for it."""
    paths = found.of("AWS::ApiGatewayV2::Api")["Api"]["Body"]["paths"]
    for key in [*ROUTES, "$default"]:
        method, _, path = key.rpartition(" ")
        operation = paths.get(path, {}).get(method.lower() or "x-amazon-apigateway-any-method")
        if operation is None:
            yield f"there is no route {key}"
            continue
        uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
        function = re.findall(r"functions/\$\{(\w+)\.Arn\}/", uri)[0]
        wanted = "ShowDocsFunction" if key == "$default" else ROUTES[key].function
        if wanted not in (function, module_of(found.functions()[function])):
            yield f"{key} leads to {function}"
        place = "/" + method + re.sub(r"\{\w+\}", "*", path) if method else "${__Stage__}/*"
        yield from _may_invoke(found, function, "apigateway.amazonaws.com", place + '"')


def steps(found: Deployment) -> Iterator[str]:
    """Every step that a machine names is there, and may be invoked by it and logged."""
    for name, machine in found.of("AWS::StepFunctions::StateMachine").items():
        separator, lines = machine["DefinitionString"]["Fn::Join"]
        named = set(re.findall(r"\$\{(\w+)Arn\}", separator.join(lines)))
        yield from (
            f"{name} does not know {step}"
            for step in sorted(named - {s.removesuffix("Arn") for s in machine["DefinitionSubstitutions"]})
        )
        role = machine["RoleArn"]["Fn::GetAtt"][0]
        may = set(granted(found, role))
        yield from (f"{name} may not invoke {step}" for step in sorted(named) if ("lambda:InvokeFunction", step) not in may)
        managed = json.dumps(found.of("AWS::IAM::Role")[role]["ManagedPolicyArns"])
        yield from (f"{name} lacks {need}" for need in ("WorkflowLogDelivery", "AWSXrayWriteOnlyAccess") if need not in managed)


# --- what is watched ---


def watched(found: Deployment) -> Iterator[str]:
    """Everything that can fail has an alarm, and every alarm watches something that is there."""
    has, needed = set(alarmed(found.operations)), set(to_watch(found))
    yield from (f"nothing watches {' '.join(missing)}" for missing in sorted(needed - has))
    yield from (f"an alarm watches {' '.join(extra)}, which is not there" for extra in sorted(has - needed))


def to_watch(found: Deployment) -> Iterator[Watched]:
    """What needs an alarm, derived from what there is."""
    for function in found.functions().values():
        name = _named(function["FunctionName"])
        yield from (("AWS/Lambda", metric, f"FunctionName={name}") for metric in FUNCTION_METRICS)
    for mapping in found.of("AWS::Lambda::EventSourceMapping").values():
        # Lambda looks for loops through queues, not through streams.
        metric = "IteratorAge" if "StartingPosition" in mapping else "RecursiveInvocationsDropped"
        name = _named(found.functions()[mapping["FunctionName"]["Ref"]]["FunctionName"])
        yield "AWS/Lambda", metric, f"FunctionName={name}"
    for machine in found.of("AWS::StepFunctions::StateMachine").values():
        name = _named(machine["StateMachineName"])
        yield from (("AWS/States", metric, f"StateMachineArn=stateMachine:{name}") for metric in EXECUTION_METRICS)
    for queue in dead_letter_queues(found):
        yield "AWS/SQS", "ApproximateNumberOfMessagesVisible", f"QueueName={queue}"
    for api in found.of("AWS::ApiGatewayV2::Api"):
        yield from (("AWS/ApiGateway", metric, f"ApiId={api}") for metric in ("5xx", "Count", "Latency"))
    yield from ((NAMESPACE, metric, dimensions) for metric, dimensions in BUSINESS)


def dead_letter_queues(found: Deployment) -> set[str]:
    """Every queue that something is sent to when all tries have failed."""
    text = json.dumps(found.template["Resources"])
    places = re.findall(r'"(?:deadLetterTargetArn|Destination)": \{"Fn::GetAtt": \["(\w+)", "Arn"\]\}', text)
    places += re.findall(r'"DeadLetterConfig": \{"Arn": \{"Fn::GetAtt": \["(\w+)", "Arn"\]\}', text)
    return set(places)


def alarmed(operations: Mapping[str, Any]) -> Iterator[Watched]:
    """Every metric that an alarm looks at, with its dimensions."""
    for alarm in alarms(operations).values():
        measured = [part["MetricStat"]["Metric"] for part in alarm.get("Metrics", []) if "MetricStat" in part] or [alarm]
        for metric in measured:
            told = sorted(f"{one['Name']}={_named(one['Value'])}" for one in metric.get("Dimensions", []))
            yield metric["Namespace"], metric["MetricName"], ",".join(told)


def alarms(operations: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The alarms by their names, without the stack's."""
    found = (made["Properties"] for made in operations["Resources"].values() if made["Type"] == "AWS::CloudWatch::Alarm")
    return {_named(alarm["AlarmName"]): alarm for alarm in found}


def _named(value: Any) -> str:
    """A name without what the stack, region and account add to it; a parameter by its own name."""
    text = str(value) if isinstance(value, str) else str(value.get("Fn::Sub") or value.get("Ref"))
    text = text.partition("${AWS::AccountId}:")[2] or text
    return text.replace("${Product}-", "").replace("${AWS::StackName}-", "")


# --- what the code reads ---


def variables_read(told: set[str]) -> frozenset[str]:
    """The variables that the code names, of those that there are, and what the libraries read by themselves."""
    found = {variable for variable in told if variable.startswith(("AWS_", "POWERTOOLS_", "PYDANTIC_"))}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in told:
                found.add(node.value)
    return frozenset(found)
