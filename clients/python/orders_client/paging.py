"""The pages of a list, one after the other."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import ParamSpec, Protocol, TypeVar


class Page(Protocol):
    """A part of a list."""

    next_cursor: str | None


P = ParamSpec("P")
SomePage = TypeVar("SomePage", bound=Page)


def pages(ask: Callable[P, SomePage], *args: P.args, **kwargs: P.kwargs) -> Iterator[SomePage]:
    """All pages of a list: ``pages(list_orders.sync, client=client, status="SHIPPED")``."""
    while True:
        page = ask(*args, **kwargs)
        yield page
        if page.next_cursor is None:
            return
        kwargs["cursor"] = page.next_cursor


async def pages_async(ask: Callable[P, Awaitable[SomePage]], *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[SomePage]:
    """All pages of a list: ``pages_async(list_orders.asyncio, client=client, status="SHIPPED")``."""
    while True:
        page = await ask(*args, **kwargs)
        yield page
        if page.next_cursor is None:
            return
        kwargs["cursor"] = page.next_cursor
