"""Handlers run as Lambda runs them, and faults can be put in their way."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any

import pytest

from local.fastpath.pool import Pool as FewThreads
from local.lambda_runtime.lambdas import Call, Config, Invocation, Killed, LambdaContext, Lambdas, NoSuchFunction
from local.lambda_runtime.threads import Pool, Threads, call


class PaymentDeclined(Exception):
    pass


def config(handler: str, timeout: float = 60, **environment: str) -> Config:
    return Config(handler, f"arn:aws:lambda:us-east-1:0:function:{handler}", f"made_up.{handler}", timeout, 512, environment)


@pytest.fixture
def lambdas() -> Iterator[Lambdas]:
    module: Any = ModuleType("made_up")
    gate = threading.Event()

    def decline(event: Any, context: Any) -> None:
        raise PaymentDeclined("Card declined")

    def describe(event: Any, context: LambdaContext) -> dict[str, Any]:
        left = context.get_remaining_time_in_millis()
        return {"name": context.function_name, "left": left, "memory": context.memory_limit_in_mb}

    module.echo = lambda event, context: event
    module.decline = decline
    module.describe = describe
    module.spoil = lambda event, context: event.update(spoilt=True)
    module.hang = lambda event, context: gate.wait(120)
    module.unserialisable = lambda event, context: object()
    sys.modules["made_up"] = module
    made = Lambdas()
    made.register([config(name) for name in ("echo", "decline", "describe", "spoil", "unserialisable")])
    made.register([config("hang", timeout=0.05)])
    yield made
    gate.set()
    made.close()
    del sys.modules["made_up"]


def test_a_handler_gets_its_event_and_its_context(lambdas: Lambdas) -> None:
    assert lambdas.invoke("echo", {"n": 1}).payload == {"n": 1}
    described = lambdas.invoke("describe", {}).payload
    assert described["name"] == "describe"
    assert described["memory"] == "512"
    assert 0 < described["left"] <= 60_000


def test_an_arn_with_a_qualifier_names_the_function_too(lambdas: Lambdas) -> None:
    assert lambdas.invoke("arn:aws:lambda:us-east-1:0:function:echo:$LATEST", 1).payload == 1
    with pytest.raises(NoSuchFunction):
        lambdas.invoke("nobody", {})


def test_an_exception_is_reported_by_the_name_of_its_class(lambdas: Lambdas) -> None:
    answer = lambdas.invoke("decline", {})
    assert answer.failed
    assert (answer.payload["errorType"], answer.payload["errorMessage"]) == ("PaymentDeclined", "Card declined")
    assert answer.payload["stackTrace"]


def test_an_answer_that_is_not_json_is_a_failure(lambdas: Lambdas) -> None:
    assert lambdas.invoke("unserialisable", {}).payload["errorType"] == "TypeError"


def test_a_handler_cannot_change_its_callers_event(lambdas: Lambdas) -> None:
    event: dict[str, Any] = {}
    lambdas.invoke("spoil", event)
    assert event == {}


def test_an_invocation_over_its_time_is_given_up_as_lambda_does(lambdas: Lambdas) -> None:
    answer = lambdas.invoke("hang", {})
    assert answer.failed
    assert answer.payload["errorType"] == "Sandbox.Timedout"
    assert answer.payload["errorMessage"].endswith("Task timed out after 0.05 seconds")


def test_a_wrapper_can_kill_before_and_after_the_handlers_effect(lambdas: Lambdas) -> None:
    done: list[Any] = []

    def kill_before(invocation: Invocation, call: Call) -> Any:
        raise Killed

    def kill_after(invocation: Invocation, call: Call) -> Any:
        done.append(call(invocation))
        raise Killed

    for wrapper, effects in ((kill_before, 0), (kill_after, 1)):
        lambdas.wrappers[:] = [wrapper]
        answer = lambdas.invoke("echo", "effect")
        assert (answer.failed, answer.payload["errorType"]) == (True, "Runtime.ExitError")
        assert len(done) == effects


def test_a_wrapper_can_invoke_twice(lambdas: Lambdas) -> None:
    seen: list[str] = []

    def twice(invocation: Invocation, call: Call) -> Any:
        call(invocation)
        seen.append(invocation.function)
        return call(invocation)

    lambdas.wrappers.append(twice)
    assert lambdas.invoke("echo", 1).payload == 1
    assert seen == ["echo"]


def test_functions_that_disagree_about_their_environment_are_refused(lambdas: Lambdas) -> None:
    lambdas.register([config("echo", SAMPLE_SETTING="1")])
    with pytest.raises(ValueError, match="SAMPLE_SETTING"):
        lambdas.register([config("describe", SAMPLE_SETTING="2")])


@pytest.mark.parametrize("make", [Threads, partial(FewThreads, usual=1)])
def test_work_that_waits_does_not_hold_up_the_rest(make: Callable[[str], Pool]) -> None:
    pool = make("test")
    gate = threading.Event()
    waiting = [call(pool, lambda: gate.wait(120)) for _ in range(8)]
    assert call(pool, lambda: "done").result(120) == "done"
    gate.set()
    assert all(future.result(120) for future in waiting)
    pool.close()


def test_work_that_computes_stays_on_the_usual_threads() -> None:
    pool = FewThreads("test", usual=2, stuck=3600)
    names: set[str] = set()

    def compute() -> None:
        names.add(threading.current_thread().name)
        until = time.perf_counter() + 0.001
        while time.perf_counter() < until:
            pass

    for future in [call(pool, compute) for _ in range(100)]:
        future.result(120)
    assert len(names) <= 2
    pool.close()


def test_what_can_wait_lets_the_rest_pass_and_does_not_starve() -> None:
    pool = FewThreads("test", usual=1, stuck=3600)
    gate = threading.Event()
    order: list[str] = []
    held = call(pool, lambda: gate.wait(120))
    for number in range(20):
        pool.submit(partial(order.append, f"later {number}"), later=True)
    for number in range(40):
        pool.submit(partial(order.append, f"now {number}"))
    gate.set()
    assert held.result(120)
    for _ in range(61):  # each of these is behind what came before it
        call(pool, lambda: None).result(120)
    first = order[:40]
    assert sum(name.startswith("now") for name in first) >= 34
    assert [name for name in first if name.startswith("later")][:2] == ["later 0", "later 1"]
    assert len(order) == 60
    pool.close()


def test_a_stack_that_is_being_stopped_begins_nothing_any_more(lambdas: Lambdas) -> None:
    async def begin() -> bool:
        lambdas.close()
        return lambdas.begin("echo", {}).cancelled()

    assert asyncio.run(begin())


def test_what_a_handler_prints_goes_to_its_log_and_not_to_the_terminal(
    lambdas: Lambdas, capsys: pytest.CaptureFixture[str]
) -> None:
    sys.modules["made_up"].talk = lambda event, context: sys.stdout.write("a metric\n")  # type: ignore[attr-defined]
    logged: list[tuple[str, str]] = []
    lambdas.register([config("talk")])
    lambdas.preload()
    lambdas.listeners.append(lambda function, text: logged.append((function, text)))
    lambdas.invoke("talk", {})
    assert logged == [("talk", "a metric\n")]
    assert capsys.readouterr().out == ""
