"""The command `orders`: the local stack, and small tools for a running one."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local.cli import carriers, listen, pay, products, warehouse, watch
from local.cli.client import DEFAULT_URL, Api, Refused, Unreachable, url_of

CUSTOMER, CARRIER, WAREHOUSE = "customer-1", "carrier-1", "warehouse-1"
SUPPORT, ADMIN = "support-1", "admin-1"
PEOPLE = ((CUSTOMER, ""), (SUPPORT, "support"), (ADMIN, "admin"), (CARRIER, "carrier"), (WAREHOUSE, "warehouse"))

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

ITEMS_HELP = "default: prod-001:2 prod-002:1; an id that itself ends with a colon and digits needs its :N"
SET_HELP = "any parameter of template.yaml, within the limits that it has there (may be repeated): ReviewThreshold=100000"

CONTAINERS_HELP = (
    "let containers reach the local AWS at HOST, this machine's address for them: 172.17.0.1 (Docker on Linux, the bridge's "
    "address) or host.docker.internal (Docker Desktop). The local AWS runs code, contains every secret and has no "
    "authentication: everyone who can reach HOST can use it"
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except (Unreachable, Refused) as failure:
        print(f"orders: {failure}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = 130
    return code


# --- The stack ----------------------------------------------------------------------------------------------


def serve(options: argparse.Namespace) -> int:
    # Imported here: the small commands start quickly, and the stack takes a while to load.
    from local.common import NotReady  # noqa: PLC0415
    from local.ports.listening import run  # noqa: PLC0415
    from local.stack.settings import Settings  # noqa: PLC0415
    from local.stack.stack import Stack  # noqa: PLC0415

    _log()
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
        _welcome(stack)
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
    _leave(code)
    return code


def _leave_on_signal(stack: Any) -> None:
    """While it starts, the loop is busy for seconds on end; and nothing has been promised to anybody yet."""

    def leave(number: int, _: Any) -> None:
        stack.abandon()
        _leave(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)


def _leave(code: int) -> None:
    """Ends at once: writes are journaled, and running handlers are not waited for."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _log() -> None:
    level = os.environ.get("LOG_LEVEL", "WARNING").upper()
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")


def _print_log(function: str, text: str) -> None:
    """What functions log, but for their metrics; LOG_LEVEL of the template's parameter decides what that is."""
    for line in text.splitlines():
        if line and not line.startswith('{"_aws"'):
            print(f"{function}: {line}", file=sys.stderr)


def _welcome(stack: Any) -> None:
    print(f"Orders is up at {stack.url}   (its AWS: --endpoint-url {stack.aws_url})")
    print(
        f"The desk is at {stack.url}/admin (sign in as Sam or Alex); an order's own page is the tracking_url in its response.\n"
    )
    print("# Tokens, valid for 12 hours:")
    for subject, group in PEOPLE:
        token = stack.token(subject, [group] if group else [])
        print(f"export {subject.split('-')[0].upper()}={token}")
    print(f"export SHOP={stack.shop_token()}")
    body = json.dumps(_order([("prod-001", 2), ("prod-002", 1)], "tok_ok"))
    print("\n# Place an order, then read it:")
    print(f"curl -s {stack.url}/orders -H \"authorization: Bearer $CUSTOMER\" -H 'content-type: application/json' \\")
    print(f"  -d '{body}'")
    print(f'curl -s {stack.url}/orders/ORDER_ID/status -H "authorization: Bearer $CUSTOMER"')
    print(f'curl -s "{stack.url}/orders?status=DELIVERED" -H "authorization: Bearer $SUPPORT"')
    print("\n# Or, in .venv/bin: orders place, orders show ORDER_ID, orders cancel ORDER_ID   (Ctrl-C here stops everything)\n")
    print("ready", flush=True)


def demo(_: argparse.Namespace) -> int:
    from local.cli.demo import demo as show  # noqa: PLC0415
    from local.common import NotReady  # noqa: PLC0415

    _log()
    try:
        code = show()
    except NotReady as failure:
        print(f"orders: {failure}", file=sys.stderr)
        code = 1
    _leave(code)
    return code


# --- Measuring ----------------------------------------------------------------------------------------------


def bench(options: argparse.Namespace) -> int:
    from bench.report import main as measure  # noqa: PLC0415 - as above

    return measure(["--times", str(options.times), *(["--skip", *options.skip] if options.skip else [])])


def load(options: argparse.Namespace) -> int:
    from bench.load import run as load_steadily  # noqa: PLC0415 - as above

    return load_steadily(options.rate, options.minutes)


# --- A running stack ----------------------------------------------------------------------------------------


def token(options: argparse.Namespace) -> int:
    if options.shop is (options.subject is not None):
        print("orders: say whom the token is for: a SUB, or --shop", file=sys.stderr)
        return 2
    api = Api(url_of(options.url))
    print((api.as_shop() if options.shop else api.signed_in(options.subject, options.group)).token)
    return 0


def env(options: argparse.Namespace) -> int:
    environment = Api(url_of(options.url)).call("POST", "/.local/stack", {})["environment"]
    if urlsplit(environment["AWS_ENDPOINT_URL"]).hostname == "127.0.0.1":
        print("orders: containers do not reach this stack: see `orders serve --for-containers`", file=sys.stderr)
    return _show({"Parameters": environment})


def place(options: argparse.Namespace) -> int:
    items = [_item(text) for text in options.items or ["prod-001:2", "prod-002:1"]]
    body = _order(items, options.token, options.method)
    if options.review:
        body["require_approval"] = True
    return _show(_as(options, options.customer).call("POST", "/orders", body))


def show(options: argparse.Namespace) -> int:
    api = _as(options, SUPPORT, "support")
    path = f"/orders/{options.order_id}"
    return _show({**api.call("GET", path), **{part: api.call("GET", f"{path}/{part}") for part in ("status", "history")}})


def sync(options: argparse.Namespace) -> int:
    return _show(_as(options, SUPPORT, "support").call("POST", f"/orders/{options.order_id}/sync", {}))


def act(action: str) -> Callable[[argparse.Namespace], int]:
    def run(options: argparse.Namespace) -> int:
        body = {"reason": options.reason} if options.reason else {}
        return _show(_as(options, SUPPORT, "support").call("POST", f"/orders/{options.order_id}/{action}", body))

    return run


def operate(options: argparse.Namespace) -> int:
    from local.cli.operate import run  # noqa: PLC0415 - brings boto3 along

    return run(options)


def _as(options: argparse.Namespace, subject: str, *groups: str) -> Api:
    return Api(url_of(options.url)).signed_in(subject, groups)


def _item(text: str) -> tuple[str, int]:
    product, _, quantity = text.rpartition(":")
    return (product, int(quantity)) if product and quantity.isdecimal() else (text, 1)


def _order(items: Sequence[tuple[str, int]], token: str, method: str = "CREDIT_CARD") -> dict[str, Any]:
    address = {"name": "Ada Lovelace", "line1": "12 Analytical Way", "city": "London", "postal_code": "10115", "country": "GB"}
    payment = {"method": method, **({"token": token} if method != "CASH_ON_DELIVERY" else {})}
    lines = [{"product_id": product, "quantity": quantity} for product, quantity in items]
    return {"items": lines, "payment": payment, "shipping_address": address}


def _show(document: Any) -> int:
    print(json.dumps(document, indent=2))
    return 0


# --- The command line ---------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="orders", description="Order fulfillment on this machine: no Docker, no AWS account.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _serve_options(commands.add_parser("serve", help="run the whole stack until Ctrl-C"))
    command = commands.add_parser("demo", help="run three orders on a temporary stack and follow them")
    command.set_defaults(run=demo)

    command = commands.add_parser("bench", help="run the benchmarks, also of other engines, and write docs/benchmarks.md")
    command.add_argument("--times", type=int, default=3, help="runs of each measurement (default %(default)s)")
    command.add_argument("--skip", nargs="*", default=[], choices=["rivals", "cold", "units"], help="parts to leave out")
    command.set_defaults(run=bench)

    command = commands.add_parser("load", help="place orders at a steady rate on a temporary stack and measure it")
    command.add_argument("--rate", type=float, default=20.0, metavar="R", help="orders a second (default %(default)g)")
    command.add_argument("--minutes", type=float, default=30.0, metavar="M", help="for how long (default %(default)g)")
    command.set_defaults(run=load)

    command = _remote(commands, "token", "print a token of the running stack", token)
    command.add_argument("subject", metavar="SUB", nargs="?", help="the token's subject: a customer's id, for instance")
    command.add_argument("--shop", action="store_true", help="a shop's system, which acts for any customer, instead")
    command.add_argument("--group", action="append", default=[], help="support, admin, carrier or warehouse; may be repeated")

    _remote(commands, "env", "print the functions' variables, for `sam local invoke --env-vars` (docs/invoke.md)", env)

    command = _remote(commands, "place", "place an order", place)
    command.add_argument(
        "items",
        nargs="*",
        metavar="PRODUCT[:N]",
        help=ITEMS_HELP,
    )
    command.add_argument("--customer", default=CUSTOMER, help="the customer's id (default %(default)s)")
    command.add_argument("--token", default="tok_ok", help="payment token: tok_ok, tok_declined, tok_flaky_2, ...")
    command.add_argument("--method", default="CREDIT_CARD", help="default %(default)s; CASH_ON_DELIVERY, ...")
    command.add_argument("--review", action="store_true", help="ask for a manual review")

    command = _remote(commands, "show", "show an order with its progress and its audit trail", show)
    command.add_argument("order_id", metavar="ORDER_ID")

    command = _remote(commands, "sync", "restart an order's lost workflow, and apply missed scans", sync)
    command.add_argument("order_id", metavar="ORDER_ID")

    for action, help_ in (("cancel", "cancel an order"), ("approve", "approve an order in review"), ("reject", "reject one")):
        command = _remote(commands, action, help_, act(action))
        command.add_argument("order_id", metavar="ORDER_ID")
        command.add_argument("--reason")
    for tool in (carriers, warehouse, pay, products, listen, watch):
        tool.register(commands, _remote)
    _operator_commands(commands)
    return parser


def _operator_commands(commands: Any) -> None:
    """Those that work on AWS too (docs/runbook.md)."""
    redrive = _remote(commands, "redrive", "retry dead letters, failed executions or failed webhook deliveries", operate)
    redrive.add_argument(
        "what",
        choices=["dead-letters", "letters", "executions", "webhooks"],
        metavar="{dead-letters,executions,webhooks}",
        help="dead-letters: the messages in the dead-letter queues (letters: its earlier name)",
    )
    redrive.add_argument("webhook_id", nargs="?", metavar="WEBHOOK_ID", help="with webhooks: only this webhook's deliveries")
    export = _remote(commands, "export", "print a customer's data as JSON", operate)
    erase = _remote(commands, "erase", "erase a customer's personal data from their orders", operate)
    erase.add_argument("--by", default="operator", help="the operator's name, for the audit trail (default %(default)s)")
    for command in (export, erase):
        command.add_argument("customer_id", metavar="CUSTOMER")
    sweep = _remote(commands, "sweep", "check every open order now, and restart lost workflows", operate)
    for name, command in (("redrive", redrive), ("export", export), ("erase", erase), ("sweep", sweep)):
        command.add_argument("--stack", metavar="NAME", help="a stack on AWS instead, with the credentials of this shell")
        command.set_defaults(command=name)


def _serve_options(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=serve)
    command.add_argument("--port", type=int, default=3000, help="of the HTTP API (default %(default)s; 0: any free one)")
    command.add_argument("--aws-port", type=int, default=0, help="of the local AWS (default: any free one)")
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
    if float(text) < 0:
        raise argparse.ArgumentTypeError("seconds cannot be negative")
    return f"{float(text):g}"


def _remote(commands: Any, name: str, help_: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=help_)
    command.add_argument("--url", help=f"of the running stack (default: ORDERS_URL, or {DEFAULT_URL})")
    command.set_defaults(run=run)
    return command
