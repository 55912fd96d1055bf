"""What stands in template.yaml, in the machines and in the code is one story told once."""

import ast
import importlib
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from orders.domain.events import CARRIERS_SOURCE, MAIL_SOURCE, PROVIDERS_SOURCE, SOURCE
from orders.domain.notifications import EVENT_TYPES
from orders.domain.steps import WAITS
from orders.web.routes import ROUTES, Who
from tests.harness import behavior
from tests.harness.cloudformation import expanded

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "functions"
SELF_VERIFIED = {Who.ANYONE, Who.TRACKING_LINK, Who.SIGNED}
WILDCARD_RESOURCES = {
    ("WorkflowLogDelivery", "*"),  # log delivery knows no resource
    ("DriveWorkflowFunctionRole", "${OrdersTable.Arn}/stream/*"),
    ("PublishChangesFunctionRole", "${OrdersTable.Arn}/stream/*"),
    # An execution is named by its order: these are all orders.
    ("DriveWorkflowFunctionRole", "execution:${AWS::StackName}-fulfil-order:*"),
    ("RepairOrderFunctionRole", "execution:${AWS::StackName}-fulfil-order:*"),
    ("RepairOrderFunctionRole", "execution:${AWS::StackName}-unwind-order:*"),
    ("SweepOrdersFunctionRole", "execution:${AWS::StackName}-fulfil-order:*"),
    ("SweepOrdersFunctionRole", "execution:${AWS::StackName}-unwind-order:*"),
}


@cache
def template() -> dict[str, Any]:
    return expanded()


def resources(kind: str) -> dict[str, dict[str, Any]]:
    return {name: r["Properties"] for name, r in template()["Resources"].items() if r["Type"] == kind}


def functions() -> dict[str, dict[str, Any]]:
    return resources("AWS::Lambda::Function")


def machines() -> dict[str, dict[str, Any]]:
    return resources("AWS::StepFunctions::StateMachine")


def modules() -> set[str]:
    return {path.stem for path in FUNCTIONS.glob("*.py")}


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, role in resources("AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement
    for name, policy in resources("AWS::IAM::ManagedPolicy").items():
        for statement in policy["PolicyDocument"]["Statement"]:
            yield name, statement


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def routes() -> dict[str, dict[str, Any]]:
    paths = resources("AWS::ApiGatewayV2::Api")["Api"]["Body"]["paths"]
    found = {}
    for path, methods in paths.items():
        for method, operation in methods.items():
            any_method = method == "x-amazon-apigateway-any-method"
            found[path if any_method else f"{method.upper()} {path}"] = operation
    return found


def function_behind(operation: dict[str, Any]) -> str:
    uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
    match = re.search(r"functions/\$\{(\w+)\.Arn\}/", uri)
    assert match, uri
    return match[1]


@pytest.mark.parametrize("name", sorted(functions()))
def test_a_function_s_handler_is_there(name: str) -> None:
    module, _, attribute = functions()[name]["Handler"].partition(".")
    assert module in modules(), f"functions/{module}.py is missing"
    assert callable(getattr(importlib.import_module(module), attribute))


def test_every_module_in_functions_is_deployed() -> None:
    assert modules() == {f["Handler"].partition(".")[0] for f in functions().values()}


@pytest.mark.parametrize("name", sorted(functions()))
def test_a_function_s_name_is_its_module_s(name: str) -> None:
    words = re.findall("[A-Z][a-z]+", name.removesuffix("Function"))
    assert functions()[name]["Handler"] == f"{'_'.join(words).lower()}.handler"


@pytest.mark.parametrize("module", sorted(modules()))
def test_a_function_has_a_recorded_event(module: str) -> None:
    assert (ROOT / f"events/{module}.json").is_file(), f"record one: events/{module}.json"


@pytest.mark.parametrize("name", sorted(functions()))
def test_a_function_runs_where_it_is_built_for_and_within_its_means(name: str) -> None:
    function = functions()[name]
    assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
    assert function["MemorySize"] <= 512
    assert function["Timeout"] <= 30, "the HTTP API does not wait longer"
    assert function["LoggingConfig"]["LogFormat"] == "JSON"


@pytest.mark.parametrize("name", sorted(machines()))
def test_a_machine_s_substitutions_are_those_that_its_states_use(name: str) -> None:
    definition, substitutions = _definition(name), machines()[name]["DefinitionSubstitutions"]
    assert set(re.findall(r"\$\{(\w+)\}", definition)) == set(substitutions)
    for used, target in substitutions.items():
        assert target == {"Fn::GetAtt": [used.removesuffix("Arn"), "Arn"]}, "it is named for what it stands for"


@pytest.mark.parametrize("name", sorted(machines()))
def test_a_machine_may_invoke_its_steps_and_nothing_else(name: str) -> None:
    allowed = [s for role, s in statements() if role == f"{name}Role"]
    assert [s["Action"] for s in allowed] == ["lambda:InvokeFunction"]
    steps = machines()[name]["DefinitionSubstitutions"].values()
    assert sorted(map(str, allowed[0]["Resource"])) == sorted(map(str, steps))


@pytest.mark.parametrize("name", sorted(machines()))
def test_a_machine_logs_no_task_tokens(name: str) -> None:
    assert machines()[name]["LoggingConfiguration"]["IncludeExecutionData"] is False


@pytest.mark.parametrize("name", sorted(machines()))
def test_a_machine_s_name_is_the_one_that_the_functions_are_told(name: str) -> None:
    variable = {"FulfilOrder": "FULFILL_MACHINE_ARN", "UnwindOrder": "UNWIND_MACHINE_ARN"}[name]
    told = next(iter(functions().values()))["Environment"]["Variables"][variable]["Fn::Sub"]
    assert told.endswith(":stateMachine:" + machines()[name]["StateMachineName"]["Fn::Sub"])


def test_the_api_has_the_routes_of_the_table_and_a_way_out() -> None:
    assert set(routes()) == {*ROUTES, "$default"}


@pytest.mark.parametrize("key", sorted(ROUTES))
def test_a_route_leads_to_the_function_that_the_table_names(key: str) -> None:
    module, _, _ = functions()[function_behind(routes()[key])]["Handler"].partition(".")
    assert module == ROUTES[key].function


@pytest.mark.parametrize("module", sorted({route.function for route in ROUTES.values()}))
def test_a_function_serves_the_routes_that_the_table_gives_it(module: str) -> None:
    source = ast.parse((FUNCTIONS / f"{module}.py").read_text(encoding="utf-8"))
    texts = {node.value for node in ast.walk(source) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    served = {text for text in texts if re.fullmatch("(GET|POST|PUT|PATCH|DELETE) /[^ ]*", text)}
    assert served == {key for key, route in ROUTES.items() if route.function == module}


def test_every_route_but_the_pages_is_promised_to_those_whom_the_table_names() -> None:
    assert behavior.routes() == {
        key: frozenset(who.value for who in route.who) for key, route in ROUTES.items() if not route.is_page
    }


@pytest.mark.parametrize("key", sorted(ROUTES))
def test_a_route_is_open_only_to_what_the_authorizer_cannot_verify(key: str) -> None:
    open_route = bool(ROUTES[key].who & SELF_VERIFIED)
    assert routes()[key]["security"] == ([{"NONE": []}] if open_route else [{"Jwt": []}])


def test_what_no_route_takes_is_answered_by_the_product() -> None:
    assert function_behind(routes()["$default"]) == "ShowDocsFunction"


def test_no_action_is_a_wildcard() -> None:
    actions = {action for _, statement in statements() for action in as_list(statement["Action"])}
    assert {action for action in actions if "*" in action} == set()


# For these a request always names its partition keys: a role narrowed to keys is narrowed with each of them.
WITH_KEYS = {
    "dynamodb:BatchGetItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
}
OF_THE_STREAM = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"}


def test_no_role_may_ask_the_table_without_naming_keys() -> None:
    for name, statement in statements():
        actions = {action for action in as_list(statement["Action"]) if action.startswith("dynamodb:")}
        assert actions <= WITH_KEYS | OF_THE_STREAM, name
        if actions & WITH_KEYS:
            assert statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"], name


def test_a_wildcard_resource_is_one_with_a_reason() -> None:
    found = set()
    for role, statement in statements():
        for resource in as_list(statement["Resource"]):
            text = resource.get("Fn::Sub", "") if isinstance(resource, dict) else resource
            if "*" in text:
                found.add((role, text.partition("${AWS::AccountId}:")[2] or text))
    assert found == WILDCARD_RESOURCES


def test_a_function_that_reads_an_index_may_read_that_index_only() -> None:
    indexes = {index["IndexName"] for index in resources("AWS::DynamoDB::Table")["OrdersTable"]["GlobalSecondaryIndexes"]}
    for role, statement in statements():
        for resource in as_list(statement["Resource"]):
            text = resource.get("Fn::Sub", "") if isinstance(resource, dict) else ""
            if "/index/" in text:
                assert text.rpartition("/")[2] in indexes, role
                assert as_list(statement["Action"]) == ["dynamodb:Query"], role


def mappings(*, from_stream: bool) -> list[str]:
    found = resources("AWS::Lambda::EventSourceMapping")
    return sorted(name for name, mapping in found.items() if ("StartingPosition" in mapping) == from_stream)


@pytest.mark.parametrize("name", mappings(from_stream=True))
def test_a_stream_s_poisoned_record_holds_nobody_back_and_is_kept(name: str) -> None:
    mapping = resources("AWS::Lambda::EventSourceMapping")[name]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert 0 < mapping["MaximumRetryAttempts"] <= 100
    assert 0 < mapping["MaximumRecordAgeInSeconds"] <= 86400
    queue = mapping["DestinationConfig"]["OnFailure"]["Destination"]
    role = functions()[mapping["FunctionName"]["Ref"]]["Role"]["Fn::GetAtt"][0]
    assert any(r == role and s["Action"] == "sqs:SendMessage" and s["Resource"] == queue for r, s in statements())


@pytest.mark.parametrize("name", mappings(from_stream=False))
def test_a_queue_s_poisoned_message_holds_nobody_back_and_is_kept(name: str) -> None:
    mapping = resources("AWS::Lambda::EventSourceMapping")[name]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    queue = resources("AWS::SQS::Queue")[mapping["EventSourceArn"]["Fn::GetAtt"][0]]
    assert 0 < queue["RedrivePolicy"]["maxReceiveCount"] <= 10
    assert queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0] in resources("AWS::SQS::Queue")
    function = functions()[mapping["FunctionName"]["Ref"]]
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"], "a message must not come again while it is being handled"


def test_a_function_may_call_itself_only_through_a_queue_that_it_fills_again() -> None:
    """Lambda drops what it takes for a loop after sixteen calls, far fewer than a delivery is held back by its queue."""
    loops = set()
    for mapping in resources("AWS::Lambda::EventSourceMapping").values():
        function, source = mapping["FunctionName"]["Ref"], mapping["EventSourceArn"]
        role = functions()[function]["Role"]["Fn::GetAtt"][0]
        if any(
            r == role and "sqs:SendMessage" in as_list(s["Action"]) and source in as_list(s["Resource"])
            for r, s in statements()
        ):
            loops.add(function)
    assert {name for name, function in functions().items() if function.get("RecursiveLoop") == "Allow"} == loops
    assert loops == {"DeliverWebhookFunction"}


def test_no_log_is_delivered_to_a_group_that_the_account_s_policy_has_to_name() -> None:
    delivered = {
        resources("AWS::ApiGatewayV2::Stage")["ApiApiGatewayDefaultStage"]["AccessLogSettings"]["DestinationArn"]["Fn::GetAtt"][
            0
        ]
    }
    for machine in machines().values():
        for destination in machine["LoggingConfiguration"]["Destinations"]:
            delivered.add(destination["CloudWatchLogsLogGroup"]["LogGroupArn"]["Fn::GetAtt"][0])
    assert delivered == {"AccessLogs", "WorkflowLogs"}
    for name in delivered:
        assert resources("AWS::Logs::LogGroup")[name]["LogGroupName"]["Fn::Sub"].startswith("/aws/vendedlogs/")


def test_the_lines_that_the_runbook_reads_are_logged() -> None:
    runbook = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    assert 'type = "platform.report"' in runbook
    for function in functions().values():
        # At WARN Lambda drops the report of a call that went well.
        assert function["LoggingConfig"]["SystemLogLevel"] in ("INFO", "DEBUG")
    groups = {
        group["LogGroupName"]["Fn::Sub"].replace("${AWS::StackName}", "orders-prod")
        for group in resources("AWS::Logs::LogGroup").values()
    }
    assert set(re.findall(r"`(/[a-z/-]*orders-prod[a-z/-]*)`", runbook)) <= groups, "no group but those that there are"


def test_logging_is_set_up_in_one_place() -> None:
    loggers = {
        path.name
        for path in [*FUNCTIONS.glob("*.py"), *(ROOT / "layers/orders/python/orders").rglob("*.py")]
        if re.search(r"import .*\bLogger\b|getLogger|basicConfig", path.read_text(encoding="utf-8"))
    }
    assert loggers == {"logs.py"}


def test_functions_log_at_the_level_that_the_parameter_says() -> None:
    level = {"Fn::FindInMap": ["LambdaLogLevels", {"Ref": "LogLevel"}, "Application"]}
    assert {json.dumps(function["LoggingConfig"]["ApplicationLogLevel"]) for function in functions().values()} == {
        json.dumps(level)
    }
    # Lambda's names for Python's.
    names = {"DEBUG": "DEBUG", "INFO": "INFO", "WARNING": "WARN", "ERROR": "ERROR"}
    assert {name: told["Application"] for name, told in template()["Mappings"]["LambdaLogLevels"].items()} == names
    assert list(names) == template()["Parameters"]["LogLevel"]["AllowedValues"]


def test_whatever_a_rule_cannot_deliver_is_kept() -> None:
    kept = {config["FunctionName"]["Ref"] for config in resources("AWS::Lambda::EventInvokeConfig").values()}
    for rule in resources("AWS::Events::Rule").values():
        for target in rule["Targets"]:
            assert target["Arn"]["Fn::GetAtt"][0] in kept or "DeadLetterConfig" in target, target


@pytest.mark.parametrize("name", sorted(resources("AWS::Logs::LogGroup")))
def test_no_log_is_kept_for_ever(name: str) -> None:
    assert resources("AWS::Logs::LogGroup")[name]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_the_table_keeps_what_is_in_it() -> None:
    table = resources("AWS::DynamoDB::Table")["OrdersTable"]
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert table["DeletionProtectionEnabled"] == {"Ref": "DeletionProtection"}
    assert template()["Parameters"]["DeletionProtection"]["Default"] == "true"


@pytest.mark.parametrize("name", sorted(template()["Parameters"]))
def test_a_parameter_says_what_it_is_for_and_what_it_takes(name: str) -> None:
    parameter = template()["Parameters"][name]
    assert len(parameter["Description"]) > 30
    bounded = {"AllowedPattern", "MinValue", "MaxValue"} & set(parameter)
    assert bounded or parameter["AllowedValues"]
    if bounded:
        assert parameter["ConstraintDescription"].startswith("must be ")


def test_functions_are_sent_to_aws_itself_or_to_their_own_machine() -> None:
    parameter = template()["Parameters"]["EndpointUrl"]
    assert parameter["Default"] == "", "which the SDK takes for none"
    allowed = re.compile(parameter["AllowedPattern"])
    assert [url for url in ("", "http://127.0.0.1:4566") if not allowed.search(url)] == []
    foreign = [
        "http://evil.example",
        "https://127.0.0.1:4566",
        "http://127.0.0.1.evil.example:80",
        "http://127.0.0.1:80@evil.example",
    ]
    assert [url for url in foreign if allowed.search(url)] == []
    told = [made["Environment"]["Variables"]["AWS_ENDPOINT_URL"] for made in functions().values()]
    assert told == [{"Ref": "EndpointUrl"}] * len(told), (
        "each can be tried by `sam local invoke`, which passes declared variables only"
    )


def test_the_code_reads_the_variables_that_the_template_sets() -> None:
    read = _variables_read()
    told = set(next(iter(functions().values()))["Environment"]["Variables"])
    assert read - told == set()
    ours = {variable for variable in told if not variable.startswith(("AWS_", "POWERTOOLS_", "PYDANTIC_"))}
    assert ours - read == set(), "set for nobody"


def test_the_template_sets_how_long_each_wait_is() -> None:
    told = set(next(iter(functions().values()))["Environment"]["Variables"])
    assert {setting for wait in WAITS for setting in (wait.setting, wait.for_carrier) if setting} - told == set()


def _variables_read() -> set[str]:
    """Every constant in the code that is named like one of ours: some are chosen before they are looked up."""
    lookups = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
    told = set(next(iter(functions().values()))["Environment"]["Variables"])
    found = set()
    for path in [*FUNCTIONS.glob("*.py"), *(ROOT / "layers/orders/python/orders").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and lookups.fullmatch(node.value):
                looked_up = node.value in told or path.name == "settings.py" or path.parent.name in ("payments", "carriers")
                found |= {node.value} if looked_up else set()
    return found


def _definition(name: str) -> str:
    separator, lines = machines()[name]["DefinitionString"]["Fn::Join"]
    return json.dumps(json.loads(separator.join(lines)))


# --- the bus ---


FREE_TEXT = 'the "aud" claim\\ is\nnot ours'
"""What a client, a token or a function can bring into a message."""
LOGGED = {
    "requestId": "JKJaXmPLvHcESHA=",
    "requestTime": "21/Nov/2026:12:00:00 +0000",
    "routeKey": "GET /orders/{id}",
    "status": "200",
    "authorizer.claims.sub": "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
    "identity.sourceIp": "2001:db8::1",
    "responseLatency": "17",
    "integrationLatency": "12",
    "error.responseType": "UNAUTHORIZED",
    "integration.integrationStatus": "200",
    "integration.status": "404",
}
"""The variables of an HTTP API's access log that nobody outside can put words of their own into."""


@pytest.mark.parametrize("absent", [None, *LOGGED])
def test_every_line_of_the_access_log_is_json(absent: str | None) -> None:
    """API Gateway puts a value in as it is, and a dash for one that there is not."""
    stage = resources("AWS::ApiGatewayV2::Stage")["ApiApiGatewayDefaultStage"]
    values = {name: "-" if name == absent else value for name, value in LOGGED.items()}
    written = re.sub(
        r"\$context\.([\w.]+)", lambda found: values.get(found[1], FREE_TEXT), stage["AccessLogSettings"]["Format"]
    )
    assert sorted(json.loads(written).values()) == sorted(values.values())
    assert "\n" not in stage["AccessLogSettings"]["Format"]


def _own_sources() -> dict[str, str]:
    """The pipeline's own sources, each with the function that publishes under it."""
    return {
        SOURCE: "PublishChangesFunction",
        CARRIERS_SOURCE: "ReceiveCarrierEventFunction",
        PROVIDERS_SOURCE: "ReceivePaymentEventFunction",
        MAIL_SOURCE: "PublishChangesFunction",
    }


def test_each_of_the_pipeline_s_own_sources_is_kept_for_the_function_that_publishes_under_it() -> None:
    denied: dict[str, Any] = {}
    for made in expanded(released=True)["Resources"].values():
        if made["Type"] != "AWS::Events::EventBusPolicy":
            continue
        statement = made["Properties"]["Statement"]
        assert made["Properties"]["EventBusName"] == {"Ref": "OrdersBus"}
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "events:PutEvents")
        assert statement["Resource"] == {"Fn::GetAtt": ["OrdersBus", "Arn"]}
        # Not StringEquals: a call carries several events, and one of a foreign source must not let the others through.
        assert set(statement["Condition"]) == {"ForAnyValue:StringEquals", "ArnNotEquals"}
        (source,) = statement["Condition"]["ForAnyValue:StringEquals"]["events:source"]
        denied[source] = statement["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]
    assert denied == {source: {"Fn::GetAtt": [f"{name}Role", "Arn"]} for source, name in _own_sources().items()}


def test_two_stacks_of_an_account_have_statements_on_their_buses_by_different_names() -> None:
    """A statement's id is what CloudFormation knows it by: a second stack with the same one cannot be made."""
    resources = expanded(released=True)["Resources"]
    ids = [r["Properties"]["StatementId"]["Fn::Sub"] for r in resources.values() if r["Type"] == "AWS::Events::EventBusPolicy"]
    assert len(ids) == len(set(ids)) == len(_own_sources())
    assert all(name.startswith("${AWS::StackName}-") for name in ids)
    # Both have 64 characters: a stack whose functions can be named must be able to name these.
    longest = max(len(function["FunctionName"]["Fn::Sub"]) for function in functions().values())
    assert max(map(len, ids)) <= longest


def test_statements_on_the_bus_are_put_one_after_the_other() -> None:
    """EventBridge takes two that are put at once, answers both with success, and keeps one."""
    resources = expanded(released=True)["Resources"]
    statements = {name: r.get("DependsOn") for name, r in resources.items() if r["Type"] == "AWS::Events::EventBusPolicy"}
    (before,) = [name for name, after in statements.items() if after is None]
    for _ in range(len(statements) - 1):
        (before,) = [name for name, after in statements.items() if after in (before, [before])]
    assert before in statements


def test_rules_believe_the_pipeline_s_own_events_of_the_pipeline_only() -> None:
    """A rule that takes events of any source takes none of the types that the pipeline publishes itself."""
    patterns = [
        made["Properties"]["EventPattern"]
        for made in expanded(released=True)["Resources"].values()
        if made["Type"] == "AWS::Events::Rule" and made["Properties"].get("EventBusName") == {"Ref": "OrdersBus"}
    ]
    assert len(patterns) >= 4
    for pattern in patterns:
        if pattern.get("source") != [SOURCE]:
            assert pattern["detail-type"]
            assert not set(pattern["detail-type"]) & set(EVENT_TYPES)
