"""That something is still going on, for whoever waits for it."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import TextIO

FIRST, EVERY = 1.5, 10.0
"""Seconds until it is said first, and between the lines that follow: what is done before says nothing."""


@contextmanager
def saying(what: str, stream: TextIO | None = None, first: float = FIRST, every: float = EVERY) -> Iterator[None]:
    """Says what goes on, and for how long it has, for as long as the block takes; to standard error if no stream is given."""
    done, began = Event(), time.monotonic()

    def tell() -> None:
        wait = first
        while not done.wait(wait):
            print(f"{what}: {time.monotonic() - began:.0f} s", file=stream or sys.stderr, flush=True)
            wait = every

    telling = Thread(target=tell, daemon=True)
    telling.start()
    try:
        yield
    finally:
        done.set()
        telling.join()
