"""Files: only regular ones are read, and they are written whole or not at all."""

import errno
import hashlib
import os
import secrets
import stat
from io import BufferedReader
from pathlib import Path

from tracer.errors import OutputError


def open_regular(path: Path) -> BufferedReader:
    """A file opened to be read: a pipe or a device may never end, or never begin.

    Raises:
        OSError: If it is missing, cannot be read, or is no regular file.
    """
    require_regular(path)
    return path.open("rb")


def require_regular(path: Path) -> None:
    """Make sure that a file, if there is one, is one whose content can be read to its end.

    Raises:
        OSError: If it is a pipe, a device, a socket or a folder.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, 64 hexadecimal digits.

    Raises:
        OSError: If the file cannot be read, or is no regular file.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where files are kept that can be made again: ``TRACER_CACHE``, else ``bandit-tracer`` in the user's cache.

    Raises:
        OutputError: If the user has no home folder, as in a container that runs as any number.
    """
    named = os.environ.get("TRACER_CACHE")
    root = Path(named or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "bandit-tracer"))
    try:
        return root.expanduser().absolute()
    except RuntimeError as error:
        raise OutputError(f"no folder {root} for what is kept: name one by TRACER_CACHE in the environment") from error


def write_atomically(path: Path, content: bytes, *, make_folder: bool = False) -> None:
    """Write a file under a temporary name in its folder, force it to the disk, then rename it.

    A reader sees the old file or the new one, never a part; a failure leaves the old one and no litter.

    Args:
        path: The file.
        content: All of it.
        make_folder: Make the folder if it is missing, with those above it.

    Raises:
        OutputError: If the folder is missing or the file cannot be written.
    """
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}.tmp"
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, ValueError) as error:  # no file can have a null character in its name
        raise OutputError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error


def _sync_folder(folder: Path) -> None:
    """Force the rename to the disk; systems that cannot open a folder need not."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
