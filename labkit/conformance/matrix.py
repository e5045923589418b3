"""The capability matrix: engines by checks, as measured; each "no" with what was seen and why.

    matrix()                     # in a notebook: a table
    print(matrix("ollama"))      # the same as text

Taught in notebook 08, section "The same answers, the same features".
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from labkit.backends import BACKENDS, available, known_backend
from labkit.conformance.results import Result, expected, latest
from labkit.conformance.table import CHECKS

__all__ = ["Matrix", "matrix"]

WORDS = {True: "yes", False: "no", None: "—"}
WIDTH = 100


def matrix(*engines: str) -> Matrix:
    """Return what is known of these engines (default: all), each from its newest result. Raises UnknownBackend."""
    return Matrix({name: latest(name) for name in map(known_backend, engines or BACKENDS)})


@dataclass(frozen=True)
class Matrix:
    """Engines by checks; `results` maps an engine to its newest Result, or to None if it was never measured."""

    results: dict[str, Result | None]

    def cell(self, engine: str, check: str) -> str:
        """Return "yes", "no", "—" (could not be told), or "" for an engine that was never measured."""
        result = self.results[engine]
        return WORDS[result.checks[check].ok] if result else ""

    def to_dict(self) -> dict:
        """Return a JSON-ready dict: {engine: its result and where it comes from, or how to get the engine}."""
        return {name: _engine_dict(name, result) for name, result in self.results.items()}

    def __str__(self) -> str:
        return "\n".join([*self._grid(), "", *self._sources(), "", *self._notes()])

    def _repr_markdown_(self) -> str:
        names = list(self.results)
        rows = [f"| check | {' | '.join(names)} |", f"| --- |{' --- |' * len(names)}"]
        for check in CHECKS:
            cells = " | ".join(self.cell(name, check.name) for name in names)
            rows.append(f"| {check.title}: {check.proves} | {cells} |")
        sources = [f"- {line}" for name in names for line in [_source(name, self.results[name])]]
        notes = [f"- **{name}, {title}**: {_escaped(text)}" for name, title, text in self._noes()]
        return "\n".join([*rows, "", *sources, "", *notes])

    def _grid(self) -> list[str]:
        widths = {name: max(len(name), 4) for name in self.results}
        lines = [f"{'':24}{'  '.join(f'{name:{width}}' for name, width in widths.items())}".rstrip()]
        for check in CHECKS:
            cells = "  ".join(f"{self.cell(name, check.name):{width}}" for name, width in widths.items())
            lines.append(f"{check.title:24}{cells}".rstrip())
        return lines

    def _sources(self) -> list[str]:
        return [line for name, result in self.results.items() for line in _wrapped(_source(name, result), "")]

    def _notes(self) -> list[str]:
        lines = []
        for name, title, text in self._noes():
            lines += _wrapped(f"{name}, {title}: {text}", "  ")
        return lines

    def _noes(self) -> list[tuple[str, str, str]]:
        """Return (engine, check's title, what was seen and why) for each cell that is more than a plain yes."""
        found = []
        for name, result in self.results.items():
            why = expected(name)
            for check in CHECKS if result else ():
                seen = result.checks[check.name]
                if check.telling or not seen.ok:
                    found.append(
                        (name, check.title, " ".join([f"{seen.note.rstrip('.')}.", why.get(check.name, "")]).strip())
                    )
        return found


def _engine_dict(name: str, result: Result | None) -> dict:
    if result is None:
        return {"engine": name, "measured": False, "how": _how(name)}
    why = expected(name)
    checks = {
        key: {"ok": one.ok, "note": one.note, **({"why": why[key]} if key in why and not one.ok else {})}
        for key, one in result.checks.items()
    }
    return {
        **result.to_dict(),
        "measured": True,
        "here": result.here,
        "source": _source(name, result),
        "checks": checks,
    }


def _source(name: str, result: Result | None) -> str:
    """Say in one sentence where a column comes from."""
    if result is None:
        return f"{name}: never measured. {_how(name)}"
    where = "measured here" if result.here else "measured on another machine"
    return f"{name} {result.engine_version}, {result.model}: {where} on {result.measured_on}, {result.machine}"


def _how(name: str) -> str:
    here = available()[name]
    return f"Measure it: labkit backends {name} --measure" if here else f"Not here ({here.why}). Get it: {here.fix}"


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
