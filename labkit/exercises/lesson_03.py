"""The exercises of lesson 03: a block by hand, bits, a level under limits, what tipped the answer, what is fragile, who agrees."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from labkit.exercises import require, require_function, returned, show

# -- By hand ------------------------------------------------------------------------------------------------------------


def check_quantize_block(quantize_block):
    require_function(quantize_block)
    block = np.array([0.5, -1.27, 0.0, 0.016])
    found = quantize_block(block)
    returned(found, "two things, the scale and the whole numbers", tuple, parts=2)
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


# -- Bits and bytes -----------------------------------------------------------------------------------------------------


def check_bits_per_weight(bits_per_weight):
    require_function(bits_per_weight)
    q8 = bits_per_weight(32, 8, 16)
    require(q8 != 24, "the scale is shared: divide its bits by the number of weights.")
    require(q8 == 8.5, f"Q8_0, 32 numbers of 8 bits and a scale of 16, takes 8.5 bits a weight; yours says {show(q8)}.")
    require(bits_per_weight(256, 4, 16) == 4.0625, "a longer block shares its scale among more weights.")
    require(
        bits_per_weight(32, 5, 16, 16) == 6.0,
        "Q5_1 stores a minimum of 16 bits as well, in `extra_bits`: that makes 6.",
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
    require_function(choose_level)
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


# -- The flip -----------------------------------------------------------------------------------------------------------


def check_tipped_by(tipped_by):
    require_function(tipped_by)
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


# -- Three repairs ------------------------------------------------------------------------------------------------------


def check_fragile(fragile):
    require_function(fragile)
    margins = {"tied": 0.1, "sure": 2.1, "other": -0.2, "edge": 0.3, "wrong": -4.0}
    found = fragile(margins, 0.3)
    returned(found, "the names")
    require("sure" not in found, "a lead of 2.1 cannot be turned by a push of 0.3.")
    require("wrong" not in found, "-4.0 is as sure as +4.0, only of something else: take `abs`.")
    require("other" in found, "-0.2 is nearly tied as well: a push of 0.3 can turn it.")
    require("edge" in found, "a push of 0.3 makes a lead of 0.3 a tie: count it.")
    require(
        list(found) == ["tied", "other", "edge"], f"return the names in the order of the dict; yours are {show(found)}."
    )


# -- Levels and devices -------------------------------------------------------------------------------------------------


def check_widest_that_fits(widest_that_fits):
    require_function(widest_that_fits)
    levels = {"Q4_0": 4.5, "F16": 16.0, "Q8_0": 8.5}
    found = widest_that_fits(8_000_000_000, 9_000_000_000, levels)
    require(found != "F16", "8 billion weights of 16 bits are 16 GB: divide bits by 8 to get bytes.")
    require(found != "Q4_0", "Q8_0 fits too (8.5 GB), and it is wider: the dict's order says nothing about the bits.")
    require(found == "Q8_0", f"return the name of the level; yours returned {show(found)}.")
    require(widest_that_fits(8_000_000_000, 1_000_000_000, levels) is None, "when none fits, return None.")


# -- The same model in other formats ------------------------------------------------------------------------------------


def check_agreed(agreed):
    require_function(agreed)
    found = agreed([5, 7, 9, 2], [5, 7, 8, 2])
    returned(found, "two numbers, the places that agree and the places that count", tuple, parts=2)
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
