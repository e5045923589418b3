"""Five rates of tool calling on the course's items: parses, fits the schema, right tool, right arguments, right abstention.

    measure(endpoint, "kept", "two-stage").table()

Counted of: every item (parses, fits), items where a call is right (tool, arguments), items where none is (abstention). Modes:
"native" leaves it to the engine's own tools= (with tool_choice="required" where a call is right), "schema" has the model write the
whole call under a schema, "two-stage" is labkit's way. Each rate comes with its 95 % Wilson interval.

Taught in notebook 04, section "Five rates".
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from labkit.errors import BadCall, ConfigError, LabkitError, RequestError, ToolError
from labkit.intervals import Rate
from labkit.progress import Progress, silent
from labkit.tools.decide import Call, Decision, named
from labkit.tools.items import KINDS, Item, items, right_arguments
from labkit.tools.reading import read_arguments
from labkit.tools.schema import check
from labkit.tools.talk import Usage, call

__all__ = ["MODES", "Measured", "Outcome", "Rate", "judge", "measure"]

MODES = ("native", "schema", "two-stage")


@dataclass(frozen=True)
class Outcome:
    """What came of one item. `seconds` is the whole decision, `wrote` the call or why there is none.

    Taught in notebook 04, section "Five rates".
    """

    kind: str
    text: str
    call_wanted: bool
    parses: bool
    fits: bool
    right_tool: bool
    right_call: bool
    abstained: bool
    wrote: str
    seconds: float
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True)
class Measured:
    """The five rates of one mode on one half, rates by kind of item, and cost a decision."""

    mode: str
    half: str
    rates: dict[str, Rate]
    by_kind: dict[str, Rate]
    median_seconds: float
    p90_seconds: float
    prompt_tokens: float
    completion_tokens: float
    asks: float
    outcomes: list[Outcome] = field(repr=False, default_factory=list)

    def to_dict(self, outcomes: bool = False) -> dict:
        """Return a JSON-ready dict, with every outcome if asked."""
        found = asdict(self)
        for what in ("rates", "by_kind"):
            found[what] = {name: rate.to_dict() for name, rate in getattr(self, what).items()}
        if not outcomes:
            del found["outcomes"]
        return found

    def table(self) -> str:
        """Return the rates as text."""
        head = f"{self.mode}, {self.half} half: {self.median_seconds:.2f} s a decision (90 %: {self.p90_seconds:.2f}), "
        head += (
            f"{self.prompt_tokens:.0f} + {self.completion_tokens:.0f} tokens, {self.asks:.1f} questions to the model"
        )
        named = {**self.rates, **{f"  right, {kind}": rate for kind, rate in self.by_kind.items()}}
        rows = [
            f"{name:22} {100 * r.share:5.1f} %  [{100 * r.low:.0f}, {100 * r.high:.0f}]  {r.hits}/{r.of}"
            for name, r in named.items()
        ]
        return "\n".join([head, *rows])


def measure(
    endpoint: Any, half: str = "dev", mode: str = "two-stage", limit: int = 0, progress: Progress = silent
) -> Measured:
    """Return the rates of `mode` on a half of the items (the first `limit` of each kind, if given).

    Raises ConfigError for an unknown mode or half, and what `Endpoint.chat` raises when the engine itself fails.

    Taught in notebook 04, section "Five rates".
    """
    if mode not in MODES:
        raise ConfigError(
            f"There is no mode {mode!r}.", f"there are {', '.join(MODES)}", "labkit tools eval --mode two-stage"
        )
    chosen = _limited(items(half), limit)
    outcomes = []
    for number, item in enumerate(chosen, 1):
        outcomes.append(_outcome(endpoint, item, mode))
        progress(mode, number, len(chosen))
    return _measured(mode, half, outcomes)


def _limited(all_items: list[Item], limit: int) -> list[Item]:
    if not limit:
        return all_items
    return [item for kind in KINDS for item in [one for one in all_items if one.kind == kind][:limit]]


def _outcome(endpoint: Any, item: Item, mode: str) -> Outcome:
    usage, started = Usage(), time.perf_counter()
    if mode == "native":
        decision = native(endpoint, item, usage)
    else:
        choice = "required" if mode == "schema" else "auto"
        decision = call(endpoint, list(item.messages), item.tools, choice, mode, usage=usage)
    return judge(item, decision, time.perf_counter() - started, usage)


def native(endpoint: Any, item: Item, usage: Usage) -> Decision:
    """Return what the engine's own tool calling decides."""
    request = {
        "model": endpoint.model, "messages": list(item.messages), "tools": [tool.to_openai() for tool in item.tools],
        "tool_choice": "auto" if item.abstain else "required", "temperature": 0, "max_tokens": 200,
    }  # fmt: skip
    decision, started = Decision(), time.perf_counter()
    try:
        with endpoint._translated_errors():
            reply = endpoint.client().chat.completions.create(**request)
    except RequestError as refusal:  # some engines refuse what their model did not manage
        decision.error = BadCall("The engine refused.", refusal.what, "")
        return decision
    usage.add(reply.usage, time.perf_counter() - started)
    calls = reply.choices[0].message.tool_calls or []
    try:
        written = [one.function for one in calls[:1]]
        decision.calls = [Call(named(one.name, item.tools), read_arguments(one.arguments)) for one in written]
    except ToolError as error:
        decision.error = error
    if not calls and not item.abstain:
        decision.error = BadCall("A call was required, and none came.", "", "")
    return decision


def judge(item: Item, decision: Decision, seconds: float = 0.0, usage: Usage | None = None) -> Outcome:
    """Return what a decision is worth for an item."""
    made = decision.calls[0] if decision.calls else None
    fits = not decision.error and (made is None or not check(made.arguments, made.tool.parameters))
    right_tool = bool(made) and made.tool.name == item.call and not item.abstain
    return Outcome(
        kind=item.kind,
        text=item.text,
        call_wanted=not item.abstain,
        parses=bool(made) or not decision.error or "does not fit" in decision.error.what,
        fits=fits,
        right_tool=right_tool,
        right_call=right_tool and right_arguments(made.arguments, item.args),
        abstained=item.abstain and not made and not decision.error,
        wrote=f"{made.tool.name}({made.arguments})" if made else _why_not(decision),
        seconds=seconds,
        usage=usage or Usage(),
    )


def _why_not(decision: Decision) -> str:
    error: LabkitError | None = decision.error
    return (
        f"error: {error.what}" if error else f"missing: {', '.join(decision.missing)}" if decision.missing else "none"
    )


def _measured(mode: str, half: str, outcomes: Sequence[Outcome]) -> Measured:
    wants = [one for one in outcomes if one.call_wanted]
    holds = [one for one in outcomes if not one.call_wanted]
    rates = {
        "parses": Rate(sum(one.parses for one in outcomes), len(outcomes)),
        "fits the schema": Rate(sum(one.fits for one in outcomes), len(outcomes)),
        "right tool": Rate(sum(one.right_tool for one in wants), len(wants)),
        "right arguments": Rate(sum(one.right_call for one in wants), sum(one.right_tool for one in wants)),
        "right call": Rate(sum(one.right_call for one in wants), len(wants)),
        "right abstention": Rate(sum(one.abstained for one in holds), len(holds)),
    }
    seconds = sorted(one.seconds for one in outcomes) or [0.0]
    mean = {
        name: statistics.fmean([getattr(one.usage, name) for one in outcomes] or [0])
        for name in ("prompt_tokens", "completion_tokens", "asks")
    }
    return Measured(mode, half, rates, _by_kind(outcomes), statistics.median(seconds), seconds[int(0.9 * (len(seconds) - 1))],
                    **mean, outcomes=list(outcomes))  # fmt: skip


def _by_kind(outcomes: Sequence[Outcome]) -> dict[str, Rate]:
    found = {}
    for kind in KINDS:
        ours = [one for one in outcomes if one.kind == kind]
        if ours:
            found[kind] = Rate(sum(one.right_call or one.abstained for one in ours), len(ours))
    return found
