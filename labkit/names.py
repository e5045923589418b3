"""Every public name of labkit, and the section of a lesson that teaches it.

    find("connect")[0].places          # (Place("00", "The first answer", …),)
    find("labkit.operate.alerts")      # a module: all its names
    stale()                            # [] while every name has a place, and every place is there

A name is public when the `__all__` of its module lists it; in a module without one, its classes and functions whose names begin
with no underscore are. Modules that begin with an underscore, the command (labkit.cli) and the banks of exercises have none.

Where a name is taught stands in its own docstring, else in its module's, else in that of a package above, in one of three ways:

    Taught in notebook 01, sections "Reflex" and "Memory".          a learner meets it, or the idea that it is made of
    At work in notebook 12, section "The edge".                     no lesson speaks of it; that section's result comes of it
    Explained in README.md, section "The command".                  no lesson's code comes to it; what it is for stands there

The first two are checked: a name that lessons use is in the code of a section that is named for it, and the code of that section
imports the module, or starts it, itself or through others.

`labkit names` looks a name up, and the rendered course has a page of them. Explained in README.md, section "The command".
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from labkit import _notebook_names, _source_names, module_map, paths
from labkit._source_names import Home
from labkit.errors import ConfigError
from labkit.module_map import Place

__all__ = ["PublicName", "find", "names", "places_in", "stale", "text", "to_dict"]

# One line: a verb, then one or several notebooks or files, each with one or several sections.
SECTIONS = r'"[^"]+"(?:(?:, and | and |, )"[^"]+")*'
WHERE = rf"(?:notebook (\d\d)|(\w+\.md)), sections? ({SECTIONS})"
BARE = re.sub(r"\((?!\?)", "(?:", WHERE)
LINE = re.compile(rf"(Taught|At work|Explained) in ({BARE}(?:,? and in {BARE})*)\.?")
UNSAID = "Nowhere"


@dataclass(frozen=True)
class PublicName:
    """One public name: `name` is its shortest, `also` are the other ways to it ("labkit.backends.connect"), each a dotted path.

    module: whose source has it. says: the first line of its docstring, or the comment of a constant; "" if it has none.
    how: "Taught", "At work", "Explained" or "Nowhere". places: where. uses: the sections whose own code has the name.
    """

    name: str
    also: tuple[str, ...]
    module: str
    says: str
    how: str
    places: tuple[Place, ...]
    uses: tuple[Place, ...]

    @property
    def last(self) -> str:
        """The name alone: "connect"."""
        return self.name.rpartition(".")[2]

    @property
    def shown(self) -> bool:
        """Whether the code of one of its places has it, or the code above all sections of that lesson."""
        lessons = {place.lesson for place in self.places}
        return any(use in self.places or (not use.section and use.lesson in lessons) for use in self.uses)


def names() -> list[PublicName]:
    """Return every public name, in the order of their dotted paths."""
    ways: dict[Home, list[str]] = {}
    for module, source in _source_names.sources().items():
        for name in source.public:
            ways.setdefault(_source_names.home(module, name) or (module, name), []).append(f"{module}.{name}")
    used = _notebook_names.uses()
    found = [_public(one, sorted(paths, key=len), used.get(one, [])) for one, paths in ways.items()]
    return sorted(found, key=lambda one: one.name)


def find(wanted: str) -> list[PublicName]:
    """Return what is called `wanted`: a dotted path, its end, or all of a module, with or without "labkit.".

    Raises ConfigError, with the nearest names, where there is none.
    """
    known = names()
    whole = wanted if wanted.partition(".")[0] == "labkit" else f"labkit.{wanted}"
    found = [one for one in known if any(_is_called(way, wanted, whole) for way in (one.name, *one.also))]
    if not found:
        _complain(wanted, known)
    return found


def stale() -> list[str]:
    """Return what is wrong, "NAME: why": no place, a place that is not there, or one whose code never comes to the name."""
    wrong = []
    for one in names():
        gone = [place.link for place in one.places if not place.cell]
        wrong += [f"{one.name}: there is no {link}" for link in gone]
        if not one.places:
            wrong.append(f"{one.name}: no section is named for it")
        elif one.uses and not one.shown:
            wrong.append(f"{one.name}: not in {_links(one.places)}, but in {_links(one.uses)}")
        elif one.how != "Explained" and not gone and not any(one.module in _reached(place) for place in one.places):
            wrong.append(f"{one.name}: the code of {_links(one.places)} does not reach {one.module}")
    return wrong


def places_in(docstring: str) -> tuple[str, tuple[Place, ...]]:
    """Return how and where a docstring says that its subject is taught, in its last such line; ("Nowhere", ()) if in none."""
    *_, how, where = UNSAID, "", *(part for said in LINE.findall(" ".join(docstring.split())) for part in said)
    found = re.findall(WHERE, where)
    return how, tuple(
        module_map.place(lesson, section) if lesson else _document(file, section)
        for lesson, file, quoted in found
        for section in re.findall(r'"([^"]+)"', quoted)
    )


def text(found: list[PublicName]) -> str:
    """Return the names for a terminal: a line each, or all that is known if there are few."""
    if len(found) > 12:
        width = max(len(one.name) for one in found)
        return "\n".join(f"{one.name:{width}}  {one.how.lower():9}  {_links(one.places[:1])}" for one in found)
    return "\n\n".join("\n".join(_lines(one)) for one in found)


def to_dict(found: list[PublicName]) -> list[dict]:
    """Return the names as JSON can hold them."""
    return [
        {
            "name": one.name, "also": list(one.also), "module": one.module, "says": one.says, "how": one.how,
            "places": [place.to_dict() for place in one.places], "uses": [place.to_dict() for place in one.uses],
        }
        for one in found
    ]  # fmt: skip


def _lines(one: PublicName) -> Iterator[str]:
    yield one.name + (f"   (also {', '.join(one.also)})" if one.also else "")
    if one.says:
        yield f"  {one.says}"
    yield from (f"  {one.how.lower()} in {place.link}" for place in one.places)
    if one.uses:
        yield f"  used in {_links(one.uses)}"


def _public(one: Home, ways: list[str], uses: list[tuple[str, str]]) -> PublicName:
    docstring = _source_names.docstring(*one)
    how, places = next(filter(lambda said: said[1], map(places_in, _above(one, docstring, ways[0]))), (UNSAID, ()))
    says = LINE.sub("", docstring.partition("\n")[0]).strip()
    return PublicName(
        ways[0], tuple(ways[1:]), one[0], says, how, places, tuple(module_map.place(*use) for use in uses)
    )


def _above(one: Home, docstring: str, way: str) -> Iterator[str]:
    """Yield the docstrings that may say where a name is taught, the nearest first; labkit's own is of no one name."""
    yield docstring
    for path in (one[0], way.rpartition(".")[0]):
        while path.count("."):
            yield _source_names.sources()[path].docstring
            path = path.rpartition(".")[0]


def _is_called(way: str, wanted: str, whole: str) -> bool:
    return way in (wanted, whole) or way.endswith(f".{wanted}") or way.startswith(f"{whole}.")


def _complain(wanted: str, known: list[PublicName]) -> None:
    by_spelling = {spelled: one.name for one in reversed(known) for spelled in (one.last, one.name, *one.also)}
    near = dict.fromkeys(by_spelling[one] for one in difflib.get_close_matches(wanted, by_spelling, 6))
    why = (
        f"did you mean {' or '.join(list(near)[:3])}?" if near else "a name is looked up as in an import, or by its end"
    )
    raise ConfigError(f"labkit has no public name {wanted!r}.", why, f"labkit names {next(iter(near), '')}".rstrip())


def _links(places: tuple[Place, ...]) -> str:
    return ", ".join(place.link for place in places)


@cache
def _reached(place: Place) -> set[str]:
    return _notebook_names.reached_in(place.lesson, place.section)


@cache
def _document(file: str, section: str) -> Place:
    """Return a section of README.md or CONTRIBUTING.md, which an installed labkit does not have: its cell is then 1."""
    there = paths.course_root() / file
    titles = re.findall(r"^##+ (.+?)\s*$", there.read_text(encoding="utf-8"), re.M) if there.is_file() else [section]
    return Place("", section, file, int(section in titles))
