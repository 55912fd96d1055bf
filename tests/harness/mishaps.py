"""A server of which every answer has gone wrong in the same way, whatever it is asked."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType

NO_ANSWER, NOBODY = "no answer", "nobody there"
REFUSAL = "a refusal without words"
_PAGE = b"<html>Bad gateway</html>"
_ANSWERS: Mapping[str, tuple[int, bytes, int]] = MappingProxyType(
    {
        "401": (401, b"{}", 0),
        "500": (500, b"{}", 0),
        "502 of a proxy": (502, _PAGE, 0),
        "504 of a proxy": (504, _PAGE, 0),
        "200 with a page": (200, _PAGE, 0),
        "200 cut short": (200, b'{"id": "1", "sta', 100),
        REFUSAL: (409, b"{}", 0),
    }
)
"""The status, the body, and how many bytes are announced beyond it, by what has gone wrong."""
DECIDES_NOTHING = (NOBODY, NO_ANSWER, *(name for name in _ANSWERS if name != REFUSAL))


class _Handler(BaseHTTPRequestHandler):
    mishap = ""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.close_connection = True
        if self.mishap == NO_ANSWER:
            return
        status, body, more = _ANSWERS[self.mishap]
        self.send_response(status)
        self.send_header("content-length", str(len(body) + more))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - called by these names

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def served(mishap: str) -> Iterator[str]:
    """Its address, on a free port of this machine."""
    handler = type("Handler", (_Handler,), {"mishap": mishap})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    if mishap == NOBODY:
        server.server_close()
        yield url
        return
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
