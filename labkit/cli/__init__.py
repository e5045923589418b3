"""The `labkit` command. Thin: every command is one call into the modules, and prints what it returns.

One file a group of commands; each has a typer app of its own, and this file joins them. Errors that labkit raises on purpose are
printed as three lines (what, why, one command to try) with exit status 2.
"""

from __future__ import annotations

import io
import os
import sys
import warnings

import typer

from labkit.cli import (
    audit,
    backends,
    bench,
    chat,
    checklist,
    claims,
    convert,
    course,
    deploy,
    deployed,
    edge,
    formats,
    guards,
    kit,
    lessons,
    mcp,
    models,
    monitor,
    quantize,
    record,
    serve,
    site,
    snippet,
    soak,
    tools,
)
from labkit.cli.common import complain
from labkit.errors import LabkitError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,  # keys are among them
    context_settings={"help_option_names": ["-h", "--help"]},
    help="AI agents on small language models, on your own machine.\n\n"
    "Start with **labkit lab**; **labkit doctor** says what is here.",
    epilog='Example: **labkit chat "What is the capital of France?"**; each command has its own: **labkit chat -h**',
)
for group in (
    course,
    lessons,
    chat,
    models,
    backends,
    claims,
    convert,
    quantize,
    serve,
    record,
    soak,
    snippet,
    checklist,
    site,
):
    app.add_typer(group.app)
bench.app.add_typer(formats.app)
deploy.app.add_typer(deployed.app)
deploy.app.add_typer(edge.app)
app.add_typer(bench.app, name="bench")
app.add_typer(tools.app, name="tools")
app.add_typer(deploy.app, name="deploy")
app.add_typer(monitor.app, name="monitor")
app.add_typer(audit.app, name="audit")
app.add_typer(guards.app, name="guards")
app.add_typer(mcp.app, name="mcp")
app.add_typer(kit.app, name="kit")

STOPPED = 130  # what a shell gives a program that Ctrl-C ended


def main() -> None:
    """Run the command line; turn labkit's errors into three lines and exit status 2, Ctrl-C into 130, a warning into its text."""
    warnings.formatwarning = lambda message, *_, **__: f"{message}\n"
    for stream in (sys.stdout, sys.stderr):  # a pipe on Windows may hold 256 characters, and "→" is none of them
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        # What a command raises as typer.Exit comes back as a number, and typer makes Ctrl-C one of them.
        status = app(standalone_mode=False) or 0
        sys.exit(_stopped() if status == STOPPED else status)
    except LabkitError as error:
        sys.exit(complain(f"{type(error).__name__}: {error}", 2))
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(_stopped())
    except BrokenPipeError:  # `labkit models | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        if error.filename is None:  # nothing that a person has named
            raise
        sys.exit(complain(f"{error.strerror}: {error.filename2 or error.filename}\nTry: another file or folder", 2))
    except Exception as error:  # click's usage errors carry their own printer; all others go on
        if not hasattr(error, "show"):
            raise
        error.show()
        sys.exit(getattr(error, "exit_code", 1))


def _stopped() -> int:
    return complain("\nStopped. Nothing is left running.", STOPPED)
