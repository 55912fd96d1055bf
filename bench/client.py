"""A client that costs little beside what it measures: HTTP/1.1 on kept connections, answers read but not parsed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    seconds: float
    sent_at: float

    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """One connection, one request at a time."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(
        self, method: str, path: str, token: str | None = None, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """``headers`` come beside those of the body and the token."""
        own = dict(headers or {}) | ({"authorization": f"Bearer {token}"} if token else {})
        reused = self._streams is not None
        try:
            return await self._call(method, path, own, body)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.close()
            self._streams = None
            if not reused:
                raise
            # The server has closed a connection that rested; a request on it never arrived.
            return await self._call(method, path, own, body)

    async def _call(self, method: str, path: str, headers: Mapping[str, str], body: Any) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nhost: {self._host}:{self._port}\r\ncontent-length: {len(content)}\r\n"
        head += "content-type: application/json\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        sent_at, began = time.time(), time.perf_counter()
        writer.write(head.encode() + b"\r\n" + content)
        raw = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next((int(line[15:]) for line in raw.split("\r\n") if line.startswith("content-length:")), None)
        if length is None and "transfer-encoding: chunked" in raw:
            answer = await _chunks(reader)
        else:
            answer = await reader.readexactly(length or 0)
        return Answer(int(raw.split(" ", 2)[1]), answer, time.perf_counter() - began, sent_at)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    content = bytearray()
    while size := int((await reader.readline()).strip(), 16):
        content += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return bytes(content)


Request = tuple[str, str, str | None, Any]


async def send_all(url: str, requests: Iterable[Request], connections: int = 32) -> list[Answer]:
    """All requests as fast as so many connections take them; answers in the order of the requests."""
    numbered = enumerate(requests)
    answers: dict[int, Answer] = {}

    async def work() -> None:
        connection = Connection(url)
        try:
            for number, (method, path, token, body) in numbered:
                answers[number] = await connection.call(method, path, token, body)
        finally:
            connection.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    return [answers[number] for number in sorted(answers)]


def quantile(values: Sequence[float], share: float) -> float:
    """The value that so large a share lies at or below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1))]
