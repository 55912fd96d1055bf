"""What all stories of all handlers show together: nothing of the wiring can be taken away without being missed, no log line
holds a name, an address, what people wrote, a token or a secret, and the alarms look at metrics that are there.
"""

import io
import json
import logging
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from orders.adapters import secret_store
from orders.adapters.store import event_items, orders
from orders.domain.identifiers import OrderId
from orders.metrics import NAMESPACE, Metric
from tests.harness.cloudformation import expanded
from tests.harness.events import ALL_TAKEN, a_batch, a_record
from tests.template import stories, wiring
from tests.template.mutations import is_missed, mutations
from tests.template.stories import RecordingWorld, world  # noqa: F401 - a fixture
from tests.template.test_operations import OPERATIONS

ROOT = Path(__file__).parents[2]
ADDRESS = {
    "name": "Augusta Ada Byron",
    "line1": "Piccadilly Terrace 13",
    "line2": "third floor left",
    "city": "Kirkby Mallory",
    "postal_code": "LE9 7QE",
    "country": "GB",
}
TASK_TOKEN = "AQCEAAAAKgAAAAMAAAAAAAAAAexampletasktoken"
REASONS = ("too small", "my mother is ill")
PAYMENT_TOKENS = ("tok_ok", "tok_declined", "tok_timeout_1")


class Confiding(RecordingWorld):
    """A world in which every task token is one that can be found again."""

    def step(self, module: str, order_id: str, **facts: Any) -> Any:
        return super().step(module, order_id, **{"task_token": TASK_TOKEN, **facts})


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """All that the handlers' loggers write, from DEBUG on, as a development stack has it."""
    written = io.StringIO()
    names = [name for name, found in logging.root.manager.loggerDict.items() if isinstance(found, logging.Logger)]
    for logger in map(logging.getLogger, names):
        for handler in logger.handlers:
            # By its formatter: a handler that was imported before its service was named has another logger's name.
            if isinstance(handler, logging.StreamHandler) and isinstance(handler.formatter, LambdaPowertoolsFormatter):
                monkeypatch.setattr(handler, "stream", written)
                monkeypatch.setattr(logger, "level", logging.DEBUG)
                monkeypatch.setattr(handler, "level", logging.DEBUG)
    return written


def live_all_stories(world: RecordingWorld, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(stories, "ADDRESS", ADDRESS)
    world.__class__ = Confiding
    stories.keep_a_catalog(world)
    for story in stories.STORIES:
        story(world)
    a_cancelled_order_is_told_of_and_cancelled_again(world)


def a_cancelled_order_is_told_of_and_cancelled_again(world: RecordingWorld) -> None:  # noqa: F811
    for method, path in (("POST", "/orders/{id}/cancel"), ("PATCH", "/orders/{id}/status")):
        body = {"status": "SHIPPED"} if method == "PATCH" else {"reason": "my mother is ill"}
        world.http("change_order", f"{method} {path}", id="regret", group="support", body=body, refused=409)
    images = [event_items.event_to_item(event) for event in orders.history(OrderId("regret"))]
    records = [a_record(image, str(number)) for number, image in enumerate(images)]
    assert world.run("publish_changes", a_batch(records)) == ALL_TAKEN


@dataclass
class Lived:
    """What the stories have left: each handler's calls, everything written, and the key that signs tracking links."""

    calls: dict[str, set[wiring.Grant]] = field(default_factory=dict)
    reaches: dict[str, set[wiring.Reach]] = field(default_factory=dict)
    written: str = ""
    key: str = ""


@pytest.fixture(scope="module")
def kept() -> Lived:
    return Lived()


@pytest.fixture
def lived(
    kept: Lived,
    world: RecordingWorld,  # noqa: F811
    log: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Lived:
    """Lived once for all tests here: the stories take longer than what is asked of them."""
    if not kept.calls:
        live_all_stories(world, monkeypatch)
        kept.calls, kept.reaches, kept.key = world.calls, world.reaches, secret_store.signing_key().decode()
        kept.written = log.getvalue() + capsys.readouterr().out
    return kept


def test_a_role_grants_exactly_what_its_function_calls(lived: Lived) -> None:
    """On exactly the kinds of items that they name. A call without its grant would fail on AWS only; a grant without a call is
    one too many.
    """
    missing = {module: lived.calls.get(module, set()) - stories.granted(module) for module in stories.FUNCTIONS}
    unused = {module: stories.granted(module) - lived.calls.get(module, set()) for module in stories.FUNCTIONS}
    assert {module: grants for module, grants in missing.items() if grants} == {}, "called without a grant"
    assert {module: grants for module, grants in unused.items() if grants} == {}, "granted without a call"
    found = wiring.Deployment(stories.TEMPLATE, {}, lived.calls, lived.reaches, frozenset())
    assert list(wiring.reached_for(found)) == [], "items that the role may not touch"
    assert list(wiring.narrowed(found)) == [], "a role may touch items that its function never does"


def test_nothing_is_missing_and_whatever_is_taken_away_is_missed(lived: Lived) -> None:
    template = expanded()
    functions = (made["Properties"] for made in template["Resources"].values() if made["Type"] == "AWS::Lambda::Function")
    told = {variable for function in functions for variable in function["Environment"]["Variables"]}
    deployment = wiring.Deployment(template, OPERATIONS, lived.calls, lived.reaches, wiring.variables_read(told))
    assert list(wiring.faults(deployment)) == []
    taken = list(mutations(deployment))
    assert [f"{one.kind}: {one.name}" for one in taken if not is_missed(deployment, one)] == []
    kinds = {
        "variable",
        "grant",
        "key",
        "narrowing",
        "permission",
        "feed",
        "rule",
        "target",
        "queue policy",
        "route",
        "step",
        "alarm",
    }
    assert {one.kind for one in taken} == kinds
    assert len(taken) > 1200


def test_a_role_that_reaches_further_than_its_handler_is_noticed(lived: Lived) -> None:
    template = expanded()
    deployment = wiring.Deployment(template, OPERATIONS, lived.calls, lived.reaches, frozenset())
    assert list(wiring.narrowed(deployment)) == []
    roles = [made["Properties"] for made in template["Resources"].values() if made["Type"] == "AWS::IAM::Role"]
    listed = [
        statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
        for role in roles
        for policy in role.get("Policies", [])
        for statement in wiring.as_list(policy["PolicyDocument"]["Statement"])
        if "ForAllValues:StringLike" in statement.get("Condition", {})
    ]
    assert len(listed) > 25
    for keys in listed:
        for wider in (["*"], [*keys, "ELSEWHERE#*"], [*keys, "*"], [f"{keys[0][:2]}*"], [*keys, "*#*"], []):
            before, keys[:] = list(keys), wider
            assert list(wiring.narrowed(deployment)), wider
            keys[:] = before


def test_logs_hold_nothing_personal(lived: Lived) -> None:
    assert lived.written.count("\n") > 20, "the stories leave a log"
    country = {"GB"}
    secret = ({*ADDRESS.values()} - country) | {TASK_TOKEN, lived.key, *REASONS, *PAYMENT_TOKENS, "Traceback"}
    assert [text for text in secret if text in lived.written] == []


def test_lambda_s_filter_takes_every_line_for_what_it_is(lived: Lived) -> None:
    """Lambda takes a line without a level, or without a time after RFC 3339, for INFO, and drops it at a stricter level."""
    told = [json.loads(line) for line in lived.written.splitlines() if line.startswith("{")]
    assert {line["level"] for line in told if "_aws" in line} == {"FATAL"}
    assert {line["level"] for line in told} - {"FATAL", "INFO", "WARNING", "ERROR"} == set()
    time = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.]\d+(Z|[+-]\d\d:\d\d)")
    assert [line for line in told if not time.fullmatch(line["timestamp"])] == []


def test_the_alarms_look_at_metrics_that_the_handlers_emit(lived: Lived) -> None:
    assert _needed() - _emitted(lived.written) == set()


def _needed() -> set[tuple[str, str]]:
    return {
        (metric, dimensions) for space, metric, dimensions in wiring.alarmed(OPERATIONS) if space == NAMESPACE
    } - ONLY_ON_AWS


ONLY_ON_AWS = {
    # No story's endpoint is one that can be reached from here.
    (str(Metric.WEBHOOK_DELIVERED), "service=orders"),
}


def _emitted(written: str) -> set[tuple[str, str]]:
    """Every metric with its dimensions, from the embedded metric format's lines."""
    found = set()
    for line in written.splitlines():
        if not line.startswith('{"_aws"'):
            continue
        told = json.loads(line)
        for directive in told["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"] == NAMESPACE
            (names,) = directive["Dimensions"]
            dimensions = ",".join(sorted(f"{name}={told[name]}" for name in names))
            found |= {(metric["Name"], dimensions) for metric in directive["Metrics"]}
    return found
