"""What a workflow holds, as JSON: a closed list of the framework's own classes, and plain values.

    decode(encode(checkpoint)) == checkpoint

An object becomes {"$": its class's name, …its constructor's arguments}. Only the classes of `KNOWN` are ever built again, from
their arguments: a file cannot name code to run, as a pickle can. What isn't on the list is refused when it is saved.

What the server literally answered (`raw_representation`) is left out: nothing goes on from it.

Taught in notebook 09, section "Handing over".
"""

from __future__ import annotations

import inspect
import math
from functools import cache
from types import GenericAlias
from typing import Any

from agent_framework import (
    AgentExecutorRequest,
    AgentExecutorResponse,
    AgentResponse,
    Content,
    Message,
    WorkflowCheckpoint,
    WorkflowEvent,
    WorkflowEventSource,
    WorkflowMessage,
)
from agent_framework._workflows._runner_context import MessageType
from agent_framework_orchestrations import (
    AgentRequestInfoResponse,
    GroupChatParticipantMessage,
    GroupChatRequestMessage,
    GroupChatResponseMessage,
    HandoffAgentUserRequest,
    MagenticPlanReviewRequest,
    MagenticPlanReviewResponse,
    MagenticProgressLedger,
    MagenticProgressLedgerItem,
)

from labkit.errors import CheckpointError

__all__ = ["KNOWN", "decode", "encode"]

KNOWN = {
    one.__name__: one
    for one in (
        WorkflowCheckpoint, WorkflowMessage, WorkflowEvent, Message, Content, AgentResponse, AgentExecutorRequest,
        AgentExecutorResponse, AgentRequestInfoResponse, GroupChatRequestMessage, GroupChatParticipantMessage,
        GroupChatResponseMessage, HandoffAgentUserRequest, MagenticPlanReviewRequest, MagenticPlanReviewResponse,
        MagenticProgressLedger, MagenticProgressLedgerItem,
    )
}  # fmt: skip
ENUMS = {one.__name__: one for one in (MessageType, WorkflowEventSource)}
TYPES = {one.__name__: one for one in (str, int, float, bool, list, dict)} | KNOWN  # what a question's answer may be
CLASS = "$"  # the key that names a class
LEFT_OUT = "raw_representation"


def encode(value: Any, at: str = "checkpoint") -> Any:
    """Return `value` as JSON values. at: where it stands, for the error. Raises CheckpointError for what has no place in JSON.

    Taught in notebook 09, section "Handing over".
    """
    kind = type(value)
    if value is None or kind in (str, int, bool) or (kind is float and math.isfinite(value)):
        return value
    if kind is list:
        return [encode(one, f"{at}[{n}]") for n, one in enumerate(value)]
    if kind is dict and all(type(key) is str for key in value):
        plain = {key: encode(one, f"{at}.{key}") for key, one in value.items()}
        return {CLASS: "dict", "items": [*plain.items()]} if CLASS in plain else plain
    if KNOWN.get(kind.__name__) is kind:
        return {CLASS: kind.__name__} | {key: encode(one, f"{at}.{key}") for key, one in _held(value).items()}
    if ENUMS.get(kind.__name__) is kind:
        return {CLASS: kind.__name__, "value": value.value}
    if isinstance(value, type | GenericAlias):
        return {CLASS: "type", "name": _type_name(value, at)}
    raise _refused(f"{kind.__module__}.{kind.__qualname__}", at)


def decode(value: Any) -> Any:
    """Return what `encode` was given. Raises KeyError, TypeError or ValueError for what it has not written.

    Taught in notebook 09, section "Handing over".
    """
    if isinstance(value, list):
        return [decode(one) for one in value]
    if not isinstance(value, dict):
        return value
    name = value.get(CLASS)
    if name is None:
        return {key: decode(one) for key, one in value.items()}
    if name == "dict":
        return {key: decode(one) for key, one in value["items"]}
    if name == "type":
        outer, _, inner = value["name"].partition(" ")
        return list[TYPES[inner]] if inner else TYPES[outer]
    if name in ENUMS:
        return ENUMS[name](value["value"])
    return KNOWN[name](**{key: decode(one) for key, one in value.items() if key != CLASS})


def _held(value: Any) -> dict[str, Any]:
    """The arguments that build such an object again: each stands in an attribute of its name, or of that name after a _."""
    held = {key: getattr(value, f"_{key}" if hasattr(value, f"_{key}") else key) for key in _arguments(type(value))}
    return {key: one for key, one in held.items() if one is not None or _arguments(type(value))[key] is not None}


@cache
def _arguments(kind: type) -> dict[str, Any]:
    """Constructor argument -> its default."""
    found = inspect.signature(kind).parameters
    return {name: one.default for name, one in found.items() if name != LEFT_OUT}


def _type_name(value: type | GenericAlias, at: str) -> str:
    """ "Message" for Message, "list Message" for list[Message]."""
    for name, one in TYPES.items():
        if value in (one, list[one]):
            return name if value is one else f"list {name}"
    raise _refused(f"the type {value}", at)


def _refused(what: str, at: str) -> CheckpointError:
    why = f"{at} holds {what}, and a checkpoint keeps text, numbers, lists, dicts and the framework's messages"
    return CheckpointError(
        "This step cannot be saved.", why, "keep the value as text or a dict in the workflow's state"
    )
