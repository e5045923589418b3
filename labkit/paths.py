"""Where things are: the course's own files (read only) and this user's cache.

Source: the data and notebooks lie beside the package in a clone, and inside it (`labkit/_course`) in a wheel.

Taught in notebook 05, section "Configure".
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any


def course_root() -> Path:
    """Return the folder that holds `data/` and `notebooks/`: the clone, or the copy inside an installed wheel."""
    inside = Path(__file__).parent / "_course"
    return inside if inside.is_dir() else Path(__file__).parents[1]


def data_dir() -> Path:
    """Return the folder of the course's own tables and small data sets.

    At work in notebook 10, section "Who may do what".
    """
    return course_root() / "data"


def read_table(name: str) -> dict[str, Any]:
    """Return what is in a TOML file of the course's own data: `read_table("prices.toml")`.

    At work in notebook 10, section "The checklists".
    """
    return tomllib.loads((data_dir() / name).read_text(encoding="utf-8"))


def notebooks_dir() -> Path:
    """Return the folder of the shipped notebooks."""
    return course_root() / "notebooks"


def home() -> Path:
    """Return labkit's own folder for this user (`LABKIT_HOME`, else the platform's cache folder); made if missing."""
    chosen = os.environ.get("LABKIT_HOME")
    if chosen:
        path = Path(chosen).expanduser()
    else:
        from platformdirs import user_cache_path

        path = user_cache_path("labkit", appauthor=False)
    path.mkdir(parents=True, exist_ok=True)
    return path


def weights_dir() -> Path:
    """Return the folder of downloaded and converted model files; made if missing."""
    path = home() / "weights"
    path.mkdir(parents=True, exist_ok=True)
    return path
