"""Every lesson, executed by papermill in a fresh kernel on the real engine, then judged by the false-green gate."""

import pytest

from labkit import backends, course


@pytest.mark.parametrize("lesson", course.lessons(), ids=lambda lesson: lesson.id)
@pytest.mark.timeout(900)
def test_lesson_is_really_green(lesson, require, artifacts):
    here = backends.available()
    for engine in lesson.engines:
        require(engine, here[engine], here[engine].fix)
    (result,) = course.run([lesson.id], html=artifacts / "html", out=artifacts / "executed")
    assert result.ok, "\n".join(map(str, result.problems))
    assert result.peak_bytes <= lesson.memory_gb * 1e9, "more memory than data/lessons.toml says that the lesson takes"
