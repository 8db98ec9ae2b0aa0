"""Data sets that users bring: MNIST, Fashion-MNIST and CIFAR-10 in the formats they are published in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from ...errors import DataError, MissingDataError
from ...npz import read_npz
from .readers import read_cifar, read_idx
from .samples import Samples, Split

_NPZ_ARRAYS: Final = ("x_train", "y_train", "x_test", "y_test")
_IDX_PARTS: Final = (("train-images", 3), ("train-labels", 1), ("t10k-images", 3), ("t10k-labels", 1))
_CIFAR_FILES: Final = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")


def mnist(folder: Path | None, *, fashion: bool = False) -> Split:
    """MNIST, or Fashion-MNIST, x (n, 28, 28) in [0, 1].

    Args:
        folder: holds the four IDX files (`train-images-idx3-ubyte`, `.gz` or not) or `mnist.npz`, itself or in a folder
            `mnist`, `MNIST/raw`; for Fashion-MNIST `fashion-mnist`, `FashionMNIST/raw`, `fashion-mnist.npz`.
        fashion: which of the two.

    Raises:
        MissingDataError: no folder, or nothing of the kind in it.
        DataError: a file is damaged, or images and labels do not belong together.
    """
    name = "Fashion-MNIST" if fashion else "MNIST"
    places = ("fashion-mnist", "FashionMNIST/raw") if fashion else (".", "mnist", "MNIST/raw")
    archive = "fashion-mnist.npz" if fashion else "mnist.npz"
    return _found(name, folder, places, archive, _idx_split)


def cifar10(folder: Path | None) -> Split:
    """CIFAR-10, x (n, 32, 32, 3) in [0, 1].

    Args:
        folder: holds `cifar-10-batches-bin` with the six files of the binary version, or these files, or `cifar10.npz`.

    Raises:
        MissingDataError: no folder, or nothing of the kind in it.
        DataError: a file is damaged.

    Notes: the Python version of the data set is pickled, and not read.
    """
    return _found("CIFAR-10", folder, (".", "cifar-10-batches-bin"), "cifar10.npz", _cifar_split)


def _found(
    name: str,
    folder: Path | None,
    places: tuple[str, ...],
    archive: str,
    read: Callable[[Path], dict[str, np.ndarray] | None],
) -> Split:
    if folder is None:
        raise MissingDataError(f"{name}: got no folder of data sets, expected one that holds it; give --data DIR")
    for place in places:
        arrays = read(folder / place)
        if arrays is not None:
            return _split(name, folder / place, arrays)
    if (folder / archive).exists():
        return _split(name, folder / archive, read_npz(folder / archive, _NPZ_ARRAYS))
    present = ", ".join(sorted(entry.name for entry in folder.iterdir())[:8]) if folder.is_dir() else "no such folder"
    raise MissingDataError(
        f"{name}: got {str(folder)!r} ({present or 'empty'}), expected its published files there, in "
        f"{' or '.join(place for place in places if place != '.')}, or {archive}"
    )


def _idx_split(folder: Path) -> dict[str, np.ndarray] | None:
    paths = [_idx_path(folder, part, axes) for part, axes in _IDX_PARTS]
    if not any(paths):
        return None
    arrays = {}
    for name, (part, axes), path in zip(("x_train", "y_train", "x_test", "y_test"), _IDX_PARTS, paths, strict=True):
        if path is None:
            raise MissingDataError(
                f"{str(folder)!r}: got some IDX files but not {part}-idx{axes}-ubyte, expected all four; add it"
            )
        array = read_idx(path)
        if array.ndim != axes:
            raise DataError(
                f"IDX file {str(path)!r}: got shape {array.shape}, expected {axes} axes; files are mixed up"
            )
        arrays[name] = array
    return arrays


def _idx_path(folder: Path, part: str, axes: int) -> Path | None:
    for separator in ("-", "."):
        for ending in ("", ".gz"):
            path = folder / f"{part}{separator}idx{axes}-ubyte{ending}"
            if path.is_file():
                return path
    return None


def _cifar_split(folder: Path) -> dict[str, np.ndarray] | None:
    paths = [folder / name for name in _CIFAR_FILES]
    absent = [path.name for path in paths if not path.is_file()]
    if len(absent) == len(paths):
        return None
    if absent:
        raise MissingDataError(
            f"{str(folder)!r}: got some files of CIFAR-10 but not {', '.join(absent)}, expected all six; add them"
        )
    parts = [read_cifar(path) for path in paths]
    x, y = (np.concatenate([part[i] for part in parts[:-1]]) for i in range(2))
    return {"x_train": x, "y_train": y, "x_test": parts[-1][0], "y_test": parts[-1][1]}


def _split(name: str, path: Path, arrays: dict[str, np.ndarray]) -> Split:
    return Split(*(_samples(name, path, arrays[f"x_{half}"], arrays[f"y_{half}"]) for half in ("train", "test")))


def _samples(name: str, path: Path, x: np.ndarray, y: np.ndarray) -> Samples:
    labels = y.reshape(-1)
    if len(x) != len(labels) or not len(x):
        raise DataError(
            f"{name} in {str(path)!r}: got {len(x)} images and {len(labels)} labels, expected as many of each"
        )
    if x.dtype != np.uint8 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"{name} in {str(path)!r}: got images of {x.dtype} and labels of {labels.dtype}, expected bytes and integers"
        )
    return Samples(x.astype(np.float32) / 255, labels.astype(np.int64), f"{name} from {path}")
