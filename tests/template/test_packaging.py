"""What is built and pinned in more than one place is the same in each."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_makefile_starts_with_the_uv_that_the_lock_names() -> None:
    pinned = next(d for d in PROJECT["dependency-groups"]["dev"] if d.startswith("uv=="))
    assert f"UV_VERSION := {pinned.removeprefix('uv==')}\n" in MAKEFILE


def test_the_lock_takes_everything_from_the_default_index() -> None:
    sources = {str(package["source"]) for package in LOCK["package"] if package["name"] != PROJECT["project"]["name"]}
    assert len(sources) == 1
    assert "registry" in sources.pop()


def test_a_layer_is_built_from_hashes_alone() -> None:
    for requirements in ROOT.glob("layers/*/requirements.txt"):
        text = requirements.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in text.splitlines():
            assert re.match(r"[a-z0-9-]+==\S+ .*--hash=sha256:", line), line


def test_a_layer_is_built_under_the_name_the_template_calls_it_by() -> None:
    makefiles = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("layers/*/Makefile"))
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    declared = re.findall(r"^  (\w+):\n    Type: AWS::Serverless::LayerVersion", template, re.MULTILINE)
    assert sorted(re.findall(r"^build-(\w+):", makefiles, re.MULTILINE)) == sorted(declared)
