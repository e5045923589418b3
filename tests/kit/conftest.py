"""A small kit for the tests in this folder, built once a file; and commands that have no network, or a bad disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import fences
import pytest
import small_kit
import tiny_llama as tiny


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    """Let pip see one folder of wheels and no index, labkit a home of its own."""
    wheels = tmp_path_factory.mktemp("index")
    with tiny.home(tmp_path_factory.mktemp("home")), pytest.MonkeyPatch.context() as patch:
        for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}.items():
            patch.setenv(name, value)
        yield wheels


@pytest.fixture(scope="module")
def clone(offline, require, tmp_path_factory) -> Path:
    """Give a clone of the course whose lock file pins three wheels for this machine, and one for another."""
    pip = small_kit.bundled_pip()
    require("ensurepip", pip, "a Python that carries pip's wheel")
    here = small_kit.make_wheel(offline, "answer")
    elsewhere = small_kit.make_wheel(offline, "elsewhere")
    shutil.copy(pip, offline)
    lock = [
        *map(small_kit.pin, (here, small_kit.borrowed(offline), pip)),
        small_kit.pin(elsewhere, "os_name == 'plan9'"),
    ]
    return small_kit.clone(tmp_path_factory.mktemp("clone"), "".join(lock))


@pytest.fixture(scope="module")
def built(clone, tmp_path_factory):
    """Give the kit itself, which no test may change."""
    return small_kit.build(tmp_path_factory.mktemp("stick") / "kit", clone)


@pytest.fixture
def copy(built, tmp_path) -> Path:
    """Give a copy of the kit that a test may damage."""
    return Path(shutil.copytree(built.folder, tmp_path / "kit"))


@pytest.fixture(scope="session")
def fenced(require):
    """Give `fences.run`, where this machine lets us fence commands in."""
    require("unshare", fences.possible(), "a Linux that lets this user make namespaces (util-linux, iproute2)")
    return fences.run
