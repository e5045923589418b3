"""The graph of who spoke to whom, and its table, from hops alone."""

import math

from labkit.orchestration import Hop
from labkit.widgets.hops import hop_table, links, places, team_scene

HOPS = [
    Hop("user", "front", "", 0.0, 0.5, 10, 2, (("handoff_to_desk", {}),), "desk"),
    Hop("front", "desk", "Thursday.", 0.5, 1.0, 100, 20, (("look_up", {}),)),
    Hop("front", "desk", "Again.", 1.5, 1.0, 100, 20),
    Hop("desk", "far", "", 2.5, 0.1, error="no answer within 0.1 s"),
    Hop("far", "far", "Hm.", 2.6, 0.1, 5, 5),
]


def test_links_and_places_hold_everybody_once():
    assert links(HOPS) == {("user", "front"): 1, ("front", "desk"): 2, ("desk", "far"): 1, ("far", "far"): 1}
    at = places(HOPS)
    assert list(at) == ["user", "front", "desk", "far"]
    assert at["user"] == (-1.0, 0.0) and len({(round(x, 6), round(y, 6)) for x, y in at.values()}) == 4
    assert all(math.isclose(math.hypot(*one), 1) for one in at.values())


def test_the_words_say_what_the_picture_shows():
    scene = team_scene(HOPS)
    assert str(scene).splitlines() == [
        "user spoke to front",
        "front spoke to desk, 2 times",
        "desk spoke to far: failed, no answer within 0.1 s",
        "far spoke to far",
    ]
    lines = [one for one in scene.figure.data if one.mode == "lines"]
    assert len(lines) == len(scene.figure.layout.annotations) == 3 and len(scene.figure.layout.shapes) == 1
    assert [one.line.dash for one in lines] == ["solid", "solid", "dash"]
    assert lines[1].line.width > lines[0].line.width
    names = scene.figure.data[-1]
    assert [text.strip("<b>/") for text in names.text] == ["user", "front", "desk", "far"]
    assert names.hovertext[2] == "desk: 2 turns, 40 tokens, 2.0 s"


def test_an_arrow_points_from_who_spoke_to_who_answered():
    figure = team_scene(HOPS[:1]).figure
    (arrow,) = figure.layout.annotations
    assert arrow.ax < arrow.x  # the user stands left, front right


def test_the_table_has_a_line_a_hop_and_the_sum():
    lines = hop_table(HOPS).splitlines()
    assert len(lines) == 7
    assert lines[2].split()[:3] == ["front", "→", "desk"] and lines[2].endswith("look_up")
    assert lines[4].endswith("failed: no answer within 0.1 s")
    assert lines[-1].split() == ["all", "2.70", "215", "47"]
    assert hop_table([]).splitlines()[-1].split() == ["all", "0.00", "0", "0"]
