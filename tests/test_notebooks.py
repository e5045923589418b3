"""Every lesson, executed by papermill in a fresh kernel on the real engine, then judged by the false-green gate."""

import json

import pytest

from labkit import backends, course
from labkit.deploy import ray_check

JUPYTERLAB_GB = 0.15  # its server, which papermill does not need


@pytest.mark.parametrize("lesson", course.lessons(), ids=lambda lesson: lesson.id)
@pytest.mark.timeout(900)
def test_lesson_is_really_green(lesson, require, artifacts):
    here = {**backends.available(), "Ray Serve": ray_check.available()}
    for engine in lesson.engines:
        require(engine, here[engine], here[engine].fix)
    (result,) = course.run([lesson.id], html=artifacts / "html", out=artifacts / "executed")
    (artifacts / f"run-{lesson.id}.json").write_text(json.dumps(result.to_dict(), indent=1), encoding="utf-8")
    assert result.ok, "\n".join(map(str, result.problems))
    promised = max([lesson.memory_gb, *(gb for name, gb in lesson.memory_gb_with if here[name])])
    assert result.peak_bytes / 1e9 <= promised - JUPYTERLAB_GB, "more memory than data/lessons.toml says"
