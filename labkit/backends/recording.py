"""Real traffic kept in a file, so that a learner without the engine sees what it answered: the file's format.

One JSON object a line. The first is the stamp: engine, version, machine, date, labkit, lesson. Each other holds what was asked
of one model, in canonical form, and what came:

    {"recording": {"engine": "vllm", "version": "0.32.0", …}}
    {"model": "smollm2-135m", "ask": {"path": …, "body": …, …}, "answer": {"status": 200, "pieces": [[0.31, "data: …"], …], …}}
    {"model": "smollm2-135m", "ask": {"observe": "start time"}, "answer": {"value": 3.1}}

recorder.py writes it, replay.py answers from it.

Explained in CONTRIBUTING.md, section "Recordings".
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from labkit import paths
from labkit.errors import CourseError

__all__ = ["Recording", "Stamp", "canonical_request", "file_for", "in_pieces", "key", "line", "load", "tidy"]

# Where a streamed answer is cut, by content type; any other answer is one piece.
ENDS = {"text/event-stream": re.compile(rb"\r?\n\r?\n"), "application/x-ndjson": re.compile(rb"\n")}
# Random or counted from the clock: of no use to a reader, and different in every recording.
VOLATILE = (
    (re.compile(r'("id": ?"(?:chatcmpl|cmpl)-)[^"]*"'), r'\1recorded"'),
    (re.compile(r'("created": ?)\d+'), r"\g<1>0"),
)
PORT = re.compile(r"((?:127\.0\.0\.1|localhost|\[::1\])):\d+")


@dataclass(frozen=True)
class Stamp:
    """Where a recording comes from. machine: in words; date: ISO; lesson: its id, or "session"."""

    engine: str
    version: str
    machine: str
    date: str
    labkit: str
    lesson: str

    def __str__(self) -> str:
        return f"replayed: recorded on {self.date} with {self.engine} {self.version} on {self.machine}"


@dataclass
class Recording:
    """One file: its stamp, and for each `key` the answers in the order in which they came."""

    stamp: Stamp
    answers: dict[str, list[dict]] = field(default_factory=dict)

    def models(self) -> list[str]:
        """Return the models (as in data/models.toml) that were asked."""
        return sorted({model for model, _, _ in self.entries()})

    def settings(self, model: str) -> list[dict]:
        """Return how `model` was started, each way once: {"context": …, "parallel": …}."""
        about = self.answers.get(key(model, {"endpoint": True}), [])
        ways = [one["value"].get("settings", {}) for one in about]
        return [way for i, way in enumerate(ways) if way not in ways[:i]] or [{}]

    def entries(self) -> Iterator[tuple[str, dict, list[dict]]]:
        """Yield (model, what was asked, its answers)."""
        for text, answers in self.answers.items():
            asked = json.loads(text)
            yield asked["model"], asked["ask"], answers


def file_for(folder: str | Path, engine: str) -> Path:
    """Return the file of `engine` and of the lesson that is open (LABKIT_LESSON, which `labkit.lesson` sets)."""
    return Path(folder) / engine / f"{os.environ.get('LABKIT_LESSON', 'session')}.jsonl"


def load(path: Path) -> Recording:
    """Read a recording. Raises CourseError, which names the line, when it is damaged."""
    number, (stamp, *lines) = 1, path.read_text(encoding="utf-8").splitlines() or [""]
    try:
        recording = Recording(Stamp(**json.loads(stamp)["recording"]))
        for text in lines:
            number += 1
            entry = json.loads(text)
            recording.answers.setdefault(key(entry["model"], entry["ask"]), []).append(dict(entry["answer"]))
    except (ValueError, TypeError, KeyError) as error:
        raise CourseError(
            f"The recording {path} is damaged at line {number}.",
            f"it was edited, or cut off while it was written ({error!r})",
            "git checkout -- data/recordings",
        ) from None
    return recording


def key(model: str, ask: dict) -> str:
    """Return what an answer is found by: the same text for the same question to the same model."""
    return _dumps({"model": model, "ask": ask})


def line(entry: dict) -> str:
    """Return an entry as a line of the file, without the folders of this user and the ports of this run.

    What was asked is sorted, to be found again; what came keeps its order, for a table's columns stand in it.
    """
    asked = {"ask": json.loads(_dumps(entry["ask"]))} if "ask" in entry else {}
    return _without_places(json.dumps(entry | asked, ensure_ascii=False)) + "\n"


def canonical_request(method: str, path: str, body: bytes, model_name: str) -> dict:
    """Return an HTTP request as it is compared: JSON as a value, the endpoint's own model name as "<model>", places left out.

    A body that is no JSON stands as its sha256.
    """
    try:
        content = json.loads(_without_places(body.decode())) if body else None
    except ValueError:
        content = {"sha256": hashlib.sha256(body).hexdigest()}
    if isinstance(content, dict):
        for name in ("model", "name"):  # Ollama's own routes say "name" as well
            if name in content and content[name] == _without_places(model_name):
                content[name] = "<model>"
    return {"method": method, "path": path, "body": content}


def in_pieces(pieces: list[tuple[float, bytes]], content_type: str) -> list[list]:
    """Return an answer as [seconds, text] pieces: an event or a line each where it was streamed, however the network cut it."""
    end, rest, done = ENDS.get(content_type.partition(";")[0].strip()), b"", []
    for seconds, data in pieces:
        rest += data
        while end and (found := end.search(rest)):
            done.append((seconds, rest[: found.end()]))
            rest = rest[found.end() :]
    if rest:
        done.append((pieces[-1][0], rest))
    return [[round(seconds, 4), _steady(data.decode("utf-8", "replace"))] for seconds, data in done]


def tidy(path: Path) -> None:
    """Sort a recording: requests sent at once come in any order, and two recordings should differ only in their answers."""
    stamp, *entries = path.read_text(encoding="utf-8").splitlines(keepends=True)
    entries.sort(key=lambda text: key(*(json.loads(text)[name] for name in ("model", "ask"))))
    path.write_text("".join([stamp, *entries]), encoding="utf-8")


def _steady(text: str) -> str:
    for pattern, steady in VOLATILE:
        text = pattern.sub(steady, text)
    return text


def _without_places(text: str) -> str:
    for place, name in ((paths.home(), "<labkit>"), (Path.home(), "<home>")):
        for spelt in (str(place), json.dumps(str(place))[1:-1]):
            text = text.replace(spelt, name)
    return PORT.sub(r"\1:<port>", text)


def _dumps(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
