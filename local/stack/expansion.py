"""The template expanded, once for all starts between which nothing changes that it depends on."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from local.common import NotReady
from local.stack.settings import ROOT

_EXPAND = """
import json, sys
from local.stack.template import TemplateInvalid, expand
try:
    json.dump(expand(sys.argv[1], json.loads(sys.argv[2])), sys.stdout)
except TemplateInvalid as invalid:
    print(invalid, file=sys.stderr)
    sys.exit(%d)
"""
INVALID = 3
"""How the process ends when the template or a parameter is one that cannot be deployed."""


EXPANDS = [Path(__file__).with_name(name) for name in ("template.py", "parameters.py")]
"""Not imported here: see ``Expansion``."""
KEPT = ROOT / ".cache" / "expanded"
MOST_KEPT = 64


def place_of(template: Path, parameters: Mapping[str, str], *, released: bool = False) -> Path:
    """Where the expanded template is kept; another place as soon as anything that it is made from is another."""
    text = template.read_bytes()
    definitions = [template.parent / name.decode() for name in re.findall(rb"DefinitionUri: *(\S+)", text)]
    made_from = [text, *(path.read_bytes() for path in definitions if path.exists()), *(path.read_bytes() for path in EXPANDS)]
    key = hashlib.sha256(repr((sorted(parameters.items()), released, version("aws-sam-translator"))).encode())
    for part in made_from:
        key.update(hashlib.sha256(part).digest())
    return KEPT / f"{key.hexdigest()}.json"


def kept(place: Path) -> str | None:
    """What is kept there."""
    try:
        return place.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def keep(place: Path, text: str) -> None:
    """Puts it there in one piece, as others may look for it at this moment; the oldest of too many go."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", encoding="utf-8", dir=place.parent, prefix=".", delete=False) as file:
        file.write(text)
    Path(file.name).replace(place)
    for old in sorted(place.parent.glob("*.json"), key=_written)[:-MOST_KEPT]:
        old.unlink(missing_ok=True)


def _written(path: Path) -> float:
    """When; another process may have removed it just now."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


_OF_THIS_START = re.compile(r"^http://127\.0\.0\.1:\d+")
"""Addresses: each start has other ports."""
NO_PORT = 70_000
"""The first of the numbers that stand in for ports: none of them is one."""


def stand_ins(parameters: Mapping[str, str]) -> dict[str, str]:
    """What the parameters are expanded with that are another at each start; they are put in afterwards."""
    own = sorted(name for name, value in parameters.items() if _OF_THIS_START.match(value))
    return {name: _OF_THIS_START.sub(f"http://127.0.0.1:{NO_PORT + place}", parameters[name]) for place, name in enumerate(own)}


class Expansion:
    """Runs while this process loads the engine: the translator takes a second, and 35 MB that would never be given back."""

    def __init__(self, template: Path, parameters: Mapping[str, str]) -> None:
        self._parameters, self._stand_ins = parameters, stand_ins(parameters)
        general = {**parameters, **self._stand_ins}
        self._place = place_of(template, general) if template.exists() else None
        self._known = kept(self._place) if self._place else None
        self._process: subprocess.Popen[str] | None = None
        if self._known is None:
            command = [sys.executable, "-c", _EXPAND % INVALID, str(template), json.dumps(general)]
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def result(self) -> dict[str, Any]:
        if self._process:
            output, errors = self._process.communicate()
            if self._process.returncode == INVALID:
                raise NotReady(errors.strip())
            if self._process.returncode:
                raise NotReady(f"the template could not be expanded: {errors.strip()}")
            if self._place:
                keep(self._place, output)
            self._known = output
        text = self._known or "null"
        for name, stand_in in self._stand_ins.items():
            text = text.replace(stand_in, json.dumps(self._parameters[name])[1:-1])
        expanded: dict[str, Any] = json.loads(text)
        return expanded

    def abandon(self) -> None:
        """Ends the process, if it still runs."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
