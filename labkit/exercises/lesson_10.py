"""The exercises of lesson 10: trust the world, count false alarms, give rights, check a chain, make once, lose none, describe."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

from labkit.errors import ConfigError, Denied, LabkitError, NotApproved, OutOfScope
from labkit.exercises import cases, code, raises, require, require_function, show, wrong
from labkit.operate.access import Access
from labkit.operate.approval import Approvals
from labkit.operate.checklist import look
from labkit.operate.policy import Caller, Policy
from labkit.operate.service import Place, Service, read

# -- Three services -----------------------------------------------------------------------------------------------------


def check_verdict(verdict):
    require_function(verdict)
    require(verdict("error", 1) != "fine", "it says fine though the service said error and the ticket is there.")
    require(verdict("success", 0) != "fine", "it believes the service: success was said, and no ticket is there.")
    require(verdict("error", 0) == "fine", "nothing was done and error was said: that is honest, so fine.")
    cases(
        verdict,
        [
            ("success", 1, "fine"),
            ("success", 0, "lie"),
            ("error", 1, "done all the same"),
            ("success", 2, "twice"),
            ("error", 3, "twice"),
        ],
    )


# -- What comes in and what goes out ------------------------------------------------------------------------------------


def check_false_share(false_share):
    require_function(false_share)
    got = false_share(0.01, 0.8, 0.05)
    require(
        got != 0.05,
        "that is the share of honest requests that raise an alarm; asked is the share of alarms that are false.",
    )
    require(
        abs(got - 0.05 / 0.85) > 1e-9,
        "you weigh attacks and honest requests alike; here 99 of 100 requests are honest.",
    )
    require(abs(got - (1 - 0.0495 / 0.0575)) > 1e-9, "that is the share of alarms that are right: turn it round.")
    cases(false_share, [(0.01, 0.8, 0.05, 0.0495 / 0.0575), (0.5, 1.0, 0.5, 1 / 3), (1.0, 0.8, 0.05, 0.0)])
    require(false_share(0.01, 0.0, 0.0) == 0, "with no alarms at all none is false: return 0.")


# -- Who may do what ----------------------------------------------------------------------------------------------------

NORTH, SOUTH = {"ward": "north", "patient_id": "P-1"}, {"ward": "south", "patient_id": "P-2"}


def _try(policy: Policy, who: Caller, tool: str, arguments: dict, by: Caller | None = None) -> type:
    """Return the type of the refusal, or NoneType."""
    access = Access(policy, who, approvals=Approvals(policy, ask=lambda pending: by))
    try:
        access.check(tool, arguments)
    except LabkitError as error:
        return type(error)
    return type(None)


def _policy(text: object) -> Policy:
    require(isinstance(text, str), f"{show(text)} is not a text; write TOML between three quotes.")
    try:
        return Policy.read(text)
    except ConfigError as error:
        wrong(f"the policy cannot be read: {error.what} {error.why}")


def check_policy_text(policy_text):
    policy = _policy(policy_text)
    nina, dora, doc = Caller("nina", "nurse"), Caller("dora", "doctor"), Caller("doc", "doctor")
    require(
        _try(policy, nina, "read_record", NORTH) is type(None), "a nurse cannot read a record of her own ward, north."
    )
    require(_try(policy, nina, "read_record", SOUTH) is OutOfScope, "a nurse can read records of the ward south.")
    require(
        _try(policy, nina, "prescribe", NORTH, doc) is Denied,
        "a nurse may ask for a prescription; she should have no right to the tool at all.",
    )
    require(_try(policy, dora, "read_record", NORTH) is type(None), "a doctor cannot read what a nurse can.")
    require(_try(policy, dora, "prescribe", NORTH) is NotApproved, "a doctor prescribes and nobody has to say yes.")
    require(
        _try(policy, dora, "prescribe", NORTH, nina) is NotApproved,
        "a nurse can approve a prescription; only another doctor should.",
    )
    require(_try(policy, dora, "prescribe", NORTH, doc) is type(None), "another doctor said yes, and it is refused.")


# -- What happened ------------------------------------------------------------------------------------------------------


def _link(text: str, before: str) -> str:
    return hashlib.sha256(f"{before}{text}".encode()).hexdigest()


def _chain(*texts: str) -> list[dict]:
    chain, before = [], ""
    for text in texts:
        chain.append({"text": text, "before": before, "hash": _link(text, before)})
        before = chain[-1]["hash"]
    return chain


def check_first_broken(first_broken):
    require_function(first_broken)
    whole = _chain("ana read C-101", "ana read C-102", "bob read C-101", "eva said yes")
    require(first_broken([dict(one) for one in whole]) is None, "a sound chain has no broken line: return None.")
    edited = [*whole[:1], {**whole[1], "text": "nobody read C-102"}, *whole[2:]]
    require(first_broken(edited) is not None, "a text was edited, and it was not noticed: compute its hash anew.")
    require(first_broken(edited) != 2, "counted from 0, the edited line is the second one, so 1.")
    require(
        first_broken(whole[:1] + whole[2:]) is not None, "a line was deleted, and the next one still names its hash."
    )
    require(first_broken(whole[1:]) == 0, "the first line was deleted; what is first now should have `before` empty.")
    moved = [whole[0], whole[2], whole[1], whole[3]]
    cases(first_broken, [(edited, 1), (whole[:1] + whole[2:], 1), (moved, 1), ([], None)])


# -- When it fails ------------------------------------------------------------------------------------------------------


def check_create_once(create_once):
    require_function(create_once)
    tickets: dict = {}
    first = create_once(tickets, "wish-1", "The lamp flickers.")
    require(
        first == "T-1" and len(tickets) == 1,
        f"the first ticket should be `T-1`, and kept in `tickets`; got {show(first)}.",
    )
    again = create_once(tickets, "wish-1", "The lamp flickers.")
    require(len(tickets) == 1 and again != "T-2", "the same wish made a second ticket.")
    require(again == "T-1", f"whoever asks again wants the number; yours returned {show(again)}.")
    other = create_once(tickets, "wish-2", "The lamp flickers.")
    require(
        other == "T-2", "another customer has the same problem: that is another wish, and needs a ticket of its own."
    )
    because = "the same wish came with another issue, and was taken without a word: raise ValueError."
    raises(ValueError, lambda: create_once(tickets, "wish-1", "Refund my boots."), because)


# -- Too many -----------------------------------------------------------------------------------------------------------

COUNTS = {"submitted": 20, "answered": 7, "QueueFull": 10, "Expired": 2, "waiting": 0, "running": 1}


def check_lost(lost):
    require_function(lost)
    got = lost(dict(COUNTS))
    require(got != 13, "a refusal with a name is not lost: its client was told.")
    require(got != 1, "what runs or waits is not lost, only not ended yet.")
    cases(
        lost,
        [
            (COUNTS, 0),
            ({"submitted": 9, "answered": 5, "waiting": 1, "running": 1}, 2),
            ({"submitted": 6, "answered": 1, "Cancelled": 2, "EngineDied": 1, "waiting": 0, "running": 0}, 2),
        ],
    )


# -- The checklists -----------------------------------------------------------------------------------------------------

PER_SECOND = 3


def _service(text: object) -> Service:
    require(isinstance(text, str), f"{show(text)} is not a text; write TOML between three quotes.")
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        wrong(f"that is no TOML: {error}")
    with TemporaryDirectory() as folder:
        file = Path(folder) / "kiosk.toml"
        file.write_text(text, encoding="utf-8")
        try:
            return read(file)
        except ConfigError as error:
            wrong(f"the description cannot be read: {error.what} {error.why}")


def check_kiosk_toml(kiosk_toml):
    service = _service(kiosk_toml)
    status, evidence = look("limits", Place(service))
    require(status == "pass", f"the limits are not all there: {evidence}.")
    require(Path(service.audit).name == "audit.jsonl", "it names no audit log; this lesson's is called `audit.jsonl`.")
    room = code(f"{PER_SECOND} * {service.seconds:g}")
    require(
        service.queue <= PER_SECOND * service.seconds,
        f"the last of {service.queue} in the queue waits longer than it has; at most {room} can be answered in time.",
    )
    require(service.queue > 1, "a queue of one refuses the second customer.")
