"""JSON schemas of parameters, made fit for engines that hold a small model to them.

normalise: any dialect (pydantic's $ref and anyOf-null, "dict", "float") becomes one plain schema, which every call is checked
against. engine_schema: the part of it that engines hold while the model writes, with all lengths capped: without a cap a tiny
model may run away inside a string. lint: which words no engine would hold, by llguidance's own judgement.

Taught in notebook 04, sections "Token masks" and "Checks after".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from labkit.errors import BadTool, ConfigError

__all__ = [
    "MAX_ITEMS",
    "MAX_LENGTH",
    "check",
    "engine_schema",
    "lint",
    "longest",
    "normalise",
    "record",
    "response_format",
]

MAX_LENGTH, MAX_ITEMS, MAX_DEPTH, MAX_NODES = 200, 8, 12, 1000
MAX_NUMBER = 10**12  # where a schema sets no limit: a tiny model may write zeros until its tokens end
ALIASES = {"dict": "object", "float": "number", "double": "number", "tuple": "array", "list": "array", "int": "integer",
           "str": "string", "bool": "boolean", "hashmap": "object", "long": "integer", "char": "string"}  # fmt: skip
TYPES = {"object", "array", "string", "number", "integer", "boolean", "null"}
PARTS = {"object": ("properties", "required"), "array": ("items",)}  # words that make sense in this type alone
LIMITS = {
    "minimum": (int, float),
    "maximum": (int, float),
    "minItems": int,
    "maxItems": int,
    "minLength": int,
    "maxLength": int,
}
# What engines hold while the model writes. Everything else is checked afterwards.
HELD = {"type", "enum", "const", "properties", "required", "items", "minimum", "maximum", "minItems", "maxItems",
        "minLength", "maxLength", "anyOf", "additionalProperties"}  # fmt: skip


def normalise(schema: Any, name: str) -> dict:
    """Return the schema of a tool's parameters with every $ref put in place and optional parameters by absence, not null.

    Raises BadTool if it is recursive, no object, deeper than 12 levels, of over 1000 parts, or not a schema at all.
    """
    if not isinstance(schema, dict):
        raise BadTool(f"The parameters of {name} are no JSON schema.", f"they are a {type(schema).__name__}", "")
    defs = schema.get("$defs") or schema.get("definitions") or {}
    plain = _plain({"type": "object", **schema}, (), _Whole(name, defs if isinstance(defs, dict) else {}))
    if plain.get("type") != "object":
        raise BadTool(f"The parameters of {name} are no object.", f"their type is {plain.get('type')!r}", "")
    return plain


@dataclass
class _Whole:
    """The schema that a node belongs to: the tool's name, its definitions, and how many nodes it has had so far."""

    name: str
    defs: dict
    nodes: int = 0


def _plain(node: Any, above: tuple, whole: _Whole) -> dict:
    whole.nodes += 1
    if whole.nodes > MAX_NODES:  # references within references: three kilobytes can stand for gigabytes
        raise BadTool(
            f"The schema of {whole.name} has over {MAX_NODES} parts.", "no model could fill it", "make it smaller"
        )
    if node is True or node == {}:
        return {}
    if not isinstance(node, dict):
        raise BadTool(f"The schema of {whole.name} holds {node!r} where a schema belongs.", "", "")
    if len(above) > MAX_DEPTH:
        raise BadTool(
            f"The schema of {whole.name} is deeper than {MAX_DEPTH} levels.",
            "a small model cannot fill it",
            "flatten it",
        )
    if "$ref" in node:
        return _follow(node, above, whole)
    node = {
        key: value for key, value in node.items() if key not in ("$defs", "definitions", "title", "$schema", "default")
    }
    for word in ("anyOf", "oneOf"):
        if word in node:
            return _alternatives(node, word, above, whole)
    if "allOf" in node:
        rest = {key: value for key, value in node.items() if key != "allOf"}
        parts = _schemas(node["allOf"], whole.name)
        return _plain(
            _merged([rest, *(_follow(one, above, whole) if "$ref" in one else one for one in parts)]), above, whole
        )
    return _by_type(node, (*above, ""), whole)


def _follow(node: dict, above: tuple, whole: _Whole) -> dict:
    ref = node["$ref"]
    key = str(ref).rpartition("/")[2]
    if ref in above:
        raise BadTool(
            f"The schema of {whole.name} contains itself ({key}).", "no end to what the model might write", "flatten it"
        )
    if key not in whole.defs:
        raise BadTool(f"The schema of {whole.name} points to {ref!r}, which is not in it.", "", "")
    rest = {word: value for word, value in node.items() if word != "$ref"}
    return {**_plain(whole.defs[key], (*above, ref), whole), **{w: v for w, v in rest.items() if w == "description"}}


def _merged(parts: list[dict]) -> dict:
    """Return one schema of several that must all hold; of two that say the same word the later counts, but for the parameters."""
    found = {word: value for part in parts for word, value in part.items()}
    inner = [part["properties"] for part in parts if isinstance(part.get("properties"), dict)]
    needed = [part["required"] for part in parts if isinstance(part.get("required"), list)]
    if inner:
        found["properties"] = {name: one for properties in inner for name, one in properties.items()}
    if needed:
        found["required"] = [name for names in needed for name in names]
    return found


def _alternatives(node: dict, word: str, above: tuple, whole: _Whole) -> dict:
    rest = {key: value for key, value in node.items() if key != word}
    options = [one for one in _schemas(node[word], whole.name) if one != {"type": "null"}]
    if len(options) < 2:  # of nothing but null nothing is left: it is absent, or it is anything
        return _plain({**rest, **options[0]}, above, whole) if options else {}
    kept = {key: rest[key] for key in ("description",) if key in rest}
    return {**kept, "anyOf": [_plain(option, (*above, ""), whole) for option in options]}


def _by_type(node: dict, above: tuple, whole: _Whole) -> dict:
    kind = node.get("type")
    if isinstance(kind, list):
        kinds = [one for one in kind if one != "null"]
        if len(kinds) != 1:
            return _plain({"anyOf": [{**node, "type": one} for one in kinds]}, above, whole) if kinds else {}
        kind = kinds[0]
    kind = _kind(kind, node, whole.name)
    for word in PARTS.keys() - {kind}:
        node = {key: value for key, value in node.items() if key not in PARTS[word]}
    _limits(node, whole.name)
    plain = {**node, "type": kind} if kind else {key: value for key, value in node.items() if key != "type"}
    if kind == "object":
        properties = node.get("properties") or {}
        if not isinstance(properties, dict):
            raise BadTool(f"The schema of {whole.name} has properties that are no object.", "", "")
        plain["properties"] = {str(key): _plain(value, above, whole) for key, value in properties.items()}
        required = _list(node.get("required") or [], whole.name)
        plain["required"] = [key for key in plain["properties"] if key in required]
        plain["additionalProperties"] = False
    if kind == "array":
        items = node.get("items", {})
        plain["items"] = _plain(items[0] if isinstance(items, list) and items else items or {}, above, whole)
    if "enum" in plain and not _list(plain["enum"], whole.name):
        raise BadTool(f"The schema of {whole.name} has an enum without values.", "nothing would fit it", "")
    return plain


def _kind(said: Any, node: dict, name: str) -> str | None:
    """Return the type that a schema means by what it says, or by the words that it uses; None if anything will do."""
    kind = ALIASES.get(said, said) if isinstance(said, str) else said
    if kind is None or kind == "any":
        return "object" if "properties" in node else "array" if "items" in node else None
    if not isinstance(kind, str) or kind not in TYPES:
        raise BadTool(f"The schema of {name} has the type {kind!r}.", f"there are {', '.join(sorted(TYPES))}", "")
    return kind


def _limits(node: dict, name: str) -> None:
    for word in LIMITS.keys() & node.keys():
        if not isinstance(node[word], LIMITS[word]) or isinstance(node[word], bool) or node[word] != node[word]:
            raise BadTool(f"The schema of {name} has {word} = {node[word]!r}."[:200], "a number belongs there", "")


def _schemas(value: Any, name: str) -> list[dict]:
    found = _list(value, name)
    if not found or not all(isinstance(one, dict) for one in found):
        raise BadTool(f"The schema of {name} holds {value!r} where schemas belong."[:200], "", "")
    return found


def _list(value: Any, name: str) -> list:
    if not isinstance(value, list):
        raise BadTool(f"The schema of {name} holds {value!r} where a list belongs.", "", "")
    return value


def engine_schema(schema: dict) -> dict:
    """Return the part of a normalised `schema` that engines hold, with a cap on every string and list."""
    held = {key: value for key, value in schema.items() if key in HELD}
    if "anyOf" in held:
        held["anyOf"] = [engine_schema(option) for option in held["anyOf"]]
        return held
    if "enum" in held or "const" in held:
        return {key: held[key] for key in ("enum", "const") if key in held}
    kind = held.get("type")
    if kind is None:
        return {"type": "string", "maxLength": MAX_LENGTH}  # anything goes; a string can hold most of it
    if kind == "string":
        held["maxLength"] = _cap(held, "maxLength", "minLength", MAX_LENGTH)
    if kind in ("integer", "number"):
        held |= _span(held)
    if kind == "array":
        held["items"] = engine_schema(held["items"])
        held["maxItems"] = _cap(held, "maxItems", "minItems", MAX_ITEMS)
    if kind == "object":
        held["properties"] = {key: engine_schema(value) for key, value in held["properties"].items()}
    return held


def _span(schema: dict) -> dict:
    """Both ends of a number's range; one that the schema sets beyond MAX_NUMBER stays, and leaves the other one open."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if max(abs(one) for one in (low, high, 0) if one is not None) > MAX_NUMBER:
        return {}
    return {"minimum": -MAX_NUMBER if low is None else low, "maximum": MAX_NUMBER if high is None else high}


def _cap(schema: dict, most: str, least: str, cap: int) -> int:
    wished, needed = schema.get(most), schema.get(least)
    cap = max(cap, needed if isinstance(needed, int) else 0)
    return min(wished, cap) if isinstance(wished, int) else cap


def longest(schema: dict) -> int:
    """Return how many characters a JSON value of an engine schema can have: more tokens than that it never takes."""
    if "anyOf" in schema:
        return max(map(longest, schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return max(len(json.dumps(one)) for one in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type")
    if kind == "object":
        return 2 + sum(len(name) + 6 + longest(one) for name, one in schema["properties"].items())
    if kind == "array":
        return 2 + schema["maxItems"] * (2 + longest(schema["items"]))
    return 2 + schema.get("maxLength", 30)


def check(value: Any, schema: dict) -> list[str]:
    """Return what is wrong with `value` by the normalised `schema`, one sentence each; empty if it fits.

    Taught in notebook 04, section "Checks after".
    """
    import jsonschema

    try:
        errors = list(jsonschema.Draft202012Validator(schema).iter_errors(value))
    except (jsonschema.SchemaError, jsonschema.exceptions.UnknownType, TypeError, ValueError, KeyError) as error:
        return [f"the schema itself is wrong: {error}"]
    return [f"{'.'.join(map(str, error.absolute_path)) or 'the call'}: {error.message[:160]}" for error in errors]


def record(properties: dict) -> dict:
    """Return the schema of an object with exactly these properties."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def response_format(name: str, schema: dict) -> dict:
    """Return the `response_format` of a chat request whose answer is held to `schema`."""
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}


def lint(schema: dict) -> list[str]:
    """Return which words of a schema engines would skip, as llguidance tells it; needs the package llguidance.

    Raises BadTool if no engine could hold the schema at all.
    """
    try:
        from llguidance import LLMatcher
    except ImportError as error:
        raise ConfigError("llguidance is not installed.", "it judges schemas", "pip install llguidance") from error
    try:
        wrong, messages = LLMatcher.validate_grammar_with_warnings(LLMatcher.grammar_from_json_schema(schema))
    except ValueError as error:
        raise BadTool("The schema cannot be turned into a grammar.", str(error)[:200], "") from error
    if wrong:
        raise BadTool("No engine could hold this schema.", "; ".join(messages)[:200], "")
    return list(messages)
