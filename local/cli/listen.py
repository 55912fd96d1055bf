"""`orders listen`: a small receiver that subscribes itself, verifies what it gets, and prints it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local.cli.client import Api, url_of
from local.cli.serving import port_number
from local.people import ADMIN

LARGEST_BODY = 1_000_000


def register(commands: Any, remote: Callable[..., argparse.ArgumentParser]) -> None:
    command = remote(commands, "listen", "receive webhooks, verify and print them", listen)
    command.add_argument("--port", type=port_number, default=0, help="port to listen on (default: any free one)")
    command.add_argument("--event", action="append", default=[], metavar="TYPE", help="only this type; may be repeated")
    command.add_argument("--answer", type=int, default=204, metavar="CODE", help="response status (default %(default)s)")


def listen(options: argparse.Namespace) -> int:
    api = Api(url_of(options.url)).signed_in(ADMIN.subject, ADMIN.groups)
    server = Receiver(options.port, options.answer)
    with server, _subscribed(api, server, options.event) as webhook_id:
        print(f"Listening at {server.address} as {webhook_id}; Ctrl-C ends both.", flush=True)
        server.serve_forever()
    return 0


@contextmanager
def _subscribed(api: Api, server: Receiver, events: list[str]) -> Any:
    made = api.call("POST", "/webhooks", {"url": server.address, "events": events})
    server.trust(made["secret"])
    try:
        yield made["webhook_id"]
    finally:
        api.call("DELETE", f"/webhooks/{made['webhook_id']}")


class Receiver(ThreadingHTTPServer):
    """On loopback; `seen` are the verified messages, in the order of their arrival."""

    daemon_threads = True

    def __init__(self, port: int, answer: int = 204, show: Callable[[str], None] | None = None) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.answer = answer
        self.show = show or _print
        self.seen: list[dict[str, Any]] = []
        self._signer: Any = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def trust(self, secret: str) -> None:
        from standardwebhooks import Webhook  # noqa: PLC0415 - the other small commands answer at once

        self._signer = Webhook(secret)

    def verified(self, body: bytes, headers: dict[str, str]) -> Any:
        """What was sent, or None where it is not signed with our secret."""
        from standardwebhooks import WebhookVerificationError  # noqa: PLC0415

        if self._signer is None:
            return None
        try:
            return self._signer.verify(body, headers)
        except WebhookVerificationError:
            return None


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if length > LARGEST_BODY:
            self._answer(413)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        message = self.server.verified(self.rfile.read(length), headers)
        if message is None:
            self.server.show(f"refused: the signature does not match   {headers.get('webhook-id')}")
            self._answer(401)
            return
        self.server.seen.append(message)
        self.server.show(_line(message))
        self._answer(self.server.answer)

    def _answer(self, code: int) -> None:
        self.send_response(code)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Logs nothing: the messages are printed."""


def _line(message: dict[str, Any]) -> str:
    data = message["data"]
    change = data.get("new_status") or data.get("step") or ""
    return f"{message['timestamp']}  {data['order_id']}  v{data['version']:<3} {message['type']:<22} {change}".rstrip()


def _print(line: str) -> None:
    print(line, flush=True)
