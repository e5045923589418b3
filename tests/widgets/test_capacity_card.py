"""The plan as a card: sliders change it, figure and words say the same, and what is refused is said in place of a figure."""

import json
from html import escape

import pytest

from labkit.deploy.capacity import Assumptions, Speed, capacity, table
from labkit.deploy.span import Span
from labkit.widgets.capacity import PLOTLY, capacity_card, capacity_figure, capacity_html, capacity_scene, capacity_text

SPEED = Speed(4, Span(380, 400, 420), Span(90, 100, 110))


def test_the_figure_has_both_costs_with_their_bands_and_the_wait():
    scene = capacity_scene(Assumptions(SPEED))
    named = [trace.name for trace in scene.figure.data if trace.name]
    assert named == ["edge", "cloud", "wait"] and len(scene.figure.data) == 9
    high, low, middle = (scene.figure.data[n].y for n in (6, 7, 8))
    assert all(a <= b <= c for a, b, c in zip(low, middle, high, strict=True)) and middle[-1] > 5 * middle[9]
    assert "it pays" in scene.text and "devices" in scene.text


def test_words_and_page_have_every_result():
    found = capacity(Assumptions(SPEED))
    text, html = capacity_text(found), capacity_html(found)
    for name, row in table()["result"].items():
        assert name in text and escape(row["says"]) in html
    assert "<script" not in html and 'scope="row"' in html


def test_a_slider_changes_figure_table_and_words():
    card = capacity_card(SPEED)
    before, figure = card.text, json.dumps(card._figure.outputs[0]["data"][PLOTLY])
    assert card.assumptions == Assumptions(SPEED)
    values = [value for _, value in card._sliders["tokens_out"].options]
    card._sliders["tokens_out"].value = (values[-3], values[-2])
    assert card.assumptions.tokens_out == Span.of((values[-3], values[-2]))
    assert card.text != before and json.dumps(card._figure.outputs[0]["data"][PLOTLY]) != figure
    assert card.found.results["devices"].middle > capacity(Assumptions(SPEED)).results["devices"].middle
    bundle = card._repr_mimebundle_()
    assert bundle["text/plain"] == card.text and "run the cell" in bundle["text/html"]


def test_what_is_refused_is_said_and_a_slider_back_brings_the_plan_back():
    card = capacity_card(SPEED, devices=200)
    assert card.found
    slider = card._sliders["requests_per_day"]
    began, most = slider.value, slider.options[-1][1]
    slider.value = (most, most)
    assert card.found is None and "without end" in card.text and "without end" in card.html
    assert card._figure.outputs == () and 'role="alert"' in card._table.value
    slider.value = began
    assert card.found and card._figure.outputs


def test_every_assumption_has_a_slider_that_reaches_its_limits():
    card = capacity_card(SPEED)
    for name, row in table()["assume"].items():
        values = [value for _, value in card._sliders[name].options]
        assert (values[0], values[-1]) == (row["least"], row["most"])


def test_a_figure_whose_devices_were_given_still_shows_as_many_as_it_takes():
    with_devices = capacity_figure(Assumptions(SPEED, devices=500))
    assert list(with_devices.data[2].y) == pytest.approx(list(capacity_figure(Assumptions(SPEED)).data[2].y))
