"""What a checker says: the sentences of its helpers."""

import pytest

from labkit.exercises.requirements import WrongAnswer, cases, raises, require_function, returned


def said(requirement, *args, **named) -> str:
    """Return what it says is wrong, "" for nothing."""
    try:
        requirement(*args, **named)
    except WrongAnswer as answer:
        return answer.args[0]
    return ""


def test_a_value_is_no_function():
    assert said(require_function, 42) == "`42` is not a function."
    assert said(require_function, len) == ""


@pytest.mark.parametrize(
    ("got", "kind", "parts", "words"),
    [
        ([1, 2], list, None, ""),
        ((1, 2), tuple | list, 2, ""),
        (0, object, None, ""),
        (None, object, None, "it returned nothing; return two numbers."),
        (None, list, None, "it returned nothing; return two numbers."),
        (7, list, None, "it should return two numbers; yours returned `7`."),
        ((1, 2, 3), tuple, 2, "it should return two numbers; yours returned `(1, 2, 3)`."),
    ],
)
def test_what_came_back(got, kind, parts, words):
    assert said(returned, got, "two numbers", kind, parts) == words


def test_an_error_is_wanted():
    assert said(raises, ValueError, lambda: int("x"), "raise it; yours returned {}.") == ""
    assert said(raises, ValueError, lambda: int("3"), "raise it; yours returned {}.") == "raise it; yours returned `3`."


def test_another_error_goes_through():
    with pytest.raises(ZeroDivisionError):
        raises(ValueError, lambda: 1 / 0, "raise ValueError.")


def test_a_function_among_the_arguments_is_called_by_its_name():
    def apply(function, value):
        return function(value)

    assert said(cases, apply, [(abs, -1, 2)]) == "`apply(abs, -1)` returned `1`, not `2`."
