"""What labkit's own source says without being imported: which names are public, where they are defined, what is said of them.

A name is public when the `__all__` of its module lists it; in a module without one, its classes and functions whose names begin
with no underscore are. Modules that begin with an underscore, the command (labkit.cli) and the banks of exercises have none.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

Home = tuple[str, str]  # a module, and a name there; "" for the module itself

ROOT = Path(__file__).parent
DEFINES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
NOT_LISTED = re.compile(r"\._|^labkit\.cli\b|^labkit\.exercises\.lesson_\d\d$")


@dataclass(frozen=True)
class Source:
    """A module as read: its dotted name, its tree and lines, and each name at its top level with the statement that binds it."""

    name: str
    tree: ast.Module
    lines: list[str]
    bound: dict[str, ast.stmt]

    @property
    def docstring(self) -> str:
        """The module's docstring, "" if it has none."""
        return ast.get_docstring(self.tree) or ""

    @property
    def public(self) -> list[str]:
        """Its public names."""
        if NOT_LISTED.search(self.name):
            return []
        lists = [node for node in self.tree.body if _is_all(node)]
        listed = [text for node in lists for text in _texts(node.value)] if lists else self._defined()
        return [one for one in listed if not one.startswith("_")]

    def _defined(self) -> list[str]:
        return [name for name, node in self.bound.items() if isinstance(node, DEFINES)]


@cache
def sources() -> dict[str, Source]:
    """Return every module of labkit that can be imported, by its dotted name."""
    files = (file for file in sorted(ROOT.rglob("*.py")) if (file.parent / "__init__.py").is_file())
    return {one.name: one for one in map(_source, files)}


@cache
def late_names() -> dict[str, str]:
    """Return what `import labkit` loads when it is first used: name -> module."""
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    (table,) = (node.value for node in tree.body if "_HOMES" in _bound(node))
    return ast.literal_eval(table)


def home(module: str, name: str) -> Home | None:
    """Return where what `module` calls `name` is defined; None for what is not there.

    What labkit takes from elsewhere and offers as its own is at home where it is offered.
    """
    node = sources()[module].bound.get(name)
    if isinstance(node, ast.ImportFrom) and node.module in sources():
        original = next(one.name for one in node.names if name in (one.asname, one.name))
        if (node.module, original) != (module, name):  # a package may take a module of its own by this statement
            return home(node.module, original)
    elif node is not None:
        return module, name
    if (whole := f"{module}.{name}") in sources():
        return whole, ""
    late = late_names().get(name) if module == "labkit" else None
    return home(late, name) if late else None


def docstring(module: str, name: str) -> str:
    """Return the docstring of a class or function; of a constant, the comment behind it or right above it."""
    source = sources()[module]
    node = source.bound[name]
    if isinstance(node, DEFINES):
        return ast.get_docstring(node) or ""
    behind = source.lines[node.end_lineno - 1].partition("  # ")[2]
    above = source.lines[node.lineno - 2]
    return behind if behind not in ("", "fmt: skip") else above.removeprefix("# ") if above.startswith("# ") else ""


def reached(modules: Iterable[str]) -> set[str]:
    """Return the modules of labkit that `modules` import or start as programs, directly or through others, and themselves."""
    found, todo = set(), set(modules)
    while todo:
        found |= todo
        todo = {needed for one in todo for needed in needs(one)} - found
    return found


@cache
def needs(module: str) -> frozenset[str]:
    """Return the modules that one module's code takes names from, wherever it does, or names in a text to start or load them."""
    found: set[str] = set()
    for node in ast.walk(sources()[module].tree):
        if isinstance(node, ast.ImportFrom):
            taken = node.module if node.module in sources() else _beside(module, node.module or "")
            found |= {
                taken,
                *(where[0] for one in node.names if taken in sources() and (where := home(taken, one.name))),
            }
        elif isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= _loaded(module, node.value)
    return frozenset(found & set(sources()) - {module})


def _loaded(module: str, text: str) -> set[str]:
    """Return what a text may stand for: "worker.py" beside `module`, "labkit.deploy.ray_host", all of "labkit.deploy.edge."."""
    if text.startswith("labkit.") and text.endswith("."):
        return {one for one in sources() if one.startswith(text)}
    return {_beside(module, text.removesuffix(".py")) if text.endswith(".py") else text}


def _beside(module: str, name: str) -> str:
    """Return the dotted name of a neighbour, as a program that is run by its file finds it."""
    folder = module if (ROOT.parent / Path(*module.split("."))).is_dir() else module.rpartition(".")[0]
    return f"{folder}.{name}"


def _source(file: Path) -> Source:
    parts = ["labkit", *file.relative_to(ROOT).with_suffix("").parts]
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    bound = {name: node for node in _top(tree.body) for name in _bound(node)}
    return Source(".".join(parts).removesuffix(".__init__"), tree, text.splitlines(), bound)


def _top(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run at import, those under an `if` or `try` too."""
    for node in body:
        yield node
        for inside in ("body", "orelse", "handlers", "finalbody") if isinstance(node, ast.If | ast.Try) else ():
            yield from _top(getattr(node, inside, []))


def _bound(node: ast.stmt) -> list[str]:
    if isinstance(node, DEFINES):
        return [node.name]
    if isinstance(node, ast.ImportFrom):
        return [one.asname or one.name for one in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    flat = [inside for one in targets for inside in (one.elts if isinstance(one, ast.Tuple) else [one])]
    return [one.id for one in flat if isinstance(one, ast.Name)]


def _is_all(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign | ast.AugAssign) and "__all__" in _bound(node)


def _texts(node: ast.expr) -> list[str]:
    """Return the texts of a list, in which `*_HOMES` stands for the names that `import labkit` loads late."""
    found: list[str] = []
    for one in getattr(node, "elts", []):
        found += [one.value] if isinstance(one, ast.Constant) else late_names()
    return found
