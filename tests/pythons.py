"""Runs tests with every other released Python of this machine from 3.11 on, each in an environment of its own in ``.venvs``.

``python -m tests.pythons ARGUMENT...`` hands its arguments to pytest. It ends with 1 if any of them fails.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
OLDEST = (3, 11)
SENSITIVE = (
    "tests/unit",
    *(f"--ignore=tests/unit/test_{name}.py" for name in ("goods_and_money", "money_races")),
    "tests/local/test_spill.py",
    "tests/local/test_journal.py",
    "tests/local/test_invoke.py",
)
"""What a Python may change: words and defaults of its library, what it warns of, imports; and one stack from start to stop.
Whole histories of orders and money, for thousands of steps, are the same code again."""
BETWEEN = (
    *(f"tests/unit/test_{name}.py" for name in ("bodies", "loading", "logs", "openapi", "tokens", "values", "webhook_sender")),
    "-m",
    "not hypothesis",
)
"""What is tried with a Python that is neither the oldest nor the newest here: what both of them pass it passes too, but for
what was there for a while only."""
QUICKLY = ("--quiet", "--assert=plain", "--hypothesis-profile=few", "-p", "no:xdist", "-p", "tests.backwards")
"""Properties are tried with a few examples, and assertions are not taken apart, as an environment of its own starts without
compiled code: ``make test-pythons`` does both. Backwards, so that no test leans on one before."""
VERSION = "import sys; print(*sys.version_info[:2], sys.version_info.releaselevel)"


NAMED = re.compile(r"3\.(\d+)")


def candidates() -> Iterator[tuple[int, Path]]:
    """What may be a Python, with the minor version of its name: pyenv's, which keeps those it was not told to use off the PATH,
    and what is on the PATH by its version."""
    for python in sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3")):
        if named := NAMED.match(python.parts[-3]):
            yield int(named[1]), python
    for folder in map(Path, os.environ.get("PATH", "").split(os.pathsep)):
        for python in sorted(folder.glob("python3.*")):
            if named := NAMED.fullmatch(python.name.removeprefix("python")):
                yield int(named[1]), python


def version_of(python: Path) -> tuple[int, int] | None:
    """Major and minor version; ``None`` for what does not run (a shim of pyenv's may not) or is no release."""
    asked = subprocess.run([python, "-c", VERSION], capture_output=True, text=True, check=False)
    found = re.fullmatch(r"(\d+) (\d+) final\n", asked.stdout)
    return (int(found[1]), int(found[2])) if found else None


def others() -> dict[tuple[int, int], Path]:
    """One Python of each version that is not this one's; started are those only whose name says that they may be wanted."""
    found: dict[tuple[int, int], Path] = {}
    for minor, python in candidates():
        named = (3, minor)
        if named >= OLDEST and named != sys.version_info[:2] and named not in found and version_of(python) == named:
            found[named] = python
    return dict(sorted(found.items()))


def asked_of(version: tuple[int, int], here: Collection[tuple[int, int]]) -> Sequence[str]:
    """The tests that are run with one of the versions that are here."""
    return SENSITIVE if version in (min(here), max(here)) else BETWEEN


def passes(name: str, python: Path, arguments: Sequence[str], output: IO[str] | None = None) -> bool:
    """Whether the tests pass with it, in an environment made from the lock; what they print goes to ``output``."""
    place = ROOT / ".venvs" / name
    # A worker of pytest's own says so to its children.
    own = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV" and not key.startswith("PYTEST_")}
    settings = {"UV_PROJECT_ENVIRONMENT": str(place), "UV_PYTHON_DOWNLOADS": "never", "UV_SYSTEM_CERTS": "true"}
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        raise FileNotFoundError("there is no uv beside this Python: make setup")
    sync = [uv, "sync", "--frozen", "--quiet", "--python", str(python)]
    return all(
        subprocess.run(command, cwd=ROOT, env=own | settings, stdout=output, stderr=output, check=False).returncode == 0
        for command in (sync, [str(place / "bin" / "pytest"), *arguments])
    )


def main(arguments: list[str]) -> int:
    here = ".".join(map(str, sys.version_info[:2]))
    found = {".".join(map(str, version)): python for version, python in others().items()}
    if not found:
        sys.stdout.write(f"There is no other Python from 3.11 on here: the tests ran with {here} only.\n")
    failed = []
    for name, python in found.items():
        sys.stdout.write(f"With Python {name} ({python}):\n")
        sys.stdout.flush()
        if not passes(name, python, arguments):
            failed.append(name)
    if failed:
        sys.stderr.write(f"It fails with Python {', '.join(failed)}.\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
