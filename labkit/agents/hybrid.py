"""Ask the small model first; ask a bigger one only where the small one is not sure, and never where that is forbidden.

    router = Router(small=by_margin(endpoint), big=by_margin(other), threshold=1.5)
    decision = router(Request("Where is my parcel?", ("delivery", "payment", "product")))
    decision.value, decision.by, decision.reason

Small and big are answerers: functions that take a Request and return an Answer with its measured confidence. So every
OpenAI-compatible endpoint can be either. Confidence is measured, the model is not asked how sure it is: `by_margin` reads the
probabilities of the labels, `by_votes` asks several times. An answer that does not fit the schema has none.

Taught in notebook 02, sections "Confidence" and "One door".
"""

from __future__ import annotations

import json
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from labkit.agents.choice import MOST_TOKENS, conversation, one_of
from labkit.errors import LabkitError, Refused

__all__ = ["Answer", "Decision", "Request", "Router", "by_margin", "by_more_compute", "by_votes", "margin"]

ALTERNATIVES = 20  # the most that hosted endpoints give


@dataclass(frozen=True)
class Request:
    """Something to decide: a `text`, the closed set `options`, what to do with it (`ask`), `examples` as (text, label).

    private: it may not leave the small model's machine.
    """

    text: str
    options: tuple[str, ...]
    ask: str = ""
    examples: tuple[tuple[str, str], ...] = ()
    private: bool = False


@dataclass(frozen=True)
class Answer:
    """One answer. value: a label, or None if none came that fits. confidence: the larger the surer, in the answerer's own unit.

    seconds: on the clock. prompt_tokens, completion_tokens: all calls that it took, together.
    """

    value: str | None
    confidence: float
    seconds: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True)
class Decision:
    """What the router decided. by: "small", "big" or "nobody" (a person must). reason: one sentence. The two answers, if given."""

    value: str | None
    by: str
    reason: str
    small: Answer
    big: Answer | None = None

    @property
    def seconds(self) -> float:
        """What both answers took."""
        return self.small.seconds + (self.big.seconds if self.big else 0.0)

    @property
    def trace(self) -> str:
        """The decision in one line, for a log: who answered what, how sure the small model was, and why it went on or stayed.

        The request itself is not in it: a log is a way out, too.
        """
        tried = f"small: {self.small.value} ({self.small.confidence:.2f})"
        then = f" → big: {self.big.value} ({self.big.confidence:.2f})" if self.big else ""
        return f"{tried}{then} → {self.by}: {self.value}. {self.reason}"


Answerer = Callable[[Request], Answer]


def not_private(request: Request) -> bool:
    """Whether a request may leave: the default rule, which looks at its mark alone."""
    return not request.private


@dataclass(frozen=True)
class Router:
    """Small first, then big where the small answer's confidence is below `threshold`, or where it has no answer that fits.

    may_leave(request): False forbids the big one, whatever happens. An error of the big one leaves the small answer standing.
    """

    small: Answerer
    big: Answerer
    threshold: float
    may_leave: Callable[[Request], bool] = not_private

    def __call__(self, request: Request) -> Decision:
        """Return the Decision. An error of the small model counts as no answer; one that is no LabkitError is raised."""
        small, why = self._try_small(request)
        if small.value is not None and small.confidence >= self.threshold:
            return Decision(small.value, "small", "It was sure enough.", small)
        if self.may_leave(request) is not True:
            return self._stay(small, f"{why} The request may not leave.")
        try:
            big = self._ask_big(request)
        except LabkitError as error:
            return self._stay(small, f"{why} The big model failed: {type(error).__name__}.")
        if big.value is None:
            return replace(self._stay(small, f"{why} The big model's answer does not fit either."), big=big)
        return Decision(big.value, "big", why, small, big)

    def _ask_big(self, request: Request) -> Answer:
        """The only door. It asks again, so that no new way through the code can go round the rule."""
        if self.may_leave(request) is not True:
            raise Refused("This request may not leave.", "it is marked as private", "ask a person")
        return self.big(request)

    def _try_small(self, request: Request) -> tuple[Answer, str]:
        try:
            small = self.small(request)
        except LabkitError as error:
            return Answer(None, -math.inf), f"The small model failed: {type(error).__name__}."
        if small.value is None:
            return small, "The small answer does not fit the schema."
        return small, f"Its confidence {small.confidence:.2f} is below {self.threshold:.2f}."

    @staticmethod
    def _stay(small: Answer, reason: str) -> Decision:
        return Decision(small.value, "nobody" if small.value is None else "small", reason, small)


# ---- answerers -----------------------------------------------------------------------------------------------------------------


def by_margin(endpoint) -> Answerer:
    """Return an answerer of one call; its confidence is the margin, in nats, between the two likeliest labels.

    Where the endpoint gives no probabilities, the confidence is 0: below any threshold above 0, so such a router escalates.
    Taught in notebook 02, section "Sizes and times".
    """

    def answer(request: Request) -> Answer:
        known = endpoint.capabilities["logprobs"]
        reply = _ask(endpoint, request, **({"logprobs": True, "top_logprobs": ALTERNATIVES} if known else {}))
        return _answer(reply, request, margin(reply, request.options))

    return answer


def by_votes(endpoint, votes: int = 5, temperature: float = 0.8) -> Answerer:
    """Return an answerer that asks `votes` times; its confidence is the share of the votes that the winner has.

    The votes differ by their seed and `temperature`; an answer that does not fit the schema is a vote for nothing.
    """

    def answer(request: Request) -> Answer:
        ask = [lambda seed=n: _ask(endpoint, request, temperature=temperature, seed=seed) for n in range(votes)]
        replies, seconds = _together(ask)
        return replace(_count([_answer(reply, request) for reply in replies]), seconds=seconds)

    return answer


def by_more_compute(endpoint, worked: Callable[[Request], Sequence[tuple[str, str]]], votes: int = 5) -> Answerer:
    """Return an answerer that gives one model more compute: worked examples, five votes, and a second stage.

    worked(request): examples to draw from. Each vote sees all of them in another order, after the request's own. If the votes
    disagree, the two labels with most of them are put to the model again, alone. It is the same model all the same.
    """

    def answer(request: Request) -> Answer:
        pool = list(dict.fromkeys([*request.examples, *worked(request)]))
        shuffled = [tuple(random.Random(n).sample(pool, len(pool))) for n in range(votes)]
        ask = [lambda shown=shown: _ask(endpoint, replace(request, examples=shown)) for shown in shuffled]
        replies, seconds = _together(ask)
        first = [_answer(reply, request) for reply in replies]
        counted, ranked = replace(_count(first), seconds=seconds), _ranked(first)
        if len(ranked) < 2 or len(request.options) < 3:
            return counted
        final = {label for label, _ in ranked[:2]}
        examples = tuple(pair for pair in shuffled[0] if pair[1] in final)
        duel = replace(request, options=tuple(one for one in request.options if one in final), examples=examples)
        last = _answer(_ask(endpoint, duel), duel)
        both = replace(_tokens([counted, last]), seconds=seconds + last.seconds)
        return replace(both, value=last.value or counted.value, confidence=counted.confidence)

    return answer


def margin(reply, options: Sequence[str]) -> float:
    """Return by how many nats the label that was written leads before the nearest other one, where the two part.

    Read from the log-probabilities of the reply's tokens; tokens that begin no label do not count, and a label that is not among
    the alternatives counts as the last of them. 0.0 without log-probabilities, or without a label.
    """
    logprobs = reply.raw.choices[0].logprobs if reply.raw else None
    value = _value(reply, options)
    if value is None or not logprobs or not logprobs.content:
        return 0.0
    begin, at, lead = reply.text.rfind(json.dumps(value)) + 1, 0, math.inf
    rest = [one for one in options if one != value]
    for token in logprobs.content:
        end = at + len(token.token)
        still = [one for one in rest if end <= begin or _may_become(reply.text[begin:end], one)]
        if still != rest:
            parted = [one for one in rest if one not in still]
            lead = min(lead, token.logprob - _rival(token.top_logprobs, reply.text[:at], begin, parted))
        rest, at = still, end
    return max(0.0, lead) if math.isfinite(lead) else 0.0


def _rival(alternatives, before: str, begin: int, labels: Sequence[str]) -> float:
    """Log-probability of the likeliest alternative token that begins or goes on with one of `labels`, or of the last of all."""
    fits = [a.logprob for a in alternatives if any(_may_become((before + a.token)[begin:], one) for one in labels)]
    return max(fits, default=min((a.logprob for a in alternatives), default=math.inf))


def _may_become(written: str, label: str) -> bool:
    """Whether `written`, from the first letter of the label on, is the beginning of the label, or the label and what follows."""
    whole = f'{label}"'
    return bool(written) and (whole.startswith(written) or written.startswith(whole))


def _ask(endpoint, request: Request, **parameters):
    messages = conversation(request.text, request.examples, request.ask)
    return endpoint.chat(messages, max_tokens=MOST_TOKENS, response_format=one_of(request.options), **parameters)


def _answer(reply, request: Request, confidence: float = 0.0) -> Answer:
    value = _value(reply, request.options)
    sure = -math.inf if value is None else confidence
    return Answer(value, sure, reply.seconds, reply.prompt_tokens, reply.completion_tokens)


def _value(reply, options: Sequence[str]) -> str | None:
    try:
        value = json.loads(reply.text)["choice"]
    except (ValueError, TypeError, KeyError):
        return None
    return value if value in options else None


def _together(calls: Sequence[Callable]) -> tuple[list, float]:
    """Make the calls at the same time (an engine reads its weights once for all that it decodes together); time the whole."""
    started = time.perf_counter()
    with ThreadPoolExecutor(len(calls)) as pool:
        results = [one.result() for one in [pool.submit(call) for call in calls]]
    return results, time.perf_counter() - started


def _ranked(votes: Sequence[Answer]) -> list[tuple[str, int]]:
    return Counter(one.value for one in votes if one.value is not None).most_common()


def _count(votes: Sequence[Answer]) -> Answer:
    """The label with most votes (the first of several), and its share of all votes as confidence."""
    value, won = (_ranked(votes) or [(None, -math.inf)])[0]
    return replace(_tokens(votes), value=value, confidence=won / len(votes))


def _tokens(answers: Sequence[Answer]) -> Answer:
    """An answer without a value that has the tokens of several."""
    prompt, completion = (sum(getattr(one, name) for one in answers) for name in ("prompt_tokens", "completion_tokens"))
    return Answer(None, -math.inf, 0.0, prompt, completion)
