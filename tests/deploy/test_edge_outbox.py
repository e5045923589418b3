"""The outbox: what is accepted stays, what is private cannot be queued, what is sent twice is done once. With random crashes."""

import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from labkit.deploy.edge.outbox import Outbox
from labkit.deploy.edge.receiver import Inbox
from labkit.errors import QueueFull, Refused


@pytest.fixture
def box(tmp_path):
    made = Outbox(tmp_path / "box.sqlite", most=3)
    yield made
    made.close()


def test_the_same_again_is_the_same_request_and_another_under_its_id_is_refused(box):
    assert box.accept("a", "body", False) and not box.accept("a", "body", False)
    for body, private in (("other", False), ("body", True)):
        with pytest.raises(Refused, match="another request"):
            box.accept("a", body, private)
    assert box.counts()["accepted"] == 1


def test_a_full_device_refuses_and_drops_nothing(box):
    for id in "abc":
        box.accept(id, "body", False)
    with pytest.raises(QueueFull):
        box.accept("d", "body", False)
    assert not box.accept("a", "body", False), "what was accepted before still is"
    box.answer("a", "x", "small")
    assert box.accept("d", "body", False)
    assert [id for id, _ in box.unanswered()] == ["b", "c", "d"]


def test_nothing_private_and_nothing_unknown_can_be_queued_by_any_way(box, tmp_path):
    box.accept("secret", "body", True)
    for id in ("secret", "unknown"):
        with pytest.raises(Refused, match="may not leave"):
            box.put(id, "body")
    raw = sqlite3.connect(tmp_path / "box.sqlite")
    for attempt in (
        "INSERT INTO outbox (id, body) VALUES ('secret', 'x')",
        "UPDATE accepted SET private = 0 WHERE id = 'secret'",
        "UPDATE accepted SET id = 'plain' WHERE id = 'secret'",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            raw.execute(attempt)
    raw.close()
    assert box.next() is None and box.counts()["stored"] == 0


def test_a_late_answer_of_the_device_does_not_replace_the_clouds(box):
    box.accept("a", "body", False)
    box.put("a", "call")
    box.sent("a", "cloud's")
    box.answer("a", "device's", "small", first="small")
    found = box.find("a")
    assert (found.value, found.by, found.first, found.stored, found.waiting) == ("cloud's", "big", "small", True, False)


def test_a_bad_entry_holds_up_no_other_and_one_refused_for_ever_is_kept(box):
    for id in "ab":
        box.accept(id, "body", False)
        box.put(id, "call")
    box.failed("a", "502")
    assert box.next().id == "b"
    box.failed("b", "400: bad", dead=True)
    assert box.next().id == "a" and box.next().attempts == 1
    assert box.counts()["dead"] == 1 and box.counts()["waiting"] == 1


WRITER = """
import sys
from pathlib import Path
from labkit.deploy.edge.outbox import Outbox
box = Outbox(Path(sys.argv[1]))
for n in range(10_000):
    box.accept(f"{sys.argv[2]}-{n}", "body", n % 3 == 0)
    print(f"{sys.argv[2]}-{n}", flush=True)
"""


def test_what_a_killed_process_had_accepted_is_there(tmp_path):
    file, said, rng = tmp_path / "box.sqlite", [], random.Random(1)
    for turn in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, file, str(turn)], stdout=subprocess.PIPE, text=True
        ) as writer:
            for _ in range(rng.randrange(1, 60)):
                said.append(writer.stdout.readline().strip())
            writer.kill()
    box = Outbox(file)
    kept = {one.id for one in box.all()}
    box.close()
    assert len(said) > 10 and set(said) <= kept


class Crashes(RuleBasedStateMachine):
    """Device and cloud with files; a crash of either goes on from what its disk has just then, other operations half done."""

    @initialize()
    def begin(self):
        self.folder, self.crashes = Path(tempfile.mkdtemp()), 0
        self.box, self.inbox = Outbox(self.folder / "box0"), Inbox(self.folder / "in0")
        self.said: dict[str, bool] = {}
        self.queued: set[str] = set()

    @rule(number=st.integers(0, 30))
    def accept(self, number):
        id, private = f"id{number}", number % 3 == 0
        self.box.accept(id, f"body {number}", private)
        self.said[id] = private

    @rule(pick=st.randoms(use_true_random=False))
    def escalate(self, pick):
        if not self.said:
            return
        id = pick.choice(sorted(self.said))
        if self.said[id]:
            with pytest.raises(Refused):
                self.box.put(id, "call")
            return
        if self.box.find(id).by is None:  # as the device does: an answered one is not worked on again
            self.box.put(id, f"call {id}")
            self.queued.add(id)
            self.box.answer(id, "small", "small")

    @rule(lost=st.sampled_from(["nothing", "request", "answer"]), crash=st.sampled_from(["none", "device", "cloud"]))
    def send(self, lost, crash):
        entry = self.box.next()
        if entry is None:
            return
        if lost != "request":
            self.inbox.arrived(entry.id)
            if self.inbox.find(entry.id) is None:
                self.inbox.keep(entry.id, "asked", "big")
        if crash == "cloud":
            self.crash_cloud()
        if crash == "device":
            self.crash_device()
        elif lost == "nothing":
            self.box.sent(entry.id, self.inbox.find(entry.id)[1])
        else:
            self.box.failed(entry.id, "lost")

    @rule()
    def crash_device(self):
        dead, self.box = self.box, Outbox(self._disk("box"))
        dead.close()

    @rule()
    def crash_cloud(self):
        dead, self.inbox = self.inbox, Inbox(self._disk("in"))
        dead.close()

    @rule(number=st.integers(0, 30))
    def crash_in_a_transaction(self, number):
        with pytest.raises(KeyboardInterrupt), self.box._transaction() as sql:
            sql.execute("DELETE FROM outbox")
            sql.execute("DELETE FROM accepted")
            raise KeyboardInterrupt

    def _disk(self, name):
        """The files as they are now, without anybody closing them: what a kill leaves."""
        old, self.crashes = self.crashes, self.crashes + 1
        for other in ("box", "in"):
            for ending in ("", "-wal"):
                there = self.folder / f"{other}{old}{ending}"
                if there.exists():
                    shutil.copy(there, self.folder / f"{other}{self.crashes}{ending}")
        (self.inbox if name == "box" else self.box).close()
        if name == "box":
            self.inbox = Inbox(self.folder / f"in{self.crashes}")
        else:
            self.box = Outbox(self.folder / f"box{self.crashes}")
        return self.folder / f"{name}{self.crashes}"

    @invariant()
    def nothing_is_lost_and_nothing_private_is_queued(self):
        states = {one.id: one for one in self.box.all()}
        assert states.keys() == self.said.keys()
        assert not any(one.stored or one.waiting for id, one in states.items() if self.said[id])
        assert all(states[id].stored for id in self.queued)
        counts = self.inbox.counts()
        assert counts["twice"] == 0 and counts["effects"] <= len(self.queued)

    def teardown(self):
        if not hasattr(self, "box"):
            return
        while self.box.next():
            self.send("nothing", "none")
        assert self.inbox.counts()["effects"] == len(self.queued)
        assert {one.id for one in self.box.all() if one.by == "big"} == self.queued
        self.box.close()
        self.inbox.close()
        shutil.rmtree(self.folder, ignore_errors=True)


TestCrashes = Crashes.TestCase
TestCrashes.settings = settings(
    max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
