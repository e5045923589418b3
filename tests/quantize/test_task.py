"""The task score: what is asked, what is shown beforehand, and how answers are counted. (test_ladder.py has the real model.)"""

from labkit.errors import RequestError
from labkit.quantize import task
from labkit.tools.items import toolbox


def test_tools_are_chosen_among_those_of_the_development_half():
    dev, work = toolbox("dev"), task._choosing()
    assert len(work) == 12
    for text, right, options, shown, _ in work:
        assert right in options and options[-1] == "none" and set(options) - {"none"} <= dev.keys()
        assert all(f"\n{name}: " in text for name in options)
        assert text not in [asked for asked, _ in shown], "what is shown is not asked"
    assert {right for _, right, *_ in work} > {"none"}


class Always:
    """An endpoint that always says the same: what a score counts is then known by hand."""

    def __init__(self, value):
        self.value = value

    def chat(self, messages, **more):
        from labkit.backends.answer import Reply

        if self.value is None:
            raise RequestError("no", "", "")
        return Reply(f'{{"choice": "{self.value}"}}', 1, 1, 0.1, None, "stop")


def test_form_and_choice_are_counted_apart():
    found = task.score(Always("none"))
    nones = sum(right == "none" for _, right, *_ in task._choosing())
    assert (found.tool_choice.right, found.tool_choice.n) == (nones, 12)
    assert found.classification.right == 0 and found.schema.right == 12, "`none` is no topic of a message"
    assert found.right.n == found.schema.n == 42


def test_an_answer_that_fits_no_schema_is_counted_and_not_raised():
    found = task.score(Always(None))
    assert found.schema.right == found.right.right == 0


def test_every_second_call_is_asked_of_both_kinds():
    found = task.score(Always("none"), every=2)
    assert (found.classification.n, found.tool_choice.n) == (15, 6)
    assert found.tool_choice.right == sum(right == "none" for _, right, *_ in task._choosing()[::2])
