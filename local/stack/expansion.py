"""The template expanded in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.common import NotReady
from local.stack.settings import ROOT

_EXPAND = """
import json, sys
from local.stack.template import TemplateInvalid, expand
try:
    json.dump(expand(sys.argv[1], json.loads(sys.argv[2])), sys.stdout)
except TemplateInvalid as invalid:
    sys.exit(str(invalid))
"""


class Expansion:
    """Runs while this process loads the engine: the translator takes a second, and 35 MB that would never be given back."""

    def __init__(self, template: Path, parameters: Mapping[str, str]) -> None:
        command = [sys.executable, "-c", _EXPAND, str(template), json.dumps(parameters)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def result(self) -> dict[str, Any]:
        output, errors = self._process.communicate()
        if self._process.returncode:
            raise NotReady(f"the template could not be expanded: {errors.strip()}")
        expanded: dict[str, Any] = json.loads(output)
        return expanded

    def abandon(self) -> None:
        """Ends the process, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
