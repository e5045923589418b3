"""How long a request waits, held against a queue that is played through; and the figures' twins in words."""

import heapq
import math
import random

import pytest

from labkit.widgets.scaling import mean_wait_s, scaling_scene, waiting_scene


def played(arrivals: float, served: float, servers: int, requests: int = 200_000) -> float:
    """The mean wait of requests that come at random to servers that take random times: no formula."""
    dice, now, waited = random.Random(12), 0.0, 0.0
    free = [0.0] * servers
    for _ in range(requests):
        now += dice.expovariate(arrivals)
        begins = max(now, heapq.heappop(free))
        waited += begins - now
        heapq.heappush(free, begins + dice.expovariate(served))
    return waited / requests


@pytest.mark.parametrize(("load", "servers"), [(0.5, 1), (0.8, 1), (0.8, 2), (0.7, 4)])
def test_the_formula_says_what_a_played_queue_does(load, servers):
    arrivals = load * servers * 3.0
    assert mean_wait_s(arrivals, 3.0, servers) == pytest.approx(played(arrivals, 3.0, servers), rel=0.08)


def test_more_than_can_be_served_waits_for_ever():
    assert mean_wait_s(3.0, 3.0) == math.inf
    assert mean_wait_s(7.0, 3.0, 2) == math.inf
    assert mean_wait_s(5.9, 3.0, 2) < math.inf


def test_the_scaling_figure_shows_the_rounds():
    scene = scaling_scene({1: {1: [40.0, 44.0, 41.0]}, 2: {1: [39.0, 45.0, 42.0]}})
    one, two = scene.figure.data
    assert (one.name, two.name) == ("1 server", "2 servers")
    assert (one.y[0], one.error_y.array[0], one.error_y.arrayminus[0]) == (41.0, 3.0, 1.0)
    assert one.marker.symbol != two.marker.symbol, "greyscale will do"
    assert "41.0 [40.0, 44.0]" in scene.text


def test_the_waiting_figure_says_the_same_in_words():
    scene = waiting_scene(2.0, (1, 2))
    at_half = list(scene.figure.data[0].x).index(50)
    assert scene.figure.data[0].y[at_half] == pytest.approx(0.5)
    assert "50%" in scene.text
    assert "0.50 s" in scene.text
