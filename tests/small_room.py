"""The reports of a room of thirty machines, each a variation of what this machine's own report says."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

from labkit import course
from labkit.kit import documents

SYSTEMS = [
    ("Windows 11", "AMD64", 8, 16e9),
    ("Darwin 24.1.0", "arm64", 10, 24e9),
    ("Linux 6.8 (Ubuntu 24.04)", "x86_64", 4, 8e9),
]
NO_MODEL = "The model smollm2-135m is not on this disk yet. Try: labkit pull smollm2-135m"
NO_ENGINE = "No engine is here. Try: python -m pip install xllamacpp"
OPEN = "ollama on port 11434 can be reached from other machines: bind it to 127.0.0.1. Try: OLLAMA_HOST=127.0.0.1 ollama serve"
FREE = {6: 2.2e9, 14: 3.4e9, 23: 1.7e9}  # bytes, on machines where something else runs
SAYS = {3: [NO_MODEL], 7: [NO_MODEL, OPEN], 11: [NO_ENGINE, NO_MODEL], 28: [OPEN]}


def write(folder: Path, real: dict) -> None:
    """Write desk-01.json to desk-30.json. real: a machine's report; it has every key that labkit writes."""
    for number in range(1, 31):
        documents.write(folder / f"desk-{number:02}.json", documents.MACHINE, _machine(deepcopy(real), number))


def _machine(one: dict, number: int) -> dict:
    system, architecture, cores, ram = SYSTEMS[(number - 1) % len(SYSTEMS)]
    free = FREE.get(number, ram * 0.7)
    one["machine"] |= {"os": system, "architecture": architecture, "cores_usable": cores, "ram_limit_bytes": None}
    one["machine"] |= {"ram_total_bytes": int(ram), "ram_free_bytes": int(free)}
    here = {"llamacpp", *(["ollama"] if number % 4 == 0 else [])} - ({"llamacpp"} if number == 11 else set())
    one["engines"] = {name: row | {"ok": name in here} for name, row in one["engines"].items()}
    one["lessons"] = [_lesson(row, here, free) for row in course.lessons()]
    stuck = [
        f"lesson {row.id} does not run: needs {row.memory_gb:g} GB of memory, {free / 1e9:.1f} GB are free"
        for row, how in zip(course.lessons(), one["lessons"], strict=True)
        if not how["runs"] and here
    ]
    one["problems"] = [*SAYS.get(number, []), *stuck]
    return one | ({"labkit": "0.0.9"} if number == 19 else {})


def _lesson(row: course.Lesson, here: set[str], free: float) -> dict:
    """A lesson whose engine is not here is replayed, if any engine is."""
    runs = bool(here) and row.memory_gb * 1e9 <= free
    return {"id": row.id, "runs": runs, "live": runs and bool(here & {*row.engines})}
