"""How many tool results the guards had to change or hold back: a poisoned text shows in no figure of an engine.

    results = CountedResults(standard())
    Agent(client=…, tools=[…], middleware=guarded(results.rails))
    Monitor(endpoint, more=results.window)         # tool_results_caught_percent, for the alert rules as well

Taught in notebook 11, section "A poisoned result".
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import replace

from labkit.operate.guardrails import PASS, Context, Guard, Guardrails, Verdict, block, chain, change

__all__ = ["CountedResults"]


class CountedResults:
    """`rails` judge as the given ones do, and every tool result that they see is counted. Safe to use from many threads.

    seconds: what `window` looks back. most: results that are remembered.
    Taught in notebook 11, sections "What an engine tells" and "A poisoned result".
    """

    def __init__(self, rails: Guardrails, seconds: float = 60.0, most: int = 10_000):
        self.seconds, self._guards = seconds, tuple(rails.tool_result)
        self.rails = replace(rails, tool_result=(Guard("tool results", self._judge),))
        self._seen: deque[tuple[float, bool]] = deque(maxlen=most)
        self._lock = threading.Lock()

    def window(self) -> dict[str, float | None]:
        """Return tool_results and tool_results_caught_percent of the last `seconds`; of no results, the share is None."""
        now = time.monotonic()
        with self._lock:
            caught = [one for at, one in self._seen if at >= now - self.seconds]
        share = 100 * sum(caught) / len(caught) if caught else None
        return {"tool_results": float(len(caught)), "tool_results_caught_percent": share}

    def _judge(self, text: str, context: Context) -> Verdict:
        outcome = chain(self._guards, text, context)
        with self._lock:
            self._seen.append((time.monotonic(), bool(outcome.verdicts)))
        if not outcome.ok:
            return block(outcome.reason)
        return change(outcome.text, outcome.reason) if outcome.verdicts else PASS
