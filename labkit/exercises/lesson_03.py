"""The exercises of lesson 03: a block by hand, its bits, a level under limits, what tipped the answer, what is fragile, who agrees."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from labkit.exercises.core import Answers, Exercise, Wrong, require
from labkit.exercises.message import show

# -- By hand ------------------------------------------------------------------------------------------------------------


def check_quantize_block(quantize_block):
    require(callable(quantize_block), f"{show(quantize_block)} is not a function.")
    block = np.array([0.5, -1.27, 0.0, 0.016])
    found = quantize_block(block)
    require(
        isinstance(found, tuple) and len(found) == 2,
        f"it should return two things, the scale and the whole numbers; yours returned {show(found)}.",
    )
    scale, numbers = found
    require(scale > 0, "the largest weight counts without its sign: use `np.abs`.")
    require(
        np.isclose(scale, 0.01), f"the largest weight is 1.27, so the scale is 0.01; yours is {show(float(scale))}."
    )
    require(
        np.array_equal(numbers, np.round(numbers)),
        "the numbers should be whole: round them after dividing by the scale.",
    )
    require(
        np.array_equal(numbers, [50, -127, 0, 2]), "round to the nearest whole number: 0.016 is nearer to 2 scales."
    )
    require(np.array_equal(quantize_block(np.zeros(4))[1], [0, 0, 0, 0]), "a block of zeros divides by zero.")


QUANTIZE_BLOCK = Exercise(
    id="03.1",
    title="A block of eight bits",
    section="By hand",
    task=(
        "Write `quantize_block(block)`: return the scale, and the whole numbers from -127 to 127 that stand for the weights. "
        "`block` is a numpy array. A block of zeros gives zeros."
    ),
    expects="a function of an array that returns a tuple: scale, array of whole numbers",
    check=check_quantize_block,
    hints=[
        "The scale is the largest weight, without its sign, over 127.",
        "`np.round(block / scale)` gives the nearest whole numbers.",
        "For a block of zeros the scale would be 0: take 1.0 instead, as `scale = np.abs(block).max() / 127 or 1.0` does.",
    ],
    solution=(
        "def quantize_block(block):\n"
        "    scale = np.abs(block).max() / 127 or 1.0\n"
        "    return scale, np.round(block / scale).astype(int)"
    ),
    why="This is Q8_0, less its packing into bytes: one scale for each 32 weights, nothing else.",
    answers=Answers(
        setup="import numpy as np",
        blank=["def quantize_block(block):\n    ..."],
        wrong=[
            Wrong("quantize_block = 127", "not a function", "a number"),
            Wrong(
                "import numpy as np\nquantize_block = lambda b: np.round(b / 0.01)", "two things", "forgets the scale"
            ),
            Wrong(
                "import numpy as np\ndef quantize_block(b):\n    s = b.min() / 127\n    return s, np.round(b / s)",
                "without its sign",
                "a negative scale",
            ),
            Wrong(
                "import numpy as np\ndef quantize_block(b):\n    s = b.max() / 127\n    return s, np.round(b / s)",
                "the scale is 0.01",
                "the largest with its sign",
            ),
            Wrong(
                "import numpy as np\ndef quantize_block(b):\n    s = np.abs(b).max() / 127\n    return s, b / s",
                "should be whole",
                "forgets to round",
            ),
            Wrong(
                "import numpy as np\ndef quantize_block(b):\n    s = np.abs(b).max() / 127\n    return s, np.trunc(b / s + 1e-9)",
                "nearest whole number",
                "cuts off instead of rounding",
            ),
            Wrong(
                "import numpy as np\ndef quantize_block(b):\n    s = np.abs(b).max() / 127\n    return s, np.round(b / s)",
                "zeros",
                "divides by zero",
            ),
        ],
        right=[
            "import numpy as np\ndef quantize_block(b):\n    top = max(abs(x) for x in b)\n    if top == 0:\n"
            "        return 1.0, np.zeros(len(b), int)\n    return top / 127, np.rint(b * 127 / top).astype(np.int8)",
            "import numpy as np\ndef quantize_block(block):\n    scale = np.abs(block).max() / 127 or 1.0\n"
            "    return scale, np.round(block / scale).astype(int)",
        ],
    ),
)

# -- Bits and bytes -----------------------------------------------------------------------------------------------------


def check_bits_per_weight(bits_per_weight):
    require(callable(bits_per_weight), f"{show(bits_per_weight)} is not a function.")
    q8 = bits_per_weight(32, 8, 16)
    require(q8 != 24, "the scale is shared: divide its bits by the number of weights.")
    require(q8 == 8.5, f"Q8_0, 32 numbers of 8 bits and a scale of 16, takes 8.5 bits a weight; yours says {show(q8)}.")
    require(bits_per_weight(256, 4, 16) == 4.0625, "a longer block shares its scale among more weights.")
    require(
        bits_per_weight(32, 5, 16, 16) == 6.0,
        "Q5_1 stores a minimum of 16 bits as well, in `extra_bits`: that makes 6.",
    )


BITS_PER_WEIGHT = Exercise(
    id="03.2",
    title="What a weight really takes",
    section="Bits and bytes",
    task=(
        "Write `bits_per_weight(weights, bits, scale_bits, extra_bits=0)`: a block holds `weights` numbers of `bits` bits, a "
        "scale, and perhaps something extra. Return the bits that one weight takes of the file."
    ),
    expects="a function of whole numbers that returns a float",
    check=check_bits_per_weight,
    hints=["How many bits does the whole block take?", "Then divide by `weights`."],
    solution=(
        "def bits_per_weight(weights, bits, scale_bits, extra_bits=0):\n"
        "    return (weights * bits + scale_bits + extra_bits) / weights"
    ),
    why="So Q4_0 is 72 % below 16 bits, not 75, and Q8_0 is 53 %, not half.",
    answers=Answers(
        blank=["def bits_per_weight(weights, bits, scale_bits, extra_bits=0):\n    ..."],
        wrong=[
            Wrong("bits_per_weight = 8.5", "not a function", "one answer"),
            Wrong(
                "def bits_per_weight(w, b, s, e=0):\n    return b + s + e",
                "the scale is shared",
                "a scale for each weight",
            ),
            Wrong("def bits_per_weight(w, b, s, e=0):\n    return b", "takes 8.5 bits", "forgets the scale"),
            Wrong(
                "def bits_per_weight(w, b, s, e=0):\n    return b + s / 32", "among more weights", "32 in every case"
            ),
            Wrong("def bits_per_weight(w, b, s, e=0):\n    return b + s / w", "extra_bits", "forgets the extra"),
        ],
        right=[
            "def bits_per_weight(w, b, s, e=0):\n    return b + (s + e) / w",
            "def bits_per_weight(weights, bits, scale_bits, extra_bits=0):\n"
            "    return (weights * bits + scale_bits + extra_bits) / weights",
        ],
    ),
)

# -- The ladder ---------------------------------------------------------------------------------------------------------


def _level(name: str, mb: float, kl: float, speed: float) -> SimpleNamespace:
    return SimpleNamespace(name=name, mb=mb, kl=kl, speed=speed)


LEVELS = (
    _level("F16", 271, 0.0, 60),
    _level("Q8_0", 145, 0.005, 80),
    _level("Q5_1", 103, 0.03, 55),
    _level("Q2_K", 88, 0.6, 90),
)


def check_choose_level(choose_level):
    require(callable(choose_level), f"{show(choose_level)} is not a function.")
    found = choose_level(LEVELS, 150, 0.1)
    require(found is not LEVELS[3], "you chose Q2_K, which loses 0.6: more than the most allowed, 0.1.")
    require(found is not LEVELS[2], "two levels keep the limits; you chose the slower one.")
    require(found is not LEVELS[0], "you chose F16, which has 271 MB: more than the most allowed, 150.")
    require(
        found is LEVELS[1],
        f"return the level itself, the fastest that keeps both limits; yours returned {show(found)}.",
    )
    require(choose_level(LEVELS, 145, 0.005) is LEVELS[1], "exactly the limit is still allowed.")
    require(choose_level(LEVELS, 50, 0.1) is None, "when no level keeps the limits, return None: a person must decide.")


CHOOSE_LEVEL = Exercise(
    id="03.3",
    title="The fastest within limits",
    section="The ladder",
    task=(
        "Write `choose_level(levels, most_mb, most_loss)`. Each level has `name`, `mb`, `kl` and `speed`. Return the fastest "
        "one with at most that many MB and at most that KL divergence; None if there is none."
    ),
    expects="a function that returns one of the levels, or None",
    check=check_choose_level,
    hints=[
        "First keep those within both limits: `[one for one in levels if …]`.",
        "`max(kept, key=lambda one: one.speed)` is the fastest.",
        "`max(kept, key=…, default=None)` gives None when nothing is left.",
    ],
    solution=(
        "def choose_level(levels, most_mb, most_loss):\n"
        "    kept = [one for one in levels if one.mb <= most_mb and one.kl <= most_loss]\n"
        "    return max(kept, key=lambda one: one.speed, default=None)"
    ),
    why="Size and loss are limits, speed is the aim: that is a decision, and no table by kind of device can make it.",
    answers=Answers(
        blank=["def choose_level(levels, most_mb, most_loss):\n    ..."],
        wrong=[
            Wrong("choose_level = 'Q8_0'", "not a function", "a name"),
            Wrong(
                "choose_level = lambda levels, mb, kl: max((x for x in levels if x.mb <= mb), key=lambda x: x.speed, default=None)",
                "loses 0.6",
                "forgets the loss",
            ),
            Wrong(
                "choose_level = lambda levels, mb, kl: min((x for x in levels if x.mb <= mb and x.kl <= kl), "
                "key=lambda x: x.mb, default=None)",
                "slower one",
                "the smallest instead of the fastest",
            ),
            Wrong(
                "choose_level = lambda levels, mb, kl: min(levels, key=lambda x: x.kl)",
                "271 MB",
                "the closest, whatever its size",
            ),
            Wrong(
                "choose_level = lambda levels, mb, kl: max((x for x in levels if x.mb <= mb and x.kl <= kl), "
                "key=lambda x: x.speed).name",
                "the level itself",
                "returns the name",
            ),
            Wrong(
                "choose_level = lambda levels, mb, kl: max((x for x in levels if x.mb < mb and x.kl < kl), "
                "key=lambda x: x.speed, default=None)",
                "exactly the limit",
                "leaves out the limit",
            ),
            Wrong(
                "choose_level = lambda levels, mb, kl: max((x for x in levels if x.mb <= mb and x.kl <= kl), "
                "key=lambda x: x.speed, default=levels[-1])",
                "return None",
                "hands out something all the same",
            ),
        ],
        right=[
            "def choose_level(levels, most_mb, most_loss):\n    best = None\n    for one in levels:\n"
            "        if one.mb <= most_mb and one.kl <= most_loss and (best is None or one.speed > best.speed):\n"
            "            best = one\n    return best",
            "def choose_level(levels, most_mb, most_loss):\n"
            "    kept = [one for one in levels if one.mb <= most_mb and one.kl <= most_loss]\n"
            "    return max(kept, key=lambda one: one.speed, default=None)",
        ],
    ),
)

# -- The flip -----------------------------------------------------------------------------------------------------------


def check_tipped_by(tipped_by):
    require(callable(tipped_by), f"{show(tipped_by)} is not a function.")
    require(
        tipped_by(0.5, 0.4, 0.3) == "nothing", "at 0.5, 0.4 and 0.3 the answer never changed sign: return `nothing`."
    )
    require(
        tipped_by(0.1, 0.2, -0.3) == "activations",
        "the rounded weights alone (0.2) keep the answer, the quantized kernel (-0.3) does not: return `activations`.",
    )
    require(
        tipped_by(0.1, -0.2, -0.3) == "weights", "the rounded weights alone (-0.2) already flip it: return `weights`."
    )
    require(tipped_by(-0.1, 0.1, 0.2) == "weights", "from below 0 to above it is a flip as well.")


TIPPED_BY = Exercise(
    id="03.4",
    title="Which rounding tipped it",
    section="The flip",
    task=(
        "Write `tipped_by(original, rounded_weights, quantized)`, three margins. A flip is a change of sign. Return `weights` if "
        "the rounded weights alone flip the answer, `activations` if only the quantized kernel does, `nothing` if neither."
    ),
    expects="a function of three numbers that returns one of three words",
    check=check_tipped_by,
    hints=[
        "Two numbers have the same sign if `(a > 0) == (b > 0)`.",
        "Look at the rounded weights first: if they flip it, the kernel did not have to.",
    ],
    solution=(
        "def tipped_by(original, rounded_weights, quantized):\n"
        "    if (rounded_weights > 0) != (original > 0):\n"
        '        return "weights"\n'
        '    return "activations" if (quantized > 0) != (original > 0) else "nothing"'
    ),
    why="One thing changed at a time: the same values in another kernel tell the two roundings apart.",
    answers=Answers(
        blank=["def tipped_by(original, rounded_weights, quantized):\n    ..."],
        wrong=[
            Wrong("tipped_by = 'activations'", "not a function", "a word"),
            Wrong(
                "tipped_by = lambda o, w, q: 'activations' if abs(q - w) > abs(w - o) else 'weights'",
                "never changed sign",
                "takes the larger step for the cause",
            ),
            Wrong(
                "tipped_by = lambda o, w, q: 'nothing' if q > 0 else 'weights'",
                "return `activations`",
                "blames the weights",
            ),
            Wrong(
                "tipped_by = lambda o, w, q: 'nothing' if q > 0 else 'activations'",
                "already flip it",
                "blames the kernel",
            ),
            Wrong(
                "tipped_by = lambda o, w, q: 'weights' if w < 0 else 'activations' if q < 0 else 'nothing'",
                "a flip as well",
                "thinks that right answers are above 0",
            ),
        ],
        right=[
            "def tipped_by(o, w, q):\n    if o * w < 0:\n        return 'weights'\n    return 'activations' if o * q < 0 else 'nothing'",
            "def tipped_by(original, rounded_weights, quantized):\n    if (rounded_weights > 0) != (original > 0):\n"
            '        return "weights"\n    return "activations" if (quantized > 0) != (original > 0) else "nothing"',
        ],
    ),
)

# -- Three repairs ------------------------------------------------------------------------------------------------------


def check_fragile(fragile):
    require(callable(fragile), f"{show(fragile)} is not a function.")
    margins = {"tied": 0.1, "sure": 2.1, "other": -0.2, "edge": 0.3, "wrong": -4.0}
    found = fragile(margins, 0.3)
    require(found is not None, "it returned nothing; return the names.")
    require("sure" not in found, "a lead of 2.1 cannot be turned by a push of 0.3.")
    require("wrong" not in found, "-4.0 is as sure as +4.0, only of something else: take `abs`.")
    require("other" in found, "-0.2 is nearly tied as well: a push of 0.3 can turn it.")
    require("edge" in found, "a push of 0.3 makes a lead of 0.3 a tie: count it.")
    require(
        list(found) == ["tied", "other", "edge"], f"return the names in the order of the dict; yours are {show(found)}."
    )


FRAGILE = Exercise(
    id="03.5",
    title="Which prompts are fragile",
    section="Three repairs",
    task=(
        "Rounding moves margins by at most `shift`. Write `fragile(margins, shift)`: `margins` maps a prompt's name to its margin "
        "under F16. Return the list of names whose answer rounding may turn."
    ),
    expects="a function of a dict and a number that returns a list of names",
    check=check_fragile,
    hints=["A margin of -0.2 is as near to a tie as +0.2.", "`abs(margin) <= shift` is the question."],
    solution=(
        "def fragile(margins, shift):\n    return [name for name, margin in margins.items() if abs(margin) <= shift]"
    ),
    why="It needs F16 alone: you can find the prompts at risk before you have quantized anything.",
    answers=Answers(
        blank=["def fragile(margins, shift):\n    ..."],
        wrong=[
            Wrong("fragile = ['tied']", "not a function", "one answer"),
            Wrong("def fragile(margins, shift):\n    [n for n in margins]", "returned nothing", "forgets to return"),
            Wrong("def fragile(margins, shift):\n    return list(margins)", "lead of 2.1", "all of them"),
            Wrong(
                "def fragile(margins, shift):\n    return [n for n, m in margins.items() if m <= shift]",
                "-4.0",
                "takes a large negative margin for a tie",
            ),
            Wrong(
                "def fragile(margins, shift):\n    return [n for n, m in margins.items() if 0 <= m <= shift]",
                "nearly tied as well",
                "right answers only",
            ),
            Wrong(
                "def fragile(margins, shift):\n    return [n for n, m in margins.items() if abs(m) < shift]",
                "count it",
                "leaves out the edge",
            ),
            Wrong(
                "def fragile(margins, shift):\n    return sorted(n for n, m in margins.items() if abs(m) <= shift)",
                "order of the dict",
                "sorts by name",
            ),
        ],
        right=[
            "def fragile(margins, shift):\n    found = []\n    for name in margins:\n"
            "        if -shift <= margins[name] <= shift:\n            found.append(name)\n    return found",
            "def fragile(margins, shift):\n    return [name for name, margin in margins.items() if abs(margin) <= shift]",
        ],
    ),
)

# -- Levels and devices -------------------------------------------------------------------------------------------------


def check_widest_that_fits(widest_that_fits):
    require(callable(widest_that_fits), f"{show(widest_that_fits)} is not a function.")
    levels = {"Q4_0": 4.5, "F16": 16.0, "Q8_0": 8.5}
    found = widest_that_fits(8_000_000_000, 9_000_000_000, levels)
    require(found != "F16", "8 billion weights of 16 bits are 16 GB: divide bits by 8 to get bytes.")
    require(found != "Q4_0", "Q8_0 fits too (8.5 GB), and it is wider: the dict's order says nothing about the bits.")
    require(found == "Q8_0", f"return the name of the level; yours returned {show(found)}.")
    require(widest_that_fits(8_000_000_000, 1_000_000_000, levels) is None, "when none fits, return None.")


WIDEST_THAT_FITS = Exercise(
    id="03.6",
    title="A level for a machine",
    section="Levels and devices",
    task=(
        "Write `widest_that_fits(parameters, free_bytes, levels)`: `levels` maps a name to bits per weight. Return the name of the "
        "level with the most bits whose weights fit into the free bytes, or None."
    ),
    expects="a function that returns a name or None",
    check=check_widest_that_fits,
    hints=["`parameters * bits / 8` are the bytes.", "`max(names, key=levels.get, default=None)` is the widest."],
    solution=(
        "def widest_that_fits(parameters, free_bytes, levels):\n"
        "    kept = [name for name, bits in levels.items() if parameters * bits / 8 <= free_bytes]\n"
        "    return max(kept, key=levels.get, default=None)"
    ),
    why="The module's table by kind of device is this sum with the numbers left out. (The KV cache comes on top: lesson 02.)",
    answers=Answers(
        blank=["def widest_that_fits(parameters, free_bytes, levels):\n    ..."],
        wrong=[
            Wrong("widest_that_fits = 'Q8_0'", "not a function", "one answer"),
            Wrong(
                "widest_that_fits = lambda p, f, levels: max(levels, key=levels.get)",
                "16 GB",
                "does not look at the memory",
            ),
            Wrong(
                "def widest_that_fits(p, f, levels):\n    for n, b in levels.items():\n        if p * b / 8 <= f:\n            return n",
                "wider",
                "the first that fits",
            ),
            Wrong(
                "def widest_that_fits(p, f, levels):\n    return max(b for b in levels.values() if p * b / 8 <= f)",
                "name of the level",
                "returns the bits",
            ),
            Wrong(
                "def widest_that_fits(p, f, levels):\n    kept = [n for n in levels if p * levels[n] / 8 <= f]\n"
                "    return max(kept or ['Q4_0'], key=levels.get)",
                "return None",
                "gives the smallest all the same",
            ),
        ],
        right=[
            "def widest_that_fits(p, f, levels):\n    for name in sorted(levels, key=levels.get, reverse=True):\n"
            "        if p * levels[name] <= f * 8:\n            return name\n    return None",
            "def widest_that_fits(parameters, free_bytes, levels):\n"
            "    kept = [name for name, bits in levels.items() if parameters * bits / 8 <= free_bytes]\n"
            "    return max(kept, key=levels.get, default=None)",
        ],
    ),
)

# -- The same model in other formats ------------------------------------------------------------------------------------


def check_agreed(agreed):
    require(callable(agreed), f"{show(agreed)} is not a function.")
    found = agreed([5, 7, 9, 2], [5, 7, 8, 2])
    require(
        isinstance(found, tuple) and len(found) == 2,
        f"return two numbers, the places that agree and the places that count; yours returned {show(found)}.",
    )
    require(
        found[0] != 3,
        "the 2 at the end stands behind a difference, where the two had different words before: it counts for nothing.",
    )
    require(
        found[1] != 4, "places count up to the first difference, that one included; the rest was not the same question."
    )
    require(found == (2, 3), f"two places agree, and the third differs: (2, 3); yours says {show(found)}.")
    require(agreed([5, 7], [5, 7]) == (2, 2), "two equal answers differ at no place: (2, 2) for two tokens.")
    require(
        agreed([5, 7], [5, 7, 9]) == (2, 3),
        "one answer ends where the other goes on: that is a difference as well, at the third place.",
    )


AGREED = Exercise(
    id="03.7",
    title="Where two answers agree",
    section="The same model in other formats",
    task=(
        "Write `agreed(reference, other)`: two answers, as lists of token ids. Return a tuple: how many places agree, and how many "
        "count. A place counts as long as everything before it is the same in both."
    ),
    expects="a function of two lists that returns a tuple of two whole numbers",
    check=check_agreed,
    hints=[
        "Go through both lists together and stop at the first difference.",
        "All places before the difference agree; the difference itself counts too, and nothing behind it.",
        "`zip` stops at the shorter list: if the lists are not equal, there is a difference even so.",
    ],
    solution=(
        "def agreed(reference, other):\n"
        "    same = 0\n"
        "    while same < min(len(reference), len(other)) and reference[same] == other[same]:\n"
        "        same += 1\n"
        "    return same, same + (reference != other)"
    ),
    why="A model is asked anew at each token. Behind a difference two forms answer different questions.",
    answers=Answers(
        blank=["def agreed(reference, other):\n    ..."],
        wrong=[
            Wrong("agreed = (2, 3)", "not a function", "one answer"),
            Wrong(
                "def agreed(a, b):\n    return sum(x == y for x, y in zip(a, b)) / len(a)",
                "two numbers",
                "returns a share",
            ),
            Wrong(
                "def agreed(a, b):\n    return sum(x == y for x, y in zip(a, b)), len(a)",
                "behind a difference",
                "counts every place, whatever stands before it",
            ),
            Wrong(
                "def agreed(a, b):\n    n = 0\n    while n < min(len(a), len(b)) and a[n] == b[n]:\n        n += 1\n"
                "    return n, len(a)",
                "that one included",
                "takes the whole length for what counts",
            ),
            Wrong(
                "def agreed(a, b):\n    n = 0\n    while n < min(len(a), len(b)) and a[n] == b[n]:\n        n += 1\n"
                "    return n, n",
                "the third differs",
                "does not count the difference",
            ),
            Wrong(
                "def agreed(a, b):\n    n = 0\n    while n < min(len(a), len(b)) and a[n] == b[n]:\n        n += 1\n"
                "    return n, n + 1",
                "differ at no place",
                "adds a difference where none is",
            ),
            Wrong(
                "def agreed(a, b):\n    for n, (x, y) in enumerate(zip(a, b)):\n        if x != y:\n"
                "            return n, n + 1\n    return min(len(a), len(b)), min(len(a), len(b))",
                "ends where the other goes on",
                "zip hides that one is longer",
            ),
        ],
        right=[
            "from itertools import zip_longest\ndef agreed(a, b):\n    same = 0\n    for x, y in zip_longest(a, b):\n"
            "        if x != y:\n            return same, same + 1\n        same += 1\n    return same, same",
            "def agreed(reference, other):\n    same = 0\n"
            "    while same < min(len(reference), len(other)) and reference[same] == other[same]:\n        same += 1\n"
            "    return same, same + (reference != other)",
        ],
    ),
)

EXERCISES = [QUANTIZE_BLOCK, BITS_PER_WEIGHT, CHOOSE_LEVEL, TIPPED_BY, FRAGILE, WIDEST_THAT_FITS, AGREED]
