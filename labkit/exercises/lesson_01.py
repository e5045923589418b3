"""The exercises of lesson 01: one for each kind of agent, one for a model inside, one for the loop that acts."""

from __future__ import annotations

from labkit.agents import run
from labkit.agents.grid import MOVES
from labkit.agents.loop import History
from labkit.agents.routes import City, city_blocks, plan_route
from labkit.agents.shop import TOOLS
from labkit.agents.thermostat import RoomPercept
from labkit.agents.vacuum import Counter, Floor
from labkit.exercises.core import Answers, Exercise, Wrong, cases, require
from labkit.exercises.message import show

# -- Reflex -------------------------------------------------------------------------------------------------------------


def check_keep_warm(keep_warm):
    require(callable(keep_warm), f"{show(keep_warm)} is not a function.")
    cold, hot = keep_warm(RoomPercept(17.0, False)), keep_warm(RoomPercept(23.0, True))
    require((cold, hot) != ("off", "on"), "it is turned round: at 17 degrees you switch off, at 23 on.")
    cases(keep_warm, [(RoomPercept(17.0, False), "on"), (RoomPercept(23.0, True), "off")])
    still = keep_warm(RoomPercept(20.0, True)), keep_warm(RoomPercept(20.0, False))
    require(
        still[0] != still[1],
        "at 20 degrees it does the same whether the heater runs or not; look at `percept.heating`.",
    )
    require(
        still == ("on", "off"), "between the thresholds the heater should stay as it is; yours changes it every minute."
    )
    cases(
        keep_warm,
        [(RoomPercept(19.4, False), "on"), (RoomPercept(20.6, True), "off"), (RoomPercept(19.6, False), "off")],
        "the thresholds are 19.5 and 20.5",
    )


KEEP_WARM = Exercise(
    id="01.1",
    title="Two thresholds",
    section="Reflex",
    task=(
        "Write `keep_warm(percept)`: `on` up to 19.5 degrees, `off` from 20.5, and in between the heater stays as it is. "
        "The percept has `temperature` and `heating` (true or false)."
    ),
    expects="a function of a percept that returns `on` or `off`, as a str",
    check=check_keep_warm,
    hints=[
        "Three cases: cold, warm, in between.",
        "In between, `percept.heating` says what to go on doing.",
        '`return "on" if percept.heating else "off"` is the last line.',
    ],
    solution=(
        "def keep_warm(percept):\n"
        "    if percept.temperature <= 19.5:\n"
        '        return "on"\n'
        "    if percept.temperature >= 20.5:\n"
        '        return "off"\n'
        '    return "on" if percept.heating else "off"'
    ),
    why="It is still a reflex: what looks like memory stands in the world, and the agent reads it there.",
    answers=Answers(
        blank=["def keep_warm(percept):\n    ..."],
        wrong=[
            Wrong('keep_warm = "on"', "not a function", "an action instead of a rule"),
            Wrong(
                'keep_warm = lambda p: "off" if p.temperature < 20 else "on"',
                "turned round",
                "turns the comparison round",
            ),
            Wrong("keep_warm = lambda p: p.temperature < 20", "not `'on'`", "returns True instead of an action"),
            Wrong(
                'keep_warm = lambda p: "on" if p.temperature < 20 else "off"',
                "look at `percept.heating`",
                "one threshold",
            ),
            Wrong(
                "def keep_warm(p):\n    if p.temperature <= 19.5:\n        return 'on'\n"
                "    if p.temperature >= 20.5:\n        return 'off'\n    return 'off' if p.heating else 'on'",
                "every minute",
                "switches in between",
            ),
            Wrong(
                "def keep_warm(p):\n    if p.temperature <= 19:\n        return 'on'\n"
                "    if p.temperature >= 21:\n        return 'off'\n    return 'on' if p.heating else 'off'",
                "19.5 and 20.5",
                "other thresholds",
            ),
        ],
        right=[
            "def keep_warm(percept):\n    temperature, heating = percept\n"
            "    return 'on' if temperature < (20.5 if heating else 19.500001) else 'off'"
        ],
    ),
)

# -- Memory -------------------------------------------------------------------------------------------------------------


def _clean(choose) -> History:
    return run(Floor.drawn(), Counter(choose), 120)


def check_choose_way(choose_way):
    require(callable(choose_way), f"{show(choose_way)} is not a function.")
    free, visits = {"right": (1, 0), "left": (-1, 0)}, {(0, 0): 1, (1, 0): 5, (-1, 0): 2}
    way = choose_way(free, visits)
    require(way in MOVES, f"it should return a way, such as `left`; yours returned {show(way)}.")
    require(way == "left", "you went to the square visited 5 times, though the other was visited only 2 times.")
    require(
        choose_way(free, {(-1, 0): 2}) == "right", "a square that is not in `visits` was never visited: it counts 0."
    )
    left = len(_clean(choose_way).last.dirt)
    require(not left, f"in the room, {left} squares are still dirty after 120 steps.")


CHOOSE_WAY = Exercise(
    id="01.2",
    title="A vacuum that remembers",
    section="Memory",
    task=(
        "Write `choose_way(free, visits)`. `free` is a dict, way to square: `{'right': (1, 0), …}`. `visits` is a dict, square "
        "to how often you were there; a new square is not in it. Return the way to the square that was visited least."
    ),
    expects="a function of two dicts that returns a key of the first",
    check=check_choose_way,
    hints=[
        "`visits.get(square, 0)` is 0 for a square that was never visited.",
        "`min(free, key=…)` returns the way with the smallest key.",
        "The key of a way is `visits.get(free[way], 0)`.",
    ],
    solution="def choose_way(free, visits):\n    return min(free, key=lambda way: visits.get(free[way], 0))",
    why="Two squares that look alike are told apart by what was done there: that is all a memory is for.",
    answers=Answers(
        blank=["def choose_way(free, visits):\n    ..."],
        wrong=[
            Wrong('choose_way = "left"', "not a function", "an answer for one percept"),
            Wrong(
                "def choose_way(free, visits):\n    return min(free.values(), key=lambda s: visits.get(s, 0))",
                "such as `left`",
                "returns the square instead of the way",
            ),
            Wrong(
                "def choose_way(free, visits):\n    return next(iter(free))", "visited 5 times", "ignores the memory"
            ),
            Wrong(
                "def choose_way(free, visits):\n    return max(free, key=lambda way: visits.get(free[way], 0))",
                "visited 5 times",
                "goes where it has been most",
            ),
            Wrong(
                "def choose_way(free, visits):\n    return min(free, key=lambda way: visits.get(free[way], 99))",
                "counts 0",
                "takes unknown for well known",
            ),
            Wrong(
                "def choose_way(free, visits):\n    return min(free, key=lambda way: visits[free[way]])",
                "KeyError",
                "forgets that new squares are not in the dict",
            ),
            Wrong(
                "def choose_way(free, visits):\n    return min(free, key=lambda way: visits.get(free[way], 0) > 2)",
                "still dirty",
                "only tells often from seldom",
            ),
        ],
        right=[
            "def choose_way(free, visits):\n    best = None\n    for way, square in free.items():\n"
            "        if best is None or visits.get(square, 0) < visits.get(free[best], 0):\n            best = way\n"
            "    return best"
        ],
    ),
)

# -- Goals --------------------------------------------------------------------------------------------------------------


def check_estimate(estimate):
    require(callable(estimate), f"{show(estimate)} is not a function.")
    for here, goal in [((3, 1), (3, 4)), ((9, 2), (4, 8)), ((5, 5), (0, 5)), ((2, 2), (2, 2))]:
        moves, said = city_blocks(here, goal), estimate(here, goal)
        because = f"it says too much: from {here} to {goal} are {moves} moves, you said {show(said)}; the plan may then be a detour."
        require(said <= moves, because)
    city = City.drawn()
    blind = plan_route(city.streets, city.at, city.goal, lambda here, goal: 0)
    yours = plan_route(city.streets, city.at, city.goal, estimate)
    counts = f"{len(yours.looked_at)} squares with your estimate, {len(blind.looked_at)} without"
    require(len(yours.looked_at) < 0.75 * len(blind.looked_at), f"it is hardly a help: the search looks at {counts}.")


ESTIMATE = Exercise(
    id="01.3",
    title="A hint for the search",
    section="Goals",
    task=(
        "Write `estimate(square, goal)`: a guess at the moves from one square to the other. A square is `(column, row)`. It must "
        "never say more than it really takes on open ground, and it must help the search."
    ),
    expects="a function of two squares, each a tuple of two whole numbers, that returns a number",
    check=check_estimate,
    hints=[
        "With no walls, how many moves is it from (0, 0) to (3, 4)?",
        "Columns apart plus rows apart. Mind the sign.",
        "`abs(square[0] - goal[0]) + abs(square[1] - goal[1])`",
    ],
    solution="def estimate(square, goal):\n    return abs(square[0] - goal[0]) + abs(square[1] - goal[1])",
    why="An estimate that never says too much keeps the shortest path and still leaves out squares that lead away.",
    answers=Answers(
        blank=["def estimate(square, goal):\n    ..."],
        wrong=[
            Wrong("estimate = 7", "not a function", "a figure instead of a rule"),
            Wrong("def estimate(square, goal):\n    return 0", "hardly a help", "an estimate that knows nothing"),
            Wrong(
                "def estimate(square, goal):\n    return 3 * (abs(square[0] - goal[0]) + abs(square[1] - goal[1]))",
                "too much",
                "thinks that a bigger hint is a better one",
            ),
            Wrong(
                "def estimate(square, goal):\n    return (square[0] - goal[0]) + (square[1] - goal[1])",
                "hardly a help",
                "forgets the sign: left and up become negative",
            ),
            Wrong(
                "def estimate(square, goal):\n    return square[0] + square[1]",
                "too much",
                "measures from the corner, not to the goal",
            ),
        ],
        right=[
            "import math\nestimate = lambda square, goal: math.dist(square, goal)",
            "def estimate(square, goal):\n    return max(abs(square[0] - goal[0]), abs(square[1] - goal[1]))",
        ],
    ),
)

# -- Utility ------------------------------------------------------------------------------------------------------------


def _pay(minutes: float) -> float:
    return 10 - max(0, minutes - 30)  # a euro less for each minute after half an hour


def check_expected_utility(expected_utility):
    require(callable(expected_utility), f"{show(expected_utility)} is not a function.")
    got = expected_utility([(0.75, 12), (0.25, 48)], _pay)
    require(
        abs(got - _pay(21)) > 1e-9,
        "you took the utility of the mean time. No trip takes the mean time; take the mean of the utilities.",
    )
    require(abs(got - _pay(48)) > 1e-9, "you counted only the worst case, however rare it is.")
    require(
        abs(got - 1.0) > 1e-9, "you averaged the two outcomes as if they were equally likely; weigh each by its chance."
    )
    cases(
        expected_utility,
        [([(0.75, 12), (0.25, 48)], _pay, 5.5), ([(1.0, 20)], _pay, 10.0), ([(0.5, 4), (0.5, 6)], float, 5.0)],
    )


EXPECTED_UTILITY = Exercise(
    id="01.4",
    title="What a road is worth",
    section="Utility",
    task=(
        "Write `expected_utility(outcomes, utility)`. `outcomes` is a list of `(chance, minutes)`; `utility(minutes)` says what "
        "an outcome is worth. Return what to expect on average."
    ),
    expects="a function of a list of pairs and a function, that returns a number",
    check=check_expected_utility,
    hints=[
        "For each outcome: its chance times what it is worth.",
        "Add these up. The chances add up to 1 already.",
        "`sum(chance * utility(minutes) for chance, minutes in outcomes)`",
    ],
    solution=(
        "def expected_utility(outcomes, utility):\n    return sum(chance * utility(minutes) for chance, minutes in outcomes)"
    ),
    why="The mean of the worth is not the worth of the mean; the difference is what risk costs.",
    answers=Answers(
        blank=["def expected_utility(outcomes, utility):\n    ..."],
        wrong=[
            Wrong("expected_utility = 5.5", "not a function", "a figure instead of a rule"),
            Wrong(
                "def expected_utility(outcomes, utility):\n    return utility(sum(p * m for p, m in outcomes))",
                "utility of the mean time",
                "the worth of the average outcome",
            ),
            Wrong(
                "def expected_utility(outcomes, utility):\n    return min(utility(m) for _, m in outcomes)",
                "worst case",
                "never risks anything",
            ),
            Wrong(
                "def expected_utility(outcomes, utility):\n    return sum(utility(m) for _, m in outcomes) / len(outcomes)",
                "equally likely",
                "forgets the chances",
            ),
            Wrong(
                "def expected_utility(outcomes, utility):\n    return sum(p * m for p, m in outcomes)",
                "not `5.5`",
                "averages minutes instead of worth",
            ),
        ],
        right=[
            "def expected_utility(outcomes, utility):\n    total = 0\n    for chance, minutes in outcomes:\n"
            "        total += chance * utility(minutes)\n    return total"
        ],
    ),
)

# -- Learning -----------------------------------------------------------------------------------------------------------


def _after(learn, results) -> float:
    guess = 0.0
    for tries, liked in enumerate(results, start=1):
        guess = learn(guess, liked, tries)
    return guess


def check_learn(learn):
    require(callable(learn), f"{show(learn)} is not a function.")
    require(
        learn(0.0, 1, 1) == 1,
        f"after one try that was liked, the share of likes is 1; you returned {show(learn(0.0, 1, 1))}.",
    )
    got = _after(learn, [1, 1, 1, 0])
    require(got != 0, "one dislike wiped out three likes: you keep only the newest result.")
    require(
        abs(got - 0.5) > 1e-9,
        "the newest result counts as much as all the earlier ones together; it should count 1 in `tries`.",
    )
    require(abs(got - 0.75) < 1e-9, f"after like, like, like, dislike the share is 0.75; yours is {show(got)}.")
    cases(learn, [(0.5, 0, 10, 0.45), (0.2, 1, 4, 0.4)])


LEARN = Exercise(
    id="01.5",
    title="Learn from one more try",
    section="Learning",
    task=(
        "Write `learn(guess, liked, tries)`. `guess` is the share of likes so far, `liked` is 1 or 0, `tries` counts all tries, "
        "this one too. Return the new share. You don't have the old results, only their share."
    ),
    expects="a function of three numbers that returns a number from 0 to 1",
    check=check_learn,
    hints=[
        "How many likes were there before? `guess * (tries - 1)`.",
        "Add `liked`, and divide by `tries`.",
        "The same, shorter: `guess + (liked - guess) / tries`.",
    ],
    solution="def learn(guess, liked, tries):\n    return guess + (liked - guess) / tries",
    why="New guess = old guess + a step towards what was seen. Nearly every learning rule has this shape.",
    answers=Answers(
        blank=["def learn(guess, liked, tries):\n    ..."],
        wrong=[
            Wrong("learn = 0.75", "not a function", "a figure instead of a rule"),
            Wrong("def learn(guess, liked, tries):\n    return guess", "is 1; you returned", "never learns"),
            Wrong("def learn(guess, liked, tries):\n    return liked", "only the newest", "believes the last result"),
            Wrong(
                "def learn(guess, liked, tries):\n    return (guess + liked) / 2 if tries > 1 else liked",
                "as much as all the earlier",
                "averages an average with a value",
            ),
            Wrong(
                "def learn(guess, liked, tries):\n    return guess + liked",
                "the share is 0.75",
                "counts instead of averaging",
            ),
            Wrong(
                "def learn(guess, liked, tries):\n    return (guess * 3 + liked) / 4 if tries > 1 else liked",
                "not `0.45`",
                "a step of fixed size",
            ),
        ],
        right=["def learn(guess, liked, tries):\n    return (guess * (tries - 1) + liked) / tries"],
    ),
)

# -- A small model inside -----------------------------------------------------------------------------------------------


class _Asked:
    """Stands for a rule or a model in the check: it answers from a dict, and counts how often it was asked."""

    def __init__(self, answers: dict):
        self.answers, self.times = answers, 0

    def __call__(self, text):
        self.times += 1
        return self.answers.get(text)


def check_sort_message(sort_message):
    require(callable(sort_message), f"{show(sort_message)} is not a function.")
    rule, model = _Asked({"parcel": "delivery"}), _Asked({"parcel": "payment", "hello": "product"})
    got = sort_message("parcel", rule, model)
    require(got != "payment", "you asked the model although the rule had an answer, and believed the model.")
    require(got == "delivery", f"the rule said `delivery`; you returned {show(got)}.")
    require(model.times == 0, "the rule had an answer, and you paid for the model all the same.")
    require(
        sort_message("hello", rule, model) == "product", "the rule was silent (None); then the model's answer counts."
    )


SORT_MESSAGE = Exercise(
    id="01.6",
    title="Cheap first",
    section="A small model inside",
    task=(
        "Write `sort_message(text, rule, model)`. `rule(text)` gives a label or None, and costs nothing. `model(text)` always "
        "gives a label, and is slow. Use the rule where it speaks, and the model only where it is silent."
    ),
    expects="a function of a text and two functions that returns a label",
    check=check_sort_message,
    hints=[
        "Call the rule, and look at what it returned.",
        "If it is not None, return it before the model is called.",
        "`rule(text) or model(text)` calls the model only if it has to.",
    ],
    solution="def sort_message(text, rule, model):\n    return rule(text) or model(text)",
    why="Cheap and sure first, slow and clever for the rest: the same idea will route between small and large models.",
    answers=Answers(
        blank=["def sort_message(text, rule, model):\n    ..."],
        wrong=[
            Wrong('sort_message = "delivery"', "not a function", "a label instead of a function"),
            Wrong(
                "def sort_message(text, rule, model):\n    return model(text)",
                "believed the model",
                "the model for everything",
            ),
            Wrong(
                "def sort_message(text, rule, model):\n    return model(text) or rule(text)",
                "believed the model",
                "the dear one first",
            ),
            Wrong(
                "def sort_message(text, rule, model):\n    return 'product' if rule(text) is None else text",
                "the rule said",
                "returns the text instead of the label",
            ),
            Wrong(
                "def sort_message(text, rule, model):\n    guess = model(text)\n    return rule(text) or guess",
                "paid for the model",
                "asks both, just in case",
            ),
            Wrong(
                "def sort_message(text, rule, model):\n    return rule(text)",
                "rule was silent",
                "leaves most messages out",
            ),
        ],
        right=[
            "def sort_message(text, rule, model):\n    label = rule(text)\n    if label is None:\n"
            "        label = model(text)\n    return label"
        ],
    ),
)

# -- From chatbot to agent ----------------------------------------------------------------------------------------------


def check_allowed(allowed):
    require(callable(allowed), f"{show(allowed)} is not a function.")
    both = "How much are the boots, and where is order 1003?"
    first = set(allowed(both, {}, []))
    require("answer" not in first, "nothing has been found yet; an answer now would be made up.")
    require(
        {*TOOLS, "ask_person"} <= first,
        f"at first every tool and `ask_person` should be on offer, not {show(sorted(first))}.",
    )
    half = allowed(both, {"boots": "The boots cost 80 euros."}, ["find_price"])
    require("find_price" not in half, "a tool that was used is still on offer: the loop may never end.")
    require("answer" not in half, "half of the question is still open (1003 has no note), and you offer `answer`.")
    require("find_order" in half, "order 1003 is still to be found; `find_order` should be on offer.")
    found = {"boots": "The boots cost 80 euros.", "1003": "Order 1003 was delivered."}
    require(
        "answer" in allowed(both, found, ["find_price", "find_order"]), "all is found, and `answer` is not on offer."
    )


ALLOWED = Exercise(
    id="01.7",
    title="Close the set",
    section="From chatbot to agent",
    task=(
        "Write `allowed(question, notes, used)`: a list of what the model may choose. It is like `first_allowed`, but `answer` "
        "is on offer only when everything that the question names has a note; until then `ask_person` stands in its place. "
        "`shop.named(question)` lists what is named, and `notes` is a dict with the same keys."
    ),
    expects="a function of a str, a dict and a list that returns a list of action names",
    check=check_allowed,
    hints=[
        "Keep the line of `first_allowed` that makes `tools`.",
        "Everything has a note: `all(key in notes for key in shop.named(question))`.",
        "And there must be a note at all: `done = notes and all(…)`.",
    ],
    solution=(
        "def allowed(question, notes, used):\n"
        "    tools = [name for name in shop.TOOLS if name not in used]\n"
        "    done = notes and all(key in notes for key in shop.named(question))\n"
        '    return [*tools, "answer" if done else "ask_person"]'
    ),
    why="What the model cannot choose it cannot get wrong; code that knows the state takes the wrong turns off the menu.",
    answers=Answers(
        setup="from labkit.agents import shop",
        blank=["def allowed(question, notes, used):\n    ..."],
        wrong=[
            Wrong('allowed = ["answer"]', "not a function", "a list for one state"),
            Wrong(
                'def allowed(question, notes, used):\n    return [*shop.TOOLS, "answer", "ask_person"]',
                "made up",
                "offers everything always",
            ),
            Wrong(
                'def allowed(question, notes, used):\n    return ["ask_person"]',
                "every tool",
                "lets people do all the work",
            ),
            Wrong(
                "def allowed(question, notes, used):\n    return [*shop.TOOLS, 'answer' if len(notes) > 1 else 'ask_person']",
                "never end",
                "offers a tool again and again",
            ),
            Wrong(
                "def allowed(question, notes, used):\n    tools = [name for name in shop.TOOLS if name not in used]\n"
                '    return [*tools, "answer" if notes else "ask_person"]',
                "half of the question",
                "any note is enough",
            ),
            Wrong(
                "def allowed(question, notes, used):\n"
                "    if not notes:\n        return [*shop.TOOLS, 'ask_person']\n"
                "    done = all(key in notes for key in shop.named(question))\n"
                "    return ['answer'] if done else ['ask_person']",
                "still to be found",
                "gives up after one step",
            ),
            Wrong(
                "def allowed(question, notes, used):\n"
                "    return [*(name for name in shop.TOOLS if name not in used), 'ask_person']",
                "all is found",
                "never lets it answer",
            ),
        ],
        right=[
            "def allowed(question, notes, used):\n"
            "    options = [tool for tool in shop.TOOLS if tool not in used]\n"
            "    missing = set(shop.named(question)) - set(notes)\n"
            "    options.append('answer' if notes and not missing else 'ask_person')\n"
            "    return options"
        ],
    ),
)

EXERCISES = [KEEP_WARM, CHOOSE_WAY, ESTIMATE, EXPECTED_UTILITY, LEARN, SORT_MESSAGE, ALLOWED]
