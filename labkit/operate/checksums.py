"""Check digits: what tells a card or identity number from any other row of digits.

Each function takes the text as found (blanks, dots and hyphens allowed) and says whether it can be such a number. One random
number in ten passes Luhn, one in eleven a weighted sum, one in 97 an IBAN's: a checksum alone is no proof, so the rows of
data/guard_patterns.toml ask for form, prefix or a word nearby as well.

At work in notebook 10, section "What comes in and what goes out".
"""

from __future__ import annotations

import re

__all__ = ["aadhaar", "bsn", "card", "cpf", "dni", "iban", "luhn", "nhs", "nir", "pesel", "phone", "ssn", "steuer_id"]

# First digits and lengths, as the card schemes publish them.
CARDS = (
    (r"4", (13, 16, 19)),
    (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),
    (r"3[47]", (15,)),
    (r"6011|64[4-9]|65", (16, 17, 18, 19)),
    (r"352[89]|35[3-8]", (16, 17, 18, 19)),
    (r"30[0-5]|36|38", (14,)),
    (r"62", (16, 17, 18, 19)),
)
# fmt: off
IBAN_LENGTHS = {
    "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24, "FI": 18, "FR": 27,
    "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IS": 26, "IT": 27, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MT": 31,
    "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "SE": 24, "SI": 19, "SK": 24,
}
# fmt: on


def luhn(text: str) -> bool:
    """Luhn: every second digit from the right doubled, the sum a multiple of ten."""
    digits = _digits(text)[::-1]
    return bool(digits) and sum(sum(divmod(2 * d, 10)) if i % 2 else d for i, d in enumerate(digits)) % 10 == 0


def card(text: str) -> bool:
    """A payment card: a scheme's first digits and length, and Luhn."""
    plain = "".join(map(str, _digits(text)))
    known = any(re.match(first, plain) and len(plain) in lengths for first, lengths in CARDS)
    return known and luhn(plain)


def iban(text: str) -> bool:
    """An account: the country's length, and the whole number 1 modulo 97 (ISO 13616)."""
    plain = re.sub(r"[ -]", "", text).upper()
    if not plain.isascii() or len(plain) != IBAN_LENGTHS.get(plain[:2]):
        return False
    return int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1


def nhs(text: str) -> bool:
    """England's NHS number: ten digits, weights 10 to 2, eleven minus the remainder is the last."""
    digits = _digits(text)
    if len(digits) != 10:
        return False
    last = (11 - sum(d * w for d, w in zip(digits, range(10, 1, -1), strict=False)) % 11) % 11
    return last == digits[9]


def bsn(text: str) -> bool:
    """The Netherlands' BSN: nine digits, weights 9 to 2 and -1, a multiple of eleven."""
    digits = _digits(text)
    return len(digits) == 9 and any(digits) and _weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def pesel(text: str) -> bool:
    """Poland's PESEL: eleven digits, weights 1 3 7 9 and so on, a multiple of ten, and a month that exists."""
    digits = _digits(text)
    if len(digits) != 11 or not 1 <= (10 * digits[2] + digits[3]) % 20 <= 12:
        return False
    return _weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def cpf(text: str) -> bool:
    """Brazil's CPF: eleven digits, not all the same, two check digits modulo eleven."""
    digits = _digits(text)
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    ends = (_weighted(digits, range(n + 1, 1, -1)) * 10 % 11 % 10 for n in (9, 10))
    return list(ends) == digits[9:]


def dni(text: str) -> bool:
    """Spain's DNI and NIE: a number and the letter at its remainder modulo 23."""
    plain = re.sub(r"[ .-]", "", text).upper()
    number = plain[:-1].translate(str.maketrans("XYZ", "012"))
    return number.isdecimal() and "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == plain[-1]


def nir(text: str) -> bool:
    """France's NIR: thirteen digits (Corsica's 2A and 2B count as 19 and 18), and 97 minus their remainder."""
    plain = re.sub(r"[ .-]", "", text).upper().replace("2A", "19").replace("2B", "18")
    return plain.isdecimal() and len(plain) == 15 and 97 - int(plain[:13]) % 97 == int(plain[13:])


def steuer_id(text: str) -> bool:
    """Germany's tax number of eleven digits, ISO 7064 modulo 11,10."""
    digits, product = _digits(text), 10
    if len(digits) != 11 or digits[0] == 0:
        return False
    for digit in digits[:10]:
        product = ((digit + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == digits[10]


def aadhaar(text: str) -> bool:
    """India's Aadhaar: twelve digits, the first from 2 up, Verhoeff's check digit."""
    digits, check = _digits(text), 0
    if len(digits) != 12 or digits[0] < 2:
        return False
    for place, digit in enumerate(reversed(digits)):
        for _ in range(place % 8):
            digit = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[digit]
        check = _dihedral(check, digit)
    return check == 0


def ssn(text: str) -> bool:
    """A United States SSN has no check digit; only areas 000, 666 and 900 up, and zero groups, are never given out."""
    digits = "".join(map(str, _digits(text)))
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return len(digits) == 9 and area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def phone(text: str) -> bool:
    """A telephone number: 7 to 15 digits (E.164), not one digit alone."""
    digits = _digits(text)
    return 7 <= len(digits) <= 15 and len(set(digits)) > 1


def _digits(text: str) -> list[int]:
    return [int(one) for one in text if one.isdecimal()]


def _weighted(digits: list[int], weights) -> int:
    return sum(d * w for d, w in zip(digits, weights, strict=False))


def _dihedral(a: int, b: int) -> int:
    """Multiply in the group of a pentagon's symmetries: 0 to 4 turn it, 5 to 9 flip it first."""
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
    return 5 + (a - b) % 5 if b < 5 else (a - b) % 5
