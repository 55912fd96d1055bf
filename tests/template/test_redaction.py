"""No log line of any handler holds a name, an address, what people wrote, a token or a secret."""

import io
import json
import logging
from typing import Any

import pytest

from orders import secrets, store
from orders.metrics import NAMESPACE, Metric
from tests.template import test_permissions as stories
from tests.template import wiring
from tests.template.test_operations import OPERATIONS
from tests.template.test_permissions import World, world  # noqa: F401 - a fixture

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


class Confiding(World):
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
            if isinstance(handler, logging.StreamHandler) and logger.name.startswith("orders"):
                monkeypatch.setattr(handler, "stream", written)
                monkeypatch.setattr(logger, "level", logging.DEBUG)
                monkeypatch.setattr(handler, "level", logging.DEBUG)
    return written


def live_all_stories(world: World, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(stories, "ADDRESS", ADDRESS)
    world.__class__ = Confiding
    stories.keep_a_catalogue(world)
    for story in stories.STORIES:
        story(world)
    a_cancelled_order_is_told_of_and_cancelled_again(world)


def a_cancelled_order_is_told_of_and_cancelled_again(world: World) -> None:  # noqa: F811
    for method, path in (("POST", "/orders/{id}/cancel"), ("PATCH", "/orders/{id}/status")):
        body = {"status": "SHIPPED"} if method == "PATCH" else {"reason": "my mother is ill"}
        world.http("change_order", f"{method} {path}", id="regret", group="support", body=body, refused=409)
    images = [store.event_to_item(event) for event in store.history("regret")]
    records = [{"dynamodb": {"NewImage": image, "SequenceNumber": str(number)}} for number, image in enumerate(images)]
    assert world.run("publish_changes", {"Records": records}) == {"batchItemFailures": []}


def test_logs_hold_nothing_personal_and_metrics_are_what_the_alarms_look_at(
    world: World,  # noqa: F811
    log: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    live_all_stories(world, monkeypatch)
    key = secrets.signing_key().decode()
    written = log.getvalue() + capsys.readouterr().out
    assert written.count("\n") > 20, "the stories leave a log"
    country = {"GB"}
    for text in ({*ADDRESS.values()} - country) | {TASK_TOKEN, key, *REASONS, *PAYMENT_TOKENS}:
        assert text not in written
    assert "Traceback" not in written
    assert _needed() - _emitted(written) == set(), "an alarm looks at a metric that no story has emitted like this"


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
