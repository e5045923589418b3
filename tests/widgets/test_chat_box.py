"""The chat box without a front end: the messages that a browser would send are given to it by hand."""

import time

import pytest
from chat_server import ChatServer

from labkit.errors import EngineDied
from labkit.widgets import chat_box
from labkit.widgets.chat_box import ENTER_S, title_html, turn_html
from labkit.widgets.conversation import Turn

EVIL = "<script>alert('&')</script>"


def until(condition, within: float = 10) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def press_enter(box, text: str) -> None:
    """What a browser does: first the submit event, then the changed value, if it changed."""
    box._field._handle_custom_msg({"event": "submit"}, None)
    box._field.set_state({"value": text})


@pytest.fixture
def server():
    with ChatServer() as server:
        yield server


def test_ask_is_answered_before_the_box_is_shown(server):
    box = chat_box(server.endpoint(), ask="Well?")
    bundle = box._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "The answer." in bundle["text/html"] and "run the cell to chat" in bundle["text/html"]
    assert "tiny: The answer." in bundle["text/plain"] == str(box)
    assert box.messages[1]["content"] == "The answer."


def test_ask_raises_what_went_wrong_so_that_the_cell_fails():
    with ChatServer(dies=True) as server, pytest.raises(EngineDied):
        chat_box(server.endpoint(), ask="Well?")


def test_without_ask_nothing_is_sent(server):
    box = chat_box(server.endpoint())
    assert box._repr_mimebundle_()["text/html"] and server.requests == [] and box.messages == []


def test_enter_sends_the_text_that_comes_behind_it(server):
    box = chat_box(server.endpoint())
    press_enter(box, "One?")
    until(lambda: len(box.messages) == 2 and not box.conversation.writing)
    assert box.messages[0]["content"] == "One?" and box._field.value == ""
    assert "tokens/s" in box._shown[box.conversation.turns[0]].value
    time.sleep(2 * ENTER_S)
    assert len(server.requests) == 1, "Enter and the changed text are one message"
    box._field.set_state({"value": "Two?"})  # left with Tab this time
    time.sleep(2 * ENTER_S)
    assert len(server.requests) == 1, "an Enter counts once"


def test_enter_on_an_unchanged_text_sends_it_once(server):
    box = chat_box(server.endpoint())
    box._field.set_state({"value": "One?"})  # typed, then left with Tab: nothing is sent
    time.sleep(2 * ENTER_S)
    assert server.requests == []
    box._field._handle_custom_msg({"event": "submit"}, None)
    until(lambda: len(server.requests) == 1)


def test_while_it_writes_a_message_is_kept_and_stop_works(server):
    server.gate.clear()
    box = chat_box(server.endpoint())
    press_enter(box, "One?")
    until(lambda: box.conversation.turns and box.conversation.turns[0].answer)
    assert not box._stop.disabled
    press_enter(box, "Two?")
    assert box._field.value == "Two?" and "Still writing" in box._status.value
    box._stop.click()
    assert box._stop.disabled and "stopped after" in box._shown[box.conversation.turns[0]].value
    box._send.click()
    server.gate.set()
    until(lambda: len(box.messages) == 4 and not box.conversation.writing)


def test_new_forgets_even_while_it_writes(server):
    server.gate.clear()
    box = chat_box(server.endpoint())
    press_enter(box, "One?")
    until(lambda: box._log.children)
    (forgotten,) = box.conversation.turns
    box._new.click()
    server.gate.set()
    box._changed(forgotten)  # its thread may be a step behind
    assert box.messages == [] and box._log.children == () and box._stop.disabled
    press_enter(box, "Two?")
    until(lambda: len(box.messages) == 2 and not box.conversation.writing)
    assert len(box._log.children) == 1


def test_an_error_stands_in_the_box_with_its_three_lines():
    with ChatServer(dies=True) as server:
        box = chat_box(server.endpoint())
        press_enter(box, "One?")
        until(lambda: box.conversation.turns and box.conversation.turns[0].state == "failed" and box._stop.disabled)
        (shown,) = box._log.children
        assert 'role="alert"' in shown.value and "Likely why:" in shown.value and "Try: labkit doctor" in shown.value


def test_everything_that_people_or_models_wrote_is_escaped(server):
    html = turn_html(Turn(EVIL, EVIL, "failed", error=ValueError(EVIL)), EVIL)
    assert "<script" not in html and html.count("&lt;script&gt;alert(&#x27;&amp;&#x27;)") == 4
    endpoint = server.endpoint()
    endpoint.model = endpoint.engine_version = EVIL
    assert "<script" not in title_html(endpoint, EVIL)


def test_the_label_of_answers_that_are_not_live(server):
    box = chat_box(server.endpoint(), label="replayed")
    assert '<span class="labkit-label">replayed</span>' in box.html and "(replayed)" in box.text
    assert '"labkit-label"' not in chat_box(server.endpoint()).html.rpartition("</style>")[2]
