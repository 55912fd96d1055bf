"""One way down: what `make lint` keeps is told when it is broken, and drawn in the documentation as it is."""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers/orders/python/orders"
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
ROOMS = ("domain", "adapters", "services", "web")
MOST_FLAT_MODULES = 5
GIVEN = {"now", "random", "today", "urandom", "utcnow", "uuid1", "uuid4"}
"""What the domain is given as an argument: no import tells of these, as their modules hold harmless things too."""

# Each line is planted at the end of its module; together they break every contract there is.
PLANTED = {
    "orders.services.privacy": "from orders.web import views",
    "orders.adapters.bus": "from orders.services import reading",
    "orders.domain.money": "from orders.adapters import queues",
    "orders.domain.order": "from orders import settings",
    "orders.settings": "from orders.adapters import pauses",
    "orders.web.tokens": "from orders.adapters import secret_store",
    "functions.close_order": "from orders.adapters import workflow",
    "orders.domain.scans": "import time",
    "orders.domain.statuses": "import botocore.session",
}


def found_by_lint(root: Path) -> str:
    """What the check says of a copy of the product; nothing when it is content."""
    # Without site (-S), which would put this very product on the path beside its copy.
    command = [sys.executable, "-S", "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"]
    path = os.pathsep.join((str(root / "layers/orders/python"), sysconfig.get_path("purelib")))
    environment = os.environ | {"PYTHONPATH": path, "COLUMNS": "300"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout if done.returncode else ""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "functions", tmp_path / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.relative_to(ROOT), ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_an_import_that_leads_up_or_out_is_told(copy: Path) -> None:
    assert found_by_lint(copy) == ""
    for module, line in PLANTED.items():
        base = copy if module.startswith("functions.") else copy / "layers/orders/python"
        path = base.joinpath(*module.split(".")).with_suffix(".py")
        with path.open("a", encoding="utf-8") as source:
            source.write(f"\n{line}\n")
    told = found_by_lint(copy)
    leading = {module: " -> ".join((module, imported(line))) for module, line in PLANTED.items()}
    assert [edge for edge in leading.values() if edge not in told] == []


def imported(line: str) -> str:
    """The module that an import statement names; of an outside package the package alone, as the check does."""
    (node,) = ast.parse(line).body
    if isinstance(node, ast.ImportFrom):
        return f"{node.module}.{node.names[0].name}"
    assert isinstance(node, ast.Import)
    return node.names[0].name.partition(".")[0]


def test_few_modules_stand_outside_of_the_rooms() -> None:
    assert len([path.name for path in PACKAGE.glob("*.py") if path.name != "__init__.py"]) <= MOST_FLAT_MODULES
    assert {path.name for path in PACKAGE.iterdir() if path.is_dir() and [*path.glob("*.py")]} == set(ROOMS)


def asked_for(source: str) -> set[str]:
    """Which of what it should be given a module takes for itself."""
    nodes = list(ast.walk(ast.parse(source)))
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return (attributes | {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}) & GIVEN


def test_time_ids_and_chance_come_to_the_domain_as_arguments() -> None:
    assert asked_for("from uuid import uuid4\nat = datetime.now(UTC)") == {"uuid4", "now"}
    modules = (PACKAGE / "domain").rglob("*.py")
    assert {path.name: taken for path in modules if (taken := asked_for(path.read_text(encoding="utf-8")))} == {}


def test_the_drawing_of_the_layers_shows_who_imports_whom() -> None:
    graph = grimp.build_graph("orders", "functions")
    imports = {
        (room(importer), room(target))
        for importer in graph.modules
        for target in graph.find_modules_directly_imported_by(importer)
    }
    drawing = ARCHITECTURE.partition("## Layers")[2].partition("```mermaid")[2].partition("```")[0]
    drawn = {
        (upper, lower)
        for upper, targets in re.findall(r"(?m)^ +(\w+)(?:\[[^]]*\])? --> (.+)$", drawing)
        for lower in targets.split(" & ")
    }
    assert drawn == {(upper, lower) for upper, lower in imports if upper != lower}


def room(module: str) -> str:
    """The room of a module in the drawing; the modules that all but the domain may use stand in one."""
    parts = module.split(".")
    first = parts[0] if parts[0] == "functions" else "".join(parts[1:2])
    return "shared" if first in ("logs", "metrics", "settings") else first
