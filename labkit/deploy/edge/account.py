"""What became of every request of a drill: read from the files of devices and cloud tier, held against what the clients counted.

Explained in notebook 12, section "The edge".
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labkit.deploy.edge.layout import CLOUD
from labkit.deploy.edge.outbox import Outbox, State
from labkit.deploy.edge.receiver import Inbox

__all__ = ["account"]


def account(facts: Mapping[str, Any], site: Any, clients: Mapping[str, Any], mark: str) -> dict[str, Any]:
    """Return `ok`, `problems`, `devices` (counts of each), `cloud` and `total`. facts: of the run; mark: of private requests."""
    devices = {name: _device(site.file(name), client, site) for name, client in clients.items()}
    total = {name: sum(one[name] for one in devices.values()) for name in next(iter(devices.values()))}
    cloud = _cloud(site.file(CLOUD), clients, mark)
    private_seen = sum(link.seen for link in site.links.all.values())
    private_sent = private_seen + cloud.pop("private_ids") + cloud.pop("private_texts")
    total |= {"private_sent": private_sent, "duplicates_suppressed": cloud["duplicates"]}
    problems = {
        f"{total['lost']} accepted requests lost": total["lost"] > 0,
        f"{total['unanswered']} accepted requests have no answer": total["unanswered"] > 0,
        f"private requests left their device {private_sent} times": private_sent > 0,
        f"{total['private_stored']} private requests were queued": total["private_stored"] > 0,
        f"{total['private_elsewhere']} private requests were answered elsewhere": total["private_elsewhere"] > 0,
        f"{total['waiting']} stored requests were not forwarded": total["waiting"] > 0,
        f"the cloud refused {total['dead']} for ever": total["dead"] > 0,
        f"{cloud['twice']} requests had their effect twice": cloud["twice"] > 0,
        "the cloud's ledger and the devices' forwarded requests differ": cloud["effects"] != total["forwarded"],
        "a private request was answered while its device had no engine": not facts["private_waited"],
        # A drill in which nothing of the kind happened shows nothing.
        "nothing was accepted while offline": not facts["accepted_offline"],
        "nothing was stored while offline": not facts["stored_when_back"],
        "no request was private": not total["private"],
        "no duplicate came to the cloud": not cloud["duplicates"],
        "no peer answered for another device": any(site.who.peers.values()) and not total["asked_a_peer"],
        "no answer of the cloud was lost on the way": not facts["answers_lost"],
    }
    found = [words for words, wrong in problems.items() if wrong]
    return {"ok": not found, "problems": found, "total": total, "devices": devices, "cloud": cloud}


def _device(file: Path, client: Any, site: Any) -> dict[str, int]:
    """Counts of one device. accepted: as its client counts; everything else as its file says."""
    box = Outbox(file)
    try:
        states, counts = {one.id: one for one in box.all()}, box.counts()
    finally:
        box.close()
    kept = [states[id] for id in client.accepted if id in states]
    private = [states[id] for id, secret in client.accepted.items() if secret and id in states]
    count = lambda those, test: sum(1 for one in those if test(one))  # noqa: E731
    return {
        "accepted": len(client.accepted),
        "lost": len(client.accepted) - len(kept),
        "unanswered": count(kept, lambda one: one.by is None),
        "answered_locally": count(kept, lambda one: one.by == "small"),
        "answered_by_peer": count(kept, lambda one: one.by in site.who.devices),
        "asked_a_peer": count(kept, lambda one: one.first in site.who.devices),
        "answered_by_cloud": count(kept, lambda one: one.by == "big"),
        "nobody_sure": count(kept, lambda one: one.by == "nobody"),
        "stored": count(kept, lambda one: one.stored),
        "forwarded": count(kept, _forwarded),
        "waiting": counts["waiting"],
        "dead": counts["dead"],
        "asked_again": client.asked_again,
        "private": len(private),
        "private_kept": count(private, lambda one: one.by in ("small", "nobody") and not one.stored),
        "private_stored": count(private, lambda one: one.stored),
        "private_elsewhere": count(private, lambda one: one.by not in ("small", "nobody", None)),
    }


def _forwarded(one: State) -> bool:
    return one.stored and one.by == "big"


def _cloud(file: Path, clients: Mapping[str, Any], mark: str) -> dict[str, int]:
    """Counts of the cloud tier, and whether anything private is in its file."""
    inbox = Inbox(file)
    counts = inbox.counts()
    inbox.close()
    private = {id for client in clients.values() for id, secret in client.accepted.items() if secret}
    with sqlite3.connect(file) as database:
        ids = {id for (id,) in database.execute("SELECT id FROM arrivals")}
    database.close()
    texts = sum(part.read_bytes().count(mark.encode()) for part in file.parent.glob(f"{file.name}*"))
    return {**counts, "private_ids": len(ids & private), "private_texts": texts}
