"""The ladder's figure: the frontier is the frontier, and the twin says what the marks show."""

from types import SimpleNamespace

import pytest

from labkit.quantize.task import Share
from labkit.widgets.ladder import frontier, ladder_scene, ladder_text


def rung(name, size, kl, speed, scored=True):
    score = {"kl": kl, "kl_error": kl / 10, "same_top": 1 - kl} if scored else None
    run = SimpleNamespace(decode_speed=SimpleNamespace(value=speed), task=SimpleNamespace(right=Share(7, 10)))
    return SimpleNamespace(type=name, size_bytes=size * 1e6, bits_per_weight=size / 16.9, score=score, run=run)


LADDER = [
    rung("F16", 270, 0.0, 50),
    rung("Q8_0", 145, 0.005, 80),
    rung("Q5_1", 150, 0.02, 60),
    rung("Q2_K", 88, 0.9, 90),
]


def test_the_frontier_leaves_out_what_another_beats_in_every_way():
    assert [one.type for one in frontier(LADDER)] == ["F16", "Q8_0", "Q2_K"]
    assert frontier([LADDER[0], LADDER[0]]) == [LADDER[0]] * 2, "equals do not beat each other"


def test_marks_grow_with_speed_and_the_reference_is_in_the_text_alone():
    scene = ladder_scene(LADDER)
    marks = {t: s for trace in scene.figure.data for t, s in zip(trace.text, trace.marker.size, strict=True)}
    assert marks.keys() == {"Q8_0", "Q5_1", "Q2_K"} and marks["Q2_K"] > marks["Q8_0"] > marks["Q5_1"]
    assert scene.figure.layout.yaxis.type == "log" and scene.figure.layout.yaxis.title.text
    assert "F16" in scene.text and "No other beats: F16, Q8_0, Q2_K." in scene.text


@pytest.mark.parametrize("rungs", [[], [rung("Q8_0", 145, 0, 80, scored=False)]])
def test_without_scores_there_is_still_a_table(rungs):
    scene = ladder_scene(rungs)
    assert scene.text == ladder_text(rungs) and "KL" in scene.text
    assert "No other beats" not in scene.text
