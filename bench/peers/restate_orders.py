"""The order on Restate: a workflow whose steps run in a service beside the server; placed through the server's ingress."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

import restate
from book import STEPS, Book, application
from hypercorn.asyncio import serve
from hypercorn.config import Config

port, folder, wait = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
service_port = port + 1
book = Book(f"{folder}/orders.sqlite")
orders = restate.Workflow("orders")


@orders.main()
async def run(context: restate.WorkflowContext, wish: dict[str, str]) -> None:
    order_id = context.key()
    await context.run("create", lambda: book.create(order_id, str(wish)))
    for name, status in STEPS:
        if wait:
            await context.sleep(timedelta(seconds=wait))
        await context.run(name, lambda status=status: book.move(order_id, status))


async def main() -> None:
    service, status = Config(), Config()
    service.bind, status.bind = [f"127.0.0.1:{service_port}"], [f"127.0.0.1:{port}"]

    async def place(order_id: str, body: str) -> None:
        raise NotImplementedError("orders are placed through the ingress")

    await asyncio.gather(serve(restate.app([orders]), service), serve(application(book, place), status))


if __name__ == "__main__":
    asyncio.run(main())
