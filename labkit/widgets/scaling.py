"""What more servers give: throughput by replicas and callers as it was measured, and how long a request waits by load.

    scaling_scene({1: {1: [40.0, 42.1], 8: [55.0, 54.2]}, 2: {1: [39.8, 41.0], 8: [70.1, 68.4]}})
    waiting_scene(3.5)                      # one server's requests a second

Taught in notebook 12, section "More servers".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from labkit.deploy.capacity import erlang_c
from labkit.widgets.scene import Scene, plain
from labkit.widgets.theme import quiet

__all__ = ["mean_wait_s", "scaling_scene", "waiting_scene"]

LOADS = (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
SIGNS, DASHES = ("circle", "square", "diamond", "triangle-up"), ("solid", "dash", "dot", "dashdot")
Measured = Mapping[int, Mapping[int, Sequence[float]]]


def mean_wait_s(arrivals: float, served: float, servers: int = 1) -> float:
    """Return the mean seconds until a request begins: Erlang's formula for one queue before `servers` equal servers.

    arrivals: requests a second, at random moments. served: how many a second one server does. Infinity where more come than go.
    """
    load = arrivals / served
    return erlang_c(servers, load) / (servers * served - arrivals) if load < servers else math.inf


def scaling_scene(measured: Measured) -> Scene:
    """Return throughput over callers, a line for each number of servers, with the range over the rounds.

    measured: servers → callers at once → output tokens a second, one figure a round.
    """
    import plotly.graph_objects as go

    from labkit.bench.stats import over_rounds

    figure, lines = go.Figure(), ["servers  at once  tokens a second [over the rounds]"]
    for look, (servers, by_callers) in enumerate(measured.items()):
        ranges = {callers: over_rounds(rounds) for callers, rounds in by_callers.items()}
        high = [one.high - one.median for one in ranges.values()]
        low = [one.median - one.low for one in ranges.values()]
        bars = {"type": "data", "array": high, "arrayminus": low, "thickness": 1, "width": 4}
        _line(figure, look, f"{servers} server{'s' * (servers > 1)}", list(ranges), ranges.values(), error_y=bars)
        lines += [
            f"{servers:7} {callers:8} {one.median:10.1f} [{one.low:.1f}, {one.high:.1f}]"
            for callers, one in ranges.items()
        ]
    return _scene(figure, "callers at once", "output tokens a second", lines)


def waiting_scene(served: float, servers: Sequence[int] = (1, 2, 4)) -> Scene:
    """Return the mean wait before a request begins, over the load of all servers together; `served`: of one, requests a second."""
    import plotly.graph_objects as go

    figure, lines = go.Figure(), ["load   " + "".join(f"{n:>4} server{'s' if n > 1 else ' '}" for n in servers)]
    waits = {n: [mean_wait_s(load * n * served, served, n) for load in LOADS] for n in servers}
    for look, (n, seconds) in enumerate(waits.items()):
        _line(figure, look, f"{n} server{'s' * (n > 1)}", [100 * load for load in LOADS], seconds)
    for i, load in enumerate(LOADS):
        lines.append(f"{load:4.0%}   " + "".join(f"{seconds[i]:10.2f} s" for seconds in waits.values()))
    return _scene(figure, "load, % of what all servers can do", "seconds until a request begins", lines)


def _line(figure, look: int, name: str, x, y, **more) -> None:
    values = [getattr(one, "median", one) for one in y]
    style = {"marker": {"symbol": SIGNS[look % 4], "size": 8}, "line": {"dash": DASHES[look % 4]}}
    figure.add_scatter(x=x, y=values, name=name, mode="lines+markers", **style, **more)


def _scene(figure, x: str, y: str, lines: list[str]) -> Scene:
    quiet(figure, x=x, y=y)
    figure.update_layout(showlegend=True, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"}, margin_t=50)
    return Scene(plain(figure), "\n".join(lines))
