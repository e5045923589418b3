"""Files that appear whole or not at all: room on the disk, one writer a file, and a rename as the last step.

    with disk.errors(dest), disk.one_writer(dest):      # a second process waits here
        disk.need_room(dest.parent, size)
        with disk.placed(dest) as file:                 # writes dest.tmp, then renames it
            file.write(...)

The lock belongs to the operating system, so it goes when its process goes, kill -9 included. The file it hangs on is
empty.

Taught in notebook 00, section "Where errors show".
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from labkit.errors import NoSpace, WeightsError

__all__ = ["need_room", "errors", "one_writer", "placed", "remove_command", "set_variable", "unset_variable"]

SPARE = 64 * 2**20  # bytes left free on purpose: a disk filled to the brim breaks more than us
POLL_S = 0.1
REFUSED = {
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "this user may not write there"),
    **dict.fromkeys((errno.ENOTDIR, errno.EISDIR, errno.EEXIST), "something else of that name is in the way"),
}


def need_room(folder: Path, nbytes: int, fix: str = "") -> None:
    """Raise NoSpace, with the command `fix`, unless the disk that holds `folder` has `nbytes` free, and a little more.

    fix: one command that helps; "" is the one that puts labkit's own folder elsewhere.
    """
    free = shutil.disk_usage(folder).free
    if free < nbytes + SPARE:
        raise _no_space(folder, f"{_mb(nbytes)} are needed there (and {_mb(SPARE)} spare), {_mb(free)} are free", fix)


@contextlib.contextmanager
def errors(dest: Path, fix: str = "") -> Iterator[None]:
    """Turn what the disk says while `dest` is written into NoSpace (full, over quota) or WeightsError (not ours,
    or not free).

    fix: as in `need_room`.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            why = "it filled up, or a quota was reached, while it was written"
            raise _no_space(dest.parent, why, fix) from None
        if error.errno in REFUSED:
            why = f"{REFUSED[error.errno]} ({error.strerror})"
            raise WeightsError(f"Cannot write {dest}", why, fix or _elsewhere()) from None
        raise


@contextlib.contextmanager
def one_writer(dest: Path, waiting: Callable[[], None] = lambda: None, poll_s: float = POLL_S) -> Iterator[None]:
    """Hold the right to write `dest` for the block; call `waiting()` every `poll_s` seconds while another process has it.

    The right ends with the process that holds it, however it ends. Nothing is left behind, except an empty `.lock` file
    after a kill -9, which the next writer takes over.
    """
    lock = dest.with_name(dest.name + ".lock")
    while (handle := _take(lock)) is None:
        waiting()
        time.sleep(poll_s)
    try:
        yield
    finally:
        _give_back(lock, handle)


@contextlib.contextmanager
def placed(dest: Path) -> Iterator[BinaryIO]:
    """Yield a binary file that becomes `dest` when the block ends well, and vanishes when it does not.

    One writer at a time: it is always called `dest` + ".tmp", so that the next try clears up after a kill -9.
    """
    temporary = dest.with_name(dest.name + ".tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, dest)
    finally:
        temporary.unlink(missing_ok=True)


def remove_command(path: Path) -> str:
    """Return the shell command that deletes a file on this kind of machine."""
    return f'del "{path}"' if sys.platform == "win32" else f"rm {shlex.quote(str(path))}"


def set_variable(name: str, value: str) -> str:
    """Return the shell command that sets an environment variable on this kind of machine."""
    return f"set {name}={value}" if sys.platform == "win32" else f"export {name}={value}"


def unset_variable(name: str) -> str:
    """Return the shell command that takes an environment variable away on this kind of machine."""
    return f"set {name}=" if sys.platform == "win32" else f"unset {name}"


def _no_space(folder: Path, why: str, fix: str) -> NoSpace:
    return NoSpace(f"Not enough room on the disk that holds {folder}", why, fix or _elsewhere())


def _elsewhere() -> str:
    return set_variable("LABKIT_HOME", "/a/folder/with/room")


def _mb(nbytes: int) -> str:
    return f"{nbytes / 1e6:,.0f} MB"


def _take(lock: Path) -> int | None:
    """Return a handle that holds the lock, or None while somebody else does."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    if _locked(handle) and _is_still(lock, handle):
        return handle
    os.close(handle)
    return None


def _is_still(lock: Path, handle: int) -> bool:
    """Whether the name still leads to this file: the holder before us removes it when it is done."""
    try:
        return os.path.samestat(os.stat(lock), os.fstat(handle))
    except FileNotFoundError:
        return False


def _locked(handle: int) -> bool:
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # some network folders cannot lock at all: better unguarded than stuck
    return True


def _give_back(lock: Path, handle: int) -> None:
    if sys.platform == "win32":  # an open file cannot be removed there, and one that another process opened stays
        os.close(handle)
        with contextlib.suppress(OSError):
            lock.unlink()
    else:  # removed while still held, so that nobody can lock a file that is about to go
        lock.unlink(missing_ok=True)
        os.close(handle)
