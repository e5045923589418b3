"""The curve is the router at each threshold, over answers that were measured once."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.agents.hybrid import Answer, Request
from labkit.agents.routing_curve import Tried, choose_threshold, collect, curve, overhead_us, thresholds
from labkit.agents.routing_set import Item
from labkit.widgets.routing import routing_scene

LABELS = ("a", "b")


def _tried(rows) -> list[Tried]:
    """Rows (confidence, small is right, big is right or None for private)."""
    made = []
    for n, (sure, small, big) in enumerate(rows):
        request = Request(str(n), LABELS, private=big is None)
        answers = [Answer("a" if right else "b", sure, seconds) for right, seconds in ((small, 1.0), (big, 3.0))]
        made.append(Tried(request, "a", answers[0], None if big is None else answers[1]))
    return made


FOUR = _tried([(0.5, False, True), (1.5, True, False), (2.5, True, True), (0.1, False, None)])


def test_points_count_what_the_router_does():
    never, one, always = curve(FOUR, [0.0, 1.0, math.inf], lambda small, big: 1 if big is None else 5)
    assert (never.right, never.escalated, never.seconds, never.cost) == (2, 0, 1.0, 1.0)
    assert (one.right, one.escalated, one.seconds, one.cost) == (3, 1, 1.75, 2.0)
    assert (always.right, always.escalated) == (2, 3), "the private one stays, wrong as it is"


@given(
    st.lists(st.tuples(st.floats(0, 9), st.booleans(), st.sampled_from([True, False, None])), min_size=3, max_size=30)
)
def test_a_higher_threshold_never_escalates_less(rows):
    tried = _tried(rows)
    points = curve(tried, thresholds(tried))
    assert len(points) >= 5
    assert [one.escalated for one in points] == sorted(one.escalated for one in points)
    assert points[0].escalated == 0 and points[-1].escalated == sum(one.big is not None for one in tried)


def test_the_least_share_that_is_good_enough():
    points = curve(FOUR, [0.0, 1.0, math.inf])
    assert choose_threshold(points, 0.7) is points[1]
    assert choose_threshold(points, 0.5) is points[0]
    assert choose_threshold(points, 0.9) is None


def test_private_items_are_asked_of_the_small_one_alone():
    asked = []

    def big(request):
        asked.append(request)
        return Answer("a", 1.0)

    both = [Item(Request("x", LABELS), "t", "a"), Item(Request("y", LABELS, private=True), "t", "a")]
    tried = collect(both, lambda request: Answer("b", 0.2), big)
    assert [one.text for one in asked] == ["x"] and tried[1].big is None


def test_the_figure_and_its_twin():
    scene = routing_scene(curve(FOUR, thresholds(FOUR)), "s")
    (line,) = scene.figure.data
    assert len(line.x) == len(line.y) == 8 and line.error_y.array is not None
    assert "never" in scene.text and "always" in scene.text and "75%" in scene.text


def test_overhead_is_measured():
    assert 0 < overhead_us(FOUR, rounds=5) < math.inf
    assert overhead_us(FOUR, rounds=5) == pytest.approx(overhead_us(FOUR, rounds=5), rel=50)
