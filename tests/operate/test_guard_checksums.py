"""Check digits against published examples, and against every slip of one digit."""

import random

import pytest

from labkit.operate import checksums

# Numbers that the issuers, standards or card schemes print as examples; nobody's.
KNOWN = {
    "card": ["4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "6011111111111117", "30569309025904"],
    "iban": ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "FR1420041010050500013M02606", "NO9386011117947"],
    "nhs": ["943 476 5919"],
    "bsn": ["111222333"],
    "pesel": ["44051401359"],
    "cpf": ["111.444.777-35"],
    "dni": ["12345678Z", "X1234567L"],
    "nir": ["2 55 08 14 168 025 38"],
    "steuer_id": ["86 095 742 719"],
    "aadhaar": ["9999 4105 7058"],
}


@pytest.mark.parametrize(("name", "number"), [(name, one) for name, rows in KNOWN.items() for one in rows])
def test_published_examples_pass_and_no_single_slip_does(name, number):
    check = getattr(checksums, name)
    assert check(number)
    slips = 0
    for at, digit in enumerate(number):
        for other in "0123456789" if digit.isdecimal() else "":
            slips += other != digit and check(number[:at] + other + number[at + 1 :])
    # Modulo eleven with 10 read as 0 (CPF), and first digits that count as another scheme, let a few through.
    assert slips <= {"cpf": 4}.get(name, 0)


@pytest.mark.parametrize("name", sorted(KNOWN.keys() - {"card", "iban", "dni"}))  # digits alone
def test_random_digits_pass_as_rarely_as_the_arithmetic_says(name):
    chance, check = random.Random(11), getattr(checksums, name)
    length = sum(one.isdecimal() for one in KNOWN[name][0])
    passed = sum(check("".join(chance.choices("0123456789", k=length))) for _ in range(4000))
    assert 0 < passed < 4000 / 8


@pytest.mark.parametrize("name", [*KNOWN, "ssn", "phone", "luhn"])
def test_nonsense_is_no_number_and_no_error(name):
    check = getattr(checksums, name)
    for text in ("", "-", "abc", "0" * 9, "0" * 300, "\u0661\u0662", "GB", "A"):
        assert check(text) in (True, False)
    assert not check("") and not check("abc")


def test_a_social_security_number_needs_an_area_that_is_given_out():
    assert checksums.ssn("219-09-9999")
    for bad in ("000-12-3456", "666-12-3456", "900-12-3456", "219-00-9999", "219-09-0000", "219-09-999"):
        assert not checksums.ssn(bad)
