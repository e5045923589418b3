"""The exercises of notebook 06, Ollama: each one repairs a recipe that looks right."""

from __future__ import annotations

import asyncio
import builtins
import json
import threading
import types

from labkit.exercises import cases, require, require_function, show

# -- Install ------------------------------------------------------------------------------------------------------------

FETCHED = [{"status": "pulling manifest"}, {"status": "pulling 74701a8c35f6", "total": 100, "completed": 100}]
SUCCESS = {"status": "success"}
BROKE = {"error": "pull model manifest: file does not exist"}


class _Registry:
    """Stands for Ollama's /api/pull: `rows` is what it has to say, `asked` keeps the bodies it was sent."""

    def __init__(self, *rows: dict):
        self.rows, self.asked = rows, []

    def __call__(self, path: str, body: dict) -> tuple[int, object]:
        self.asked.append(body)
        if body.get("stream") is False:
            last = self.rows[-1]
            return (500 if "error" in last else 200), iter([json.dumps(last)])
        return 200, (json.dumps(row) for row in self.rows)


def check_ensure_model(ensure_model):
    require_function(ensure_model)
    good = _Registry(*FETCHED, SUCCESS)
    got = ensure_model(good, "smollm2:135m")
    require(good.asked, "you never called `post`, so nothing was pulled.")
    require("model" in good.asked[0], "the field `name` is deprecated; a request says `model`.")
    require(got is True, f"this pull ended with success, and you returned {show(got)}.")
    said = ensure_model(_Registry(FETCHED[0], BROKE), "no-such-model")
    require(
        said is False, "the status was 200, and the stream then said `error`. A 200 only means that the work has begun."
    )
    cut = ensure_model(_Registry(*FETCHED), "smollm2:135m")
    require(cut is False, "the stream broke off after the download, before it said `success`.")


# -- Two faces ----------------------------------------------------------------------------------------------------------


def check_speed(speed):
    require_function(speed)
    answer = {
        "message": {"content": "Paris, of course."}, "eval_count": 8, "eval_duration": 250_000_000,
        "total_duration": 1_000_000_000, "prompt_eval_count": 37,
    }  # fmt: skip
    got = speed(answer)
    require(got is not None, "you returned nothing for an answer of eight tokens.")
    require(got > 1e-6, "a duration here counts nanoseconds, 1e9 to a second, and you took it for seconds.")
    require(abs(got - 8) > 1e-6, "you divided by the total time: loading and reading the prompt are not writing.")
    require(abs(got - 180) > 1e-6, "you counted the prompt's tokens too; those were read, not written.")
    require(
        abs(got - 32) < 1e-6,
        f"8 tokens in a quarter of a second are 32 a second, not {show(got)}. Words are not tokens.",
    )
    empty = speed({"message": {"content": ""}, "total_duration": 5_000_000})
    require(empty is None, f"an answer without `eval_count` has no speed: return `None`, not {show(empty)}.")


# -- A model for each task ----------------------------------------------------------------------------------------------


def check_route(route):
    require_function(route)
    mild = route("Write a simple code example.")
    require(mild is not None, "you returned nothing.")
    require(
        mild != "lightweight",
        "`simple` came first and won; when two categories have as many words, the more capable one does the work.",
    )
    require(route("Tell me a story.") == "balanced", "no keyword at all is a task for `balanced`.")
    require(
        route("The router in room four is broken.") == "balanced",
        "`router` is not the word `route`: compare whole words, not parts of them.",
    )
    require(
        route("Explain this code!") == "coding", "a word keeps its meaning before a comma or at the end of a sentence."
    )
    require(
        route("Simple question: classify and route these research papers.") == "lightweight",
        "three words speak for `lightweight` and one for `capable`; count them.",
    )
    cases(
        route,
        [("A complex analysis of code", "capable"), ("CODE", "coding"), ("Research in programming", "capable")],
        "of two equals take the one that stands first in RANKS; letters may be large",
    )


# -- What fits ----------------------------------------------------------------------------------------------------------


def check_plan(plan):
    require_function(plan)
    got = plan([("coder", 5), ("chat", 3), ("router", 1)], 6)
    require(isinstance(got, list), f"{show(got)} is not a list of names.")
    require(
        got != ["coder", "chat", "router"],
        "each of them fits alone, but not all at once: what is kept takes its share.",
    )
    require(got != ["coder"], "you stopped at the first that does not fit; a smaller one behind it does.")
    require(got != ["router", "chat"], "you began with the smallest; the list begins with what matters most.")
    require(got == ["coder", "router"], f"of 5, 3 and 1 in a memory of 6, 5 and 1 fit together; you kept {show(got)}.")
    cases(
        plan,
        [([("large", 9)], 8, []), ([("exact", 8)], 8, ["exact"])],
        "what needs just what is free fits, and nothing may fit",
    )


# -- Production ---------------------------------------------------------------------------------------------------------

PATIENCE_S = 1.0  # how long the stand-in for an engine waits for the event loop; a loop that is free answers at once


def _one_call(ask_within) -> tuple[object, bool]:
    """Let `ask` wait until something else ran on the loop; return the answer, and whether anything did."""
    ran = threading.Event()

    def ask(prompt):
        return f"{prompt}: {'Rome' if ran.wait(PATIENCE_S) else 'late'}"

    async def heart():
        ran.set()

    async def both():
        beat = asyncio.ensure_future(heart())
        answer = await ask_within(ask, "Italy", 30)
        await beat
        return answer

    answer = asyncio.run(both())
    return answer, answer != "Italy: late"


def _call_that_hangs(ask_within) -> object:
    """Let `ask` hang until the caller has given up."""
    given_up = threading.Event()

    async def call():
        try:
            return await ask_within(lambda prompt: given_up.wait(PATIENCE_S) and "never", "Italy", 0.01)
        finally:
            given_up.set()

    return asyncio.run(call())


def check_ask_within(ask_within):
    require(asyncio.iscoroutinefunction(ask_within), f"{show(ask_within)} is not an `async def` function.")
    answer, free = _one_call(ask_within)
    require(free, "while `ask` waited, nothing else could run: inside `async def`, a plain call holds up everybody.")
    require(answer == "Italy: Rome", f"the answer should come back as it is; you returned {show(answer)}.")
    try:
        got = _call_that_hangs(ask_within)
    except TimeoutError:
        require(False, "the time was up, and the error came through; catch `TimeoutError` and return `None`.")
    require(got is None, "the time was up, and you went on waiting for an engine that hangs.")


def _elsewhere(function, salt: int):
    """Return `function` as another process would run it: there, `hash` and `id` give other numbers."""
    salted = {"hash": lambda value: builtins.hash((salt, value)), "id": lambda value: builtins.id(value) ^ salt}
    space = {**function.__globals__, **salted}
    return types.FunctionType(function.__code__, space, function.__name__, function.__defaults__, function.__closure__)


def check_ticket_id(ticket_id):
    require(isinstance(ticket_id, types.FunctionType), f"{show(ticket_id)} is not a function.")
    first, again = ticket_id("anna", "No power"), ticket_id("anna", "No power")
    require(isinstance(first, str) and first.startswith("TICK-"), f"{show(first)} does not begin with `TICK-`.")
    require(first == again, "the same issue got two numbers: a request that is sent again would open a second ticket.")
    there = _elsewhere(ticket_id, 7)("anna", "No power")
    require(
        first == there,
        "after a restart the same issue has another number: Python salts `hash()` anew in every process.",
    )
    require(ticket_id("bert", "No power") != first, "two customers share a ticket; both parts belong in the number.")
    require(
        ticket_id("an", "naNo power") != ticket_id("anna", "No power"),
        "put something between customer and issue, or `an` + `na…` reads like `anna` + `…`.",
    )
    many = {ticket_id("anna", f"issue {number}") for number in range(5000)}
    require(len(many) == 5000, f"5000 issues got only {len(many)} numbers: four digits are too few.")


# -- Monitor ------------------------------------------------------------------------------------------------------------

CALM = {"reachable": True, "response_ms": 150, "load_ms": 40, "error_percent": 0.0, "memory_percent": 50}


def check_alerts(alerts):
    require_function(alerts)
    calm = alerts(dict(CALM))
    require(isinstance(calm, list), f"{show(calm)} is not a list; a calm sample gives an empty one.")
    require(calm == [], f"nothing was wrong in this sample, and you reported {show(calm)}.")
    require(alerts(CALM | {"response_ms": 2600}) == ["performance"], "2600 ms of writing are above 2000.")
    require(
        alerts(CALM | {"error_percent": 20.0}) == ["errors"], "a fifth of the requests failed, and nobody was told."
    )
    require(alerts(CALM | {"memory_percent": 97}) == ["memory"], "the memory is 97 % full, and nobody was told.")
    cold = CALM | {"response_ms": 2600, "load_ms": 2300}
    require(
        alerts(cold) == [],
        "2300 of the 2600 ms were loading: the first question after a pause is slow, not the engine.",
    )
    down = {"reachable": False, "response_ms": None, "load_ms": None, "error_percent": 20.0, "memory_percent": 97}
    got = alerts(down)
    require("availability" in got, "nobody answered, which is worse than slow, and you did not say so.")
    cases(
        alerts,
        [(CALM | {"response_ms": 2040, "error_percent": 5.0, "memory_percent": 85}, []),
         (down, ["availability", "errors", "memory"])],
        "a threshold is passed above it, and the sample without an answer still has its other figures",
    )  # fmt: skip


def _told(summary_due, ticks: list[float]) -> list[float]:
    """Run a monitor's loop over the times `ticks` (s); return when it told a summary."""
    last, told = ticks[0], []
    for now in ticks:
        if summary_due(now, last):
            told.append(now)
            last = now
    return told


def check_summary_due(summary_due):
    require_function(summary_due)
    late = _told(summary_due, [7.0 + 31.7 * tick for tick in range(120)])
    require(late, "in an hour with a sample every 31.7 seconds you told no summary: the clock never met your moment.")
    require(len(late) < 8, f"you told {len(late)} summaries in 63 minutes; six would do.")
    gaps = [b - a for a, b in zip([7.0, *late], late, strict=False)]
    require(min(gaps) >= 600, f"two summaries came {show(round(min(gaps), 1))} s apart: count from the last one.")
    require(
        max(gaps) < 640,
        f"one summary came {show(round(max(gaps), 1))} s after the last: tell it at the first sample that is late enough.",
    )
    cases(summary_due, [(600.0, 0.0, True)], "600 seconds after the last one it is due")


# -- Configure ----------------------------------------------------------------------------------------------------------


def check_broken_template(broken_template):
    require_function(broken_template)
    got = broken_template([37, 24], {"guessed": [16, 24], "given": [37, 24]})
    require(got is not None and not isinstance(got, str), f"{show(got)} is not a list; there may be none or several.")
    require("given" not in got, "`given` reads exactly what it should, and you call it broken.")
    require(set(got) == {"guessed"}, "`guessed` reads 16 tokens where 37 are meant: a standing instruction is missing.")
    late = broken_template([24, 37], {"guessed": [24, 16]})
    require(
        set(late) == {"guessed"},
        "you looked at the first question only; with a system prompt of its own every template agrees.",
    )
    more = broken_template([37], {"doubled": [39]})
    require(set(more) == {"doubled"}, "39 tokens for 37 are a fault too: something was said twice.")
    require(not broken_template([37, 24], {"given": [37, 24]}), "where all counts agree, nothing is broken.")


# -- Who may use it -----------------------------------------------------------------------------------------------------


def check_is_safe(is_safe):
    require_function(is_safe)
    require(is_safe("0.17.1") is True, "0.17.1 is the version that has the repair.")
    require(is_safe("0.9.6") is False, "0.9.6 is older: as texts, 9 comes after 1, but these are numbers.")
    require(is_safe("0.17.0") is False, "0.17.0 still has the fault; only the last part tells.")
    cases(
        is_safe,
        [("0.32.13-rc2", True), ("1.0.0", True), ("0.0.0", False)],
        "compare part by part, and mind what hangs on",
    )
