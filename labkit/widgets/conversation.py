"""A conversation with an endpoint, without a front end: who said what, what is sent, and an answer that can be stopped.

    talk = Conversation(endpoint)
    talk.ask("What is the capital of France?").answer     # waits for the whole answer
    talk.start("And of Italy?"), talk.stop()              # writes in a thread, until told to stop
    talk.messages                                         # what was said, as the OpenAI chat API wants it

The server keeps nothing: each question takes the history with it, as much of it as fits the context window.

Taught in notebook 00, section "Take away".
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from labkit.backends import Endpoint, Reply
from labkit.errors import ContextTooLong, LabkitError

__all__ = ["Conversation", "Turn", "figures", "fitting"]

# An estimate on the safe side for English and code; where it is wrong, the engine says so and more is left out.
CHARACTERS_A_TOKEN, TOKENS_A_MESSAGE = 3, 8


@dataclass(eq=False)
class Turn:
    """One question and its answer.

    `state`: "writing", "done", "stopped" (by the learner) or "failed" (`error` says why). `reply` has the engine's counts
    when the answer came to its end. `left_out` counts earlier questions that no longer fitted the context window. `replayed` is
    the endpoint's label when it answers from a recording, else "".
    """

    question: str
    answer: str = ""
    state: str = "writing"
    reply: Reply | None = None
    error: BaseException | None = None
    left_out: int = 0
    pieces: int = 0
    replayed: str = ""


class Conversation:
    """Turns with one endpoint, one answer at a time.

    system: a standing instruction, sent first each time. context: tokens that prompt and answer share; max_tokens: of
    these, how many an answer may take. `on_change(turn)` is called, in the thread that writes, whenever a turn changes.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        system: str = "",
        context: int = 2048,
        max_tokens: int = 256,
        on_change: Callable[[Turn], object] = lambda turn: None,
    ):
        self.endpoint, self.system, self.on_change = endpoint, system, on_change
        self.context, self.max_tokens = context, max_tokens
        self.turns: list[Turn] = []
        self._lock = threading.Lock()  # a front end may call from another thread than the cell

    @property
    def writing(self) -> bool:
        """Whether an answer is being written now."""
        return bool(self.turns) and self.turns[-1].state == "writing"

    @property
    def messages(self) -> list[dict]:
        """Everything that was said, as messages. A question that got no answer at all is not in it."""
        said = [{"role": "system", "content": self.system}] if self.system else []
        for turn in list(self.turns):
            if turn.answer:
                said += [{"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.answer}]
        return said

    def ask(self, question: str) -> Turn:
        """Return the answered turn. A LabkitError is kept in `turn.error`; RuntimeError if an answer is being written."""
        turn = self._open(question)
        self._write(turn)
        return turn

    def start(self, question: str) -> Turn:
        """Return the turn at once; a thread writes its answer. RuntimeError if an answer is being written."""
        turn = self._open(question)
        threading.Thread(target=self._write, args=(turn,), name="labkit chat", daemon=True).start()
        return turn

    def stop(self) -> None:
        """Stop the answer that is being written, if any. What came stays; the engine ends with the next piece."""
        if self.writing:
            self._end(self.turns[-1], "stopped")

    def clear(self) -> None:
        """Stop, and begin anew."""
        self.stop()
        with self._lock:
            self.turns = []

    def transcript(self) -> str:
        """Return the conversation as plain text, with the figures of each answer."""
        return "\n\n".join(turn_text(turn, self.endpoint.model) for turn in list(self.turns))

    def _open(self, question: str) -> Turn:
        with self._lock:
            if self.writing:
                raise RuntimeError("an answer is being written; stop() it first")
            self.turns = [*self.turns, turn := Turn(question, replayed=self.endpoint.replayed)]
        return turn

    def _write(self, turn: Turn) -> None:
        self.on_change(turn)
        try:
            for piece in self._pieces(turn):
                turn.answer, turn.pieces = turn.answer + piece, turn.pieces + 1
                self.on_change(turn)
        except LabkitError as error:
            self._end(turn, "failed", error)
        except BaseException as error:  # not one of ours: shown like them, and as loud as ever
            self._end(turn, "failed", error)
            raise
        else:
            self._end(turn, "done")

    def _pieces(self, turn: Turn) -> Iterator[str]:
        stream = self._stream(turn)
        try:
            for piece in stream:
                if turn.state != "writing":
                    return
                yield piece
            turn.reply = stream.reply
        finally:
            stream.close()  # drops the connection: the engine has nobody to write for, and stops

    def _stream(self, turn: Turn):
        """Ask with the history that fits; when the engine counts more tokens than we did, with less and less of it."""
        said = [*self.messages, {"role": "user", "content": turn.question}]
        sent = fitting(said, self.context - self.max_tokens)
        while True:
            turn.left_out = (len(said) - len(sent)) // 2
            try:
                return self.endpoint.stream(sent, max_tokens=self.max_tokens)
            except ContextTooLong:
                shorter = _without_oldest(sent)
                if shorter == sent:
                    raise
                sent = shorter

    def _end(self, turn: Turn, state: str, error: BaseException | None = None) -> None:
        with self._lock:
            if turn.state != "writing":  # stopped meanwhile: that was the end
                return
            turn.error, turn.state = error, state
        self.on_change(turn)


def fitting(messages: list[dict], tokens: int) -> list[dict]:
    """Return `messages` without the oldest questions and answers, so that they take about `tokens` tokens.

    A system message and the last message always stay. Counts are estimated from the length of the text.
    """
    while sum(map(_estimate, messages)) > tokens:
        shorter = _without_oldest(messages)
        if shorter == messages:
            break
        messages = shorter
    return messages


def figures(turn: Turn) -> str:
    """Return what to say under an answer: tokens, tokens a second, time to the first token, and how it ended."""
    notes = []
    if turn.state == "writing":
        notes.append("writing …" if turn.answer else "reading …")
    if turn.state == "stopped":
        notes.append(f"stopped after {turn.pieces} pieces")
    if reply := turn.reply:
        notes += [f"{reply.completion_tokens} tokens", f"{reply.tokens_per_second:.1f} tokens/s"]
        if reply.first_token_seconds is not None:
            notes.append(f"first token after {reply.first_token_seconds:.2f} s")
        if reply.finish_reason == "length":
            notes.append("cut off at the longest answer allowed")
    if turn.left_out:
        notes.append(f"without the oldest {turn.left_out} of the questions before: the context window is full")
    if turn.replayed:
        notes.append(turn.replayed)
    return " · ".join(notes)


def turn_text(turn: Turn, model: str) -> str:
    """Return one turn as plain text; `model` is the name of who answers."""
    lines = [f"You: {turn.question}", f"{model}: {turn.answer}" if turn.answer else "", str(turn.error or "")]
    return "\n".join([line for line in lines if line] + [f"[{note}]" for note in [figures(turn)] if note])


def _estimate(message: dict) -> float:
    return len(message["content"]) / CHARACTERS_A_TOKEN + TOKENS_A_MESSAGE


def _without_oldest(messages: list[dict]) -> list[dict]:
    """Leave out the first question and its answer, never the system message nor the last question."""
    head = messages[:1] if messages[0]["role"] == "system" else []
    rest = messages[len(head) :]
    return [*head, *rest[2:]] if len(rest) > 2 else messages
