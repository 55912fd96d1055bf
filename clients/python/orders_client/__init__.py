"""A client of the order-fulfillment API.

``api`` has a module for each operation, with ``sync`` and ``asyncio``; ``models`` has what they take and return. Both are
generated from the API's OpenAPI description. ``connect``, ``pages`` and ``verified`` are written by hand.
"""

from orders_client.client import AuthenticatedClient, Client
from orders_client.connection import Refused, connect
from orders_client.paging import pages, pages_async
from orders_client.webhooks import Event, NotVerified, verified

__all__ = ["AuthenticatedClient", "Client", "Event", "NotVerified", "Refused", "connect", "pages", "pages_async", "verified"]
