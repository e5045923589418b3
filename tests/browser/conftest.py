"""One JupyterLab and one Chromium for all browser tests of a file; a fresh tab for each.

Not for the whole session: Playwright keeps an event loop in this thread for as long as it runs, and the
tests of every folder after this one could not call asyncio.run().
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import pytest
from lab_page import CHROMIUM_FLAGS, LabPage, LabServer

from labkit import paths

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="module")
def browser(require) -> Iterator:
    """Give a headless Chromium of this machine, driven by Playwright."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    require("chromium", found, "apt install chromium")
    require("chromium", find_spec("playwright"), "pip install 'labkit[test]'")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def server(browser, tmp_path_factory) -> Iterator[LabServer]:
    """Give a JupyterLab that shows a copy of the course's notebooks."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(paths.notebooks_dir(), folder, dirs_exist_ok=True)
    lab = LabServer(folder, tmp_path_factory.mktemp("jupyter"))
    lab.start()
    yield lab
    lab.stop()


@pytest.fixture
def open_lab(browser, server) -> Iterator[Callable[..., LabPage]]:
    """Give `open_lab(notebook, width=1100, dark=False)`: a fresh tab with that notebook open; kernels end with the test."""
    contexts = []

    def open_one(notebook: str, width: int = 1100, dark: bool = False) -> LabPage:
        server.set("@jupyterlab/apputils-extension:themes", {"theme": f"JupyterLab {'Dark' if dark else 'Light'}"})
        context = browser.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        page = LabPage(context.new_page(), server)
        page.open(notebook)
        return page

    yield open_one
    for context in contexts:
        context.close()
    server.end_kernels()
