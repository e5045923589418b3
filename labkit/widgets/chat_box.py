"""The chat box: type, Enter, and watch the model write, with its speed under each answer.

    box = chat_box(endpoint)
    box.messages, print(box.transcript())
    chat_box(endpoint, ask="Say hello.")       # asks once before it is shown: a saved page then shows an answer too

Keyboard: Tab reaches the message, Send, Stop and New in that order; Enter in the message sends it. What is said and sent
is `conversation.py`; this is the view. Taught in notebook 00, section "Take away".
"""

from __future__ import annotations

import threading
import time

from labkit.backends import Endpoint
from labkit.widgets.conversation import Conversation, Turn, figures
from labkit.widgets.look import Card, escape, page, saved_note

__all__ = ["ChatBox", "chat_box"]

SHOW_S = 0.05  # twenty pictures a second are as many as a reader sees
ENTER_S = 0.2  # the browser sends Enter first and the text with it; this long we wait for a text that did not change


def chat_box(
    endpoint: Endpoint,
    *,
    ask: str | None = None,
    system: str = "",
    context: int = 2048,
    max_tokens: int = 256,
    label: str = "",
) -> ChatBox:
    """Return a chat box on `endpoint`.

    ask: one question to ask now, before the box is shown. system: a standing instruction. context and max_tokens: tokens
    that prompt and answer share, and of these the longest answer. label: what kind of answers these are, if not live.
    Raises what asking raises, when `ask` is given. Taught in notebook 00, section "Take away".
    """
    box = ChatBox(Conversation(endpoint, system=system, context=context, max_tokens=max_tokens), label)
    if ask is not None and (error := box.conversation.ask(ask).error):
        raise error
    return box


class ChatBox(Card):
    """The view of a Conversation. `messages` is what was said, `transcript()` the same as text with figures."""

    def __init__(self, conversation: Conversation, label: str = ""):
        self.conversation, self.label = conversation, label
        self._shown: dict[Turn, object] = {}  # turn -> its HTML widget
        self._last_shown, self._lock, self._enter = 0.0, threading.RLock(), None
        self.view = self._build()
        conversation.on_change = self._changed

    @property
    def messages(self) -> list[dict]:
        """Everything that was said, as the OpenAI chat API wants it."""
        return self.conversation.messages

    def transcript(self) -> str:
        """Return the conversation as plain text, with the figures of each answer."""
        return self.conversation.transcript()

    @property
    def text(self) -> str:
        """The same, and what this is."""
        return f"Chat with {_who(self.conversation.endpoint, self.label)}\n\n{self.transcript()}".rstrip()

    @property
    def html(self) -> str:
        """The conversation as a page that stands alone."""
        endpoint = self.conversation.endpoint
        turns = "".join(turn_html(turn, endpoint.model) for turn in self.conversation.turns)
        return page(title_html(endpoint, self.label) + turns + saved_note("to chat"))

    def send(self) -> None:
        """Send what stands in the message field, as Enter does; not while an answer is being written."""
        with self._lock:
            self._cancel_enter()
            question = self._field.value.strip()
            if not question:
                return
            if self.conversation.writing:
                self._say("Still writing. Stop it first, or wait; your message is kept.")
                return
            self._field.value = ""
            self.conversation.start(question)

    def stop(self) -> None:
        """Stop the answer that is being written."""
        self.conversation.stop()
        self._field.focus()  # a disabled button loses the keyboard's place

    def clear(self) -> None:
        """Forget the conversation and begin anew."""
        with self._lock:
            self.conversation.clear()
            self._shown, self._log.children = {}, ()
            self._say("A new conversation.")
        self._field.focus()

    # -- the view --

    def _build(self):
        import ipywidgets

        head = ipywidgets.HTML(page(title_html(self.conversation.endpoint, self.label)))
        self._log = ipywidgets.VBox(layout={"flex": "0 0 auto"})
        # Reversed, a box keeps to its end while it grows; its one child stays in reading order.
        scroll = {"max_height": "420px", "overflow": "hidden auto", "flex_flow": "column-reverse", "max_width": "860px"}
        self._status = ipywidgets.HTML(_status_html(""))
        rows = [head, ipywidgets.VBox([self._log], layout=scroll), self._controls(ipywidgets), self._status]
        return ipywidgets.VBox(rows)

    def _controls(self, ipywidgets):
        self._field = ipywidgets.Text(
            description="Message",
            placeholder="Type, then press Enter",
            continuous_update=False,
            style={"description_width": "initial"},
            layout={"flex": "1 1 180px", "width": "auto", "min_width": "180px"},
        )
        self._field.on_msg(self._pressed)
        self._field.observe(self._typed, "value")
        small = {"width": "auto"}
        self._send = ipywidgets.Button(description="Send", button_style="primary", layout=small)
        self._stop = ipywidgets.Button(description="Stop", tooltip="Stop the answer", disabled=True, layout=small)
        self._new = ipywidgets.Button(description="New", tooltip="Forget this conversation", layout=small)
        for button, action in ((self._send, self.send), (self._stop, self.stop), (self._new, self.clear)):
            button.on_click(lambda _, action=action: action())
        flow = {"flex_flow": "row wrap", "max_width": "860px"}
        return ipywidgets.HBox([self._field, self._send, self._stop, self._new], layout=flow)

    def _pressed(self, _widget, content: dict, _buffers) -> None:
        """Enter. A changed text comes right behind it and is sent then; an unchanged one after a short wait."""
        if content.get("event") == "submit":
            with self._lock:
                self._cancel_enter()
                self._enter = threading.Timer(ENTER_S, self.send)
                self._enter.daemon = True
                self._enter.start()

    def _typed(self, _change) -> None:
        """The text changed: by Enter, or because the learner went elsewhere, which must send nothing."""
        if self._enter:
            self.send()

    def _cancel_enter(self) -> None:
        if self._enter:
            self._enter.cancel()
            self._enter = None

    def _changed(self, turn: Turn) -> None:
        with self._lock:
            if turn not in self.conversation.turns:  # forgotten meanwhile
                return
            now, writing = time.monotonic(), turn.state == "writing"
            if turn.answer and writing and now - self._last_shown < SHOW_S:
                return
            self._last_shown = now
            self._show(turn)
            self._stop.disabled = not writing
            self._say(
                "" if writing else f"{self.conversation.endpoint.model}: {turn.answer} {figures(turn)}", heard=True
            )

    def _show(self, turn: Turn) -> None:
        body = page(turn_html(turn, self.conversation.endpoint.model), style=False)
        if turn in self._shown:
            self._shown[turn].value = body
            return
        import ipywidgets

        self._shown[turn] = ipywidgets.HTML(body)
        self._log.children = (*self._log.children, self._shown[turn])

    def _say(self, text: str, heard: bool = False) -> None:
        """Say it below the box; with `heard`, to screen readers alone, because others have it before their eyes."""
        self._status.value = _status_html(text, heard)


def title_html(endpoint: Endpoint, label: str = "") -> str:
    """Return the box's first line as HTML, escaped: whom one talks to, and the label of answers that are not live."""
    mark = f' <span class="labkit-label">{escape(label)}</span>' if label else ""
    where = f"{endpoint.backend} {endpoint.engine_version}".strip()
    name = f'Chat with {escape(endpoint.model)} <span class="labkit-quiet">{escape(where)}, on this machine</span>'
    return f'<p class="labkit-title">{name}{mark}</p>'


def turn_html(turn: Turn, model: str) -> str:
    """Return one question and its answer as HTML, escaped; `model` is the name of who answers."""
    failed = f'<div class="labkit-failed" role="alert">{escape(str(turn.error))}</div>' if turn.error else ""
    answer = f'<div class="labkit-text">{escape(turn.answer)}</div>' if turn.answer else ""
    return (
        f'<div class="labkit-turn"><div class="labkit-who">You</div><div class="labkit-text">{escape(turn.question)}</div>'
        f'<div class="labkit-answer"><div class="labkit-who">{escape(model)}</div>{answer}{failed}'
        f'<div class="labkit-quiet">{escape(figures(turn))}</div></div></div>'
    )


def _status_html(text: str, heard: bool = False) -> str:
    kind = "labkit-heard" if heard else "labkit-quiet"
    return page(f'<div class="{kind}" role="status">{escape(text)}</div>', style=False)


def _who(endpoint: Endpoint, label: str) -> str:
    return f"{endpoint.model} on {endpoint.backend}{f' ({label})' if label else ''}"
