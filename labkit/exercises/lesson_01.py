"""The exercises of lesson 01: one for each kind of agent, one for a model inside, one for the loop that acts."""

from __future__ import annotations

from labkit.agents import run
from labkit.agents.grid import MOVES
from labkit.agents.loop import History
from labkit.agents.routes import City, city_blocks, plan_route
from labkit.agents.shop import TOOLS
from labkit.agents.thermostat import RoomPercept
from labkit.agents.vacuum import Counter, Floor
from labkit.exercises import cases, require, require_function, show

# -- Reflex -------------------------------------------------------------------------------------------------------------


def check_keep_warm(keep_warm):
    require_function(keep_warm)
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


# -- Memory -------------------------------------------------------------------------------------------------------------


def _clean(choose) -> History:
    return run(Floor.drawn(), Counter(choose), 120)


def check_choose_way(choose_way):
    require_function(choose_way)
    free, visits = {"right": (1, 0), "left": (-1, 0)}, {(0, 0): 1, (1, 0): 5, (-1, 0): 2}
    way = choose_way(free, visits)
    require(way in MOVES, f"it should return a way, such as `left`; yours returned {show(way)}.")
    require(way == "left", "you went to the square visited 5 times, though the other was visited only 2 times.")
    require(
        choose_way(free, {(-1, 0): 2}) == "right", "a square that is not in `visits` was never visited: it counts 0."
    )
    left = len(_clean(choose_way).last.dirt)
    require(not left, f"in the room, {left} squares are still dirty after 120 steps.")


# -- Goals --------------------------------------------------------------------------------------------------------------


def check_estimate(estimate):
    require_function(estimate)
    for here, goal in [((3, 1), (3, 4)), ((9, 2), (4, 8)), ((5, 5), (0, 5)), ((2, 2), (2, 2))]:
        moves, said = city_blocks(here, goal), estimate(here, goal)
        because = f"it says too much: from {here} to {goal} are {moves} moves, you said {show(said)}"
        require(said <= moves, f"{because}; the plan may then be a detour.")
    city = City.drawn()
    blind = plan_route(city.streets, city.at, city.goal, lambda here, goal: 0)
    yours = plan_route(city.streets, city.at, city.goal, estimate)
    counts = f"{len(yours.looked_at)} squares with your estimate, {len(blind.looked_at)} without"
    require(len(yours.looked_at) < 0.75 * len(blind.looked_at), f"it is hardly a help: the search looks at {counts}.")


# -- Utility ------------------------------------------------------------------------------------------------------------


def pay(minutes: float) -> float:
    return 10 - max(0, minutes - 30)  # a euro less for each minute after half an hour


def check_expected_utility(expected_utility):
    require_function(expected_utility)
    got = expected_utility([(0.75, 12), (0.25, 48)], pay)
    require(
        abs(got - pay(21)) > 1e-9,
        "you took the utility of the mean time. No trip takes the mean time; take the mean of the utilities.",
    )
    require(abs(got - pay(48)) > 1e-9, "you counted only the worst case, however rare it is.")
    require(
        abs(got - 1.0) > 1e-9, "you averaged the two outcomes as if they were equally likely; weigh each by its chance."
    )
    cases(
        expected_utility,
        [([(0.75, 12), (0.25, 48)], pay, 5.5), ([(1.0, 20)], pay, 10.0), ([(0.5, 4), (0.5, 6)], float, 5.0)],
    )


# -- Learning -----------------------------------------------------------------------------------------------------------


def _after(learn, results) -> float:
    guess = 0.0
    for tries, liked in enumerate(results, start=1):
        guess = learn(guess, liked, tries)
    return guess


def check_learn(learn):
    require_function(learn)
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


# -- A small model inside -----------------------------------------------------------------------------------------------


class _Asked:
    """Stands for a rule or a model in the check: it answers from a dict, and counts how often it was asked."""

    def __init__(self, answers: dict):
        self.answers, self.times = answers, 0

    def __call__(self, text):
        self.times += 1
        return self.answers.get(text)


def check_sort_message(sort_message):
    require_function(sort_message)
    rule, model = _Asked({"parcel": "delivery"}), _Asked({"parcel": "payment", "hello": "product"})
    got = sort_message("parcel", rule, model)
    require(got != "payment", "you asked the model although the rule had an answer, and believed the model.")
    require(got == "delivery", f"the rule said `delivery`; you returned {show(got)}.")
    require(model.times == 0, "the rule had an answer, and you paid for the model all the same.")
    require(
        sort_message("hello", rule, model) == "product", "the rule was silent (None); then the model's answer counts."
    )


# -- From chatbot to agent ----------------------------------------------------------------------------------------------


def check_allowed(allowed):
    require_function(allowed)
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
