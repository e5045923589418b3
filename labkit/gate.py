"""The false-green gate: a notebook that ran to its end is not yet a notebook that works.

papermill asks one question, "did a cell's own code raise?". This module asks the others, of what a run left behind:

    source notebook ─┐
    replies          ├─► Evidence ─► judge() ─► [Problem, …]        no problem, no doubt: green
    probe's records  │
    executed notebook┘

A cell tagged `raises-exception` teaches with its failure: what fails in it is fine, and it is red when nothing does.
Warnings that belong to a lesson stand in the notebook's metadata, `{"labkit": {"allowed_warnings": ["regular expression"]}}`;
each is searched for in "Category: message". ReplayWarning is allowed everywhere: only a lesson that asks for a replay gets one,
and LABKIT_REQUIRE forbids it.

Taught in notebook 00, section "Where errors show".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

__all__ = ["KINDS", "Evidence", "Problem", "judge"]

KINDS = {
    "error": "a cell raised an exception, or showed one",
    "widget": "an exception inside a widget's callback or Output area",
    "command": "a !command, %pip or %%sh that failed",
    "thread": "an exception in a thread, or in a pool whose result nobody asked for",
    "task": "an exception in an asyncio task that nobody awaited",
    "coroutine": "a coroutine that was called and never awaited",
    "unraisable": "an exception in a finaliser, where nobody can catch it",
    "early-exit": "the notebook ended itself",
    "kernel-died": "the kernel's process ended",
    "timeout": "a cell took longer than it may",
    "memory": "a process was ended because the run reached its cap on memory",
    "unrun": "a cell was never executed",
    "warning": "a warning that the notebook's metadata does not allow",
    "stale": "the notebook was saved with outputs",
    "did-not-raise": "a cell tagged raises-exception in which nothing failed",
    "gate": "the gate could not do its work",
}
ALLOWED = ("^ReplayWarning: ",)
TAUGHT = {"error", "widget", "command", "thread", "task", "coroutine", "unraisable"}  # what raises-exception excuses


@dataclass(frozen=True)
class Problem:
    """One reason to call a run red.

    `kind` is a key of KINDS, `cell` the cell's place in the notebook (from 1, text cells counted; None: no one cell),
    `message` says what happened, `code` is the cell's first line.
    """

    kind: str
    cell: int | None
    message: str
    code: str = ""

    def __str__(self) -> str:
        where = "" if self.cell is None else f"cell {self.cell}: "
        return f"[{self.kind}] {where}{self.message}" + (f"  <  {self.code}" if self.code else "")

    def to_dict(self) -> dict:
        """Return the fields as JSON can hold them."""
        return asdict(self)


@dataclass
class Evidence:
    """What one run left behind; cells are counted from 0 here, as in `nb.cells`.

    `source` is the notebook as it was saved and `executed` as it came out; `replies` hold the kernel's execute_reply of
    each cell; `records` are the probe's; `stopped` is (kind, cell, message) when the run could not go on; `peak_bytes` is the
    most memory that the kernel and its engines took, `memory_kills` how many of them the system ended for it.
    """

    source: dict
    executed: dict
    replies: dict[int, dict] = field(default_factory=dict)
    records: list[dict] = field(default_factory=list)
    stopped: tuple[str, int, str] | None = None
    peak_bytes: int = 0
    memory_kills: int = 0


def judge(evidence: Evidence) -> list[Problem]:
    """Return every reason to distrust the run, in the order of the cells; an empty list is green."""
    failures = [*_raised(evidence), *_recorded(evidence), *_in_widgets(evidence)]
    tagged = {i for i, cell in _code_cells(evidence) if "raises-exception" in _tags(cell)}
    found = [
        *_stale(evidence),
        *_stops(evidence),
        *((kind, i, text) for kind, i, text in failures if i not in tagged),
        *_unrun(evidence),
        *_warned(evidence),
        *_too_quiet(evidence, tagged - {i for _, i, _ in failures}),
        *_starved(evidence),
        *_blind(evidence),
    ]
    ordered = sorted(dict.fromkeys(found), key=lambda it: (it[1] is None, it[1] or 0))
    return [_problem(evidence, *it) for it in ordered]


def _problem(evidence: Evidence, kind: str, i: int | None, text: str) -> Problem:
    if i is None:
        return Problem(kind, None, text)
    return Problem(kind, i + 1, text, evidence.source["cells"][i]["source"].strip().split("\n")[0][:80])


Found = tuple[str, "int | None", str]  # kind, cell from 0, message


def _stale(evidence: Evidence) -> Iterator[Found]:
    for i, cell in _code_cells(evidence):
        if cell.get("outputs") or cell.get("execution_count") is not None:
            yield "stale", i, "saved with outputs of an earlier run"
    if "widgets" in evidence.source["metadata"]:
        yield "stale", None, "saved with the widgets of an earlier run"


def _stops(evidence: Evidence) -> Iterator[Found]:
    """The end before the end; what comes after it is counted, not listed."""
    at = _end(evidence)
    left = sum(i > at for i, _ in _code_cells(evidence))
    after = f"; {left} cell{'s' * (left != 1)} after it never ran" if left else ""
    reply = evidence.replies.get(at, {})
    if _asked_to_exit(reply):
        yield "early-exit", at, f"exit or quit ended the kernel{after}"
    elif reply.get("ename") == "SystemExit" and "raises-exception" not in _tags(evidence.source["cells"][at]):
        yield "early-exit", at, f"SystemExit ended the notebook{after}"
    elif evidence.stopped:
        kind, i, text = evidence.stopped
        yield kind, i, text + after


def _end(evidence: Evidence) -> int:
    """Return the last cell that could run: the one that stopped the notebook, else the last of all."""
    for i, reply in evidence.replies.items():
        if _asked_to_exit(reply) or _failed(evidence, i):
            return i
    return evidence.stopped[1] if evidence.stopped else len(evidence.source["cells"])


def _raised(evidence: Evidence) -> Iterator[Found]:
    """Exceptions that the cell's reply or its outputs tell of."""
    for i, reply in evidence.replies.items():
        if reply.get("status") == "error" and (reply["ename"] != "SystemExit" or not _failed(evidence, i)):
            yield "error", i, _line(reply)
    for i, cell in enumerate(evidence.executed["cells"]):
        for output in cell.get("outputs", []):
            if output["output_type"] == "error" and output["ename"] != "SystemExit":
                yield "error", i, _line(output)


def _recorded(evidence: Evidence) -> Iterator[Found]:
    """Failures that only the probe saw."""
    told = {(i, text) for _, i, text in _raised(evidence)}
    for it in evidence.records:
        kind, i = it["kind"], _cell(evidence, it)
        if kind == "shown" and it.get("ename") not in (None, "SystemExit") and (i, _line(it)) not in told:
            yield "widget", i, f"{_line(it)}, shown inside a widget only"
        elif kind == "command":
            why = f" ({_line(it)})" if "ename" in it else ""
            yield "command", i, f"`{it['text'].strip()}` ended with exit status {it['status']}{why}"
        elif kind == "thread":
            yield "thread", i, f"{_line(it)}, in {it['text']}"
        elif kind == "task":
            yield "task", i, f"{_line(it)}, in a task that nobody awaited" if "ename" in it else it["text"]
        elif kind == "coroutine":
            yield "coroutine", i, f"{it['text']} was called and never awaited"
        elif kind == "unraisable":
            yield "unraisable", i, f"{_line(it)}, in a finaliser"


def _in_widgets(evidence: Evidence) -> Iterator[Found]:
    """Exceptions that stand in an Output widget's state, unless a record has told of them already."""
    told = {_line(it) for it in evidence.records if it["kind"] == "shown" and "ename" in it}
    views = evidence.executed["metadata"].get("widgets", {})
    for widget in views.get("application/vnd.jupyter.widget-state+json", {}).get("state", {}).values():
        for output in widget["state"].get("outputs", []):
            if output.get("output_type") == "error" and _line(output) not in told:
                yield "widget", None, f"{_line(output)}, in the state of an Output widget"


def _unrun(evidence: Evidence) -> Iterator[Found]:
    end = _end(evidence)
    cells = [(i, cell) for i, cell in _code_cells(evidence) if i < end]
    for i, cell in cells:
        if evidence.executed["cells"][i].get("execution_count") is None:
            skipped = " (tagged skip-execution)" if "skip-execution" in _tags(cell) else ""
            yield "unrun", i, f"never executed{skipped}"
    if not any(True for _ in _code_cells(evidence)):
        yield "unrun", None, "the notebook holds no code to run"


def _warned(evidence: Evidence) -> Iterator[Found]:
    own = evidence.source["metadata"].get("labkit", {}).get("allowed_warnings", [])
    try:
        patterns = [re.compile(pattern) for pattern in [*ALLOWED, *own]]
    except re.error as error:
        yield "gate", None, f"allowed_warnings holds {error.pattern!r}, which is no regular expression: {error.msg}"
        return
    for it in (it for it in evidence.records if it["kind"] == "warning"):
        i = _cell(evidence, it)
        leaving = evidence.replies.get(i, {}).get("ename") == "SystemExit"  # IPython warns of that itself
        if not leaving and not any(pattern.search(f"{it['ename']}: {it['evalue']}") for pattern in patterns):
            yield "warning", i, _line(it)


def _too_quiet(evidence: Evidence, cells: set[int]) -> Iterator[Found]:
    for i in cells & evidence.replies.keys():
        yield "did-not-raise", i, "tagged raises-exception, and nothing failed in it"


def _starved(evidence: Evidence) -> Iterator[Found]:
    """An engine that the system ended for its memory may be started again by the lesson, and nobody would know."""
    if evidence.memory_kills:
        yield "memory", None, f"processes ended because the memory allowed was used up: {evidence.memory_kills}"


def _blind(evidence: Evidence) -> Iterator[Found]:
    """The probe says when it begins and when it is through; silence is not proof of health."""
    said = {it["kind"] for it in evidence.records}
    if not evidence.stopped and not {"start", "end"} <= said:
        yield "gate", None, "the probe in the kernel did not report, so hidden failures would go unseen"


def _code_cells(evidence: Evidence) -> Iterator[tuple[int, dict]]:
    """Yield (place from 0, cell) of the cells that hold something to run."""
    for i, cell in enumerate(evidence.source["cells"]):
        if cell["cell_type"] == "code" and cell["source"].strip():
            yield i, cell


def _failed(evidence: Evidence, i: int) -> bool:
    """Whether this cell's own exception stopped the notebook."""
    return evidence.replies[i].get("status") == "error" and "raises-exception" not in _tags(evidence.source["cells"][i])


def _asked_to_exit(reply: dict) -> bool:
    return any(it.get("source") == "ask_exit" for it in reply.get("payload", []))


def _cell(evidence: Evidence, record: dict) -> int | None:
    """Return which cell a record's execution count belongs to."""
    counts = {cell.get("execution_count"): i for i, cell in enumerate(evidence.executed["cells"])}
    return counts.get(record["cell"])


def _tags(cell: dict) -> list[str]:
    return cell["metadata"].get("tags", [])


def _line(error: dict) -> str:
    """Return "ValueError: the first line of its message"."""
    return f"{error['ename']}: {error['evalue']}".split("\n")[0].removesuffix(": ")
