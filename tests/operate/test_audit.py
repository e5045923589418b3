"""An audit log keeps one chain, whoever writes it, and every change of it is seen."""

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from labkit import disk
from labkit.errors import AuditBroken, AuditError, ConfigError, NoSpace
from labkit.operate.audit import AuditLog
from labkit.operate.chain import Head, alone, head_file, seal_entry, seal_head, verify

KEY = b"a key that nobody else has"


def written(file: Path, count: int, key: bytes | None = None) -> AuditLog:
    log = AuditLog(file, sync_s=float("inf"), key=key)
    for number in range(count):
        log.append("tool.called", who=f"clerk-{number % 3}", tool="create_ticket", outcome="done")
    return log


def change(rng: random.Random, text: bytes) -> tuple[str, bytes]:
    """Return one change of a log, and its name; the result always differs."""
    lines = text.splitlines(keepends=True)
    kind = rng.choice(["edit", "delete", "swap", "cut", "double", "insert", "tail", "reseal"])
    at = rng.randrange(len(lines))
    if kind == "edit":
        place = rng.randrange(len(text))
        return kind, text[:place] + bytes([text[place] ^ 1 << rng.randrange(8)]) + text[place + 1 :]
    if kind == "cut":
        return kind, text[: rng.randrange(len(text))]
    if kind == "delete":
        del lines[at : at + rng.randint(1, 3)]
    elif kind == "swap":
        other = rng.choice([n for n in range(len(lines)) if n != at])
        lines[at], lines[other] = lines[other], lines[at]
    elif kind == "double":
        lines.insert(at, lines[at])
    elif kind == "insert":
        lines.insert(at, b'{"event":"tool.called"}\n')
    elif kind == "tail":
        del lines[at:]
    else:  # one who knows how the seal is made, but not the key
        entry = json.loads(lines[at])
        del entry["hash"]
        entry["facts"]["who"] = "nobody"
        lines[at] = seal_entry(entry, Head(entry["seq"] - 1, entry["prev"], 0), None)[0]
    return kind, b"".join(lines)


@pytest.mark.parametrize(("key", "count"), [(None, 1000), (KEY, 300)], ids=["plain", "keyed"])
def test_a_thousand_changes_are_all_seen(tmp_path, key, count):
    file, rng, kinds = tmp_path / "audit.jsonl", random.Random(7), set()
    written(file, 20, key)
    good = file.read_bytes()
    assert verify(file, key).ok and verify(file, key).entries == 20
    unseen = []
    for _ in range(count):
        kind, bad = change(rng, good)
        file.write_bytes(bad)
        kinds.add(kind)
        if verify(file, key).ok:
            unseen.append((kind, bad))
    assert unseen == [] and len(kinds) == 8
    file.write_bytes(good)
    assert verify(file, key).ok


def test_a_changed_log_is_not_written_on(tmp_path):
    file = tmp_path / "audit.jsonl"
    log = written(file, 5)
    good = file.read_bytes()
    last = good.splitlines(keepends=True)[-1]
    edited = last.replace(b"clerk", b"clork").replace(b'"hash":"', b'"hash":"0')
    for bad in (good[:-1], good[: -len(last)], good + b"{}\n", good.replace(last, edited)):
        file.write_bytes(bad)
        with pytest.raises(AuditBroken):
            log.append("tool.called")
        assert file.read_bytes() == bad


def test_a_missing_end_is_seen_by_the_head_and_by_an_anchor(tmp_path):
    file = tmp_path / "audit.jsonl"
    written(file, 6)
    anchor, shorter = verify(file).anchor, written(tmp_path / "short.jsonl", 3)
    head_file(file).unlink()
    assert "head" in verify(file).problem
    file.write_bytes(shorter.file.read_bytes())  # one who replaces both files has made a whole new chain
    head_file(file).write_bytes(head_file(shorter.file).read_bytes())
    assert verify(file).ok
    seen = verify(file, anchor=anchor)
    assert not seen.ok and "anchor" in seen.problem
    file.unlink()
    assert not verify(file).ok
    with pytest.raises(ConfigError):
        verify(file, anchor="6:abc")
    with pytest.raises(AuditError, match="no audit log"):
        verify(tmp_path / "other.jsonl")


def test_with_a_key_nobody_else_can_make_the_chain(tmp_path):
    file = tmp_path / "audit.jsonl"
    written(file, 4, KEY)
    assert verify(file, KEY).ok
    assert not verify(file, b"another key, not that one").ok
    assert not verify(file, None).ok
    forged = written(tmp_path / "forged.jsonl", 4)  # a whole chain without the key
    file.write_bytes(forged.file.read_bytes())
    head_file(file).write_bytes(head_file(forged.file).read_bytes())
    assert verify(file, None).ok and not verify(file, KEY).ok


def test_a_head_that_goes_back_needs_the_key(tmp_path):
    file = tmp_path / "audit.jsonl"
    written(file, 6, KEY)
    lines = file.read_bytes().splitlines(keepends=True)
    fourth = json.loads(lines[3])
    file.write_bytes(b"".join(lines[:4]))
    head_file(file).write_bytes(seal_head(Head(4, fourth["hash"], file.stat().st_size), None))
    assert not verify(file, KEY).ok


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "keyed"])
def test_any_change_of_the_head_is_seen(tmp_path, key):
    file, rng = tmp_path / "audit.jsonl", random.Random(11)
    log = written(file, 5, key)
    good = head_file(file).read_bytes()
    for _ in range(100):
        at = rng.randrange(len(good))
        edited = good[:at] + bytes([good[at] ^ 1 << rng.randrange(8)]) + good[at + 1 :]
        for bad in (edited, good[:at]):
            head_file(file).write_bytes(bad)
            assert not verify(file, key).ok
    with pytest.raises(AuditBroken):
        log.append("tool.called")
    head_file(file).write_bytes(good)
    assert verify(file, key).ok


def test_a_line_that_a_crash_cut_short_is_seen_and_set_aside(tmp_path):
    file = tmp_path / "audit.jsonl"
    log = written(file, 3)
    whole = file.read_bytes()
    line, _ = seal_entry({"event": "x"}, log.append("tool.called"), None)
    whole = file.read_bytes()
    file.write_bytes(whole + line[:40])
    report = verify(file)
    assert not report.ok and (report.entries, report.torn_bytes) == (4, 40)
    log.append("tool.called")
    assert verify(file).ok and verify(file).entries == 6
    repaired = json.loads(file.read_bytes().splitlines()[4])
    assert (repaired["event"], repaired["facts"]["bytes"]) == ("audit.repaired", 40)
    assert (tmp_path / repaired["facts"]["kept_as"]).read_bytes() == line[:40]
    assert file.read_bytes().startswith(whole)


def test_an_entry_without_its_head_is_taken_on(tmp_path):
    file = tmp_path / "audit.jsonl"
    log = written(file, 2)
    line, _ = seal_entry({"event": "x", "facts": {}}, log.append("y"), None)
    with file.open("ab") as end:  # as if the process ended between the two writes
        end.write(line)
    assert verify(file).ok
    assert log.append("z").seq == 5 and verify(file).ok


WRITER = """
import sys
from labkit.operate.audit import AuditLog
log = AuditLog(sys.argv[1], sync_s=float("inf"))
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    log.append("tool.called", who=sys.argv[2], number=number)
    print(number, flush=True)
"""


def writer(file: Path, who: str, count: int) -> subprocess.Popen:
    command = [sys.executable, "-c", WRITER, str(file), who, str(count)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_four_processes_at_once_keep_one_chain(tmp_path):
    file = tmp_path / "audit.jsonl"
    writers = [writer(file, f"w{n}", 50) for n in range(4)]
    for one in writers:
        one.stdout.readline()
    for one in writers:
        one.stdin.write("\n")
        one.stdin.flush()
    for one in writers:
        one.communicate(timeout=60)
        assert one.returncode == 0
    entries = [json.loads(line) for line in file.read_bytes().splitlines()]
    assert verify(file).ok and len(entries) == 200
    for n in range(4):  # each one's own entries are there, once, in its order
        assert [one["facts"]["number"] for one in entries if one["facts"]["who"] == f"w{n}"] == list(range(50))
    changes = sum(a["facts"]["who"] != b["facts"]["who"] for a, b in itertools.pairwise(entries))
    assert changes > 3, "they did not write at once"


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_what_a_killed_writer_was_told_is_there(tmp_path):
    file = tmp_path / "audit.jsonl"
    for turn in range(3):
        one = writer(file, f"k{turn}", 100000)
        one.stdout.readline()
        one.stdin.write("\n")
        one.stdin.flush()
        told = [one.stdout.readline() for _ in range(20 + turn)]
        os.kill(one.pid, signal.SIGKILL)
        told += one.communicate()[0].splitlines(keepends=True)
        numbers = [int(line) for line in told if line.endswith("\n")]
        AuditLog(file).append("after")
        entries = [json.loads(line) for line in file.read_bytes().splitlines()]
        kept = [one["facts"]["number"] for one in entries if one["facts"].get("who") == f"k{turn}"]
        assert verify(file).ok and kept[: len(numbers)] == numbers


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes")
def test_a_full_disk_leaves_no_half_entry(tmp_path):
    import resource

    file = tmp_path / "audit.jsonl"
    log = written(file, 3)
    before, old = file.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    head = head_file(file).read_bytes()
    try:
        for room in (0, 1, 100):  # the first bytes still fit: the system takes them, and refuses the rest
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + room, old[1]))
            with pytest.raises(NoSpace):
                log.append("tool.called", tool="a" * 400)
            assert file.read_bytes() == before and head_file(file).read_bytes() == head
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    log.append("tool.called")
    assert verify(file).ok and verify(file).entries == 4
    assert sorted(one.name for one in tmp_path.iterdir()) == ["audit.jsonl", "audit.jsonl.head"]


DISK = """
import sys
from pathlib import Path
from labkit.errors import NoSpace
from labkit.operate.audit import AuditLog
from labkit.operate.chain import verify

folder = Path(sys.argv[1])
log, filler = AuditLog(folder / "audit.jsonl"), folder / "filler"
log.append("first")
filler.write_bytes(b"x" * 30_000)
count = 1
try:
    while count < 1000:
        log.append("tool.called", tool="a" * 400)
        count += 1
except NoSpace as error:
    print(error.what)
assert verify(log.file).ok and verify(log.file).entries == count, verify(log.file)
filler.unlink()
log.append("room again")
assert verify(log.file).ok and verify(log.file).entries == count + 1
print(count)
"""


def test_a_disk_that_is_really_full_is_told_and_the_log_goes_on_when_there_is_room(tmp_path, require):
    """On a disk of 64 KiB of its own, mounted where nobody else sees it."""
    mount = 'mount -t tmpfs -o size=64k none "$0" && exec "$@"'
    spaces = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, str(tmp_path)]
    here = shutil.which("unshare") and subprocess.run([*spaces, "true"], capture_output=True).returncode == 0
    require("namespaces", here, "sysctl kernel.unprivileged_userns_clone=1")
    ended = subprocess.run(
        [*spaces, sys.executable, "-c", DISK, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    said, count = ended.stdout.splitlines()
    assert "No room for the audit log" in said and 10 < int(count) < 100


def test_content_stays_out_unless_asked(tmp_path):
    said = {"text": "my card is 4111 1111 1111 1111"}
    log = AuditLog(tmp_path / "a.jsonl")
    log.append(
        "chat", content=said, who="ana@example.org", to="bo@example.org", note="Authorization: Bearer abcdef0123456789"
    )
    text = log.file.read_text()
    assert json.loads(text)["facts"]["who"] == "ana@example.org", "a log that does not say who is none"
    assert "4111" not in text and "bo@" not in text and "abcdef" not in text
    assert json.loads(text)["content"] == {"characters": len('{"text":"my card is 4111 1111 1111 1111"}')}
    asked = AuditLog(tmp_path / "b.jsonl", content=True)
    asked.append("chat", content=said)
    assert json.loads(asked.file.read_text())["content"] == {"text": "my card is [card]"}


def test_odd_input_is_kept_or_refused_and_the_chain_holds(tmp_path):
    log = AuditLog(tmp_path / "a.jsonl", content=True)
    loop: list = []
    loop.append(loop)
    deep: list = []
    for _ in range(900):
        deep = [deep]
    for bad in (loop, deep * 2, float("nan"), object(), "x" * 100_000, 10**5000):
        with pytest.raises(AuditError):
            log.append("odd", content=bad)
    log.append("odd\nline", content="\ud800 \x00 “”", text="y" * 5000)
    assert verify(log.file).ok and log.file.read_bytes().count(b"\n") == 1


def test_a_clock_that_jumps_is_reported_and_breaks_nothing(tmp_path):
    times = iter([1000.0, 1000.1, 500.0, 500.1])
    log = AuditLog(tmp_path / "a.jsonl", wall=lambda: next(times))
    for _ in range(4):
        log.append("tick")
    report = verify(log.file)
    assert report.ok and report.clock_jumps == (3,)


def test_a_short_key_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_AUDIT_KEY", "short")
    with pytest.raises(ConfigError):
        AuditLog(tmp_path / "a.jsonl")
    monkeypatch.setenv("LABKIT_AUDIT_KEY", "0123456789abcdef")
    log = AuditLog(tmp_path / "a.jsonl")
    log.append("x")
    assert verify(log.file, b"0123456789abcdef").ok and "0123456789abcdef" not in repr(log)


def test_the_command_verifies_and_shows(tmp_path):
    from typer.testing import CliRunner

    from labkit.cli.audit import app

    log, run = written(tmp_path / "a.jsonl", 3), CliRunner()
    good = run.invoke(app, ["verify", str(log.file), "--json"])
    assert good.exit_code == 0 and json.loads(good.stdout)["entries"] == 3
    shown = run.invoke(app, ["show", str(log.file), "--last", "2", "--json"])
    assert [one["seq"] for one in json.loads(shown.stdout)] == [2, 3]
    assert "clerk-2" in run.invoke(app, ["show", str(log.file)]).stdout
    log.file.write_bytes(log.file.read_bytes().replace(b"clerk-1", b"clerk-7"))
    bad = run.invoke(app, ["verify", str(log.file)])
    assert bad.exit_code == 1 and "Line 2" in bad.stdout
    halted = run.invoke(app, ["show", str(log.file)])
    assert isinstance(halted.exception, AuditBroken) and "clerk-0" in halted.stdout


def test_nobody_waits_for_ever_for_a_log_that_another_holds(tmp_path):
    log = AuditLog(tmp_path / "audit.jsonl")
    log.append("begin")
    with disk.one_writer(log.file), pytest.raises(AuditError, match="is busy"), alone(log.file, 0.1):
        raise AssertionError("two have it at once")
    with alone(log.file, 0.1):
        pass
    assert verify(log.file).entries == 1
