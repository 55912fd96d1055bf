"""An API that fails as a network does: what the clients' retries are tried with."""

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from orders.web import openapi

EXAMPLES = openapi.document()["components"]["examples"]


@dataclass(frozen=True)
class Request:
    """What a test looks at."""

    line: str
    key: str
    token: str


class FaultyApi:
    """Loses the connection of the first request, and has too many of the second; pages have one order each."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = self.headers
                line = f"{self.command} {self.path}"
                api.requests.append(Request(line, headers.get("idempotency-key", ""), headers.get("authorization", "")))
                response = api.response(line)
                if response is None:
                    self.close_connection = True
                    return
                status, body = response
                sent = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(sent)))
                self.send_header("retry-after", "0")
                self.end_headers()
                self.wfile.write(sent)

            do_GET = do_POST = do_PATCH = _handle  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def response(self, line: str) -> tuple[int, dict[str, Any]] | None:
        """What a request gets; None where its connection is lost."""
        number = len(self.requests)
        if number == 1:
            return None
        if number == 2:
            return 429, {"message": "Too Many Requests"}
        if line.startswith("PATCH"):
            return 503, {"message": "Service Unavailable"}
        if line.startswith("GET"):
            page = EXAMPLES["OrderList"]["value"]
            return 200, {"orders": page["orders"][:1], "next_cursor": None if "cursor" in line else "next"}
        return 202, EXAMPLES["OrderAnswer"]["value"]

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
