"""The exercises of lesson 05, Foundry Local: what the original course wrote for it, mended piece by piece."""

from __future__ import annotations

import json
from types import SimpleNamespace

from labkit.errors import CourseError, EngineTimeout, LabkitError
from labkit.exercises import cases, raises, require, require_function, show

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
    require_function(open_model)
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


# -- ONNX, not GGUF -----------------------------------------------------------------------------------------------------

CUDA, QNN, CPU = "CUDAExecutionProvider", "QNNExecutionProvider", "CPUExecutionProvider"
BUILDS = [("m-cpu", CPU, 4.9), ("m-cuda", CUDA, 3.4), ("m-npu", QNN, 3.0)]


def check_pick_variant(pick_variant):
    require_function(pick_variant)
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


CLAIMS = {"qwen2.5-0.5b": (494_032_768, 500e6), "phi-4-mini": (3_836_021_760, 2.4e9), "phi-4": (14_659_507_200, 7e9)}


def check_sizes(bits_per_weight, possible):
    require_function(bits_per_weight)
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

    require_function(make_agent)
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
    require_function(process_request)
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
    raises(
        ZeroDivisionError,
        lambda: process_request(_Endpoint(ZeroDivisionError("a bug")), "Where is order 1002?", _look_up),
        "you swallowed a bug of your own program; catch `labkit.LabkitError` and nothing wider.",
    )


# -- Routing ------------------------------------------------------------------------------------------------------------

DESKS = {"delivery": "customer_service", "payment": "customer_service", "product": "technical"}


def check_route(route):
    require_function(route)
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


# -- Monitor ------------------------------------------------------------------------------------------------------------

IDLE, BUSY, DOWN = ({"answers": a, "requests": r} for a, r in ((True, 0), (True, 120), (False, 0)))


def _says(health, samples) -> tuple:
    got = health(samples)
    require(isinstance(got, dict), f"`health` should return a dict, not {show(got)}.")
    return got.get("status"), got.get("percent")


def check_monitor(health, remember):
    require_function(health)
    none = _says(health, {})
    require(none[0] != "healthy", "nothing is loaded, and you call that healthy.")
    require(none == ("empty", None), f"nothing is loaded: `empty`, and no percentage at all; yours says {show(none)}.")
    idle = _says(health, {"a": IDLE, "b": BUSY})
    require(idle == ("healthy", 100), f"a model that answers and has no work is healthy; yours says {show(idle)}.")
    half = _says(health, {"a": IDLE, "b": DOWN})
    require(half == ("degraded", 50), f"one of two does not answer: `degraded`, 50 percent; yours says {show(half)}.")
    down = _says(health, {"a": DOWN, "b": DOWN})
    require(down == ("down", 0), f"none of two answers: `down`, 0 percent; yours says {show(down)}.")
    history = []
    for number in range(5):
        remember(history, number, 3)
    require(history, "`remember` should put the sample into the list that it is given.")
    require(len(history) <= 3, f"after 5 samples with `most=3` the history holds {len(history)}: it grows for ever.")
    require(history == [2, 3, 4], f"the newest three are 2, 3, 4; yours keeps {show(history)}.")


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


# -- Configure ----------------------------------------------------------------------------------------------------------

READS = dict.fromkeys(("quantization", "gpu_layers", "memory_lock", "numa"), "llama.cpp")
READS |= {"context_length": "both", "threads": "both", "execution_provider": "ONNX Runtime"}
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
    for setting, because in BECAUSE.items():
        require(reads[setting] == READS[setting], f"`{setting}` is not for {show(reads[setting])}: {because}.")
