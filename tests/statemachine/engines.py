"""The two machines on two engines: our own walker (``local/step_functions``) and moto's interpreter, each by its own clock.

What the functions answer comes from a ``World``. An engine runs one execution to its end and answers its ``Walk``, in which
the two can be compared. No engine waits in real time.
"""

import asyncio
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, Protocol

import boto3
import pytest
from antlr4 import RuleContext  # type: ignore[import-untyped]
from moto import mock_aws
from moto.awslambda.models import LambdaFunction
from moto.stepfunctions.parser.asl.component.common.retry import jitter_strategy_decl, retrier_decl
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import TimeoutSecondsPath
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.eval.callback.callback import CallbackEndpoint
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

from local.lambda_runtime.answers import Answer
from local.step_functions.callbacks import Callback
from local.step_functions.execution import Execution
from local.step_functions.machines import Machine
from tests.harness.virtual_time import START, run
from tests.statemachine.machines import FULFIL, UNWIND, definition, substitutions

Json = Any

ACCOUNT = "123456789012"
NAMES = {FULFIL: "orders-fulfil-order", UNWIND: "orders-unwind-order"}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}


def machine_arn(machine: str) -> str:
    """The machine's ARN on either engine."""
    return f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:{NAMES[machine]}"


@cache
def ready(machine: str) -> str:
    """The definition with each function under its module's name."""
    text = json.dumps(definition(machine))
    for name, module in substitutions(machine).items():
        text = text.replace(f"${{{name}}}", module)
    return text


# --- what an execution meets ---


@dataclass(frozen=True)
class Fails:
    """A function's failure: the name of its exception, and its words."""

    error: str
    words: str = "It went wrong."


@dataclass(frozen=True)
class Reply:
    """What becomes of a task token: an answer after some seconds, or while the function that got it still runs."""

    after: float = 0
    during: bool = False
    error: str | None = None
    words: str = ""
    output: Json = field(default_factory=dict)


class World(Protocol):
    """The functions, and whoever answers task tokens."""

    def invoke(self, function: str, payload: Json) -> Json:
        """What the function answers; a ``Fails`` is its exception."""

    def reply(self, function: str, token: str) -> Reply | None:
        """What becomes of the token that the function was given; ``None`` is silence."""


def reported(*, needs_review: bool = False, **parts: Json) -> Json:
    """What a step reports, as the product's do: to the machine, the functions are alike."""
    usual = {
        "status": "PENDING",
        "version": 3,
        "stock": {"outcome": "review" if needs_review else "reserved"},
        "payment": {"payment_id": "pay-1", "status": "COMPLETED", "outcome": "paid"},
        "shipment": None,
        "error": "customer",
        "cause": "The order was cancelled at the customer's request.",
    }
    return usual | parts


@dataclass
class Script:
    """A world of fakes: each function's successive outcomes, the last of which is followed by plain success."""

    outcomes: Mapping[str, Sequence[Json]] = field(default_factory=dict)
    replies: Mapping[str, Reply] = field(default_factory=dict)
    needs_review: bool = False
    _told: dict[str, int] = field(default_factory=dict)

    def invoke(self, function: str, payload: Json) -> Json:
        """See ``World.invoke``."""
        number = self._told.get(function, 0)
        self._told[function] = number + 1
        outcomes = self.outcomes.get(function, ())
        return outcomes[number] if number < len(outcomes) else reported(needs_review=self.needs_review)

    def reply(self, function: str, token: str) -> Reply | None:
        """See ``World.reply``."""
        return self.replies.get(function)


# --- what an execution did ---


@dataclass(frozen=True)
class Call:
    """One invocation, and when it was made, in seconds from the start."""

    function: str
    payload: Json
    at: float


@dataclass
class Walk:
    """What an execution did, as far as both engines tell it."""

    path: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    backoffs: list[float] = field(default_factory=list)
    """For each retry the longest delay that it could have had; jitter chooses below it."""
    limits: list[float] = field(default_factory=list)
    """The time-out of each wait for a callback."""
    ended: float = 0
    status: str = ""
    error: str | None = None
    cause: str | None = None
    output: Json = None
    transitions: int = 0

    def of(self, function: str) -> list[Call]:
        """The calls of one function."""
        return [call for call in self.calls if call.function == function]

    def delays(self, function: str) -> list[float]:
        """What lay between the calls of one function."""
        return [later.at - earlier.at for earlier, later in pairwise(self.of(function))]

    def read(self, events: Iterable[Mapping[str, Json]]) -> None:
        """Takes in the path and what is billed, from the execution's history."""
        kinds = []
        for event in events:
            kinds.append(event["type"])
            if "stateEnteredEventDetails" in event:
                self.path.append(event["stateEnteredEventDetails"]["name"])
        retries = kinds.count("TaskScheduled") - kinds.count("TaskStateEntered")
        self.transitions = 1 + len(self.path) + retries


class Engine(Protocol):
    """Runs one execution to its end. ``jitter`` is where between nothing and the longest delay each retry falls."""

    name: str

    def run(self, machine: str, facts: Json, world: World, jitter: float = 1) -> Walk: ...


# --- our own walker ---


class LocalServices:
    """What the walker needs of the world."""

    region = "us-east-1"

    def __init__(self, world: World, walk: Walk) -> None:
        self.callbacks: dict[str, Callback] = {}
        self._world, self._walk = world, walk

    def now(self) -> float:
        return START + asyncio.get_running_loop().time()

    def invoke(self, function: str, payload: Json) -> asyncio.Future[Answer]:
        loop = asyncio.get_running_loop()
        self._walk.calls.append(Call(function, payload, loop.time()))
        answered = loop.create_future()
        outcome = self._world.invoke(function, payload)
        if isinstance(outcome, Fails):
            answered.set_result(Answer(_failure(outcome), failed=True))
            return answered
        answered.set_result(Answer(outcome))
        if "task_token" in payload and (reply := self._world.reply(function, payload["task_token"])):
            self._promise(payload["task_token"], reply)
        return answered

    def _promise(self, token: str, reply: Reply) -> None:
        def settle() -> None:
            callback = self.callbacks.pop(token, None)
            if callback and reply.error:
                callback.fail(reply.error, reply.words)
            elif callback:
                callback.succeed(reply.output)

        if reply.during:
            settle()
        else:
            asyncio.get_running_loop().call_later(reply.after, settle)

    def start_execution(self, request: dict[str, Json]) -> dict[str, Json]:
        raise AssertionError(f"no machine starts another one: {request}")

    def changed(self, execution: Execution) -> None:
        self._walk.ended = asyncio.get_running_loop().time()


class LocalEngine:
    """``local/step_functions`` on a loop whose clock jumps."""

    name = "local"

    def run(self, machine: str, facts: Json, world: World, jitter: float = 1) -> Walk:
        walk = Walk()

        def choose(low: float, high: float) -> float:
            walk.backoffs.append(high)
            return low + (high - low) * jitter

        async def main() -> Execution:
            arn = machine_arn(machine)
            described = Machine(arn, NAMES[machine], "arn:aws:iam::1:role/r", json.loads(ready(machine)))
            execution_arn = f"{arn.replace('stateMachine', 'execution')}:order-1"
            services = LocalServices(world, walk)
            execution = Execution(execution_arn, "order-1", described, json.dumps(facts), services, choose)
            execution.begin()
            assert execution.task
            await execution.task
            return execution

        execution = run(main())
        history = list(execution.history)
        walk.read(history)
        scheduled = [event["taskScheduledEventDetails"] for event in history if event["type"] == "TaskScheduled"]
        walk.limits = [details["timeoutInSeconds"] for details in scheduled if "timeoutInSeconds" in details]
        walk.status, walk.error, walk.cause = execution.status, execution.error, execution.cause
        walk.output = json.loads(execution.output) if execution.output else None
        return walk


# --- moto's interpreter ---

_SPARE = 3600
"""moto counts a callback's time-out in real time too, beside the wait that is replaced here: it must never be first."""


class MotoEngine:
    """moto's own parser and interpreter; replaced are only its clocks, its chance, and Lambda, which would want Docker."""

    name = "moto"

    def __init__(self) -> None:
        self.client = boto3.client("stepfunctions")
        self._walk = Walk()
        self._clock = 0.0
        self._jitter = 1.0
        self._world: World = Script()
        self._executions = 0
        self._receivers: dict[str, str] = {}

    def deploy(self) -> None:
        """Makes the functions and the machines in moto's account."""
        role = boto3.client("iam").create_role(RoleName="any", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("any.py", "")
        for machine, name in NAMES.items():
            for module in substitutions(machine).values():
                boto3.client("lambda").create_function(
                    FunctionName=module,
                    Runtime="python3.13",
                    Role=role,
                    Handler="any.handler",
                    Code={"ZipFile": code.getvalue()},
                )
            self.client.create_state_machine(name=name, definition=ready(machine), roleArn=role)

    def meet(self, world: World) -> None:
        """What the executions started from now on meet."""
        self._walk, self._clock, self._world = Walk(), 0.0, world

    def run(self, machine: str, facts: Json, world: World, jitter: float = 1) -> Walk:
        self.meet(world)
        self._jitter = jitter
        self._executions += 1
        name = f"execution-{self._executions}"
        request = {"stateMachineArn": machine_arn(machine), "name": name, "input": json.dumps(facts)}
        arn = self.client.start_execution(**request)["executionArn"]
        walk = self._walk
        walk.read(self.history(arn))
        described = self.client.describe_execution(executionArn=arn)
        walk.status, walk.error, walk.cause = described["status"], described.get("error"), described.get("cause")
        walk.output, walk.ended = json.loads(described.get("output", "null")), self._clock
        return walk

    def history(self, execution_arn: str) -> Sequence[Mapping[str, Json]]:
        """The events of an execution."""
        answer = self.client.get_execution_history(executionArn=execution_arn, maxResults=1000)
        events: Sequence[Mapping[str, Json]] = answer["events"]
        return events

    # -- in the place of moto's own

    def invoke(self, function: LambdaFunction, event: Json = None) -> tuple[str, bool, str]:
        """In the place of a container."""
        name = str(function.function_name)
        self._walk.calls.append(Call(name, event, self._clock))
        token = event.get("task_token")
        if token:
            self._receivers[token] = name
        outcome = self._world.invoke(name, event)
        if isinstance(outcome, Fails):
            return json.dumps(_failure(outcome)), True, ""
        if token and (reply := self._world.reply(name, token)) and reply.during:
            self._settle(token, reply)
        return json.dumps(outcome), False, ""

    def await_callback(self, endpoint: CallbackEndpoint, timeout: float | None = None) -> Any:
        """In the place of waiting for an answer: it comes when the world says so, or the time is over."""
        token = endpoint.callback_id
        limit = (timeout or _SPARE) - _SPARE
        self._walk.limits.append(limit)
        if endpoint.get_outcome() is None:
            reply = self._world.reply(self._receivers[token], token)
            answered = reply is not None and reply.after < limit
            self._clock += reply.after if reply and answered else limit
            if reply and answered:
                self._settle(token, reply)
        return endpoint.get_outcome()

    def _settle(self, token: str, reply: Reply) -> None:
        if reply.error:
            self.client.send_task_failure(taskToken=token, error=reply.error, cause=reply.words)
        else:
            self.client.send_task_success(taskToken=token, output=json.dumps(reply.output))

    def sleep(self, seconds: float) -> None:
        """In the place of ``time.sleep``."""
        self._clock += seconds

    def uniform(self, low: float, high: float) -> float:
        """In the place of chance."""
        self._walk.backoffs.append(high)
        return low + (high - low) * self._jitter


_parse = AmazonStateLanguageParser.parse


@cache
def _tree_of(text: str) -> Any:
    tree = _parse(text)[1]
    _keep_texts(tree)
    return tree


def _keep_texts(node: Any) -> str:
    """What is parsed is put together from its letters once, and not each time that a component is made of it."""
    if not isinstance(node, RuleContext):
        return str(node.getText())
    text = "".join(_keep_texts(child) for child in node.getChildren())
    node.getText = lambda: text
    return text


def parsed(text: str) -> Any:
    """A definition's components, new for each execution; moto parses the text anew too, which takes longer than the rest."""
    tree = _tree_of(text)
    return Preprocessor().visit(tree), tree


@contextmanager
def moto_engine() -> Iterator[MotoEngine]:
    """moto with both machines deployed, as long as it is needed."""
    timeout_of = TimeoutSecondsPath._eval_seconds
    with pytest.MonkeyPatch.context() as patch, mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        engine = MotoEngine()
        # An execution has ended when StartExecution answers: nothing has to be waited for.
        patch.setattr(ExecutionWorker, "start", lambda worker: worker._execution_logic())
        patch.setattr(AmazonStateLanguageParser, "parse", staticmethod(parsed))
        patch.setattr(retrier_decl, "time", SimpleNamespace(sleep=engine.sleep))
        patch.setattr(jitter_strategy_decl, "random", SimpleNamespace(uniform=engine.uniform))
        patch.setattr(WaitFunction, "_wait_interval", lambda _, env, wait_seconds: engine.sleep(wait_seconds))
        patch.setattr(CallbackEndpoint, "wait", lambda endpoint, timeout=None: engine.await_callback(endpoint, timeout))
        patch.setattr(TimeoutSecondsPath, "_eval_seconds", lambda path, env: timeout_of(path, env) + _SPARE)
        patch.setattr(LambdaFunction, "_invoke_lambda", lambda function, event=None: engine.invoke(function, event))
        engine.deploy()
        yield engine


def _failure(outcome: Fails) -> dict[str, Json]:
    return {"errorType": outcome.error, "errorMessage": outcome.words, "stackTrace": []}
