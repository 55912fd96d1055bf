"""Tries one function in Lambda's own runtime: no Docker, no AWS.

The runtime interface emulator is part of the SAM CLI's wheel. It runs the handler as Lambda does, in a process that starts
cold, against a temporary local stack that has the recorded event's order; see docs/invoke.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local.lambda_runtime.lambdas import Config
from local.stack.running import running, wait_until
from local.stack.settings import ROOT, Settings
from local.stack.stack import Stack
from orders.domain.steps import DEFINITIONS, STEPS, StepName

EVENTS = ROOT / "events"
TRACKING_TOKEN, ORDER_ID = "(a tracking token)", "order-1001"

_PLACED, _REVIEWED = ("place_order",), ("place_order-for_a_customer",)


def _steps_before(step: StepName) -> tuple[str, ...]:
    """What makes the order what a step expects: the first step runs by itself, and nobody reviews this order."""
    done = (one for one in DEFINITIONS[1 : STEPS.index(step)] if one.name is not StepName.REVIEW)
    return (*_PLACED, *(one.task.function for one in done))


_BEFORE_STEPS = {one.task.function: _steps_before(one.name) for one in DEFINITIONS}
BEFORE: Mapping[str, tuple[str, ...]] = {
    **_BEFORE_STEPS,
    **dict.fromkeys(("place_order", "place_order-for_a_customer", "place_order-no_quantity"), ()),
    **dict.fromkeys(("manage_products", "manage_products-put", "show_docs", "show_docs-no_such_route", "show_pages"), ()),
    **dict.fromkeys(("change_order-approve", "request_approval", "begin_unwinding-approval_timeout"), _REVIEWED),
    **dict.fromkeys(("ask_customer",), _PLACED),
    **dict.fromkeys(
        ("on_fulfillment_event", "await_payment", "await_release", "await_warehouse", "on_payment_event"),
        _BEFORE_STEPS["ship_parcel"],
    ),
    **dict.fromkeys(("change_order-delivered", "change_order-location"), _BEFORE_STEPS["deliver_order"]),
}
"""The recorded events that make the order what an event expects; a placed order, where nothing is said."""

# The order stays where the events before have brought it: its own workflow waits for an hour.
SLOW = dict.fromkeys(("PaymentWaitSeconds", "PreparationWaitSeconds", "DeliveryWaitSeconds"), "3600")


class NotInvoked(RuntimeError):
    """The command cannot be carried out; the text says why."""


def main() -> int:
    options = _parser().parse_args()
    try:
        event = _event(options.event or EVENTS / f"{options.function}.json")
        emulator = _emulator(options.emulators.resolve())
        with running(Settings(parameters=SLOW)) as stack:
            config = _config(stack, options.function)
            prepare(stack, (options.event or Path(options.function)).stem)
            answer = _invoke(emulator, options.runtime.resolve(), config, _filled(event))
    except NotInvoked as reason:
        print(f"invoke: {reason}", file=sys.stderr)
        return 1
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return 1 if isinstance(answer, dict) and "errorType" in answer else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="invoke", description="Tries one function in Lambda's own runtime.")
    parser.add_argument("function", help="the module in functions/, such as reserve_stock")
    parser.add_argument("--event", type=Path, help="default: events/<function>.json")
    parser.add_argument("--emulators", type=Path, required=True, help="the folder that holds Lambda's emulators")
    parser.add_argument("--runtime", type=Path, required=True, help="the folder that holds awslambdaric, for this Python")
    return parser


def _event(path: Path) -> str:
    if not path.is_file():
        raise NotInvoked(f"there is no {path}; recorded events are {', '.join(sorted(p.stem for p in EVENTS.glob('*.json')))}")
    return path.read_text(encoding="utf-8")


def _emulator(folder: Path) -> Path:
    machine = {"aarch64": "arm64", "amd64": "x86_64"}.get(platform.machine().lower(), platform.machine())
    found = folder / f"aws-lambda-rie-{machine}"
    if sys.platform != "linux" or not found.is_file():
        raise NotInvoked(f"Lambda's emulator runs on Linux only, and there is none for {sys.platform} on {machine}")
    return found


def _config(stack: Stack, function: str) -> Config:
    wanted = f"{function}.handler"
    found = next((config for name in stack.lambdas.names() if (config := stack.lambdas.config(name)).handler == wanted), None)
    if found is None:
        raise NotInvoked(f"the template has no function whose handler is {wanted}")
    return found


def prepare(stack: Stack, event: str) -> None:
    """Brings the recorded order to where the event expects it."""
    for name in BEFORE.get(event, _PLACED):
        answer = stack.lambdas.invoke(_config(stack, name.partition("-")[0]).name, json.loads(_event(EVENTS / f"{name}.json")))
        if answer.failed:
            raise NotInvoked(f"events/{name}.json, which comes before, failed: {answer.payload}")
        if name.startswith("place_order"):
            # The workflow's first step runs by itself; what follows waits.
            wait_until(lambda: _version(stack) > 1)


def _version(stack: Stack) -> int:
    key = {"PK": {"S": f"ORDER#{ORDER_ID}"}, "SK": {"S": "#ORDER"}}
    item = stack.client("dynamodb").get_item(TableName=stack.resources["OrdersTable"], Key=key).get("Item", {})
    return int(item.get("version", {"N": "0"})["N"])


def _filled(event: str) -> str:
    """A token expires, so no recorded event can hold one: it is made now."""
    if TRACKING_TOKEN not in event:
        return event
    from orders.adapters import secret_store  # noqa: PLC0415 - the handlers' own, once a stack runs
    from orders.domain.identifiers import OrderId  # noqa: PLC0415
    from orders.services.changes import utc_now  # noqa: PLC0415
    from orders.web import tokens  # noqa: PLC0415

    return event.replace(TRACKING_TOKEN, tokens.tracking_token(OrderId(ORDER_ID), utc_now(), secret_store.signing_key()))


# --- the emulator -------------------------------------------------------------------------------------------


def _invoke(emulator: Path, runtime: Path, config: Config, event: str) -> object:
    with _emulating(emulator, runtime, config) as url:
        request = urllib.request.Request(url, event.encode(), {"content-type": "application/json"})  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=config.timeout + 5) as response:  # noqa: S310
            return json.loads(response.read())


@contextmanager
def _emulating(emulator: Path, runtime: Path, config: Config) -> Iterator[str]:
    """The emulator with the function in it; it logs to stderr, as CloudWatch would have it."""
    door, inside = _free_port(), _free_port()
    command = [
        *(str(emulator), "--runtime-interface-emulator-address", f"127.0.0.1:{door}"),
        *("--runtime-api-address", f"127.0.0.1:{inside}"),
        *(sys.executable, "-m", "awslambdaric", config.handler),
    ]
    process = subprocess.Popen(command, env=_environment(config, runtime), cwd=ROOT / "functions", stdout=sys.stderr)
    try:
        _await_port(door)
        yield f"http://127.0.0.1:{door}/2015-03-31/functions/function/invocations"
    finally:
        process.terminate()
        process.wait()


def _environment(config: Config, *libraries: Path) -> dict[str, str]:
    """What Lambda sets, beside what the template sets and where the local stack is."""
    return {
        **os.environ,
        **config.environment,
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "functions", ROOT / "layers/orders/python", *libraries))),
        "AWS_LAMBDA_FUNCTION_NAME": config.name,
        # The local stack knows a function's role by it: see bus_policy.
        "AWS_ACCESS_KEY_ID": config.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.memory),
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(int(config.timeout)),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    }


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise NotInvoked("Lambda's emulator did not start") from None
            time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
