"""Prompts for a benchmark: as long as wished, the same on every engine, and no two with the same beginning.

    prompts(8, words=64, series="round 1")      # eight user messages

They differ from the first word on, because engines keep the beginnings of earlier prompts (prefix caching) and would skip the
work that is to be timed. Each word is one token in the vocabulary of the bundled model, and in most others; the chat template and
the task around the words add some, so results carry the counts of the engine.

Taught in notebook 12, section "More servers".
"""

from __future__ import annotations

import random

__all__ = ["prompts"]

WORDS = [
    "river", "stone", "bread", "lamp", "ship", "garden", "window", "letter", "market", "winter", "summer", "mountain",
    "forest", "music", "doctor", "teacher", "village", "bridge", "engine", "hammer", "ladder", "candle", "mirror",
    "pocket", "blanket", "orange", "lemon", "apple", "butter", "pepper", "silver", "copper", "island", "harbor",
    "tunnel", "desert", "valley", "meadow", "tower", "castle", "kitchen", "basket", "bottle", "pencil", "paper",
    "camera", "clock", "radio", "piano", "guitar", "violin", "soldier", "farmer", "sailor", "painter", "writer",
    "baker", "hunter", "king", "queen", "horse", "tiger", "rabbit", "eagle", "spider", "snake", "whale", "turtle",
]  # fmt: skip
# Where an engine cannot be told to write on, the task has to make the answer long.
TASK = "\nWrite a very long story in which all of these words occur, with many details."


def prompts(count: int, words: int, series: str) -> list[str]:
    """Return `count` prompts of `words` words and a task; the same `series` gives the same prompts, another one others."""
    draw = random.Random(series)
    return [" " + " ".join(draw.choices(WORDS, k=words)) + TASK for _ in range(count)]
