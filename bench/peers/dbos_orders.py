"""The order on DBOS with SQLite: a durable workflow of three steps with a sleep before each."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from typing import Any

import uvicorn
from book import STEPS, Book, application
from dbos import DBOS, SetWorkflowID

port, folder, wait = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
book = Book(f"{folder}/orders.sqlite")
# As fast as it goes: DBOS itself leaves SQLite's rollback journal on, which is a tenth of the speed.
with sqlite3.connect(f"{folder}/dbos.sqlite") as database:
    database.execute("PRAGMA journal_mode=WAL")
DBOS(
    config={
        "name": "orders",
        "system_database_url": f"sqlite:///{folder}/dbos.sqlite",
        "run_admin_server": False,
        "log_level": "ERROR",
    }
)


@DBOS.step()
def create(order_id: str, body: str) -> None:
    book.create(order_id, body)


@DBOS.step()
def move(order_id: str, status: str) -> None:
    book.move(order_id, status)


@DBOS.workflow()
def fulfill(order_id: str, body: str) -> None:
    create(order_id, body)
    for _, status in STEPS:
        if wait:
            DBOS.sleep(wait)
        move(order_id, status)


async def place(order_id: str, body: str) -> None:
    await asyncio.to_thread(start, order_id, body)


def start(order_id: str, body: str) -> None:
    with SetWorkflowID(order_id):
        DBOS.start_workflow(fulfill, order_id, body)


async def lifespan_less(scope: Any, receive: Any, send: Any) -> None:
    await application(book, place)(scope, receive, send)


if __name__ == "__main__":
    DBOS.launch()
    uvicorn.run(lifespan_less, port=port, log_level="error", lifespan="off", access_log=False)
