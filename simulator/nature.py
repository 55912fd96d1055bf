"""Time and chance as the product meets them: its modules' ``time``, ``random``, ``os.urandom`` and ``datetime.now``.

``install`` looks through the product's modules by itself, so that none is forgotten: whatever of these a module has imported is
replaced in that module, and nowhere else. JSON is read by the local stack's faster reader, with the same outcome.
"""

from __future__ import annotations

import inspect
import json
import logging
import os
import random
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from types import ModuleType
from typing import Any, Protocol

from local.fastpath import fast_json

PRODUCT = ("orders", "edition_one", "local.step_functions.callbacks", "local.step_functions.templates")
"""Whose modules are meant; those of the local stack make task tokens and ids."""


class Nature(Protocol):
    """What the replacements ask."""

    def clock(self) -> float:
        """The time of the function that is running, in seconds since 1970: it may be wrong."""

    def monotonic(self) -> float:
        """Seconds that nobody can set."""

    def sleep(self, seconds: float) -> None:
        """Lets the others go on until then."""

    def chance(self) -> float:
        """A number from 0 to 1."""

    def bytes(self, count: int) -> bytes:
        """So many bytes of chance."""


_current: list[Nature] = []


class Time:
    """In the place of the module ``time``."""

    def time(self) -> float:
        return _current[-1].clock()

    def monotonic(self) -> float:
        return _current[-1].monotonic()

    def sleep(self, seconds: float) -> None:
        _current[-1].sleep(seconds)


class Random:
    """In the place of the module ``random``."""

    def random(self) -> float:
        return _current[-1].chance()


class Os:
    """In the place of the module ``os``. The environment is as it was when the history began."""

    def __init__(self) -> None:
        self.environ: Mapping[str, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def urandom(self, count: int) -> bytes:
        return _current[-1].bytes(count)


class Uuid:
    """In the place of the module ``uuid``."""

    def uuid4(self) -> uuid.UUID:
        return uuid.UUID(bytes=_current[-1].bytes(16), version=4)


class Now(datetime):
    """In the place of ``datetime``, where a module asks it for the time."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.fromtimestamp(_current[-1].clock(), tz or UTC)


class Json:
    """In the place of the module ``json``."""

    loads = staticmethod(fast_json.loads)
    dumps = staticmethod(json.dumps)

    def __getattr__(self, name: str) -> Any:
        return getattr(json, name)


_os = Os()
_REPLACED: dict[int, Any] = {id(time): Time(), id(random): Random(), id(os): _os, id(uuid): Uuid(), id(json): Json()}
_done: set[str] = set()


def install(nature: Nature) -> None:
    """Lets the product's modules, as many as are loaded, take their time and chance from here."""
    _current[:] = [nature]
    _os.environ = dict(os.environ)
    for name, module in list(sys.modules.items()):
        if name not in _done and name.startswith(PRODUCT) and isinstance(module, ModuleType):
            _done.add(name)
            _replace_in(module)


def _replace_in(module: ModuleType) -> None:
    for name, value in list(vars(module).items()):
        if id(value) in _REPLACED:
            setattr(module, name, _REPLACED[id(value)])
        elif value is datetime and ".now(" in inspect.getsource(module):
            setattr(module, name, Now)


FOR_GOOD = frozenset(
    {
        "orders.adapters.bus",
        "orders.adapters.queues",
        "orders.adapters.store.codec",
        "orders.adapters.store.table",
        "orders.adapters.workflow",
        "orders.domain.personal",
    }
)
"""Modules that keep nothing but clients, which know nothing, and what follows from their code: a new process has the same."""


def forget_settings() -> list[Callable[[], None]]:
    """What empties each thing that the product keeps between invocations, as a new process would begin."""
    loaded = [name for name in sorted(sys.modules) if name.startswith(("orders", "edition_one"))]
    product = [(name, sys.modules[name]) for name in loaded if name not in FOR_GOOD]
    kept = [(name, value) for name, module in product for value in vars(module).values()]
    return [
        value.cache_clear for name, value in kept if getattr(value, "__module__", "") == name and hasattr(value, "cache_clear")
    ]


def quiet() -> None:
    """Turns the product's logs to nowhere: they are written, and nobody pays for it."""
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
    logging.root.handlers[:] = [logging.NullHandler()]
