"""The texts that perplexity and KL divergence are measured on: one is shipped, standard ones come from a hub by name.

    text_file("moby-dick")                        # shipped
    text_file("wikitext-2", progress_bar())       # fetched once, checked against its hash, kept in labkit's folder
    text_file("/my/own/text.txt")                 # a file of your own

The table is data/text/texts.toml. A figure says something beside other figures on the same text only.

At work in notebook 03, section "The ladder".
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from labkit import disk, locate, paths
from labkit.errors import ConfigError, HashMismatch
from labkit.fetch import fetch, sha256_of
from labkit.nearest import meant
from labkit.progress import Progress, silent

__all__ = ["SHIPPED", "Text", "bring", "evaluation_text", "text_file", "texts"]

SHIPPED = "moby-dick"


@dataclass(frozen=True)
class Text:
    """One text by name: shipped (`file`), or the `member` of an archive on the hub. Sizes in bytes, hashes SHA-256 in hex."""

    name: str
    says: str
    licence: str
    file: str = ""
    repository: str = ""
    revision: str = "main"
    path: str = ""
    bytes: int = 0
    sha256: str = ""
    member: str = ""
    member_bytes: int = 0
    member_sha256: str = ""


def texts() -> dict[str, Text]:
    """Return the texts that are known by name."""
    rows = paths.read_table("text/texts.toml")
    return {name: Text(name, **row) for name, row in rows.items()}


def text_file(name: str, progress: Progress = silent) -> Path:
    """Return the file of a text: a name of `texts()`, or the path of a text file (UTF-8). progress counts bytes.

    Raises ConfigError for what is neither; OfflineError, ProxyError, CertificateError, DownloadError, HashMismatch, NoSpace.
    """
    known = texts()
    if name in known:
        return bring(known[name], progress)
    if Path(name).is_file():
        return Path(name)
    why = meant(name, known, "it is no file, and the names are")
    raise ConfigError(f"There is no text {name!r}.", why, f"labkit quantize --text {SHIPPED}")


def evaluation_text() -> Path:
    """Return the shipped text that models are scored on: the first 32 chapters of Moby-Dick, in the public domain."""
    return text_file(SHIPPED)


def bring(text: Text, progress: Progress = silent) -> Path:
    """Return the file of a text; fetch it first if it is not here. Raises as `text_file`."""
    if text.file:
        return paths.data_dir() / "text" / text.file
    dest = paths.home() / "texts" / f"{text.name}.txt"
    if not (dest.is_file() and sha256_of(dest) == text.member_sha256):
        _fetch(text, dest, progress)
    return dest


def _fetch(text: Text, dest: Path, progress: Progress) -> None:
    by_hand = f"labkit quantize --text {Path(text.member).name}  # a copy of that file from another machine"
    url, headers = locate.on_hub(text.repository, text.revision, text.path)
    archive = dest.with_suffix(".zip")
    fetch(url, archive, text.sha256, text.bytes, progress, headers, by_hand)
    with disk.errors(dest), zipfile.ZipFile(archive) as whole:
        body = whole.read(text.member)
        if hashlib.sha256(body).hexdigest() != text.member_sha256:
            what = f"{text.member} in {archive.name} is not the text that was promised: its SHA-256 is wrong"
            raise HashMismatch(what, "the table of texts and the archive do not belong together", by_hand)
        with disk.placed(dest) as out:
            out.write(body)
    archive.unlink()
