"""Verdicts, sessions, and the look-up of exercises; the pieces have their tests in tests/exercises/."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import bank_audit
import pytest
from example_bank import EXERCISES, FILES

import labkit.exercises
import labkit.paths
from labkit.errors import CourseError, EngineDied, UnknownExercise
from labkit.exercises import Answers, Session, Wrong, cases, exercise, require, show, wrong
from labkit.exercises.banks import bank, find, lessons, rows

THREADS, THERMOSTAT, VACUUM = EXERCISES


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    return tmp_path


def checking(check, **changes):
    return replace(THERMOSTAT, check=check, **changes)


def test_three_verdicts_and_their_truth():
    verdicts = [THREADS.judge(threads, 4) for threads in (..., 4, 3)]
    assert [verdict.status for verdict in verdicts] == ["not attempted", "wrong", "right"]
    assert [bool(verdict) for verdict in verdicts] == [False, False, True]


def test_wrong_says_because_expected_and_where_to_look():
    assert str(THREADS.judge(4, 4)) == (
        "Wrong, because with all 4 cores busy, nothing is left for the notebook itself.\n"
        "  Expected: a whole number from 1 to one less than `cores`\n"
        "  Look at: the section “What runs here”"
    )


def test_right_says_why_it_matters():
    assert str(THREADS.judge(3, 4)) == f"Right. {THREADS.why}"


def test_not_attempted_says_what_is_blank_and_repeats_the_task():
    assert str(THREADS.judge(None, 4)) == f"Not attempted yet. `threads` is still blank.\n  Task: {THREADS.task}"


def test_a_checker_may_say_what_it_expected_and_where_to_look():
    def check(answer):
        wrong("no.", expected="this", look="that")

    assert str(checking(check).judge(1)) == "Wrong, because no.\n  Expected: this\n  Look at: that"


def test_a_learners_value_reaches_the_page_as_text():
    def check(answer):
        require(False, f"you gave {answer}.")

    page = checking(check).judge("<img src=x onerror=alert(1)>")._repr_markdown_()
    assert "<img" not in page
    assert "&#60;img" in page


class Trap:
    """A value that raises wherever it is touched."""

    def __eq__(self, other):
        raise ValueError("do not compare me")

    def __repr__(self):
        raise ValueError("do not show me")


@pytest.mark.parametrize("check", [lambda answer: answer == 1, lambda answer: require(False, f"{answer!r}")])
def test_values_that_raise_when_touched_are_wrong(check):
    assert "ValueError" in str(checking(check).judge(Trap()))


def test_show_survives_a_value_that_cannot_be_shown():
    assert "Trap" in show(Trap())


def test_an_endless_loop_is_wrong_and_quotes_its_line():
    source = "def thermostat(t):\n    while True:\n        t += 1\n"
    text = str(bank_audit.verdict(replace(THERMOSTAT, seconds=0.2), source))
    assert "because it was still running after 0.2 s at line" in text
    assert "Look at: line " in text


def test_cases_compare_floats_with_care_and_name_the_call():
    def check(half):
        cases(half, [(1, 0.5), (0.6, 0.3)], "that is not half")

    assert checking(check).judge(lambda x: (x + 1e-16) / 2)
    text = str(checking(check).judge(lambda x: x))
    assert "that is not half: `<lambda>(1)` returned `1`, not `0.5`." in text


def test_a_broken_engine_is_not_the_learners_fault():
    def check(answer):
        raise EngineDied("the engine died", "no memory", "labkit doctor")

    with pytest.raises(EngineDied, match="the engine died"):
        checking(check).judge(1)


@pytest.mark.parametrize(
    ("values", "named"), [((), {}), ((3,), {}), ((3, 4, 5), {}), ((3,), {"cpus": 4}), ((3, 4), {"threads": 3})]
)
def test_too_few_or_too_many_values_are_an_error_with_the_call_to_make(values, named):
    with pytest.raises(CourseError) as caught:
        THREADS.judge(*values, **named)
    assert caught.value.fix == "ex.check(threads, cores)"


def test_values_may_be_named():
    assert THREADS.judge(cores=4, threads=3)


def test_an_exercise_may_say_itself_what_is_blank():
    def blank(answer):
        return answer == "?"

    def check(answer):
        require(answer is None, "it is something.")

    own = checking(check, blank=blank)
    assert [own.judge(value).status for value in ("?", 1, None)] == ["not attempted", "wrong", "right"]


def test_a_session_records_what_happens(home):
    session = Session(THREADS)
    session.check(4, 4)
    session.hint()
    session.solution()
    session.check(3, 4)
    entry = json.loads((home / "progress.json").read_text())["exercises"]["99.1"]
    assert (entry["status"], entry["checks"], entry["hints"], entry["solution"]) == ("right", 2, 1, True)


def test_hints_come_one_by_one_and_the_last_says_so():
    session = Session(THREADS)
    assert [str(session.hint()) for _ in range(3)] == [
        "Hint 1 of 2. Who else needs a core?",
        *["Hint 2 of 2. One less than all of them. This was the last one; `solution()` shows an answer."] * 2,
    ]


def test_the_solution_is_code():
    assert "```python\nthreads = cores - 1\n```" in Session(THREADS).solution().markdown()


def test_a_session_shows_its_task_when_asked():
    assert repr(Session(THERMOSTAT)).startswith("Exercise 99.2, A thermostat. Write `thermostat(temperature)`")


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Two banks only, lessons 42 and 60, with the example's three exercises each."""
    folder = tmp_path / "exercises"
    folder.mkdir()
    for lesson in ("42", "60"):
        for file in FILES:
            shutil.copy(file, folder / f"{lesson}{file.suffixes[0]}.toml")
        (tmp_path / f"lesson_{lesson}.py").write_text("from example_bank import *\n")
    (folder / "4.toml").write_text("not an exercise")
    monkeypatch.setattr(labkit.exercises, "__path__", [str(tmp_path)])
    monkeypatch.setattr(labkit.paths, "data_dir", lambda: tmp_path)
    yield folder
    for lesson in ("42", "60"):
        sys.modules.pop(f"labkit.exercises.lesson_{lesson}", None)
    exercise.cache_clear()


def test_banks_are_found_by_name(shelf):
    assert lessons() == ["42", "60"]
    assert [one.id for one in bank("42")] == ["42.1", "42.2", "42.3"]
    assert find("42.2").title == "A thermostat"


def test_the_tenth_comes_after_the_ninth(shelf):
    for number in range(4, 12):
        shutil.copy(FILES[0], shelf / f"42.{number}.toml")
    assert [row["id"] for row in rows("42")] == [f"42.{number}" for number in range(1, 12)]


def test_a_text_may_be_wrapped_in_its_file(shelf):
    file = shelf / "60.1.toml"
    text = file.read_text(encoding="utf-8")
    wrapped = text.replace('["Who else needs a core?"', '["""\nWho else\nneeds a core?\n"""')
    wrapped = wrapped.replace('title = "Leave a core free"', 'title = """\nLeave a core\n  free"""')
    assert wrapped.count("\n") == text.count("\n") + 5
    file.write_text(wrapped, encoding="utf-8")
    assert (find("60.1").title, find("60.1").hints) == ("Leave a core free", THREADS.hints)


def test_rows_load_no_checker(shelf):
    assert rows("60")[1]["title"] == "A thermostat"
    assert "labkit.exercises.lesson_60" not in sys.modules


def test_a_kernel_has_one_session_an_exercise(shelf):
    assert exercise("42.1") is exercise("42.1")
    assert exercise("42.1") is not exercise("42.2")


@pytest.mark.parametrize(("wanted", "near"), [("42.11", "42.1"), ("4.2", "42.2"), (42.3, "42.3"), ("422", "42.2")])
def test_an_unknown_exercise_names_the_nearest(shelf, wanted, near):
    with pytest.raises(UnknownExercise) as caught:
        exercise(wanted)
    assert caught.value.fix == f'exercise("{near}")'
    assert f"did you mean {near}?" in caught.value.why


def test_a_wrong_number_lists_its_own_lesson_only(shelf):
    with pytest.raises(UnknownExercise) as caught:
        exercise("42.9")
    assert caught.value.why.endswith("There are: 42.1, 42.2, 42.3")


@pytest.mark.parametrize("wanted", ["", "../x", "nothing like it", None])
def test_an_unknown_exercise_far_from_all_lists_what_there_is(shelf, wanted):
    with pytest.raises(UnknownExercise) as caught:
        exercise(wanted)
    assert "42.1, 42.2, 42.3" in caught.value.why


def test_importing_it_loads_nothing_heavy():
    heavy = {"IPython", "openai", "plotly", "agent_framework", "xllamacpp", "ipywidgets", "numpy"}
    code = f"import sys, labkit.exercises; print({heavy!r} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


BROKEN = {
    "no TOML": ("title =", "title", "at line 1"),
    "a missing part": ('why = "llama', 'reason = "llama', "why is missing; reason means nothing here"),
    "a number for a text": ('setup = "cores = 4"', "setup = 4", "setup is no text"),
    "a text for a list": (
        'blank = ["threads = ...", "threads = None"]',
        'blank = "threads"',
        "blank is no list of texts",
    ),
    "an answer without its misconception": ("misconception", "mistake", "wrong is no list of tables of code, expect"),
    "no such checker": ("check_threads", "check_thread", "has no function check_thread"),
    "whole seconds": ("check =", "seconds = 3\ncheck =", "seconds is no number with a point"),
}


@pytest.mark.parametrize(("old", "new", "why"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_says_what_is_wrong_with_it(shelf, old, new, why):
    file = shelf / "42.1.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CourseError) as caught:
        bank("42")
    assert "data/exercises/42.1.toml" in caught.value.what
    assert why in caught.value.why
    assert find("42.2").title == "A thermostat"  # the others are as good as before


# The proof of banks must itself be able to fail.

SPOILT = {
    "no hint": {"hints": []},
    "no reason why": {"why": " "},
    "no expectation": {"expects": ""},
    "a wrong solution": {"solution": "threads = cores"},
    "no stub": {"answers": replace(THREADS.answers, blank=[])},
    "one wrong answer": {"answers": replace(THREADS.answers, wrong=THREADS.answers.wrong[:1])},
    "no right answer": {"answers": replace(THREADS.answers, right=[])},
    "a stub that is right": {"answers": replace(THREADS.answers, blank=["threads = 3"])},
    "a right answer that is wrong": {"answers": replace(THREADS.answers, right=["threads = 4"])},
    "another message": {"answers": replace(THREADS.answers, wrong=[Wrong("threads = 4", "nothing here", "x")] * 2)},
    "an answer without the name": {"answers": Answers(blank=["x = ..."], wrong=[], right=["x = 3"])},
}


@pytest.mark.parametrize("change", SPOILT.values(), ids=SPOILT)
def test_the_audit_sees(change):
    try:
        faults = bank_audit.exercise_faults(replace(THREADS, **change))
    except CourseError as error:
        faults = [str(error)]
    assert faults


@pytest.mark.parametrize("ids", [[], ["99.1", "99.1"], ["99.2"], ["00.1"], ["99.1", "99.3"]])
def test_the_audit_sees_ids_out_of_order(ids):
    assert bank_audit.bank_faults("99", [replace(THREADS, id=one) for one in ids])


def test_the_audit_sees_a_line_that_no_answer_needs():
    answers = replace(THREADS.answers, wrong=THREADS.answers.wrong[1:])
    faults = bank_audit.idle_lines(replace(THREADS, answers=answers))
    assert len(faults) == 1
    assert "isinstance" in faults[0]


CELLS = [
    ("markdown", "# Start\n\n## What runs here\nText."),
    ("code", "from labkit import exercise\n%matplotlib inline"),
    ("code", 'ex = exercise("99.1")\nthreads = ...   # yours\n'),
    ("code", "ex.check(threads, cores)"),
]


def notebook(folder, cells):
    path = folder / "99_try.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": kind, "source": text} for kind, text in cells]}))
    return path


def test_the_audit_accepts_a_notebook_that_has_it_all(tmp_path):
    assert bank_audit.notebook_faults(THREADS, notebook(tmp_path, CELLS)) == []


@pytest.mark.parametrize(
    ("at", "text", "missing"),
    [
        (0, "# Start\n\nWhat runs here", "heading"),
        (2, 'ex = exercise("99.2")\nthreads = ...', "exercise("),
        (2, 'ex = exercise("99.1")\nthreads = 3', "stub"),
        (3, "threads", "check"),
    ],
)
def test_the_audit_sees_what_a_notebook_lacks(tmp_path, at, text, missing):
    cells = [*CELLS[:at], (CELLS[at][0], text), *CELLS[at + 1 :]]
    faults = bank_audit.notebook_faults(THREADS, notebook(tmp_path, cells))
    assert faults
    assert all(missing in fault or "check" in fault for fault in faults)
