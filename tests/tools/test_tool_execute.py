"""A call is executed once, in time, with a result of bearable size; what goes wrong is a typed error in words."""

import asyncio
import threading
import time

import pytest

from labkit.errors import BadCall, CourseError, ToolFailed, ToolTimeout, UnfinishedCall
from labkit.tools import Ledger, as_tool
from labkit.tools.execute import shown


def add(a: int, b: int = 1) -> int:
    """Add."""
    return a + b


def test_a_call_gives_its_value_and_its_text():
    result = Ledger().run(as_tool(add), {"a": 2})
    assert (result.ok, result.value, result.text, result.error) == (True, 3, "3", None)


def test_a_ledger_keeps_nothing_of_what_is_finished():
    ledger = Ledger()
    assert all(ledger.run(as_tool(add), {"a": number}).ok for number in range(20))
    assert ledger.begun == {}


def test_what_does_not_fit_is_never_executed():
    called = []

    def note(a: int) -> None:
        called.append(a)

    for arguments in ({}, {"a": "1"}, {"a": 1, "b": 2}, {"a": True}):
        result = Ledger().run(as_tool(note), arguments)
        assert not result.ok and isinstance(result.error, BadCall)
    assert not called


def test_what_a_tool_raises_becomes_words():
    def broken() -> None:
        raise ZeroDivisionError("by zero")

    def refuses() -> None:
        raise CourseError("The shop has no order '9'.", "not in our records", "")

    result = Ledger().run(as_tool(broken), {})
    assert isinstance(result.error, ToolFailed) and "ZeroDivisionError: by zero" in result.text
    assert "The shop has no order '9'." in Ledger().run(as_tool(refuses), {}).text

    def leaves() -> None:
        raise SystemExit(3)

    assert isinstance(Ledger().run(as_tool(leaves), {}).error, ToolFailed)


def test_a_tool_that_hangs_is_left_and_never_repeated():
    release, started = threading.Event(), []

    def hang(n: int) -> str:
        started.append(n)
        release.wait(20)
        return "late"

    ledger, tool = Ledger(seconds=0.2), as_tool(hang)
    assert isinstance(ledger.run(tool, {"n": 1}).error, ToolTimeout)
    again = ledger.run(tool, {"n": 1})
    assert isinstance(again.error, UnfinishedCall) and "not repeated" in again.text
    assert started == [1] and ledger.unfinished() == ['hang({"n": 1})']
    release.set()
    for _ in range(100):
        if not ledger.unfinished():
            break
        time.sleep(0.05)
    assert ledger.run(tool, {"n": 1}).ok, "it has ended since, so it may be called again"


def test_a_look_up_may_be_repeated():
    release = threading.Event()

    def look() -> str:
        release.wait(20)
        return "found"

    look.repeatable = True
    ledger = Ledger(seconds=0.2)
    assert isinstance(ledger.run(as_tool(look), {}).error, ToolTimeout)
    release.set()
    assert ledger.run(as_tool(look), {}).ok


def test_a_megabyte_is_cut_and_says_so():
    result = Ledger(characters=100).run(as_tool(big), {})
    assert result.ok and len(result.text) < 150 and result.text.endswith("[cut: 100 of 1000000 characters]")
    assert len(result.value) == 10**6


def big() -> str:
    """Give a lot."""
    return "x" * 10**6


def test_results_of_any_kind_are_shown():
    loop: list = []
    loop.append(loop)
    assert shown({"a": [1, None]}) == '{"a": [1, null]}' and shown(None) == "null" and "object" in shown(object())
    with pytest.raises(ToolFailed):
        shown(loop)


def test_an_async_tool_runs():
    async def later(a: int) -> int:
        await asyncio.sleep(0)
        return a

    assert Ledger().run(as_tool(later), {"a": 5}).value == 5


def test_a_tool_without_a_function_is_only_declared():
    assert isinstance(Ledger().run(as_tool({"name": "f"}), {}).error, ToolFailed)
