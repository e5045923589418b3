"""The exercises of lesson 05, Foundry Local: what the original course wrote for it, mended piece by piece."""

from __future__ import annotations

import json
from types import SimpleNamespace

from labkit.errors import CourseError, EngineTimeout, LabkitError
from labkit.exercises import Answers, Exercise, Wrong, cases, require, show

# -- Install ------------------------------------------------------------------------------------------------------------


class _Variant:
    """Stands for a model of the SDK in the check: it has to be on the disk before it can be loaded."""

    def __init__(self, alias: str, cached: bool):
        self.alias, self.is_cached, self.is_loaded, self.downloads = alias, cached, False, 0

    def download(self, progress_callback=None):
        self.downloads, self.is_cached = self.downloads + 1, True

    def load(self):
        if not self.is_cached:
            raise RuntimeError("model is not on the disk")
        self.is_loaded = True


class _Shelf:
    """Stands for a catalogue of the SDK: `get_model` returns None for an alias that it does not list."""

    def __init__(self):
        self.here, self.there = _Variant("here", True), _Variant("there", False)

    def get_model(self, alias):
        return {"here": self.here, "there": self.there}.get(alias)


def check_open_model(open_model):
    require(callable(open_model), f"{show(open_model)} is not a function.")
    shelf = _Shelf()
    model = open_model(shelf, "here")
    require(model is shelf.here, f"it should return what the catalogue gave; yours returned {show(model)}.")
    require(model.is_loaded, "the model is on the disk, and not in memory: `load()` it.")
    require(not model.downloads, "that model was on the disk already, and you downloaded its gigabytes once more.")
    require(open_model(shelf, "there").is_loaded, "a model that was not on the disk should be loaded in the end.")
    try:
        got = open_model(shelf, "phi-9")
    except LookupError as error:
        require("phi-9" in str(error), "the error should name the alias that was not found.")
    else:
        require(False, f"nobody has phi-9, and you returned {show(got)}; raise LookupError.")


OPEN_MODEL = Exercise(
    id="05.1",
    title="Open a model with today's SDK",
    section="Install",
    task=(
        "Write `open_model(catalog, alias)`: get the model of that alias from the catalogue, download it if it is not on the "
        "disk, load it, return it. `catalog.get_model` returns None for an alias that it does not know: raise a `LookupError` "
        "that names it."
    ),
    expects="a function of a catalogue and a str that returns a loaded model",
    check=check_open_model,
    hints=[
        "`model = catalog.get_model(alias)`, then look whether it is None.",
        "`model.is_cached` says whether it is on the disk; `model.download()` and `model.load()` do the rest.",
        "`raise LookupError(alias)` for None; `if not model.is_cached:` before the download.",
    ],
    solution=(
        "def open_model(catalog, alias):\n"
        "    model = catalog.get_model(alias)\n"
        "    if model is None:\n"
        "        raise LookupError(f'no model {alias}: offline, or a wrong name')\n"
        "    if not model.is_cached:\n"
        "        model.download()\n"
        "    model.load()\n"
        "    return model"
    ),
    why="One line of the old SDK hid four steps; each can fail by itself, and you want to know which one did.",
    answers=Answers(
        blank=["def open_model(catalog, alias):\n    ..."],
        wrong=[
            Wrong('open_model = "phi-4-mini"', "not a function", "an alias instead of a function"),
            Wrong(
                "def open_model(catalog, alias):\n    from foundry_local import FoundryLocalManager\n"
                "    return FoundryLocalManager(alias)",
                "foundry_local",
                "the names of the SDK before version 2",
            ),
            Wrong(
                "def open_model(catalog, alias):\n    catalog.get_model(alias).load()\n    return alias",
                "what the catalogue gave",
                "returns the alias",
            ),
            Wrong(
                "def open_model(catalog, alias):\n    return catalog.get_model(alias)",
                "not in memory",
                "takes looking up for loading",
            ),
            Wrong(
                "def open_model(catalog, alias):\n    model = catalog.get_model(alias)\n    model.download()\n"
                "    model.load()\n    return model",
                "once more",
                "downloads every time",
            ),
            Wrong(
                "def open_model(catalog, alias):\n    model = catalog.get_model(alias)\n"
                "    if model.is_cached:\n        model.load()\n    return model",
                "in the end",
                "never downloads",
            ),
            Wrong(
                "def open_model(catalog, alias):\n    model = catalog.get_model(alias)\n"
                "    if not model.is_cached:\n        model.download()\n    model.load()\n    return model",
                "AttributeError",
                "believes that a catalogue has everything",
            ),
            Wrong(
                "def open_model(catalog, alias):\n    model = catalog.get_model(alias)\n    if model is None:\n"
                "        return None\n    if not model.is_cached:\n        model.download()\n    model.load()\n    return model",
                "raise LookupError",
                "hands the None on",
            ),
            Wrong(
                "def open_model(catalog, alias):\n    model = catalog.get_model(alias)\n    if model is None:\n"
                "        raise LookupError('not found')\n    if not model.is_cached:\n        model.download()\n"
                "    model.load()\n    return model",
                "name the alias",
                "an error that does not say what is missing",
            ),
        ],
        right=[
            "def open_model(catalog, alias):\n    model = catalog.get_model(alias)\n"
            "    if not model:\n        raise KeyError(alias)\n"
            "    model.is_cached or model.download(print)\n    model.load()\n    return model"
        ],
    ),
)

# -- ONNX, not GGUF -----------------------------------------------------------------------------------------------------

CUDA, QNN, CPU = "CUDAExecutionProvider", "QNNExecutionProvider", "CPUExecutionProvider"
BUILDS = [("m-cpu", CPU, 4.9), ("m-cuda", CUDA, 3.4), ("m-npu", QNN, 3.0)]


def check_pick_variant(pick_variant):
    require(callable(pick_variant), f"{show(pick_variant)} is not a function.")
    only_cpu = pick_variant(BUILDS, [CPU], 16)
    require(
        only_cpu == "m-cpu", f"only the CPU provider is there, and you chose {show(only_cpu)}: it would not even load."
    )
    got = pick_variant(BUILDS, [CUDA, CPU], 16)
    require(
        got == "m-cuda",
        f"CUDA is there and comes first in `providers`; you chose {show(got)}.",
        look="the order of them",
    )
    small = pick_variant(BUILDS, [CUDA, CPU], 2)
    require(small is None, f"no build fits into 2 GB, and you chose {show(small)} instead of None.")
    cases(
        pick_variant,
        [(BUILDS, [QNN, CUDA, CPU], 3.2, "m-npu"), ([("big", CUDA, 9.0), ("slim", CPU, 4.0)], [CUDA, CPU], 8, "slim")],
        "the first provider whose build fits",
    )


PICK_VARIANT = Exercise(
    id="05.2",
    title="Which build of a model",
    section="ONNX, not GGUF",
    task=(
        "Write `pick_variant(variants, providers, free_gb)`. `variants` is a list of `(id, provider, gb)`. `providers` are the "
        "execution providers of this machine, best first. Return the id of the build for the best provider that fits into "
        "`free_gb`, or None."
    ),
    expects="a function of two lists and a number that returns an id, or None",
    check=check_pick_variant,
    hints=[
        "The outer loop goes over `providers`, because they are in order of preference.",
        "Inside, take a variant whose provider is that one and whose size fits.",
        "`return None` comes after both loops.",
    ],
    solution=(
        "def pick_variant(variants, providers, free_gb):\n"
        "    for provider in providers:\n"
        "        for name, needs, gb in variants:\n"
        "            if needs == provider and gb <= free_gb:\n"
        "                return name\n"
        "    return None"
    ),
    why="This choice is what “selects the hardware automatically” means: a build for each provider, and a rule.",
    answers=Answers(
        setup='CUDA, QNN, CPU = "CUDAExecutionProvider", "QNNExecutionProvider", "CPUExecutionProvider"',
        blank=["def pick_variant(variants, providers, free_gb):\n    ..."],
        wrong=[
            Wrong('pick_variant = "m-cpu"', "not a function", "an id instead of a rule"),
            Wrong(
                "def pick_variant(variants, providers, free_gb):\n    return min(variants, key=lambda v: v[2])[0]",
                "not even load",
                "takes the smallest, whatever it needs",
            ),
            Wrong(
                "def pick_variant(variants, providers, free_gb):\n"
                "    return next((n for n, p, gb in variants if p in providers and gb <= free_gb), None)",
                "comes first",
                "goes by the order of the builds",
            ),
            Wrong(
                "def pick_variant(variants, providers, free_gb):\n"
                "    return next(n for one in providers for n, p, gb in variants if p == one)",
                "instead of None",
                "forgets the memory",
            ),
            Wrong(
                "def pick_variant(variants, providers, free_gb):\n"
                "    name, _, gb = next(v for v in variants if v[1] == providers[0])\n"
                "    return name if gb <= free_gb else None",
                "whose build fits",
                "gives up after the best provider",
            ),
        ],
        right=[
            "def pick_variant(variants, providers, free_gb):\n"
            "    fit = [v for v in variants if v[1] in providers and v[2] <= free_gb]\n"
            "    return min(fit, key=lambda v: providers.index(v[1]))[0] if fit else None"
        ],
    ),
)

CLAIMS = {"qwen2.5-0.5b": (494_032_768, 500e6), "phi-4-mini": (3_836_021_760, 2.4e9), "phi-4": (14_659_507_200, 7e9)}


def check_sizes(bits_per_weight, possible):
    require(callable(bits_per_weight), f"{show(bits_per_weight)} is not a function.")
    got = bits_per_weight(1_000_000, 1_000_000)
    require(got != 1, "you counted bytes for each weight; a byte is 8 bits.")
    cases(bits_per_weight, [(1_000_000, 1_000_000, 8.0), (4_500_000, 8_000_000, 4.5)])
    require(isinstance(possible, dict), f"{show(possible)} is not a dict of alias to True or False.")
    missing = CLAIMS.keys() - possible.keys()
    require(not missing, f"{show(sorted(missing))} is missing in `possible`.")
    for alias, (parameters, claim) in CLAIMS.items():
        bits = claim * 8 / parameters
        because = f"{alias}: the claim leaves {bits:.1f} bits for each weight, and you say {show(possible[alias])}."
        require(possible[alias] == (bits >= 4.5), because)


SIZES = Exercise(
    id="05.3",
    title="Can a model be that small",
    section="ONNX, not GGUF",
    task=(
        "Write `bits_per_weight(nbytes, parameters)`. With it, fill the dict `possible` from `claims` (alias to parameters and "
        "claimed bytes): True where the claim leaves at least 4.5 bits for each weight, the least that a plain 4-bit file takes."
    ),
    expects="a function of two numbers that returns a number, and a dict of alias to True or False",
    check=check_sizes,
    hints=[
        "Bytes times 8, divided by the number of weights.",
        "Go over `claims.items()`, each with `(parameters, nbytes)`.",
        "`possible = {alias: bits_per_weight(b, p) >= 4.5 for alias, (p, b) in claims.items()}`",
    ],
    solution=(
        "def bits_per_weight(nbytes, parameters):\n    return nbytes * 8 / parameters\n\n"
        "possible = {alias: bits_per_weight(b, p) >= 4.5 for alias, (p, b) in claims.items()}"
    ),
    why="A size claim is a claim about bits; two numbers that anybody can look up are enough to check it.",
    answers=Answers(
        setup=f"claims = {CLAIMS}",
        blank=["def bits_per_weight(nbytes, parameters):\n    ...\n\n\npossible = ..."],
        wrong=[
            Wrong("bits_per_weight, possible = 4.5, {}", "not a function", "a figure instead of a rule"),
            Wrong("bits_per_weight, possible = (lambda b, p: b / p), {}", "counted bytes", "bytes instead of bits"),
            Wrong(
                "bits_per_weight, possible = (lambda b, p: p * 8 / b), {}", "not `4.5`", "divides the wrong way round"
            ),
            Wrong("bits_per_weight, possible = (lambda b, p: b * 8 / p), True", "not a dict", "one verdict for all"),
            Wrong(
                "bits_per_weight, possible = (lambda b, p: b * 8 / p), {'phi-4': False}",
                "is missing",
                "looks at one model only",
            ),
            Wrong(
                "bits_per_weight, possible = (lambda b, p: b * 8 / p), dict.fromkeys(claims, True)",
                "phi-4: the claim leaves",
                "takes Phi-4 for a model of seven billion",
            ),
        ],
        right=[
            "bits_per_weight = lambda b, p: 8 * b / p\n"
            "possible = {'qwen2.5-0.5b': True, 'phi-4-mini': True, 'phi-4': False, 'qwen2.5-coder-0.5b': True}"
        ],
    ),
)

# -- Integrate ----------------------------------------------------------------------------------------------------------

NAME = "production-customer-service"


class _Gate:
    """Stands for an endpoint in the check: it remembers the chat client that it gave."""

    model, base_url, api_key, given = "demo", "http://127.0.0.1:9/v1", "key", None

    def chat_client(self, **options):
        from agent_framework.openai import OpenAIChatCompletionClient

        self.given = OpenAIChatCompletionClient(model=self.model, base_url=self.base_url, api_key=self.api_key)
        return self.given


def check_make_agent(make_agent):
    from agent_framework import Agent

    require(callable(make_agent), f"{show(make_agent)} is not a function.")
    gate = _Gate()
    agent = make_agent(gate)
    require(isinstance(agent, Agent), f"it should return an `agent_framework.Agent`, not {show(agent)}.")
    require(
        agent.client is gate.given, "its client is not the endpoint's; `endpoint.chat_client()` knows address and key."
    )
    options = agent.default_options
    require(options.get("instructions"), "it has no instructions: nothing tells the model whom it works for.")
    require(
        agent.name == NAME, f"its name should be {NAME}, so that logs can tell agents apart; it is {show(agent.name)}."
    )
    limits = options.get("max_tokens"), options.get("temperature")
    require(limits == (512, 0.1), f"`max_tokens` and `temperature` should be 512 and 0.1; yours are {show(limits)}.")


MAKE_AGENT = Exercise(
    id="05.4",
    title="The agent, with names that exist",
    section="Integrate",
    task=(
        f"Write `make_agent(endpoint)`: an Agent Framework agent named `{NAME}`, with instructions, on "
        "`endpoint.chat_client()`, and `max_tokens` 512 and `temperature` 0.1 as its default options."
    ),
    expects="a function of an endpoint that returns an Agent",
    check=check_make_agent,
    seconds=30.0,
    hints=[
        "`from agent_framework import Agent`. There is no `Config`; what you want to say goes straight into `Agent(…)`.",
        "`Agent(client=…, name=…, instructions=…, default_options={…})`.",
        '`default_options={"max_tokens": 512, "temperature": 0.1}`',
    ],
    solution=(
        "from agent_framework import Agent\n\n"
        "def make_agent(endpoint):\n"
        "    return Agent(\n"
        "        client=endpoint.chat_client(),\n"
        f'        name="{NAME}",\n'
        '        instructions="You answer the customers of a small shop.",\n'
        '        default_options={"max_tokens": 512, "temperature": 0.1},\n'
        "    )"
    ),
    why="The agent knows a client and nothing of Foundry: the same line runs on every engine of this course.",
    answers=Answers(
        blank=["def make_agent(endpoint):\n    ..."],
        wrong=[
            Wrong("make_agent = 'agent'", "not a function", "a name instead of a function"),
            Wrong(
                "def make_agent(endpoint):\n    from microsoft_agent_framework import Agent, Config\n"
                "    return Agent(config=Config(name='production-customer-service'))",
                "microsoft_agent_framework",
                "the package that never existed",
            ),
            Wrong(
                "def make_agent(endpoint):\n    return endpoint.chat_client()",
                "`agent_framework.Agent`",
                "takes the client for the agent",
            ),
            Wrong(
                "from agent_framework import Agent\nfrom agent_framework.openai import OpenAIChatClient\n"
                "def make_agent(endpoint):\n"
                "    return Agent(client=OpenAIChatClient(model='m', base_url=endpoint.base_url, api_key='k'))",
                "not the endpoint's",
                "the client of another API (Responses)",
            ),
            Wrong(
                "from agent_framework import Agent\ndef make_agent(endpoint):\n"
                f"    return Agent(client=endpoint.chat_client(), name='{NAME}')",
                "no instructions",
                "an agent without a task",
            ),
            Wrong(
                "from agent_framework import Agent\ndef make_agent(endpoint):\n"
                "    return Agent(client=endpoint.chat_client(), instructions='Help.')",
                "its name should be",
                "an agent without a name",
            ),
            Wrong(
                "from agent_framework import Agent\ndef make_agent(endpoint):\n"
                f"    return Agent(client=endpoint.chat_client(), name='{NAME}', instructions='Help.')",
                "`max_tokens` and `temperature`",
                "no limit on the answer",
            ),
        ],
        right=[
            "import agent_framework as af\ndef make_agent(endpoint):\n"
            "    limits = dict(temperature=0.1, max_tokens=512)\n"
            f"    return af.Agent(endpoint.chat_client(), 'Help the customer.', name='{NAME}', default_options=limits)"
        ],
    ),
)

# -- Production ---------------------------------------------------------------------------------------------------------

LATE = EngineTimeout("foundry did not answer within 30 s.", "the machine is busy", "labkit doctor")
UNKNOWN_ORDER = CourseError("The shop has no '9999' among its orders", "there are others", "ask for one of these")


class _Endpoint:
    """Stands for an endpoint in the check: it notes what it was asked, and answers or raises."""

    def __init__(self, error: Exception | None = None):
        self.error, self.asked, self.parameters = error, [], {}

    def chat(self, prompt, **parameters):
        self.asked.append(prompt if isinstance(prompt, str) else json.dumps(prompt))
        self.parameters = parameters
        if self.error:
            raise self.error
        return SimpleNamespace(text="On Thursday.")


def _look_up(text: str) -> str:
    if "9999" in text:
        raise UNKNOWN_ORDER
    return "Order 1002 will arrive on Thursday."


def _seen(process_request, endpoint: _Endpoint, text: str) -> object:
    """Return what the caller gets: the function's result, or the error of labkit that came through."""
    try:
        return process_request(endpoint, text, _look_up)
    except LabkitError as error:
        return error


def check_process_request(process_request):
    require(callable(process_request), f"{show(process_request)} is not a function.")
    good = _Endpoint()
    got = process_request(good, "Where is order 1002?", _look_up)
    require(got == {"ok": True, "answer": "On Thursday."}, f"when all goes well, you returned {show(got)}.")
    fact = any("will arrive on Thursday" in prompt for prompt in good.asked)
    require(fact, "the model never saw the fact: put what `look_up(text)` returns into the prompt.")
    wanted = {"max_tokens": 512, "temperature": 0.1, "timeout": 30}
    sent = {name: good.parameters.get(name) for name in wanted}
    require(sent == wanted, f"the request should carry {wanted}; yours carries {show(sent)}.")
    late = _seen(process_request, _Endpoint(LATE), "Where is order 1002?")
    require(isinstance(late, dict), f"the engine timed out, and the caller gets {show(late)}, not a dict.")
    require(late.get("ok") is False, f"the engine timed out, and you returned {show(late)}.")
    require(
        late == {"ok": False, "error": "EngineTimeout", "fix": LATE.fix},
        f"no name or no fix: the caller gets {show(late)}.",
    )
    unasked = _Endpoint()
    got = _seen(process_request, unasked, "Where is order 9999?")
    require(not unasked.asked, "no such order, and you let the model answer all the same: it will make one up.")
    kind = got.get("error") if isinstance(got, dict) else got
    require(kind == "CourseError", f"there is no order 9999; the caller gets {show(got)}.")
    try:
        process_request(_Endpoint(ZeroDivisionError("a bug")), "Where is order 1002?", _look_up)
    except ZeroDivisionError:
        return
    require(False, "you swallowed a bug of your own program; catch `labkit.LabkitError` and nothing wider.")


PROCESS_REQUEST = Exercise(
    id="05.5",
    title="A service that does not apologise",
    section="Production",
    task=(
        "Write `process_request(endpoint, text, look_up)`. Put the fact that `look_up(text)` returns in front of the question, ask "
        "with `max_tokens=512`, `temperature=0.1`, `timeout=30`, and return `{'ok': True, 'answer': …}`. On an error of labkit, "
        "return `{'ok': False, 'error': its class's name, 'fix': its fix}`. Any other error must show."
    ),
    expects="a function of an endpoint, a str and a function that returns a dict",
    check=check_process_request,
    hints=[
        "Both calls belong into the `try:`, the look-up and the chat; `except labkit.LabkitError as error:`.",
        "The prompt is `f'Information: {look_up(text)}\\nQuestion: {text}'`.",
        "`type(error).__name__` is the class's name.",
    ],
    solution=(
        "import labkit\n\n"
        "def process_request(endpoint, text, look_up):\n"
        "    try:\n"
        '        prompt = f"Information: {look_up(text)}\\nQuestion: {text}"\n'
        "        reply = endpoint.chat(prompt, max_tokens=512, temperature=0.1, timeout=30)\n"
        "    except labkit.LabkitError as error:\n"
        '        return {"ok": False, "error": type(error).__name__, "fix": error.fix}\n'
        '    return {"ok": True, "answer": reply.text}'
    ),
    why="Callers can act on an error that has a type; an apology they can only pass on.",
    answers=Answers(
        setup="import labkit\nASK = dict(max_tokens=512, temperature=0.1, timeout=30)",
        blank=["def process_request(endpoint, text, look_up):\n    ..."],
        wrong=[
            Wrong("process_request = 'I apologise'", "not a function", "the apology itself"),
            Wrong(
                "def process_request(endpoint, text, look_up):\n    return endpoint.chat(look_up(text) + text, **ASK).text",
                "when all goes well",
                "a bare text: nobody can tell an answer from an error",
            ),
            Wrong(
                "def process_request(endpoint, text, look_up):\n"
                "    return {'ok': True, 'answer': endpoint.chat(text, **ASK).text}",
                "never saw the fact",
                "asks without looking anything up",
            ),
            Wrong(
                "def process_request(endpoint, text, look_up):\n"
                "    return {'ok': True, 'answer': endpoint.chat(look_up(text) + text).text}",
                "should carry",
                "a timeout that stands in the configuration and nowhere else",
            ),
            Wrong(
                "def process_request(endpoint, text, look_up):\n"
                "    return {'ok': True, 'answer': endpoint.chat(look_up(text) + text, **ASK).text}",
                "not a dict",
                "catches nothing",
            ),
            Wrong(
                "def process_request(endpoint, text, look_up):\n    prompt = look_up(text) + text\n    try:\n"
                "        return {'ok': True, 'answer': endpoint.chat(prompt, **ASK).text}\n"
                "    except labkit.LabkitError as e:\n        return {'ok': False, 'error': type(e).__name__, 'fix': e.fix}",
                "no order 9999",
                "leaves the look-up outside the try",
            ),
            Wrong(
                "def process_request(endpoint, text, look_up):\n    try:\n"
                "        return {'ok': True, 'answer': endpoint.chat(look_up(text) + text, **ASK).text}\n"
                "    except Exception:\n        return {'ok': True, 'answer': 'I apologise, please try again later.'}",
                "timed out",
                "the module's apology: an outage looks like an answer",
            ),
            Wrong(
                "def process_request(endpoint, text, look_up):\n    try:\n"
                "        return {'ok': True, 'answer': endpoint.chat(look_up(text) + text, **ASK).text}\n"
                "    except labkit.LabkitError as error:\n        return {'ok': False, 'error': str(error)}",
                "no name or no fix",
                "hands on a long text instead of a type",
            ),
            Wrong(
                "def process_request(endpoint, text, look_up):\n    try:\n        fact = look_up(text)\n"
                "    except labkit.LabkitError:\n        fact = ''\n    try:\n"
                "        return {'ok': True, 'answer': endpoint.chat(fact + text, **ASK).text}\n"
                "    except labkit.LabkitError as e:\n        return {'ok': False, 'error': type(e).__name__, 'fix': e.fix}",
                "make one up",
                "asks the model when the look-up failed",
            ),
            Wrong(
                "def process_request(endpoint, text, look_up):\n    try:\n        prompt = look_up(text) + text\n"
                "    except labkit.LabkitError as e:\n        return {'ok': False, 'error': 'EngineError', 'fix': e.fix}\n"
                "    try:\n        return {'ok': True, 'answer': endpoint.chat(prompt, **ASK).text}\n"
                "    except labkit.LabkitError as e:\n        return {'ok': False, 'error': type(e).__name__, 'fix': e.fix}",
                "no order 9999",
                "calls every error an engine's",
            ),
            Wrong(
                "def process_request(endpoint, text, look_up):\n    try:\n"
                "        return {'ok': True, 'answer': endpoint.chat(look_up(text) + text, **ASK).text}\n"
                "    except Exception as e:\n"
                "        return {'ok': False, 'error': type(e).__name__, 'fix': getattr(e, 'fix', '')}",
                "swallowed a bug",
                "catches everything",
            ),
        ],
        right=[
            "def process_request(endpoint, text, look_up):\n    try:\n        fact = look_up(text)\n"
            "        messages = [{'role': 'system', 'content': fact}, {'role': 'user', 'content': text}]\n"
            "        return {'ok': True, 'answer': endpoint.chat(messages, **ASK).text}\n"
            "    except labkit.LabkitError as e:\n        return dict(ok=False, error=type(e).__name__, fix=e.fix)"
        ],
    ),
)

# -- Routing ------------------------------------------------------------------------------------------------------------

DESKS = {"delivery": "customer_service", "payment": "customer_service", "product": "technical"}


def check_route(route):
    require(callable(route), f"{show(route)} is not a function.")
    for label, desk in DESKS.items():
        got = route(json.dumps({"choice": label}))
        require(got == desk, f"`{label}` belongs to {desk}; yours sent it to {show(got)}.")
    got = route('{"choice": "customer"}')
    require(got == "person", f"`customer` is no label of ours; yours sent it to {show(got)}, not to a person.")
    prose = route("Thank you! Our technical team will get in touch with the customer about the product.")
    require(prose == "person", f"that was prose, not a choice; yours sent it to {show(prose)}.")
    for reply in ("", '{"choice": "deli', '"delivery"', '{"choice": null}', '{"label": "delivery"}'):
        got = route(reply)
        require(got == "person", f"the reply {show(reply)} is no choice; yours sent it to {show(got)}.")


ROUTE = Exercise(
    id="05.6",
    title="A router without a catch-all",
    section="Routing",
    task=(
        "Write `route(reply)`. `reply` is the model's text and should be like `{'choice': 'delivery'}`, as JSON. Return the "
        "desk of that label from `DESKS`. Whatever is not a label of `DESKS` goes to `person`, and nothing raises."
    ),
    expects="a function of a str that returns `customer_service`, `technical` or `person`",
    check=check_route,
    hints=[
        "`json.loads(reply)` raises ValueError when it is not JSON.",
        "What comes out need not be a dict; and `choice` need not be in it.",
        "`DESKS.get(label, 'person')` is right for a label; catch `ValueError`, `TypeError` and `KeyError` around it.",
    ],
    solution=(
        "import json\n\n"
        "def route(reply):\n"
        "    try:\n"
        '        return DESKS.get(json.loads(reply)["choice"], "person")\n'
        "    except (ValueError, TypeError, KeyError):\n"
        '        return "person"'
    ),
    why="What is unknown goes where somebody can think about it, and never to the desk that happens to come last.",
    answers=Answers(
        setup=f"import json\nDESKS = {DESKS}",
        blank=["def route(reply):\n    ..."],
        wrong=[
            Wrong("route = DESKS", "not a function", "the table instead of the rule"),
            Wrong(
                "def route(reply):\n    return 'customer_service' if 'customer' in reply.lower() else 'technical'",
                "belongs to customer_service",
                "the module's substring and catch-all",
            ),
            Wrong(
                "def route(reply):\n    return DESKS.get(json.loads(reply)['choice'], 'technical')",
                "no label of ours",
                "technical as the catch-all",
            ),
            Wrong(
                "def route(reply):\n    return next((d for label, d in DESKS.items() if label in reply), 'person')",
                "prose, not a choice",
                "looks for words in the text",
            ),
            Wrong(
                "def route(reply):\n    return DESKS.get(json.loads(reply)['choice'], 'person')",
                "JSONDecodeError",
                "believes that it is always JSON",
            ),
            Wrong(
                "def route(reply):\n    try:\n        reply = json.loads(reply)\n"
                "        return DESKS.get(reply['choice'] if isinstance(reply, dict) else reply, 'person')\n"
                "    except (ValueError, KeyError):\n        return 'person'",
                "is no choice",
                "takes any JSON for an answer",
            ),
        ],
        right=[
            "def route(reply):\n    try:\n        data = json.loads(reply)\n    except ValueError:\n        data = None\n"
            "    label = data.get('choice') if isinstance(data, dict) else None\n"
            "    return DESKS[label] if label in DESKS else 'person'"
        ],
    ),
)

# -- Monitor ------------------------------------------------------------------------------------------------------------

IDLE, BUSY, DOWN = ({"answers": a, "requests": r} for a, r in ((True, 0), (True, 120), (False, 0)))


def _says(health, samples) -> tuple:
    got = health(samples)
    require(isinstance(got, dict), f"`health` should return a dict, not {show(got)}.")
    return got.get("status"), got.get("percent")


def check_monitor(health, remember):
    require(callable(health), f"{show(health)} is not a function.")
    nothing = _says(health, {})
    require(nothing[0] != "healthy", "nothing is loaded, and you call that healthy.")
    require(
        nothing == ("empty", None), f"nothing is loaded: `empty`, and no percentage at all; yours says {show(nothing)}."
    )
    idle = _says(health, {"a": IDLE, "b": BUSY})
    require(idle == ("healthy", 100), f"a model that answers and has no work is healthy; yours says {show(idle)}.")
    one_bad = _says(health, {"a": IDLE, "b": DOWN})
    require(
        one_bad == ("degraded", 50), f"one of two does not answer: `degraded`, 50 percent; yours says {show(one_bad)}."
    )
    down = _says(health, {"a": DOWN, "b": DOWN})
    require(down == ("down", 0), f"none of two answers: `down`, 0 percent; yours says {show(down)}.")
    history = []
    for number in range(5):
        remember(history, number, 3)
    require(history, "`remember` should put the sample into the list that it is given.")
    require(len(history) <= 3, f"after 5 samples with `most=3` the history holds {len(history)}: it grows for ever.")
    require(history == [2, 3, 4], f"the newest three are 2, 3, 4; yours keeps {show(history)}.")


MONITOR = Exercise(
    id="05.7",
    title="Health that means something",
    section="Monitor",
    task=(
        "Write `health(samples)`: `samples` is a dict, model to `{'answers': bool, 'requests': int}`. Return `{'status': …, "
        "'percent': …}`: `empty` and None without models, else `healthy`, `degraded` or `down` for all, some or none answering, "
        "and the share in percent. Write `remember(history, sample, most)`: add it to the list, and keep the newest `most`."
    ),
    expects="two functions: one of a dict that returns a dict, one that changes a list in place",
    check=check_monitor,
    hints=[
        "First the case without models: it is neither healthy nor ill, and a percentage of nothing does not exist.",
        "Count those whose `answers` is true; `requests` says how busy a model is, not whether it is well.",
        "`history.append(sample)`, then `del history[:-most]`.",
    ],
    solution=(
        "def health(samples):\n"
        "    if not samples:\n"
        '        return {"status": "empty", "percent": None}\n'
        '    well = sum(one["answers"] for one in samples.values())\n'
        '    status = "healthy" if well == len(samples) else "degraded" if well else "down"\n'
        '    return {"status": status, "percent": 100 * well / len(samples)}\n\n\n'
        "def remember(history, sample, most):\n"
        "    history.append(sample)\n"
        "    del history[:-most]"
    ),
    why="A watch that calls nothing healthy, and an outage idle, is worse than none: people stop looking at it.",
    answers=Answers(
        setup="def good(history, sample, most):\n    history.append(sample)\n    del history[:-most]",
        blank=["def health(samples):\n    ...\n\n\ndef remember(history, sample, most):\n    ..."],
        wrong=[
            Wrong("health, remember = 'healthy', good", "not a function", "a verdict instead of a rule"),
            Wrong("health, remember = (lambda s: 'empty'), good", "should return a dict", "returns the status alone"),
            Wrong(
                "def health(samples):\n    well = sum(s['answers'] for s in samples.values())\n"
                "    status = 'healthy' if well == len(samples) else 'degraded'\n"
                "    return {'status': status, 'percent': 100 * well / len(samples) if samples else 0}\nremember = good",
                "call that healthy",
                "the module's rule: all of none are well",
            ),
            Wrong(
                "def health(samples):\n    return {'status': 'empty', 'percent': 0}\nremember = good",
                "no percentage at all",
                "counts nothing as 0 percent, and warns for ever",
            ),
            Wrong(
                "def health(samples):\n    if not samples:\n        return {'status': 'empty', 'percent': None}\n"
                "    well = sum(s['requests'] > 0 for s in samples.values())\n"
                "    return {'status': 'healthy' if well == len(samples) else 'degraded', 'percent': 50}\nremember = good",
                "has no work",
                "takes idle for broken",
            ),
            Wrong(
                "def health(samples):\n    if not samples:\n        return {'status': 'empty', 'percent': None}\n"
                "    return {'status': 'healthy', 'percent': 100}\nremember = good",
                "one of two does not",
                "never looks",
            ),
            Wrong(
                "def health(samples):\n    if not samples:\n        return {'status': 'empty', 'percent': None}\n"
                "    well = sum(s['answers'] for s in samples.values())\n"
                "    return {'status': 'healthy' if well == len(samples) else 'degraded', 'percent': 100 * well / len(samples)}\n"
                "remember = good",
                "none of two",
                "an outage is called degraded",
            ),
            *(
                Wrong(
                    "def health(samples):\n    if not samples:\n        return {'status': 'empty', 'percent': None}\n"
                    "    well = sum(s['answers'] for s in samples.values())\n"
                    "    status = 'healthy' if well == len(samples) else 'degraded' if well else 'down'\n"
                    f"    return {{'status': status, 'percent': 100 * well / len(samples)}}\n{remember}",
                    expect,
                    misconception,
                )
                for remember, expect, misconception in [
                    (
                        "def remember(history, sample, most):\n    return [*history, sample][-most:]",
                        "put the sample into",
                        "makes another list and throws it away",
                    ),
                    ("def remember(history, sample, most):\n    history.append(sample)", "for ever", "no bound"),
                    (
                        "def remember(history, sample, most):\n    if len(history) < most:\n        history.append(sample)",
                        "newest three",
                        "keeps the oldest: after a while, nothing new",
                    ),
                ]
            ),
        ],
        right=[
            "def health(samples):\n    if len(samples) == 0:\n        return dict(status='empty', percent=None)\n"
            "    answering = [n for n, s in samples.items() if s['answers']]\n    share = len(answering) / len(samples)\n"
            "    status = {0: 'down', 1: 'healthy'}.get(share, 'degraded')\n"
            "    return dict(status=status, percent=share * 100, answering=answering)\n\n"
            "def remember(history, sample, most):\n    history[:] = [*history, sample][-most:]"
        ],
    ),
)

# -- Resources ----------------------------------------------------------------------------------------------------------


def _model(name: str, gb: float, idle_s: float, *, busy: bool = False, pinned: bool = False) -> dict:
    return {"name": name, "gb": gb, "idle_s": idle_s, "busy": busy, "pinned": pinned}


def check_resources(to_unload, may_load):
    require(callable(to_unload) and callable(may_load), "both should be functions.")
    a, b, c = _model("a", 3.0, 900), _model("b", 2.0, 400), _model("c", 2.0, 100)
    calm = to_unload([_model("a", 3.2, 900), _model("b", 3.2, 900)], 8)
    require(calm == [], f"6.4 of 8 GB is not above 80 percent; yours drops {show(calm)}.")
    require("c" not in to_unload([a, b, c], 8), "c was used 100 seconds ago, and you drop it.")
    edge = to_unload([_model("a", 7.0, 300)], 8)
    require(edge == [], "idle for exactly 300 seconds is not more than 300.")
    kept = to_unload([_model("a", 4.0, 900, busy=True), _model("b", 4.0, 900, pinned=True)], 8)
    require(kept == [], f"one is answering somebody, one is pinned; yours drops {show(kept)}.")
    got = to_unload([b, a, c], 8)
    require(set(got) != {"a", "b"}, "dropping a is enough to come below 6.4 GB, and you drop b as well.")
    require(got == ["a"], f"the one that is idle the longest goes first: a; yours drops {show(got)}.")
    twice = to_unload([a, b, _model("d", 5.5, 10)], 8)
    require(twice == ["a", "b"], f"10.5 GB are loaded, and dropping a is not enough; yours drops {show(twice)}.")
    two = [a, c]
    require(may_load(two, 2.0, 0.9, 50, 8), "demand is high, and there is room for a third; yours says no.")
    require(not may_load(two, 2.0, 0.8, 50, 8), "demand of 0.8 is not above 0.8.")
    require(not may_load([a, c, _model("e", 0.5, 5)], 0.5, 0.9, 50, 8), "three are loaded already; that is the limit.")
    require(not may_load(two, 2.0, 0.9, 95, 8), "the CPU is at 95 percent: one more model makes all of them slower.")
    require(may_load(two, 2.0, 0.9, 80, 8), "the CPU at 80 percent is not above 80.")
    require(not may_load(two, 4.0, 0.9, 50, 8), "5 GB are taken, and 4 more do not fit into 8.")


RESOURCES = Exercise(
    id="05.8",
    title="What to unload, and whether to load",
    section="Resources",
    task=(
        "A model is a dict with `name`, `gb`, `idle_s`, `busy`, `pinned`. Write `to_unload(models, limit_gb)`: names to drop when "
        "more than 80 percent of the limit is loaded: idle for more than 300 s, not busy, not pinned, longest idle first, and "
        "no more than it takes to come to 80 percent or below. Write `may_load(models, new_gb, demand, cpu_percent, limit_gb)`: "
        "True if demand is above 0.8, fewer than 3 are loaded, the CPU is not above 80, and the new one fits."
    ),
    expects="two functions: one that returns a list of names, one that returns True or False",
    check=check_resources,
    hints=[
        "`taken = sum(one['gb'] for one in models)`; compare with `0.8 * limit_gb`.",
        "Sort the candidates by `idle_s`, largest first; go through them while `taken` is still too high.",
        "`may_load` is four comparisons joined by `and`.",
    ],
    solution=(
        "def to_unload(models, limit_gb):\n"
        '    taken, dropped = sum(one["gb"] for one in models), []\n'
        '    for one in sorted(models, key=lambda one: -one["idle_s"]):\n'
        '        free = one["idle_s"] > 300 and not one["busy"] and not one["pinned"]\n'
        "        if taken > 0.8 * limit_gb and free:\n"
        '            taken -= one["gb"]\n'
        '            dropped.append(one["name"])\n'
        "    return dropped\n\n\n"
        "def may_load(models, new_gb, demand, cpu_percent, limit_gb):\n"
        '    fits = sum(one["gb"] for one in models) + new_gb <= limit_gb\n'
        "    return demand > 0.8 and len(models) < 3 and cpu_percent <= 80 and fits"
    ),
    why="Decisions that are pure functions can be tried on a bad day that never happened; a manager of threads cannot.",
    answers=Answers(
        setup=(
            "def good(models, new_gb, demand, cpu, limit):\n"
            "    return demand > 0.8 and len(models) < 3 and cpu <= 80 and sum(m['gb'] for m in models) + new_gb <= limit\n"
            "def idle(m):\n    return m['idle_s'] > 300 and not m['busy'] and not m['pinned']\n"
            "def drop(models, limit):\n    taken, out = sum(m['gb'] for m in models), []\n"
            "    for m in sorted(filter(idle, models), key=lambda m: -m['idle_s']):\n"
            "        if taken > 0.8 * limit:\n            taken -= m['gb']\n            out.append(m['name'])\n    return out"
        ),
        blank=[
            "def to_unload(models, limit_gb):\n    ...\n\n\n"
            "def may_load(models, new_gb, demand, cpu_percent, limit_gb):\n    ..."
        ],
        wrong=[
            Wrong("to_unload, may_load = [], True", "both should be functions", "decisions instead of rules"),
            Wrong(
                "def to_unload(models, limit_gb):\n    return [m['name'] for m in models if idle(m)]\nmay_load = good",
                "not above 80 percent",
                "drops though there is room",
            ),
            Wrong(
                "def to_unload(models, limit_gb):\n    over = sum(m['gb'] for m in models) > 0.8 * limit_gb\n"
                "    return [m['name'] for m in models] if over else []\nmay_load = good",
                "100 seconds ago",
                "drops everything",
            ),
            Wrong(
                "def to_unload(models, limit_gb):\n    over = sum(m['gb'] for m in models) > 0.8 * limit_gb\n"
                "    return [m['name'] for m in models if m['idle_s'] >= 300] if over else []\nmay_load = good",
                "exactly 300",
                "at the threshold is not above it",
            ),
            Wrong(
                "def to_unload(models, limit_gb):\n    over = sum(m['gb'] for m in models) > 0.8 * limit_gb\n"
                "    return [m['name'] for m in models if m['idle_s'] > 300] if over else []\nmay_load = good",
                "answering somebody",
                "the module's rule: pulls a model away in the middle of an answer",
            ),
            Wrong(
                "def to_unload(models, limit_gb):\n    over = sum(m['gb'] for m in models) > 0.8 * limit_gb\n"
                "    return [m['name'] for m in models if idle(m)] if over else []\nmay_load = good",
                "drop b as well",
                "drops all that may be dropped",
            ),
            Wrong(
                "def to_unload(models, limit_gb):\n    taken, out = sum(m['gb'] for m in models), []\n"
                "    for m in sorted(filter(idle, models), key=lambda m: m['idle_s']):\n"
                "        if taken > 0.8 * limit_gb:\n            taken -= m['gb']\n            out.append(m['name'])\n"
                "    return out\nmay_load = good",
                "goes first",
                "drops the one that was used last",
            ),
            Wrong(
                "def to_unload(models, limit_gb):\n    return drop(models, limit_gb)[:1]\nmay_load = good",
                "not enough",
                "one at most, whatever is loaded",
            ),
            Wrong(
                "to_unload = drop\ndef may_load(models, new_gb, demand, cpu_percent, limit_gb):\n    return False",
                "yours says no",
                "never grows",
            ),
            Wrong(
                "to_unload = drop\ndef may_load(models, new_gb, demand, cpu_percent, limit_gb):\n    return True",
                "demand of 0.8",
                "always grows",
            ),
            Wrong(
                "to_unload = drop\ndef may_load(models, new_gb, demand, cpu_percent, limit_gb):\n    return demand > 0.8",
                "three are loaded",
                "forgets the number of models",
            ),
            Wrong(
                "to_unload = drop\ndef may_load(models, new_gb, demand, cpu_percent, limit_gb):\n"
                "    return demand > 0.8 and len(models) < 3",
                "95 percent",
                "the module's rule: its cpu_threshold is never read",
            ),
            Wrong(
                "to_unload = drop\ndef may_load(models, new_gb, demand, cpu_percent, limit_gb):\n"
                "    return demand > 0.8 and len(models) < 3 and cpu_percent < 80",
                "at 80 percent",
                "at the threshold is not above it",
            ),
            Wrong(
                "to_unload = drop\ndef may_load(models, new_gb, demand, cpu_percent, limit_gb):\n"
                "    return demand > 0.8 and len(models) < 3 and cpu_percent <= 80",
                "do not fit",
                "loads without asking for its size",
            ),
        ],
        right=["to_unload, may_load = drop, good"],
    ),
)

# -- Configure ----------------------------------------------------------------------------------------------------------

READS = {
    "quantization": "llama.cpp",
    "context_length": "both",
    "threads": "both",
    "gpu_layers": "llama.cpp",
    "memory_lock": "llama.cpp",
    "numa": "llama.cpp",
    "execution_provider": "ONNX Runtime",
}
BECAUSE = {
    "quantization": "`Q5_K_M` names a format of GGUF files; an ONNX folder was rounded when it was made",
    "context_length": "every engine has to know how long a conversation may be",
    "threads": "both share out the work of one token; you saw `intra_op_num_threads` in the folder's own file",
    "gpu_layers": "llama.cpp moves single layers to a GPU; ONNX Runtime gives the graph to a provider",
    "memory_lock": "keeping the file in memory (`load_mode`, mlock) is llama.cpp's, and not in genai_config.json",
    "numa": "`numa` is among llama.cpp's names, and not in genai_config.json",
    "execution_provider": "llama.cpp has its backends compiled in; providers are ONNX Runtime's",
}


def check_reads(reads):
    require(isinstance(reads, dict), f"{show(reads)} is not a dict of setting to engine.")
    missing = READS.keys() - reads.keys()
    require(not missing, f"{show(sorted(missing))} is missing.")
    for setting, engine in READS.items():
        require(reads[setting] == engine, f"`{setting}` is not for {show(reads[setting])}: {BECAUSE[setting]}.")


SETTINGS = Exercise(
    id="05.9",
    title="Whose setting is it",
    section="Configure",
    task=(
        "Fill the dict `reads`: for each of `quantization` (with the value `Q5_K_M`), `context_length`, `threads`, `gpu_layers`, "
        "`memory_lock`, `numa` and `execution_provider`, who reads it: `ONNX Runtime`, `llama.cpp` or `both`."
    ),
    expects="a dict with seven keys; its values are `ONNX Runtime`, `llama.cpp` or `both`",
    check=check_reads,
    hints=[
        "You have seen both lists: the folder's genai_config.json, and the names of llama.cpp's settings.",
        "Two of the seven are for both engines, and one is for ONNX Runtime alone.",
        "`mlock`, `numa` and layers on a GPU are all among llama.cpp's names.",
    ],
    solution=f"reads = {json.dumps(READS, indent=4)}",
    why="A setting that the engine does not know is not an error there; it is just never read, and you think that it helped.",
    answers=Answers(
        blank=["reads = ..."],
        wrong=[
            Wrong("reads = ['numa']", "not a dict", "a list of settings"),
            Wrong("reads = {'numa': 'llama.cpp'}", "is missing", "left some out"),
            Wrong(
                f"reads = dict.fromkeys({list(READS)}, 'ONNX Runtime')",
                "format of GGUF files",
                "the module's view: one ModelConfig for all",
            ),
            Wrong(
                f"reads = {READS | {'gpu_layers': 'both'}}",
                "moves single layers",
                "thinks that every engine counts layers",
            ),
            Wrong(
                f"reads = {READS | {'threads': 'llama.cpp'}}",
                "intra_op_num_threads",
                "thinks that only llama.cpp has threads",
            ),
        ],
        right=[f"reads = dict(sorted({READS}.items()))"],
    ),
)

EXERCISES = [
    OPEN_MODEL, PICK_VARIANT, SIZES, MAKE_AGENT, PROCESS_REQUEST, ROUTE, MONITOR, RESOURCES, SETTINGS,
]  # fmt: skip
