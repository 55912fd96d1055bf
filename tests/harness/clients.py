"""The clients' packages, built as `make clients` builds them, and a folder in which somebody uses them."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.harness.documents import ROOT

PACKED = ROOT / "dist/clients"
NODE_PACKAGES = ROOT / ".venv/tools/clients-node/node_modules"

COMMANDS = {
    "python": 'PYTHONPATH="$PACKAGES" exec "$ROOT/.venv/bin/python" "$@"',
    # Nothing is asked of a registry: the named packages are those of the locks, and a file is installed as it is.
    "pip": """shift; for one in "$@"; do case $one in
  *.whl) "$ROOT/.venv/bin/uv" pip install --quiet --offline --no-deps --target "$PACKAGES" "$one" ;;
  *) "$ROOT/.venv/bin/uv" pip show --quiet "$one" ;;
esac; done""",
    "npm": """shift; for one in "$@"; do case $one in
  -*) ;;
  *.tgz) mkdir -p node_modules/orders-client && tar -xzf "$one" -C node_modules/orders-client --strip-components 1 ;;
  *) ls node_modules/$one >/dev/null ;;
esac; done""",
    "npx": 'exec "node_modules/.bin/$1" "${@:2}"',
}
"""What the pages call by these names."""


@cache
def built() -> None:
    """Builds what is not up to date."""
    make = shutil.which("make")
    assert make
    subprocess.run([make, "--silent", "clients"], cwd=ROOT, check=True, capture_output=True)


def has_node() -> bool:
    """Whether the TypeScript client could be built: there is npm, and it could install what generates the client."""
    built()
    return shutil.which("node") is not None and bool(list(PACKED.glob("*.tgz")))


def a_folder(path: Path) -> dict[str, str]:
    """Makes a folder from which the checkout looks like home, and in which packages can be installed; its variables."""
    for one in ROOT.iterdir():
        if one.name not in {"node_modules", "package.json"}:
            (path / one.name).symlink_to(one)
    if NODE_PACKAGES.is_dir():
        (path / "node_modules").mkdir()
        for one in NODE_PACKAGES.iterdir():
            (path / "node_modules" / one.name).symlink_to(one)
    (path / "package.json").write_text('{"type": "module"}')
    commands = path / "commands"
    commands.mkdir()
    for name, text in COMMANDS.items():
        (commands / name).write_text(f"#!/usr/bin/env bash\nset -euo pipefail\n{text}\n")
        (commands / name).chmod(0o755)
    return {"ROOT": str(ROOT), "PACKAGES": str(path / "packages"), "COMMANDS": str(commands)}
