"""A date written as a parameter's description wants it: "MM-DD-YYYY", "in the format of YYYY/MM/DD".

Taught in notebook 04, section "Two stages".
"""

from __future__ import annotations

import datetime
import re

__all__ = ["in_the_format"]

WRITTEN = {"YYYY": "%Y", "MM": "%m", "DD": "%d"}
FORMAT = re.compile(r"\b(YYYY|MM|DD)([-/.])(MM|DD)\2(YYYY|DD)\b", re.I)


def in_the_format(value: object, about: str) -> object:
    """Return an ISO date in the format that `about` names; any other value, or one without a format, as it is."""
    if not (isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value) and (found := FORMAT.search(about))):
        return value
    parts = [WRITTEN[found[group].upper()] for group in (1, 3, 4)]
    return datetime.date.fromisoformat(value).strftime(found[2].join(parts))
