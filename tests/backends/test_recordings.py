"""Recordings go stale loudly: each shipped one is asked again of its live engine; and what is stale is noticed."""

import json

import nbformat
import pytest
from scripted_engine import Scripted, bridged
from typer.testing import CliRunner

import labkit
from labkit import backends, recordings
from labkit.backends import capabilities, recording, staleness
from labkit.backends.capabilities import Capabilities
from labkit.backends.recorder import record
from labkit.cli import app
from labkit.errors import CourseError

MODEL = "smollm2-135m"


@pytest.mark.parametrize("path", recordings.shipped(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_shipped_recording_is_still_true(path, require):
    here = backends.available()[path.parent.name]
    require(path.parent.name, here, here.fix)
    found = recordings.check_file(path)
    assert found.state == "true", "\n".join([*found.findings, f"Renew it: {found.fix}"])


@pytest.mark.parametrize("path", recordings.shipped(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_shipped_recording_is_in_order(path, tmp_path):
    found, copy = recording.load(path), tmp_path / "copy.jsonl"
    assert (found.stamp.engine, found.stamp.lesson) == (path.parent.name, path.stem) and found.models()
    copy.write_bytes(path.read_bytes())
    recording.tidy(copy)
    assert copy.read_bytes() == path.read_bytes(), "written by hand? labkit record writes it in order"


# -- what is noticed ----------------------------------------------------------------------------------------------------


@pytest.fixture
def compared(monkeypatch, tmp_path):
    """Give `compared(then, now, session, …)`: what has changed between two scripted engines, by a recording of the first."""
    monkeypatch.setenv("LABKIT_LESSON", "07")
    known = Capabilities("scripted", "1", "m", "2026-11-22", {})
    monkeypatch.setattr(capabilities, "load_or_probe", lambda endpoint: known)

    def compare(then, now, session=lambda endpoint: endpoint.chat("Where?"), version="1", machine=None):
        with bridged(then) as endpoint:
            endpoint.engine_version = "1"
            record(endpoint, MODEL, tmp_path)
            session(endpoint)
        found = recording.load(tmp_path / "scripted" / "07.jsonl")
        if machine:
            found.stamp = recording.Stamp(**{**vars(found.stamp), "machine": machine})

        def connect(model, **settings):
            assert model == MODEL
            at.engine_version = version
            return at

        with bridged(now) as at:
            return staleness.compare(found, connect)

    return compare


def test_the_same_engine_is_true(compared):
    def session(endpoint):
        endpoint.chat("Where?")
        list(endpoint.stream("Where?"))
        endpoint.client().models.list()
        endpoint.observe("memory", lambda: 1)
        with pytest.raises(labkit.LabkitError):
            endpoint.chat("one two " * 40)

    assert compared(Scripted(), Scripted(), session) == []


def test_another_version(compared):
    assert compared(Scripted(), Scripted(), version="2") == ["recorded with scripted 1, here is 2"]


@pytest.mark.parametrize("session", [lambda e: e.chat("Where?"), lambda e: list(e.stream("Where?"))])
def test_another_greedy_text(compared, session):
    [finding] = compared(Scripted(), Scripted(["Par", "is", "!"]), session)
    assert "'Where?': 'Paris.' then, 'Paris!' now" in finding


def test_another_machine_may_drift_but_not_from_the_start(compared):
    long = ["The capital ", "of France ", "is Paris."]
    drifted = [*long[:2], "was Paris."]
    assert compared(Scripted(long), Scripted(drifted), machine="another") == []
    assert len(compared(Scripted(long), Scripted(drifted))) == 1


def test_another_machine_with_another_beginning(compared):
    [finding] = compared(Scripted(["The capital ", "is"]), Scripted(["A capital ", "is"]), machine="another")
    assert "'The capital is' then, 'A capital is' now" in finding


def test_a_sampled_text_may_differ(compared):
    assert compared(Scripted(), Scripted(["Rome"]), lambda endpoint: endpoint.chat("Where?", temperature=1.0)) == []


def test_another_status(compared):
    [finding] = compared(Scripted(), Scripted(context=1))
    assert "status 200 then, 400 now" in finding


def test_a_prompt_of_another_length(compared):
    class Longer(Scripted):
        def begin(self, ask):
            turn = super().begin(ask)
            turn.prompt_tokens += 5
            return turn

    [finding] = compared(Scripted(), Longer())
    assert "the prompt had 1 tokens then, 6 now" in finding


def test_an_answer_that_is_built_differently():
    def answer(value):
        return {"status": 200, "type": "application/json", "pieces": [[0, json.dumps(value)]]}

    ask = {"method": "GET", "path": "/v1/models", "body": None}
    then, same = answer({"data": [{"id": "a", "n": 1}]}), answer({"data": [{"id": "b", "n": 7}, {"id": "c", "n": 0}]})
    assert staleness._difference(ask, then, same, True) == ""
    found = staleness._difference(ask, then, answer({"data": [{"id": "a", "size": 1}]}), True)
    assert found == "the answer is built differently: data[].n, data[].size"


def test_what_changes_the_engine_is_not_asked_again():
    for path in ("/api/delete", "/api/pull", "/api/create"):
        assert not staleness._askable({"method": "POST", "path": path, "body": {}})
    made = {"method": "POST", "path": "/v1/chat/completions", "body": {"model": "lesson-06/short"}}
    assert not staleness._askable(made), "a model that the lesson made is not there again"
    assert staleness._askable({**made, "body": {"model": "<model>"}})
    assert not staleness._askable({"method": "DELETE", "path": "/v1/models/m", "body": None})


# -- labkit record ------------------------------------------------------------------------------------------------------


def notebook(path, *cells):
    cells = ["import labkit\n_ = labkit.lesson('00', '0.1')", *cells]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    made.metadata["labkit"] = {"allowed_warnings": ["EngineWarning"]}  # other tests' engines may run beside it
    nbformat.write(made, path)
    return str(path)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_RECORDINGS", str(tmp_path / "recordings"))
    return tmp_path / "recordings"


@pytest.fixture
def engine_here(require):
    here = backends.available()["llamacpp"]
    require("llamacpp", here, here.fix)


CONNECT = "endpoint = labkit.connect('llamacpp', replay=True, context=256, parallel=1)"
CHAT = "assert endpoint.chat('What is the capital of France?', max_tokens=8).text"


def test_a_green_lesson_is_recorded_true_and_replayed(engine_here, folder, tmp_path, monkeypatch):
    lesson = notebook(tmp_path / "l.ipynb", CONNECT, CHAT, "assert endpoint.observe('n', lambda: 1) == 1")
    done = CliRunner().invoke(app, ["record", lesson, "--backend", "llamacpp", "--json"])
    assert done.exit_code == 0, done.output
    [row] = json.loads(done.stdout)
    assert row["files"] == [str(folder / "llamacpp" / "00.jsonl")]
    checked = CliRunner().invoke(app, ["record", "--check", "--json"])
    assert checked.exit_code == 0 and [one["state"] for one in json.loads(checked.stdout)] == ["true"]
    monkeypatch.setenv("LABKIT_REPLAY", "llamacpp")
    monkeypatch.delenv("LABKIT_REQUIRE", raising=False)  # CI demands live engines; this is about the others
    replayed = CliRunner().invoke(app, ["run", lesson, "--json"])
    assert replayed.exit_code == 0, replayed.output
    output = nbformat.read(json.loads(replayed.stdout)[0]["output"], 4)
    assert "[replayed: recorded on 2" in str(output.cells[2].outputs)


def test_a_stale_recording_is_red(engine_here, folder, tmp_path):
    lesson = notebook(tmp_path / "l.ipynb", CONNECT, CHAT)
    assert CliRunner().invoke(app, ["record", lesson]).exit_code == 0
    file = folder / "llamacpp" / "00.jsonl"
    file.write_text(file.read_text().replace("Paris", "Lyon"))
    done = CliRunner().invoke(app, ["record", "--check"])
    assert done.exit_code == 1
    assert "stale" in done.stdout and "Lyon" in done.stdout and "labkit record 00 --backend llamacpp" in done.stdout


def test_a_red_lesson_replaces_nothing(engine_here, folder, tmp_path):
    (folder / "llamacpp").mkdir(parents=True)
    (folder / "llamacpp" / "00.jsonl").write_text("as it was")
    lesson = notebook(tmp_path / "l.ipynb", CONNECT, CHAT, "assert False, 'red'")
    done = CliRunner().invoke(app, ["record", lesson])
    assert done.exit_code == 1 and "nothing was replaced" in done.stdout
    assert (folder / "llamacpp" / "00.jsonl").read_text() == "as it was"
    assert [path.name for path in folder.rglob("*")] == ["llamacpp", "00.jsonl"]


def test_a_lesson_that_connects_to_nothing_says_so(folder, tmp_path):
    done = CliRunner().invoke(app, ["record", notebook(tmp_path / "l.ipynb", "1 + 1")])
    assert isinstance(done.exception, CourseError) and "recorded nothing" in str(done.exception)


def test_an_engine_that_is_demanded_and_missing_makes_it_red(folder, tmp_path):
    absent = next((name for name, here in backends.available().items() if not here), None)
    if absent is None:
        pytest.skip("every engine is here")
    lesson = notebook(tmp_path / "l.ipynb", f"labkit.connect('{absent}', replay=True)")
    done = CliRunner().invoke(app, ["record", lesson, "--backend", absent])
    assert done.exit_code == 1 and "EngineMissing" in done.stdout


def test_check_says_when_the_engine_is_missing(folder):
    absent = next((name for name, here in backends.available().items() if not here), None)
    if absent is None:
        pytest.skip("every engine is here")
    stamp = recording.Stamp(absent, "1", "here", "2026-11-22", "0.1.0", "07")
    (folder / absent).mkdir(parents=True)
    (folder / absent / "07.jsonl").write_text(recording.line({"recording": vars(stamp)}))
    [found] = recordings.check()
    assert (found.state, found.fix) == ("engine missing", backends.available()[absent].fix)


def test_record_wants_a_lesson_or_check():
    done = CliRunner().invoke(app, ["record"])
    assert done.exit_code != 0 and "--check" in done.output
