"""The stub as it came is "not attempted", however it looks; the smallest attempt is one."""

import dataclasses

import pytest

from labkit.exercises.blank import blanks

PARTIAL = "def f(temperature):\n    action = ...   # your rule\n    return action\n"
METHODS = "class Agent:\n    def __init__(self):\n        self.seen = {}\n    def act(self, percept):\n        ...\n"


def values(source: str) -> dict:
    space = {"__name__": "__main__", "dataclass": dataclasses.dataclass}
    exec(compile(source, "<cell>", "exec", dont_inherit=True), space)
    return {name: value for name, value in space.items() if not name.startswith("__") and name != "dataclass"}


@pytest.mark.parametrize(
    "source",
    [
        "answer = ...",
        "answer = None",
        'answer = "your answer here"',
        "answer: list = [0, -1]",
        "a, b = ..., ...",
        "def f(x): ...",
        "def f(x): pass",
        "def f(x):\n    return None",
        'def f(x):\n    """Say `on` or `off`."""\n',
        'def f(x):\n    """Two lines,\n\n        one of them indented.\n    """\n    ...',
        "async def f(x): ...",
        "f = lambda x: ...",
        PARTIAL,
        METHODS,
        "class Agent: ...",
        "class ToolError(Exception):\n    pass",
        "class Agent:\n    @staticmethod\n    def a(x): ...\n    @property\n    def b(self): ...",
        "@dataclass\nclass Agent:\n    seen: int = 0\n    def act(self, percept): ...",
    ],
)
def test_the_stub_itself_is_blank(source):
    given = values(source)
    assert blanks(given, [source]) == list(given)


@pytest.mark.parametrize(
    ("stub", "attempt"),
    [
        ("answer = ...", "answer = 0"),
        ("answer = ...", "answer = ''"),
        ("answer = 0", "answer = False"),
        ("answer = 1", "answer = 1.0"),
        ("other = 3\nanswer = ...", "other = 3\nanswer = 3"),
        ("def f(x): ...", "def f(x): return 42"),
        ("def f(x): ...", "def f(x): return ''"),
        ("def f(x): ...", 'def f(x):\n    "doc"\n    return "x"'),
        ("def f(x): ...", "async def f(x): return 1"),
        ("def f(x): ...", "f = 'a text'"),
        (PARTIAL, PARTIAL.replace("...", "'on'")),
        (PARTIAL, PARTIAL.replace("return action", "return 'off'")),
        (METHODS, METHODS.replace("...", "return 'suck'")),
        (METHODS, METHODS.replace("{}", "set()")),
        ("ToolError = ...", "class ToolError(Exception):\n    pass"),
        ("class Reply: ...", "class Reply:\n    text: str"),
        ("class Other: ...\nReply = ...", "class Reply(Exception): ..."),
        ("class Reply: ...", "@dataclass\nclass Reply:\n    text: str"),
        ("class Limits: ...", "class Limits:\n    steps = 3"),
    ],
)
def test_an_attempt_is_not_blank(stub, attempt):
    assert blanks(values(attempt), [stub]) == []


def test_none_and_an_empty_function_are_blank_whatever_the_stub():
    assert blanks({"answer": None}, ["answer = ..."]) == ["answer"]
    assert blanks(values("def f(x):\n    pass"), [PARTIAL]) == ["f"]
    assert blanks(values("def f(x):\n    ...\n    pass"), [PARTIAL]) == ["f"]
    assert blanks(values("async def f(x):\n    pass"), [PARTIAL]) == ["f"]


def test_comments_and_layout_are_no_attempt():
    assert blanks(values("# thinking\n\n" + PARTIAL.replace("# your rule", "# hm")), [PARTIAL]) == ["f"]


def test_beside_an_attempt_only_dots_are_missing():
    stub = "a = ...\nb = ...\nc = ..."
    assert blanks(values("a = 1\nb = ...\nc = None"), [stub]) == ["b"]


def test_what_comes_from_elsewhere_does_not_count():
    assert blanks({"answer": ..., "endpoint": object()}, ["answer = ..."]) == ["answer"]
    assert blanks({"answer": 1, "endpoint": None}, ["answer = ..."]) == []


def test_every_blank_of_the_bank_is_a_stub():
    assert blanks({"answer": "?"}, ["answer = ...", "answer = '?'"]) == ["answer"]


def test_the_learners_code_is_not_run():
    f = values("def f(x):\n    raise SystemExit")["f"]
    assert blanks({"f": f}, ["def f(x): ..."]) == []
