"""Speaks to a running stack over HTTP, signed in by itself where that stack runs on this machine."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from local.cli import last_stack

DEFAULT_URL = "http://127.0.0.1:3000"


class Unreachable(Exception):
    """There is no response from that address."""


class Refused(Exception):
    """The stack responded with an error."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        # The last is what API Gateway says for itself.
        detail = problem.get("detail") or problem.get("title") or problem.get("message") or "no reason given"
        places = [
            f"{error.get('field', error.get('path', ''))}: {error.get('message', error.get('detail', ''))}"
            for error in problem.get("errors", ())
            if isinstance(error, dict)
        ]
        code = f" {problem['code']}" if "code" in problem else ""
        super().__init__("; ".join([f"{status}{code}: {detail}", *(place for place in places if place not in detail)]))
        self.status = status


def url_of(given: str | None) -> str:
    """Where the stack is: as given, as ORDERS_URL has it, where the one that was started last is, or the default."""
    return (given or os.environ.get("ORDERS_URL") or last_stack.url() or DEFAULT_URL).rstrip("/")


class Api:
    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        self.token = token

    def signed_in(self, subject: str, groups: Sequence[str] = ()) -> Api:
        """The same stack, signed in. ORDERS_TOKEN is used where the stack is not a local one."""
        if token := os.environ.get("ORDERS_TOKEN"):
            return Api(self.url, token)
        answer = self.call("POST", "/.local/token", {"sub": subject, "groups": list(groups)})
        return Api(self.url, answer["token"])

    def as_shop(self) -> Api:
        """The same stack, as a shop's system. ORDERS_TOKEN as above."""
        if token := os.environ.get("ORDERS_TOKEN"):
            return Api(self.url, token)
        return Api(self.url, self.call("POST", "/.local/token", {"shop": True})["token"])

    def call(self, method: str, path: str, body: Any = None) -> Any:
        return self.send(method, path, None if body is None else json.dumps(body).encode(), {})

    def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Any:
        """These very bytes: what is signed must not be serialized again."""
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise Unreachable(f"{self.url} is no URL of a stack, such as {DEFAULT_URL}")
        request = urllib.request.Request(self.url + path, method=method)  # noqa: S310 - the user's own URL
        request.add_header("content-type", "application/json")
        for name, value in headers.items():
            request.add_header(name, value)
        if self.token:
            request.add_header("authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, body, timeout=35) as response:  # noqa: S310
                answer = response.read()
        except urllib.error.HTTPError as refusal:
            raise Refused(refusal.code, _problem(refusal.read())) from None
        except (urllib.error.URLError, OSError) as gone:
            raise Unreachable(f"Nothing answers at {self.url}. Start a stack with: .venv/bin/orders serve") from gone
        try:
            return json.loads(answer or b"null")
        except ValueError:
            raise Unreachable(f"What answers at {self.url} is no stack of orders") from None


def _problem(body: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
