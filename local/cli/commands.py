"""The command `orders`: the local stack, and small tools for a running one."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib.metadata import version
from math import inf
from typing import Any
from urllib.parse import urlsplit

import shtab

from local.cli import (
    carriers,
    listen,
    logs,
    lookup,
    mail,
    orders,
    pay,
    products,
    refunds,
    returns,
    serving,
    warehouse,
    watch,
    webhooks,
)
from local.cli.client import DEFAULT_URL, Api, Refused, Unreachable, url_of
from local.cli.progress import saying
from local.cli.rendering import print_json
from local.people import SUPPORT

URL_HELP = f"of the running stack (default: ORDERS_URL, the stack that was started last, or {DEFAULT_URL})"
JSON_HELP = "print JSON, for scripts, where it would be lines for people"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options = parsed(words)
        _find_order(options)
        code: int = options.run(options)
        sys.stdout.flush()
    except (Unreachable, Refused, lookup.Ambiguous) as failure:
        print(f"orders: {failure}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        # The reader, `head` for instance, has seen enough. What is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    return code


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """The options of a command; ends the process where there is no such command or option, or only help was asked for."""
    parser, commands = _parser()
    known = list(commands.choices)
    if words and not words[0].startswith("-") and words[0] not in known:
        near = " or ".join(get_close_matches(words[0], known))
        parser.error(f"there is no command {words[0]!r}; did you mean {near}?" if near else f"there is no command {words[0]!r}")
    return parser.parse_args(words)


def _find_order(options: argparse.Namespace) -> None:
    """Turns the beginning or end of an order's id into the id, where the stack is one of this machine."""
    elsewhere = any(getattr(options, name, None) for name in ("link_token", "stack"))
    if "order_id" not in options or elsewhere or os.environ.get("ORDERS_TOKEN"):
        return
    staff = Api(url_of(options.url)).signed_in(SUPPORT.subject, SUPPORT.groups)
    options.order_id = lookup.order_id(staff, options.order_id)


def demo(_: argparse.Namespace) -> int:
    """Three orders on a temporary stack."""
    # Imported here, as below: the small commands start quickly, and the stack takes a while to load.
    from local.cli.demo import demo as show  # noqa: PLC0415
    from local.common import NotReady  # noqa: PLC0415

    serving.log()
    try:
        code = show()
    except NotReady as failure:
        print(f"orders: {failure}", file=sys.stderr)
        code = 1
    serving.leave(code)
    return code


def bench(options: argparse.Namespace) -> int:
    """The benchmarks, as `make bench` runs them."""
    from bench.report import main as measure  # noqa: PLC0415

    only = ["--only", options.only] if options.only else []
    with saying("orders bench"):
        return measure(["--times", str(options.times), *only, *(["--skip", *options.skip] if options.skip else [])])


def load(options: argparse.Namespace) -> int:
    """A steady load on a temporary stack."""
    from bench.load import run as load_steadily  # noqa: PLC0415

    with saying("orders load"):
        return load_steadily(options.rate, options.minutes)


def token(options: argparse.Namespace) -> int:
    """Prints a token that the running stack takes."""
    if options.shop is bool(options.subject):
        print("orders: say whom the token is for: a SUB, or --shop", file=sys.stderr)
        return 2
    api = Api(url_of(options.url))
    print((api.as_shop() if options.shop else api.signed_in(options.subject, options.group)).token)
    return 0


def env(options: argparse.Namespace) -> int:
    """Prints what `sam local invoke` needs."""
    environment = Api(url_of(options.url)).call("POST", "/.local/stack", {})["environment"]
    if urlsplit(environment["AWS_ENDPOINT_URL"]).hostname == "127.0.0.1":
        print("orders: containers do not reach this stack: see `orders serve --for-containers`", file=sys.stderr)
    print_json({"Parameters": environment})
    return 0


def operate(options: argparse.Namespace) -> int:
    """The operator's commands."""
    from local.cli.operate import run  # noqa: PLC0415 - brings boto3 along

    return run(options)


def _more_than_none(text: str) -> float:
    """A number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number < inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


def _parser() -> tuple[argparse.ArgumentParser, Any]:
    """The whole command line, and its commands."""
    parser = argparse.ArgumentParser(prog="orders", description="Order fulfillment on this machine: no Docker, no AWS account.")
    parser.add_argument("--version", action="version", version=f"orders {version('orders')}")
    shtab.add_argument_to(parser, ["--print-completion"], help="print what completes this command in a shell")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serving.register(commands)
    command = commands.add_parser("demo", help="run three orders on a temporary stack and follow them")
    command.set_defaults(run=demo)

    command = commands.add_parser("bench", help="run the benchmarks, also of other engines, and write docs/benchmarks.md")
    command.add_argument("--times", type=int, default=3, help="runs of each measurement (default %(default)s)")
    command.add_argument("--skip", nargs="*", default=[], choices=["rivals", "cold", "units"], help="parts to leave out")
    command.add_argument("--only", choices=["units"], help="count what an order uses, and leave the rest of the page as it is")
    command.set_defaults(run=bench)

    command = commands.add_parser("load", help="place orders at a steady rate on a temporary stack and measure it")
    command.add_argument(
        "--rate", type=_more_than_none, default=20.0, metavar="R", help="orders a second (default %(default)g)"
    )
    command.add_argument(
        "--minutes", type=_more_than_none, default=30.0, metavar="M", help="for how long (default %(default)g)"
    )
    command.set_defaults(run=load)

    command = _remote(commands, "token", "print a token of the running stack", token)
    command.add_argument("subject", metavar="SUB", nargs="?", help="the token's subject: a customer's id, for instance")
    command.add_argument("--shop", action="store_true", help="a shop's system, which acts for any customer, instead")
    command.add_argument("--group", action="append", default=[], help="support, admin, carrier or warehouse; may be repeated")

    _remote(commands, "env", "print the functions' variables, for `sam local invoke --env-vars` (docs/invoke.md)", env)
    for tool in (orders, returns, refunds, carriers, warehouse, pay, mail, products, webhooks, listen, watch, logs):
        tool.register(commands, _remote)
    _operator_commands(commands)
    return parser, commands


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


def _remote(commands: Any, name: str, help_: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    """A command for a running stack."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=help_)
    command.add_argument("--url", help=URL_HELP)
    command.add_argument("--json", action="store_true", help=JSON_HELP)
    command.set_defaults(run=run)
    return command
