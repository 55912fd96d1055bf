"""`orders webhooks`: subscriptions of a running stack, what was sent to them, and sending it again."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from local.cli.client import Api, url_of
from local.cli.rendering import print_json, print_table, words
from local.people import ADMIN

COLUMNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "list": ("webhooks", ("webhook_id", "status", "url", "created_at")),
    "deliveries": ("deliveries", ("delivery_id", "status", "event_type", "order_id", "created_at")),
}
"""What is listed, and which of its members are shown."""


def register(commands: Any, remote: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds the command, whose first word says what to do."""
    command = remote(commands, "webhooks", "list, add and remove webhooks, and see what was sent to them", webhooks)
    command.set_defaults(what="list")
    actions = command.add_subparsers(metavar="{list,add,remove,deliveries,redeliver}")
    for name, does, asked in (
        ("list", "list the subscriptions (the default)", ()),
        ("add", "subscribe a URL; its secret is shown once", ("url_of_receiver",)),
        ("remove", "end a subscription", ("webhook_id",)),
        ("deliveries", "list what was sent, newest first", ("webhook_id",)),
        ("redeliver", "send one delivery again", ("webhook_id", "delivery_id")),
    ):
        action = actions.add_parser(name, help=does)
        action.set_defaults(what=name)
        # Taken after the second word too; what is left out there is as it was given before it.
        action.add_argument("--url", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        for word in asked:
            action.add_argument(word, metavar=word.removesuffix("_of_receiver").upper())


def webhooks(options: argparse.Namespace) -> int:
    """Does what the first word says, as an admin."""
    api = Api(url_of(options.url)).signed_in(ADMIN.subject, ADMIN.groups)
    answer = _call(api, options)
    if options.json or not _print(options.what, answer):
        print_json(answer)
    return 0


def _call(api: Api, options: argparse.Namespace) -> Any:
    if options.what == "list":
        return api.call("GET", "/webhooks")
    if options.what == "add":
        return api.call("POST", "/webhooks", {"url": options.url_of_receiver})
    path = f"/webhooks/{quote(options.webhook_id, safe='')}"
    if options.what == "remove":
        return api.call("DELETE", path)
    if options.what == "deliveries":
        return api.call("GET", f"{path}/deliveries")
    return api.call("POST", f"{path}/deliveries/{quote(options.delivery_id, safe='')}/redeliver", {})


def _print(what: str, answer: Any) -> bool:
    """Whether there was something to show as a table."""
    if what not in COLUMNS:
        return False
    listed, columns = COLUMNS[what]
    rows = [[str(row.get(name) or "") for name in columns] for row in answer[listed]]
    print_table([words(name.removesuffix("_id")) for name in columns], rows)
    return True
