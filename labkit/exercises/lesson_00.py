"""The exercises of notebook 00, start here."""

from __future__ import annotations

from labkit.errors import ContextTooLong
from labkit.exercises import Answers, Exercise, Wrong, cases, require, show

# -- What runs here -----------------------------------------------------------------------------------------------------


def check_weight_bytes(weight_bytes):
    require(callable(weight_bytes), f"{show(weight_bytes)} is not a function.")
    small = weight_bytes(1_000_000, 8)
    require(small != 8_000_000, "you counted bits; a byte is 8 bits.")
    require(small == 1_000_000, f"a million weights of 8 bits are a million bytes, and you returned {show(small)}.")
    cases(weight_bytes, [(134_515_008, 16, 269_030_016), (134_515_008, 4, 67_257_504)], "bits is a parameter, use it")


WEIGHT_BYTES = Exercise(
    id="00.1",
    title="How big is a model",
    section="What runs here",
    task="Write `weight_bytes(parameters, bits)`: the bytes that a model's weights take when each is stored in `bits` bits.",
    expects="a function of two numbers that returns a number of bytes",
    check=check_weight_bytes,
    hints=[
        "A weight of 16 bits takes 2 bytes.",
        "Multiply, then turn bits into bytes.",
        "`return parameters * bits / 8`",
    ],
    solution="def weight_bytes(parameters, bits):\n    return parameters * bits / 8",
    why="This product is most of the memory that a small model needs; the rest is the context it keeps.",
    answers=Answers(
        blank=["def weight_bytes(parameters, bits):\n    ..."],
        wrong=[
            Wrong("weight_bytes = 269_030_016", "not a function", "gave the number for one model"),
            Wrong(
                "def weight_bytes(parameters, bits):\n    return parameters * bits", "counted bits", "bits for bytes"
            ),
            Wrong(
                "def weight_bytes(parameters, bits):\n    return parameters * bits / 8 / 1e9",
                "a million bytes",
                "gigabytes for bytes",
            ),
            Wrong("def weight_bytes(parameters, bits):\n    return parameters", "bits is a parameter", "a fixed width"),
        ],
        right=["weight_bytes = lambda parameters, bits: parameters * bits // 8"],
    ),
)

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


MESSAGES = Exercise(
    id="00.2",
    title="A conversation is a list",
    section="The first answer",
    task=(
        "Make `messages`, a list of three: your question about France, the model's answer (`first.text`), and the follow-up "
        "`And of Italy?`."
    ),
    expects='a list of dicts, each with "role" and "content"',
    check=check_messages,
    hints=[
        "Roles are `user` (you) and `assistant` (the model).",
        "Three dicts: user, assistant, user.",
        '`{"role": "assistant", "content": first.text}` is the middle one.',
    ],
    solution=(
        "messages = [\n"
        '    {"role": "user", "content": "What is the capital of France?"},\n'
        '    {"role": "assistant", "content": first.text},\n'
        '    {"role": "user", "content": "And of Italy?"},\n'
        "]"
    ),
    why="A chat model has no memory between calls; every agent you will build carries its history along like this.",
    answers=Answers(
        setup='class first:\n    text = "The capital of France is Paris."',
        blank=["messages = ...", "messages = None"],
        wrong=[
            Wrong('messages = "And of Italy?"', "not a list", "a text instead of messages"),
            Wrong('messages = ["And of Italy?"]', "is a dict", "texts instead of messages"),
            Wrong(
                'messages = [{"role": "user", "content": "And of Italy?"}]',
                "remembers nothing",
                "thinks that the server remembers",
            ),
            Wrong(
                'messages = [{"role": "user", "content": "What is the capital of France?"}, {"role": "user", "content": "And of Italy?"}]',
                "answer is missing",
                "keeps only one side",
            ),
            Wrong(
                'messages = [{"role": "assistant", "content": first.text}, {"role": "user", "content": "And of Italy?"}]',
                "alternate and end with you",
                "starts with the answer",
            ),
            Wrong(
                'messages = [{"role": "user", "content": "Of France?"}, {"role": "assistant", "content": first.text}, {"role": "user", "content": "Thanks"}]',
                "ask about Italy",
                "another follow-up",
            ),
            Wrong(
                'messages = [{"role": "user", "content": "Of France?"}, {"role": "assistant", "content": "..."}, {"role": "user", "content": "And of Italy?"}]',
                "word for word",
                "made the answer up",
            ),
        ],
        right=[
            'messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Of France?"}, '
            '{"role": "assistant", "content": first.text}, {"role": "user", "content": "And of Italy?"}]'
        ],
    ),
)

# -- Streaming ----------------------------------------------------------------------------------------------------------


def check_decode_speed(decode_speed):
    require(callable(decode_speed), f"{show(decode_speed)} is not a function.")
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


DECODE_SPEED = Exercise(
    id="00.3",
    title="Tokens a second",
    section="Streaming",
    task=(
        "Write `decode_speed(started, arrivals)`: tokens a second while the model writes. `arrivals` holds the time of each "
        "token, in seconds. The wait for the first one does not count."
    ),
    expects="a function of a number and a list of numbers that returns tokens a second",
    check=check_decode_speed,
    hints=[
        "Look at the plot: the slope of the line after its first point.",
        "How many gaps lie between n tokens?",
        "`(len(arrivals) - 1) / (arrivals[-1] - arrivals[0])`",
    ],
    solution="def decode_speed(started, arrivals):\n    return (len(arrivals) - 1) / (arrivals[-1] - arrivals[0])",
    why="Benchmarks report two figures, time to first token and time per token, because different things make each slow.",
    answers=Answers(
        blank=["def decode_speed(started, arrivals):\n    ..."],
        wrong=[
            Wrong("decode_speed = 30.0", "not a function", "a figure instead of a rule"),
            Wrong(
                "def decode_speed(started, arrivals):\n    return len(arrivals) / (arrivals[-1] - started)",
                "wait for the first token",
                "includes the prompt",
            ),
            Wrong(
                "def decode_speed(started, arrivals):\n    return len(arrivals) / (arrivals[-1] - arrivals[0])",
                "four gaps",
                "fence-post error",
            ),
            Wrong(
                "def decode_speed(started, arrivals):\n    return len(arrivals) - 1",
                "1 token a second",
                "forgot to divide by time",
            ),
            Wrong(
                "def decode_speed(started, arrivals):\n    return (arrivals[-1] - arrivals[0]) / (len(arrivals) - 1)",
                "since any start",
                "seconds per token",
            ),
        ],
        right=["import statistics\ndecode_speed = lambda s, a: 1 / statistics.mean(y - x for x, y in zip(a, a[1:]))"],
    ),
)

# -- How fast is it -----------------------------------------------------------------------------------------------------


def check_throughput(throughput):
    require(callable(throughput), f"{show(throughput)} is not a function.")
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


THROUGHPUT = Exercise(
    id="00.4",
    title="Throughput",
    section="How fast is it",
    task=(
        "Write `throughput(answers)`: tokens a second of the whole machine. `answers` is a list of `(started, finished, "
        "tokens)`, times in seconds."
    ),
    expects="a function of a list of triples that returns tokens a second",
    check=check_throughput,
    hints=[
        "All tokens, divided by the wall-clock time in which they came.",
        "The wall clock runs from the first start to the last finish.",
        "`sum(tokens)` over `max(finished) - min(started)`",
    ],
    solution=(
        "def throughput(answers):\n"
        "    started, finished, tokens = zip(*answers)\n"
        "    return sum(tokens) / (max(finished) - min(started))"
    ),
    why="One learner feels latency, a server for thirty is bought by throughput; batching trades one for the other.",
    answers=Answers(
        blank=["def throughput(answers):\n    ..."],
        wrong=[
            Wrong("throughput = 64", "not a function", "a figure instead of a rule"),
            Wrong(
                "def throughput(answers):\n    return sum(n for _, _, n in answers) / sum(f - s for s, f, _ in answers)",
                "averaged",
                "adds up times that overlap",
            ),
            Wrong(
                "def throughput(answers):\n    return sum(n for _, _, n in answers)", "64 a second", "forgot the time"
            ),
            Wrong(
                "def throughput(answers):\n    return sum(n / (f - s) for s, f, n in answers)",
                "first start to last end",
                "adds speeds even when they did not overlap",
            ),
        ],
        right=[
            "def throughput(answers):\n"
            "    return sum(a[2] for a in answers) / (max(a[1] for a in answers) - min(a[0] for a in answers))"
        ],
    ),
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


IGNORED = Exercise(
    id="00.5",
    title="Accepted, and ignored",
    section="What this engine can do",
    task="From `capabilities.results`, collect in `ignored` the names of what does not work here.",
    expects="a list of names from the table",
    check=check_ignored,
    hints=[
        "`capabilities.results` maps a name to an object with `ok` and `note`.",
        "Keep the names whose `ok` is false.",
        "`[name for name, one in capabilities.results.items() if not one.ok]`",
    ],
    solution="ignored = [name for name, one in capabilities.results.items() if not one.ok]",
    why="An engine that ignores a parameter answers with status 200; only a look at the answer finds it out.",
    answers=Answers(
        setup=(
            "from labkit.backends import Capabilities, Capability\n"
            "capabilities = Capabilities('demo', '1', 'm', '2026-01-01', {\n"
            "    'streaming': Capability(True, '24 pieces'), 'seed': Capability(True, 'same'),\n"
            "    'tools': Capability(False, '0 tokens'), 'tool_choice': Capability(False, 'no call')})"
        ),
        blank=["ignored = ..."],
        wrong=[
            Wrong('ignored = "tools"', "not a list", "a text instead of a list"),
            Wrong("ignored = []", "missed 2", "believes that all works"),
            Wrong('ignored = ["required"]', "not among the rows", "names a value, not a capability"),
            Wrong(
                "ignored = [name for name, one in capabilities.results.items() if one.ok]",
                "works here",
                "the other half",
            ),
            Wrong('ignored = ["tools"]', "missed 1", "thinks that one follows from the other"),
        ],
        right=['ignored = {"tools", "tool_choice"}', 'ignored = ["tool_choice", "tools"]'],
    ),
)

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
    require(callable(ask), f"{show(ask)} is not a function.")
    require(ask(_Engine(), "hello") == "Paris.", "when all goes well, the answer's text should come back.")
    error = ContextTooLong("too long", "one window", "a shorter prompt")
    try:
        got = ask(_Engine(error), "x " * 9999)
    except ContextTooLong:
        require(False, "the error came through; catch `LabkitError` and return its `fix`.")
    require(got == error.fix, f"the learner should see what to try, {show(error.fix)}; you returned {show(got)}.")
    try:
        ask(_Engine(ZeroDivisionError("a bug of your own")), "hello")
    except ZeroDivisionError:
        return
    require(False, "you also swallowed a bug that is not the engine's; catch `LabkitError` and nothing wider.")


ASK = Exercise(
    id="00.6",
    title="Catch what you expect",
    section="Where errors show",
    task=(
        "Write `ask(endpoint, prompt)`: return the answer's text; when labkit raises one of its own errors, return the error's "
        "`fix` instead. Any other error is a bug and must show."
    ),
    expects="a function of an endpoint and a prompt that returns a str",
    check=check_ask,
    hints=[
        "`labkit.LabkitError` is the root of labkit's errors.",
        "`try:` … `except labkit.LabkitError as error:`",
        "Return `error.fix` in the `except` branch.",
    ],
    solution=(
        "import labkit\n\n"
        "def ask(endpoint, prompt):\n"
        "    try:\n"
        "        return endpoint.chat(prompt).text\n"
        "    except labkit.LabkitError as error:\n"
        "        return error.fix"
    ),
    why="An agent that swallows every error looks calm and does nothing; one that names what it expects can be mended.",
    answers=Answers(
        setup="import labkit",
        blank=["def ask(endpoint, prompt):\n    ..."],
        wrong=[
            Wrong('ask = "Paris."', "not a function", "an answer instead of a function"),
            Wrong(
                "def ask(endpoint, prompt):\n    return endpoint.chat(prompt)",
                "answer's text",
                "returns the Reply object",
            ),
            Wrong(
                "def ask(endpoint, prompt):\n    return endpoint.chat(prompt).text", "came through", "catches nothing"
            ),
            Wrong(
                "def ask(endpoint, prompt):\n    try:\n        return endpoint.chat(prompt).text\n"
                "    except labkit.LabkitError as error:\n        return str(error)",
                "what to try",
                "returns the whole message",
            ),
            Wrong(
                "def ask(endpoint, prompt):\n    try:\n        return endpoint.chat(prompt).text\n"
                "    except Exception as error:\n        return getattr(error, 'fix', '')",
                "swallowed a bug",
                "catches everything",
            ),
        ],
        right=[
            "def ask(endpoint, prompt):\n    try:\n        reply = endpoint.chat(prompt, max_tokens=20)\n"
            "    except (labkit.LabkitError,) as error:\n        return error.fix\n    return reply.text"
        ],
    ),
)

EXERCISES = [WEIGHT_BYTES, MESSAGES, DECODE_SPEED, THROUGHPUT, IGNORED, ASK]
