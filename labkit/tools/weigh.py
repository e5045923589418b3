"""Fit the weights of `relevance` on the development half, and write them to data/tool_weights.toml.

Every request of the half is paired with every tool of the half: the right one is the only yes. A wrong tool that an item itself
offers weighs half as much; of the thousands of others those weigh most that could be called, because nothing is missing. A twin,
a tool that takes the right one's values for another's purpose, stands for the hardest requests to leave alone. Logistic
regression with a small ridge; then the threshold is set so that, on requests and tools that the weights were not fitted on,
wrong calls and wrong silence are balanced.

Explained in notebook 04, section "Two stages".
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from labkit.tools.fill import fill
from labkit.tools.items import Item, items, toolbox
from labkit.tools.plan import Request
from labkit.tools.relevance import SIGNS, signs
from labkit.tools.tool import Tool

__all__ = ["fit", "write"]

RIDGE, FOLDS, TWIN = 0.004, 6, 0.3


def fit() -> dict[str, float]:
    """Return {"bias": …, sign: weight, …}. Takes half a minute."""
    import numpy as np

    chosen = [item for item in items("dev") if item.kind != "multi"]
    rows, wanted, weight, item_of, own, twin = _pairs(chosen)
    fold = [random.Random(item.call or item.text).randrange(FOLDS) for item in chosen]
    held_out = np.zeros(len(rows))
    for part in range(FOLDS):
        out = np.array([fold[i] == part for i in item_of])
        weights = _logistic(rows[~out], wanted[~out], weight[~out])
        held_out[out] = weights[0] + rows[out] @ weights[1:]
    weights = _logistic(rows, wanted, weight)
    bias = weights[0] - _threshold(chosen, held_out, item_of, own, twin)
    return {
        "bias": round(float(bias), 3),
        **{name: round(float(w), 3) for name, w in zip(SIGNS, weights[1:], strict=True)},
    }


def _pairs(chosen: Sequence[Item]):
    """Return signs, whether a call is wanted, weight, number of the item, whether it offers the tool, whether it is a twin."""
    import numpy as np

    rows, wanted, weight, item_of, own, twin = [], [], [], [], [], []

    def add(tool: Tool, number: int, right: bool, offered: bool, is_twin: bool) -> None:
        request = Request(chosen[number].text)
        plan = fill(tool, request)
        rows.append(signs(tool, request, plan))
        wanted.append(float(right))
        weight.append(1.0 if right else TWIN if is_twin else 0.5 if offered else 0.01 if plan.missing else 0.1)
        item_of.append(number)
        own.append(offered)
        twin.append(is_twin)

    for number, item in enumerate(chosen):
        offered = {tool.name for tool in item.tools}
        for tool in toolbox("dev").values():
            right = tool.name == item.call
            if right and item.missing:
                continue  # the right tool, and still no call: says nothing of relevance
            add(tool, number, right, tool.name in offered, False)
            for other in _twins(tool, number) if right else ():
                add(other, number, False, False, True)
    return np.array(rows), np.array(wanted), np.array(weight), item_of, own, twin


def _twins(tool: Tool, number: int) -> list[Tool]:
    """Return tools that take the same values for another purpose: every value is found, and still no call is right."""
    others = [one for one in toolbox("dev").values() if one.name != tool.name]
    return [Tool(one.name, one.description, tool.parameters) for one in random.Random(number).sample(others, 3)]


def _logistic(x, y, weight):
    import numpy as np

    a = np.c_[np.ones(len(x)), x]
    b, total = np.zeros(a.shape[1]), weight.sum()
    ridge = RIDGE * np.diag([0.0] + [1.0] * x.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-a @ b))
        gradient = a.T @ (weight * (p - y)) / total + ridge @ b
        b = b - np.linalg.solve(
            (a * (weight * p * (1 - p))[:, None]).T @ a / total + ridge + 1e-9 * np.eye(len(b)), gradient
        )
    return b


def _threshold(chosen: Sequence[Item], scores, item_of: list[int], own: list[bool], twin: list[bool]) -> float:
    """Return the log-odds at which the share of requests wrongly left alone equals that of calls wrongly made: three in four of
    them where no tool on offer fits, one in four of twins."""
    best, twins = {}, []
    for score, number, offered, is_twin in zip(scores, item_of, own, twin, strict=True):
        if offered:
            best[number] = max(best.get(number, -99.0), float(score))
        if is_twin:
            twins.append(float(score))
    yes = [score for number, score in best.items() if not chosen[number].abstain]
    no = [score for number, score in best.items() if chosen[number].kind == "none"]

    def imbalance(level: float) -> float:
        plain, hard = (sum(score >= level for score in some) / len(some) for some in (no, twins))
        return abs(sum(score < level for score in yes) / len(yes) - (0.75 * plain + 0.25 * hard))

    return min(sorted({*yes, *no}), key=imbalance)


def write(weights: dict[str, float], to: Path) -> None:
    """Write the weights as TOML."""
    head = "# Weights of the signs in labkit/tools/relevance.py, fitted on the development half: labkit tools fit\n\n"
    to.write_text(head + "".join(f"{name} = {value}\n" for name, value in weights.items()), encoding="utf-8")
