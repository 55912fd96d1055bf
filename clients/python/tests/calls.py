"""What tests/e2e/test_documents.py tries retries, paging and webhooks with: `calls.py URL [async]`, requests on its input."""

import asyncio
import json
import sys

from first_order import ORDER
from orders_client import Refused, connect, pages, pages_async
from orders_client.api.orders import change_details, list_orders, place_order
from orders_client.models import PatchOrder
from shop_hooks import receive


def token() -> str:
    """A token that may be another one at each call."""
    return "token-1"


def call(url: str) -> None:
    """All calls."""
    with connect(url, token, backoff=0.01) as client:
        print(place_order.sync(client=client, body=ORDER).order.order_id)
        place_order.sync(client=client, body=ORDER, idempotency_key="cart-1")
        try:
            change_details.sync("order-1", client=client, body=PatchOrder(note="By hand"))
        except Refused as refusal:
            print(refusal.status, refusal.code)
        found = [order for page in pages(list_orders.sync, client=client, limit=1) for order in page.orders]
        print(len(found), "orders")


async def call_async(url: str) -> None:
    """All calls."""
    async with connect(url, token, backoff=0.01) as client:
        print((await place_order.asyncio(client=client, body=ORDER)).order.order_id)
        await place_order.asyncio(client=client, body=ORDER, idempotency_key="cart-1")
        try:
            await change_details.asyncio("order-1", client=client, body=PatchOrder(note="By hand"))
        except Refused as refusal:
            print(refusal.status, refusal.code)
        found = [order async for page in pages_async(list_orders.asyncio, client=client, limit=1) for order in page.orders]
        print(len(found), "orders")


if sys.argv[2:] == ["async"]:
    asyncio.run(call_async(sys.argv[1]))
else:
    call(sys.argv[1])
for one in json.load(sys.stdin):
    print(receive(one["body"].encode(), one["headers"]))
