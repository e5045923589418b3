"""What every test may use: `require` (skip or fail when something is absent), `endpoint` and `artifacts`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def require() -> Callable[[str, object, str], None]:
    """Give `require(name, present, how)`: go on if `present`; else skip, or fail if LABKIT_REQUIRE names `name`.

    name: what is needed ("chromium", "llamacpp"). how: one command, or one sentence, that gets it. LABKIT_REQUIRE is a list
    of names with commas: there, a test that would be skipped is red instead, so nothing goes untested unnoticed.
    """

    def check(name: str, present: object, how: str) -> None:
        if present:
            return
        wanted = {one.strip() for one in os.environ.get("LABKIT_REQUIRE", "").split(",")}
        message = f"{name} is not here. Try: {how}"
        if name in wanted:
            pytest.fail(f"{message} (LABKIT_REQUIRE names it)", pytrace=False)
        pytest.skip(message)

    return check


@pytest.fixture(scope="session")
def endpoint(require) -> Iterator:
    """Give one real embedded engine on the bundled model, shared by all tests of the run."""
    import labkit
    from labkit.backends import available
    from labkit.errors import OfflineError

    here = available()["llamacpp"]
    require("llamacpp", here, here.fix)
    try:
        engine = labkit.connect("llamacpp", model="smollm2-135m")
    except OfflineError as error:
        require("llamacpp", False, error.fix or str(error))
    with engine:
        yield engine


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory) -> Path:
    """Give the folder for screenshots and logs that a person may want to see: LABKIT_ARTIFACTS, or a temporary one."""
    chosen = os.environ.get("LABKIT_ARTIFACTS")
    folder = Path(chosen).resolve() if chosen else tmp_path_factory.mktemp("artifacts")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
