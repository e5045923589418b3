"""The recordings that the course ships: made by running a lesson live, and held against live engines.

    record(["07"], backend="vllm")     # run the lesson, keep what its engines answered, if the lesson was green
    for found in check(): print(found) # is each still true?

Explained in CONTRIBUTING.md, section "Recordings".
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from labkit import course
from labkit.backends import available, connect, known_backend, recording, replay, staleness
from labkit.errors import CourseError
from labkit.progress import Progress, silent

__all__ = ["Checked", "Recorded", "check", "check_file", "record", "shipped"]


@dataclass(frozen=True)
class Recorded:
    """One lesson that was run to be recorded: whether it was green, why not, and the files that were replaced."""

    lesson: str
    ok: bool
    problems: list[str]
    files: list[Path]

    def to_dict(self) -> dict:
        """Return it as JSON can hold it."""
        return {**asdict(self), "files": [str(path) for path in self.files]}


@dataclass(frozen=True)
class Checked:
    """One recording held against its engine. state: "true", "stale" (`findings` say why) or "engine missing"."""

    engine: str
    lesson: str
    state: str
    findings: list[str]
    fix: str

    def to_dict(self) -> dict:
        """Return it as JSON can hold it."""
        return asdict(self)


def shipped() -> list[Path]:
    """Return the files of the course's recordings, by engine and lesson."""
    return sorted(replay.folder().glob("*/*.jsonl"))


def record(
    lessons: Iterable[str], *, backend: str = "", on_progress: Callable[[course.Progress], None] | None = None
) -> Iterator[Recorded]:
    """Run each lesson in a fresh kernel and put what its live engines answered into the course's recordings.

    A lesson that is red replaces nothing. backend: keep the recording of this engine only, and demand that it is live; else of
    every engine that is here. Raises UnknownLesson, UnknownBackend, and CourseError for a lesson that recorded nothing.
    """
    if backend:
        known_backend(backend)
    for lesson in lessons:
        with tempfile.TemporaryDirectory(prefix="labkit-record-") as folder, _recording_into(folder, backend):
            [result] = course.run([lesson], on_progress=on_progress)
            problems = [str(problem) for problem in result.problems]
            files = _keep(Path(folder), backend, result.lesson) if result.ok else []
        yield Recorded(result.lesson, result.ok, problems, files)


def check(lessons: Iterable[str] = (), *, backend: str = "", progress: Progress = silent) -> Iterator[Checked]:
    """Hold each shipped recording against its engine, if that is here. Starts the engines, one after the other.

    progress counts recordings. Raises UnknownLesson, UnknownBackend.
    """
    wanted, engines = {course.lesson_by_id(one).id for one in lessons}, {known_backend(backend)} if backend else set()
    files = [path for path in shipped() if _in(path.parent.name, engines) and _in(path.stem, wanted)]
    for at, path in enumerate(files):
        progress(f"{path.parent.name} {path.stem}", at, len(files))
        yield check_file(path)


def _in(name: str, wanted: set[str]) -> bool:
    return not wanted or name in wanted


def check_file(path: Path) -> Checked:
    """Hold one recording against its engine. Raises CourseError when it is damaged, EngineError when the engine fails."""
    engine, lesson = path.parent.name, path.stem
    fix = f"labkit record {lesson} --backend {engine}"
    recorded, here = recording.load(path), available().get(engine)
    if not here:
        return Checked(engine, lesson, "engine missing", [], here.fix if here is not None else "labkit doctor")
    findings = staleness.compare(recorded, lambda model, **settings: connect(engine, model, **settings))
    return Checked(engine, lesson, "stale" if findings else "true", findings, fix)


@contextlib.contextmanager
def _recording_into(folder: str, backend: str) -> Iterator[None]:
    """Set the environment in which a lesson's kernel records."""
    needed = [name for name in (os.environ.get("LABKIT_REQUIRE"), backend) if name]
    changed = {"LABKIT_RECORD": folder, "LABKIT_REPLAY": "", "LABKIT_REQUIRE": ",".join(needed)}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _keep(folder: Path, backend: str, lesson: str) -> list[Path]:
    drafts = sorted(folder.glob(f"{backend or '*'}/*.jsonl"))
    if not drafts:
        why = "it connects to no engine with replay=True, or none of its engines is here"
        raise CourseError(f"Lesson {lesson} recorded nothing{f' of {backend}' * bool(backend)}.", why, "labkit doctor")
    for draft in drafts:
        recording.load(draft)  # what replay could not read is not kept
        recording.tidy(draft)
    return [_placed(draft, replay.folder() / draft.parent.name / draft.name) for draft in drafts]


def _placed(draft: Path, dest: Path) -> Path:
    from labkit import disk

    dest.parent.mkdir(parents=True, exist_ok=True)
    with disk.errors(dest), disk.placed(dest) as file:
        file.write(draft.read_bytes())
    return dest
