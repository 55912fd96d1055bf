"""`orders serve`: the whole stack until Ctrl-C, where it is, how to use it, and each change of an order as it happens."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from local.cli import last_stack
from local.cli.rendering import paint, words
from local.people import ADMIN, CARRIER, CUSTOMER, SUPPORT, WAREHOUSE

SETTINGS = {
    "payment_seconds": "PaymentWaitSeconds",
    "preparation_seconds": "PreparationWaitSeconds",
    "delivery_seconds": "DeliveryWaitSeconds",
    "approval_seconds": "ApprovalTimeoutSeconds",
    "delivery_mode": "DeliveryMode",
    "gateway_seconds": "SimulatedGatewaySeconds",
    "failure_rate": "SimulatedFailureRate",
    "rate_limit": "ApiRateLimit",
    "burst_limit": "ApiBurstLimit",
}

DATA_HELP = (
    "keep the table (orders, products, webhooks), the secrets and pending stream records in DIR: they survive a restart and a "
    "killed process, but not a power failure. Messages in queues (events, webhook deliveries in progress) and executions are "
    "not kept: the sweep resumes open orders. Only one stack at a time can use DIR"
)
SET_HELP = "any parameter of template.yaml, within the limits that it has there (may be repeated): ReviewThreshold=100000"
CONTAINERS_HELP = (
    "let containers reach the local AWS at HOST, this machine's address for them: 172.17.0.1 (Docker on Linux, the bridge's "
    "address) or host.docker.internal (Docker Desktop). The local AWS runs code, contains every secret and has no "
    "authentication: everyone who can reach HOST can use it"
)
CHANGES_HELP = "print one line for each change of an order (default: where the output is a terminal)"

EXAMPLE = {
    "items": [{"product_id": "prod-001", "quantity": 2}, {"product_id": "prod-002", "quantity": 1}],
    "payment": {"method": "CREDIT_CARD", "token": "tok_ok"},
    "shipping_address": {
        "name": "Ada Lovelace",
        "line1": "12 Analytical Way",
        "city": "London",
        "postal_code": "SW1Y 4JH",
        "country": "GB",
    },
}
"""A whole order, as a body of ``POST /orders``."""


def port_number(text: str) -> int:
    """A port, 0 for any free one."""
    if text.isascii() and text.isdecimal() and int(text) < 2**16:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port: a whole number from 0 to 65535")


def register(commands: Any) -> None:
    """Adds the command, with its options."""
    command = commands.add_parser("serve", help="run the whole stack until Ctrl-C")
    command.set_defaults(run=serve)
    command.add_argument(
        "--port", type=port_number, default=3000, help="of the HTTP API (default %(default)s; 0: any free one)"
    )
    command.add_argument("--aws-port", type=port_number, default=0, help="of the local AWS (default: any free one)")
    command.add_argument("--data", type=Path, metavar="DIR", help=DATA_HELP)
    command.add_argument("--for-containers", type=_container_host, metavar="HOST", help=CONTAINERS_HELP)
    for name, what, default in (
        ("payment", "before the charge", 5),
        ("preparation", "of preparing the parcel", 5),
        ("delivery", "in transit", 10),
        ("approval", "to answer a review in", 300),
    ):
        command.add_argument(f"--{name}-seconds", type=_seconds, metavar="S", help=f"seconds {what} (default {default})")
    command.add_argument("--delivery-mode", choices=["timed", "carrier"], help="what ends the transit (default timed)")
    command.add_argument("--gateway-seconds", type=_seconds, metavar="S", help="duration of a charge (default 0)")
    command.add_argument("--set", type=_parameter, action="append", default=[], metavar="NAME=VALUE", help=SET_HELP)
    command.add_argument("--failure-rate", type=float, metavar="R", help="share of gateway and carrier calls that fail")
    command.add_argument(
        "--rate-limit", type=int, metavar="N", help="requests a second for each route, before it returns 429 (default 10000)"
    )
    command.add_argument(
        "--burst-limit", type=int, metavar="N", help="requests at once for each route, before it returns 429 (default 5000)"
    )
    command.add_argument("--changes", action=argparse.BooleanOptionalAction, help=CHANGES_HELP)


def serve(options: argparse.Namespace) -> int:
    """Runs the stack in this process until a signal ends it."""
    # What is loaded lives as long as the process: looking for garbage among it took a sixth of the start.
    gc.disable()
    # Imported here: the small commands start quickly, and the stack takes a while to load.
    from local.common import NotReady  # noqa: PLC0415
    from local.ports.listening import run  # noqa: PLC0415
    from local.stack.settings import Settings  # noqa: PLC0415
    from local.stack.stack import Stack  # noqa: PLC0415

    log()
    print("Starting a stack from template.yaml ...", flush=True)
    parameters = {name: str(value) for key, name in SETTINGS.items() if (value := getattr(options, key)) is not None}
    parameters |= dict(options.set)
    settings = Settings(
        port=options.port,
        aws_port=options.aws_port,
        data=options.data,
        container_host=options.for_containers,
        parameters=parameters,
    )

    async def main() -> None:
        stack = Stack(settings)
        stack.lambdas.listeners.append(_print_log)
        _leave_on_signal(stack)
        await stack.start()
        stopping = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        _welcome(stack, last_stack.announce(stack.url, stack.port, _variables(stack)))
        if sys.stdout.isatty() if options.changes is None else options.changes:
            stack.changes.listeners.append(_print_change)
        await stopping.wait()
        await stack.stop()

    code = 0
    try:
        run(main())
    except (NotReady, RuntimeError) as failure:
        print(f"orders: {failure}", file=sys.stderr)
        code = 1
    except Exception:  # whatever it was, the process ends with its trace and a bad exit code
        logging.getLogger(__name__).exception("the stack ended")
        code = 1
    leave(code)
    return code


def _leave_on_signal(stack: Any) -> None:
    """While it starts, the loop is busy for seconds on end; and nothing has been promised to anybody yet."""

    def stop(number: int, _: Any) -> None:
        stack.abandon()
        leave(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def leave(code: int) -> None:
    """Ends at once: writes are journaled, and running handlers are not waited for."""
    last_stack.withdraw()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def log() -> None:
    """What the stack itself logs, from ``LOG_LEVEL`` on."""
    level = os.environ.get("LOG_LEVEL", "WARNING").upper()
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")


def _print_log(function: str, text: str) -> None:
    """What functions log, but for their metrics; LOG_LEVEL of the template's parameter decides what that is."""
    for line in text.splitlines():
        if line and not line.startswith('{"_aws"'):
            print(f"{function}: {line}", file=sys.stderr)


def _print_change(record: Mapping[str, Any]) -> None:
    """One line for the change of an order that a record of the table's stream tells of."""
    item = record["dynamodb"].get("NewImage", {})
    if record["eventName"] == "INSERT" and item.get("kind", {}).get("S") == "event":
        print(change_line({name: next(iter(value.values())) for name, value in item.items()}), flush=True)


def change_line(event: Mapping[str, Any]) -> str:
    """A change of an order: when, which, to what, what happened, by whom and why."""
    status = f"{event['status']:<10}"
    shown = paint(status, event["status"] if event["status"] != event.get("old_status") else "dim")
    reason = paint(f"  {event['reason']}", "dim") if event.get("reason") else ""
    what = f"{words(event.get('exact_type', event['type'])):<20}"
    return f"{event['at']}  {event['order_id']}  {shown}  {what}  {event['by']}{reason}"


def _variables(stack: Any) -> dict[str, str]:
    """The stack's URL, and a token for each kind of caller."""
    tokens = {
        name: stack.token(person.subject, person.groups)
        for name, person in (
            ("CUSTOMER", CUSTOMER),
            ("SUPPORT", SUPPORT),
            ("ADMIN", ADMIN),
            ("CARRIER", CARRIER),
            ("WAREHOUSE", WAREHOUSE),
        )
    }
    return {"ORDERS_URL": stack.url, **tokens, "SHOP": stack.shop_token()}


def _welcome(stack: Any, variables: Path) -> None:
    print(f"Orders is up at {stack.url}   (its AWS: --endpoint-url {stack.aws_url})")
    print(f"  desk      {stack.url}/admin   sign in as Sam (support) or Alex (admin)")
    print(f"  API       {stack.url}/docs")
    print(f"  tokens    . {variables}   sets $ORDERS_URL, $CUSTOMER, $SUPPORT, $ADMIN, $SHOP, ... for 12 hours")
    print("  commands  .venv/bin/orders place, then: orders show, list, watch, cancel   (orders --help)")
    print('  curl      curl -s "$ORDERS_URL/orders" -H "authorization: Bearer $CUSTOMER" -H "idempotency-key: first" \\')
    print(f"            -H 'content-type: application/json' -d '{json.dumps(EXAMPLE)}'")
    print("Ctrl-C here stops everything.\n")
    if not sys.stdout.isatty():
        print("ready")  # for programs that wait for it
    sys.stdout.flush()


def _parameter(text: str) -> tuple[str, str]:
    """A parameter of the template and its value, which may be empty."""
    name, given, value = text.partition("=")
    if not name or not given:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _container_host(text: str) -> str:
    """A private address, or a name that cannot be registered."""
    try:
        address = IPv4Address(text)
    except ValueError:
        if re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.internal", text):
            return text
    else:
        if address.is_private and not address.is_unspecified:
            return text
    raise argparse.ArgumentTypeError(f"{text!r} is neither a private address of this machine nor a name that ends in .internal")


def _seconds(text: str) -> str:
    """As the template takes it: 5, not 5.0."""
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds") from None
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError("seconds cannot be negative, or without end")
    return f"{seconds:g}"
