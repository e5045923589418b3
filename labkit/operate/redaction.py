"""What must not get into a record: personal data and secrets, taken out of texts and of whatever holds texts.

    redacted("my card is 4111 1111 1111 1111")        # "my card is [card]"
    redacted_inside({"password": "tulip-9"})          # {"password": "[key]"}

It takes out what the guards of answers know by form and check digit (labkit/operate/pii.py, credentials.py), and more: a record
needs no number of twelve digits and no address of a mailbox, so the rows "record" of data/guard_patterns.toml are broad. Names, and
what somebody suffers from, have no form: they stay.

Taught in notebook 10, section "What happened".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from labkit.operate import credentials, pii
from labkit.operate.guard_patterns import patterns

__all__ = ["redacted", "redacted_inside"]


def redacted(text: str) -> str:
    """Return `text` with "[kind]" in place of each key, token, password, address and long number."""
    broad = [
        pii.Finding(pattern.id, *match.span("secret" if pattern.regex.groups else 0))
        for pattern in patterns("record")
        for match in pattern.regex.finditer(text)
    ]
    return pii.without(text, pii.apart([*credentials.find(text), *pii.find(text), *broad]))


def redacted_inside(value: Any, redact: Callable[[str], str] = redacted, name: str = "") -> Any:
    """Return a JSON value with its texts, names and whole numbers redacted. A text is read after its name: {"pin": "…"}.

    Raises RecursionError for a value nested too deep.
    """
    if isinstance(value, Mapping):
        found: dict[str, Any] = {}
        for key, inner in value.items():
            found[_free(redact(str(key)), found)] = redacted_inside(inner, redact, str(key))
        return found
    if isinstance(value, list | tuple):
        return [redacted_inside(one, redact, name) for one in value]
    if value is None or isinstance(value, bool | float):  # a measured time has as many digits as a card
        return value
    text = str(value)
    clean = _after(name, text, redact)
    return value if clean == text else clean


def _after(name: str, text: str, redact: Callable[[str], str]) -> str:
    lead = f"{name}: " if name else ""
    whole = redact(lead + text)
    return whole.removeprefix(lead) if whole.startswith(lead) else redact(text)


def _free(key: str, taken: Mapping[str, Any]) -> str:
    """Return `key`, with a number if it is taken: two addresses look alike once they are redacted."""
    number, free = 1, key
    while free in taken:
        number += 1
        free = f"{key} {number}"
    return free
