"""Make the files that follow from pyproject.toml, so that pip, conda and Binder install the same course.

    python .ci/environments.py                     write environment.yml and binder/environment.yml
    python .ci/environments.py --check             say which of the two are out of date (exit status 1)
    python .ci/environments.py --pins [--upgrade]  renew requirements/*.txt: needs uv and the network

Source: `dependencies`, `optional-dependencies` and `tool.labkit.conda` in pyproject.toml. Without --upgrade the pins that
still fit are kept. No YAML library is needed: the files are lists of strings.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PINS = {  # file -> (what it holds, the extra it adds, the file whose versions it shares)
    "requirements/test.txt": ("the course and its tests", "test", None),
    "requirements/lab.txt": ("the course", None, "requirements/test.txt"),
}
PINS_HEADER = """\
# Pins with hashes for {what}, wheels only: nothing is ever compiled.
# Python 3.11 to 3.14; Linux and macOS on x86-64 and ARM, Windows on x86-64 (on ARM from Python 3.12).
# Install:     python -m pip install --no-deps -e .
#              python -m pip install -r {file}
#              (in this order: an old Python is refused in a second, and `python -m pip` can renew pip itself on Windows)
# Regenerate:  python .ci/environments.py --pins
--only-binary :all:
"""
CONDA_HEADER = """\
# Made by .ci/environments.py from pyproject.toml: change it there.
# {use}
name: labkit
channels:
  - conda-forge
"""
CONDA_USE = "Use: conda env create -f environment.yml && conda activate labkit && labkit lab"
BINDER_USE = "Binder reads this folder alone; postBuild adds the package itself and the model."


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Make the files that follow from pyproject.toml.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is out of date")
    parser.add_argument("--pins", action="store_true", help="renew requirements/*.txt with uv")
    parser.add_argument("--upgrade", action="store_true", help="with --pins: take the newest versions")
    args = parser.parse_args()
    if args.pins:
        return pin(args.upgrade)
    stale = {name: text for name, text in environments().items() if read(name) != text}
    for name, text in stale.items():
        if args.check:
            print(f"{name} is out of date. Try: python .ci/environments.py", file=sys.stderr)
        else:
            write(name, text)
            print(f"wrote {name}")
    return 1 if args.check and stale else 0


def read(name: str) -> str:
    """Return the text of a file of the repository, "" if it is not there."""
    path = ROOT / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


def write(name: str, text: str) -> None:
    """Write a file of the repository, with the same line ends on every system."""
    (ROOT / name).parent.mkdir(exist_ok=True)
    (ROOT / name).write_text(text, encoding="utf-8", newline="\n")


def environments() -> dict[str, str]:
    """Return file name -> text of both conda environments."""
    meta = tomllib.loads(read("pyproject.toml"))
    conda, project = meta["tool"]["labkit"]["conda"], meta["project"]
    from_forge = [need for need in project["dependencies"] if base_name(need) in conda["forge"]]
    from_pip = [need for need in project["dependencies"] if need not in from_forge]
    prebuilt = [need for extra in conda["prebuilt-extras"] for need in project["optional-dependencies"][extra]]
    forge = [f"python={conda['python']}", *from_forge, *prebuilt, *conda["programs"]]
    on_binder = [need for need in forge if base_name(need) not in conda["not-on-binder"]]
    return {
        "environment.yml": environment(CONDA_USE, forge, [*from_pip, "-e ."]),
        "binder/environment.yml": environment(BINDER_USE, on_binder, from_pip),
    }


def environment(use: str, forge: list[str], pip: list[str]) -> str:
    """Return one environment file: conda-forge's packages, then pip's."""
    lines = ["dependencies:", *(f"  - {quoted(need)}" for need in forge)]
    lines += ["  - pip:", *(f"      - {quoted(need)}" for need in pip)]
    return CONDA_HEADER.format(use=use) + "\n".join(lines) + "\n"


def base_name(need: str) -> str:
    """Return the package name of a requirement such as "numpy>=1.26; python_version < '4'"."""
    return re.match(r"[A-Za-z0-9._-]+", need).group()


def quoted(need: str) -> str:
    """Return a requirement as a YAML string; none of ours holds a double quote or a backslash."""
    return f'"{need}"'


def pin(upgrade: bool) -> int:
    """Renew the pins with uv, for every platform at once; return uv's exit status if it is not 0."""
    for file, (what, extra, shared) in PINS.items():
        command = ["uv", "pip", "compile", "pyproject.toml", "--quiet", "--universal", "--python-version", "3.11"]
        command += ["--generate-hashes", "--only-binary", ":all:", "--no-header", "--no-annotate", "-o", file]
        command += ["--extra", extra] if extra else []
        command += ["--constraints", shared] if shared else []
        command += ["--upgrade"] if upgrade else []
        status = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode
        if status:
            return status
        write(file, PINS_HEADER.format(what=what, file=file) + read(file))
    return 0


if __name__ == "__main__":
    sys.exit(main())
