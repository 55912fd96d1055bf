"""`orders mail`: the mails to an order's customer, as they were sent."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from local.cli.client import Api, url_of
from local.cli.rendering import print_json
from local.people import SUPPORT

NONE = "no mails: the order has no contact.email, or the stack has no sender (orders serve --set MailSender=shop@example.com)"


def register(commands: Any, remote: Callable[..., argparse.ArgumentParser]) -> None:
    command = remote(commands, "mail", "print the mails to an order's customer", mail)
    command.add_argument("order_id", metavar="ORDER_ID")


def mail(options: argparse.Namespace) -> int:
    api = Api(url_of(options.url)).signed_in(SUPPORT.subject, SUPPORT.groups)
    found = api.call("GET", f"/orders/{quote(options.order_id, safe='')}/mails")
    if options.json:
        print_json(found)
        return 0
    print("\n".join(text_of(one) for one in found["mails"]) or NONE)
    return 0


def text_of(one: dict[str, str]) -> str:
    """One mail as a mail program shows it."""
    became = one["status"] + (f" ({one['reason']})" if "reason" in one else "")
    head = {"To": one.get("to", ""), "Date": one["at"], "Subject": one.get("subject", ""), "Status": became}
    return "\n".join([*(f"{name}: {value}" for name, value in head.items()), "", one.get("text", "")])
