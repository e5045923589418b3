"""The three checklists of the course module, joined into one, and every item that a machine can check as a check.

    results = run(Service())                     # or read(Path("kiosk.toml")), see labkit/operate/service.py
    print(table(results))
    [one.item.id for one in results if one.status == "fail"]

The items are data (data/checklists.toml): what the module says, for which engines it says so, and the name of the check in
labkit/operate/checks.py or checks_live.py, or why no check is possible here. An item without a check is never passed: somebody has
to look.

Taught in notebook 10, section "The checklists".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from labkit.errors import ConfigError, LabkitError
from labkit.operate.checking import CHECKS, FAIL, NOT_CHECKABLE, PASS
from labkit.operate.service import Place, Service
from labkit.paths import read_table
from labkit.progress import Progress, silent

__all__ = ["Item", "Result", "items", "look", "run", "table"]


@dataclass(frozen=True)
class Item:
    """One line of the checklists.

    says: the item. where: the lists that have it. check: the name of its check, or "", and then `why_not` says why there is
    none. command: the one to look at, or to set it right.
    """

    id: str
    group: str
    says: str
    where: tuple[str, ...]
    check: str = ""
    why_not: str = ""
    command: str = ""


@dataclass(frozen=True)
class Result:
    """What came of an item: `status` "pass", "fail" or "not checkable here", and the `evidence` in words."""

    item: Item
    status: str
    evidence: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON would hold it."""
        about = {"id": self.item.id, "group": self.item.group, "says": self.item.says, "where": list(self.item.where)}
        return about | {"status": self.status, "evidence": self.evidence, "command": self.item.command}


def items() -> list[Item]:
    """Return all items in the order of data/checklists.toml. Raises ConfigError for one with no check and no reason, or both.

    Taught in notebook 10, section "The checklists".
    """
    rows = read_table("checklists.toml")["item"]
    found = [Item(**{**row, "where": tuple(row["where"])}) for row in rows]
    for item in found:
        if bool(item.check) == bool(item.why_not):
            raise ConfigError(f"The checklist's item {item.id!r} needs a check or a reason.", "it has both or none", "")
    return found


def run(
    service: Service | None = None,
    *,
    backend: str = "auto",
    model: str = "auto",
    progress: Progress = silent,
) -> list[Result]:
    """Look at everything and return a result an item. The engine that is started for it (backend, model) is stopped again.

    Taught in notebook 10, section "The checklists".
    """
    todo = items()
    place = Place(service or Service(), backend, model)
    done: dict[str, tuple[str, str]] = {}  # a check that stands at several items runs once
    results = []
    try:
        for number, item in enumerate(todo):
            progress(item.says[:40], number, len(todo))
            if item.check and item.check not in done:
                done[item.check] = look(item.check, place)
            results.append(Result(item, *(done[item.check] if item.check else (NOT_CHECKABLE, item.why_not))))
    finally:
        place.close()
    return results


def look(check: str, place: Place) -> tuple[str, str]:
    """Return status and evidence of one check; whatever labkit raises on the way is a fail, with its words as the evidence."""
    from labkit.operate import checks, checks_live  # noqa: F401 - each puts its checks into CHECKS

    try:
        return CHECKS[check](place)
    except LabkitError as error:
        return FAIL, " ".join(part for part in (error.what, error.why) if part)


def table(results: Iterable[Result]) -> str:
    """Return the results as text: a line an item and a line of evidence, by groups, and the count at the end.

    Taught in notebook 10, section "The checklists".
    """
    results, lines, group = list(results), [], ""
    for one in results:
        if one.item.group != group:
            group = one.item.group
            lines += [f"\n{group}"]
        lines += [f"  {one.status:18}  {one.item.says}  ({', '.join(one.item.where)})", f"  {'':18}  {one.evidence}"]
        lines += [f"  {'':18}  Try: {one.item.command}"] if one.status == FAIL and one.item.command else []
    counts = {status: sum(one.status == status for one in results) for status in (PASS, FAIL, NOT_CHECKABLE)}
    return "\n".join([*lines, "", ", ".join(f"{count} {status}" for status, count in counts.items())]).strip()
