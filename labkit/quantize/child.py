"""Work that needs llama-cpp-python, done in a child process: quantizing to K-quants, perplexity, KL divergence.

    run("score", model=path, text=path, chunks=8, threads=2, reference=None, write_reference=None)

The package is an extra (`quantization`), because the index has its source alone and compiling takes minutes. It may live in
labkit's own venv or in another one: LABKIT_LLAMA_CPP_PYTHON names that one's Python. What the child takes of memory is its
own, and goes with it.

Taught in notebook 03, section "The ladder".
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
from functools import cache
from pathlib import Path

from labkit.backends.process import ServerProcess
from labkit.backends.settings import Availability
from labkit.errors import EngineMissing, QuantizeError
from labkit.progress import Progress, silent

__all__ = ["available", "run"]

WORKER = Path(__file__).with_name("worker.py")
VARIABLE = "LABKIT_LLAMA_CPP_PYTHON"
PATIENCE = 3600  # seconds: a guard against a child that hangs, not a deadline


def available() -> Availability:
    """Say whether llama-cpp-python is here; what is missing without it stands in `why`."""
    if _python():
        return Availability(True)
    why = "K-quants, perplexity and KL divergence need llama-cpp-python, which is compiled once on your machine"
    return Availability(False, why=why, fix=_fix())


def run(do: str, progress: Progress = silent, label: str = "", **wish) -> dict:
    """Do one piece of work in the child (see worker.py) and return its result.

    progress(label, done, total) hears of the child's own steps. Raises EngineMissing without llama-cpp-python, QuantizeError when
    the child refuses or ends; Ctrl-C ends it.
    """
    python = _python()
    if not python:
        here = available()
        raise EngineMissing("llama-cpp-python is not here.", here.why, here.fix)
    child = ServerProcess(
        [python, "-B", WORKER],
        label=f"quantize {do} threads={wish.get('threads', 1)}",
        ready=_watch(progress, label or do),
        env={"LABKIT_QUANTIZE": json.dumps({"do": do, **wish}), "PYTHONPATH": ""},
    )
    try:
        result = child.start(PATIENCE)
    finally:
        child.stop()
    if "refused" in result:
        raise QuantizeError(f"{do} did not work: {result['refused']}", "\n".join(_last_words(child)), "labkit doctor")
    return result["result"]


def _watch(progress: Progress, label: str):
    """Return what ServerProcess asks until it answers: it reports progress on the way, and answers with the result."""

    def ready(child: ServerProcess) -> dict | None:
        for line in reversed(child.log):
            if found := re.match(r"LABKIT (PROGRESS|RESULT|REFUSED) (.*)", line):
                word, rest = found.groups()
                if word == "RESULT":
                    return {"result": json.loads(rest)}
                if word == "REFUSED":
                    return {"refused": rest}
                progress(label, *map(int, rest.split()))
                return None
        return None

    return ready


def _last_words(child: ServerProcess) -> list[str]:
    return [line for line in child.log if line and not line.startswith("LABKIT")][-3:]


def _python() -> str | None:
    """The Python that has llama_cpp: the one that the variable names, or this one."""
    named = os.environ.get(VARIABLE)
    if named:
        return named if Path(named).is_file() else None
    return sys.executable if _here() else None


@cache
def _here() -> bool:
    return importlib.util.find_spec("llama_cpp") is not None


def _fix() -> str:
    """One command for this platform: conda has it prebuilt, the index has it to compile."""
    if os.environ.get("CONDA_PREFIX"):
        return "conda install -c conda-forge llama-cpp-python"
    return "pip install 'labkit[quantization]'"
