"""Labels that cannot explode: a metric keeps a time series for every value of every label, for as long as it lives.

    labels = Labels(limit=20)
    labels.bounded({"gen_ai.request.model": name_from_a_caller})     # the 21st name becomes "other"

Taught in notebook 11, section "Out of this program".
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from labkit.errors import ConfigError
from labkit.operate.semconv import METRIC_LABELS

__all__ = ["OTHER", "Labels"]

OTHER = "other"
LONGEST = 100  # characters of a value


class Labels:
    """Keeps the first `limit` values of each label; what comes after them is "other". Safe to use from many threads.

    allowed: the names that may label a metric at all.
    Taught in notebook 11, section "Out of this program".
    """

    def __init__(self, limit: int = 20, allowed: tuple[str, ...] = METRIC_LABELS):
        self.limit, self.allowed = limit, frozenset(allowed)
        self.collapsed = 0  # how many values were lost to "other": an explosion shows here
        self._seen: dict[str, set[str]] = {name: set() for name in allowed}
        self._lock = threading.Lock()

    def bounded(self, labels: Mapping[str, object]) -> dict[str, str]:
        """Return `labels` with values from a bounded set. Raises ConfigError for a name that may not label a metric."""
        for name in labels:
            if name not in self.allowed:
                why = "each of its values would be a time series of its own: an id, a user, a prompt never ends"
                raise ConfigError(f"{name!r} may not label a metric.", why, "labkit monitor --help")
        return {name: self._value(name, str(value)) for name, value in labels.items() if value is not None}

    def _value(self, name: str, value: str) -> str:
        seen = self._seen[name]
        with self._lock:
            if value in seen:
                return value
            if len(seen) < self.limit and len(value) <= LONGEST:
                seen.add(value)
                return value
            self.collapsed += 1
        return OTHER
