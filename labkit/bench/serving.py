"""How an engine serves: waiting time, writing speed and throughput, by how many ask at once.

    report = measure(endpoint, levels=(1, 4, 16))       # one engine that already runs
    report.levels[0].ttft_ms.p50

The definitions are those of vLLM's `bench serve` (vllm/benchmarks/serve.py, lib/endpoint_request_func.py) and of NVIDIA's aiperf
(docs/metrics-reference.md), read in November 2026. Where those two differ, this is which we took, and why.

TTFT, time to first token: from sending the request to the first chunk with text. As aiperf. vLLM takes the first chunk of any kind,
   which may be the role alone; some servers send that before they have read the prompt.
TPOT, time per output token: (end - first text) / (output tokens - 1), one value a request. As vLLM; aiperf calls it inter-token
   latency. The end is the last chunk with a choice, as in vLLM: the end mark is a token, is counted as one, and has no text.
ITL, inter-token latency: the gaps between one chunk with text and the next, all requests together. As aiperf's inter-chunk
   latency. vLLM's ITL has two more gaps a request, of nearly zero: from the role to the first text, and to the chunk that says why
   the answer ended. An engine may put several tokens into one chunk; then ITL is longer than TPOT.
Latency: from sending to the end.
Throughput: requests, or output tokens, of all answers that were complete, divided by the time from the first sending to the last
   end. As aiperf; vLLM's clock starts and stops a moment outside of that.

Tokens are counted by the engine (`usage`), never by chunks. The load is a closed loop (load.py), as with vLLM's --max-concurrency.
Before each level its warm-up runs, and counts for nothing. A failed request counts as an error, in no time and in no throughput.

Taught in notebook 07, section "Batching".
"""

from __future__ import annotations

import collections
from dataclasses import dataclass

from labkit.bench.load import Target, run
from labkit.bench.prompts import prompts
from labkit.bench.results import Engine, Round, summary
from labkit.footprint import footprint
from labkit.progress import Progress, silent

__all__ = ["Plan", "ignore_eos", "measure", "one_round", "warm_up"]

WARM_UP, WARM_UP_TOKENS = 8, 4  # requests at most, and tokens of each


@dataclass(frozen=True)
class Plan:
    """What to ask. levels: how many at once. requests: a round of one level, 0 for as many as are asked at once, and at least 4.

    words: of a prompt, about a token each. output_tokens: of an answer, exactly where the engine can be told so, else at most.
    """

    levels: tuple[int, ...] = (1, 4, 16, 32)
    requests: int = 0
    rounds: int = 3
    words: int = 32
    output_tokens: int = 32

    def count(self, level: int) -> int:
        """Return the number of requests of one round at `level`."""
        return self.requests or max(4, level)

    @property
    def context(self) -> int:
        """The window in tokens that a conversation needs: the words, the answer, the task and the template."""
        return 128 * -(-(self.words + self.output_tokens + 128) // 128)


def measure(endpoint, plan: Plan | None = None, progress: Progress | None = None) -> Engine:
    """Measure an engine that already runs, and return its result. Raises Refused or EngineDied if it answers nothing at all.

    progress(label, done, total) counts requests. The machine should have nothing else to do: what else runs is in the figures.
    """
    plan, tell = plan or Plan(), progress or silent
    before, eos = footprint(endpoint), ignore_eos(endpoint)
    rounds, seen = [], [before]
    for number in range(plan.rounds):
        for level in plan.levels:
            rounds.append(one_round(endpoint, plan, level, number, eos, tell))
            seen.append(footprint(endpoint))
    return summary(endpoint, rounds, eos, seen)


def one_round(endpoint, plan: Plan, level: int, number: int, eos: str, tell: Progress) -> Round:
    """Run warm-up and round `number` of `level` on `endpoint`; `eos` is what `ignore_eos` found."""
    warm_up(endpoint, plan, level, number)
    label = f"{endpoint.backend}, {level} at once, round {number + 1} of {plan.rounds}"
    texts, extra = prompts(plan.count(level), plan.words, f"round {number} {level}"), {"ignore_eos": True}
    told = {"progress": lambda done, total: tell(label, done, total), "extra": extra if eos == "honoured" else None}
    return Round(level, tuple(run(Target.of(endpoint), texts, level, plan.output_tokens, **told)))


def warm_up(endpoint, plan: Plan, level: int, number: int) -> None:
    """Ask a few short answers, that nobody counts, before round `number` of `level`."""
    texts = prompts(min(level, WARM_UP), plan.words, f"warm-up {number} {level}")
    run(Target.of(endpoint), texts, len(texts), WARM_UP_TOKENS)


def ignore_eos(endpoint, most: int = 48) -> str:
    """Return what the engine does with ignore_eos: "honoured", "ignored" or "refused". Asked, not declared; one short answer.

    Raises Refused or EngineDied if it answers neither with nor without it.
    """
    target, question = Target.of(endpoint), ["What is the capital of France?"]
    (forced,) = run(target, question, 1, most, {"ignore_eos": True})
    if not forced.error:
        return "honoured" if forced.output_tokens == most else "ignored"
    with endpoint.stream(
        question[0], max_tokens=most
    ) as free:  # tells what is wrong, if more is wrong than the parameter
        collections.deque(free, maxlen=0)
    return "refused"
