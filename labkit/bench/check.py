"""Is what we measure what happened? The same load, read by us and by somebody else.

llama.cpp times every request itself and says so in the last chunk (`timings`): our TTFT has to be its prompt_ms (the reading of
the prompt, first token included) and a little for HTTP and waiting; our TPOT its predicted_per_token_ms. The two readings are of
the same requests, so what else the machine does makes no difference.

vLLM has `bench serve`: it puts its load on the server through a listener of ours (tee.py), which takes down what passes. So
here too both read the same requests. The listener costs bench serve a fraction of a millisecond a chunk.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.bench.load import Answer
from labkit.bench.prompts import prompts
from labkit.bench.results import Round
from labkit.bench.serving import Plan, ignore_eos, one_round, warm_up
from labkit.bench.stats import Range, over_rounds, percentile
from labkit.bench.tee import listening
from labkit.errors import ConfigError, EngineError, Refused
from labkit.progress import Progress, silent

__all__ = ["TOLERANCE", "Reading", "against_bench_serve", "against_timings", "by_its_own"]

TOLERANCE = 0.05  # two readings of the same thing differ by no more than this share
RUNNER = Path(__file__).with_name("vllm_bench.py")


@dataclass(frozen=True)
class Reading:
    """One figure at one load, read twice: `ours` and `theirs` (medians, in `unit`), and the ratio of the pairs with its range."""

    figure: str
    unit: str
    concurrency: int
    pairs: int
    ours: float
    theirs: float
    ratio: Range

    @property
    def agrees(self) -> bool:
        """Whether the median ratio is 1 within TOLERANCE."""
        return abs(self.ratio.median - 1) <= TOLERANCE


# Figure: its unit, our reading of an Answer, and the server's own of the same request.
TIMED = {
    "first token (TTFT)": ("ms", lambda one: 1000 * one.ttft, lambda said: said["prompt_ms"]),
    "each token (TPOT)": ("ms", lambda one: 1000 * one.tpot, lambda said: said["predicted_per_token_ms"]),
    "writing speed": ("tokens/s", lambda one: 1 / one.tpot, lambda said: said["predicted_per_second"]),
    "output tokens": ("tokens", lambda one: one.output_tokens, lambda said: said["predicted_n"]),
    "prompt tokens": ("tokens", lambda one: one.prompt_tokens, lambda said: said["prompt_n"] + said["cache_n"]),
}
# Figure: its unit, our reading of a Round, and the name that `bench serve` has for it.
SERVED = {
    "first token (TTFT)": ("ms", lambda one: percentile(one.times("ttft"), 50), "median_ttft_ms"),
    "each token (TPOT)": ("ms", lambda one: percentile(one.times("tpot"), 50), "median_tpot_ms"),
    "gap (ITL)": ("ms", lambda one: percentile(one.times("itl"), 50), "median_itl_ms"),
    "throughput": ("tokens/s", lambda one: one.output_tokens_per_second, "output_throughput"),
    "requests": ("1/s", lambda one: one.requests_per_second, "request_throughput"),
    "output tokens": ("tokens", lambda one: sum(a.output_tokens for a in one.answers), "total_output_tokens"),
    "prompt tokens": ("tokens", lambda one: sum(a.prompt_tokens for a in one.answers), "total_input_tokens"),
}


def by_its_own(backend: str, plan: Plan, progress: Progress | None = None) -> list[Reading]:
    """Start "llamacpp" or "vllm" on the default model and return our readings beside its own. Raises ConfigError for another."""
    import labkit

    if backend not in ("llamacpp", "vllm"):
        why = "only llama.cpp and vLLM bring something that measures as well"
        raise ConfigError(f"There is nothing to check {backend} with.", why, "labkit bench check --backend llamacpp")
    (progress or silent)(f"{backend}: starting", 0, 1)
    options = {"context": plan.context, "parallel": max(plan.levels), "start_timeout": 400}
    with labkit.connect(backend, **options) as endpoint:
        if backend == "llamacpp":
            return against_timings(endpoint, plan, progress)
        return against_bench_serve(endpoint, *_vllm(), plan, progress)


def _vllm() -> tuple[str, str]:
    """Return vLLM's python and where its tokenizer is."""
    from labkit import catalog, convert
    from labkit.backends import vllm_find

    model = catalog.default_model()
    source = model.source("vllm")
    return vllm_find.find().python, source.id if source.via == "hub" else str(convert.ensure(model, "vllm"))


def against_timings(endpoint, plan: Plan | None = None, progress: Progress | None = None) -> list[Reading]:
    """Return our readings beside those of llama.cpp's own server, request by request, at each of the plan's levels.

    Raises Refused if the server does not time its requests (another engine), EngineError if a request fails.
    """
    plan, tell = plan or Plan(levels=(1, 4), requests=8, rounds=1), progress or silent
    eos, readings = ignore_eos(endpoint), []
    for level in plan.levels:
        rounds = [one_round(endpoint, plan, level, number, eos, tell) for number in range(plan.rounds)]
        answers = _complete(rounds)
        if not all(answer.timings for answer in answers):
            raise Refused(f"{endpoint.backend} does not time its own requests.", "llama.cpp does", "labkit bench check")
        for figure, (unit, ours, theirs) in TIMED.items():
            pair = [ours(one) for one in answers], [theirs(one.timings) for one in answers]
            readings.append(_paired(figure, unit, level, *pair))
        if level == 1:  # one after the other, so the server's own times add up to the whole
            pair = [one.output_tokens_per_second for one in rounds], [_rate(one) for one in rounds]
            readings.append(_paired("throughput", "tokens/s", level, *pair))
    return readings


def against_bench_serve(
    endpoint, python: str, tokenizer: str, plan: Plan | None = None, progress: Progress | None = None
) -> list[Reading]:
    """Return our readings beside those of vLLM's `bench serve`, of the same requests, at each of the plan's levels.

    python: that of the venv where vLLM is. tokenizer: the folder or repository of the model's weights. Raises EngineError if a
    request fails, EngineStartError if `bench serve` does.
    """
    plan, tell = plan or Plan(levels=(1, 4), requests=16, rounds=3), progress or silent
    readings, command = [], [python, "-I", str(RUNNER), "--tokenizer", tokenizer]
    for level in plan.levels:
        rounds, theirs = [], []
        for number in range(plan.rounds):
            warm_up(endpoint, plan, level, number)
            tell(f"bench serve, {level} at once, round {number + 1} of {plan.rounds}", number, plan.rounds)
            with listening(endpoint) as (address, answers):
                theirs.append(_bench_serve(command, endpoint, address, plan, level, number))
            rounds.append(Round(level, tuple(answers[level:])))  # after its warm-up
        _complete(rounds)
        for figure, (unit, ours, name) in SERVED.items():
            pair = [ours(one) for one in rounds], [one[name] for one in theirs]
            readings.append(_paired(figure, unit, level, *pair))
    return readings


def _bench_serve(command: list[str], endpoint, address: str, plan: Plan, level: int, number: int) -> dict[str, float]:
    from labkit.backends.process import ServerProcess

    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "prompts.jsonl"
        texts = prompts(plan.count(level), plan.words, f"bench serve {number} {level}")
        asked.write_text("\n".join(json.dumps({"prompt": text, "output_tokens": plan.output_tokens}) for text in texts))
        runner = ServerProcess(
            [*command, *_arguments(endpoint.model, address, asked, plan, level)],
            label="vllm bench serve",
            ready=lambda server: server.find(r"VLLM BENCH (.+)"),
            env={"OPENAI_API_KEY": endpoint.api_key, "NO_PROXY": "127.0.0.1", "HF_HUB_OFFLINE": "1"},
        )
        try:
            result = json.loads(runner.start(300))
        finally:
            runner.stop()
    if result["failed"]:
        raise EngineError(f"{result['failed']:.0f} requests of bench serve failed.", runner.tail(), "labkit doctor")
    return result


def _arguments(model: str, address: str, asked: Path, plan: Plan, level: int) -> list[str]:
    return [
        *("--backend", "openai-chat", "--endpoint", "/v1/chat/completions"),
        *("--base-url", address, "--model", model),
        *("--dataset-name", "custom", "--dataset-path", str(asked)),
        *("--num-prompts", str(plan.count(level)), "--max-concurrency", str(level)),
        *("--num-warmups", str(level)),  # else its own first connections count as the engine's waiting
        *("--ignore-eos", "--disable-tqdm", "--temperature", "0"),
    ]


def _paired(figure: str, unit: str, level: int, ours: Sequence[float], theirs: Sequence[float]) -> Reading:
    ratio = over_rounds([mine / other for mine, other in zip(ours, theirs, strict=True)])
    return Reading(figure, unit, level, len(ours), over_rounds(ours).median, over_rounds(theirs).median, ratio)


def _complete(rounds: Sequence[Round]) -> list[Answer]:
    answers = [answer for one in rounds for answer in one.answers]
    wrong = [answer.error for answer in answers if answer.error]
    if wrong:
        raise EngineError(f"{len(wrong)} of {len(answers)} requests failed.", wrong[0], "labkit doctor")
    return answers


def _rate(one: Round) -> float:
    said = [answer.timings for answer in one.answers]
    return 1000 * sum(s["predicted_n"] for s in said) / sum(s["prompt_ms"] + s["predicted_ms"] for s in said)
