"""One resumable, checked download: `fetch(url, dest)` leaves `dest` whole or not at all.

    fetch(url, "model.gguf", sha256="6eb9…", size=397_808_192, progress=bar)

The bytes go into `dest` + ".part". A broken connection, Ctrl-C, kill -9 or a full disk leave that file, and the next call
goes on where it ends; only a wrong hash removes it. Two processes that want the same file take turns.

Taught in notebook 00, section "Where errors show".
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import httpx2 as httpx

from labkit import disk, network
from labkit.errors import DownloadError, HashMismatch
from labkit.progress import Progress, silent

__all__ = ["fetch", "sha256_of"]

CHUNK = 1 << 20  # bytes copied at once
ATTEMPTS, HEADWAY = 5, 1 << 20  # connections in a row that each bring less than so many bytes, before it gives up
PAUSE_S = 0.5  # before the second attempt, then twice as long each time


class _Broken(Exception):
    """This connection ended early; the next one may not."""


@dataclass
class _Job:
    url: str
    dest: Path
    sha256: str | None
    size: int | None
    progress: Progress
    headers: dict[str, str]
    by_hand: str
    etag: str | None = None  # of the bytes that this process has got so far

    @property
    def part(self) -> Path:
        return self.dest.with_name(self.dest.name + ".part")

    @property
    def done(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def tell(self, doing: str, done: int, total: int) -> None:
        self.progress(f"{doing} {self.dest.name}", done, total)


def fetch(
    url: str,
    dest: str | Path,
    sha256: str | None = None,
    size: int | None = None,
    progress: Progress | None = None,
    headers: dict[str, str] | None = None,
    by_hand: str = "",
) -> Path:
    """Bring the file at `url` (http, https or file) to `dest`, and return that path; a file that is right already stays.

    `sha256` (hex) and `size` (bytes) are promises about the file; without both, one that is there counts as right.
    `progress(label, done, total)` counts bytes. `by_hand` is the command that messages suggest where the network fails.
    Raises OfflineError, ProxyError, CertificateError, DownloadError, HashMismatch, NoSpace; `dest` is then as it was.
    """
    job = _Job(url, Path(dest), sha256, size, progress or silent, headers or {}, by_hand)

    def waiting() -> None:
        job.tell("waiting for another process to fetch", job.done, size or 0)

    with disk.errors(job.dest):
        job.dest.parent.mkdir(parents=True, exist_ok=True)
        with disk.one_writer(job.dest, waiting):
            if not _is_right(job):
                _bring(job)
                os.replace(job.part, job.dest)
    return job.dest


def sha256_of(path: Path, report: Callable[[int, int], None] = lambda done, total: None) -> str:
    """Return the SHA-256 of a file in hex; `report(done, total)` counts its bytes."""
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
            done += len(block)
            report(done, total)
    return digest.hexdigest()


def _is_right(job: _Job) -> bool:
    if not job.dest.is_file() or (job.size is not None and job.dest.stat().st_size != job.size):
        return False
    return job.sha256 is None or sha256_of(job.dest) == job.sha256


def _bring(job: _Job) -> None:
    """Fill .part and check it. Bytes left by an earlier process may be of another file: then once more from the start."""
    resumed = job.done > 0
    _copy(job) if urlsplit(job.url).scheme == "file" else _download(job)
    if job.sha256 is None or sha256_of(job.part, lambda *n: job.tell("checking", *n)) == job.sha256:
        return
    job.part.unlink()
    if resumed:
        return _bring(job)
    why = "it was damaged on the way, changed at its source, or a proxy put something else in its place"
    what = f"{network.bare(job.url)} is not the file that was promised: its SHA-256 is wrong"
    raise HashMismatch(what, why, job.by_hand or "labkit doctor")


def _copy(job: _Job) -> None:
    source = Path(url2pathname(urlsplit(job.url).path))
    if not source.is_file():
        why = "a setting of pip (find-links, index-url) points there"
        raise DownloadError(f"{source} is not there", why, job.by_hand or "python -m pip config list")
    total = source.stat().st_size
    with open(source, "rb") as file:
        _write(job, iter(lambda: file.read(CHUNK), b""), 0, total)


def _download(job: _Job) -> None:
    """Ask until all bytes are here: each new connection goes on where the last one broke."""
    first, attempts = job.done, 0
    with network.client(job.url, job.by_hand) as http:
        while True:
            before = job.done
            try:
                with network.failures(job.url, job.by_hand):
                    return _ask(http, job, begun=job.done != first)
            except _Broken as broken:
                attempts = 1 if job.done - before >= HEADWAY else attempts + 1
                if attempts >= ATTEMPTS:
                    raise _gave_up(job, broken) from None
                time.sleep(PAUSE_S * 2 ** (attempts - 1))


def _gave_up(job: _Job, broken: _Broken) -> DownloadError:
    here = f"{job.done:,}" + (f" of {job.size:,}" if job.size else "")
    what = f"{urlsplit(job.url).hostname} broke the download off, {ATTEMPTS} times in a row"
    return DownloadError(what, f"{broken}; the {here} bytes that came are kept", job.by_hand or "labkit doctor")


def _ask(http: httpx.Client, job: _Job, begun: bool) -> None:
    """Take what one connection brings; raise _Broken if that is not all and another one may bring the rest."""
    start = _resumable(job)
    if start and start == job.size:  # stopped between the last byte and the rename
        return
    headers = {**job.headers, "Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-"} | ({"If-Range": job.etag} if job.etag else {})
    try:
        with http.stream("GET", job.url, headers=headers) as response:
            _take(response, job, start)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        if not begun:  # never reached: waiting would not help
            raise
        raise _Broken(f"{error}" or "no connection") from None
    except (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError) as error:
        raise _Broken(f"{error}" or type(error).__name__) from None


def _resumable(job: _Job) -> int:
    """Where to go on: at the end of .part, if something will prove that both halves are of one file."""
    proof = job.sha256 or job.etag
    return job.done if proof and (job.size is None or job.done <= job.size) else 0


def _take(response: httpx.Response, job: _Job, start: int) -> None:
    if response.status_code in network.PASSING:
        raise _Broken(f"it answered {response.status_code}")
    if response.status_code == 416:  # nothing after `start`: it was the whole file, or .part is of a longer one
        if response.headers.get("content-range", "").endswith(f"*/{start}"):
            return
        job.part.unlink(missing_ok=True)
        raise _Broken("the file is shorter than what is here")
    network.refuse(response, job.by_hand)
    start, total = _span(response, start, job)
    etag = response.headers.get("etag")
    job.etag = etag if etag and not etag.startswith("W/") else None
    _write(job, response.iter_raw(), start, total)
    if job.done < (total or job.size or 0):
        raise _Broken(f"it stopped after {job.done:,} bytes")


def _span(response: httpx.Response, start: int, job: _Job) -> tuple[int, int]:
    """Where the body belongs, and the whole file's size (0: unknown). A server may ignore Range, or err about it."""
    length = int(response.headers.get("content-length", 0))
    if response.status_code != 206:
        return 0, length
    span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("content-range", ""))
    if not span or int(span[1]) != start:
        job.part.unlink(missing_ok=True)
        raise _Broken("it sent another piece than the one asked for")
    return start, start + length if span[2] == "*" else int(span[2])


def _write(job: _Job, chunks: Iterable[bytes], start: int, total: int) -> None:
    host, fix = urlsplit(job.url).hostname or job.url, job.by_hand or "labkit doctor"
    if job.size is not None and total not in (0, job.size):
        what = f"{host} offers {total:,} bytes, but the file has {job.size:,}"
        raise DownloadError(what, "another version took its place", fix)
    total = total or job.size or 0
    disk.need_room(job.dest.parent, total - start)
    with open(job.part, "r+b" if start else "wb") as file:
        file.seek(start)
        for chunk in chunks:
            if total and file.tell() + len(chunk) > total:
                raise DownloadError(f"{host} does not stop after {total:,} bytes", "another file took its place", fix)
            file.write(chunk)
            job.tell("downloading", file.tell(), total)
        file.flush()
        os.fsync(file.fileno())
