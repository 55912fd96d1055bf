"""What Stripe's client costs a function's first call, and what paying at Stripe costs the functions that do not ask it: CPU
and memory of each as it is built, on Lambda's Python, with the simulated provider and with Stripe in turn.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import cold
from bench.artifacts import LAYERS, Artifacts, build
from local.cli import invoke
from local.lambda_runtime.lambdas import Config
from local.stack.running import running
from local.stack.settings import ROOT, Settings
from local.stack.stack import Stack

STRIPE_LAYER = LAYERS["stripe"]

# The recorded event leads to an order that is not there, so it asks nobody: a call to Stripe follows by itself.
PROBE = """
import importlib, json, sys, time, types
context = types.SimpleNamespace(aws_request_id="1", function_name="f", memory_limit_in_mb="512",
    invoked_function_arn="arn:f", get_remaining_time_in_millis=lambda: 30000)
module = importlib.import_module(sys.argv[1])
try:
    module.handler(json.load(sys.stdin), context)
except Exception:
    pass
if sys.argv[2] == "asks":
    from orders.adapters import stripe_client
    from orders.adapters.stripe_refusals import Lost
    try:
        stripe_client.retrieve("pi_1")
    except Lost:
        pass
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
print("\\n" + json.dumps([time.process_time() * 1000, int(peak) / 1024, "stripe" in sys.modules]))
"""


@dataclass(frozen=True)
class Start:
    """A function's first call: medians of CPU milliseconds and of the most memory, MB, with either provider."""

    function: str
    has_layer: bool
    cpu: tuple[float, float]
    memory: tuple[float, float]


def measure(times: int) -> list[Start]:
    """Every function of the template.

    Raises:
        RuntimeError: a function without the layer has loaded Stripe's client, or one with it has not.
    """
    with tempfile.TemporaryDirectory() as folder, running(Settings(parameters=invoke.SLOW)) as stack, _closing() as base:
        python = cold.lambda_python()
        built, layers = build(Path(folder), cold.PYTHON, Path(python)), cold.layers_by_module()
        modules = sorted(layers)
        return [_start(stack, built, python, module, layers[module], base, times) for module in modules]


def _start(stack: Stack, built: Artifacts, python: str, module: str, layers: Sequence[str], base: str, times: int) -> Start:
    config, event = cold.config_of(stack, module), (ROOT / f"events/{module}.json").read_text(encoding="utf-8")
    has_layer = STRIPE_LAYER in layers
    paths = [built.functions, *(built.layers[layer] for layer in layers)]
    paying = {"PAYMENT_PROVIDER": "stripe", "STRIPE_API_BASE": base, "STRIPE_SECRET_KEY": "sk_test"}

    def once(provider: Mapping[str, str], asks: str) -> tuple[float, float]:
        cpu, memory, is_loaded = _probe(python, config, paths, event, provider, asks)
        if is_loaded != (asks == "asks"):
            raise RuntimeError(f"{module}: Stripe's client is {'loaded' if is_loaded else 'not loaded'}")
        return cpu, memory

    # In turn: the machine has faster and slower minutes.
    pairs = [(once({}, "-"), once(paying, "asks" if has_layer else "-")) for _ in range(times)]
    cpu, memory = ([statistics.median(pair[side][what] for pair in pairs) for side in (0, 1)] for what in (0, 1))
    return Start(module, has_layer, (cpu[0], cpu[1]), (memory[0], memory[1]))


def _probe(
    python: str, config: Config, paths: Sequence[Path], event: str, provider: Mapping[str, str], asks: str
) -> tuple[float, float, bool]:
    done = subprocess.run(
        [python, "-S", "-c", PROBE, config.handler.partition(".")[0], asks],
        input=event,
        env={**cold.environment_of(config, paths), **provider},
        cwd=paths[0],
        capture_output=True,
        text=True,
        check=True,
    )
    cpu, memory, is_loaded = json.loads(done.stdout.strip().splitlines()[-1])
    return cpu, memory, is_loaded


@contextmanager
def _closing() -> Iterator[str]:
    """An address that takes a connection and closes it: a client has all it needs by then, TLS and its certificates too."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def close_each() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connection.close()

        threading.Thread(target=close_each, daemon=True).start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def main() -> None:
    """Prints a line for each function, those that ask Stripe first."""
    for one in sorted(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5), key=lambda one: not one.has_layer):
        (before, after), (least, most) = one.cpu, one.memory
        sys.stdout.write(
            f"{one.function:24} {'asks Stripe' if one.has_layer else '':12} CPU {before:5.0f} ms, {after - before:+5.0f}; "
            f"memory {least:5.1f} MB, {most - least:+5.1f}\n"
        )


if __name__ == "__main__":
    main()
