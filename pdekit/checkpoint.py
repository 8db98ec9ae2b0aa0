"""The checkpoint file: a header, a SHA-256, and a payload read without running code.

Layout: magic (8 bytes), format version (4), payload length (8), SHA-256 of all the rest (32), payload.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from .errors import CheckpointError
from .files import missing, write_atomically

FORMAT = 1
_MAGIC = b"pdekitck"
_HEADER = struct.Struct("<8sIQ")
_DIGEST_SIZE = hashlib.sha256().digest_size


def write_checkpoint(path: Path, state: Mapping[str, Any], *, version: int = FORMAT) -> None:
    """Write a state atomically.

    Args:
        path: the file.
        state: nested dicts and lists of tensors, numbers, strings and None.
        version: the format version in the header.

    Raises:
        OSError: if the disk is full or not writable; a previous checkpoint is then intact.
        UnsafePathError: if the file is a symbolic link.
    """
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    payload = buffer.getbuffer()
    header = _HEADER.pack(_MAGIC, version, len(payload))
    write_atomically(path, (header, _digest(header, payload), payload))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a state onto the CPU; nothing but tensors and plain values can come out.

    Raises:
        FileNotFoundError: with the nearest existing path.
        CheckpointError: for a file that is damaged, foreign, of a newer format, or carries code.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise missing("checkpoint", path) from None
    start = _HEADER.size + _DIGEST_SIZE
    if len(content) < start or not content.startswith(_MAGIC):
        raise _damaged(path, f"the first bytes of {len(content)} are no pdekit header")
    header, digest, payload = content[: _HEADER.size], content[_HEADER.size : start], memoryview(content)[start:]
    _, version, length = _HEADER.unpack(header)
    if digest != _digest(header, payload):
        cut = f" ({len(payload)} bytes)" if len(payload) != length else ""
        raise _damaged(path, f"the SHA-256 of the content{cut} is not the stored one")
    if version > FORMAT:
        raise CheckpointError(
            f"checkpoint {str(path)!r}: got format version {version}, expected at most {FORMAT}; update pdekit to read it"
        )
    try:
        state = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise CheckpointError(
            f"checkpoint {str(path)!r}: got content other than tensors and plain values, which is not loaded because it "
            f"could run code; expected a file written by pdekit"
        ) from error
    if not isinstance(state, dict):
        raise CheckpointError(f"checkpoint {str(path)!r}: got a {type(state).__name__}, expected a dict of states")
    return state


def _digest(header: bytes, payload: memoryview) -> bytes:
    digest = hashlib.sha256(header)
    digest.update(payload)
    return digest.digest()


def _damaged(path: Path, what: str) -> CheckpointError:
    return CheckpointError(
        f"checkpoint {str(path)!r}: checksum mismatch: {what}; the file is damaged or foreign; use another copy or start anew"
    )
