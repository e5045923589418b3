"""From a request to a checked call, in steps that know no engine: `decide` yields what to ask the model and is sent what it said.

Two stages: first whether to call and what (closed set: the tools and none), then the arguments of that one tool. Words and types
decide as much as they can; the model chooses where they don't. One stage ("schema"): the model writes the whole call, held to a
schema. Either way a call leaves here only if it fits the tool's own schema.

Taught in notebook 04, sections "Two stages" and "Checks after".
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from labkit.errors import BadCall, BadTool, ToolError, UnknownTool
from labkit.tools import prompt
from labkit.tools.agree import agreed, apart, doubtful, placed, surely_missing
from labkit.tools.dates import in_the_format
from labkit.tools.fill import fill
from labkit.tools.plan import Plan, Request, own_words, slots_of
from labkit.tools.reading import read_call, read_json
from labkit.tools.relevance import odds
from labkit.tools.schema import check, longest, record, response_format
from labkit.tools.tool import Tool
from labkit.tools.words import table, words

__all__ = ["CHOICES", "Ask", "Call", "Decision", "decide", "named", "request_of"]

CHOICES = ("auto", "required", "none")
CLOSE = 0.35  # log-odds: nearer than this, and the model chooses between two tools
MOST_LEAD = 2.0
ASKED_FOR = 1.0
MOST_TOKENS = 1200


@dataclass(frozen=True)
class Ask:
    """One question to the model: chat `messages`, and the JSON `schema` that holds its answer."""

    messages: list[dict]
    schema: dict

    def parameters(self) -> dict:
        """Return the parameters of the chat request that it makes."""
        held = response_format("call", self.schema)
        # The schema ends every value, so an answer that is cut off is one that this limit cut: it must never do that needlessly.
        return {"response_format": held, "max_tokens": min(MOST_TOKENS, 16 + longest(self.schema)), "temperature": 0}


@dataclass(frozen=True)
class Call:
    """A call that fits the tool's schema: safe to execute as far as types go.

    Taught in notebook 04, section "Two stages".
    """

    tool: Tool
    arguments: dict
    id: str = field(default_factory=lambda: f"call_{uuid.uuid4().hex[:12]}", compare=False)


@dataclass
class Decision:
    """What became of one request: calls, or why there is none.

    calls: what to execute. tool, missing: the tool that was meant and what the request lacks for it. error: why there is no
    call although one was wanted. trace: every step, and who decided it.

    Taught in notebook 04, section "Two stages".
    """

    calls: list[Call] = field(default_factory=list)
    tool: str = ""
    missing: list[str] = field(default_factory=list)
    error: ToolError | None = None
    trace: list[str] = field(default_factory=list)

    @property
    def question(self) -> str:
        """What to ask the user when something is missing, else ""."""
        if not self.missing:
            return ""
        return f"I need to know more for that: {', '.join(name.replace('_', ' ') for name in self.missing)}."


Steps = Generator[Ask, str, Decision]


def decide(
    messages: Sequence[dict] | str, tools: Sequence[Tool], choice: str = "auto", mode: str = "two-stage"
) -> Steps:
    """Yield Asks, be sent the model's texts, return a Decision; never raises for what a model wrote.

    choice: "auto", "required", "none", or a tool's name. mode: "two-stage" or "schema". Raises UnknownTool, BadTool.

    Taught in notebook 04, section "Two stages".
    """
    if choice not in CHOICES:
        tools, choice = [named(choice, tools)], "required"
    if not tools and choice == "required":
        raise BadTool("A call is required, but there are no tools.", "", "pass tools")
    if not tools or choice == "none":
        return Decision(trace=["no tools" if not tools else "told to call none"])
    request = request_of(messages)
    decision = Decision()
    try:
        if mode == "schema":
            return (yield from _one_stage(request, tools, decision))
        return (yield from _two_stages(request, tools, choice, decision))
    except ToolError as error:
        decision.error, decision.calls = error, []
        decision.trace.append(f"no call: {error.what}")
        return decision


def named(name: str, tools: Sequence[Tool]) -> Tool:
    """Return the tool of that name. Raises UnknownTool."""
    found = next((tool for tool in tools if tool.name == name), None)
    if found is None:
        raise UnknownTool(
            f"There is no tool {name[:80]!r}.", f"there are {', '.join(tool.name for tool in tools) or 'none'}", ""
        )
    return found


# -- the request ------------------------------------------------------------------------------------------------------

QUESTION = re.compile(
    r"\?$|\b(?:tell|give|let|show|send) me\b|\bI need\b|\bplease (?:give|say|state|enter|provide)\b", re.I
)
FOLLOW_UP = re.compile(r"(?:and|or|what about|how about|then|also|now|no,|it'?s?|its|the same)\b", re.I)


def request_of(messages: Sequence[dict] | str) -> Request:
    """Return what is to be done now: the last user message, with earlier ones where it answers a question or follows one up."""
    if isinstance(messages, str):
        return Request(messages)
    turns = [(one.get("role"), text_of(one)) for one in messages if one.get("role") in ("user", "assistant")]
    last = next((i for i in range(len(turns) - 1, -1, -1) if turns[i][0] == "user"), None)
    if last is None:
        return Request("")
    text = turns[last][1]
    before = turns[last - 1][1] if last else ""
    earlier = [said for role, said in turns[:last] if role == "user"]
    answers = bool(last) and turns[last - 1][0] == "assistant" and bool(QUESTION.search(before.strip()))
    follows = bool(FOLLOW_UP.match(text)) or (len(text.split()) <= 3 and answers)
    closing = all(word in table("closing") for word in words(text)) and not re.search(r"\d", text)
    return Request(text, earlier[-1] if earlier and (answers or follows) and not closing else "")


def text_of(message: dict) -> str:
    """Return the text of a chat message, whose content may be a list of parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))


# -- one stage --------------------------------------------------------------------------------------------------------


def _one_stage(request: Request, tools: Sequence[Tool], decision: Decision) -> Steps:
    options = [record({"name": {"const": tool.name}, "arguments": tool.engine}) for tool in tools]
    schema = options[0] if len(options) == 1 else {"anyOf": options}
    said = yield Ask(prompt.call_messages(tools, _whole(request)), schema)
    name, arguments = read_call(said)
    decision.trace.append(f"the model wrote {name}")
    return _checked(named(name, tools), arguments, decision)


def _whole(request: Request) -> str:
    return f"{request.earlier} {request.text}".strip()


def _checked(tool: Tool, arguments: dict, decision: Decision) -> Decision:
    if problems := check(arguments, tool.parameters):
        raise BadCall(f"The call of {tool.name} does not fit its schema.", "; ".join(problems)[:300], "")
    decision.tool = tool.name
    decision.calls.append(Call(tool, arguments))
    return decision


# -- two stages -------------------------------------------------------------------------------------------------------


def _two_stages(request: Request, tools: Sequence[Tool], choice: str, decision: Decision) -> Steps:
    ranked = _ranked(request, tools)
    best, tool, plan = ranked[0]
    # Among several tools, one that stands out speaks for itself: where none fits, all come out alike.
    lead = min(MOST_LEAD, best - ranked[1][0]) if len(ranked) > 1 else 0.0
    if choice == "auto" and best + lead < 0:
        decision.trace.append(f"none: {tool.name} comes nearest with odds of {best:+.1f}")
        return decision
    close = [row for row in ranked if best - row[0] < CLOSE and bool(row[2].missing) == bool(plan.missing)]
    if len(close) > 1:
        best, tool, plan = yield from _let_model_choose(request, close, decision)
    else:
        decision.trace.append(f"{tool.name}: odds of {best:+.1f} by words and values")
    decision.tool = tool.name
    return (yield from _arguments(request, tool, plan, choice, decision))


def _ranked(request: Request, tools: Sequence[Tool]) -> list[tuple[float, Tool, Plan]]:
    rows = []
    for tool in tools:
        plan = fill(tool, request)
        score = odds(tool, request, plan)
        if request.earlier:  # an answer to a question says little by itself, but it was asked for
            score = ASKED_FOR + max(
                score, *(odds(tool, Request(one), plan) for one in (request.earlier, _whole(request)))
            )
        rows.append((score, tool, plan))
    return sorted(rows, key=lambda row: -row[0])


def _let_model_choose(request: Request, close: list, decision: Decision):
    names = [tool.name for _, tool, _ in close]
    said = yield Ask(
        prompt.name_messages([tool for _, tool, _ in close], _whole(request)), record({"name": {"enum": names}})
    )
    found = read_json(said)
    name = found.get("name") if isinstance(found, dict) else None
    if name not in names:
        raise UnknownTool(f"The model chose {str(name)[:80]!r}.", f"it was to choose from {', '.join(names)}", "")
    decision.trace.append(f"{name}: the model chose from {', '.join(names)}")
    return next(row for row in close if row[1].name == name)


def _arguments(request: Request, tool: Tool, plan: Plan, choice: str, decision: Decision) -> Steps:
    slots = slots_of(tool)
    if choice == "auto" and (missing := surely_missing(slots, plan, request)):
        return _lacking(missing, decision)
    unsure, written = doubtful(slots, plan), {}
    if unsure:
        form = {name: _held(tool, name, plan.open.get(name) or [], request) for name in unsure}
        said = yield Ask(prompt.arguments_messages(tool, unsure, _whole(request)), record(form))
        written = _written(said, all(name in plan.values for name in unsure))
        decision.trace.append(f"the model read {', '.join(unsure)}")
    values, own = {}, own_words(tool.name, tool.description)
    for slot in slots:
        if slot.name in unsure:
            value = agreed(slot, plan, written.get(slot.name), request, own)
            value = written.get(slot.name) if value is None and choice == "required" else value
            values |= {} if value is None else {slot.name: value}
        elif slot.name in plan.values:
            values[slot.name] = plan.values[slot.name]
    values = placed(apart(values, plan, _whole(request), tool.required))
    values = {slot.name: in_the_format(values[slot.name], slot.about) for slot in slots if slot.name in values}
    if missing := [name for name in tool.properties if name in tool.required and name not in values]:
        return _lacking(missing, decision)
    decision.trace.append(f"filled in: {', '.join(values) or 'nothing'}")
    return _checked(tool, values, decision)


def _lacking(missing: list[str], decision: Decision) -> Decision:
    decision.missing = missing
    decision.trace.append(f"missing: {', '.join(missing)}")
    return decision


def _written(said: str, optional: bool) -> dict:
    """Return the arguments that the model wrote. Where every one has a value already (`optional`), bad ones count as none."""
    try:
        written = read_json(said)
        if not isinstance(written, dict):
            raise BadCall("The model wrote no arguments.", f"it wrote {said[:80]!r}", "")
    except BadCall:
        if not optional:
            raise
        return {}
    return written


def _held(tool: Tool, name: str, options: list, request: Request) -> dict:
    """Return the schema that holds one argument: an enum's values that the request names, and no text longer than the request."""
    held = tool.engine["properties"][name]
    if options and held.get("type") != "array" and (held.get("type") != "string" or "enum" in held):
        return {"enum": options}
    if held.get("type") == "string" and "maxLength" in held:
        said = len(_whole(request)) + 10
        return {**held, "maxLength": max(min(held["maxLength"], said), held.get("minLength", 0))}
    return held
