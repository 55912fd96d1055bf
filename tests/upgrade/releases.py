"""Releases of the product side by side in one process: each has its own modules, all have the same table."""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from zipfile import ZipFile

from tests.harness.caches import forget

ROOT = Path(__file__).parents[2]
EDITION_ONE = ROOT / "tests" / "data" / "editions" / "1"
SERVICE = "POWERTOOLS_SERVICE_NAME"
FOLDERS = ("functions", "layers/orders/python")


# Edition one's modules stood side by side, some of them under other names.
RENAMED = {
    "identifiers": "ids",
    "unwinding": "lifecycle",
    "commands": "desk",
    "fulfilling": "fulfilment",
    "inbound": "fulfilment_events",
    "queues": "messaging",
    "webhook_sender": "outbound",
}
STORE = "orders.adapters.store."
"""The package of what was one module then."""


@cache
def _package_of(module: str) -> str:
    return module.partition(".")[0]


class Release:
    """One release's code. Its modules are the process's only while it runs: the others find theirs as they left them."""

    def __init__(self, name: str, folder: Path, *, flat: bool = False) -> None:
        self.name = name
        self._flat = flat
        self._paths = [str(folder / path) for path in FOLDERS]
        self._names = {"orders"} | {path.stem for path in (folder / "functions").glob("*.py")}
        self._modules: dict[str, ModuleType] = {}

    def __repr__(self) -> str:
        return self.name

    @contextmanager
    def running(self) -> Iterator[None]:
        """Imports inside find this release's code, those that functions make when they are called too."""
        others = self._taken()
        service = os.environ.get(SERVICE)
        # The name of its loggers, which are the process's: the present release is not to find them made as this one makes them.
        os.environ[SERVICE] = self.name
        sys.modules.update(self._modules)
        sys.path[:0] = self._paths
        try:
            yield
        finally:
            for path in self._paths:
                sys.path.remove(path)
            os.environ.pop(SERVICE)
            if service is not None:
                os.environ[SERVICE] = service
            self._modules = self._taken()
            sys.modules.update(others)

    def _taken(self) -> dict[str, ModuleType]:
        return {name: sys.modules.pop(name) for name in list(sys.modules) if _package_of(name) in self._names}

    def module(self, name: str) -> ModuleType:
        """One of its modules, such as ``orders.adapters.bus``, by the name that the present release has for it."""
        if self._flat:
            last = "store" if name.startswith(STORE) else name.rpartition(".")[2]
            name = f"orders.{RENAMED.get(last, last)}"
        with self.running():
            return importlib.import_module(name)

    def forget(self) -> None:
        """As in a new process: clients, settings and secrets that were kept."""
        forget(*self._modules.values())


class Present(Release):
    """The code that is being worked on, as every other test imports it."""

    def __init__(self) -> None:
        super().__init__("present", ROOT)

    @contextmanager
    def running(self) -> Iterator[None]:
        yield

    def forget(self) -> None:
        self._modules = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in self._names}
        super().forget()


def edition_one(folder: Path) -> Release:
    """The first edition, unpacked into a folder."""
    with ZipFile(EDITION_ONE / "release.zip") as archive:
        archive.extractall(folder)
    return Release("edition-1", folder, flat=True)
