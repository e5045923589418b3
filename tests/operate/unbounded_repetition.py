"""Finds what may repeat without limit in a regular expression: such a pattern can take time with the square of a text, or worse."""

from collections.abc import Iterator


def unbounded(regex: str) -> bool:
    """Return whether a part of `regex` may repeat without limit (`*`, `+`, `{3,}`)."""
    from re import _constants, _parser  # what Python itself reads patterns with

    return any(high >= _constants.MAXREPEAT for high in _repetitions(_parser.parse(regex)))


def _repetitions(parsed) -> Iterator[int]:
    """Yield the upper limit of each repetition, however deep."""
    for _, argument in parsed:
        yield from _inside(argument)


def _inside(argument) -> Iterator[int]:
    if hasattr(argument, "data"):  # a sub-pattern
        yield from _repetitions(argument)
    elif isinstance(argument, tuple | list):
        if len(argument) == 3 and hasattr(argument[2], "data") and isinstance(argument[1], int) and argument[1] > 1:
            yield int(argument[1])
        for part in argument:
            yield from _inside(part)
