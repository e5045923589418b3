"""Rules first, then a classifier, then a model: each stage answers or passes the request on, and says why.

    small_first = Router(by_margin(endpoint), big.ask, threshold=1.5)
    router = Cascade([Stage("rules", by_keywords({"invoice": "payment"})),
                      Stage("words", by_examples(), least=0.1),
                      Stage("model", escalating(small_first))])
    print(router(Request("Where is my parcel?", ("delivery", "payment", "product"))))

The last stage is lesson 02's: a small model that escalates to a bigger one where it is not sure, and never where that is forbidden.
A stage's answerer takes a Request and returns an Answer, as in labkit.agents.hybrid: so any of them fits anywhere.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from labkit.agents.hybrid import Answer, Answerer, Request, Router, not_private
from labkit.errors import LabkitError
from labkit.tools.vectors import alike
from labkit.tools.words import content

__all__ = ["Cascade", "Hop", "Routed", "Stage", "by_examples", "by_keywords", "escalating"]

NOTHING = Answer(None, -math.inf)


@dataclass(frozen=True)
class Stage:
    """A stage: its `name`, who answers, and the confidence below which the request goes on. leaves: it runs somewhere else."""

    name: str
    answer: Answerer
    least: float = 0.0
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
    """The stages in their order. may_leave(request) must be True before a stage is asked that leaves this machine."""

    stages: Sequence[Stage]
    may_leave: Callable[[Request], bool] = not_private

    def __call__(self, request: Request) -> Routed:
        """Return where the request goes. A stage's LabkitError passes it on; anything else is raised."""
        hops: list[Hop] = []
        for stage in self.stages:
            hops.append(self._ask(stage, request))
            if hops[-1].answered:
                return Routed(hops[-1].value, hops[-1].by or stage.name, tuple(hops))
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
        reason = f"It says {said.value!r}, which is none of the options."
        return Hop(stage.name, None, said.confidence, False, reason, seconds)
    sure = said.confidence >= stage.least
    reason = f"{said.value}: confidence {said.confidence:.2f} {'is enough' if sure else f'is below {stage.least:.2f}'}."
    return Hop(stage.name, said.value, said.confidence, sure, f"{reason} {why}".strip(), seconds, by)


# ---- stages ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Escalated(Answer):
    """The Answer of a router that escalates: `by` "small" or "big", and its `reason`."""

    by: str = ""
    reason: str = ""


def escalating(router: Router) -> Answerer:
    """Return lesson 02's router as an answerer. It has its own threshold and its own rule on what may leave."""

    def answer(request: Request) -> Answer:
        made = router(request)
        used = made.big if made.by == "big" else made.small
        tokens = [sum(one.prompt_tokens for one in (made.small, made.big) if one),
                  sum(one.completion_tokens for one in (made.small, made.big) if one)]  # fmt: skip
        # The threshold has been used already: what comes out of here is decided.
        confidence = -math.inf if made.value is None else math.inf if made.by == "big" else used.confidence
        return Escalated(made.value, confidence, made.seconds, *tokens, by=made.by, reason=made.reason)

    return answer


def by_keywords(rules: Mapping[str, str]) -> Answerer:
    """Return the answerer of rules {word or phrase: label}: certain where the rules that match agree, silent where they don't."""
    patterns = [(re.compile(rf"\b{re.escape(words)}\b", re.IGNORECASE), label) for words, label in rules.items()]

    def answer(request: Request) -> Answer:
        labels = {label for pattern, label in patterns if pattern.search(request.text) and label in request.options}
        return Answer(labels.pop(), math.inf) if len(labels) == 1 else NOTHING

    return answer


def by_examples(worked: Callable[[Request], Sequence[tuple[str, str]]] = lambda request: ()) -> Answerer:
    """Return a classifier on words' meanings: the label whose examples are most like the request.

    Its examples are the request's own and `worked(request)`. The confidence is the lead before the next label, 0 to 1.
    """

    def answer(request: Request) -> Answer:
        asked, best = content(request.text), dict.fromkeys(request.options, 0.0)
        for text, label in [*request.examples, *worked(request)]:
            if asked and label in best and (words := content(text)):
                near = alike(asked, words)
                best[label] = max(best[label], float(near.max(1).mean() + near.max(0).mean()) / 2)
        first, *others = sorted(best.items(), key=lambda one: -one[1])
        return Answer(first[0], first[1] - (others[0][1] if others else 0.0)) if first[1] > 0 else NOTHING

    return answer


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
