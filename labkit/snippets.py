"""A part of labkit as a package of your own: the modules, all that they import, the tables they read, and a test.

    snippets()["guard"].write(Path("my-project"), "guard")     # my-project/guard/…, test_guard.py, requirements.txt

What is copied is found by reading the imports, so a snippet is always as new as labkit itself. The copy imports nothing of labkit.
`labkit snippet` does this from the command line.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import ast
import keyword
import re
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions, requires, version
from pathlib import Path

from labkit import disk, paths
from labkit.errors import ConfigError, NoSuchSnippet

__all__ = ["Snippet", "snippet", "snippets"]

SOURCE = Path(__file__).parent
INSIDE = "_course/data"  # where paths.data_dir() looks first, so a copied package carries its own tables


@dataclass(frozen=True)
class Snippet:
    """One row of data/snippets.toml. modules: where reading begins. leave: modules not copied; `without`: what is then missing."""

    name: str
    title: str
    modules: tuple[str, ...]
    taught: str
    data: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()
    without: str = ""

    def parts(self) -> list[str]:
        """Return the names of all modules that are copied, sorted."""
        return sorted(_closure(self.modules, self.leave))

    def lines(self) -> int:
        """Return how many lines of Python that is."""
        return sum(len(_file(one).read_text(encoding="utf-8").splitlines()) for one in self.parts())

    def requires(self) -> list[str]:
        """Return what has to be installed, as lines for requirements.txt: labkit's own bounds."""
        wanted = {name for one in self.parts() for name in _imports(one)[1]}
        known = packages_distributions()
        names = {known[name][0] for name in wanted - set(sys.stdlib_module_names) if name in known}
        return sorted(line for line in _bounds() if _name(line) in {_name(one) for one in names})

    def write(self, folder: Path, package: str = "") -> list[Path]:
        """Copy it into `folder` as `package` (default: its name); return the files. Nothing that exists is overwritten.

        Raises ConfigError for a name that is none, or for a file that is there already.
        """
        package = package or self.name
        if not package.isidentifier() or keyword.iskeyword(package) or package in sys.stdlib_module_names | {"labkit"}:
            fix = f"labkit snippet {self.name} --package my_name"
            raise ConfigError(f"{package!r} cannot be the name of a package.", "it is taken, or no identifier", fix)
        files = {**self._sources(package), **self._tables(package), **self._beside(package)}
        if there := sorted(str(one) for one in files if (folder / one).exists()):
            fix = f"labkit snippet {self.name} --to another-folder"
            raise ConfigError(f"{folder / there[0]} exists.", "nothing is overwritten", fix)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            with disk.placed(folder / name) as file:
                file.write(content)
        return [folder / name for name in files]

    def _sources(self, package: str) -> dict[Path, bytes]:
        made = {}
        for one in self.parts():
            place = Path(package, *_file(one).relative_to(SOURCE).parts)
            made[place] = _renamed(_file(one).read_text(encoding="utf-8"), package).encode()
        for folder in {parent for place in made for parent in place.parents if parent != Path(".")}:
            made.setdefault(folder / "__init__.py", b"")
        return made

    def _tables(self, package: str) -> dict[Path, bytes]:
        root = paths.data_dir()
        return {Path(package, INSIDE, one): (root / one).read_bytes() for one in self.data}

    def _beside(self, package: str) -> dict[Path, bytes]:
        test = (paths.data_dir() / "snippets" / f"{self.name}.py").read_text(encoding="utf-8")
        release = version("labkit")
        note = f"# {self.title}.\n# From labkit {release}, Apache-2.0; taught in notebook {self.taught}.\n"
        note += f"# Not here: {self.without}.\n" if self.without else ""
        return {
            Path(f"test_{package}.py"): _renamed(test, package).encode(),
            Path(f"requirements-{package}.txt"): (note + "\n".join([*self.requires(), "pytest"]) + "\n").encode(),
        }


@cache
def snippets() -> dict[str, Snippet]:
    """Return what can be lifted out, by name."""
    rows = paths.read_table("snippets.toml")
    listed = ("modules", "data", "leave")
    return {
        name: Snippet(name, **{key: tuple(value) if key in listed else value for key, value in row.items()})
        for name, row in rows.items()
    }


def snippet(name: str) -> Snippet:
    """Return one of them. Raises NoSuchSnippet."""
    if name not in snippets():
        raise NoSuchSnippet(f"There is no snippet {name!r}.", f"there are {', '.join(snippets())}", "labkit snippet")
    return snippets()[name]


def _closure(modules: tuple[str, ...], leave: tuple[str, ...]) -> set[str]:
    found, open_ = set(), list(modules)
    while open_:
        one = open_.pop()
        if one not in found and one not in leave:
            found.add(one)
            open_ += _imports(one)[0]
    return found


@cache
def _imports(module: str) -> tuple[frozenset[str], frozenset[str]]:
    """The modules of labkit that a module imports, also inside functions, and the packages of others."""
    tree = ast.parse(_file(module).read_text(encoding="utf-8"))
    own, others = set(), set()
    for node in _run(tree):
        for name in _named(node):
            (own if name.split(".")[0] == "labkit" else others).add(name)
    return frozenset(map(_module, own)), frozenset(name.split(".")[0] for name in others)


def _run(node: ast.AST):
    """Every import below `node` that is ever executed."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _run(child)


def _named(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [one.name for one in node.names]
    return [f"{node.module}.{one.name}" for one in node.names]


def _module(dotted: str) -> str:
    """The module that a dotted name is, or is in."""
    return dotted if _file(dotted).is_file() else dotted.rpartition(".")[0]


def _file(module: str) -> Path:
    place = SOURCE.joinpath(*module.split(".")[1:])
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _renamed(text: str, package: str) -> str:
    """`labkit` as the name of a package becomes `package`: in imports, and where docstrings and messages name a module."""
    text = re.sub(r"(?m)^(\s*)import labkit$", rf"\1import {package}", text)
    return re.sub(r"\blabkit(?=\.[a-z_])|(?<=\bfrom )labkit(?= import)", package, text)


def _bounds() -> list[str]:
    """labkit's own requirements, without those of its extras."""
    return [line for line in requires("labkit") or () if "extra ==" not in line]


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower().replace("_", "-")
