"""What an agent did in one turn: the steps, who decided each, what it cost, and how the turn ended.

    turn = agent.run("Where is order 1002?")
    print(turn)                    # a line a step
    json.dumps(turn.to_dict())     # the same for a log

Taught in notebook 13, section "A first agent".
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from labkit.errors import LabkitError

__all__ = ["Budget", "Outcome", "Step", "Turn"]


class Outcome(StrEnum):
    """How a turn ended. Whatever is not ANSWERED is said in words in the turn's text, too."""

    ANSWERED = "answered"
    ASKED = "asked"  # something is missing: the user is asked for it
    REFUSED = "refused"  # a call was wanted, but what the model wrote is none that may be executed
    CANCELLED = "cancelled"
    OUT_OF_STEPS = "out of steps"
    OUT_OF_TOKENS = "out of tokens"
    OUT_OF_TIME = "out of time"
    FAILED = "failed"  # the engine is gone, or the request does not fit: `error` says which


@dataclass(frozen=True)
class Budget:
    """What one turn may take: lines of the trace (`steps`), `tokens` read and written by the model, `seconds` on the clock."""

    steps: int = 16
    tokens: int = 8000
    seconds: float = 120.0

    def spent(self, turn: Turn) -> Outcome | None:
        """Return which part of it `turn` has used up, or None. Seconds are watched elsewhere: they pass while a step runs."""
        if len(turn.steps) >= self.steps:
            return Outcome.OUT_OF_STEPS
        return Outcome.OUT_OF_TOKENS if turn.tokens >= self.tokens else None


@dataclass(frozen=True)
class Step:
    """One step: `kind` "decide", "call" or "answer"; `by` "rule", "model" or "tool".

    what: the decision and its reasons, or the call. result: what came of it, as text. ok: False if it went wrong. tokens: read and
    written by the model. seconds: on the clock. call: {"name", "arguments"} of a call.
    """

    kind: str
    by: str
    what: str
    result: str = ""
    ok: bool = True
    tokens: int = 0
    seconds: float = 0.0
    call: dict | None = None

    def __str__(self) -> str:
        mark = "" if self.ok else " (went wrong)"
        cost = f"{self.tokens:>5} tokens {self.seconds:>6.2f} s"
        return f"{self.kind:<7}{self.by:<6}{cost}  {_short(self.what)}{mark}{_arrow(self.result)}"


@dataclass
class Turn:
    """One request and all that came of it. `outcome` is None while it runs; `error` is there if it FAILED or was REFUSED."""

    request: str
    steps: list[Step] = field(default_factory=list)
    outcome: Outcome | None = None
    text: str = ""
    error: LabkitError | None = None

    @property
    def tokens(self) -> int:
        """Tokens that the model read and wrote."""
        return sum(step.tokens for step in self.steps)

    @property
    def seconds(self) -> float:
        """Seconds of all steps."""
        return sum(step.seconds for step in self.steps)

    def end(self, outcome: Outcome, text: str, error: LabkitError | None = None) -> None:
        """Note how it ended."""
        self.outcome, self.text, self.error = outcome, text, error

    def done(self) -> str:
        """Say which calls came to their end."""
        made = [step.what for step in self.steps if step.kind == "call" and step.ok]
        return f"Done before: {', '.join(made)}." if made else "No call was finished."

    def to_dict(self) -> dict:
        """Return it JSON-ready."""
        error = {"error": type(self.error).__name__} if self.error else {}
        told = {"request": self.request, "outcome": self.outcome and self.outcome.value, "text": self.text, **error}
        return {
            **told,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "steps": [asdict(step) for step in self.steps],
        }

    def __str__(self) -> str:
        lines = [f"{number:>2}  {step}" for number, step in enumerate(self.steps, 1)]
        cost = f"{self.tokens} tokens, {self.seconds:.2f} s"
        return "\n".join([f"> {self.request}", *lines, f"= {self.outcome} ({cost}): {self.text}"])


def call_text(name: str, arguments: dict) -> str:
    """Return a call as a person writes it: name(parameter='value')."""
    return f"{name}({', '.join(f'{key}={json.dumps(value, default=str)}' for key, value in arguments.items())})"


def _short(text: str, most: int = 100) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}…"


def _arrow(result: str) -> str:
    return f" → {_short(result, 80)}" if result else ""
