"""Which of our errors a handler can raise, read from its code: what a machine's Retry and Catch are checked against.

Calls are followed by name from ``handler`` on. A method is followed into every class that has one of its name; where that
class is a ``Protocol``, what its docstring says under ``Raises:`` counts, as a real provider may raise what the built-in
simulation never does. So the answer may hold an error too many, and none too few.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from orders.domain import errors, steps

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "functions"
PACKAGE = ROOT / "layers" / "orders" / "python" / "orders"
ERRORS = (errors.__name__, steps.__name__)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Raises:
    """Names of our errors: those that pass by themselves, and those that stay a no."""

    passing: frozenset[str]
    refusals: frozenset[str]


@dataclass
class Module:
    """What stands on a module's top level, and where its names come from."""

    functions: dict[str, Function] = field(default_factory=dict)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    names: dict[str, tuple[str, str | None]] = field(default_factory=dict)


@cache
def is_ours(name: str) -> bool:
    """Whether it is the name of one of our errors."""
    return errors.named(name) is not None


def is_passing(name: str) -> bool:
    """Whether it is one of our errors that pass by themselves."""
    found = errors.named(name)
    return found is not None and issubclass(found, errors.TransientError)


@cache
def raised_by(function: str) -> Raises:
    """What the handler in ``functions/<function>.py`` can raise."""
    seen: set[int] = set()
    found: set[str] = set()
    waiting = [(function, node) for node in _modules()[function].functions.values()]
    while waiting:
        module, node = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            made, called = _called(module, node)
            found |= _documented(node) | made
            waiting.extend(called)
    return Raises(frozenset(filter(is_passing, found)), frozenset(name for name in found if not is_passing(name)))


@cache
def _called(module: str, node: Function) -> tuple[set[str], list[tuple[str, Function]]]:
    """The errors that the code makes, and what it reaches next. A field that is read is no call."""
    parts, made, reached = _parts(node), set[str](), list[tuple[str, Function]]()
    called = {id(inner.func) for inner in parts if isinstance(inner, ast.Call)}
    for inner in parts:
        if isinstance(inner, ast.Call):
            made |= _made(module, inner.func)
        if isinstance(inner, ast.Name):
            reached += _behind_name(module, inner.id)
        elif isinstance(inner, ast.Attribute) and (id(inner) in called or inner.attr not in _fields()):
            reached += _behind_attribute(module, inner)
    return made, reached


def _parts(node: Function) -> list[ast.AST]:
    return list(ast.walk(node))


def _made(module: str, called: ast.expr) -> set[str]:
    """The error a call makes: ``OutOfStock(…)``, ``errors.OutOfStock(…)`` or ``InvalidArgument.of(…)``."""
    names = [part.id for part in ast.walk(called) if isinstance(part, ast.Name)]
    names += [part.attr for part in ast.walk(called) if isinstance(part, ast.Attribute)]
    known = _modules()[module].names
    return {name for name in names if is_ours(name) and (name not in known or known[name][0] in ERRORS)}


def _behind_name(module: str, name: str) -> Iterator[tuple[str, Function]]:
    """The function of this name, through whatever modules hand it on."""
    here = _modules().get(module, Module())
    if name in here.functions:
        yield module, here.functions[name]
    elif name in here.names:
        source, original = here.names[name]
        if original:
            yield from _behind_name(source, original)


def _behind_attribute(module: str, node: ast.Attribute) -> Iterator[tuple[str, Function]]:
    source = _modules()[module].names.get(node.value.id) if isinstance(node.value, ast.Name) else None
    if source and source[1] is None:
        yield from _behind_name(source[0], node.attr)
        return
    yield from _methods().get(node.attr, ())


def _documented(node: Function) -> set[str]:
    """What a method of a Protocol says that whoever implements it may raise."""
    if id(node) not in _promised():
        return set()
    _, _, section = (ast.get_docstring(node) or "").partition("Raises:")
    return {name for name in re.findall(r"[A-Z]\w+", section) if is_ours(name)}


@cache
def _methods() -> dict[str, list[tuple[str, Function]]]:
    """All classes' methods by their names, each with its module."""
    found: dict[str, list[tuple[str, Function]]] = {}
    for name, module in _modules().items():
        for part in (part for owner in module.classes.values() for part in owner.body if isinstance(part, Function)):
            found.setdefault(part.name, []).append((name, part))
    return found


@cache
def _promised() -> frozenset[int]:
    return frozenset(
        id(part)
        for module in _modules().values()
        for owner in module.classes.values()
        if any(isinstance(base, ast.Name) and base.id == "Protocol" for base in owner.bases)
        for part in owner.body
    )


@cache
def _fields() -> frozenset[str]:
    return frozenset(
        part.target.id
        for module in _modules().values()
        for owner in module.classes.values()
        for part in owner.body
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
    )


@cache
def _modules() -> dict[str, Module]:
    handlers = {path.stem: path for path in FUNCTIONS.glob("*.py")}
    return {name: _read(path) for name, path in (handlers | _package()).items()}


@cache
def _package() -> dict[str, Path]:
    """The product's modules by their dotted names."""
    names = {path: path.relative_to(PACKAGE.parent).with_suffix("").parts for path in PACKAGE.rglob("*.py")}
    return {".".join(parts).removesuffix(".__init__"): path for path, parts in names.items()}


def _read(path: Path) -> Module:
    module = Module()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, Function):
            module.functions[node.name] = node
        elif isinstance(node, ast.ClassDef):
            module.classes[node.name] = node
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                dotted = f"{node.module}.{alias.name}"
                whole = dotted in _package()
                module.names[alias.asname or alias.name] = (dotted, None) if whole else (node.module, alias.name)
    return module
