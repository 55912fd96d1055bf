"""What every peer's steps write: the order's status and an audit row, in one SQLite transaction. Needs nothing installed."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

STEPS = (("charge", "PROCESSING"), ("ship", "SHIPPED"), ("deliver", "DELIVERED"))


class Book:
    """Orders and their trail."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._here = threading.local()
        self._db().executescript(
            "PRAGMA journal_mode=WAL;"
            "CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, body TEXT, status TEXT, at REAL);"
            "CREATE TABLE IF NOT EXISTS audit (id TEXT, version INTEGER, status TEXT, at REAL, PRIMARY KEY (id, version));"
            "CREATE TABLE IF NOT EXISTS charges (key TEXT PRIMARY KEY, amount INTEGER);"
        )

    def _db(self) -> sqlite3.Connection:
        if not hasattr(self._here, "db"):
            self._here.db = sqlite3.connect(self._path, timeout=30, isolation_level=None)
            self._here.db.execute("PRAGMA synchronous=NORMAL")
        db: sqlite3.Connection = self._here.db
        return db

    def create(self, order_id: str, body: str) -> None:
        self._write(
            order_id,
            "PENDING",
            lambda db: db.execute("INSERT OR IGNORE INTO orders VALUES (?, ?, 'PENDING', ?)", (order_id, body, time.time())),
        )

    def move(self, order_id: str, status: str) -> None:
        """One step: idempotent, as it may be run again."""

        def write(db: sqlite3.Connection) -> None:
            if status == "PROCESSING":
                db.execute("INSERT OR IGNORE INTO charges VALUES (?, 3000)", (f"pay-{order_id}",))
            db.execute("UPDATE orders SET status = ?, at = ? WHERE id = ?", (status, time.time(), order_id))

        self._write(order_id, status, write)

    def _write(self, order_id: str, status: str, write: Callable[[sqlite3.Connection], Any]) -> None:
        version = ("PENDING", "PROCESSING", "SHIPPED", "DELIVERED").index(status) + 1
        db = self._db()
        db.execute("BEGIN IMMEDIATE")
        write(db)
        db.execute("INSERT OR IGNORE INTO audit VALUES (?, ?, ?, ?)", (order_id, version, status, time.time()))
        db.execute("COMMIT")

    def status(self, order_id: str) -> Any:
        row = self._db().execute("SELECT status, at FROM orders WHERE id = ?", (order_id,)).fetchone()
        return {"order_id": order_id, "status": row[0], "at": row[1]} if row else None

    def summary(self, prefix: str) -> Any:
        rows = self._db().execute("SELECT id, status, at FROM orders WHERE id LIKE ?", (f"{prefix}%",))
        return {order_id: [status, at] for order_id, status, at in rows}


def application(book: Book, place: Callable[[str, str], Awaitable[None]]) -> Any:
    """POST /orders, GET /orders/{id}/status, GET /summary/{prefix}: an ASGI application without a framework."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        status, answer = 404, None
        parts = scope["path"].strip("/").split("/")
        if scope["method"] == "POST":
            body = b""
            while True:
                message = await receive()
                body += message.get("body", b"")
                if not message.get("more_body"):
                    break
            order_id = json.loads(body)["order_id"]
            await place(order_id, body.decode())
            status, answer = 202, {"order_id": order_id}
        elif parts[0] == "orders":
            answer = book.status(parts[1])
        elif parts[0] == "summary":
            answer = book.summary(parts[1])
        content = json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send(
            {"type": "http.response.start", "status": status if answer is None or status == 202 else 200, "headers": headers}
        )
        await send({"type": "http.response.body", "body": content})

    return app
