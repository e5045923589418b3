"""A worked example of an exercise bank, to copy from: a value, a function and a class. The tests use it too."""

from labkit.exercises import Answers, Exercise, Wrong, cases, require, show, wrong


def check_threads(threads, cores):
    require(isinstance(threads, int), f"{show(threads)} is not a whole number.")
    require(threads != cores, f"with all {cores} cores busy, nothing is left for the notebook itself.")
    require(1 <= threads < cores, f"{show(threads)} threads do not fit on {cores} cores.")


def check_thermostat(thermostat):
    require(callable(thermostat), f"{show(thermostat)} is not a function.")
    if thermostat(15) == "off" and thermostat(25) == "on":
        wrong("the comparison is turned round: 15 degrees is colder than the setpoint.", look="your `if`")
    cases(thermostat, [(15, "on"), (20, "off"), (25, "off")])


def check_vacuum(Vacuum):
    vacuum = Vacuum()
    first, second = vacuum.act("dirty"), vacuum.act("dirty")
    require(first == "suck", f"on a dirty tile it did {show(first)}.")
    require(second != "suck", "it sucks for ever: it does not remember that it has just sucked here.")


EXERCISES = [
    Exercise(
        id="99.1",
        title="Leave a core free",
        section="What runs here",
        task="Choose how many threads the engine gets, so that the notebook still has a core.",
        expects="a whole number from 1 to one less than `cores`",
        check=check_threads,
        hints=["Who else needs a core?", "One less than all of them."],
        solution="threads = cores - 1",
        why="llama.cpp's threads spin while they wait, so one busy neighbour slows them all down.",
        answers=Answers(
            setup="cores = 4",
            blank=["threads = ...", "threads = None"],
            wrong=[
                Wrong("threads = '3'", "not a whole number", "gives text instead of a number"),
                Wrong("threads = cores", "nothing is left", "takes every core"),
                Wrong("threads = 64", "do not fit", "takes more threads than there are cores"),
            ],
            right=["threads = 3", "threads = 1"],
        ),
    ),
    Exercise(
        id="99.2",
        title="A thermostat",
        section="Agents that react",
        task="Write `thermostat(temperature)`: `on` below 20 degrees, else `off`.",
        expects="a function of one number that returns `on` or `off`, as a str",
        check=check_thermostat,
        hints=["Compare the temperature with 20."],
        solution='def thermostat(temperature):\n    return "on" if temperature < 20 else "off"',
        why="A rule on the current percept is all that a simple reflex agent has.",
        seconds=1.0,
        answers=Answers(
            blank=["def thermostat(temperature):\n    action = ...\n    return action"],
            wrong=[
                Wrong("thermostat = 42", "`42` is not a function", "gives a value instead of a function"),
                Wrong("thermostat = lambda t: 'off' if t < 20 else 'on'", "turned round", "turns the comparison round"),
                Wrong("thermostat = lambda t: 'on' if t <= 20 else 'off'", "(20)` returned `'on'`", "is off by one"),
                Wrong("thermostat = lambda: 'on'", "takes 0 positional arguments", "forgets the percept"),
                Wrong("def thermostat(t):\n    return t / 0", "line 2: `return t / 0`", "divides by zero"),
                Wrong(
                    "def thermostat(t):\n    while True:\n        pass", "still running", "waits for warmth in a loop"
                ),
            ],
            right=["thermostat = lambda t: 'on' if t < 20 else 'off'"],
        ),
    ),
    Exercise(
        id="99.3",
        title="A vacuum that remembers",
        section="Agents with a model",
        task="Let `Vacuum.act(percept)` answer `suck` the first time that a tile is dirty, then `move`.",
        expects="a class with a method `act(percept)` that returns a str",
        check=check_vacuum,
        hints=["Keep a flag on `self`."],
        solution="""
class Vacuum:
    def __init__(self):
        self.sucked = False

    def act(self, percept):
        action = "suck" if percept == "dirty" and not self.sucked else "move"
        self.sucked = action == "suck"
        return action
""",
        why="An internal state is what a model-based agent has beyond a reflex.",
        answers=Answers(
            blank=["class Vacuum:\n    def act(self, percept):\n        ..."],
            wrong=[
                Wrong(
                    "class Vacuum:\n    def act(self, percept):\n        return 'suck'", "for ever", "keeps no state"
                ),
                Wrong(
                    "class Vacuum:\n    def act(self, percept):\n        return 'move'", "did `'move'`", "never sucks"
                ),
                Wrong("Vacuum = 3", "`TypeError: 'int' object is not callable`", "gives a number instead of a class"),
            ],
            right=[
                "class Vacuum:\n    seen = 0\n    def act(self, percept):\n        self.seen += 1\n"
                "        return 'suck' if self.seen == 1 else 'move'"
            ],
        ),
    ),
]
