"""The exercises of lesson 10: trust the world, count false alarms, give rights, check a chain, make once, lose none, describe."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

from labkit.errors import ConfigError, Denied, LabkitError, NotApproved, OutOfScope
from labkit.exercises.core import Answers, Exercise, Wrong, cases, require, wrong
from labkit.exercises.message import code, show
from labkit.operate.access import Access
from labkit.operate.approval import Approvals
from labkit.operate.checklist import look
from labkit.operate.policy import Caller, Policy
from labkit.operate.service import Place, Service, read

# -- Three services -----------------------------------------------------------------------------------------------------


def check_verdict(verdict):
    require(callable(verdict), f"{show(verdict)} is not a function.")
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


VERDICT = Exercise(
    id="10.1",
    title="Trust the world",
    section="Three services",
    task=(
        "One ticket was wanted. Write `verdict(said, new_tickets)`, where `said` is `success` or `error`: `twice` if there are two "
        "or more new tickets; `lie` if success was said and there is none; `done all the same` if error was said and there is one; "
        "else `fine`."
    ),
    expects="a function of a text and a whole number that returns one of the four words",
    check=check_verdict,
    hints=["Look at `new_tickets` first: two or more is always `twice`.", "Then compare what was said with what is."],
    solution='def verdict(said, new_tickets):\n    if new_tickets > 1:\n        return "twice"\n'
    '    if said == "success" and new_tickets == 0:\n        return "lie"\n'
    '    if said == "error" and new_tickets == 1:\n        return "done all the same"\n    return "fine"',
    why="A status is what a program believes; the tickets are what happened.",
    answers=Answers(
        blank=["def verdict(said, new_tickets):\n    ..."],
        wrong=[
            Wrong('verdict = "fine"', "not a function", "one word for all"),
            Wrong("def verdict(said, new):\n    return 'fine' if said == 'error' or new else 'lie'", "the ticket is there",
                  "an error is honest by itself"),
            Wrong("def verdict(said, new):\n    if said == 'success':\n        return 'fine'\n"
                  "    return 'done all the same' if new else 'fine'", "believes the service", "trusts the status"),
            Wrong("def verdict(said, new):\n    if new > 1:\n        return 'twice'\n"
                  "    return 'fine' if said == 'success' and new else 'lie'", "that is honest", "takes every error for a lie"),
            Wrong("def verdict(said, new):\n    if new == (said == 'success'):\n        return 'fine'\n"
                  "    return 'done all the same' if new else 'lie'", "'twice'", "does not count"),
        ],
        right=["def verdict(said, new):\n    table = {('success', 0): 'lie', ('error', 1): 'done all the same'}\n"
               "    return 'twice' if new >= 2 else table.get((said, new), 'fine')"],
    ),
)  # fmt: skip

# -- What comes in and what goes out ------------------------------------------------------------------------------------


def check_false_share(false_share):
    require(callable(false_share), f"{show(false_share)} is not a function.")
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


FALSE_SHARE = Exercise(
    id="10.2",
    title="How many alarms are false?",
    section="What comes in and what goes out",
    task=(
        "Write `false_share(attacks, caught, false_alarms)`. `attacks`: which share of all requests are attacks. `caught`: which "
        "share of the attacks raises an alarm. `false_alarms`: which share of the honest requests does. Return which share of all "
        "alarms is false (0 if there is no alarm). All shares go from 0 to 1."
    ),
    expects="a function of three shares that returns a share",
    check=check_false_share,
    hints=[
        "Think of 10,000 requests. How many are attacks, how many honest?",
        "True alarms: `attacks * caught`. False ones: `(1 - attacks) * false_alarms`.",
        "False ones, divided by the sum of both.",
    ],
    solution="def false_share(attacks, caught, false_alarms):\n    false = (1 - attacks) * false_alarms\n"
    "    alarms = attacks * caught + false\n    return false / alarms if alarms else 0",
    why="Where attacks are rare, most alarms of a good guard are false, so what an alarm does must be bearable for an honest person.",
    answers=Answers(
        blank=["def false_share(attacks, caught, false_alarms):\n    ..."],
        wrong=[
            Wrong("false_share = 0.05", "not a function", "a figure instead of a rule"),
            Wrong("def false_share(attacks, caught, false_alarms):\n    return false_alarms", "share of alarms",
                  "takes the false-alarm rate for the share of false alarms"),
            Wrong("def false_share(attacks, caught, false_alarms):\n    return false_alarms / (caught + false_alarms)",
                  "99 of 100", "forgets how rare attacks are (base-rate neglect)"),
            Wrong("def false_share(a, c, f):\n    return a * c / (a * c + (1 - a) * f)", "turn it round", "the other share"),
            Wrong("def false_share(a, c, f):\n    return f / (a * c + f) if a * c + f else 0", "returned",
                  "counts false alarms among all requests, not among the honest ones"),
            Wrong("def false_share(a, c, f):\n    bad = (1 - a) * f\n    return bad / (a * c + bad) if a * c + bad else 1",
                  "no alarms at all", "thinks that no alarm is a false one"),
        ],
        right=["def false_share(a, c, f):\n    true, false = 10_000 * a * c, 10_000 * (1 - a) * f\n"
               "    return 0.0 if true + false == 0 else false / (true + false)"],
    ),
)  # fmt: skip

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


TOOLS_OF_THE_WARD = (
    '[tools.read_record]\ndata = ["patient:{ward}:{patient_id}"]\n'
    '[tools.prescribe]\ndata = ["patient:{ward}:{patient_id}"]\n'
)
RISKY = 'risky = true\napprovers = ["doctor"]\n'
NURSE = '[roles.nurse]\ntools = ["read_record"]\ndata = ["patient:north:*"]\n'
DOCTOR = '[roles.doctor]\ninherits = ["nurse"]\ntools = ["prescribe"]\n'


def _toml(text: str) -> str:
    return f"policy_text = '''\n{text}'''"


POLICY = Exercise(
    id="10.3",
    title="Rights for a ward",
    section="Who may do what",
    task=(
        "Write `policy_text`, a policy in TOML. Two tools, `read_record` and `prescribe`; both have the arguments `ward` and "
        "`patient_id`, and touch `patient:{ward}:{patient_id}`. A `nurse` may read the records of ward `north`, nothing else. A "
        "`doctor` may do what a nurse may, and prescribe there, if another doctor approves."
    ),
    expects='a text with `[tools.…]` and `[roles.…]`; the cell with `health_policy`, further down, has the form',
    check=check_policy_text,
    hints=[
        'A tool: `[tools.read_record]`, then `data = ["patient:{ward}:{patient_id}"]`.',
        'A role: `[roles.nurse]`, then `tools = ["read_record"]` and `data = ["patient:north:*"]`.',
        'A risky tool: `risky = true` and `approvers = ["doctor"]`. A role can say `inherits = ["nurse"]`.',
    ],
    solution=_toml(TOOLS_OF_THE_WARD + RISKY + NURSE + DOCTOR),
    why="What is not written is denied, so a forgotten line costs a question at the desk and no record.",
    answers=Answers(
        blank=["policy_text = ..."],
        wrong=[
            Wrong("policy_text = {'nurse': ['read_record']}", "not a text", "a dict instead of TOML"),
            Wrong(_toml("[tools.read_record\n"), "cannot be read", "TOML with a missing bracket"),
            Wrong(_toml(TOOLS_OF_THE_WARD + RISKY + '[roles.nurse]\ntools = ["read_record"]\n' + DOCTOR),
                  "her own ward", "thinks that the right to a tool is a right to all data"),
            Wrong(_toml(TOOLS_OF_THE_WARD + RISKY + NURSE.replace("north", "*") + DOCTOR), "ward south", "a wildcard too many"),
            Wrong(_toml(TOOLS_OF_THE_WARD + RISKY + NURSE.replace('"read_record"', '"read_record", "prescribe"') + DOCTOR),
                  "no right to the tool", "leaves it to the approval"),
            Wrong(_toml(TOOLS_OF_THE_WARD + RISKY + NURSE + '[roles.doctor]\ntools = ["prescribe"]\ndata = ["patient:north:*"]\n'),
                  "what a nurse can", "forgets to inherit"),
            Wrong(_toml(TOOLS_OF_THE_WARD + NURSE + DOCTOR), "nobody has to say yes", "forgets the approval"),
            Wrong(_toml(TOOLS_OF_THE_WARD + 'risky = true\napprovers = ["nurse", "doctor"]\n' + NURSE + DOCTOR),
                  "a nurse can approve", "lets anybody approve"),
            Wrong(_toml(TOOLS_OF_THE_WARD + 'risky = true\napprovers = ["chief"]\n[roles.chief]\n' + NURSE + DOCTOR),
                  "another doctor said yes", "names an approver who is not asked"),
        ],
        right=[_toml(TOOLS_OF_THE_WARD + RISKY + NURSE
                     + '[roles.doctor]\ntools = ["read_record", "prescribe"]\ndata = ["patient:north:*"]\n')],
    ),
)  # fmt: skip

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
    require(callable(first_broken), f"{show(first_broken)} is not a function.")
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


FIRST_BROKEN = Exercise(
    id="10.4",
    title="The first broken link",
    section="What happened",
    task=(
        "A chain is a list of dicts with `text`, `before` (the hash of the line before, empty for the first) and `hash`, which is "
        "`link(text, before)`. Write `first_broken(chain)`: the position, from 0, of the first line that does not hold, or None."
    ),
    expects="a function of a list of dicts that returns a whole number or None",
    check=check_first_broken,
    hints=[
        "Two things can be wrong with a line: its own hash, and whom it names as the line before.",
        'Keep the hash of the line before in a variable; it begins as `""`.',
        '`if line["before"] != before or line["hash"] != link(line["text"], line["before"]): return number`',
    ],
    solution='def first_broken(chain):\n    before = ""\n    for number, line in enumerate(chain):\n'
    '        if line["before"] != before or line["hash"] != link(line["text"], before):\n            return number\n'
    '        before = line["hash"]\n    return None',
    why="A hash alone protects one line; only the link to the line before protects the order and what is missing.",
    answers=Answers(
        setup="import hashlib\ndef link(text, before):\n    return hashlib.sha256(f'{before}{text}'.encode()).hexdigest()",
        blank=["def first_broken(chain):\n    ..."],
        wrong=[
            Wrong("first_broken = 1", "not a function", "a position instead of a rule"),
            Wrong("def first_broken(chain):\n    return all(x['hash'] == link(x['text'], x['before']) for x in chain)",
                  "return None", "says whether, not where"),
            Wrong("def first_broken(chain):\n    before = ''\n    for n, x in enumerate(chain):\n"
                  "        if x['before'] != before:\n            return n\n        before = x['hash']", "was edited",
                  "believes the hash that stands there"),
            Wrong("def first_broken(chain):\n    before = ''\n    for n, x in enumerate(chain, 1):\n"
                  "        if x['before'] != before or x['hash'] != link(x['text'], before):\n            return n\n"
                  "        before = x['hash']", "counted from 0", "counts from 1"),
            Wrong("def first_broken(chain):\n    for n, x in enumerate(chain):\n"
                  "        if x['hash'] != link(x['text'], x['before']):\n            return n", "because a line was deleted",
                  "checks every line alone"),
            Wrong("def first_broken(chain):\n    for n, x in enumerate(chain):\n"
                  "        if x['hash'] != link(x['text'], x['before']) or n and x['before'] != chain[n - 1]['hash']:\n"
                  "            return n", "first line was deleted", "compares neighbours, and the first has none"),
            Wrong("def first_broken(chain):\n    if chain[0]['before']:\n        return 0\n    for n, x in enumerate(chain):\n"
                  "        if x['hash'] != link(x['text'], x['before']) or n and x['before'] != chain[n - 1]['hash']:\n"
                  "            return n", "IndexError", "forgets the empty chain"),
        ],
        right=["def first_broken(chain):\n    hashes = [''] + [x['hash'] for x in chain]\n"
               "    bad = [n for n, x in enumerate(chain)\n"
               "           if (x['before'], x['hash']) != (hashes[n], link(x['text'], hashes[n]))]\n"
               "    return bad[0] if bad else None"],
    ),
)  # fmt: skip

# -- When it fails ------------------------------------------------------------------------------------------------------


def check_create_once(create_once):
    require(callable(create_once), f"{show(create_once)} is not a function.")
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
    try:
        create_once(tickets, "wish-1", "Refund my boots.")
    except ValueError:
        return
    wrong("the same wish came with another issue, and was taken without a word: raise ValueError.")


CREATE_ONCE = Exercise(
    id="10.5",
    title="A wish and its number",
    section="When it fails",
    task=(
        "Write `create_once(tickets, wish, issue)`. `tickets` is a dict from wish to `(number, issue)`. A new wish gets the next "
        "number (`T-1`, `T-2`, …), is kept, and the number is returned. The same wish gets the same number and no second ticket. The "
        "same wish with another issue is somebody's mistake: `raise ValueError`."
    ),
    expects="a function of a dict and two texts that returns a number such as `T-1`",
    check=check_create_once,
    hints=[
        "Look first whether `wish` is in `tickets`.",
        '`f"T-{len(tickets) + 1}"` is the next number.',
        "If it is there, compare the issue that was kept with the one that came.",
    ],
    solution='def create_once(tickets, wish, issue):\n    if wish not in tickets:\n'
    '        tickets[wish] = (f"T-{len(tickets) + 1}", issue)\n    number, kept = tickets[wish]\n'
    "    if kept != issue:\n        raise ValueError(f\"{wish} was used for another issue\")\n    return number",
    why="With a number for each wish (an idempotency key), trying again is safe, because the second attempt finds the first.",
    answers=Answers(
        blank=["def create_once(tickets, wish, issue):\n    ..."],
        wrong=[
            Wrong("create_once = 'T-1'", "not a function", "a number instead of a rule"),
            Wrong("def create_once(tickets, wish, issue):\n    return f'T-{len(tickets) + 1}'", "kept in `tickets`",
                  "returns a number and keeps nothing"),
            Wrong("def create_once(tickets, wish, issue):\n    n = len(tickets) + 1\n    tickets[n] = (f'T-{n}', issue)\n"
                  "    return f'T-{n}'", "a second ticket", "ignores the wish"),
            Wrong("def create_once(tickets, wish, issue):\n    if wish not in tickets:\n"
                  "        tickets[wish] = (f'T-{len(tickets) + 1}', issue)\n        return tickets[wish][0]", "wants the number",
                  "returns nothing the second time"),
            Wrong("def create_once(tickets, wish, issue):\n    for number, kept in tickets.values():\n"
                  "        if kept == issue:\n            return number\n"
                  "    tickets[wish] = (f'T-{len(tickets) + 1}', issue)\n    return tickets[wish][0]", "another customer",
                  "takes the issue for the wish"),
            Wrong("def create_once(tickets, wish, issue):\n    if wish not in tickets:\n"
                  "        tickets[wish] = (f'T-{len(tickets) + 1}', issue)\n    return tickets[wish][0]", "another issue",
                  "one number for two wishes"),
        ],
        right=["def create_once(tickets, wish, issue):\n    number, kept = tickets.setdefault(wish, (f'T-{len(tickets) + 1}', issue))\n"
               "    if issue != kept:\n        raise ValueError('used before')\n    return number"],
    ),
)  # fmt: skip

# -- Too many -----------------------------------------------------------------------------------------------------------

COUNTS = {"submitted": 20, "answered": 7, "QueueFull": 10, "Expired": 2, "waiting": 0, "running": 1}


def check_lost(lost):
    require(callable(lost), f"{show(lost)} is not a function.")
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


LOST = Exercise(
    id="10.6",
    title="None is lost",
    section="Too many",
    task=(
        "Write `lost(counts)`: how many requests were submitted and are nowhere. `counts` is what `resources.counts()` returned: "
        "`submitted`, `answered`, each kind of refusal by its name (there may be any), `waiting`, `running`."
    ),
    expects="a function of a dict that returns a whole number",
    check=check_lost,
    hints=["Everything but `submitted` says where a request is.", "`sum(counts.values())` counts `submitted` as well."],
    solution='def lost(counts):\n    return 2 * counts["submitted"] - sum(counts.values())',
    why="A sum that must be zero finds lost requests that no log mentions; `labkit soak` ends with it.",
    answers=Answers(
        blank=["def lost(counts):\n    ..."],
        wrong=[
            Wrong("lost = 0", "not a function", "the answer that one hopes for"),
            Wrong("def lost(counts):\n    return counts['submitted'] - counts['answered']", "was told",
                  "takes a refusal for a loss"),
            Wrong("def lost(counts):\n    known = [n for k, n in counts.items() if k not in ('submitted', 'waiting', 'running')]\n"
                  "    return counts['submitted'] - sum(known)", "not ended yet", "forgets what is on its way"),
            Wrong("def lost(counts):\n    names = ('answered', 'QueueFull', 'Expired', 'waiting', 'running')\n"
                  "    return counts['submitted'] - sum(counts.get(one, 0) for one in names)", "returned",
                  "knows only the refusals of today"),
        ],
        right=["def lost(counts):\n    return counts['submitted'] - sum(n for k, n in counts.items() if k != 'submitted')"],
    ),
)  # fmt: skip

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


KIOSK = Exercise(
    id="10.7",
    title="Say what you promise",
    section="The checklists",
    task=(
        "Write `kiosk_toml`, a text in TOML: `requests_per_second` and `tokens_per_hour` of one caller, `audit` (the file "
        "`audit.jsonl`), `seconds` that a request has, and a `queue` in which the last still gets an answer, on a machine that answers "
        f"{PER_SECOND} requests a second."
    ),
    expects="a text with one `name = value` a line",
    check=check_kiosk_toml,
    hints=[
        'The names stand in the task; a file name has quotes: `audit = "audit.jsonl"`.',
        f"A request with 20 seconds and {PER_SECOND} answers a second: how many can wait?",
    ],
    solution='kiosk_toml = """\naudit = "audit.jsonl"\nrequests_per_second = 2\ntokens_per_hour = 20000\nseconds = 20\nqueue = 40\n"""',
    why="Written down, a promise can be checked by a program every night.",
    answers=Answers(
        blank=["kiosk_toml = ..."],
        wrong=[
            Wrong("kiosk_toml = {'queue': 40}", "not a text", "a dict instead of TOML"),
            Wrong("kiosk_toml = 'queue: 40'", "no TOML", "writes YAML"),
            Wrong("kiosk_toml = 'request_per_second = 2'", "did you mean", "takes a misspelt name for a setting"),
            Wrong("kiosk_toml = 'audit = \"audit.jsonl\"\\nrequests_per_second = 2\\nqueue = 40'", "tokens_per_hour",
                  "takes a rate for a quota"),
            Wrong("kiosk_toml = 'requests_per_second = 2\\ntokens_per_hour = 20000\\nqueue = 40'", "no audit log",
                  "promises nothing about the record"),
            Wrong("kiosk_toml = 'audit = \"audit.jsonl\"\\nrequests_per_second = 2\\ntokens_per_hour = 20000'",
                  "waits longer", "the original's thousand, by default"),
            Wrong("kiosk_toml = 'audit = \"audit.jsonl\"\\nrequests_per_second = 2\\ntokens_per_hour = 20000\\nqueue = 1'",
                  "refuses the second", "so short that nothing can go wrong"),
        ],
        right=["kiosk_toml = 'audit = \"audit.jsonl\"\\nrequests_per_second = 0.5\\ntokens_per_hour = 9000\\nqueue = 90'"],
    ),
)  # fmt: skip

EXERCISES = [VERDICT, FALSE_SHARE, POLICY, FIRST_BROKEN, CREATE_ONCE, LOST, KIOSK]
