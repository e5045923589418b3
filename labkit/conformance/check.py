"""What a check is: a question to a running engine, answered by a `Capability` (ok, and what was seen).

At work in notebook 08, section "The same answers, the same features".
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from labkit.backends.base import Endpoint, Messages
from labkit.backends.capabilities import Capability
from labkit.conformance.reference import Reference
from labkit.errors import LabkitError

__all__ = ["WINDOW", "Check", "brief", "raised"]

# The context window of the suite's engine, in tokens. An odd size on purpose: equal wishes share one engine, and the suite
# ends by killing its own.
WINDOW = 1184


@dataclass(frozen=True)
class Check:
    """One row of the matrix. name: its key; title: for people; proves: what "yes" means, in a sentence.

    run(endpoint, reference) asks the engine and returns the Capability; reference holds llama.cpp's answers on the same weights.
    telling: what was seen is worth reading even where the answer is "yes".
    """

    name: str
    title: str
    proves: str
    run: Callable[[Endpoint, Reference], Capability]
    telling: bool = False


def raised(endpoint: Endpoint, prompt: Messages, **parameters) -> LabkitError | None:
    """Return the error with which labkit or the engine refuses this question, or None if it is answered."""
    try:
        endpoint.chat(prompt, **parameters)
    except LabkitError as error:
        return error
    return None


def brief(error: Exception) -> str:
    """Return the kind of an error and its first line, cut to a note's length."""
    return textwrap.shorten(f"{type(error).__name__}: {str(error).splitlines()[0]}", 110, placeholder=" …")
