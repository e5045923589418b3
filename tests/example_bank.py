"""A worked example of an exercise bank, to copy from: a value, a function and a class. The tests use it too.

Here are the checkers; the texts and answers lie in example_exercises/99.1.toml and its neighbours.
"""

import sys
from pathlib import Path

from labkit.exercises import cases, require, require_function, show, wrong
from labkit.exercises.rows import made, read

FILES = sorted((Path(__file__).parent / "example_exercises").glob("99.*.toml"))


def check_threads(threads, cores):
    require(isinstance(threads, int), f"{show(threads)} is not a whole number.")
    require(threads != cores, f"with all {cores} cores busy, nothing is left for the notebook itself.")
    require(1 <= threads < cores, f"{show(threads)} threads do not fit on {cores} cores.")


def check_thermostat(thermostat):
    require_function(thermostat)
    if thermostat(15) == "off" and thermostat(25) == "on":
        wrong("the comparison is turned round: 15 degrees is colder than the setpoint.", look="your `if`")
    cases(thermostat, [(15, "on"), (20, "off"), (25, "off")])


def check_vacuum(Vacuum):
    vacuum = Vacuum()
    first, second = vacuum.act("dirty"), vacuum.act("dirty")
    require(first == "suck", f"on a dirty tile it did {show(first)}.")
    require(second != "suck", "it sucks for ever: it does not remember that it has just sucked here.")


EXERCISES = [made(read(file), sys.modules[__name__]) for file in FILES]
