"""Which systems have wheels of what the course installs: asked of the package index, written down, and shown in README.md.

    python .ci/wheels.py            ask again: needs uv and the network; writes requirements/wheels.toml and README's table
    python .ci/wheels.py --check    say whether README's table follows from requirements/wheels.toml (exit status 1 if not)

The course's versions are the pins of requirements/; what has no pin is the newest version. Run it where labkit is installed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import compatible_tags, cpython_tags, mac_platforms
from packaging.utils import parse_wheel_filename

from labkit.kit.targets import Pin, Target, platforms, read_pins

ROOT = Path(__file__).resolve().parents[1]
FACTS, README = ROOT / "requirements" / "wheels.toml", ROOT / "README.md"
TABLE = re.compile(r"(?<=<!-- wheels -->\n).*?(?=<!-- /wheels -->)", re.S)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LINUX, MACOS = (
    range(17, 45),
    range(11, 30),
)  # what a wheel may ask for: minor version of glibc 2, major version of macOS
LEGACY = {17: ["manylinux1", "manylinux2010", "manylinux2014"]}
PARTS = {  # row of README's table -> what must have a wheel; a marker says where it is needed
    "foundry": ["foundry-local-sdk", "onnxruntime", "onnxruntime-genai-core", "onnx"],
    "onnx": ["onnxruntime-genai", "onnxruntime-genai-core", "onnxruntime", "onnx"],
    "openvino": ["openvino-genai", "openvino-tokenizers", "openvino"],
    "mlx": ["mlx-lm", "mlx", "mlx-metal; sys_platform == 'darwin'", "mlx-cpu; sys_platform != 'darwin'"],
    "vllm": ["vllm"],
    "ray": ["ray"],
    "quantization": ["llama-cpp-python"],
}
COURSE, ENGINE = "the course", "its own engine"
HEADER = """\
# Which systems the index has wheels for, of what the course installs. Made by .ci/wheels.py, which asks the index again.
# A row: package, version, and for each system the Pythons that have a wheel ("3.11 3.12 …") and what the oldest of them asks
# for ("glibc 2.28", "macOS 13"; "" = nothing). A system that is not named has no wheel; source: there is none for any.
# Packages of pure Python are left out.
"""


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Which systems have wheels of what the course installs.")
    parser.add_argument("--check", action="store_true", help="ask nobody; fail if README's table is out of date")
    check = parser.parse_args().check
    if not check:
        FACTS.write_text(facts_text(ask()), encoding="utf-8", newline="\n")
    text = README.read_text(encoding="utf-8")
    new = TABLE.sub(lambda _: table(load()), text)
    if check:
        return int(new != text)
    README.write_text(new, encoding="utf-8", newline="\n")
    return 0


def ask() -> list[dict]:
    """Return one row a package that has wheels for some system only, from what uv finds on the index."""
    with tempfile.TemporaryDirectory() as place:
        lock = Path(place, "pylock.toml")
        command = ["uv", "pip", "compile", "-", "--universal", "--python-version", "3.11", "--no-deps", "--quiet"]
        command += ["--format", "pylock.toml", "-o", str(lock)]
        # Not here: pyproject.toml would refuse what has no wheel for one of the systems.
        subprocess.run(command, input="\n".join(wanted()), text=True, check=True, stdout=subprocess.DEVNULL, cwd=place)
        found = tomllib.loads(lock.read_text(encoding="utf-8"))["packages"]
    rows = [_row(one) for one in sorted(found, key=lambda one: (one["name"], one["version"]))]
    return [row for row in rows if row is not None]


def wanted() -> list[str]:
    """Return what to ask for, as requirements: the course's pins, and the parts' packages, pinned where the tests pin them."""
    tested = {pin.name: f"{pin.name}=={pin.version}" for pin in read_pins(ROOT / "requirements" / "test.txt")}
    course = [f"{pin.name}=={pin.version}{pin.marker and ' ; '}{pin.marker}" for pin in course_pins()]
    parts = {one.partition(";")[0] for part in PARTS.values() for one in part}
    return sorted({*course, *(tested.get(name, name) for name in parts)})


def course_pins() -> list[Pin]:
    """Return the pins of the course."""
    return read_pins(ROOT / "requirements" / "lab.txt")


def _row(package: dict) -> dict | None:
    """Return a package's row, or None for one of pure Python."""
    names = [one.get("name") or one["url"].rpartition("/")[2] for one in package.get("wheels", [])]
    if not names:
        return {"name": package["name"], "version": package["version"], "source": True}
    if all(name.endswith("-any.whl") for name in names):
        return None
    tags = frozenset().union(*(parse_wheel_filename(name)[3] for name in names))
    runs = {system: _runs(tags, system) for system in platforms()}
    return {"name": package["name"], "version": package["version"], **{k: v for k, v in runs.items() if v}}


def _runs(tags: frozenset, system: str) -> list[str]:
    """Return the Pythons that have a wheel on a system, and the least that one of them asks for; [] for none."""
    least = {python: _least(tags, system, python) for python in PYTHONS}
    have = [python for python in PYTHONS if least[python] is not None]
    worst = max((least[python] for python in have), key=_number, default="")
    return [" ".join(have), worst] if have else []


def _least(tags: frozenset, system: str, python: str) -> str | None:
    """Return the oldest system on which one of the tags runs, in words, or None if there is none."""
    for words, names in _ladder(system):
        version = tuple(map(int, python.split(".")))
        here = {*cpython_tags(version, platforms=names)}
        here |= {*compatible_tags(version, f"cp{python.replace('.', '')}", names)}
        if tags & here:
            return words
    return None


def _ladder(system: str) -> list[tuple[str, list[str]]]:
    """Return the versions of a system, oldest first: in words, and as the platform tags that run there."""
    row = platforms()[system]
    machine = row["machine"].lower()
    if row["sys_platform"] == "win32":
        return [("", [f"win_{machine}"])]
    if row["sys_platform"] == "darwin":
        return [(f"macOS {n}", list(mac_platforms((n, 0), machine))) for n in MACOS]
    names, rungs = [], []
    for n in LINUX:
        names = [*names, *(f"{name}_{machine}" for name in [*LEGACY.get(n, []), f"manylinux_2_{n}"])]
        rungs.append((f"glibc 2.{n}", names))
    return rungs


def _number(words: str) -> int:
    return int(re.findall(r"\d+", words)[-1]) if words else 0


def facts_text(rows: list[dict]) -> str:
    """Return the file of facts."""
    blocks = ["\n".join(f"{key} = {json.dumps(value)}" for key, value in row.items()) for row in rows]
    return f"{HEADER}looked = {datetime.now(UTC).date()}\n" + "".join(f"\n[[package]]\n{block}\n" for block in blocks)


def load() -> dict[tuple[str, str], dict]:
    """Return the facts that were written down, by name and version."""
    rows = tomllib.loads(FACTS.read_text(encoding="utf-8"))["package"]
    return {(row["name"], row["version"]): row for row in rows}


def looked() -> date:
    """Return the day on which the index was asked."""
    return tomllib.loads(FACTS.read_text(encoding="utf-8"))["looked"]


def rows(facts: dict[tuple[str, str], dict]) -> dict[str, list[Pin]]:
    """Return the rows of README's table: what must have a wheel for each, with its marker."""
    versions, pins = dict(facts.keys()), course_pins()
    found = {COURSE: pins, ENGINE: [pin for pin in pins if pin.name == "xllamacpp"]}
    for name, part in PARTS.items():
        split = [one.partition(";") for one in part]
        found[name] = [Pin(one, versions.get(one, ""), marker.strip(), frozenset()) for one, _, marker in split]
    return found


def installs(extra: str, system: str, python: str = "3.12") -> bool:
    """Whether pyproject.toml's extra installs its engine there; the course itself installs wherever it can."""
    meta = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    needs = [one for one in map(Requirement, meta.get(extra, [])) if one.name == PARTS[extra][0]]
    return any(Target(system, python).wants(Pin(one.name, "", str(one.marker or ""), frozenset())) for one in needs)


def cell(pins: list[Pin], system: str, facts: dict[tuple[str, str], dict]) -> str:
    """Return what there is for a system: "–", "source", "yes", or what the wheels ask for, and which Pythons if not all."""
    needed = {
        python: [facts.get((pin.name, pin.version)) for pin in pins if Target(system, python).wants(pin)]
        for python in PYTHONS
    }
    needed = {python: [row for row in some if row] for python, some in needed.items()}  # the others are pure Python
    if any("source" in row for some in needed.values() for row in some):
        return "source"
    have = [python for python, some in needed.items() if some and all(python in _pythons(row, system) for row in some)]
    if not have:
        return "–"
    worst = max((row[system][1] for python in have for row in needed[python]), key=_number)
    return ", ".join(filter(None, [worst, "" if have == [*PYTHONS] else f"Python {have[0]} to {have[-1]}"])) or "yes"


def _pythons(row: dict, system: str) -> list[str]:
    return row.get(system, [""])[0].split()


def table(facts: dict[tuple[str, str], dict]) -> str:
    """Return README's table."""
    names = [row["what"].partition(",")[0] for row in platforms().values()]
    lines = [f"| | {' | '.join(names)} |", "| --- " * (len(names) + 1) + "|"]
    for name, pins in rows(facts).items():
        shown = name if name in (COURSE, ENGINE) else f"`{name}`"
        cells = [cell(pins, one, facts) if name not in PARTS or installs(name, one) else "–" for one in platforms()]
        lines.append(f"| {shown} | {' | '.join(cells)} |")
    return "\n".join(lines) + f"\n\nLooked up on {looked().day} {looked():%B %Y} with `python .ci/wheels.py`.\n"


if __name__ == "__main__":
    sys.exit(main())
