"""The exercises of lesson 14: a message, a described tool, a transport, who decides, what changed."""

from __future__ import annotations

import json

from labkit.errors import BadTool
from labkit.exercises.core import Answers, Exercise, Wrong, cases, require
from labkit.exercises.message import show
from labkit.tools.tool import as_tool

# -- On the wire --------------------------------------------------------------------------------------------------------


def check_message(message):
    require(callable(message), f"{show(message)} is not a function.")
    line = message("tools/call", {"name": "say", "arguments": {"text": "one\ntwo"}}, 7)
    require(isinstance(line, str), f"it should return a text, one line; yours returned {show(line)}.")
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


MESSAGE = Exercise(
    id="14.1",
    title="One line",
    section="On the wire",
    task="Write `message(method, params=None, id=None)`: the line to send, JSON with `jsonrpc`, `method`, and `params` and `id` "
    "only if they were given. It ends with a line break and holds no other.",
    expects="a function that returns a str",
    check=check_message,
    hints=["`json.dumps` writes a line break inside a text as `\\\\n`, two characters.", "Fill a dict step by step."],
    solution="import json\n\n\ndef message(method, params=None, id=None):\n    sent = {'jsonrpc': '2.0', 'method': method}\n"
    "    if params is not None:\n        sent['params'] = params\n    if id is not None:\n        sent['id'] = id\n"
    "    return json.dumps(sent) + '\\n'",
    why="The whole of stdio is this: one object a line, and an id for whoever wants an answer.",
    answers=Answers(
        blank=["def message(method, params=None, id=None):\n    ..."],
        wrong=[
            Wrong("message = 'tools/list'", "not a function", "a message instead of a function"),
            Wrong("def message(method, params=None, id=None):\n    return {'jsonrpc': '2.0', 'method': method}", "return a text",
                  "a dict"),
            Wrong("def message(method, params=None, id=None):\n    return str({'jsonrpc': '2.0', 'method': method}) + '\\n'",
                  "no JSON object", "Python's own form"),
            Wrong("import json\ndef message(method, params=None, id=None):\n"
                  "    return json.dumps({'method': method, 'params': params, 'id': id}) + '\\n'", "jsonrpc", "no version"),
            Wrong("import json\ndef message(method, params=None, id=None):\n"
                  "    return json.dumps({'jsonrpc': '2.0', 'method': method, 'params': params, 'id': id})", "does not end",
                  "no line break"),
            Wrong("import json\ndef message(method, params=None, id=None):\n    sent = {'jsonrpc': '2.0', 'method': method,"
                  " 'params': params, 'id': id}\n    return json.dumps(sent, indent=1) + '\\n'", "more than one line",
                  "pretty-printed"),
            Wrong("import json\ndef message(method, params=None, id=None):\n"
                  "    return json.dumps({'jsonrpc': '2.0', 'method': method, 'params': params}) + '\\n'", "the id or the method",
                  "only notifications"),
            Wrong("import json\ndef message(method, params=None, id=None):\n"
                  "    return json.dumps({'jsonrpc': '2.0', 'method': method, 'id': id}) + '\\n'", "the params did not",
                  "params forgotten"),
            Wrong("import json\ndef message(method, params=None, id=None):\n    sent = {'jsonrpc': '2.0', 'method': method,"
                  " 'params': params, 'id': id}\n    return json.dumps(sent) + '\\n'", "has no `id` at all", "null for an id"),
            Wrong("import json\ndef message(method, params=None, id=None):\n    sent = {'jsonrpc': '2.0', 'method': method,"
                  " 'params': params}\n    if id is not None:\n        sent['id'] = id\n    return json.dumps(sent) + '\\n'",
                  "leave the key away", "null for params"),
            Wrong("import json\ndef message(method, params=None, id=None):\n    sent = {'jsonrpc': '2.0', 'method': method}\n"
                  "    if params:\n        sent['params'] = params\n    if id:\n        sent['id'] = id\n"
                  "    return json.dumps(sent) + '\\n'", "0 is an id", "takes 0 for nothing"),
        ],
        right=["import json\ndef message(method, params=None, id=None):\n    given = {'params': params, 'id': id}\n"
               "    sent = {'jsonrpc': '2.0', 'method': method, **{k: v for k, v in given.items() if v is not None}}\n"
               "    return json.dumps(sent) + '\\n'"],
    ),
)  # fmt: skip

# -- A server -----------------------------------------------------------------------------------------------------------


def check_stock(stock):
    require(callable(stock), f"{show(stock)} is not a function.")
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


STOCK = Exercise(
    id="14.2",
    title="A function that a model can read",
    section="A server",
    task="Write `stock(thing, place)` so that the model can use it: a docstring, a text about `thing`, a `place` that is `shelf` "
    "or `store` and `shelf` if nothing is said. What it returns is up to you.",
    expects="a function with type hints",
    check=check_stock,
    hints=["`Annotated` and `Literal` come from `typing`, and were imported above.", "A default makes a parameter optional."],
    solution="from typing import Annotated, Literal\n\n\ndef stock(thing: Annotated[str, 'What to count, such as boots'],\n"
    "          place: Literal['shelf', 'store'] = 'shelf') -> int:\n    \"\"\"Count how many of a thing there are.\"\"\"\n    return 7",
    why="All of it goes into the prompt or into the schema. What is not written down, a small model makes up.",
    answers=Answers(
        blank=["def stock(thing, place):\n    ..."],
        wrong=[
            Wrong("stock = 7", "not a function", "the answer of the tool"),
            Wrong("def stock(*things):\n    'Count.'\n    return 7", "no tool can be made", "parameters without names"),
            Wrong("def stock(thing: str, place: str = 'shelf'):\n    return 7", "no docstring", "only code"),
            Wrong("def stock(item: str, place: str = 'shelf'):\n    'Count.'\n    return 7", "should be thing and place",
                  "another parameter"),
            Wrong("def stock(thing, place='shelf'):\n    'Count.'\n    return 7", "type of `thing`", "no types"),
            Wrong("def stock(thing: str, place: str = 'shelf'):\n    'Count.'\n    return 7", "nothing is said about `thing`",
                  "a bare type"),
            Wrong("from typing import Annotated\ndef stock(thing: Annotated[str, 'what'], place: Annotated[str, 'shelf or store']"
                  " = 'shelf'):\n    'Count.'\n    return 7", "one of two words", "the choice in prose alone"),
            Wrong("from typing import Annotated, Literal\ndef stock(thing: Annotated[str, 'what'],"
                  " place: Literal['shelf', 'store']):\n    'Count.'\n    return 7", "still work", "no default"),
        ],
        right=["from typing import Annotated, Literal\nPlace = Literal['store', 'shelf']\n"
               "def stock(thing: Annotated[str, 'what'], place: Place = 'shelf'):\n    'Count.'\n    return 7",
               "from typing import Literal\ndef stock(thing: str, place: Literal['shelf', 'store'] = 'shelf'):\n"
               "    '''Count.\n\n    thing: what to count\n    '''\n    return 7"],
    ),
)  # fmt: skip

# -- Two transports -----------------------------------------------------------------------------------------------------


def check_transport(transport):
    require(callable(transport), f"{show(transport)} is not a function.")
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


TRANSPORT = Exercise(
    id="14.3",
    title="A pipe, HTTP, or not at all",
    section="Two transports",
    task="Write `transport(where)`: `stdio` for a command (a list), `http` for a URL on `127.0.0.1` or `localhost`, and `refused` "
    "for a URL of any other machine.",
    expects="a function that returns a str",
    check=check_transport,
    hints=["`isinstance(where, list)` knows a command.", "`urllib.parse.urlsplit(url).hostname` is the host, and nothing else."],
    solution="from urllib.parse import urlsplit\n\n\ndef transport(where):\n    if isinstance(where, list):\n        return 'stdio'\n"
    "    return 'http' if urlsplit(where).hostname in ('127.0.0.1', 'localhost') else 'refused'",
    why="An address is not text to search in. Whoever compares beginnings of URLs sends requests to strangers.",
    answers=Answers(
        blank=["def transport(where):\n    ..."],
        wrong=[
            Wrong("transport = 'stdio'", "not a function", "one answer for all"),
            Wrong("def transport(where):\n    return 'http'", "a list is a command", "everything by HTTP"),
            Wrong("def transport(where):\n    return 'stdio' if isinstance(where, list) else 'sse'", "should give `http`",
                  "the deprecated transport"),
            Wrong("def transport(where):\n    if isinstance(where, list):\n        return 'stdio'\n"
                  "    return 'http' if '//127.0.0.1:' in where else 'refused'", "localhost is this machine", "one name only"),
            Wrong("def transport(where):\n    return 'stdio' if isinstance(where, list) else 'http'", "another machine",
                  "any URL will do"),
            Wrong("def transport(where):\n    if isinstance(where, list):\n        return 'stdio'\n"
                  "    near = where.startswith(('http://127.0.0.1', 'http://localhost'))\n"
                  "    return 'http' if near and '@' not in where else 'refused'", "whole host name", "compares the beginning"),
            Wrong("def transport(where):\n    if isinstance(where, list):\n        return 'stdio'\n"
                  "    near = where.startswith(('http://127.0.0.1', 'http://localhost'))\n"
                  "    return 'http' if near and '127.0.0.1.' not in where else 'refused'", "user's name", "forgets the user part"),
        ],
        right=["from urllib.parse import urlsplit\ndef transport(where):\n    if not isinstance(where, str):\n        return 'stdio'\n"
               "    host = urlsplit(where).hostname\n    return 'http' if host in {'localhost', '127.0.0.1', '::1'} else 'refused'"],
    ),
)  # fmt: skip

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


WHO = Exercise(
    id="14.4",
    title="Who decides?",
    section="Three kinds",
    task="Say for each case whether a server should offer it as a `tool`, a `resource` or a `prompt`: replace the dots.",
    expects="a dict from five cases to kinds",
    check=check_kinds,
    hints=["Ask who decides that it is used: the model, the application, or a person?", "A resource needs no decision."],
    solution=f"kinds = {json.dumps(KINDS)}",
    why="Each decision that you take from a small model is one that it cannot get wrong.",
    answers=Answers(
        blank=["kinds = {\n" + "".join(f"    {json.dumps(name)}: ...,\n" for name in KINDS) + "}"],
        wrong=[
            Wrong("kinds = ['tool', 'resource']", "a dict is wanted", "a list"),
            Wrong("kinds = {'open a support ticket': 'tool'}", "keep the five cases", "cases are missing"),
            Wrong(f"kinds = {json.dumps(dict.fromkeys(KINDS, 'function'))}", "is none of them", "a kind of one's own"),
            Wrong(f"kinds = {json.dumps(dict.fromkeys(KINDS, 'tool'))}", "opens a menu", "everything is a tool"),
            Wrong(f"kinds = {json.dumps({**KINDS, 'open a support ticket': 'prompt'})}", "changes something", "a form to fill"),
            Wrong(f"kinds = {json.dumps({**KINDS, 'find the order that a customer asks about': 'resource'})}", "which order",
                  "data, so a resource"),
            Wrong("kinds = " + json.dumps({**KINDS, "the text of the contract that is open in the editor": "tool"}),
                  "knows without asking", "lets the model decide to read"),
        ],
        right=[f"kinds = dict({json.dumps(list(KINDS.items()))})"],
    ),
)  # fmt: skip

# -- Trust --------------------------------------------------------------------------------------------------------------


def check_compare(compare):
    require(callable(compare), f"{show(compare)} is not a function.")
    same = {"look": "aa", "write": "bb"}
    got = compare(dict(same), dict(same))
    require(isinstance(got, dict), f"it should return a dict, name to word; yours returned {show(got)}.")
    require(got == {}, "nothing changed, and it still reports something.")
    require(compare(same, {"look": "aa"}) == {"write": "gone"}, "`write` is not offered any more: `gone`.")
    added = compare(same, {**same, "send": "cc"})
    require(added == {"send": "new"}, "`send` was never approved: it should be `new`.")
    require(compare(same, {**same, "look": "zz"}) == {"look": "changed"}, "`look` has another pin: it is `changed`.")
    cases(compare, [(same, {"write": "xx", "send": "aa"}, {"look": "gone", "write": "changed", "send": "new"})])


COMPARE = Exercise(
    id="14.5",
    title="What is different since yesterday",
    section="Trust",
    task="Write `compare(before, after)` for two dicts of pins, name to hash: return a dict from each name that differs to `new`, "
    "`gone` or `changed`.",
    expects="a function of two dicts that returns a dict",
    check=check_compare,
    hints=["`before.keys() | after.keys()` are all names.", "`before.get(name)` is None for a name that was not there."],
    solution="def compare(before, after):\n    found = {}\n    for name in before.keys() | after.keys():\n"
    "        if name not in before:\n            found[name] = 'new'\n        elif name not in after:\n            found[name] = 'gone'\n"
    "        elif before[name] != after[name]:\n            found[name] = 'changed'\n    return found",
    why="Run it whenever a server is updated, and look at each line before you pin anew. That is all there is to a supply chain.",
    answers=Answers(
        blank=["def compare(before, after):\n    ..."],
        wrong=[
            Wrong("compare = {}", "not a function", "a report instead of a function"),
            Wrong("def compare(before, after):\n    return before != after", "should return a dict", "yes or no"),
            Wrong("def compare(before, after):\n    return {n: 'changed' for n in before}", "nothing changed", "reports all"),
            Wrong("def compare(before, after):\n    return {n: 'new' if n not in before else 'changed' for n in after"
                  " if before.get(n) != after[n]}", "not offered any more", "looks at today's names only"),
            Wrong("def compare(before, after):\n    return {n: 'gone' if n not in after else 'changed' for n in before"
                  " if before[n] != after.get(n)}", "never approved", "looks at yesterday's names only"),
            Wrong("def compare(before, after):\n    for n in sorted(before.keys() | after.keys()):\n"
                  "        if before.get(n) != after.get(n):\n"
                  "            return {n: 'new' if n not in before else 'gone' if n not in after else 'changed'}\n    return {}",
                  "returned", "stops at the first"),
            Wrong("def compare(before, after):\n    return {**{n: 'gone' for n in before if n not in after},"
                  " **{n: 'new' for n in after if n not in before}}", "another pin", "compares names, not pins"),
        ],
        right=["def compare(before, after):\n    both = before.keys() & after.keys()\n"
               "    return {**{n: 'gone' for n in before.keys() - both}, **{n: 'new' for n in after.keys() - both},\n"
               "            **{n: 'changed' for n in both if before[n] != after[n]}}"],
    ),
)  # fmt: skip

EXERCISES = [MESSAGE, STOCK, TRANSPORT, WHO, COMPARE]
