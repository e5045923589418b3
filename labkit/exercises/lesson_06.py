"""The exercises of notebook 06, Ollama: each one repairs a recipe that looks right."""

from __future__ import annotations

import asyncio
import builtins
import json
import threading
import types

from labkit.exercises import Answers, Exercise, Wrong, cases, require, show

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
    require(callable(ensure_model), f"{show(ensure_model)} is not a function.")
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


ENSURE_MODEL = Exercise(
    id="06.1",
    title="Read to the end",
    section="Install",
    task=(
        "Repair `ensure_model(post, model)`: pull the model and return `True` if, and only if, it is there afterwards, else "
        "`False`. `post(path, body)` returns the status and the lines of the answer, each a JSON text; they come one by one."
    ),
    expects="a function of `post` and a model's name that returns True or False",
    check=check_ensure_model,
    hints=[
        "Look at the two lines that came with status 200. Which one tells how it ended?",
        "Go through all lines with `for line in lines:` and keep the last one, `json.loads(line)`.",
        '`return last.get("status") == "success"`',
    ],
    solution=(
        "import json\n\n"
        "def ensure_model(post, model):\n"
        '    status, lines = post("/api/pull", {"model": model})\n'
        "    last = {}\n"
        "    for line in lines:\n"
        "        last = json.loads(line)\n"
        '    return status == 200 and last.get("status") == "success"'
    ),
    why="A status is sent before the work; whoever streams can only tell you at the end how it went.",
    answers=Answers(
        setup="import json",
        blank=["def ensure_model(post, model):\n    ..."],
        wrong=[
            Wrong("ensure_model = True", "not a function", "a value for one pull"),
            Wrong("def ensure_model(post, model):\n    return True", "never called", "hopes"),
            Wrong(
                "def ensure_model(post, model):\n    status, lines = post('/api/pull', {'name': model})\n"
                "    return [json.loads(line) for line in lines][-1].get('status') == 'success'",
                "deprecated",
                "the old field",
            ),
            Wrong(
                "def ensure_model(post, model):\n    status, lines = post('/api/pull', {'model': model})\n"
                "    return status == 201",
                "ended with success",
                "waits for another status",
            ),
            Wrong(
                "def ensure_model(post, model):\n    status, lines = post('/api/pull', {'model': model})\n"
                "    return status == 200",
                "work has begun",
                "takes the status for the result",
            ),
            Wrong(
                "def ensure_model(post, model):\n    status, lines = post('/api/pull', {'model': model})\n"
                "    return not any('error' in json.loads(line) for line in lines)",
                "broke off",
                "no error means success",
            ),
        ],
        right=[
            "def ensure_model(post, model):\n"
            "    status, lines = post('/api/pull', {'model': model, 'stream': False})\n"
            "    return status == 200 and json.loads(next(iter(lines)))['status'] == 'success'"
        ],
    ),
)

# -- Two faces ----------------------------------------------------------------------------------------------------------


def check_speed(speed):
    require(callable(speed), f"{show(speed)} is not a function.")
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


SPEED = Exercise(
    id="06.2",
    title="Tokens a second",
    section="Two faces",
    task=(
        "Repair `speed(answer)`: tokens a second while the model wrote. `answer` is the dict of `/api/chat`. Where it has no "
        "`eval_count` (nothing was written), return `None`."
    ),
    expects="a function of a dict that returns a number, or None",
    check=check_speed,
    hints=[
        "Ollama has counted for you: look at the fields that begin with `eval_`.",
        "Durations are in nanoseconds: 1e9 of them are a second.",
        '`answer["eval_count"] / (answer["eval_duration"] / 1e9)`, and before that a look whether it is there.',
    ],
    solution=(
        "def speed(answer):\n"
        '    if not answer.get("eval_count"):\n'
        "        return None\n"
        '    return answer["eval_count"] / (answer["eval_duration"] / 1e9)'
    ),
    why="A figure in the wrong unit looks like a figure; the engine's own counters have their unit in the documentation.",
    answers=Answers(
        blank=["def speed(answer):\n    ..."],
        wrong=[
            Wrong("speed = 32.0", "not a function", "a figure instead of a rule"),
            Wrong("def speed(answer):\n    print(answer)", "returned nothing", "prints"),
            Wrong(
                "def speed(answer):\n    return len(answer['message']['content'].split()) / answer['eval_duration']",
                "nanoseconds",
                "the recipe as it stands",
            ),
            Wrong(
                "def speed(answer):\n    return answer['eval_count'] / (answer['total_duration'] / 1e9)",
                "total time",
                "the wrong duration",
            ),
            Wrong(
                "def speed(answer):\n"
                "    return (answer['eval_count'] + answer['prompt_eval_count']) / (answer['eval_duration'] / 1e9)",
                "read, not written",
                "adds reading to writing",
            ),
            Wrong(
                "def speed(answer):\n"
                "    return len(answer['message']['content'].split()) / (answer['eval_duration'] / 1e9)",
                "Words are not tokens",
                "repairs the unit only",
            ),
            Wrong(
                "def speed(answer):\n    return answer.get('eval_count', 0) / (answer.get('eval_duration', 1e9) / 1e9)",
                "has no speed",
                "zero for not known",
            ),
        ],
        right=[
            "def speed(answer):\n    count = answer.get('eval_count')\n"
            "    return 1e9 * count / answer['eval_duration'] if count else None"
        ],
    ),
)

# -- A model for each task ----------------------------------------------------------------------------------------------


def check_route(route):
    require(callable(route), f"{show(route)} is not a function.")
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


ROUTE_SETUP = (
    "import re\n"
    'KEYWORDS = {"capable": {"complex", "analysis", "research"}, "coding": {"code", "programming", "debug"}, '
    '"lightweight": {"simple", "route", "classify"}}\n'
    'RANKS = ["capable", "coding", "lightweight"]'
)

ROUTE = Exercise(
    id="06.3",
    title="Route by keywords",
    section="A model for each task",
    task=(
        "Repair `route(text)`: return the category of KEYWORDS with the most keywords in the text, as whole words, in large or "
        "small letters. Of equals, the one that stands first in RANKS. No keyword: `balanced`."
    ),
    expects="a function of a text that returns the name of a category",
    check=check_route,
    hints=[
        'Take the text apart into words first: `set(re.findall(r"[a-z]+", text.lower()))`.',
        "Sets have an intersection: `len(words & KEYWORDS[category])` is a category's score.",
        "`max(RANKS, key=score)` returns the first of several that are best.",
    ],
    solution=(
        "import re\n\n"
        "def route(text):\n"
        '    words = set(re.findall(r"[a-z]+", text.lower()))\n'
        "    best = max(RANKS, key=lambda category: len(words & KEYWORDS[category]))\n"
        '    return best if words & KEYWORDS[best] else "balanced"'
    ),
    why="An order of `if`s is a priority that nobody wrote down; a score shows what speaks for what.",
    answers=Answers(
        setup=ROUTE_SETUP,
        blank=["def route(text):\n    ..."],
        wrong=[
            Wrong('route = "coding"', "not a function", "a label instead of a rule"),
            Wrong("def route(text):\n    print(text)", "returned nothing", "prints"),
            Wrong(
                "def route(text):\n    for category in reversed(RANKS):\n"
                "        if any(word in text.lower() for word in KEYWORDS[category]):\n            return category\n"
                "    return 'balanced'",
                "came first and won",
                "the recipe as it stands",
            ),
            Wrong(
                "def route(text):\n    words = set(re.findall(r'[a-z]+', text.lower()))\n"
                "    return max(RANKS, key=lambda category: len(words & KEYWORDS[category]))",
                "no keyword at all",
                "forgets the rest",
            ),
            Wrong(
                "def route(text):\n    def score(category):\n"
                "        return sum(word in text.lower() for word in KEYWORDS[category])\n"
                "    best = max(RANKS, key=score)\n    return best if score(best) else 'balanced'",
                "is not the word",
                "looks for parts of words",
            ),
            Wrong(
                "def route(text):\n    words = set(text.lower().split())\n"
                "    best = max(RANKS, key=lambda category: len(words & KEYWORDS[category]))\n"
                "    return best if words & KEYWORDS[best] else 'balanced'",
                "end of a sentence",
                "splits at blanks only",
            ),
            Wrong(
                "def route(text):\n    words = set(re.findall(r'[a-z]+', text.lower()))\n"
                "    for category in RANKS:\n        if words & KEYWORDS[category]:\n            return category\n"
                "    return 'balanced'",
                "count them",
                "another order instead of a score",
            ),
            Wrong(
                "def route(text):\n    words = set(re.findall(r'[A-Za-z]+', text))\n    words |= {w.lower() for w in words if w != 'CODE'}\n"
                "    best = max(RANKS, key=lambda category: len(words & KEYWORDS[category]))\n"
                "    return best if words & KEYWORDS[best] else 'balanced'",
                "letters may be large",
                "knows capitals at the beginning only",
            ),
        ],
        right=[
            "def route(text):\n    words = re.findall(r'\\w+', text.casefold())\n"
            "    scores = {name: len(KEYWORDS[name].intersection(words)) for name in RANKS}\n"
            "    scores['balanced'] = 0.5\n"
            "    return max(scores, key=scores.get)"
        ],
    ),
)

# -- What fits ----------------------------------------------------------------------------------------------------------


def check_plan(plan):
    require(callable(plan), f"{show(plan)} is not a function.")
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


PLAN = Exercise(
    id="06.4",
    title="A plan from this machine",
    section="What fits",
    task=(
        "Write `plan(wanted, free)`: the names of the models to keep in memory together. `wanted` is a list of `(name, "
        "bytes needed)`, what matters most first. Take each that still fits beside those already taken."
    ),
    expects="a list of names, in the order of `wanted`",
    check=check_plan,
    hints=[
        "Go through `wanted` in order, and keep count of what is left.",
        "Take a model if it needs no more than `free`, then make `free` smaller.",
        "`if needed <= free: kept.append(name); free -= needed`",
    ],
    solution=(
        "def plan(wanted, free):\n"
        "    kept = []\n"
        "    for name, needed in wanted:\n"
        "        if needed <= free:\n"
        "            kept.append(name)\n"
        "            free -= needed\n"
        "    return kept"
    ),
    why="A table of three tiers cannot know what your browser has taken; a sum over what is free now can.",
    answers=Answers(
        blank=["def plan(wanted, free):\n    ..."],
        wrong=[
            Wrong('plan = {"medium": ["phi3.5", "llama3.2"]}', "not a function", "the table again"),
            Wrong("def plan(wanted, free):\n    return len(wanted)", "not a list", "a number of models"),
            Wrong(
                "def plan(wanted, free):\n    return [name for name, needed in wanted if needed <= free]",
                "fits alone",
                "checks each on its own",
            ),
            Wrong(
                "def plan(wanted, free):\n    kept = []\n    for name, needed in wanted:\n"
                "        if needed > free:\n            break\n        kept.append(name)\n        free -= needed\n"
                "    return kept",
                "stopped at the first",
                "break for continue",
            ),
            Wrong(
                "def plan(wanted, free):\n    kept = []\n    for name, needed in sorted(wanted, key=lambda one: one[1]):\n"
                "        if needed <= free:\n            kept.append(name)\n            free -= needed\n    return kept",
                "began with the smallest",
                "as many as possible",
            ),
            Wrong("def plan(wanted, free):\n    return []", "fit together", "keeps nothing"),
            Wrong(
                "def plan(wanted, free):\n    kept, free = [], free + 0.5\n    for name, needed in wanted:\n"
                "        if needed < free - 0.5 or name == 'router':\n            kept.append(name)\n            free -= needed\n"
                "    return kept",
                "just what is free",
                "less than instead of at most",
            ),
        ],
        right=[
            "def plan(wanted, free):\n    used, kept = 0, []\n    for name, needed in wanted:\n"
            "        if used + needed > free:\n            continue\n        used, kept = used + needed, [*kept, name]\n"
            "    return kept"
        ],
    ),
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


ASK_WITHIN = Exercise(
    id="06.5",
    title="Wait without blocking",
    section="Production",
    task=(
        "Write `async def ask_within(ask, prompt, seconds)`: return `ask(prompt)`. `ask` is an ordinary function that blocks, so "
        "call it in a thread. When `seconds` have passed without an answer, return `None`."
    ),
    expects="an `async def` function that returns the answer or None",
    check=check_ask_within,
    hints=[
        "`await asyncio.to_thread(function, argument)` calls a blocking function in a thread.",
        "`async with asyncio.timeout(seconds):` raises TimeoutError when the time is up.",
        "Put the second around the first, and catch the error around both.",
    ],
    solution=(
        "import asyncio\n\n"
        "async def ask_within(ask, prompt, seconds):\n"
        "    try:\n"
        "        async with asyncio.timeout(seconds):\n"
        "            return await asyncio.to_thread(ask, prompt)\n"
        "    except TimeoutError:\n"
        "        return None"
    ),
    why="One blocking call in a service turns many users into a queue, and nothing in the log says so.",
    answers=Answers(
        setup="import asyncio",
        blank=["async def ask_within(ask, prompt, seconds):\n    ..."],
        wrong=[
            Wrong("def ask_within(ask, prompt, seconds):\n    return ask(prompt)", "is not an", "not a coroutine"),
            Wrong(
                "async def ask_within(ask, prompt, seconds):\n    return ask(prompt)",
                "holds up everybody",
                "the word async makes it so",
            ),
            Wrong(
                "async def ask_within(ask, prompt, seconds):\n    return [await asyncio.to_thread(ask, prompt)]",
                "as it is",
                "wraps the answer",
            ),
            Wrong(
                "async def ask_within(ask, prompt, seconds):\n"
                "    return await asyncio.wait_for(asyncio.to_thread(ask, prompt), seconds)",
                "came through",
                "lets the error out",
            ),
            Wrong(
                "async def ask_within(ask, prompt, seconds):\n    return await asyncio.to_thread(ask, prompt)",
                "went on waiting",
                "no limit",
            ),
        ],
        right=[
            "async def ask_within(ask, prompt, seconds):\n    try:\n"
            "        return await asyncio.wait_for(asyncio.to_thread(ask, prompt), seconds)\n"
            "    except asyncio.TimeoutError:\n        return None"
        ],
    ),
)


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
    require(ticket_id("bert", "No power") != first, "two customers share a ticket; both parts belong into the number.")
    require(
        ticket_id("an", "naNo power") != ticket_id("anna", "No power"),
        "put something between customer and issue, or `an` + `na…` reads like `anna` + `…`.",
    )
    many = {ticket_id("anna", f"issue {number}") for number in range(5000)}
    require(len(many) == 5000, f"5000 issues got only {len(many)} numbers: four digits are too few.")


TICKET_ID = Exercise(
    id="06.6",
    title="A number that lasts",
    section="Production",
    task=(
        "Repair `ticket_id(customer, issue)`: `TICK-` and a number or code that is the same for the same two texts in every "
        "process, and different for different ones, also when there are thousands."
    ),
    expects="a function of two texts that returns a str such as TICK-3fa9c04e1b22",
    check=check_ticket_id,
    hints=[
        "`hashlib.sha256(text.encode()).hexdigest()` is the same everywhere, for ever.",
        "Join the two texts with something that neither contains, such as a line break.",
        '`"TICK-" + hashlib.sha256(f"{customer}\\n{issue}".encode()).hexdigest()[:12]`',
    ],
    solution=(
        "import hashlib\n\n"
        "def ticket_id(customer, issue):\n"
        '    text = f"{customer}\\n{issue}"\n'
        '    return "TICK-" + hashlib.sha256(text.encode()).hexdigest()[:12]'
    ),
    why="An id that changes with the process is a new name for an old thing, after every restart.",
    answers=Answers(
        setup="import hashlib",
        blank=["def ticket_id(customer, issue):\n    ..."],
        wrong=[
            Wrong('ticket_id = "TICK-1234"', "not a function", "one id"),
            Wrong(
                "def ticket_id(customer, issue):\n    return hashlib.sha256(issue.encode()).hexdigest()",
                "does not begin",
                "forgets the prefix",
            ),
            Wrong(
                "import uuid\ndef ticket_id(customer, issue):\n    return f'TICK-{uuid.uuid4()}'",
                "second ticket",
                "random",
            ),
            Wrong(
                "def ticket_id(customer, issue):\n    return f'TICK-{hash(issue) % 10000:04d}'",
                "salts",
                "the recipe as it stands",
            ),
            Wrong(
                "def ticket_id(customer, issue):\n    return 'TICK-' + hashlib.sha256(issue.encode()).hexdigest()[:12]",
                "two customers",
                "the issue alone",
            ),
            Wrong(
                "def ticket_id(customer, issue):\n"
                "    return 'TICK-' + hashlib.sha256((customer + issue).encode()).hexdigest()[:12]",
                "between customer and issue",
                "glues the texts",
            ),
            Wrong(
                "def ticket_id(customer, issue):\n"
                "    number = int(hashlib.sha256(f'{customer}|{issue}'.encode()).hexdigest(), 16)\n"
                "    return f'TICK-{number % 10000:04d}'",
                "four digits",
                "too short",
            ),
        ],
        right=[
            "import uuid\ndef ticket_id(customer, issue):\n"
            "    return f'TICK-{uuid.uuid5(uuid.NAMESPACE_URL, repr((customer, issue)))}'"
        ],
    ),
)

# -- Monitor ------------------------------------------------------------------------------------------------------------

CALM = {"reachable": True, "response_ms": 150, "load_ms": 40, "error_percent": 0.0, "memory_percent": 50}


def check_alerts(alerts):
    require(callable(alerts), f"{show(alerts)} is not a function.")
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


ALERTS_SETUP = 'THRESHOLDS = {"response_ms": 2000, "error_percent": 5, "memory_percent": 85}'

ALERTS = Exercise(
    id="06.7",
    title="Check every threshold",
    section="Monitor",
    task=(
        "Repair `alerts(sample)`: return a list of `availability` (nobody answered), `performance` (more than 2000 ms, without "
        "`load_ms`), `errors` (more than 5 %), `memory` (more than 85 %), in this order; an empty list if all is well. "
        "`response_ms` and `load_ms` are `None` where nobody answered."
    ),
    expects="a function of a dict that returns a list of names",
    check=check_alerts,
    hints=[
        "Four independent questions, so four `if`s, not an `elif` among them.",
        'Only where somebody answered is there a time: `if not sample["reachable"]` first, the time in its `elif`.',
        'The time that counts is `sample["response_ms"] - sample["load_ms"]`.',
    ],
    solution=(
        "def alerts(sample):\n"
        "    found = []\n"
        '    if not sample["reachable"]:\n'
        '        found.append("availability")\n'
        '    elif sample["response_ms"] - sample["load_ms"] > THRESHOLDS["response_ms"]:\n'
        '        found.append("performance")\n'
        '    if sample["error_percent"] > THRESHOLDS["error_percent"]:\n'
        '        found.append("errors")\n'
        '    if sample["memory_percent"] > THRESHOLDS["memory_percent"]:\n'
        '        found.append("memory")\n'
        "    return found"
    ),
    why="A threshold that no line compares with is decoration, and the dashboard is green while the house burns.",
    answers=Answers(
        setup=ALERTS_SETUP,
        blank=["def alerts(sample):\n    ..."],
        wrong=[
            Wrong("alerts = []", "not a function", "a list for one sample"),
            Wrong("def alerts(sample):\n    print(sample)", "not a list", "prints"),
            Wrong('def alerts(sample):\n    return ["performance"]', "nothing was wrong", "always shouts"),
            Wrong("def alerts(sample):\n    return []", "above 2000", "never shouts"),
            Wrong(
                "def alerts(sample):\n    found = []\n    if not sample['reachable']:\n        found.append('availability')\n"
                "    elif sample['response_ms'] > THRESHOLDS['response_ms']:\n        found.append('performance')\n"
                "    return found",
                "a fifth of the requests",
                "the recipe as it stands",
            ),
            Wrong(
                "def alerts(sample):\n    found = []\n    if sample['response_ms'] > THRESHOLDS['response_ms']:\n"
                "        found.append('performance')\n    if sample['error_percent'] > THRESHOLDS['error_percent']:\n"
                "        found.append('errors')\n    return found",
                "97 % full",
                "two of three",
            ),
            Wrong(
                "def alerts(sample):\n    if not sample['reachable']:\n        return ['availability']\n"
                "    names = {'response_ms': 'performance', 'error_percent': 'errors', 'memory_percent': 'memory'}\n"
                "    return [names[key] for key, most in THRESHOLDS.items() if sample[key] > most]",
                "were loading",
                "counts the cold load",
            ),
            Wrong(
                "def alerts(sample):\n    took = (sample['response_ms'] or 0) - (sample['load_ms'] or 0)\n"
                "    found = ['performance'] if took > 2000 else []\n"
                "    found += ['errors'] if sample['error_percent'] > 5 else []\n"
                "    return found + (['memory'] if sample['memory_percent'] > 85 else [])",
                "worse than slow",
                "no answer counts as fast",
            ),
            Wrong(
                "def alerts(sample):\n    if not sample['reachable']:\n        return ['availability']\n"
                "    took = sample['response_ms'] - sample['load_ms']\n"
                "    found = ['performance'] if took > 2000 else []\n"
                "    found += ['errors'] if sample['error_percent'] > 5 else []\n"
                "    return found + (['memory'] if sample['memory_percent'] > 85 else [])",
                "still has its other figures",
                "leaves early",
            ),
        ],
        right=[
            "def alerts(sample):\n    here = sample['reachable']\n"
            "    took = sample['response_ms'] - sample['load_ms'] if here else 0\n"
            "    told = {'availability': not here, 'performance': took > 2000, 'errors': sample['error_percent'] > 5,\n"
            "            'memory': sample['memory_percent'] > 85}\n"
            "    return [name for name, is_so in told.items() if is_so]"
        ],
    ),
)


def _told(summary_due, ticks: list[float]) -> list[float]:
    """Run a monitor's loop over the times `ticks` (s); return when it told a summary."""
    last, told = ticks[0], []
    for now in ticks:
        if summary_due(now, last):
            told.append(now)
            last = now
    return told


def check_summary_due(summary_due):
    require(callable(summary_due), f"{show(summary_due)} is not a function.")
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


SUMMARY_DUE = Exercise(
    id="06.8",
    title="Every ten minutes",
    section="Monitor",
    task=(
        "Repair `summary_due(now, last)`: `True` when 600 seconds or more have passed since the last summary. Both are times in "
        "seconds; the loop asks after each sample, and samples come at odd moments."
    ),
    expects="a function of two numbers that returns True or False",
    check=check_summary_due,
    hints=[
        "The clock's own figure does not matter, only how long ago it was.",
        "Elapsed time is a difference: `now - last`.",
        "`return now - last >= 600`",
    ],
    solution="def summary_due(now, last):\n    return now - last >= 600",
    why="A loop that sleeps is never on time; ask how long it has been, not what time it is.",
    answers=Answers(
        blank=["def summary_due(now, last):\n    ..."],
        wrong=[
            Wrong("summary_due = 600", "not a function", "the period itself"),
            Wrong("def summary_due(now, last):\n    return now % 600 == 0", "never met", "the recipe as it stands"),
            Wrong("def summary_due(now, last):\n    return True", "six would do", "always"),
            Wrong("def summary_due(now, last):\n    return now % 600 < 30", "s apart", "a window on the clock"),
            Wrong("def summary_due(now, last):\n    return now - last >= 1200", "late enough", "double"),
            Wrong("def summary_due(now, last):\n    return now - last > 600", "it is due", "more than"),
        ],
        right=["summary_due = lambda now, last: last + 600 <= now"],
    ),
)

# -- Configure ----------------------------------------------------------------------------------------------------------


def check_broken_template(broken_template):
    require(callable(broken_template), f"{show(broken_template)} is not a function.")
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


BROKEN_TEMPLATE = Exercise(
    id="06.9",
    title="Find the broken template",
    section="Configure",
    task=(
        "Write `broken_template(meant, read)`: the names of the models whose template is broken. `meant` lists the tokens that "
        "each question should take, `read` maps a model's name to the tokens that it took, question by question."
    ),
    expects="a list of names",
    check=check_broken_template,
    hints=[
        "Print both: where does a count differ from what was meant?",
        "A model is sound only if all its counts agree, so compare the lists.",
        "`[name for name, counts in read.items() if counts != meant]`",
    ],
    solution="def broken_template(meant, read):\n    return [name for name, counts in read.items() if counts != meant]",
    why="A wrong template raises nothing and still answers; the number of tokens is the only thing that shows it.",
    answers=Answers(
        blank=["def broken_template(meant, read):\n    ..."],
        wrong=[
            Wrong('broken_template = ["guessed"]', "not a function", "the answer for one pair"),
            Wrong("def broken_template(meant, read):\n    return min(read)", "not a list", "one name"),
            Wrong("def broken_template(meant, read):\n    return list(read)", "exactly what it should", "all of them"),
            Wrong("def broken_template(meant, read):\n    return []", "16 tokens", "none of them"),
            Wrong(
                "def broken_template(meant, read):\n"
                "    return [name for name, counts in read.items() if counts[0] != meant[0]]",
                "first question only",
                "one probe",
            ),
            Wrong(
                "def broken_template(meant, read):\n"
                "    return [name for name, counts in read.items() if any(c < m for c, m in zip(counts, meant))]",
                "said twice",
                "only what is missing",
            ),
            Wrong(
                "def broken_template(meant, read):\n"
                "    return [n for n, c in read.items() if c != meant] or ['nobody']",
                "nothing is broken",
                "always names one",
            ),
        ],
        right=[
            "def broken_template(meant, read):\n"
            "    return {name for name in read if any(a != b for a, b in zip(read[name], meant, strict=True))}"
        ],
    ),
)

# -- Who may use it -----------------------------------------------------------------------------------------------------


def check_is_safe(is_safe):
    require(callable(is_safe), f"{show(is_safe)} is not a function.")
    require(is_safe("0.17.1") is True, "0.17.1 is the version that has the repair.")
    require(is_safe("0.9.6") is False, "0.9.6 is older: as texts, 9 comes after 1, but these are numbers.")
    require(is_safe("0.17.0") is False, "0.17.0 still has the fault; only the last part tells.")
    cases(
        is_safe,
        [("0.32.13-rc2", True), ("1.0.0", True), ("0.0.0", False)],
        "compare part by part, and mind what hangs on",
    )


IS_SAFE = Exercise(
    id="06.10",
    title="Which version is safe",
    section="Who may use it",
    task="Write `is_safe(version)`: `True` from 0.17.1 on. A version is a text such as `0.17.4` or `0.32.13-rc2`.",
    expects="a function of a str that returns True or False",
    check=check_is_safe,
    hints=[
        "Compare numbers, not texts: take the version apart.",
        "Tuples compare part by part: `(0, 9, 6) < (0, 17, 1)`.",
        '`tuple(map(int, re.findall(r"\\d+", version)[:3])) >= (0, 17, 1)`',
    ],
    solution=(
        'import re\n\ndef is_safe(version):\n    return tuple(map(int, re.findall(r"\\d+", version)[:3])) >= (0, 17, 1)'
    ),
    why="Nearly every attack on a local server uses a fault that was repaired long ago.",
    answers=Answers(
        setup="import re",
        blank=["def is_safe(version):\n    ..."],
        wrong=[
            Wrong("is_safe = True", "not a function", "for one version"),
            Wrong('def is_safe(version):\n    return version > "0.17.1"', "has the repair", "more than"),
            Wrong('def is_safe(version):\n    return version >= "0.17.1"', "as texts", "compares texts"),
            Wrong(
                "def is_safe(version):\n    return tuple(map(int, version.split('.')[:2])) >= (0, 17)",
                "only the last part",
                "leaves the patch out",
            ),
            Wrong(
                "def is_safe(version):\n    a, b, c = (int(part.split('-')[0]) for part in version.split('.'))\n"
                "    return b > 17 or (b == 17 and c >= 1)",
                "part by part",
                "forgets the first part",
            ),
        ],
        right=[
            "def is_safe(version):\n    parts = version.split('-')[0].split('.')\n"
            "    return [int(part) for part in parts] >= [0, 17, 1]"
        ],
    ),
)

EXERCISES = [
    ENSURE_MODEL, SPEED, ROUTE, PLAN, ASK_WITHIN, TICKET_ID, ALERTS, SUMMARY_DUE, BROKEN_TEMPLATE, IS_SAFE,
]  # fmt: skip
