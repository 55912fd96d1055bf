"""What is built for Lambda, as `sam build` builds it, and what Lambda brings along itself: its emulator and its runtime."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.rivals import UV, NotHere
from local.stack.settings import ROOT

MACHINE = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
PLATFORM = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}[MACHINE]
LAYERS = {"orders": "OrdersLayer", "identity": "IdentityLayer", "stripe": "StripeLayer"}


@dataclass(frozen=True)
class Artifacts:
    """Where everything lies; ``layers`` has each layer's packages by its name in the template."""

    functions: Path
    layers: Mapping[str, Path]
    sam: Path
    emulator: Path
    runtime: Path


def build(scratch: Path, python: str, interpreter: Path) -> Artifacts:
    """Builds all of it into an empty folder, for this machine's processor and a Python such as ``3.13``.

    ``interpreter`` is that Python: it compiles the layer's modules.

    Raises:
        NotHere: what the locks name cannot be fetched.
    """
    for tool in ("sam", "runtime"):
        _fetch(scratch / tool, ROOT / f"tools/{tool}.txt", python)
    _make(ROOT / "functions", "build-PlaceOrderFunction", scratch / "functions", python, interpreter)
    for name, target in LAYERS.items():
        _make(ROOT / "layers" / name, f"build-{target}", scratch / name, python, interpreter)
    return Artifacts(
        scratch / "functions",
        {target: scratch / name / "python" for name, target in LAYERS.items()},
        scratch / "sam",
        scratch / "sam" / "samcli/local/rapid" / f"aws-lambda-rie-{MACHINE}",
        scratch / "runtime",
    )


def _fetch(target: Path, lock: Path, python: str) -> None:
    wanted = ["--python-version", python, "--only-binary", ":all:", "--require-hashes", "--requirement", str(lock)]
    command = [str(UV), "pip", "install", "--quiet", "--target", str(target), *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1]
        raise NotHere(f"what {lock.name} names cannot be had here, and with it Lambda's emulator: {reason}")


def _make(folder: Path, target: str, artifacts: Path, python: str, interpreter: Path) -> None:
    path = os.pathsep.join([str(UV.parent), str(interpreter.parent), os.environ["PATH"]])
    variables = [f"ARTIFACTS_DIR={artifacts}", f"PYTHON_VERSION={python}", f"PYTHON_PLATFORM={PLATFORM}"]
    artifacts.mkdir()
    command = [shutil.which("make") or "make", "--silent", "-C", str(folder), target, *variables]
    subprocess.run(command, env={**os.environ, "PATH": path}, check=True)
