"""Which engine for what: a few questions, this machine, what was measured on it, and a ranking that gives its reasons.

    choose({"company": "many"})                    # best first, each a Choice with points and reasons
    runtime_chooser(engines)                       # the questions to click through, for a notebook
    print(runtime_text(choose(answers), answers))  # the same as text

The questions and rules stand in data/runtimes.toml. What an engine cannot do at all bars it; everything else counts points. A
figure that was measured on this machine takes the place of the guess that the course module makes. Taught in notebook 08,
section "Choose".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from labkit.errors import ConfigError
from labkit.paths import read_table
from labkit.widgets.look import Card, escape, page, saved_note

if TYPE_CHECKING:
    from labkit.bench.results import Engine
    from labkit.conformance.results import Result
    from labkit.hardware import Machine

__all__ = [
    "Choice",
    "RuntimeChooser",
    "choose",
    "facts",
    "holds",
    "questions",
    "runtime_chooser",
    "runtime_html",
    "runtime_text",
]

HEAD = {"engine": "13%", "points": "9%", "because": "78%"}  # column: its width


@dataclass(frozen=True)
class Choice:
    """One engine's place: its points, and the reasons, each with what it added. barred: why it is out, or ""."""

    engine: str
    points: float
    reasons: tuple[str, ...]
    barred: str = ""


def questions() -> dict[str, dict]:
    """Return the questions by id, in order: each with `asks` and `answers`, pairs of (id, words)."""
    return {one["id"]: one for one in _table()["question"]}


def facts(machine: Machine | None = None) -> dict[str, str]:
    """Return what the rules want to know of a machine (default: this one): system, chip, gpu.

    Taught in notebook 08, section "Fair".
    """
    from labkit import hardware

    machine = machine or hardware.machine()
    system = machine.os.value.split()[0]
    chip = {"AMD64": "x86_64", "aarch64": "arm64"}.get(machine.architecture.value, machine.architecture.value)
    names = " ".join(gpu.name for gpu in machine.gpus.value).lower()
    gpu = "apple" if (system, chip) == ("Darwin", "arm64") else "none" if not names else "other"
    return {
        "system": system,
        "chip": chip,
        "gpu": "nvidia" if machine.gpus.source.startswith("NVML") and names else gpu,
    }


def choose(
    answers: Mapping[str, str],
    machine: Machine | None = None,
    measured: Sequence[Engine] = (),
    seen: Mapping[str, Result | None] | None = None,
) -> list[Choice]:
    """Return all engines of the course, best first and the barred ones last, each with its reasons.

    answers: question id -> answer id; a question without one has its first. measured: results of labkit.bench, of one
    session; replayed ones are another machine's and are left out. seen: engine -> its conformance result (default: the newest
    that there is). Raises ConfigError for a question or an answer that does not exist.
    """
    from labkit import conformance
    from labkit.backends import BACKENDS

    known = _complete(answers) | facts(machine)
    live = [one for one in measured if not one.replayed]
    seen = {name: conformance.latest(name) for name in BACKENDS} if seen is None else seen
    found = [_choice(name, known, live, seen.get(name)) for name in BACKENDS]
    return sorted(found, key=lambda one: (bool(one.barred), -one.points))


def runtime_text(choices: Sequence[Choice], answers: Mapping[str, str] | None = None) -> str:
    """Return the answers and the ranking as plain text."""
    lines = [] if answers is None else [f"{ask} {words}" for ask, words in _told(answers)] + [""]
    for one in choices:
        lines.append(f"{one.engine:9} {_points(one)}")
        lines += [f"    {reason}" for reason in _because(one)]
    return "\n".join(lines)


def runtime_html(choices: Sequence[Choice]) -> str:
    """Return the ranking as an HTML table, escaped."""
    head = "".join(f'<th scope="col" style="width: {width}">{one}</th>' for one, width in HEAD.items())
    rows = "".join(
        f'<tr><th scope="row">{escape(one.engine)}</th><td>{_points(one)}</td>'
        f"<td>{'<br>'.join(escape(reason) for reason in _because(one))}</td></tr>"
        for one in choices
    )
    return page(f'<table class="labkit-wide"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>')


def runtime_chooser(measured: Sequence[Engine] = (), **answers: str) -> RuntimeChooser:
    """Return the questions as lists, with the ranking below, which follows. Arguments as for `choose`."""
    return RuntimeChooser(measured, answers)


class RuntimeChooser(Card):
    """A list a question and the ranking. `answers` and `choices` are what is picked now.

    Keyboard: Tab goes from list to list, Space opens one, arrows and Enter pick.
    """

    def __init__(self, measured: Sequence[Engine] = (), answers: Mapping[str, str] | None = None):
        import ipywidgets

        from labkit import hardware

        self._measured, self._machine, given = measured, hardware.machine(), _complete(answers or {})
        wide = {"width": "calc(100% - 4px)", "max_width": "620px"}
        self._lists = {
            name: ipywidgets.Dropdown(
                options=[(words, value) for value, words in one["answers"]],
                value=given[name],
                description=one["asks"],
                layout=wide,
                style={"description_width": "270px"},
            ).add_class("labkit-pick")
            for name, one in questions().items()
        }
        self._table = ipywidgets.HTML()
        for one in self._lists.values():
            one.observe(lambda _: self._show(), "value")
        self._show()
        self.view = ipywidgets.VBox([*self._lists.values(), self._table])

    @property
    def answers(self) -> dict[str, str]:
        """What is picked now: question id -> answer id."""
        return {name: one.value for name, one in self._lists.items()}

    @property
    def html(self) -> str:
        """The answers and the ranking, as a page that stands alone."""
        told = "".join(f"<p>{escape(asks)} <b>{escape(words)}</b></p>" for asks, words in _told(self.answers))
        return page(told) + runtime_html(self.choices) + page(saved_note("to choose"), style=False)

    @property
    def text(self) -> str:
        """The answers and the ranking, as plain text."""
        return runtime_text(self.choices, self.answers)

    def _show(self) -> None:
        self.choices = choose(self.answers, self._machine, self._measured)
        self._table.value = runtime_html(self.choices)


# Figure: how to read it off an Engine (None where it is not known), whether more is better, and how to say it.
FIGURES = {
    "throughput_1": (lambda one: _rate(one, 1), True, "{:.0f} tokens/s for one alone"),
    "throughput_16": (lambda one: _rate(one, 16), True, "{:.0f} tokens/s with 16 at once"),
    "first_text": (lambda one: _first_text(one), False, "first text after {:.0f} ms"),
    "start": (lambda one: one.start_seconds and one.start_seconds.median, False, "started in {:.1f} s"),
    "memory": (lambda one: _memory(one), False, "{:.0f} MB of memory"),
}


def _choice(engine: str, known: dict, live: Sequence[Engine], result: Result | None) -> Choice:
    rules = [rule for rule in _table()["rule"] if engine in rule["engines"] and holds(rule["when"], known)]
    barred = [rule["why"] for rule in rules if rule.get("bars")] + _unmet(known, result)
    has_figures = any(one.backend == engine for one in live)
    counted = [rule for rule in rules if not rule.get("bars") and not (rule.get("guess") and has_figures)]
    parts = [(rule["points"], rule["why"] + _said(rule)) for rule in counted] + _shares(engine, known, live)
    reasons = tuple(f"{points:+.1f}  {why}" for points, why in sorted(parts, key=lambda one: -abs(one[0])))
    return Choice(engine, sum(points for points, _ in parts), reasons, " ".join(barred))


def _shares(engine: str, known: dict, live: Sequence[Engine]) -> list[tuple[float, str]]:
    """Return the points that this engine's figures earn beside the best, with the figure in words."""
    parts = []
    for row in _table()["measure"]:
        if not holds(row["when"], known):
            continue
        read, more_is_better, words = FIGURES[row["figure"]]
        values = {one.backend: value for one in live if (value := read(one))}
        if engine in values and len(values) > 1:
            best = max(values.values()) if more_is_better else min(values.values())
            share = values[engine] / best if more_is_better else best / values[engine]
            parts.append((row["points"] * share, f"Measured here: {words.format(values[engine])}."))
    return parts


def _unmet(known: dict, result: Result | None) -> list[str]:
    """Return why the engine's capability matrix bars it; an engine that was never asked is not barred."""
    needs = [row["check"] for row in _table()["need"] if holds(row["when"], known)]
    return [
        f"It cannot do {name}: {result.checks[name].note}" for name in needs if result and not result.checks[name].ok
    ]


def holds(when: Mapping, known: Mapping[str, str]) -> bool:
    """Whether a row of data/runtimes.toml applies: each fact or answer that `when` names has its value, or one of its values."""
    return all(known[name] in (wanted if isinstance(wanted, list) else [wanted]) for name, wanted in when.items())


def _complete(answers: Mapping[str, str]) -> dict[str, str]:
    for name, answer in answers.items():
        allowed = [one for one, _ in questions()[name]["answers"]] if name in questions() else []
        if answer not in allowed:
            why = f"the answers are {', '.join(allowed)}" if allowed else f"the questions are {', '.join(questions())}"
            raise ConfigError(f"{name} = {answer!r} is no answer of the chooser.", why, "labkit backends")
    return {name: one["answers"][0][0] for name, one in questions().items()} | dict(answers)


def _told(answers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the answers as pairs of (question, words)."""
    picked = _complete(answers)
    return [(one["asks"], dict(one["answers"])[picked[name]]) for name, one in questions().items()]


def _points(one: Choice) -> str:
    return "out" if one.barred else f"{one.points:.1f}"


def _because(one: Choice) -> list[str]:
    return [one.barred] if one.barred else list(one.reasons) or ["Nothing speaks for or against it."]


def _said(rule: dict) -> str:
    return " (The course module says so.)" if rule.get("said") == "module" else ""


def _rate(one: Engine, at_once: int) -> float | None:
    return next(
        (x.output_tokens_per_second.median for x in one.levels if x.concurrency == at_once and x.completed), None
    )


def _first_text(one: Engine) -> float | None:
    return next((x.ttft_ms.p50 for x in one.levels if x.concurrency == 1 and x.completed), None)


def _memory(one: Engine) -> float | None:
    most = one.memory_most
    return most and most.bytes / 1e6


@cache
def _table() -> dict[str, list[dict]]:
    return read_table("runtimes.toml")
