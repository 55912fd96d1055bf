"""Till, the made-up provider of ``examples/payments/till.py``: its API, over HTTP."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "till-key"
STATES = {"card-refused": "refused", "card-asks": "asks", "card-later": "pending"}


class Books:
    """Its payments, and what each key has led to."""

    def __init__(self) -> None:
        self.payments: dict[str, dict[str, Any]] = {}
        self.done: dict[str, tuple[int, dict[str, Any]]] = {}

    def call(self, method: str, path: str, key: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        parts = path.strip("/").split("/")
        if method == "GET":
            return 200, self._looked_up(self.payments[parts[1]])
        if key not in self.done:
            found = self._opened(asked) if len(parts) == 1 else self.payments[parts[1]]
            why = None if len(parts) == 1 else getattr(self, f"_{parts[2]}")(found, asked)
            self.done[key] = (409, {"why": why}) if why else (200, found)
        status, said = self.done[key]
        return status, json.loads(json.dumps(said))

    def _opened(self, asked: dict[str, Any]) -> dict[str, Any]:
        reference = f"till-{len(self.payments) + 1}"
        self.payments[reference] = {"id": reference, "state": "open", "taken": 0, "given_back": 0, **asked}
        return self.payments[reference]

    @staticmethod
    def _looked_up(found: dict[str, Any]) -> dict[str, Any]:
        if found["state"] == "pending":
            found |= {"state": "taken", "taken": found["amount"]}
        return found

    @staticmethod
    def _confirm(found: dict[str, Any], _: dict[str, Any]) -> str | None:
        if found["state"] == "closed":
            return "The payment was closed."
        state = STATES.get(found["token"], "held" if found["hold"] else "taken")
        found |= {"state": state, "taken": found["amount"] if state == "taken" else 0}
        found |= {"why": "The card was refused.", "page": "https://till.example/ask", "held_until": "2126-11-27T12:00:00+00:00"}
        return None

    @staticmethod
    def _capture(found: dict[str, Any], asked: dict[str, Any]) -> str | None:
        if found["state"] != "held" or found["token"] == "card-ends" or asked["amount"] > found["amount"] - found["taken"]:
            return "The money is held no longer."
        found["taken"] += asked["amount"]
        return None

    @staticmethod
    def _close(found: dict[str, Any], _: dict[str, Any]) -> None:
        if found["state"] != "pending":
            found |= {"state": "taken" if found["taken"] else "closed", "why": "The payment was closed."}

    @staticmethod
    def _refund(found: dict[str, Any], asked: dict[str, Any]) -> str | None:
        if asked["amount"] > found["taken"] - found["given_back"]:
            return "So much is not left."
        found["given_back"] += asked["amount"]
        return None


@contextmanager
def served() -> Iterator[str]:
    """Till on a free port of this machine."""
    books, lock = Books(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, said = 401, {"why": "Who are you?"}
            if self.headers["authorization"] == f"Bearer {KEY}":
                with lock:
                    asked = json.loads(body) if body else {}
                    status, said = books.call(self.command, self.path, self.headers.get("idempotency-key", ""), asked)
            text = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = _answer  # noqa: N815 - called by these names

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
