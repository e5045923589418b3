"""The figure of who decided: every request is a mark, the wrong ones are crosses, and the twin says the same."""

from labkit.applications import Answered, application
from labkit.applications.measures import Scored
from labkit.widgets.decided import decided_scene


def test_every_request_is_one_mark_and_one_line():
    first, second, third = application("finance").items[:3]
    right = Scored(first, Answered(first.text, "", "done", 0.004, ("get_price", {"symbol": "NLT"})))
    wrong = Scored(second, Answered(second.text, "", "done", 0.5, ("get_price", {"symbol": "NLT"}), by="model"))
    handed = Scored(third, Answered(third.text, "", "handed over", 0.006))
    scene = decided_scene([right, wrong, handed])
    circles, crosses = scene.figure.data
    assert (list(circles.x), list(circles.y)) == ([0.004], ["words and types"])
    assert list(crosses.x) == [0.5, 0.006] and crosses.marker.symbol == "x"
    lines = str(scene).splitlines()
    assert "words and types: 2 requests, 0.005 s in the median" in lines
    assert sum(line.startswith("WRONG") for line in lines) == 2 and third.text in lines[-1]
