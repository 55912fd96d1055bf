"""Every line of metrics passes Lambda's filter, however many values an invocation has measured."""

import json
from datetime import datetime

import pytest

from orders.metrics import NEVER_FILTERED, Metric, measuring


@pytest.mark.parametrize("values", [1, 99, 100, 101, 250])
def test_every_line_of_metrics_has_the_level_that_is_never_filtered(values: int, capsys: pytest.CaptureFixture[str]) -> None:
    with measuring() as measured:
        measured.add_dimension(name="status", value="PENDING")
        for _ in range(values):
            measured.add_metric(Metric.TRANSITIONS, "Count", 1)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum(sum(line[Metric.TRANSITIONS]) for line in lines) == values
    assert {line["level"] for line in lines} == {NEVER_FILTERED}
    assert all(datetime.fromisoformat(line["timestamp"]).tzinfo for line in lines)


def test_an_invocation_that_measured_nothing_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with measuring():
        pass
    assert capsys.readouterr().out == ""
