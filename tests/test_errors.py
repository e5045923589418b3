"""The one error tree: as it is drawn, so it is."""

import re

from labkit import errors

KINDS = {
    name: one for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, errors.LabkitError)
}


def test_the_drawing_is_the_tree():
    drawn, parent = {}, ""
    for line in errors.__doc__.partition("LabkitError\n")[2].partition("\n\n")[0].splitlines():
        words = re.findall(r"\w+", line)
        if "──" in line:
            parent = words.pop(0)
            drawn.setdefault(parent, "LabkitError")
        drawn |= dict.fromkeys(words, parent)
    assert drawn == {name: one.__base__.__name__ for name, one in KINDS.items() if name != "LabkitError"}
    assert set(errors.__all__) == set(KINDS)


def test_every_kind_says_what_it_stands_for():
    assert all(one.__doc__ and one.__doc__ != one.__base__.__doc__ for one in KINDS.values())
