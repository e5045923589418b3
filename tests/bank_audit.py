"""Prove an exercise bank: each function returns what is wrong with it, as sentences; none means that it is sound."""

import ast
import inspect
import json
import linecache
import re
import textwrap
from dataclasses import replace
from pathlib import Path

from labkit.exercises import Exercise, Verdict, requirements
from labkit.exercises.core import NOT_ATTEMPTED, RIGHT, WRONG

WORDS = ["title", "task", "section", "expects", "solution", "why"]
SAYS_WRONG = requirements.__all__


def bank_faults(lesson: str, exercises: list[Exercise]) -> list[str]:
    """Ids: there are some, unique, numbered from 1, of this lesson."""
    ids = [exercise.id for exercise in exercises]
    wanted = [f"{lesson}.{number}" for number in range(1, len(ids) + 1)]
    return [] if ids and ids == wanted else [f"the ids are {ids}, not {wanted}"]


def exercise_faults(exercise: Exercise) -> list[str]:
    """Every part is there, and every answer gets its verdict."""
    return [*_missing(exercise), *_misjudged(exercise)]


def idle_lines(exercise: Exercise) -> list[str]:
    """Lines of the checker that could be deleted without any answer of the bank noticing."""
    idle = []
    for line, checker in _without_one_line(exercise.check):
        if not exercise_faults(replace(exercise, check=checker)):
            idle.append(f"no wrong answer needs this line of the checker: {line}")
    return idle


def notebook_faults(exercise: Exercise, notebook: Path) -> list[str]:
    """The notebook teaches it (section), offers it (call), ships the stub, and checks it there or in the next cell."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    prose = "\n".join(_source(cell) for cell in cells if cell["cell_type"] == "markdown")
    code = [_source(cell) for cell in cells if cell["cell_type"] == "code"]
    stubs = [at for at, source in enumerate(code) if _contains(source, exercise.answers.blank[0])]
    found = {
        f"the heading {exercise.section!r}": exercise.section in re.findall(r"^#+ +(.+?) *$", prose, re.M),
        f'exercise("{exercise.id}")': any(re.search(rf"exercise\(.{re.escape(exercise.id)}.\)", s) for s in code),
        "the stub, answers.blank[0]": stubs,
        "`.check(` with the stub or in the cell after": any(".check(" in "".join(code[at : at + 2]) for at in stubs),
    }
    return [f"{notebook.name} lacks {what}" for what, is_there in found.items() if not is_there]


def verdict(exercise: Exercise, source: str) -> Verdict:
    """Judge one answer, given as source code, in a namespace of its own that looks like a notebook's."""
    space = {"__name__": "__main__"}
    for filename, text in [("<setup>", exercise.answers.setup), ("<answer>", source)]:
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        exec(compile(text, filename, "exec", dont_inherit=True), space)
    return exercise.judge(**{name: space[name] for name in exercise.names if name in space})


def _missing(exercise: Exercise) -> list[str]:
    answers = exercise.answers
    counts = {"hints": 1, "blank": 1, "wrong": 2, "right": 1}
    have = {"hints": exercise.hints, "blank": answers.blank, "wrong": answers.wrong, "right": answers.right}
    few = [f"{exercise.id}: {len(have[k])} {k}, at least {n} wanted" for k, n in counts.items() if len(have[k]) < n]
    hollow = [wrong for wrong in answers.wrong if not wrong.expect.strip() or not wrong.misconception.strip()]
    empty = [name for name in WORDS if not getattr(exercise, name).strip()]
    return (
        few
        + [f"{exercise.id}: no {name}" for name in empty]
        + [f"{exercise.id}: nothing to expect: {w}" for w in hollow]
    )


def _misjudged(exercise: Exercise) -> list[str]:
    answers = exercise.answers
    wanted = [(source, NOT_ATTEMPTED, "") for source in answers.blank]
    wanted += [(wrong.code, WRONG, wrong.expect) for wrong in answers.wrong]
    wanted += [(source, RIGHT, exercise.why) for source in [*answers.right, exercise.solution]]
    faults = []
    for source, status, expect in wanted:
        got = verdict(exercise, source)
        if got.status != status or expect not in str(got):
            faults.append(f"{exercise.id}: wanted {status} “{expect}”, got {got.status} “{got}” for:\n{source}")
    return faults


def _without_one_line(check):
    """Yield (source line, checker without it) for each statement of the checker that can say "wrong"."""
    source = textwrap.dedent(inspect.getsource(check))
    for nth, victim in enumerate(_sayings(ast.parse(source))):
        tree = ast.parse(source)
        _blank_out(tree, _sayings(tree)[nth])
        space = dict(check.__globals__)
        exec(compile(ast.fix_missing_locations(tree), "<checker>", "exec", dont_inherit=True), space)
        yield ast.unparse(victim), space[check.__name__]


def _sayings(tree: ast.AST) -> list[ast.Expr]:
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Call)]
    return [n for n in calls if isinstance(n.value.func, ast.Name) and n.value.func.id in SAYS_WRONG]


def _blank_out(tree: ast.AST, victim: ast.Expr) -> None:
    for node in ast.walk(tree):
        for name, body in ast.iter_fields(node):
            if isinstance(body, list) and victim in body:
                setattr(node, name, [ast.Pass() if statement is victim else statement for statement in body])


def _source(cell: dict) -> str:
    return "".join(cell["source"])


def _contains(source: str, stub: str) -> bool:
    """Whether a cell has the stub's statements in a row; comments and layout don't matter."""
    try:
        cell = [ast.dump(node) for node in ast.parse(source).body]
    except SyntaxError:  # a cell of magics
        return False
    wanted = [ast.dump(node) for node in ast.parse(stub).body]
    return any(cell[at : at + len(wanted)] == wanted for at in range(len(cell)))
