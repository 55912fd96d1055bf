"""Edition one's functions beside today's, in one process and on one table: its archive, loaded under other names.

What its modules import from ``orders`` is theirs, whenever they import it: the archive's texts are compiled with that package
called ``edition_one.orders``. Its functions are named ``edition_one.functions.…``.
"""

from __future__ import annotations

import ast
import importlib
import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any
from zipfile import ZipFile

from simulator.wiring import FIRST_RELEASE

Json = Any

NAME = "edition_one"
FOLDERS = {f"{NAME}.orders": "layers/orders/python/orders", f"{NAME}.functions": "functions"}
SERVICE = "POWERTOOLS_SERVICE_NAME"
"""The name of its loggers, which are the process's: they are not to be those of today's modules."""


class Archive(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds and loads the modules of the archive."""

    def __init__(self) -> None:
        with ZipFile(FIRST_RELEASE) as archive:
            texts = {name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".py")}
        self._texts = {f"{FIRST_RELEASE}/{name}": text for name, text in texts.items()}

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - importlib's own
        target: ModuleType | None = None,  # noqa: ARG002 - as above
    ) -> importlib.machinery.ModuleSpec | None:
        """See ``MetaPathFinder.find_spec``."""
        if fullname.partition(".")[0] != NAME:
            return None
        is_package = self.is_package(fullname)
        if not is_package and not self.get_source(fullname):
            return None
        spec = importlib.machinery.ModuleSpec(fullname, self, origin=self._file(fullname), is_package=is_package)
        spec.has_location = True
        return spec

    def get_source(self, fullname: str) -> str:
        """Its text, as the archive has it."""
        return self._texts.get(self._file(fullname), "")

    def get_code(self, fullname: str) -> Any:
        """Its text, compiled: what it imports from ``orders`` is the archive's."""
        tree = ast.parse(self.get_source(fullname))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "orders":
                node.module = f"{NAME}.{node.module}"
        return compile(tree, self._file(fullname), "exec")

    def is_package(self, fullname: str) -> bool:
        """Whether it holds modules."""
        return fullname in (NAME, *FOLDERS)

    @staticmethod
    def _file(fullname: str) -> str:
        package, _, name = fullname.rpartition(".")
        inside = f"{FOLDERS[fullname]}/__init__.py" if fullname in FOLDERS else f"{FOLDERS.get(package, '')}/{name}.py"
        return f"{FIRST_RELEASE}/{inside}"


@cache
def handlers(modules: frozenset[str]) -> dict[str, Callable[[Json, Json], Json]]:
    """Its handlers by the names of their modules, as many of these as it has."""
    if not any(isinstance(finder, Archive) for finder in sys.meta_path):
        sys.meta_path.append(Archive())
    service = os.environ.get(SERVICE)
    os.environ[SERVICE] = NAME
    try:
        found = [name for name in sorted(modules) if find_spec(f"{NAME}.functions.{name}")]
        return {name: importlib.import_module(f"{NAME}.functions.{name}").handler for name in found}
    finally:
        os.environ.pop(SERVICE)
        if service is not None:
            os.environ[SERVICE] = service


def module(name: str) -> Any:
    """One of its modules, such as ``gateway``."""
    return importlib.import_module(f"{NAME}.orders.{name}")
