"""Readers of the files data sets are published in; none of them runs what it reads."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from ...errors import DataError
from ...npz import LARGEST

_IDX_TYPES: Final = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CIFAR_RECORD: Final = 1 + 3 * 32 * 32
_CIFAR_CLASSES: Final = 10


def read_idx(path: Path) -> np.ndarray:
    """The array of an IDX file, also inside gzip.

    Raises:
        DataError: wrong magic number, another length than the header says, damaged compression.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            return _idx(path, file)  # type: ignore[arg-type]
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"IDX file {str(path)!r}: got damaged compression ({error}), expected a whole gzip file; download it again"
        ) from error


def _idx(path: Path, file: BinaryIO) -> np.ndarray:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _IDX_TYPES or not magic[3]:
        raise DataError(
            f"IDX file {str(path)!r}: got the first bytes {magic.hex(' ') or 'none'}, expected 00 00, a type and a "
            "number of axes; give the file as it was published"
        )
    count = magic[3]
    lengths = file.read(4 * count)
    if len(lengths) < 4 * count:
        raise DataError(f"IDX file {str(path)!r}: got a header that ends early, expected {count} lengths; replace it")
    shape, dtype = struct.unpack(f">{count}I", lengths), np.dtype(_IDX_TYPES[magic[2]])
    expected = math.prod(shape) * dtype.itemsize
    if expected > LARGEST:
        raise DataError(f"IDX file {str(path)!r}: got a header for {expected} bytes, expected at most {LARGEST}")
    content = file.read(expected + 1)
    if len(content) != expected:
        found = f"{len(content)}" if len(content) < expected else "more"
        raise DataError(
            f"IDX file {str(path)!r}: got {found} bytes after the header, expected {expected} for shape {shape}; "
            "it is truncated or damaged, replace it"
        )
    return np.frombuffer(content, dtype).reshape(shape)


def read_cifar(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (n, 32, 32, 3) and labels (n,) of a file of the binary version of CIFAR-10.

    Raises:
        DataError: not a whole number of records, or a label beyond 9.
    """
    size = path.stat().st_size
    if not size or size % _CIFAR_RECORD or size > LARGEST:
        raise DataError(
            f"CIFAR-10 file {str(path)!r}: got {size} bytes, expected a multiple of {_CIFAR_RECORD}; it is truncated, or "
            "not the binary version"
        )
    records = np.fromfile(path, np.uint8).reshape(-1, _CIFAR_RECORD)
    labels = records[:, 0]
    if (wrong := labels >= _CIFAR_CLASSES).any():
        raise DataError(
            f"CIFAR-10 file {str(path)!r}: record {int(wrong.argmax())}: got label {int(labels[wrong][0])}, expected 0 "
            "to 9; it is damaged, or not the binary version"
        )
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels
