"""The list of lessons with what is done so far, and one lesson with its exercises and the instructor's notes.

    for row in listing():
        print(row["id"], row["title"], row["right"], "of", row["exercises"])

Explained in README.md, section "The command".
"""

from __future__ import annotations

from dataclasses import asdict

from labkit import course
from labkit.kit.progress import by_lesson
from labkit.kit.syllabus import notes

__all__ = ["about", "about_text", "listing", "listing_text"]


def listing() -> list[dict]:
    """Return one dict a lesson: its row of data/lessons.toml, and how many exercises are right."""
    right = {row.id: row.right for row in by_lesson()}
    return [{**asdict(lesson), "right": right[lesson.id]} for lesson in course.lessons()]


def listing_text(rows: list[dict]) -> str:
    """Return the list for a terminal."""
    lines = [f"{'':2} {'lesson':30} {'level':12} {'min':>3}  {'needs':6} {'engine':10} right"]
    lines += [
        f"{row['id']} {row['title']:30} {row['level']:12} {row['minutes']:>3}  {' '.join(row['needs']):6} "
        f"{' '.join(row['engines']):10} {row['right']} of {row['exercises']}"
        for row in rows
    ]
    hours = sum(row["minutes"] for row in rows) / 60
    exercises = sum(row["exercises"] for row in rows)
    return "\n".join(
        [*lines, "", f"{len(rows)} lessons, {hours:.0f} hours, {exercises} exercises that check themselves."]
    )


def about(lesson: course.Lesson) -> dict:
    """Return a lesson's row with its exercises (id, title, section) and the instructor's notes."""
    from labkit.exercises.banks import rows

    exercises = [{name: one[name] for name in ("id", "title", "section")} for one in rows(lesson.id)]
    return {**asdict(lesson), "exercises": exercises, "notes": asdict(notes(lesson.id))}


def about_text(found: dict) -> str:
    """Return `about` for a terminal."""
    said = found["notes"]
    blocks = [
        ("Exercises", [f"{one['id']} {one['title']} ({one['section']})" for one in found["exercises"]]),
        ("Have ready", said["ready"]),
        ("What goes wrong", said["wrong"]),
        ("What to ask", said["ask"]),
    ]
    head = f"{found['id']} {found['title']}, about {found['minutes']} minutes\n{found['promise']}"
    return "\n\n".join([head, *(_block(title, lines) for title, lines in blocks if lines)])


def _block(title: str, lines: list[str]) -> str:
    return "\n".join([title, *(f"  {line}" for line in lines)])
