"""Read the call in what a model wrote: JSON that may be fenced, cut off, or have its arguments as a string. Never `eval`.

Only what is certain is mended: a fence, JSON in a string, closing brackets that are missing after a whole value. A value that was
cut in the middle could be another one, so that is a BadCall.

At work in notebook 04, section "Five rates".
"""

from __future__ import annotations

import json
import re
from typing import Any

from labkit.errors import BadCall

__all__ = ["read_arguments", "read_call", "read_json"]

LONGEST = 20_000  # characters; a call is some hundred


def read_call(text: Any) -> tuple[str, dict]:
    """Return (tool name, arguments) of the one call in `text`. Raises BadCall."""
    found = read_json(text)
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if isinstance(found, dict) and isinstance(found.get("function"), dict):
        found = found["function"]
    if not isinstance(found, dict) or not isinstance(found.get("name"), str):
        raise BadCall("The model wrote no call.", f"it wrote {str(text)[:80]!r}", "")
    return found["name"], read_arguments(found.get("arguments", found.get("parameters", {})))


def read_arguments(value: Any) -> dict:
    """Return the arguments as a dict, also when they come as JSON in a string (or in a string in a string). Raises BadCall."""
    for _ in range(3):
        if isinstance(value, dict):
            return value
        value = read_json(value) if isinstance(value, str) and value.strip() else {} if value in (None, "") else value
    if isinstance(value, dict):
        return value
    raise BadCall("The arguments are no object.", f"they are {str(value)[:80]!r}", "")


def read_json(text: Any) -> Any:
    """Return the JSON value in `text`. Raises BadCall if there is none, or its end is missing in the middle of a value."""
    if not isinstance(text, str) or len(text) > LONGEST:
        raise BadCall("The model wrote no JSON.", "it is no text, or far too long", "")
    body = _unfenced(text.strip())
    for candidate in (body, body[_first_bracket(body) :]):
        try:
            return _DECODER.raw_decode(candidate)[0]
        except (ValueError, RecursionError):
            continue
    try:
        return _DECODER.decode(_closed(body[_first_bracket(body) :]))
    except (ValueError, RecursionError) as error:
        raise BadCall("The model wrote no JSON that can be read.", f"{error} in {text[:80]!r}", "") from error


def _no_constant(word: str):
    raise ValueError(f"{word} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _unfenced(text: str) -> str:
    match = re.search(r"```[\w-]*\s*\n?(.*?)(?:```|\Z)", text, re.S)
    return match[1].strip() if match else text


def _first_bracket(text: str) -> int:
    found = re.search(r"[{\[]", text)
    return found.start() if found else 0


def _closed(text: str) -> str:
    """Return `text` with the brackets closed that are open at its end. Raises ValueError if it ends inside a value."""
    open_brackets, in_string, escaped = [], False, False
    for char in text:
        if in_string:
            in_string, escaped = (char != '"' or escaped), (char == "\\" and not escaped)
        elif char == '"':
            in_string = True
        elif char in "{[":
            open_brackets.append("}" if char == "{" else "]")
        elif char in "}]" and (not open_brackets or open_brackets.pop() != char):
            raise ValueError("brackets do not match")
    if in_string or not re.search(r'["}\]]\s*$', text):  # a number or word at the end may have lost its tail
        raise ValueError("cut off inside a value")
    return text + "".join(reversed(open_brackets))
