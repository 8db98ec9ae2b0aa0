"""The directory of a run: one process writes to it, every file appears whole."""

from __future__ import annotations

import errno
import json
import math
import os
import tomllib
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, final

import torch

from .environment import environment
from .errors import RunLockedError
from .files import check_directory, check_inside, missing, refuse_link, write_atomically
from .record import Record

CHECKPOINT = "state.pt"
CONFIG = "config.toml"
HISTORY = "history.csv"
RESULT = "result.json"
ENVIRONMENT = "environment.json"
WEIGHTS = "weights.safetensors"
_LOCK = ".lock"


@final
class RunDirectory:
    """Exclusive access to the files of a run, until closed or garbage-collected.

    Files: config.toml, history.csv, result.json, environment.json, state.pt, weights.safetensors, figures.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent, RunDirectory.create(parent + "/run") as run:
    ...     run.write_json("result.json", {"success": True, "rel_l2": float("nan")})
    ...     run.read_json("result.json")
    {'success': True, 'rel_l2': None}
    """

    def __init__(self, path: Path, *, exclusive: bool) -> None:
        """Take an existing directory; use `create`, `open` or `view`."""
        self.path = path
        self._lock = weakref.finalize(self, os.close, _lock(path)) if exclusive else None

    @classmethod
    def create(cls, path: str | os.PathLike[str]) -> RunDirectory:
        """Make the directory if need be, and lock it.

        Raises:
            UnsafePathError: for a path no run should be written to.
            PermissionError: if it cannot be written.
            RunLockedError: if another run writes to it.
        """
        checked = check_directory(path)
        try:
            checked.mkdir(parents=True, exist_ok=True)
            return cls(checked, exclusive=True)
        except OSError as error:
            raise _unwritable(checked, error) from error

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunDirectory:
        """Lock the directory of an earlier run.

        Raises:
            FileNotFoundError: with the nearest existing path.
            UnsafePathError, PermissionError, RunLockedError: as `create`.
        """
        checked = check_directory(path)
        if not checked.is_dir():
            raise missing("run directory", checked)
        try:
            return cls(checked, exclusive=True)
        except OSError as error:
            raise _unwritable(checked, error) from error

    @classmethod
    def view(cls, path: str | os.PathLike[str]) -> RunDirectory:
        """Take the directory of an earlier or a running run for reading only, without a lock.

        Raises:
            FileNotFoundError: with the nearest existing path.
            UnsafePathError: for a path no run is written to.
        """
        checked = check_directory(path)
        if not checked.is_dir():
            raise missing("run directory", checked)
        return cls(checked, exclusive=False)

    def close(self) -> None:
        """Let others write."""
        if self._lock is not None:
            self._lock()

    @property
    def writable(self) -> bool:
        """Whether this object holds the lock."""
        return self._lock is not None and self._lock.alive

    def __enter__(self) -> RunDirectory:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def file(self, name: str) -> Path:
        """Return the path of a file of this run, "figures/error.png" say.

        Raises:
            UnsafePathError: for a name that leaves the directory or leads through a symbolic link.
        """
        path = self.path
        for part in check_inside(name):
            path = path / part
            refuse_link(path)
        return path

    @property
    def checkpoint(self) -> Path:
        """Where the checkpoint is."""
        return self.file(CHECKPOINT)

    def write_bytes(self, name: str, content: bytes) -> None:
        """Replace a file by these bytes, atomically; makes the directories in between.

        Raises:
            RunLockedError: if this object does not hold the lock (a view, or closed).
            UnsafePathError, OSError: as `pdekit.files.write_atomically`.
        """
        if not self.writable:
            raise RunLockedError(
                f"run directory {str(self.path)!r}: got a view or a closed one, expected `create` or `open`"
            )
        path = self.file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, (content,))

    def write_text(self, name: str, text: str) -> None:
        """Replace a file by this text in UTF-8, atomically."""
        self.write_bytes(name, text.encode())

    def write_json(self, name: str, value: Mapping[str, object]) -> None:
        """Replace a file by a JSON object; numbers that are not finite become null, which JSON has no other word for."""
        self.write_text(name, json_text(value))

    def write_config(self, config: Mapping[str, object]) -> None:
        """Write config.toml; None is left out, TOML has no null."""
        import tomli_w

        self.write_text(CONFIG, tomli_w.dumps(_without_none(config)))

    def write_history(self, history: Record) -> None:
        """Write history.csv."""
        self.write_text(HISTORY, history.to_csv())

    def write_environment(self) -> None:
        """Write environment.json."""
        self.write_json(ENVIRONMENT, environment())

    def write_weights(self, state: Mapping[str, Mapping[str, torch.Tensor]]) -> None:
        """Write weights.safetensors, one entry "player/parameter" each."""
        from safetensors.torch import save

        flat = {
            f"{player}/{name}": t.detach().cpu().contiguous() for player, s in state.items() for name, t in s.items()
        }
        self.write_bytes(WEIGHTS, save(flat))

    def read_json(self, name: str) -> Any:
        """Read a JSON file.

        Raises:
            FileNotFoundError: with the nearest existing path.
        """
        return json.loads(self._read(name))

    def read_config(self) -> dict[str, Any]:
        """Read config.toml."""
        return tomllib.loads(self._read(CONFIG))

    def read_history(self) -> Record:
        """Read history.csv."""
        return Record.from_csv(self._read(HISTORY))

    def _read(self, name: str) -> str:
        path = self.file(name)
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise missing("file", path) from None


def json_text(value: Mapping[str, object]) -> str:
    """The text of a JSON object as `RunDirectory.write_json` writes it."""
    return json.dumps(_finite(value), indent=2, allow_nan=False) + "\n"


def _lock(path: Path) -> int:
    """Lock the directory for this process; the system unlocks it even if the process is killed."""
    import fcntl

    descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    except BlockingIOError:
        pid = os.pread(descriptor, 32, 0).decode() or "unknown"
        os.close(descriptor)
        mine = " (this one)" if pid == str(os.getpid()) else ""
        raise RunLockedError(
            f"run directory {str(path)!r}: got a second writer, expected one: process {pid}{mine} is writing to it; "
            "wait for it or choose another directory"
        ) from None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _unwritable(path: Path, error: OSError) -> OSError:
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return PermissionError(
            error.errno,
            f"run directory {str(path)!r}: got a place that cannot be written, expected a writable one",
            str(path),
        )
    if error.errno in {errno.EEXIST, errno.ENOTDIR}:
        return NotADirectoryError(
            error.errno, f"run directory {str(path)!r}: got a file in its place, expected a directory or a new name"
        )
    return error


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def _without_none(value: Mapping[str, object]) -> dict[str, object]:
    return {
        k: _without_none(v) if isinstance(v, Mapping) else list(v) if isinstance(v, tuple) else v
        for k, v in value.items()
        if v is not None
    }
