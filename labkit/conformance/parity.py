"""The same weights, so the same answers? Prompts and greedy answers beside llama.cpp's, and where they part, why.

At work in notebook 08, section "The same answers, the same features".
"""

from __future__ import annotations

import math

from labkit.backends.base import Endpoint
from labkit.backends.capabilities import Capability
from labkit.conformance.reference import CONVERSATIONS, MOST, Answer, Reference, Step

__all__ = ["near_tie", "parting", "same_answers", "same_prompts"]

NEAR = 0.25  # log-probability: the second candidate has at least 78 % of the first one's chance


def same_prompts(endpoint: Endpoint, reference: Reference) -> Capability:
    """Compare how many tokens each conversation becomes: the chat template and the tokenizer at work."""
    extra = {}
    for name, messages in CONVERSATIONS.items():
        counted = endpoint.chat(messages, max_tokens=1).prompt_tokens
        extra[name] = counted - reference.answers[name].prompt_tokens
    differing = {name: more for name, more in extra.items() if more}
    if not differing:
        return Capability(True, f"{len(extra)} of {len(extra)} conversations become as many tokens as in llama.cpp")
    told = ", ".join(f"{name} {more:+d}" for name, more in differing.items())
    return Capability(False, f"tokens more or fewer than in llama.cpp: {told}. {_why(extra)}")


def _why(extra: dict[str, int]) -> str:
    """Say in words what such a difference comes from."""
    without_system = {name for name, messages in CONVERSATIONS.items() if messages[0]["role"] != "system"}
    differing = {name for name, more in extra.items() if more}
    if len(set(extra.values())) == 1:
        return "The same number everywhere: a mark at the beginning or the end of the prompt is added or left out."
    if differing == without_system and len({extra[name] for name in differing}) == 1:
        return "Only where the caller gives no system prompt: the template's own one is added or left out."
    if differing <= {"unicode", "white space"}:
        return "Only in unusual text: white space, special marks or characters are read in another way."
    return "The conversations are laid out by another chat template."


def same_answers(endpoint: Endpoint, reference: Reference) -> Capability:
    """Compare the greedy answers word by word. They may part only where llama.cpp itself saw a near tie."""
    notes, sound = [], True
    for name, messages in CONVERSATIONS.items():
        known, text = reference.answers[name], endpoint.chat(messages, max_tokens=MOST).text
        if text != known.text:
            at = parting(known, text)
            notes.append(f"{name}: {_told(known, text, at)}")
            sound = sound and near_tie(known, text, at)
    equal = f"{len(CONVERSATIONS) - len(notes)} of {len(CONVERSATIONS)} answers are llama.cpp's, word for word"
    return Capability(sound, ". ".join([equal, *notes]))


def parting(known: Answer, text: str) -> int:
    """Return the index of llama.cpp's token at which `text` leaves its answer."""
    said, written = text.encode(), b""
    for at, step in enumerate(known.steps):
        written += step.token
        if not said.startswith(written):
            return at
    return len(known.steps)


def near_tie(known: Answer, text: str, at: int) -> bool:
    """Whether llama.cpp itself saw the two candidates at token `at` as almost equally likely."""
    ours, theirs = _chances(known, text, at)
    return theirs is not None and ours - theirs <= NEAR


def _chances(known: Answer, text: str, at: int) -> tuple[float, float | None]:
    """Return the log-probabilities that llama.cpp gave to its own token and to the one that `text` goes on with."""
    if at >= len(known.steps):
        return 0.0, None
    step, rest = known.steps[at], text.encode()[len(_written(known, at)) :]
    ours = next((chance for token, chance in step.candidates if token == step.token), 0.0)
    return ours, _chance_of(step, rest)


def _chance_of(step: Step, rest: bytes) -> float | None:
    others = [(token, chance) for token, chance in step.candidates if token != step.token]
    fitting = [chance for token, chance in others if (rest.startswith(token) if token else not rest)]
    return max(fitting, default=None)


def _written(known: Answer, at: int) -> bytes:
    return b"".join(step.token for step in known.steps[:at])


def _told(known: Answer, text: str, at: int) -> str:
    """Tell where two answers part, and how sure llama.cpp was."""
    before = _written(known, at)
    go_on = [_shown(whole.encode()[len(before) :]) for whole in (known.text, text)]
    where = f"parts at token {at + 1}, llama.cpp {go_on[0]}, here {go_on[1]}"
    ours, theirs = _chances(known, text, at)
    if theirs is None:
        return f"{where}, which is not among llama.cpp's ten likeliest: no matter of rounding"
    chances = f"{math.exp(ours):.0%} against {math.exp(theirs):.0%}"
    verdict = "a near tie, which rounding decides" if ours - theirs <= NEAR else "too far apart for rounding alone"
    return f"{where}; llama.cpp's chances {chances}: {verdict}"


def _shown(rest: bytes) -> str:
    words = rest.decode("utf-8", "ignore")[:16]
    return repr(words) if words else "ends"
