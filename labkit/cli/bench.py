"""labkit bench: waiting time, writing speed and throughput of the engines that are here, and how far to trust them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from labkit.cli.common import Json, Model, ProgressLine, print_out
from labkit.errors import ConfigError

app = typer.Typer(invoke_without_command=True, help="Speed: of the engines that are here, and of labkit itself.")


@app.callback(
    invoke_without_command=True,
    epilog="Example: **labkit bench --compare --concurrency 1,4 --rounds 2** (some minutes, on an idle machine)",
)
def bench(
    context: typer.Context,
    backend: Annotated[list[str] | None, typer.Option(help="An engine of `labkit doctor`; may be given again.")] = None,
    everything: Annotated[
        bool, typer.Option("--compare", help="All engines that are here, beside each other.")
    ] = False,
    concurrency: Annotated[str, typer.Option(help="How many ask at once, with commas.")] = "1,4,16,32",
    requests: Annotated[int, typer.Option(min=0, help="Requests a level and round; 0: as many as ask at once.")] = 0,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; figures come with their range.")] = 3,
    words: Annotated[int, typer.Option(min=1, help="Words of a prompt, about a token each.")] = 32,
    tokens: Annotated[int, typer.Option(min=2, help="Tokens of an answer.")] = 32,
    threads: Annotated[int, typer.Option(min=0, help="Threads of an engine; 0: all cores but one.")] = 0,
    model: Model = "auto",
    as_json: Json = False,
) -> None:
    """Time to first token, time per token and throughput, by how many ask at once. Engines run one after the other."""
    if context.invoked_subcommand:
        return
    from labkit.bench.compare import compare

    plan = _plan(concurrency, requests, rounds, words, tokens)
    found = _watched(compare, _engines(backend or [], everything), plan, model=model, threads=threads or None)
    print_out(found.to_dict() if as_json else _words(found))


def _plan(concurrency: str, *others: int):
    from labkit.bench.serving import Plan

    return Plan(_levels(concurrency), *others)


def _levels(text: str) -> tuple[int, ...]:
    levels = {int(part) for part in text.split(",") if part.strip().isdigit()}
    if not levels or 0 in levels or not all(part.strip().isdigit() for part in text.split(",")):
        raise ConfigError(f"--concurrency {text!r} is no list of numbers.", "", "labkit bench --concurrency 1,4,16")
    return tuple(sorted(levels))


def _engines(named: list[str], everything: bool) -> list[str]:
    from labkit.backends import available, known_backend

    named = [known_backend(name) for name in named]
    if not everything:
        return list(dict.fromkeys(named)) or ["auto"]
    return list(dict.fromkeys([*named, *(name for name, here in available().items() if here)]))


def _watched(work, *arguments, **options):
    with ProgressLine() as line:
        return work(*arguments, **options, progress=line.show)


def _words(found) -> str:
    from labkit.widgets.serving import ratios_text, serving_text

    parts = [serving_text(found.engines)]
    if found.ratios:
        parts.append(ratios_text(found.ratios))
    parts += [f"not measured: {why}" for why in found.failed.values()]
    parts.append(
        f"Times in milliseconds. {found.other_load:.0%} of the cores were busy before the first engine started."
    )
    return "\n\n".join(parts)


@app.command(epilog="Example: **labkit bench check --backend llamacpp** (half a minute; vllm takes ten)")
def check(
    backend: Annotated[str, typer.Option(help="llamacpp or vllm: who is there to read along.")] = "llamacpp",
    concurrency: Annotated[str, typer.Option(help="How many ask at once, with commas.")] = "1,4",
    requests: Annotated[int, typer.Option(min=1, help="Requests a level and round.")] = 16,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds.")] = 3,
    as_json: Json = False,
) -> None:
    """Our figures beside llama.cpp's own timings of the same requests, or vLLM's `bench serve` of the same load.

    The exit status is 1 where two readings of the same thing differ by more than 5 %.
    """
    from labkit.bench.check import by_its_own

    plan = _plan(concurrency, requests, rounds)
    found = _watched(by_its_own, backend, plan)
    if as_json:
        print_out([{**asdict(one), "agrees": one.agrees} for one in found])
    else:
        print_out(
            "\n".join([f"{'':34}{'ours':>11}{'theirs':>11}{'':10}ours : theirs [least, most]", *map(_reading, found)])
        )
    if not all(one.agrees for one in found):
        raise typer.Exit(1)


def _reading(one) -> str:
    head = f"{one.concurrency:>2} at once, {one.figure:22}{one.ours:11.2f}{one.theirs:11.2f} {one.unit:9}"
    ratio = f"{one.ratio.median:.3f} [{one.ratio.low:.3f}, {one.ratio.high:.3f}]"
    return f"{head}{ratio} of {one.pairs}{'' if one.agrees else '   differs'}"


@app.command(epilog="Example: **labkit bench reader --streams 32** (ten seconds)")
def reader(
    streams: Annotated[int, typer.Option(min=1, help="Streams at once.")] = 32,
    as_json: Json = False,
) -> None:
    """How late our clock readings come at so many streams, and what reading costs, beside the openai client."""
    from labkit.bench.reader import readers

    found = _watched(readers, streams)
    if as_json:
        return print_out([asdict(one) for one in found])
    for one in found:
        print_out(
            f"{one.name:8} {one.streams} streams, {one.pieces} pieces: late by {one.late_p50_ms:.2f} ms "
            f"(p99 {one.late_p99_ms:.2f}), {one.cpu_us:.0f} µs of processor a piece, {one.busy:.0%} of a core"
        )


@app.command(epilog="Example: **labkit bench overhead --json** (about three minutes, on an idle machine)")
def overhead(
    calls: Annotated[int, typer.Option(min=20, help="Pairs of calls to the stub.")] = 400,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds at each concurrency.")] = 5,
    as_json: Json = False,
) -> None:
    """What labkit costs beside the plain openai client, and beside xllamacpp driven directly; and what monitoring costs.

    The exit status is 1 where monitoring costs more than 1 ms a call, or more than 2 % of a core.
    """
    from labkit.bench.overhead import measure

    found = _watched(measure, calls, rounds)
    _say_overhead(found, as_json)
    if not found["monitoring"]["within"]:
        raise typer.Exit(1)


@app.command(epilog="Example: **labkit bench monitoring --json** (half a minute)")
def monitoring(
    calls: Annotated[int, typer.Option(min=20, help="Pairs of calls to the stub.")] = 400,
    seconds: Annotated[int, typer.Option(min=2, help="Seconds of watching an engine at 1 Hz.")] = 20,
    as_json: Json = False,
) -> None:
    """What monitoring costs alone: milliseconds a call, and share of a core at one sample a second.

    The exit status is 1 where that is more than 1 ms, or more than 2 %.
    """
    from labkit.bench.monitoring import monitoring_cost

    found = asdict(_watched(monitoring_cost, calls, seconds=seconds))
    print_out(found if as_json else _watching(found))
    if not found["within"]:
        raise typer.Exit(1)


def _watching(found: dict) -> str:
    call, sure = f"{found['call_ms']:+.3f}", f"[{found['call_low_ms']:+.3f}, {found['call_high_ms']:+.3f}]"
    return (
        f"monitoring: {call} ms a call {sure}, {found['call_cpu_ms']:.3f} ms of processor, "
        f"{found['chunk_us']:.0f} µs a chunk; {found['core_percent']:.2f} % of a core at 1 Hz "
        f"(idle {found['idle_percent']:.2f} %), {found['sample_ms']:.1f} ms a sample"
    )


def _say_overhead(found: dict, as_json: bool) -> None:
    if as_json:
        return print_out(found)
    client = found["client"]
    print_out(
        f"one chat call: labkit {client['labkit_ms']:.2f} ms, openai {client['openai_ms']:.2f} ms, difference "
        f"{client['difference_ms']:+.3f} ms [{client['difference_low_ms']:+.3f}, {client['difference_high_ms']:+.3f}]"
    )
    print_out(_watching(found["monitoring"]))
    for row in found["throughput"]:
        print_out(
            f"{row['concurrency']:>2} at once: labkit {row['labkit_tokens_per_second']:.0f} tokens/s, directly "
            f"{row['direct_tokens_per_second']:.0f}, ratio {row['ratio']:.3f} [{row['ratio_low']:.3f}, {row['ratio_high']:.3f}]"
        )
