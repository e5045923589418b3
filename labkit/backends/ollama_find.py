"""Which Ollama there is: the program, or a server that already runs; and whether its version is safe to use.

LABKIT_OLLAMA names the program, LABKIT_OLLAMA_URL a running server on this machine (then labkit starts none). Taught in
notebook 06, sections "Install" and "Who may use it".
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from urllib.parse import urlsplit

from labkit.backends import ollama_api
from labkit.backends.loopback import LOOPBACK
from labkit.disk import unset_variable
from labkit.errors import ConfigError, EngineDied, EngineMissing, EngineTimeout

# CVE-2026-7482 (GHSA-x8qc-fggm-mpqg): before 0.17.1 /api/create reads past the end of a crafted GGUF, and memory leaks out.
FIXED = (0, 17, 1)
PORT = 11434
INSTALL = {"darwin": "brew install ollama", "win32": "winget install Ollama.Ollama"}
PLACES = (
    "/usr/local/bin/ollama",
    "/usr/bin/ollama",
    "/opt/homebrew/bin/ollama",
    "/Applications/Ollama.app/Contents/Resources/ollama",
    "~/.local/bin/ollama",
    "~/AppData/Local/Programs/Ollama/ollama.exe",
)


@dataclass(frozen=True)
class Found:
    """An Ollama that may be used: a `program` to start, or the `address` of a server that runs. One of them is empty."""

    version: str
    program: str = ""
    address: str = ""


def find() -> Found:
    """Return the Ollama of this machine: LABKIT_OLLAMA_URL, LABKIT_OLLAMA, the PATH, the usual places, a running server.

    Raises EngineMissing (none, or an unsafe one), ConfigError (a variable names another machine).
    """
    if url := os.environ.get("LABKIT_OLLAMA_URL"):
        return _running(local_address(url, "LABKIT_OLLAMA_URL"), "LABKIT_OLLAMA_URL")
    if program := _program():
        stat = os.stat(program)
        return Found(_safe(_version_of(program, stat.st_mtime_ns, stat.st_size), program), program=program)
    return _somebodys()


def local_address(url: str, name: str) -> str:
    """Return `url` as "http://HOST:PORT"; raise ConfigError unless its host is this machine by one of three names."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        host, port = parts.hostname, parts.port or PORT
    except ValueError:
        host, port = None, None
    if parts.scheme != "http" or host not in LOOPBACK:
        raise ConfigError(
            f"{name} does not name this machine: {url}",
            f"prompts would leave it; the host must be one of {', '.join(LOOPBACK)}",
            unset_variable(name),
        )
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _program() -> str | None:
    if named := os.environ.get("LABKIT_OLLAMA"):
        if found := shutil.which(os.path.expanduser(named)):
            return found
        raise EngineMissing(
            f"LABKIT_OLLAMA names {named}, which is no program.", "a typing error?", unset_variable("LABKIT_OLLAMA")
        )
    places = (shutil.which(os.path.expanduser(place)) for place in PLACES)
    return shutil.which("ollama") or next((place for place in places if place), None)


@functools.lru_cache(maxsize=8)
def _version_of(program: str, _changed: int, _size: int) -> str:
    """Ask the program, with nobody to talk to, or it tells the version of whatever server runs instead."""
    environment = {**os.environ, "OLLAMA_HOST": "127.0.0.1:1"}
    try:
        said = subprocess.run(
            [program, "--version"], env=environment, capture_output=True, text=True, timeout=30, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineMissing(f"{program} does not start.", f"{error}", install()) from None
    if version := re.search(r"version is (\S+)", said):
        return version.group(1)
    raise EngineMissing(f"{program} is not Ollama.", f"asked for its version, it said {said[:80]!r}", install())


def _running(address: str, name: str) -> Found:
    try:
        version = ollama_api.version(address)
    except (EngineDied, EngineTimeout) as error:
        raise EngineMissing(
            f"{error.what} ({name})", f"{error.why}; `ollama serve` starts one", unset_variable(name)
        ) from None
    return Found(_safe(version, f"The server at {address}"), address=address)


def _somebodys() -> Found:
    """There is no program; perhaps its server runs here all the same, in a container for instance."""
    host = os.environ.get("OLLAMA_HOST") or LOOPBACK[0]
    try:
        address = local_address(host.replace("0.0.0.0", LOOPBACK[0]), "OLLAMA_HOST")
        version = ollama_api.version(address)
    except (ConfigError, EngineDied, EngineTimeout):
        why = "it is not installed, or not on the PATH"
        raise EngineMissing("The program ollama is not here.", why, install()) from None
    return Found(_safe(version, f"The server at {address}"), address=address)


def _safe(version: str, what: str) -> str:
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    if numbers >= FIXED:
        return version
    wanted = ".".join(map(str, FIXED))
    why = (
        "CVE-2026-7482: a bad model file makes it leak its memory; a version 0.0.0 was built without saying which it is"
    )
    raise EngineMissing(f"{what} is Ollama {version}, open to CVE-2026-7482; {wanted} is not.", why, install())


def install() -> str:
    """Return the command that installs or renews Ollama on this kind of machine."""
    return INSTALL.get(sys.platform, "curl -fsSL https://ollama.com/install.sh | sh")
