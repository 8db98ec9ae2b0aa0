"""Safe names and writes that either happen whole or not at all."""

from __future__ import annotations

import contextlib
import difflib
import os
from collections.abc import Iterable
from pathlib import Path

from .errors import UnsafePathError

_LONGEST_NAME = 255  # bytes; the limit of the common file systems
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{d}{i}" for d in ("com", "lpt") for i in range(1, 10))})
TEMPORARY = ".tmp"


def check_component(path: str, name: str) -> None:
    """Refuse one component of a path that some file system would not store under that name.

    Raises:
        UnsafePathError: for empty names, control characters, separators, more than 255 bytes, device names of Windows,
            trailing dots and blanks.
    """
    reason = ""
    if not name:
        reason = "an empty name"
    elif any(ord(c) < 32 for c in name):
        reason = "a control character"
    elif "/" in name or "\\" in name:
        reason = "a separator within a name"
    elif len(os.fsencode(name)) > _LONGEST_NAME:
        reason = f"a name of {len(os.fsencode(name))} bytes (at most {_LONGEST_NAME})"
    elif name.partition(".")[0].strip().lower() in _DEVICES:
        reason = f"the device name {name!r}"
    elif name[-1] in ". ":
        reason = "a trailing dot or blank"
    if reason:
        raise UnsafePathError(f"path {path!r}: got {reason}, expected a plain file name; choose another name")


def check_inside(name: str) -> tuple[str, ...]:
    """Return the components of a name that stays inside its directory.

    Raises:
        UnsafePathError: for "..", absolute names, and whatever `check_component` refuses.
    """
    parts = name.split("/")
    for part in parts:
        if part in {".", ".."}:
            raise UnsafePathError(f"path {name!r}: got {part!r}, expected a name inside the run directory")
        check_component(name, part)
    return tuple(parts)


def check_directory(path: str | os.PathLike[str]) -> Path:
    """Return a path the user gave for a directory; absolute ones and ".." are theirs to choose.

    Raises:
        UnsafePathError: for components no file system should hold, and where the directory itself is a symbolic link.
    """
    text = os.fspath(path)
    if not text:
        raise UnsafePathError("run directory: got an empty path, expected a directory name")
    result = Path(text)
    for part in result.parts:
        if part not in {".", "..", result.anchor}:
            check_component(text, part)
    refuse_link(result)
    return result


def refuse_link(path: Path) -> None:
    """Refuse a path that is a symbolic link.

    Raises:
        UnsafePathError: saying where the link leads.
    """
    if path.is_symlink():
        raise UnsafePathError(f"path {str(path)!r}: got a symbolic link to {os.readlink(path)!r}, expected a plain one")


def write_atomically(path: Path, chunks: Iterable[bytes | memoryview]) -> None:
    """Replace a file by new bytes; a reader, a crash or a full disk sees the old file or the new one, never a mixture.

    Args:
        path: the file; its directory exists.
        chunks: the new content, in order.

    Raises:
        UnsafePathError: if the file or its temporary neighbour is a symbolic link.
        OSError: what the system says; the old file is then untouched and the temporary one removed.
    """
    refuse_link(path)
    temporary = path.with_name(path.name + TEMPORARY)
    refuse_link(temporary)
    # A stale temporary file, left by a killed process, is truncated here and goes with the replacement.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    """Make the rename durable, where directories can be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def missing(kind: str, path: Path) -> FileNotFoundError:
    """Build the error for a file that is not there, with the nearest one that is.

    Args:
        kind: what was looked for, such as "checkpoint".
        path: where.
    """
    known = path.absolute()
    while not known.exists() and known != known.parent:
        known = known.parent
    remaining = known.joinpath(path.absolute()).relative_to(known).parts
    near: Path | None = None
    with contextlib.suppress(OSError):
        names = sorted(entry.name for entry in known.iterdir()) if known.is_dir() else []
        close = difflib.get_close_matches(remaining[0], names, n=1, cutoff=0.4) if remaining else []
        near = known / close[0] if close else known
        if close and near.joinpath(*remaining[1:]).exists():
            near = near.joinpath(*remaining[1:])
    return FileNotFoundError(
        f"{kind} {str(path)!r}: no such file, expected an existing one; nearest: {str(near or known)!r}"
    )
