"""Keys, tokens and passwords by their known forms and by how random they look.

    find("token = <one of GitHub's>")     # [Finding(kind="github", …)]

The forms are data (data/guard_patterns.toml, rows "credential").

Taught in notebook 10, section "What comes in and what goes out".
"""

from __future__ import annotations

import re
from collections import Counter
from math import log2

from labkit.operate.guard_patterns import Pattern, patterns
from labkit.operate.guardrails import PASS, Context, Guard, Verdict, block, change
from labkit.operate.pii import Finding, apart, without

__all__ = ["credentials", "entropy", "find"]

# What documentation writes where a secret would stand.
PLACEHOLDER = re.compile(
    r"(?i)example|x{4}|\*{3}|\.{3}|your|change.?me|placeholder|dummy|redacted|insert|replace|\$\{|%\(|os\.environ"
)
HASH = re.compile(r"sha\d{3}[-:]|base64,$")


def credentials(refuse: bool = False) -> Guard:
    """Return the guard that puts "[kind]" for keys, tokens and passwords; with `refuse` it blocks."""

    def judge(text: str, context: Context) -> Verdict:
        found = find(text)
        if not found:
            return PASS
        said = ", ".join(sorted({one.kind for one in found}))
        return block(said) if refuse else change(without(text, found), said)

    return Guard("credentials", judge)


def find(text: str) -> list[Finding]:
    """Return the credentials in `text`, in order, none overlapping another."""
    found = []
    for pattern in patterns("credential"):
        for match in pattern.regex.finditer(text):
            if _holds(pattern, match):
                found.append(Finding(pattern.id, *match.span("secret" if "secret" in match.groupdict() else 0)))
    return apart(found)


def entropy(text: str) -> float:
    """Return the Shannon entropy of the characters of `text`, in bits per character; "" has none."""
    return sum(-n / len(text) * log2(n / len(text)) for n in Counter(text).values())


def _holds(pattern: Pattern, match: re.Match) -> bool:
    secret = match.groupdict().get("secret") or match[0]
    if PLACEHOLDER.search(secret) or entropy(secret) < pattern.entropy:
        return False
    if pattern.id in ("assigned", "in-a-url"):  # "the password is forgotten", user:password@host: a word, and no secret
        return not secret.isalpha()
    return pattern.id != "random" or _random(secret, match.string[max(0, match.start() - 12) : match.start()])


def _random(text: str, before: str) -> bool:
    """Return whether `text` mixes capitals, small letters and digits as chance does, and is no hash or embedded file."""
    kinds = (str.isupper, str.islower, str.isdecimal)
    return all(sum(map(kind, text)) >= 3 for kind in kinds) and not HASH.search(before + text[:7])
