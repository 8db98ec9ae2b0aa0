"""Arrays by name in NPZ files; nothing in them is ever run."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from .errors import DataError

LARGEST: Final = 1 << 31
"""Bytes that one array may take up."""


def read_npz(path: Path, names: Iterable[str] | None = None, content: BinaryIO | None = None) -> dict[str, np.ndarray]:
    """Arrays of an NPZ file by name, never pickled objects.

    Args:
        path: the file.
        names: the arrays wanted; all by default.
        content: the file's content, where it has been read already.

    Raises:
        DataError: damaged, too large, an array missing or pickled.
    """
    source = path if content is None else content
    try:
        with zipfile.ZipFile(source) as archive:
            if (total := sum(entry.file_size for entry in archive.infolist())) > 2 * LARGEST:
                raise DataError(
                    f"NPZ file {str(path)!r}: got {total} bytes uncompressed, expected at most {2 * LARGEST}"
                )
        with np.load(source, allow_pickle=False) as arrays:
            wanted = list(arrays) if names is None else list(names)
            if missing := [name for name in wanted if name not in arrays]:
                raise DataError(
                    f"NPZ file {str(path)!r}: got arrays {', '.join(arrays) or 'none'}, expected {', '.join(missing)} too"
                )
            return {name: arrays[name] for name in wanted}
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, KeyError, MemoryError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"NPZ file {str(path)!r}: got one that cannot be read ({error}), expected plain arrays; replace it"
        ) from error
