"""Foundry behind the bridge, with the real engine."""

import pytest
from bridged_suite import BridgedEngine

import labkit
from labkit import backends
from labkit.backends.foundry import _not_there
from labkit.errors import OfflineError, UnknownModel


class TestFoundry(BridgedEngine):
    name = "foundry"


def test_without_the_public_catalogue_it_says_so_and_what_runs_all_the_same(require, monkeypatch):
    here = backends.available()["foundry"]
    require("foundry", here, here.fix)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody there: no machine of a learner's is online through it
    with pytest.raises(OfflineError, match=r"catalogue is offline, and it has to deliver qwen2\.5-0\.5b") as caught:
        labkit.connect("foundry", "qwen2.5-0.5b", start_timeout=60)
    assert caught.value.fix == 'labkit.connect("foundry")'


def test_a_model_that_has_gone_from_the_catalogue_is_told_from_no_catalogue():
    error = _not_there("LABKIT NO MODEL phi-9; the public catalogue lists: phi-4, phi-4-mini\nmore")
    assert isinstance(error, UnknownModel)
    assert "phi-4-mini" in error.why
    assert _not_there("a crash of another kind") is None
