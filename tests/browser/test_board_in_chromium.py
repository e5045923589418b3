"""The board of thirty machines in Chromium: readable by everybody, on a screen and on a phone, and no request to any host."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import small_room

from labkit import doctor
from labkit.kit import board_page
from labkit.kit.board import board
from labkit.kit.report import machine_report


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("room")
    small_room.write(folder, machine_report(doctor.report()))
    return board_page.write(board([folder]), folder / "board.html").as_uri()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (360, "light")])
def test_the_board_is_readable_and_asks_nobody(browser, address, artifacts, require, width, scheme):
    require("axe", find_spec("axe_playwright_python"), "pip install axe-playwright-python")
    from axe_playwright_python.sync_playwright import Axe

    asked = []
    with browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme) as context:
        tab = context.new_page()
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(address)
        tab.screenshot(path=artifacts / f"board-{scheme}-{width}.png", full_page=True)
        found = Axe().run(tab).response["violations"]
        too_wide = tab.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert asked == [address] and not too_wide
    assert not [(one["id"], one["help"]) for one in found if one["impact"] in ("serious", "critical")]
