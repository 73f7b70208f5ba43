"""Files replaced in one step: whoever reads one, after whatever crash, finds the old content or the new."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file beside the one that it then replaces, with that one's permissions.

    A link stays, and what it leads to is replaced. If anything fails, the old file is as it was and nothing is left
    beside it; only a process that is killed may leave its unfinished file, whose name starts with ``.sknorm-``.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    target = os.path.realpath(os.fsdecode(path))
    if os.path.exists(target) and not os.path.isfile(target):
        raise OSError(f"{target!r} is no regular file, which alone can be replaced in one step; give another path.")
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "No such folder", folder)
    # A name of its own, for the target's may be as long as names may be.
    beside = os.path.join(folder, f".sknorm-{secrets.token_hex(8)}.tmp")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with open(descriptor, "wb") as file:
            with contextlib.suppress(FileNotFoundError):
                os.chmod(beside, stat.S_IMODE(os.stat(target).st_mode) & 0o777)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    """Have the new name on the disk too, where the platform lets a folder be opened."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # a folder that may be written, but not read
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
