"""llama.cpp's answers, asked once for all engines of a run."""

import pytest

from labkit import backends, conformance


@pytest.fixture(scope="session")
def known(require) -> conformance.Reference:
    here = backends.available()["llamacpp"]
    require("llamacpp", here, here.fix)
    return conformance.measure_reference()
