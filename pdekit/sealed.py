"""result.json with the digests of the files it stands for, and its own: damage is noticed, whichever byte it hits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from .errors import CheckpointError
from .files import missing
from .rundir import RESULT, RunDirectory, json_text

FORMAT: Final = 1
"""Version of result.json's layout."""
_FORMAT, _SUMS, _DIGEST = "format", "sha256", "sha256_of_this"
_UNSEALED: Final = "0" * 64
"""Stands where the digest of result.json will stand, while the digest is taken."""


def write_sealed(run: RunDirectory, result: Mapping[str, Any], kept: Iterable[str]) -> None:
    """Write result.json, with the digests of the files `kept`, which are there already."""
    sums = {name: _digest(run.file(name).read_bytes()) for name in kept}
    run.write_text(RESULT, sealed({**result, _FORMAT: FORMAT, _SUMS: sums}))


def read_sealed(run: RunDirectory) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The parsed result.json, and the files it stands for by name, checked.

    Raises:
        FileNotFoundError: no result, or a file is missing, with the nearest.
        CheckpointError: damaged, foreign, or of a newer format.
    """
    result = _result(run)
    return result, {name: _checked(run, name, digest) for name, digest in result[_SUMS].items()}


def sealed(result: Mapping[str, Any]) -> str:
    """The text of result.json, which carries the digest of itself."""
    text = json_text({**result, _DIGEST: _UNSEALED})
    return text.replace(_UNSEALED, _digest(text.encode()))


def _result(run: RunDirectory) -> dict[str, Any]:
    """The parsed result.json, checked against its own digest."""
    path = run.file(RESULT)
    if not path.exists():
        error = missing("result", path)
        if run.checkpoint.exists():
            raise FileNotFoundError(f"{error}; the run was not finished, resume it: pdekit solve --resume {run.path}")
        raise error
    try:
        content = path.read_bytes()
        result = json.loads(content)
        version, digest = result[_FORMAT], result.pop(_DIGEST)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"result {str(path)!r}: checksum missing: {type(error).__name__}: {error}; the file is damaged or foreign"
        ) from error
    if isinstance(version, int) and version > FORMAT:
        raise CheckpointError(
            f"result {str(path)!r}: got format version {version}, expected at most {FORMAT}; update pdekit to read it"
        )
    # Of the bytes, not of what they mean: 1e-5 and 1E-5 read the same, and yet one of them was not written.
    if digest != _digest(content.replace(str(digest).encode(), _UNSEALED.encode())):
        raise _damaged(path)
    return dict(result)


def _checked(run: RunDirectory, name: str, digest: str) -> bytes:
    path = run.file(name)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise missing("file", path) from None
    if _digest(content) != digest:
        raise _damaged(path)
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(
        f"file {str(path)!r}: checksum mismatch: it is not as it was when the result was written; "
        "it is damaged or was changed, use another copy or solve anew"
    )
