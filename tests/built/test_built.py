"""What is built for Lambda runs there: each function, from the artefacts of the very Makefiles that `sam build` calls, in
Lambda's runtime interface emulator, with its recorded event, and with nothing to import but what its layers hold.

Each has a process of its own. Those of SAM's container start cold; the others begin where the layer's libraries are loaded.

Built for the Python and the processor of this machine; Lambda's own differ in the wheels alone.

At the log levels that make Lambda's runtime and every library most talkative, the logs hold nothing secret or personal;
at the strictest, metrics are still there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bench.artifacts import LAYERS, Artifacts, build
from bench.rivals import NotHere
from local.cli import commands, invoke
from local.lambda_runtime.lambdas import Config
from local.stack.running import running, wait_until
from local.stack.settings import ROOT, Settings
from local.stack.stack import Stack
from orders import logs
from orders.domain import errors
from orders.metrics import Metric

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

# One order lives through most of them, in this order; the others stand for themselves and come after.
LIFE = ("manage_products", "place_order", "reserve_stock", "charge_payment", "ship_parcel", "deliver_order")
REFUSALS = {error.__name__ for error in errors.family()}
STRICT = ("WARN", "ERROR", "FATAL")
SESSION_TOKEN = "a-session-token-of-the-function-s-role"
PRIVATE = frozenset({"line1", "line2", "city", "postal_code", "token", "task_token", "payment_token", "reason", "note"})
"""The names of what people wrote, where they live, and what opens something."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    if sys.platform != "linux":
        pytest.skip("Lambda's emulator runs on Linux only")
    try:
        return build(tmp_path_factory.mktemp("built"), PYTHON, Path(_bare_python()))
    except NotHere as missing:
        pytest.skip(str(missing))


LOADED = """
import json, os, runpy, signal, socket, sys, threading
import aws_lambda_powertools, boto3, botocore.session, pydantic

def live(client, request, out):
    threading.Thread(target=lambda: client.recv(1) or os._exit(0), daemon=True).start()
    for number, here in enumerate(out, 1):
        os.dup2(here, number)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[:] = [*os.environ["PYTHONPATH"].split(os.pathsep), *own]
    sys.argv = ["awslambdaric", request["handler"]]
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)

own = [path for path in sys.path if path not in os.environ["PYTHONPATH"].split(os.pathsep)]
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(sys.argv[1])
    listener.listen()
    print("ready", flush=True)
    while True:
        client, _ = listener.accept()
        start, out, *_ = socket.recv_fds(client, 1, 2)
        request = json.loads(start + client.makefile("rb").readline())
        if os.fork() == 0:
            try:
                live(client, request, out)
            finally:
                os._exit(1)
        for one in (client.detach(), *out):
            os.close(one)
"""
"""A process with a layer's libraries, and nothing of ours: each function goes on from here in a copy of it."""
GOES_ON = """
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as parent:
    parent.connect(sys.argv[1])
    request = json.dumps({"environment": dict(os.environ), "handler": sys.argv[2]}).encode()
    socket.send_fds(parent, [request[:1]], [1, 2])
    parent.sendall(request[1:] + b"\\n")
    parent.recv(1)
"""
"""What the emulator starts in the place of the runtime: it lives as long as the copy does."""


@dataclass(frozen=True)
class Loaded:
    """What is built, and where a process waits that has its libraries loaded."""

    built: Artifacts
    place: Path


@pytest.fixture(scope="module")
def loaded(built: Artifacts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    place = tmp_path_factory.mktemp("loaded") / "libraries"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(built.layers["OrdersLayer"])}
    command = [_bare_python(), "-S", "-c", LOADED, str(place)]
    with subprocess.Popen(command, env=environment, cwd=built.functions, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Loaded(built, place)
        process.terminate()


@pytest.fixture
def stack() -> Iterator[Stack]:
    with running(Settings(parameters=invoke.SLOW)) as started:
        yield started


@dataclass(frozen=True)
class Run:
    """How each function's recorded event ended, all that was logged, and the signing key of the stack that they ran against."""

    outcomes: Mapping[str, str]
    log: str
    secret: str


@pytest.fixture(scope="module", params=["DEBUG", "TRACE"])
def run(loaded: Loaded, request: pytest.FixtureRequest) -> Run:
    """Every function once, at a log level that makes Lambda's runtime and every library talkative.

    Lambda's runtime takes TRACE for DEBUG, and so do libraries: at that level a life is enough, and a sweep, which logs.
    """
    only = (*LIFE, "sweep_orders") if request.param == "TRACE" else ()
    with running(Settings(parameters=invoke.SLOW)) as stack:
        outcomes, log = _run_all(loaded, stack, {**as_logged(request.param), "AWS_SESSION_TOKEN": SESSION_TOKEN}, only)
        secret = stack.client("secretsmanager").get_secret_value(SecretId=stack.resources["SigningSecret"])["SecretString"]
        assert len(outcomes) == len(only or stack.lambdas.names())
    return Run(outcomes, log, secret)


def _modules(stack: Stack) -> list[str]:
    modules = sorted(stack.lambdas.config(name).handler.partition(".")[0] for name in stack.lambdas.names())
    return [*LIFE, *(module for module in modules if module not in LIFE)]


@cache
def _layers() -> dict[str, list[str]]:
    """Which layers the template gives each module."""
    resources = invoke_template()["Resources"]
    names = {name: made for name in resources for made in LAYERS.values() if name.startswith(made)}
    return {
        made["Properties"]["Handler"].partition(".")[0]: [names[layer["Ref"]] for layer in made["Properties"]["Layers"]]
        for made in resources.values()
        if made["Type"] == "AWS::Lambda::Function"
    }


def invoke_template() -> dict[str, Any]:
    from local.stack.template import expand  # noqa: PLC0415 - a second of imports that only this needs

    return expand(ROOT / "template.yaml")


def test_each_function_runs_as_it_is_built(built: Artifacts, run: Run) -> None:
    assert (built.functions / "release.digest").stat().st_size > 0, "a change of a layer alone makes a new version"
    assert not (built.functions / "Makefile").exists()
    failed = {module: outcome for module, outcome in run.outcomes.items() if outcome not in {"answered", *REFUSALS}}
    assert failed == {}, "neither answered nor refused by name"
    assert {run.outcomes[module] for module in LIFE} == {"answered"}


def test_no_log_level_makes_a_library_log_secrets_or_personal_data(run: Run) -> None:
    told = _lines(run.log)
    assert {"INFO", "FATAL"} <= {str(line.get("level")) for line in told}, "the product's own lines, and metrics, are there"
    planted = {SESSION_TOKEN, run.secret, "Bearer", *_personal(_recorded())}
    assert len(planted) > 8
    assert sorted(word for word in planted if word in run.log) == []
    assert {str(line.get("logger")) for line in told if "logger" in line} & set(logs.LIBRARIES) == set()


@pytest.fixture(scope="module")
def strict_logs(loaded: Loaded) -> dict[str, str]:
    """What functions that have something to count log at each level that holds lines back."""
    counting = ("sweep_orders", "publish_changes")
    with running(Settings(parameters=invoke.SLOW)) as stack:
        return {level: _run_all(loaded, stack, as_logged(level), counting)[1] for level in STRICT}


@pytest.mark.parametrize("level", STRICT)
def test_metrics_pass_every_level(strict_logs: dict[str, str], level: str) -> None:
    log = strict_logs[level]
    told = [line for line in _lines(log) if "_aws" in line]
    metrics = {metric["Name"] for line in told for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert {Metric.SWEEPS, Metric.TRANSITIONS} <= metrics
    # Lambda drops a line below the level, and takes one without a level, or without a time after RFC 3339, for INFO.
    assert {line["level"] for line in told} == {"FATAL"}
    assert all(datetime.fromisoformat(line["timestamp"]).tzinfo for line in told)
    assert {line["level"] for line in _lines(log) if "level" in line} <= {"WARNING", "ERROR", "CRITICAL", "FATAL"}


def test_with_what_sam_passes_to_a_container_a_function_works_on_a_running_stack(
    built: Artifacts, stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.main(["env", "--url", stack.url]) == 0
    (tmp_path / "env.json").write_text(capsys.readouterr().out, encoding="utf-8")
    layers = _layers()
    configs = {module: invoke._config(stack, module) for module in ("place_order", "charge_payment")}
    of_sam = _of_sam(built, list(configs.values()), tmp_path / "env.json")
    answers = {}
    for module, config in configs.items():
        paths = [built.functions, *(built.layers[layer] for layer in layers[module]), built.runtime]
        environment = of_sam[config.handler] | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
        event = (ROOT / f"events/{module}.json").read_text(encoding="utf-8")
        answers[module], _ = _emulate(built, config, event, environment)
        wait_until(lambda: invoke._version(stack) > 1)  # the running stack's workflow has reserved the stock
    assert answers["place_order"]["statusCode"] == 202
    charged = answers["charge_payment"]
    assert (charged["status"], charged["version"]) == ("PROCESSING", invoke._version(stack))
    assert charged["payment"]["outcome"] == "paid"


OF_SAM = """
import json, sys
from samcli.commands.local.lib.local_lambda import LocalLambdaRunner
from samcli.lib.providers.sam_function_provider import SamFunctionProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider
functions = SamFunctionProvider(SamLocalStackProvider.get_stacks("template.yaml")[0])
runner = LocalLambdaRunner(None, functions, ".", None, env_vars_values=json.load(open(sys.argv[1])))
found = {one.handler: one for one in functions.get_all()}
print(json.dumps({handler: runner._make_env_vars(found[handler]).resolve() for handler in sys.argv[2:]}))
"""
"""How `sam local invoke` makes a container's environment, up to where it needs Docker."""


def _of_sam(built: Artifacts, configs: list[Config], given: Path) -> dict[str, dict[str, str]]:
    keys = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1"}
    home = {"HOME": str(given.parent), "PATH": os.environ["PATH"], "SAM_CLI_TELEMETRY": "0"}
    done = subprocess.run(
        [_bare_python(), "-S", "-c", OF_SAM, given, *(config.handler for config in configs)],
        env={**home, **keys, "PYTHONPATH": str(built.sam)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    environments: dict[str, dict[str, str]] = json.loads(done.stdout)
    return environments


def as_logged(level: str) -> dict[str, str]:
    """What Lambda sets for a function whose LoggingConfig has the JSON format and this level."""
    return {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": level}


def _run_all(
    loaded: Loaded, stack: Stack, environment: Mapping[str, str], only: tuple[str, ...] = ()
) -> tuple[dict[str, str], str]:
    """How each function's recorded event ended, and all that was logged."""
    layers = _layers()
    outcomes, logged = {}, ""
    for module in only or _modules(stack):
        config = invoke._config(stack, module)
        event = invoke._filled((ROOT / f"events/{module}.json").read_text(encoding="utf-8"))
        answer, log = _run(loaded, config, layers[module], event, environment)
        outcomes[module], logged = _outcome(answer), logged + log
    return outcomes, logged


def _lines(log: str) -> list[dict[str, Any]]:
    """The lines that functions have logged, among what the emulator itself says."""
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


def _recorded() -> list[Any]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "events").glob("*.json"))]


def _personal(found: Any) -> set[str]:
    """What identifies somebody, or opens something, in recorded events: also in the JSON that stands in their texts."""
    if isinstance(found, str):
        return _personal(json.loads(found)) if found.startswith("{") else set()
    if isinstance(found, list):
        return {word for one in found for word in _personal(one)}
    if not isinstance(found, dict):
        return set()
    private = {name for name in found if name in PRIVATE or (name == "name" and "line1" in found)}
    words = {str(found[name]) for name in private if isinstance(found[name], str)}
    return words | {word for name, one in found.items() if name not in private for word in _personal(one)}


def _outcome(answer: Any) -> str:
    """How a call ended: an error by its type, a batch's or an answer's failure as such."""
    if isinstance(answer, dict) and "errorType" in answer:
        return str(answer["errorType"])
    if isinstance(answer, dict) and answer.get("statusCode", 200) >= 500:
        return f"HTTP {answer['statusCode']}"
    return "answered"


def _run(loaded: Loaded, config: Config, layers: list[str], event: str, added: Mapping[str, str]) -> tuple[Any, str]:
    built = loaded.built
    paths = [built.functions, *(built.layers[layer] for layer in layers), built.runtime]
    environment = {
        # Lambda's interpreter knows nothing of this environment's packages: neither does the one below.
        **{name: value for name, value in invoke._environment(config).items() if name != "VIRTUAL_ENV"},
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        **added,
    }
    return _emulate(built, config, event, environment, ["-I", "-c", GOES_ON, str(loaded.place)])


COLD = ("-m", "awslambdaric")


def _emulate(
    built: Artifacts,
    config: Config,
    event: str,
    environment: Mapping[str, str],
    runtime: Sequence[str] = ("-m", "awslambdaric"),
) -> tuple[Any, str]:
    door, inside = invoke._free_port(), invoke._free_port()
    command = [
        *(str(built.emulator), "--runtime-interface-emulator-address", f"127.0.0.1:{door}"),
        *("--runtime-api-address", f"127.0.0.1:{inside}"),
        *(_bare_python(), "-S", *runtime, config.handler),
    ]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(command, env=environment, cwd=built.functions, stdout=log, stderr=log)
        try:
            answer = _answer(door, config, event)
        finally:
            process.terminate()
            process.wait()
        log.seek(0)
        return answer, log.read()


def _answer(door: int, config: Config, event: str) -> Any:
    invoke._await_port(door)
    url = f"http://127.0.0.1:{door}/2015-03-31/functions/function/invocations"
    request = urllib.request.Request(url, event.encode(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=config.timeout + 5) as response:  # noqa: S310 - loopback
            return json.loads(response.read() or b"null")
    except urllib.error.HTTPError as failure:
        # The runtime has not even come up: something cannot be imported.
        return {"errorType": f"{failure.code} from the runtime"}


def _bare_python() -> str:
    """The interpreter that this environment was made from; with -S it knows no packages but those it is told of."""
    return str(getattr(sys, "_base_executable", sys.executable))
