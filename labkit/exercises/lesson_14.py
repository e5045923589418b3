"""The exercises of lesson 14: a message, a described tool, a transport, who decides, what changed."""

from __future__ import annotations

import json

from labkit.errors import BadTool
from labkit.exercises import cases, require, require_function, returned, show
from labkit.tools.tool import as_tool

# -- On the wire --------------------------------------------------------------------------------------------------------


def check_message(message):
    require_function(message)
    line = message("tools/call", {"name": "say", "arguments": {"text": "one\ntwo"}}, 7)
    returned(line, "a text, one line", str)
    try:
        sent = json.loads(line)
    except ValueError:
        sent = None
    require(isinstance(sent, dict), f"that is no JSON object: {show(line)}. Single quotes are Python's, not JSON's.")
    require(sent.get("jsonrpc") == "2.0", 'every message says `"jsonrpc": "2.0"`: the version, as a text.')
    require(line.endswith("\n"), "the line does not end: the server waits for a line break.")
    require(line.count("\n") == 1, "it is more than one line; a message ends at the first line break.")
    require(
        (sent.get("id"), sent.get("method")) == (7, "tools/call"),
        "the id or the method did not arrive as it was given.",
    )
    require(sent.get("params", {}).get("name") == "say", "the params did not arrive as they were given.")
    note = json.loads(message("notifications/initialized"))
    require("id" not in note, "a notification has no `id` at all: with one, even `null`, the server owes an answer.")
    require("params" not in note, "without params, leave the key away: they are an object or not there.")
    zero = json.loads(message("tools/list", None, 0))
    require(zero.get("id") == 0, "0 is an id like any other: ask whether it `is None`, not whether it is true.")


# -- A server -----------------------------------------------------------------------------------------------------------


def check_stock(stock):
    require_function(stock)
    try:
        tool = as_tool(stock)
    except BadTool as error:
        require(False, f"no tool can be made of it: {error.what} {error.why}")
    require(tool.description, "it has no docstring, so the model does not learn what it is for.")
    require(
        set(tool.properties) == {"thing", "place"},
        f"its parameters should be thing and place, not {show([*tool.properties])}.",
    )
    thing, place = tool.properties["thing"], tool.properties["place"]
    require(thing.get("type") == "string", "the type of `thing` is missing: a text, `str`.")
    require(thing.get("description"), 'nothing is said about `thing`: `Annotated[str, "what it is"]`.')
    require(
        sorted(place.get("enum", ())) == ["shelf", "store"],
        '`place` should be one of two words, and the schema does not say so: `Literal["shelf", "store"]`.',
    )
    require(tool.required == ["thing"], "without a place it should still work: give `place` a default.")


# -- Two transports -----------------------------------------------------------------------------------------------------


def check_transport(transport):
    require_function(transport)
    require(
        transport(["python", "-m", "server"]) == "stdio", "a list is a command: the server becomes our child, by stdio."
    )
    require(transport("http://127.0.0.1:8770/mcp") == "http", "a URL of this machine should give `http`.")
    require(transport("http://localhost:8770/mcp") == "http", "localhost is this machine as well.")
    far = transport("http://tools.example/mcp")
    require(far == "refused", "tools.example is another machine: what is asked would leave yours. Return `refused`.")
    near = transport("http://127.0.0.1.example.com/mcp")
    require(near == "refused", "127.0.0.1.example.com is a name that anybody can own: compare the whole host name.")
    user = transport("http://127.0.0.1@example.com/mcp")
    require(
        user == "refused", "before the @ stands a user's name, not the host: let `urlsplit(where).hostname` find it."
    )


# -- Three kinds --------------------------------------------------------------------------------------------------------

KINDS = {
    "open a support ticket": "tool",
    "the shop's opening hours, shown beside every chat": "resource",
    "a menu entry 'Summarise this chat'": "prompt",
    "find the order that a customer asks about": "tool",
    "the text of the contract that is open in the editor": "resource",
}


def check_kinds(kinds):
    require(isinstance(kinds, dict), f"a dict is wanted, case to kind; {show(kinds)} is none.")
    require(kinds.keys() == KINDS.keys(), "keep the five cases as they are, and fill in their kinds.")
    odd = [one for one in kinds.values() if one not in ("tool", "resource", "prompt")]
    require(not odd, f"the kinds are `tool`, `resource` and `prompt`; {show(odd[:1])} is none of them.")
    require(
        kinds["a menu entry 'Summarise this chat'"] == "prompt",
        "whoever opens a menu decides for themselves: what a person picks is a prompt.",
    )
    require(
        kinds["open a support ticket"] == "tool",
        "a ticket changes something, and only the request says when: the model decides, so it is a tool.",
    )
    require(
        kinds["find the order that a customer asks about"] == "tool",
        "which order, stands in the request: reading it takes a decision and an argument, so it is a tool.",
    )
    require(
        all(kinds[name] == "resource" for name, kind in KINDS.items() if kind == "resource"),
        "what is shown beside every chat, or is open already, the application knows without asking: a resource.",
    )


# -- Trust --------------------------------------------------------------------------------------------------------------


def check_compare(compare):
    require_function(compare)
    same = {"look": "aa", "write": "bb"}
    got = compare(dict(same), dict(same))
    returned(got, "a dict, name to word", dict)
    require(got == {}, "nothing changed, and it still reports something.")
    require(compare(same, {"look": "aa"}) == {"write": "gone"}, "`write` is not offered any more: `gone`.")
    added = compare(same, {**same, "send": "cc"})
    require(added == {"send": "new"}, "`send` was never approved: it should be `new`.")
    require(compare(same, {**same, "look": "zz"}) == {"look": "changed"}, "`look` has another pin: it is `changed`.")
    cases(compare, [(same, {"write": "xx", "send": "aa"}, {"look": "gone", "write": "changed", "send": "new"})])
