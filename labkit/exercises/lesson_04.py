"""The exercises of lesson 04: define a tool, hold its call, choose or abstain, check the values, repair a tool, count, read a run."""

from __future__ import annotations

import jsonschema  # noqa: F401 - its first import takes seconds on a busy machine, and a check has five
import pydantic  # noqa: F401

from labkit.errors import BadTool
from labkit.exercises._lesson_04_counting import CALLED, TWO_RATES
from labkit.exercises.core import Answers, Exercise, Wrong, cases, require, wrong
from labkit.exercises.message import show
from labkit.tools import as_tool
from labkit.tools.schema import check as problems

TYPED = "from typing import Annotated, Literal\nfrom pydantic import Field\n"


def _tool(function):
    require(callable(function), f"{show(function)} is not a function.")
    try:
        return as_tool(function)
    except BadTool as error:
        wrong(f"no tool can be made of it: {error.what} {error.why}")


# -- Six steps ----------------------------------------------------------------------------------------------------------


def check_book_visit(book_visit):
    tool = _tool(book_visit)
    require(
        tool.description, "it has no docstring: its first paragraph is all that a model reads of what the tool does."
    )
    fits = {"day": "Monday", "hour": 9}
    require(
        not problems(fits, tool.parameters), f"a visit on Monday at 9 should fit: {problems(fits, tool.parameters)}"
    )
    require(
        problems({**fits, "day": "Someday"}, tool.parameters), "`day` takes any text; name the five days in its type."
    )
    require(problems({**fits, "hour": "nine"}, tool.parameters), "`hour` takes a text; it should be a whole number.")
    require(problems({**fits, "hour": 23}, tool.parameters), "`hour` takes 23; visits are from 8 to 16.")
    said = tool.function(**fits)
    require(isinstance(said, str) and "Monday" in said, f"it should say what was booked; yours returned {show(said)}.")


BOOK_VISIT = Exercise(
    id="04.1",
    title="A tool is a typed function",
    section="Six steps",
    task=(
        "Write `book_visit(day, hour, reason)`. `day` is Monday to Friday, `hour` a whole number from 8 to 16, `reason` a text "
        "that may be left out. Give it type hints that say so, a docstring of one sentence, and return a sentence with the "
        "day. `Literal`, `Annotated` and `Field` are imported."
    ),
    expects="a function with type hints and a docstring, that returns a str",
    check=check_book_visit,
    hints=[
        '`Literal["Monday", "Tuesday", …]` is a closed set.',
        "`Annotated[int, Field(ge=8, le=16)]` is a whole number with bounds.",
        '`reason: str = ""` may be left out, because it has a default.',
    ],
    solution=(
        "def book_visit(\n"
        '    day: Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"],\n'
        "    hour: Annotated[int, Field(ge=8, le=16)],\n"
        '    reason: str = "",\n'
        "):\n"
        '    """Book a visit of a technician."""\n'
        '    return f"Booked: {day} at {hour}."'
    ),
    why="Every hint is one more thing that a call cannot get wrong; the schema is made from them, so they cannot disagree.",
    answers=Answers(
        setup=TYPED,
        blank=['def book_visit(day, hour, reason=""):\n    ...'],
        wrong=[
            Wrong('book_visit = {"name": "book_visit"}', "not a function", "writes the schema by hand"),
            Wrong(
                "def book_visit(*day):\n    'Book.'\n    return 'Booked.'",
                "no tool can be made",
                "arguments without names",
            ),
            Wrong(
                "def book_visit(day, hour, reason=''):\n    return f'Booked: {day}.'", "no docstring", "no description"
            ),
            Wrong(
                "def book_visit(day: Literal['Monday'], hour: int, reason: str):\n    'Book.'\n    return f'{day}'",
                "should fit",
                "forgets the default, so that reason is required",
            ),
            Wrong(
                "def book_visit(day: str, hour: int, reason: str = ''):\n    'Book.'\n    return f'{day}'",
                "takes any text",
                "a text where a closed set belongs",
            ),
            Wrong(
                "def book_visit(day: Literal['Monday', 'Friday'], hour, reason=''):\n    'Book.'\n    return f'{day}'",
                "takes a text",
                "no hint: anything goes",
            ),
            Wrong(
                "def book_visit(day: Literal['Monday', 'Friday'], hour: int, reason: str = ''):\n    'Book.'\n    return f'{day}'",
                "takes 23",
                "a type without its range",
            ),
            Wrong(
                "def book_visit(day: Literal['Monday', 'Friday'], hour: Annotated[int, Field(ge=8, le=16)], reason: str = ''):\n"
                "    'Book.'\n    return True",
                "what was booked",
                "a result that tells the model nothing",
            ),
        ],
        right=[
            "Day = Literal['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday']\n"
            "def book_visit(day: Day, hour: Literal[8, 9, 10, 11, 12, 13, 14, 15, 16], reason: str | None = None) -> str:\n"
            "    '''Book a visit.'''\n    return 'A visit on ' + day",
        ],
    ),
)

# -- Token masks --------------------------------------------------------------------------------------------------------

GOOD = {"city": "Koper", "kilos": 3}


def check_parcel(parcel):
    require(isinstance(parcel, dict), f"a schema is a dict; yours is {show(parcel)}.")
    fits = problems(GOOD, parcel)
    require(not fits, f"{show(GOOD)} should fit, and does not: {fits}")
    full = {**GOOD, "note": "ring twice"}
    require(not problems(full, parcel), f"{show(full)} should fit: a note is allowed.")
    refused = [
        ({"kilos": 3}, "a parcel without a city fits; `required` is a list beside `properties`."),
        ({**GOOD, "city": "Paris"}, "Paris fits, though nobody delivers there: name the cities in an `enum`."),
        ({**GOOD, "kilos": 2.5}, "2.5 kilos fit; a whole number is an `integer`."),
        ({**GOOD, "kilos": 500}, "500 kilos fit: the range is missing."),
        ({**GOOD, "note": "x" * 61}, "a note of 61 characters fits: without `maxLength` a small model may never stop."),
        ({**GOOD, "gift": True}, "a key that nobody asked for fits; say `additionalProperties: false`."),
    ]
    for value, because in refused:
        require(problems(value, parcel), because)


def _parcel(**changes) -> str:
    """Return the source of the right schema with parts changed, to build wrong ones."""
    parts = {
        "city": '{"enum": ["Ljubljana", "Maribor", "Koper"]}',
        "kilos": '{"type": "integer", "minimum": 1, "maximum": 30}',
        "note": '{"type": "string", "maxLength": 60}',
        "required": '"required": ["city", "kilos"], ',
        "more": '"additionalProperties": False',
    } | changes
    inner = ", ".join(f'"{name}": {parts[name]}' for name in ("city", "kilos", "note") if parts[name])
    return f'parcel = {{"type": "object", "properties": {{{inner}}}, {parts["required"]}{parts["more"]}}}'


PARCEL = Exercise(
    id="04.2",
    title="Leave it no other way",
    section="Token masks",
    task=(
        "Write `parcel`, a JSON schema: `city` is Ljubljana, Maribor or Koper; `kilos` a whole number from 1 to 30; `note` a text "
        "of at most 60 characters that may be left out. Nothing else may be in it."
    ),
    expects="a dict with `type`, `properties`, `required` and `additionalProperties`",
    check=check_parcel,
    hints=[
        'It begins `{"type": "object", "properties": {"city": {"enum": [...]}, …}`.',
        "`minimum`, `maximum` and `maxLength` stand inside a property.",
        '`"required": ["city", "kilos"], "additionalProperties": False` stand beside `properties`.',
    ],
    solution=(
        "parcel = {\n"
        '    "type": "object",\n'
        '    "properties": {\n'
        '        "city": {"enum": ["Ljubljana", "Maribor", "Koper"]},\n'
        '        "kilos": {"type": "integer", "minimum": 1, "maximum": 30},\n'
        '        "note": {"type": "string", "maxLength": 60},\n'
        "    },\n"
        '    "required": ["city", "kilos"],\n'
        '    "additionalProperties": False,\n'
        "}"
    ),
    why="What the mask strikes out cannot be written, however small the model; every word that you leave out leaves a door open.",
    answers=Answers(
        blank=["parcel = ..."],
        wrong=[
            Wrong('parcel = "city, kilos, note"', "a schema is a dict", "a description instead of a schema"),
            Wrong(_parcel(kilos='{"type": "int"}'), "should fit, and does not", "Python's names of types"),
            Wrong(_parcel(note=""), "a note is allowed", "forgets the optional part"),
            Wrong(_parcel(required=""), "beside `properties`", "thinks that all properties are required"),
            Wrong(_parcel(city='{"type": "string"}'), "nobody delivers there", "a text where a closed set belongs"),
            Wrong(
                _parcel(kilos='{"type": "number", "minimum": 1, "maximum": 30}'), "whole number", "number for integer"
            ),
            Wrong(_parcel(kilos='{"type": "integer"}'), "range is missing", "a type without its range"),
            Wrong(_parcel(note='{"type": "string"}'), "may never stop", "no cap on a text"),
            Wrong(_parcel(more='"description": "a parcel"'), "nobody asked for", "leaves the object open"),
        ],
        right=[_parcel(kilos='{"enum": list(range(1, 31))}')],
    ),
)

# -- Two stages ---------------------------------------------------------------------------------------------------------


def check_choose_tool(choose_tool):
    require(callable(choose_tool), f"{show(choose_tool)} is not a function.")
    nothing = choose_tool({"refund": -1.5, "delivery": -2.0})
    require(nothing == "none", f"both odds are below 0, so no tool fits; you returned {show(nothing)}.")
    require(choose_tool({}) == "none", "without any tool the answer is `none` as well.")
    close = choose_tool({"refund": 1.1, "delivery": 1.0})
    require(close == "ask", f"1.1 and 1.0 are nearer than 0.35; you returned {show(close)} on a coin's edge.")
    clear = choose_tool({"delivery": 0.4, "refund": 2.0})
    require(clear == "refund", f"2.0 stands out; you returned {show(clear)}.")
    only = choose_tool({"refund": 0.2})
    require(only == "refund", f"there is one tool, and it fits; you returned {show(only)}.")


CHOOSE_TOOL = Exercise(
    id="04.3",
    title="Choose, ask, or leave it",
    section="Two stages",
    task=(
        "Write `choose_tool(odds)`. `odds` is a dict, tool to how well it fits (below 0: not at all). Return `none` if the best "
        "is below 0 or there is none, `ask` if the two best are nearer than 0.35, else the best tool's name."
    ),
    expects="a function of a dict that returns a str",
    check=check_choose_tool,
    hints=[
        "`sorted(odds, key=odds.get, reverse=True)` puts the best first.",
        "First look whether the best is below 0, only then at the second.",
        'There may be no second: `if len(ranked) > 1 and …: return "ask"`.',
    ],
    solution=(
        "def choose_tool(odds):\n"
        "    ranked = sorted(odds, key=odds.get, reverse=True)\n"
        "    if not ranked or odds[ranked[0]] < 0:\n"
        '        return "none"\n'
        "    if len(ranked) > 1 and odds[ranked[0]] - odds[ranked[1]] < 0.35:\n"
        '        return "ask"\n'
        "    return ranked[0]"
    ),
    why="A choice has three outcomes: one of them, none of them, and not sure. Code that has only the first must guess.",
    answers=Answers(
        blank=["def choose_tool(odds):\n    ..."],
        wrong=[
            Wrong('choose_tool = "refund"', "not a function", "a tool's name instead of a rule"),
            Wrong("def choose_tool(odds):\n    return max(odds, key=odds.get)", "no tool fits", "always some tool"),
            Wrong(
                "def choose_tool(odds):\n    a, b = sorted(odds.values())[-2:]\n    return 'ask' if b - a < 0.35 else 'none'",
                "ValueError",
                "takes two tools for granted",
            ),
            Wrong(
                "def choose_tool(odds):\n    return 'none' if not odds or min(odds.values()) < 0 or max(odds.values()) < 2.5 "
                "else max(odds, key=odds.get)",
                "coin's edge",
                "never asks",
            ),
            Wrong(
                "def choose_tool(odds):\n    if not odds or max(odds.values()) < 0:\n        return 'none'\n"
                "    return max(odds, key=odds.get)",
                "coin's edge",
                "takes the best, however near the second",
            ),
            Wrong(
                "def choose_tool(odds):\n    return 'none' if not odds or max(odds.values()) < 0 else 'ask'",
                "stands out",
                "leaves everything to the model",
            ),
            Wrong(
                "def choose_tool(odds):\n    if not odds or max(odds.values()) < 0:\n        return 'none'\n"
                "    if len(odds) < 2:\n        return 'ask'\n    best, second = sorted(odds.values())[::-1][:2]\n"
                "    return 'ask' if best - second < 0.35 else max(odds, key=odds.get)",
                "there is one tool",
                "takes a single tool for an unsure one",
            ),
            Wrong(
                "def choose_tool(odds):\n    if odds and max(odds.values()) < 0:\n        return 'none'\n    return 'ask'",
                "without any tool",
                "forgets the empty toolbox",
            ),
        ],
        right=[
            "def choose_tool(odds):\n    fit = [v for v in odds.values() if v >= 0]\n    if not fit:\n        return 'none'\n"
            "    close = [n for n, v in odds.items() if max(fit) - v < 0.35]\n"
            "    return close[0] if len(close) == 1 else 'ask'",
        ],
    ),
)

# -- Checks after -------------------------------------------------------------------------------------------------------


def check_made_up(made_up):
    require(callable(made_up), f"{show(made_up)} is not a function.")
    said = "Where is order A-1002? I am Ana."
    require(list(made_up({"order_id": "A-1002"}, said)) == [], "`A-1002` stands in the text, and you call it made up.")
    require(
        list(made_up({"order_id": "B-77", "name": "Ana"}, said)) == ["order_id"],
        f"`B-77` is nowhere in the text; you returned {show(made_up({'order_id': 'B-77', 'name': 'Ana'}, said))}.",
    )
    require(
        list(made_up({"order_id": "100"}, said)) == ["order_id"],
        "`100` is only a piece of A-1002: an id must stand there whole.",
    )
    require(list(made_up({"order_id": "a-1002"}, said)) == [], "`a-1002` is A-1002 in small letters.")
    require(
        list(made_up({"days": 3}, "In 3 days, please.")) == [], "3 is a number in the call and a text in the request."
    )


MADE_UP = Exercise(
    id="04.4",
    title="Who said that?",
    section="Checks after",
    task=(
        "Write `made_up(arguments, text)`: a list of the names of those arguments whose value does not stand in `text`. Big or "
        "small letters don't matter, but a value must stand there whole: 100 is not in A-1002. Values may be numbers."
    ),
    expects="a function of a dict and a str that returns a list of names",
    check=check_made_up,
    hints=[
        "`str(value).lower()` makes a text of anything.",
        '`re.escape(value)` makes a pattern that means just this text; `(?<!\\w)` and `(?!\\w)` say "no letter or digit here".',
        'Keep the names for which `re.search(rf"(?<!\\w){re.escape(str(value))}(?!\\w)", text, re.I)` is None.',
    ],
    solution=(
        "import re\n\n\n"
        "def made_up(arguments, text):\n"
        "    return [\n"
        "        name\n"
        "        for name, value in arguments.items()\n"
        '        if not re.search(rf"(?<!\\w){re.escape(str(value))}(?!\\w)", text, re.I)\n'
        "    ]"
    ),
    why="No grammar knows what the user said. This check does, it costs microseconds, and it stops the call that looks best.",
    answers=Answers(
        blank=["def made_up(arguments, text):\n    ..."],
        wrong=[
            Wrong('made_up = ["order_id"]', "not a function", "an answer for one call"),
            Wrong(
                "def made_up(arguments, text):\n    return [n for n, v in arguments.items() if str(v) in text]",
                "you call it made up",
                "turned round",
            ),
            Wrong("def made_up(arguments, text):\n    return []", "nowhere in the text", "trusts everything"),
            Wrong(
                "def made_up(arguments, text):\n    return [v for v in arguments.values() if str(v) not in text]",
                "nowhere in the text",
                "returns values instead of names",
            ),
            Wrong(
                "def made_up(arguments, text):\n    return [n for n, v in arguments.items() if str(v) not in text]",
                "only a piece",
                "a piece of a number counts",
            ),
            Wrong(
                "def made_up(arguments, text):\n    words = text.replace('?', ' ').replace('.', ' ').split()\n"
                "    return [n for n, v in arguments.items() if str(v) not in words]",
                "small letters",
                "minds big and small letters",
            ),
            Wrong(
                "def made_up(arguments, text):\n    words = text.lower().replace('?', ' ').replace('.', ' ').split()\n"
                "    return [n for n, v in arguments.items() if not isinstance(v, str) or v.lower() not in words]",
                "3 is a number",
                "knows texts only",
            ),
        ],
        right=[
            "def made_up(arguments, text):\n    words = [one.strip('.,;:!?') for one in text.lower().split()]\n"
            "    return [n for n, v in arguments.items() if str(v).lower() not in words]",
        ],
    ),
)

# -- When a tool fails --------------------------------------------------------------------------------------------------


def check_calculate(calculate):
    tool = _tool(calculate)
    call = {"a": 6, "operation": "times", "b": 7}
    require(not problems(call, tool.parameters), f"{show(call)} should fit: {problems(call, tool.parameters)}")
    require(
        problems({**call, "operation": "__import__('os')"}, tool.parameters),
        "`operation` takes any text: whatever the model writes would reach your code.",
    )
    cases(calculate, [(6, "times", 7, 42), (6, "plus", 7, 13), (6, "minus", 7, -1), (6, "divided by", 3, 2.0)])
    try:
        said = calculate(6, "divided by", 0)
    except ZeroDivisionError:
        wrong(
            "6 divided by 0 raises Python's ZeroDivisionError; the agent should read words that help: raise ValueError."
        )
    except ValueError:
        return
    wrong(f"6 divided by 0 gave {show(said)}: a made-up result is worse than an error.")


def _calculate(zero: str = '        raise ValueError("Nothing can be divided by 0.")', **changes) -> str:
    """Return the source of a calculator with parts changed."""
    kind = changes.get("kind", 'Literal["plus", "minus", "times", "divided by"]')
    return (
        f"def calculate(a: float, operation: {kind}, b: float):\n"
        '    """Calculate with two numbers."""\n'
        '    if operation == "plus":\n        return a + b\n'
        f'    if operation == "minus":\n        return {changes.get("minus", "a - b")}\n'
        '    if operation == "times":\n        return a * b\n'
        + (f"    if b == 0:\n{zero}\n" if zero else "")
        + "    return a / b"
    )


CALCULATE = Exercise(
    id="04.5",
    title="A calculator without eval",
    section="When a tool fails",
    task=(
        "Write `calculate(a, operation, b)` with type hints: two numbers, and one of plus, minus, times, divided by. No "
        "`eval`. For a division by 0 raise `ValueError` with a sentence that helps."
    ),
    expects="a function with type hints that returns a number",
    check=check_calculate,
    hints=[
        '`operation: Literal["plus", "minus", "times", "divided by"]`',
        "Four cases, four lines.",
        'Before you divide: `if b == 0: raise ValueError("…")`.',
    ],
    solution=_calculate(),
    why="The model chooses from four words and fills in two numbers; nothing that it writes is ever run as code.",
    answers=Answers(
        setup=TYPED,
        blank=["def calculate(a, operation, b):\n    ..."],
        wrong=[
            Wrong('calculate = "eval"', "not a function", "no tool"),
            Wrong(_calculate(kind='Literal["+", "-", "*", "/"]'), "should fit", "other words than the task's"),
            Wrong(_calculate(kind="str"), "reach your code", "any text goes in"),
            Wrong(_calculate(minus="b - a"), "not `-1`", "turned round"),
            Wrong(_calculate(zero=""), "words that help", "lets Python's error through"),
            Wrong(_calculate(zero="        return 0"), "worse than an error", "makes a result up"),
        ],
        right=[
            "import operator\nDO = {'plus': operator.add, 'minus': operator.sub, 'times': operator.mul, 'divided by': operator.truediv}\n"
            "def calculate(a: float, operation: Literal['plus', 'minus', 'times', 'divided by'], b: float) -> float:\n"
            "    '''Calculate.'''\n    try:\n        return DO[operation](a, b)\n"
            "    except ZeroDivisionError as error:\n        raise ValueError('b must not be 0') from error",
        ],
    ),
)

EXERCISES = [BOOK_VISIT, PARCEL, CHOOSE_TOOL, MADE_UP, CALCULATE, TWO_RATES, CALLED]
