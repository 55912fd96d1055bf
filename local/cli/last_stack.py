"""Where the stack that was started last is: commands without ``--url`` speak to it, and shells read its tokens from a file."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_state_path

DIRECTORY = "orders"
LATEST, VARIABLES = "stack.json", "{port}.env"


@dataclass(frozen=True, slots=True)
class Announced:
    """A running stack: ``variables`` is the file of its tokens."""

    url: str
    pid: int
    variables: Path


def _directory() -> Path:
    return user_state_path(DIRECTORY, appauthor=False)


def announce(url: str, port: int, variables: Mapping[str, str]) -> Path:
    """Says that this process runs the stack at ``url``, and writes its variables, of which some are credentials.

    Returns:
        The file of the variables, which a shell can read.
    """
    directory = _directory()
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / VARIABLES.format(port=port)
    _write(path, "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()))
    _write(directory / LATEST, json.dumps({"url": url, "pid": os.getpid(), "variables": str(path)}))
    return path


def withdraw() -> None:
    """Removes what this process has announced, unless a later stack has announced itself."""
    latest = _directory() / LATEST
    found = _read(latest)
    if found and found.pid == os.getpid():
        latest.unlink(missing_ok=True)
        found.variables.unlink(missing_ok=True)


def url() -> str | None:
    """The URL of the stack that was started last, while its process runs."""
    found = _read(_directory() / LATEST)
    return found.url if found and _runs(found.pid) else None


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _read(path: Path) -> Announced | None:
    """What was announced; nothing where there is no such file, or another version of this module has written it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Announced(str(found["url"]), int(found["pid"]), Path(found["variables"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
