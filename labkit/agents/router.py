"""Rules first, then a classifier, then a model: each stage answers or passes the request on, and says why.

    router = Cascade([Stage("rules", by_keywords({"invoice": "payment"})), Stage("words", by_examples(), least=0.1)],
                     Router(by_margin(endpoint), big.ask, threshold=1.5))
    print(router(Request("Where is my parcel?", ("delivery", "payment", "product"))))

The last stage is lesson 02's: a small model that escalates to a bigger one where it is not sure, and never where that is forbidden.
A stage's answerer takes a Request and returns an Answer, as in labkit.agents.hybrid: so any of them fits anywhere.

Explained in notebook 02, section "One door".
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any

from labkit.agents.hybrid import Answer, Answerer, Request, Router, not_private
from labkit.errors import LabkitError
from labkit.tools.vectors import mean
from labkit.tools.words import content

__all__ = ["Cascade", "Hop", "Routed", "Stage", "by_examples", "by_keywords"]

NOTHING = Answer(None, -math.inf)


@dataclass(frozen=True)
class Stage:
    """A stage: its `name`, who answers, and the confidence below which the request goes on. leaves: it runs somewhere else."""

    name: str
    answer: Answerer
    least: float = -math.inf
    leaves: bool = False


@dataclass(frozen=True)
class Hop:
    """What one stage said: `value` (None: nothing), `confidence`, whether that `answered` it, `reason`, and `seconds`.

    by: who within the stage, if it is one that escalates.
    """

    stage: str
    value: str | None
    confidence: float
    answered: bool
    reason: str
    seconds: float
    by: str = ""


@dataclass(frozen=True)
class Routed:
    """Where a request goes: `value` (None: a person must say), the stage that said so (`by`, "nobody"), and every hop there.

    The request itself is not in it: a log is a way out, too.
    """

    value: str | None
    by: str
    hops: tuple[Hop, ...] = field(repr=False)

    def to_dict(self) -> dict:
        """Return it JSON-ready; a confidence that is no number is None."""
        hops = [asdict(one) | {"confidence": _finite(one.confidence)} for one in self.hops]
        return {"value": self.value, "by": self.by, "hops": hops}

    def __str__(self) -> str:
        lines = [f"{one.stage:<12} {1000 * one.seconds:>8.2f} ms  {one.reason}" for one in self.hops]
        return "\n".join([*lines, f"→ {self.value} (by {self.by})"])


@dataclass(frozen=True)
class Cascade:
    """The `stages` in their order, and last the `model`: lesson 02's Router, which may escalate.

    may_leave(request) must be True before anything is asked that leaves this machine: a stage that says so, and the router's big
    model, whose own rule must allow it as well.
    """

    stages: Sequence[Stage]
    model: Router | None = None
    may_leave: Callable[[Request], bool] = not_private

    def __call__(self, request: Request) -> Routed:
        """Return where the request goes. A stage's LabkitError passes it on; anything else is raised."""
        hops: list[Hop] = []
        last = [Stage("model", _escalating(self.model, self.may_leave))] if self.model else []
        for stage in (*self.stages, *last):
            hops.append(self._ask(stage, request))
            if hops[-1].answered:
                return Routed(hops[-1].value, stage.name, tuple(hops))
        return Routed(None, "nobody", tuple(hops))

    def _ask(self, stage: Stage, request: Request) -> Hop:
        if stage.leaves and self.may_leave(request) is not True:
            return Hop(stage.name, None, -math.inf, False, "The request may not leave.", 0.0)
        started = time.perf_counter()
        try:
            said = stage.answer(request)
        except LabkitError as error:
            failed = f"It failed: {type(error).__name__}."
            return Hop(stage.name, None, -math.inf, False, failed, time.perf_counter() - started)
        seconds = time.perf_counter() - started
        return _judged(stage, said, request, seconds)


def _judged(stage: Stage, said: Answer, request: Request, seconds: float) -> Hop:
    by, why = getattr(said, "by", ""), getattr(said, "reason", "")
    if said.value is None:
        return Hop(stage.name, None, said.confidence, False, why or "It has nothing to say.", seconds)
    if said.value not in request.options:
        reason = f"It says {said.value[:40]!r}, which is none of the options."
        return Hop(stage.name, None, said.confidence, False, reason, seconds)
    sure = said.confidence >= stage.least
    reason = f"{said.value}: confidence {said.confidence:.2f} {'is enough' if sure else f'is below {stage.least:.2f}'}."
    return Hop(stage.name, said.value, said.confidence, sure, f"{reason} {why}".strip(), seconds, by)


@dataclass(frozen=True)
class _Escalated(Answer):
    by: str = ""
    reason: str = ""


def _escalating(router: Router, may_leave: Callable[[Request], bool]) -> Answerer:
    """Return a router as an answerer. It has used its threshold already: what it decides is decided."""
    both = replace(router, may_leave=lambda request: may_leave(request) is True and router.may_leave(request) is True)

    def answer(request: Request) -> Answer:
        made = both(request)
        confidence = (made.big if made.by == "big" else made.small).confidence
        return _Escalated(made.value, confidence, made.seconds, by=made.by, reason=made.reason)

    return answer


# ---- stages ------------------------------------------------------------------------------------------------------------------


def by_keywords(rules: Mapping[str, str]) -> Answerer:
    """Return the answerer of rules {word or phrase: label}: certain where the rules that match agree, silent where they don't."""
    patterns = [(re.compile(rf"\b{re.escape(words)}\b", re.IGNORECASE), label) for words, label in rules.items()]

    def answer(request: Request) -> Answer:
        labels = {label for pattern, label in patterns if pattern.search(request.text) and label in request.options}
        return Answer(labels.pop(), math.inf) if len(labels) == 1 else NOTHING

    return answer


def by_examples(worked: Callable[[Request], Sequence[tuple[str, str]]] = lambda request: ()) -> Answerer:
    """Return a classifier without a model: nearest centroid, on vectors of words.

    It takes the label whose examples point the way the request does: the request's own examples, and `worked(request)`. The
    confidence is the lead before the next label in cosine, 0 to 2.
    """

    def answer(request: Request) -> Answer:
        pairs = (*request.examples, *worked(request))
        asked = mean(content(request.text))
        near = {label: float(asked @ _centroid(pairs, label)) for label in request.options}
        first, *others = sorted(near.items(), key=lambda one: -one[1])
        return Answer(first[0], first[1] - (others[0][1] if others else 0.0)) if any(near.values()) else NOTHING

    return answer


@lru_cache(512)
def _centroid(pairs: tuple[tuple[str, str], ...], label: str) -> Any:
    """Return the mean vector of a label's examples and its own words."""
    return mean([word for text, of in (*pairs, (label, label)) if of == label for word in content(text)])


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
