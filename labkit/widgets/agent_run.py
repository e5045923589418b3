"""One agent run, step by step: what it did, how long each step took, the tokens it read and wrote, the tools it called.

    run_scene(telemetry.spans.runs()[-1])       # the figure with its text, for a notebook
    print(run_text(run))                        # the same in words

Takes a labkit.operate.spans.Run; of what people and models wrote, it shows nothing.

Taught in notebook 11, section "A poisoned result".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.widgets.scene import Scene, plain
from labkit.widgets.theme import COLOURS, INK, quiet

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from labkit.operate.spans import Run, Step

__all__ = ["run_figure", "run_scene", "run_text"]

# A kind of step is told by colour and by pattern, so greyscale will do.
KINDS = {"invoke_agent": ("agent", ""), "chat": ("model", "/"), "execute_tool": ("tool", "x"), "": ("other", ".")}
ROW = 30  # pixels


def run_scene(run: Run) -> Scene:
    """Return the figure of `run_figure` with its twin in words. Taught in notebook 11, section "A poisoned result"."""
    return Scene(run_figure(run), run_text(run))


def run_text(run: Run) -> str:
    """Return a line a step: begin and length in ms, tokens in and out, tool and error; and the sum of it.

    Taught in notebook 11, section "A poisoned result".
    """
    lines = [f"{'begin ms':>9}{'ms':>9}{'tokens in/out':>15}  step"]
    for step in run.steps:
        took = f"{1000 * step.start:9.0f}{1000 * step.seconds:9.0f}{_tokens(step):>15}"
        lines.append(f"{took}  {'  ' * step.depth}{step.name}{f'  failed: {step.error}' if step.error else ''}")
    read, wrote = run.tokens
    tools = [step.tool for step in run.steps if step.operation == "execute_tool"]
    called = f"{len(tools)} tool calls ({', '.join(dict.fromkeys(tools))})" if tools else "no tool calls"
    failed = sum(bool(step.error) for step in run.steps)
    total = f"{run.seconds:.2f} s, {read} tokens read, {wrote} written, {called}"
    return "\n".join([*lines, total + (f", {failed} steps failed" if failed else "")])


def run_figure(run: Run) -> go.Figure:
    """Return a plotly figure: a bar a step over the run's time, the first on top; colour and pattern say what kind it is.

    Taught in notebook 11, section "A poisoned result".
    """
    import plotly.graph_objects as go

    figure, rows = go.Figure(), [_label(number, step) for number, step in enumerate(run.steps)]
    for (operation, (name, pattern)), colour in zip(KINDS.items(), COLOURS, strict=False):
        mine = [
            n for n, step in enumerate(run.steps) if (step.operation if step.operation in KINDS else "") == operation
        ]
        steps = [run.steps[n] for n in mine]
        if steps:
            figure.add_bar(
                orientation="h",
                name=name,
                y=[rows[n] for n in mine],
                base=[1000 * step.start for step in steps],
                x=[1000 * step.seconds for step in steps],
                text=[_note(step) for step in steps],
                textposition="outside",
                textfont={"color": INK},
                cliponaxis=False,
                marker={"color": colour, "pattern": {"shape": pattern}, "line": {"color": INK, "width": 1}},
                hovertemplate="%{y}<br>%{x:.0f} ms from %{base:.0f} ms<extra></extra>",
            )
    quiet(figure, x="ms since the run began", height=110 + ROW * len(rows))
    figure.update_layout(
        barmode="overlay", showlegend=True, legend={"orientation": "h", "y": 1.0, "yanchor": "bottom"}, margin_t=40
    )
    figure.update_yaxes(categoryorder="array", categoryarray=rows[::-1], automargin=True, showgrid=False, title="")
    figure.update_xaxes(range=[0, 1250 * run.seconds])  # room for the notes beside the bars
    return plain(figure)


def _label(number: int, step: Step) -> str:
    return f"{number + 1}. {'  ' * step.depth}{step.name}"  # the number keeps equal steps apart


def _note(step: Step) -> str:
    tokens = _tokens(step)
    return " ".join(
        part for part in (f"{tokens} tokens" if tokens else "", f"failed: {step.error}" if step.error else "") if part
    )


def _tokens(step: Step) -> str:
    if step.input_tokens is None and step.output_tokens is None:
        return ""
    return f"{step.input_tokens or 0}/{step.output_tokens or 0}"
