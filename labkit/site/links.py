"""Links of the built pages: each leads to a file and an anchor that are there, and nothing is fetched from another host.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["Links", "check"]

FETCHED = {**dict.fromkeys(("script", "img", "iframe", "source", "video", "audio"), "src"), "link": "href"}
IN_STYLE = re.compile(r"(?:@import\s+|url\()\s*['\"]?(?!url\(|data:|#)([^)'\";]+)")


@dataclass(frozen=True)
class Links:
    """problems: "page: what is wrong"; external: addresses on other hosts that a reader may follow, each once, sorted."""

    problems: list[str] = field(default_factory=list)
    external: list[str] = field(default_factory=list)


def check(folder: Path, pages: list[Path]) -> Links:
    """Return what is wrong with the links of `pages`, which lie in `folder`, and which lead to other hosts (not tried)."""
    read = {page.relative_to(folder).as_posix(): _Page(page) for page in pages}
    problems, external = [], set()
    for name, page in read.items():
        problems += [f"{name}: fetches {one}" for one in page.styled if _foreign(one)]
        for tag, address in page.links:
            if not _foreign(address):
                problems += [f"{name}: {why}" for why in _inside(folder, name, address, read)]
            elif tag == "a":
                external.add(address)
            else:
                problems.append(f"{name}: <{tag}> fetches {address}")
    return Links(problems, sorted(external))


def _foreign(address: str) -> bool:
    return bool(urlsplit(address).netloc) or urlsplit(address).scheme in ("http", "https", "mailto")


def _inside(folder: Path, name: str, address: str, read: dict[str, _Page]) -> list[str]:
    """Return why a link inside the site leads nowhere; [] if it is well."""
    parts = urlsplit(address)
    if parts.scheme == "data":
        return []
    if parts.scheme or parts.path.startswith("/"):
        return [f"{address} works on one machine only"]
    target = unquote(parts.path) or name
    if not (folder / target).is_file():
        return [f"{address}: there is no {target}"]
    anchor = unquote(parts.fragment)
    if anchor and target in read and anchor not in read[target].ids:
        return [f"{address}: {target} has no such section"]
    return []


class _Page(HTMLParser):
    """The ids, links and style of one page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[tuple[str, str]] = []
        self.styled: list[str] = []
        self._in_style = False
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids |= {found["id"]} if found.get("id") else set()
        self._in_style = tag == "style"
        where = "href" if tag == "a" else FETCHED.get(tag, "")
        if found.get(where):
            self.links.append((tag, found[where]))
        self.styled += IN_STYLE.findall(found.get("style", ""))

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.styled += IN_STYLE.findall(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False
