"""What a record may not hold is taken out before it is written: one example of every pattern, in texts, names and nested data."""

import random
import string

import pytest

from labkit.operate.audit import AuditLog
from labkit.operate.guard_patterns import patterns
from labkit.operate.redaction import redacted, redacted_inside


def made(length: int, letters: str = string.ascii_letters + string.digits) -> str:
    """Return a key that nobody has: it looks like chance, and is the same in each run."""
    return "".join(random.Random(length).choices(letters, k=length))


CAPITALS, PEM = string.ascii_uppercase + "234567", "PRIVATE KEY-----"
# The id of each pattern, a sentence, and the part of it that must be gone.
PERSONAL = {
    "e-mail": ("write to jo@example.com", "jo@example"),
    "iban": ("pay to GB82 WEST 1234 5698 7654 32", "WEST 1234"),
    "card": ("my card is 4111 1111 1111 1111", "4111"),
    "social-security-us": ("my SSN is 536-90-4399", "536-90"),
    "nhs": ("NHS 943 476 5919", "943 476"),
    "bsn": ("BSN 111222333", "111222333"),
    "pesel": ("PESEL 44051401359", "44051401359"),
    "cpf": ("CPF 529.982.247-25", "529.982"),
    "cpf-plain": ("CPF 52998224725", "52998224725"),
    "dni": ("DNI 12345678Z", "12345678Z"),
    "nir": ("1 84 12 76 451 089 46", "84 12 76"),
    "steuer-id": ("Steuer-ID 86 095 742 719", "86 095"),
    "aadhaar": ("Aadhaar 2341 2341 2346", "2341"),
    "phone": ("+44 20 7946 0958", "7946"),
    "phone-national": ("call me on 020 7946 0958", "7946"),
}
SECRET = {
    "private-key": (f"-----BEGIN RSA {PEM}\n{made(64)}\n{made(20)}\n-----END RSA {PEM} and more", made(20)),
    "aws-access-key": (f"AKIA{made(16, CAPITALS)}", made(16, CAPITALS)),
    "github": (f"ghp_{made(36)}", made(36)),
    "gitlab": (f"glpat-{made(20)}", made(20)),
    "slack": (f"xoxb-{made(24)}", made(24)),
    "slack-hook": (f"hooks.slack.com/services/T0A1B2C3/B0A1B2C3/{made(24)}", made(24)),
    "stripe": (f"sk_live_{made(24)}", made(24)),
    "google": (f"AIza{made(35)}", made(35)),
    "model-provider": (f"sk-proj-{made(40)}", made(40)),
    "package-index": (f"npm_{made(36)}", made(36)),
    "json-web-token": (f"eyJ{made(20)}.eyJ{made(30)}.{made(25)}", made(30)),
    "in-a-url": (f"postgres://app:{made(12)}@db.internal/shop", made(12)),
    "bearer": (f"Authorization: Bearer {made(24)}", made(24)),
    "assigned": (f"the password is {made(14)}", made(14)),
    "random": (f"it says {made(44)}", made(44)),
}
BROAD = {
    "key": ("api_key=abc123 and bearer abcdefgh, sk-aaaaaaaaaaaaaaaaaaaa", "abc"),
    "e-mail": ("support@shop.example", "support"),
    "number": ("reference 123456789012345", "1234"),
}


@pytest.mark.parametrize(("kind", "table"), [("pii", PERSONAL), ("credential", SECRET), ("record", BROAD)])
def test_every_kind_of_pattern_stays_out_of_a_log_that_keeps_content(tmp_path, kind, table):
    assert {one.id for one in patterns(kind)} == set(table), "a pattern without an example here is not shown to work"
    log = AuditLog(tmp_path / "a.jsonl", content=True, sync_s=float("inf"))
    for name, (text, gone) in table.items():
        assert gone in text
        log.append(f"heard {text}", note=text, content={"said": [text, {text: text}]})
        line = log.file.read_text(encoding="utf-8").splitlines()[-1]
        assert gone not in line and line.count("[") > 4, name
    assert log.append("checked", content="Where is order A-17? It was 12.50 at 9:30.").seq == len(table) + 1
    assert "Where is order A-17? It was 12.50 at 9:30." in log.file.read_text(encoding="utf-8")


def test_the_label_says_what_was_there():
    for table in (PERSONAL, SECRET):
        for name, (text, _) in table.items():
            kinds = (name, "e-mail") if name == "in-a-url" else (name,)  # password@host looks like a mailbox too
            assert any(f"[{kind}]" in redacted(text) for kind in kinds), (name, redacted(text))
    assert redacted(SECRET["private-key"][0]) == "[private-key] and more"
    assert redacted(BROAD["key"][0]) == "api_key=[key] and bearer [key], [key]"
    assert redacted("call 1002 about T-7") == "call 1002 about T-7"


def test_a_name_says_what_a_text_or_number_is():
    private = {"password": "tulip-9", "pin": 1234, "nhs": "943 476 5919", "cards": [4111111111111111, "x"]}
    assert redacted_inside(private) == {"password": "[key]", "pin": "[key]", "nhs": "[nhs]", "cards": ["[card]", "x"]}
    plain = {"order": 1002, "seconds": 0.123456789012345, "done": True, "nothing": None, "note": "943 476 5919"}
    assert redacted_inside(plain) == plain


def test_names_that_look_alike_once_redacted_are_all_kept():
    assert redacted_inside({"jo@example.com": 1, "bo@example.com": 2}) == {"[e-mail]": 1, "[e-mail] 2": 2}


def test_another_redaction_can_be_given(tmp_path):
    log = AuditLog(tmp_path / "a.jsonl", content=True, redact=lambda text: text.replace("Ana", "[name]"))
    log.append("said", content=["Ana was here"], note="by Ana")
    assert "Ana" not in log.file.read_text(encoding="utf-8")


def test_facts_too_long_are_redacted_before_they_are_cut(tmp_path):
    log = AuditLog(tmp_path / "a.jsonl")
    log.append("said", note="jo@example.com " * 140 + "4111 1111 1111 1111")
    text = log.file.read_text(encoding="utf-8")
    assert "[cut]" in text and "example" not in text and "4111" not in text
