"""Cold starts: each function as it is built, in Lambda's runtime interface emulator, beside a bare handler that makes the same
boto3 clients. What differs is what this product's own code and its libraries cost.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.artifacts import LAYERS, Artifacts, build
from bench.rivals import NotHere
from local.cli import invoke
from local.lambda_runtime.lambdas import Config
from local.stack.running import running
from local.stack.settings import ROOT, Settings
from local.stack.stack import Stack
from local.stack.template import expand

PYTHON = "3.13"
LIFE = ("manage_products", "place_order", "reserve_stock", "charge_payment", "ship_parcel", "deliver_order")

# Which clients a function has made by the end of its first call.
PROBE = """
import botocore.session, importlib, json, sys, types
made, original = [], botocore.session.Session.create_client
def create(self, service, *rest, **more):
    made.append(service)
    return original(self, service, *rest, **more)
botocore.session.Session.create_client = create
context = types.SimpleNamespace(aws_request_id="1", function_name="f", memory_limit_in_mb="512",
    invoked_function_arn="arn:f", get_remaining_time_in_millis=lambda: 30000)
module = importlib.import_module(sys.argv[1])
try:
    module.handler(json.load(sys.stdin), context)
except Exception:
    pass
print("\\n" + json.dumps(sorted(set(made))))
"""
BARE = """
import boto3
clients = [boto3.client(name) for name in {services!r}]
def handler(event, context):
    return None
"""


@dataclass(frozen=True)
class ColdStart:
    """One function's first call, in milliseconds; ``bare`` is a handler with the same clients and nothing else."""

    function: str
    services: tuple[str, ...]
    first: float
    bare: float
    cpu: float
    bare_cpu: float

    @property
    def ratio(self) -> float:
        return self.first / self.bare

    @property
    def cpu_ratio(self) -> float:
        return self.cpu / self.bare_cpu


@dataclass(frozen=True)
class Here:
    """What a measurement needs: the artifacts, Lambda's Python, and a folder for the bare handler."""

    built: Artifacts
    python: str
    bare: Path


def lambda_python() -> str:
    """A shim of a version manager answers to the name and runs nothing: the interpreter itself is asked for."""
    kept = sorted((Path.home() / ".pyenv/versions").glob(f"{PYTHON}*/bin/python{PYTHON}"))
    for candidate in (*map(str, reversed(kept)), shutil.which(f"python{PYTHON}") or ""):
        if candidate and not subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode:
            return candidate
    raise NotHere(f"cold starts are measured on Lambda's Python, and there is no python{PYTHON} here")


def measure(times: int = 5) -> list[ColdStart]:
    """Every function of the template."""
    with tempfile.TemporaryDirectory() as folder, running(Settings(parameters=invoke.SLOW)) as stack:
        python = lambda_python()
        here = Here(build(Path(folder), PYTHON, Path(python)), python, Path(folder) / "bare")
        here.bare.mkdir()
        layers = layers_by_module()
        found = []
        for module in _modules(stack):
            config = config_of(stack, module)
            event = invoke._filled((ROOT / f"events/{module}.json").read_text(encoding="utf-8"))  # noqa: SLF001
            paths = [here.built.functions, *(here.built.layers[layer] for layer in layers[module])]
            services = _services(here, config, paths, event)
            # In turn, each of ours right beside a bare one: the machine has faster and slower minutes.
            pairs = [(_once(here, config, config.handler, paths, event), _bare(here, config, services)) for _ in range(times)]
            (first, cpu), (bare, bare_cpu) = _median([ours for ours, _ in pairs]), _median([bare for _, bare in pairs])
            found.append(ColdStart(module, services, first, bare, cpu, bare_cpu))
        return found


def _modules(stack: Stack) -> list[str]:
    modules = sorted(stack.lambdas.config(name).handler.partition(".")[0] for name in stack.lambdas.names())
    return [*LIFE, *(module for module in modules if module not in LIFE)]


def config_of(stack: Stack, module: str) -> Config:
    """How the function of that module runs."""
    configs = (stack.lambdas.config(name) for name in stack.lambdas.names())
    return next(config for config in configs if config.handler == f"{module}.handler")


def layers_by_module() -> dict[str, list[str]]:
    """The layers of each function, by its module."""
    resources = expand(ROOT / "template.yaml")["Resources"]
    names = {name: layer for name in resources for layer in LAYERS.values() if name.startswith(layer)}
    functions = (made["Properties"] for made in resources.values() if made["Type"] == "AWS::Lambda::Function")
    return {made["Handler"].partition(".")[0]: [names[layer["Ref"]] for layer in made["Layers"]] for made in functions}


def _services(here: Here, config: Config, paths: Sequence[Path], event: str) -> tuple[str, ...]:
    command = [here.python, "-S", "-c", PROBE, config.handler.partition(".")[0]]
    done = subprocess.run(
        command,
        input=event,
        env=environment_of(config, paths),
        cwd=here.built.functions,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(json.loads(done.stdout.strip().splitlines()[-1]))


def _bare(here: Here, config: Config, services: tuple[str, ...]) -> tuple[float, float]:
    (here.bare / "bare.py").write_text(BARE.format(services=list(services)), encoding="utf-8")
    paths = [here.bare, here.built.layers["OrdersLayer"]]
    return _once(here, config, "bare.handler", paths, "{}")


def _median(measured: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(first for first, _ in measured), statistics.median(cpu for _, cpu in measured)


def environment_of(config: Config, paths: Sequence[Path]) -> dict[str, str]:
    """What a function's process has, with its layers' packages at these places."""
    inherited = {name: value for name, value in invoke._environment(config).items() if name != "VIRTUAL_ENV"}  # noqa: SLF001
    return {**inherited, "PYTHONPATH": os.pathsep.join(map(str, paths))}


def _once(here: Here, config: Config, handler: str, paths: Sequence[Path], event: str) -> tuple[float, float]:
    """Milliseconds of a first call, and of CPU until its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with _emulating(here, config, handler, paths) as url:
        request = urllib.request.Request(url, event.encode(), {"content-type": "application/json"})  # noqa: S310 - loopback
        began = time.perf_counter()
        try:
            urllib.request.urlopen(request, timeout=40).close()  # noqa: S310 - loopback
        except urllib.error.HTTPError as failed:
            raise RuntimeError(f"{handler} does not start: {failed.read().decode()}") from failed
        taken = (time.perf_counter() - began) * 1000
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return taken, (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


@contextmanager
def _emulating(here: Here, config: Config, handler: str, paths: Sequence[Path]) -> Iterator[str]:
    door, inside = invoke._free_port(), invoke._free_port()  # noqa: SLF001
    command = [
        *(str(here.built.emulator), "--runtime-interface-emulator-address", f"127.0.0.1:{door}"),
        *("--runtime-api-address", f"127.0.0.1:{inside}"),
        *(here.python, "-S", "-m", "awslambdaric", handler),
    ]
    quiet: Any = subprocess.DEVNULL
    environment = environment_of(config, [*paths, here.built.runtime])
    process = subprocess.Popen(command, env=environment, cwd=paths[0], stdout=quiet, stderr=quiet)
    try:
        invoke._await_port(door)  # noqa: SLF001
        yield f"http://127.0.0.1:{door}/2015-03-31/functions/function/invocations"
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    for one in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
        sys.stdout.write(
            f"{one.function:24} {','.join(one.services):32} first {one.first:6.0f} ms, bare {one.bare:6.0f}, ratio {one.ratio:.2f}; "
            f"CPU {one.cpu:6.0f} / {one.bare_cpu:6.0f}, ratio {one.cpu_ratio:.2f}\n"
        )
