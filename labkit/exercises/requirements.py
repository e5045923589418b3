"""What a checker says: each function here ends the check with "Wrong, because …", or does nothing.

Write `because` as the rest of that sentence: begin in lower case, name the misconception, end with a full stop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from labkit.exercises.message import code, show

__all__ = ["WrongAnswer", "wrong", "require", "require_function", "returned", "raises", "cases"]


class WrongAnswer(Exception):
    """A checker's way out; carries because, expected and look."""


def wrong(because: str, *, expected: str = "", look: str = "") -> None:
    """End the check: "Wrong, because …".

    `expected` (else the exercise's `expects`) says what shape the answer has; `look` (else its section) where to look.
    """
    raise WrongAnswer(because, expected, look)


def require(condition: object, because: str, *, expected: str = "", look: str = "") -> None:
    """Call `wrong` with the same words unless `condition` is true."""
    if not condition:
        wrong(because, expected=expected, look=look)


def require_function(value: object) -> None:
    """Require something that can be called."""
    require(callable(value), f"{show(value)} is not a function.")


def returned(got: object, what: str, kind: type = object, parts: int | None = None) -> None:
    """Require that what the learner's function gave is `what` ("a list of names"): of a `kind`, with so many `parts`.

    kind: a type or a union of types. None is never right here: it comes of a `return` that is missing.
    """
    require(got is not None, f"it returned nothing; return {what}.")
    fits = isinstance(got, kind) and (parts is None or len(got) == parts)
    require(fits, f"it should return {what}; yours returned {show(got)}.")


def raises(kind: type[Exception], call: Callable[[], object], because: str) -> None:
    """Require that `call` raises an error of this `kind`. `{}` in `because` becomes what it returned instead."""
    try:
        got = call()
    except kind:
        return
    wrong(because.replace("{}", show(got)))


def cases(function: Callable, table: Iterable[tuple], because: str = "") -> None:
    """Call the learner's function once a row, `(*arguments, expected result)`; the first row that differs is `wrong`.

    Floats may differ by 1e-9 of their size. `because`, if given, is the misconception and comes first.
    """
    name = getattr(function, "__name__", "your function")
    for *args, expected in table:
        got = function(*args)
        if not _same(got, expected):
            call = code(f"{name}({', '.join(map(_spelt, args))})")
            text = f"{call} returned {show(got)}, not {show(expected)}."
            wrong(f"{because}: {text}" if because else text)


def _spelt(argument: object) -> str:
    """As it stands in a call: a function by its name, for its repr is an address."""
    return getattr(argument, "__name__", repr(argument)) if callable(argument) else repr(argument)


def _same(got: object, expected: object) -> bool:
    if isinstance(expected, float) and isinstance(got, int | float):
        return math.isclose(got, expected, rel_tol=1e-9, abs_tol=1e-12)
    return bool(got == expected)
