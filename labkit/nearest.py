"""What somebody meant who wrote a name that does not exist: for the "likely why" of errors.

At work in notebook 00, section "Where errors show".
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["meant"]


def meant(name: str, known: Iterable[str], are: str = "known:") -> str:
    """Return "did you mean A? the engines are A, B" with are="the engines are"; the list alone where nothing is near."""
    names = list(known)
    near = difflib.get_close_matches(name, names, 1)
    question = f"did you mean {near[0]}? " if near else ""
    return f"{question}{are} {', '.join(names)}"
