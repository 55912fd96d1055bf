"""`orders watch`: follows an order's status stream in the terminal, over every interruption."""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from local.cli.client import Api, Refused, Unreachable, url_of
from local.cli.rendering import paint, words
from local.people import SUPPORT

LONGEST_PAUSE = 15.0


def register(commands: Any, remote: Callable[..., argparse.ArgumentParser]) -> None:
    command = remote(commands, "watch", "follow an order's changes until it is over", watch)
    command.add_argument("order_id", metavar="ORDER_ID")
    command.add_argument("--link-token", metavar="TOKEN", help="the token of a tracking link, instead of signing in")


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of the stream."""

    id: str
    event: str
    data: dict[str, Any]


class Stream:
    """An EventSource: reconnects after each response, from its last event, until the response is 204."""

    def __init__(self, url: str, token: str | None, sleep: Callable[[float], None] = time.sleep) -> None:
        self._url = url
        self._token = token
        self._sleep = sleep
        self._pause = 1.0
        self.last: str | None = None

    def frames(self) -> Iterator[Frame]:
        failures = 0
        while True:
            try:
                answer = self._answer()
            except Unreachable as gone:
                failures += 1
                if failures == 1:
                    print(f"orders: {gone}; trying again ...", file=sys.stderr)
                self._sleep(min(self._pause * 2**failures, LONGEST_PAUSE))
                continue
            if answer is None:
                return
            failures = 0
            yield from self._read(answer)
            self._sleep(self._pause)

    def _answer(self) -> str | None:
        request = urllib.request.Request(self._url)  # noqa: S310 - the user's own URL
        request.add_header("accept", "text/event-stream")
        if self._token:
            request.add_header("authorization", f"Bearer {self._token}")
        if self.last:
            request.add_header("last-event-id", self.last)
        try:
            with urllib.request.urlopen(request, timeout=35) as response:  # noqa: S310
                return None if response.status == 204 else response.read().decode()
        except urllib.error.HTTPError as refusal:
            if refusal.code in (429, 500, 502, 503, 504):
                raise Unreachable(f"{self._url} answers {refusal.code}") from refusal
            raise Refused(refusal.code, _problem(refusal)) from None
        except (urllib.error.URLError, OSError, http.client.HTTPException) as gone:
            raise Unreachable("the stack does not answer") from gone

    def _read(self, text: str) -> Iterator[Frame]:
        for block in text.split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            if "retry" in fields:
                self._pause = int(fields["retry"]) / 1000
            if "data" in fields:
                self.last = fields["id"]
                yield Frame(fields["id"], fields["event"], json.loads(fields["data"]))


def _problem(refusal: urllib.error.HTTPError) -> dict[str, Any]:
    try:
        problem: dict[str, Any] = json.loads(refusal.read())
    except ValueError:
        return {}
    return problem


def watch(options: argparse.Namespace) -> int:
    api = Api(url_of(options.url))
    path = f"{api.url}/orders/{options.order_id}/status/stream"
    if options.link_token:
        stream = Stream(f"{path}?token={options.link_token}", None)
    else:
        stream = Stream(path, api.signed_in(SUPPORT.subject, SUPPORT.groups).token)
    for frame in stream.frames():
        print(json.dumps(asdict(frame)) if options.json else line(frame), flush=True)
    return 0


def line(frame: Frame) -> str:
    data = frame.data
    progress = data if "steps" in data else data.get("progress") or {}
    moment = data.get("timestamp") or data.get("last_updated", "")
    step = progress.get("current_step") or progress.get("overall_status", "")
    expected = f"  expected {progress['estimated_completion']}" if progress.get("estimated_completion") else ""
    status = f"{data.get('status', ''):<10}"
    what = f"{words(frame.event):<22}"
    return f"{moment}  v{frame.id:<3} {paint(status, status.strip())}  {what} {paint(f'{step}{expected}', 'dim')}".rstrip()
