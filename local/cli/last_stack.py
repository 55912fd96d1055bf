"""Where the stack that was started last is: commands without ``--url`` speak to it, and shells read its tokens from a file."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_state_path

DIRECTORY = "orders"
ANNOUNCED, VARIABLES = ".json", ".env"


@dataclass(frozen=True, slots=True)
class Announced:
    """A stack that has announced itself in ``file``: ``variables`` is the file of its tokens, ``since`` is in nanoseconds."""

    file: Path
    url: str
    pid: int
    since: int

    @property
    def variables(self) -> Path:
        return self.file.with_suffix(VARIABLES)

    def remove(self) -> None:
        self.variables.unlink(missing_ok=True)
        self.file.unlink(missing_ok=True)


def _directory() -> Path:
    return user_state_path(DIRECTORY, appauthor=False)


def announce(url: str, port: int, variables: Mapping[str, str]) -> Path:
    """Says that this process runs the stack at ``url``, and writes its variables, of which some are credentials.

    Removes what ended processes have left.

    Returns:
        The file of the variables, which a shell can read.
    """
    directory = _directory()
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for found in _announced():
        if not _runs(found.pid):
            found.remove()
    file = directory / f"{port}{ANNOUNCED}"
    _write(file, json.dumps({"url": url, "pid": os.getpid(), "since": time.time_ns()}))
    path = file.with_suffix(VARIABLES)
    _write(path, "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()))
    return path


def withdraw() -> None:
    """Removes what this process has announced."""
    for found in _announced():
        if found.pid == os.getpid():
            found.remove()


def url() -> str | None:
    """The URL of the stack that was started last, of those whose processes run."""
    running = [found for found in _announced() if _runs(found.pid)]
    return max(running, key=lambda found: found.since).url if running else None


def _write(path: Path, text: str) -> None:
    """Writes the file in one step: a command that reads it meanwhile finds all of it, or what was there before."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)


def _announced() -> Iterator[Announced]:
    """All that is announced, but for what another version of this module has written."""
    for path in sorted(_directory().glob(f"*{ANNOUNCED}")):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            yield Announced(path, str(found["url"]), int(found["pid"]), int(found["since"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            continue


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
