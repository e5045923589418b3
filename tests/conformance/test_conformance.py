"""Every engine that is here, really asked everything; the shipped matrix is held to it."""

from __future__ import annotations

import pytest

from labkit import backends, conformance
from labkit.backends.capabilities import FORMS, NEEDS
from labkit.backends.probes import PROBES
from labkit.conformance import limits, results
from labkit.errors import OfflineError

pytestmark = pytest.mark.timeout(1200)  # an engine may take minutes to start

NAMES = [check.name for check in conformance.CHECKS]
# The values with which each parameter of NEEDS needs its capability.
VALUES = {
    "tools": [{}], "tool_choice": "required", "max_completion_tokens": 3, "top_k": 1, "min_p": 0.9, "logit_bias": {"1": 1},
    "logprobs": True, "seed": 1, "stop": ["x"], "n": 2,
}  # fmt: skip


@pytest.fixture(scope="module", params=backends.BACKENDS)
def result(request, require, known) -> conformance.Result:
    here = backends.available()[request.param]
    require(request.param, here, here.fix)
    try:
        return conformance.measure(request.param, known)
    except OfflineError as error:
        require(request.param, False, error.fix or str(error))


def test_what_does_not_work_is_known_and_explained(result):
    seen = {name: one.note for name, one in result.checks.items() if not one.ok}
    explained = results.expected(result.engine)
    new = {name: note for name, note in seen.items() if name not in explained}
    assert not new, f"{result.engine} {result.engine_version}: a fault, or a reason for data/conformance/expected.toml"
    works = [name for name in explained if name not in seen]
    assert not works, f"{result.engine} {result.engine_version} can do it: take the reason out of expected.toml"


def test_the_shipped_matrix_is_what_the_engine_does(result):
    shipped = results._read(results.shipped_dir() / f"{result.engine}.json", here=False)
    renew = f"labkit backends {result.engine} --measure --out data/conformance"
    assert shipped and shipped.cells == result.cells, f"stale. Try: {renew}"


def test_every_cell_is_filled_and_says_what_was_seen(result):
    assert list(result.checks) == NAMES and all(one.note for one in result.checks.values())


def test_what_is_gated_is_checked():
    needed = {NEEDS[name](value) for name, value in VALUES.items()} | {form for form in FORMS.values() if form}
    assert NEEDS.keys() == VALUES.keys() | {"response_format"}
    assert needed <= PROBES.keys() <= set(NAMES) and needed == limits.ASKING.keys()


def test_names_and_titles_are_one_each_and_the_killing_comes_last():
    assert len(set(NAMES)) == len(NAMES) == len({check.title for check in conformance.CHECKS})
    assert NAMES[-1] == "killed" and NAMES[: len(PROBES)] == list(PROBES)


def test_reasons_are_for_engines_and_checks_that_exist():
    import tomllib

    table = tomllib.loads((results.shipped_dir() / "expected.toml").read_text(encoding="utf-8"))
    assert table.keys() <= {"every", *backends.BACKENDS}
    for reasons in table.values():
        assert reasons.keys() <= set(NAMES) and all(len(one) > 20 for one in reasons.values())
