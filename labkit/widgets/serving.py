"""What a benchmark of serving found, as figures and in words: throughput, waiting and writing by how many ask at once.

    serving_scene(comparison.engines)              # the figure with its text, for a notebook
    serving_text(comparison.engines)               # what `labkit bench` prints
    distribution_scene(comparison.engines, 4)      # how long people wait, all of them and not the median alone

All take results (labkit.bench.results.Engine); none measures. Failed requests are named, and a replayed engine carries its label.

Taught in notebook 07, section "Batching".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from labkit.widgets.scene import Scene, plain
from labkit.widgets.theme import COLOURS, GRID, INK, near_title, quiet

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from labkit.bench.compare import Ratio
    from labkit.bench.results import Engine, Level

__all__ = [
    "distribution_figure",
    "distribution_scene",
    "ratios_text",
    "serving_figure",
    "serving_scene",
    "serving_text",
]

# An engine is told by colour, sign and line together, so greyscale will do.
SIGNS = ["circle", "square", "diamond", "triangle-up", "x", "star", "cross"]
HUES = [*COLOURS, "#1f9e94", "#c2566b"]  # there may be seven engines
LINES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid"]
LEGEND = {"orientation": "h", "y": -0.28, "yanchor": "top"}
PANELS = ("output tokens a second", "first text after, ms", "each token after, ms")
TIMES = {"ttft_ms": "first text", "tpot_ms": "each token", "itl_ms": "gap between chunks", "latency_ms": "whole answer"}


def serving_scene(engines: Sequence[Engine]) -> Scene:
    """Return the figure of `serving_figure` with its twin in words."""
    return Scene(serving_figure(engines), serving_text(engines))


def distribution_scene(engines: Sequence[Engine], concurrency: int, time: str = "ttft_ms") -> Scene:
    """Return the figure of `distribution_figure` with its twin in words."""
    from labkit.bench.stats import CURVE

    lines = [f"{TIMES[time]}, ms, with {concurrency} at once; this share of requests had at most:"]
    lines.append(" " * 22 + "".join(f"{percent:>7} %" for percent in CURVE))
    for engine, level in _at(engines, concurrency):
        lines.append(f"{_name(engine):22}" + "".join(f"{value:9.1f}" for value in getattr(level, time).curve))
    return Scene(distribution_figure(engines, concurrency, time), "\n".join(lines))


def serving_figure(engines: Sequence[Engine]) -> go.Figure:
    """Return a plotly figure of three panels over how many ask at once: throughput (range over the rounds), TTFT and TPOT.

    TTFT and TPOT show the median, with a bar up to the 90th percentile.
    """
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=1, cols=3, subplot_titles=PANELS, horizontal_spacing=0.08)
    for number, engine in enumerate(engines):
        levels = [level for level in engine.levels if level.completed]
        rates = [level.output_tokens_per_second for level in levels]
        _panel(figure, 1, number, engine, levels, [r.median for r in rates], [(r.low, r.high) for r in rates])
        for column, time in ((2, "ttft_ms"), (3, "tpot_ms")):
            spreads = [getattr(level, time) for level in levels]
            _panel(figure, column, number, engine, levels, [s.p50 for s in spreads], [(s.p50, s.p90) for s in spreads])
    quiet(figure, height=380)
    figure.update_layout(margin_t=40, margin_b=100, legend=LEGEND)
    ticks = sorted({level.concurrency for engine in engines for level in engine.levels})
    figure.update_xaxes(
        type="log", tickvals=ticks, ticktext=[str(one) for one in ticks], title=near_title("at once"), **GRID
    )
    figure.update_yaxes(rangemode="tozero", exponentformat="none", **GRID)
    figure.update_annotations(font={"color": INK, "size": 13})
    return plain(figure)


def distribution_figure(engines: Sequence[Engine], concurrency: int, time: str = "ttft_ms") -> go.Figure:
    """Return a plotly figure: which share of requests (y) had `time` within so many milliseconds (x), a line an engine.

    time: "ttft_ms", "tpot_ms", "itl_ms" or "latency_ms".
    """
    import plotly.graph_objects as go

    from labkit.bench.stats import CURVE

    figure = go.Figure()
    for engine, level in _at(engines, concurrency):
        look = _look(list(engines).index(engine))
        x = getattr(level, time).curve
        figure.add_scatter(x=x, y=CURVE, name=_name(engine), mode="lines+markers", **look)
    quiet(figure, y="% of requests within", height=380)
    figure.update_layout(margin_b=100, showlegend=True, legend=LEGEND)
    figure.update_xaxes(title=near_title(f"{TIMES[time]}, ms ({concurrency} at once)"))
    return plain(figure)


def serving_text(engines: Sequence[Engine]) -> str:
    """Return every engine's facts and a table of its levels: medians, and the 90th and 99th percentile, in milliseconds."""
    return "\n\n".join("\n".join([_facts(engine), *_table(engine)]) for engine in engines)


def ratios_text(ratios: Sequence[Ratio]) -> str:
    """Return a line for each engine and level: its figures divided by those of the first engine, with the rounds' range.

    Taught in notebook 08, section "Alone and in company".
    """
    lines = {}
    for one in ratios:
        head = f"{one.backend} : {one.to}, {one.concurrency} at once"
        lines.setdefault(head, []).append(f"{RATIO_NAMES[one.figure]} {_ratio(one.ratio)}")
    return "\n".join(f"{head:34} {',  '.join(parts)}" for head, parts in lines.items())


RATIO_NAMES = {"ttft_ms": "first text", "tpot_ms": "each token", "output_tokens_per_second": "tokens/s"}


def _panel(figure, column: int, number: int, engine: Engine, levels, middle: list, bars: list) -> None:
    figure.add_scatter(
        x=[level.concurrency for level in levels],
        y=middle,
        error_y={
            "type": "data",
            "array": [high - one for one, (_, high) in zip(middle, bars, strict=True)],
            "arrayminus": [one - low for one, (low, _) in zip(middle, bars, strict=True)],
            "thickness": 1,
            "width": 4,
        },
        name=_name(engine),
        mode="lines+markers",
        legendgroup=engine.backend,
        showlegend=column == 1,
        row=1,
        col=column,
        **_look(number),
    )


def _look(number: int) -> dict:
    colour, sign, line = (options[number % len(options)] for options in (HUES, SIGNS, LINES))
    return {"marker": {"symbol": sign, "color": colour, "size": 8}, "line": {"dash": line, "color": colour}}


def _at(engines: Sequence[Engine], concurrency: int) -> list[tuple[Engine, Level]]:
    return [(e, level) for e in engines for level in e.levels if level.concurrency == concurrency and level.completed]


def _name(engine: Engine) -> str:
    return f"{engine.backend} (replayed)" if engine.replayed else engine.backend


def _facts(engine: Engine) -> str:
    model = f"{engine.model} as {engine.weights}" if engine.weights else engine.model
    parts = [f"{engine.backend} {engine.engine_version}".strip(), model, engine.machine, engine.date]
    if engine.threads:
        parts.append(f"{engine.threads} thread{'s' if engine.threads > 1 else ''}")
    if engine.start_seconds:
        parts.append(f"started in {engine.start_seconds.median:.1f} s")
    if engine.memory_most:
        bytes_ = engine.memory_most.bytes
        parts.append(f"{bytes_ / 2**20:.0f} MiB at most")
    if engine.ignore_eos != "honoured":
        parts.append(f"ignore_eos {engine.ignore_eos}: answers may end early")
    return "\n".join([", ".join(parts), *([engine.replayed] if engine.replayed else [])])


def _table(engine: Engine) -> list[str]:
    lines = [
        f"{'':41}{'first text (TTFT), ms':>25}{'each token (TPOT), ms':>25}",
        f"at once  requests  failed  tokens in/out{'p50':>10}{'p90':>8}{'p99':>8}{'p50':>9}{'p90':>8}{'p99':>8}"
        "   tokens/s [over the rounds]  requests/s",
    ]
    for level in engine.levels:
        lines.append(_row(level))
        lines += [f"         {count} failed: {what}" for what, count in level.errors.items()]
    return lines


def _row(level: Level) -> str:
    head = f"{level.concurrency:>7}  {level.requests:>8}  {level.requests - level.completed:>6}"
    if not level.completed:
        return f"{head}  nothing was measured"
    tokens = f"{_counts(level.prompt_tokens)}/{_counts(level.output_tokens)}"
    times = "".join(f"{t.p50:9.1f}{t.p90:8.1f}{t.p99:8.1f}" for t in (level.ttft_ms, level.tpot_ms))
    rate, asked = level.output_tokens_per_second, level.requests_per_second.median
    return f"{head}  {tokens:>14}{times}{rate.median:11.1f} {f'[{rate.low:.1f}, {rate.high:.1f}]':17}{asked:12.2f}"


def _counts(counts: tuple[int, int]) -> str:
    least, most = counts
    return str(least) if least == most else f"{least}-{most}"


def _ratio(ratio) -> str:
    return f"{ratio.median:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
