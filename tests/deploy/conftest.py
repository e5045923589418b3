"""Golden files: the exact text that a command prints, kept beside the tests and read by people."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).with_name("golden")


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Give `golden(name, text)`: the file of that name says exactly that. LABKIT_GOLDEN=write writes it, for git diff."""

    def check(name: str, text: str) -> None:
        file = GOLDEN / name
        if os.environ.get("LABKIT_GOLDEN") == "write":
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text + "\n", encoding="utf-8", newline="\n")
        assert text + "\n" == file.read_text(encoding="utf-8")

    return check
