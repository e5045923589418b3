"""The exercises of notebook 00, start here."""

from __future__ import annotations

from labkit.errors import ContextTooLong
from labkit.exercises import cases, raises, require, require_function, show

# -- What runs here -----------------------------------------------------------------------------------------------------


def check_weight_bytes(weight_bytes):
    require_function(weight_bytes)
    small = weight_bytes(1_000_000, 8)
    require(small != 8_000_000, "you counted bits; a byte is 8 bits.")
    require(small == 1_000_000, f"a million weights of 8 bits are a million bytes, and you returned {show(small)}.")
    cases(weight_bytes, [(134_515_008, 16, 269_030_016), (134_515_008, 4, 67_257_504)], "bits is a parameter, use it")


# -- The first answer ---------------------------------------------------------------------------------------------------


def check_messages(messages):
    require(isinstance(messages, list), f"{show(messages)} is not a list of messages.")
    require(
        all(isinstance(m, dict) and {"role", "content"} <= m.keys() for m in messages),
        "each message is a dict with a role and a content.",
    )
    roles = [m["role"] for m in messages if m["role"] != "system"]
    require(
        len(roles) > 1,
        "the model remembers nothing: what is not in the list was never said. Put the first turn in, too.",
    )
    require("assistant" in roles, "the answer is missing: the model sees only your side and cannot know what it said.")
    require(
        roles == ["user", "assistant", "user"], f"the turns alternate and end with you; yours go {', '.join(roles)}."
    )
    require("italy" in messages[-1]["content"].lower(), "the last message should ask about Italy.")
    require("paris" in messages[-2]["content"].lower(), "the second turn should be the model's answer, word for word.")


# -- Streaming ----------------------------------------------------------------------------------------------------------


def check_decode_speed(decode_speed):
    require_function(decode_speed)
    got = decode_speed(0.0, [2.0, 3.0, 4.0, 5.0, 6.0])
    require(
        abs(got - 5 / 6) > 1e-6, "you counted the wait for the first token; that is reading the prompt, not writing."
    )
    require(abs(got - 5 / 4) > 1e-6, "five tokens have only four gaps between them.")
    require(
        abs(got - 1 / 1.0) < 1e-6, f"five tokens, one second apart, are 1 token a second; you returned {show(got)}."
    )
    cases(
        decode_speed, [(0.0, [0.1, 0.15, 0.2], 20.0), (10.0, [10.5, 11.0], 2.0)], "times are in seconds since any start"
    )


# -- How fast is it -----------------------------------------------------------------------------------------------------


def check_throughput(throughput):
    require_function(throughput)
    together = throughput([(0.0, 3.0, 48), (0.0, 3.0, 48), (0.0, 3.0, 48), (0.0, 3.0, 48)])
    require(
        abs(together - 16) > 1e-6,
        "you averaged the answers' own speeds; they ran at the same time, so their tokens add up.",
    )
    require(abs(together - 64) < 1e-6, f"192 tokens in 3 seconds are 64 a second; you returned {show(together)}.")
    cases(
        throughput,
        [([(0.0, 2.0, 20), (2.0, 4.0, 20)], 10.0)],
        "one after the other takes both times: from first start to last end",
    )


# -- What this engine can do --------------------------------------------------------------------------------------------


def check_ignored(ignored, capabilities):
    require(not isinstance(ignored, str) and hasattr(ignored, "__iter__"), f"{show(ignored)} is not a list of names.")
    names, truth = set(ignored), {name for name, one in capabilities.results.items() if not one.ok}
    unknown = names - capabilities.results.keys()
    require(not unknown, f"{show(sorted(map(str, unknown)))} is not among the rows of the table.")
    works = sorted(names - truth)
    require(not works, f"{show(works)} works here: read the column `works`, not the column `seen`.")
    missed = sorted(truth - names)
    require(not missed, f"you missed {len(missed)}: the engine accepts the parameter, but the probe saw no effect.")


# -- Where errors show --------------------------------------------------------------------------------------------------


class _Answer:
    text = "Paris."


class _Engine:
    """Stands for an endpoint in the check: it answers, or raises what it was made with."""

    def __init__(self, error: Exception | None = None):
        self.error = error

    def chat(self, prompt, **parameters):
        if self.error:
            raise self.error
        return _Answer()


def check_ask(ask):
    require_function(ask)
    require(ask(_Engine(), "hello") == "Paris.", "when all goes well, the answer's text should come back.")
    error = ContextTooLong("too long", "one window", "a shorter prompt")
    try:
        got = ask(_Engine(error), "x " * 9999)
    except ContextTooLong:
        require(False, "the error came through; catch `LabkitError` and return its `fix`.")
    require(got == error.fix, f"the learner should see what to try, {show(error.fix)}; you returned {show(got)}.")
    buggy = _Engine(ZeroDivisionError("a bug of your own"))
    because = "you also swallowed a bug that is not the engine's; catch `LabkitError` and nothing wider."
    raises(ZeroDivisionError, lambda: ask(buggy, "hello"), because)
