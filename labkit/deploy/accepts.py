"""Whether the installed engine takes a command, asked of the engine itself, because options come and go.

    (verdict,) = ask("vllm", [launch])
    verdict.ok, verdict.by, verdict.why        # False, "vLLM 0.32.0's own parser", "unrecognized arguments: --speculative-model x"

vLLM: its parser, run in its venv, values and JSON included; nothing is loaded. llama.cpp: `llama-server` if it is on the PATH (it
reads its options, then prints its version); else the library that comes with labkit, for the names alone. Ollama: the variables
that `ollama serve --help` lists.

Taught in notebook 12, section "Presets".
"""

from __future__ import annotations

import difflib
import functools
import importlib.util
import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.backends import ollama_find, vllm_find
from labkit.deploy.scenarios import Engine, Launch
from labkit.errors import EngineError, EngineMissing
from labkit.progress import progress_bar

__all__ = ["Verdict", "ask", "version"]

PATIENCE_S = 180  # vLLM imports torch first: 9 seconds on two idle cores
ASK_VLLM = """
import sys, json
try:
    from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
except ImportError:  # before 0.30
    from vllm.entrypoints.openai.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = make_arg_parser(FlexibleArgumentParser(prog="vllm serve"))
parser.error = lambda message: (_ for _ in ()).throw(ValueError(message))
said = []
for options in json.loads(sys.argv[1]):
    try:
        validate_parsed_serve_args(parser.parse_args(options))
        said.append("")
    except (ValueError, TypeError) as error:
        said.append(str(error))
names = sorted({name for action in parser._actions for name in action.option_strings})
print("LABKIT", json.dumps([said, names]))
"""


@dataclass(frozen=True)
class Verdict:
    """What the engine says: `ok` True, False, or None where it is not here to be asked; `by` whom; `why` not."""

    ok: bool | None
    by: str
    why: str = ""


def ask(engine: Engine, launches: Sequence[Launch]) -> list[Verdict]:
    """Return the verdict of the installed engine on each launch. Raises EngineError where it does not answer at all."""
    if engine == "vllm":
        return _vllm(launches)
    return [_llamacpp(launch) if engine == "llamacpp" else _ollama(launch) for launch in launches]


def version(engine: Engine) -> str:
    """Return the version of the installed engine, "" if it is not here."""
    try:
        return {"vllm": _vllm_version, "llamacpp": _library_version, "ollama": _ollama_version}[engine]()
    except EngineMissing:
        return ""


def _vllm_version() -> str:
    return vllm_find.find().version.partition("+")[0]


def _ollama_version() -> str:
    return ollama_find.find().version


def _library_version() -> str:
    from labkit.backends import llamacpp

    return llamacpp.available().version


def _vllm(launches: Sequence[Launch]) -> list[Verdict]:
    try:
        found = vllm_find.find()
    except EngineMissing as error:
        return [Verdict(None, "vLLM", f"{error.what} {error.why}".strip())] * len(launches)
    # What follows `vllm serve`, or `python -m vllm.entrypoints.openai.api_server`.
    options = tuple(tuple(one.command[2 if one.command[0] == "vllm" else 3 :]) for one in launches)
    said, names = _parse(found.python, found.version, options)
    return [Verdict(not one, f"vLLM {found.version}'s own parser", one and _nearest(one, names)) for one in said]


@functools.lru_cache(maxsize=64)
def _parse(python: str, version: str, options: tuple[tuple[str, ...], ...]) -> tuple[list[str], list[str]]:
    """Return what vLLM's parser has against each list of options ("": nothing), and the names of all that it knows."""
    progress = progress_bar(unit="step")
    progress(f"Asking vLLM {version}", 0, 1)
    quiet = {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    command = [python, "-I", "-c", ASK_VLLM, json.dumps(options)]
    out = _run(command, {**os.environ, **quiet})
    progress(f"Asking vLLM {version}", 1, 1)
    line = next((line for line in out.splitlines() if line.startswith("LABKIT ")), None)
    if line is None:
        why = out.strip().splitlines()[-1] if out.strip() else "it printed nothing"
        raise EngineError(f"vLLM {version} did not say which options it takes.", why, "labkit doctor")
    said, names = json.loads(line.removeprefix("LABKIT "))
    return [" ".join(one.partition("    For further information")[0].split()) for one in said], names


def _llamacpp(launch: Launch) -> Verdict:
    if program := shutil.which("llama-server"):
        said = _run([program, *launch.command[1:], "--version"], dict(os.environ))
        wrong = [line for line in said.splitlines() if line.startswith("error")]
        return Verdict(not wrong, "llama-server's own parser", " ".join(wrong))
    library = _library()
    if library is None:
        return Verdict(None, "llama.cpp", "neither llama-server nor the package xllamacpp is here")
    known = _names_in(library, library.stat().st_mtime_ns)
    missing = [part for part in launch.command if part.startswith("--") and part not in known]
    why = _nearest(f"unknown option: {' '.join(missing)}", sorted(known)) if missing else ""
    return Verdict(not missing, f"llama.cpp {_library_version()}, for the options' names,", why)


def _library() -> Path | None:
    spec = importlib.util.find_spec("xllamacpp")
    files = sorted(Path(spec.origin).parent.glob("xllamacpp*.[sp][oy]*")) if spec and spec.origin else []
    return next((file for file in files if file.suffix in (".so", ".pyd")), None)


@functools.lru_cache(maxsize=2)
def _names_in(library: Path, _stamp: int) -> frozenset[str]:
    """Return the options whose names stand in the library's table of strings: llama-server's parser is linked into it."""
    return frozenset(name.decode() for name in re.findall(rb"(?<=\0)--[a-z][a-z0-9-]+(?=\0)", library.read_bytes()))


def _ollama(launch: Launch) -> Verdict:
    try:
        found = ollama_find.find()
    except EngineMissing as error:
        return Verdict(None, "Ollama", f"{error.what} {error.why}".strip())
    if not found.program:
        return Verdict(None, "Ollama", "a server is running here, but its program is not to be found")
    known = set(re.findall(r"OLLAMA_[A-Z_]+", _run([found.program, "serve", "--help"], dict(os.environ))))
    missing = [name for name in launch.environment if name not in known]
    why = _nearest(f"unknown variable: {' '.join(missing)}", sorted(known)) if missing else ""
    return Verdict(not missing, f"Ollama {found.version}, for the variables' names,", why)


def _nearest(said: str, names: list[str]) -> str:
    """Add the nearest names to a complaint about unknown ones."""
    unknown = (
        re.findall(r"(--[a-z][\w-]+|OLLAMA_[A-Z_]+)", said) if said.startswith(("unrecognized", "unknown")) else []
    )
    near = dict.fromkeys(name for one in unknown for name in difflib.get_close_matches(one, names, 1, 0.7))
    return f"{said}; did you mean {', '.join(near)}?" if near else said


def _run(command: list[str], environment: dict[str, str]) -> str:
    """Return everything that a program prints. Raises EngineError if it does not run or does not end."""
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{command[0]} did not say which options it takes.", str(error), "labkit doctor") from None
    return done.stderr + done.stdout
