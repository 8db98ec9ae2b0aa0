"""Data sets kept in a folder, so that they are made once; what is damaged or foreign is told, and made again."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import sys
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from .dataset import Dataset, Provenance
from .errors import DataError, DataWarning, PdekitError
from .files import check_directory, write_atomically
from .generate import description, generate
from .npz import read_npz
from .operator_problem import Family

FORMAT: Final = 1
_ABOUT: Final = "about"
_DIGEST: Final = 64
"""Characters of the SHA-256 at the end of a file: the comment of its ZIP archive, over all bytes before it."""


def default_folder() -> Path:
    """Where this platform keeps what can be made again."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "pdekit" / "data"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "pdekit" / "data"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "pdekit" / "data"


def cached(
    family: Family,
    count: int,
    seed: int = 0,
    *,
    folder: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    report: Callable[[str, float], None] | None = None,
) -> Dataset:
    """The data set of a family, from the folder if it is there, else made and kept there; see `generate`.

    Args:
        folder: `default_folder()` if None.

    Raises:
        UnsafePathError, OSError: the folder cannot be written.

    Warns:
        DataWarning: the file is damaged, or not the one that its name says; it is made again.
    """
    about = _about(family, count, seed)
    path = check_directory(default_folder() if folder is None else folder) / _file_name(about)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        try:
            return read(path, family, count, seed)
        except DataError as error:
            warnings.warn(DataWarning(f"{error}; it is made again"), stacklevel=2)
    data = generate(family, count, seed, jobs=jobs, report=report)
    write(path, data, about)
    return data


def write(path: Path, data: Dataset, about: dict[str, Any]) -> None:
    """Write a data set with its description and its SHA-256, atomically."""
    text = json.dumps(about | {"provenance": dataclasses.asdict(data.provenance)}, sort_keys=True)
    content = io.BytesIO()
    np.savez(content, inputs=data.inputs, outputs=data.outputs, **{_ABOUT: np.array(text)})  # type: ignore[arg-type]
    with zipfile.ZipFile(content, "a") as archive:
        archive.comment = b"0" * _DIGEST
    body = content.getbuffer()[:-_DIGEST]
    write_atomically(path, (body, hashlib.sha256(body).hexdigest().encode()))


def read(path: Path, family: Family, count: int, seed: int) -> Dataset:
    """The data set of a family in a file.

    Raises:
        DataError: damaged, truncated, or another data set than asked for.
    """
    content = path.read_bytes()
    body, digest = memoryview(content)[:-_DIGEST], content[-_DIGEST:]
    if digest != hashlib.sha256(body).hexdigest().encode():
        raise DataError(f"data set {str(path)!r}: got content that is not that of its SHA-256, expected a whole file")
    arrays = read_npz(path, ("inputs", "outputs", _ABOUT), io.BytesIO(content))
    try:
        found = json.loads(arrays[_ABOUT].item())
        provenance = Provenance(**found.pop("provenance"))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"data set {str(path)!r}: got no description ({error}), expected one of pdekit") from error
    if found != _about(family, count, seed):
        raise DataError(
            f"data set {str(path)!r}: got {json.dumps(found)}, expected {json.dumps(_about(family, count, seed))}"
        )
    try:
        return Dataset(
            arrays["inputs"], arrays["outputs"], family.input, family.output, replace(provenance, cached=True)
        )
    except PdekitError as error:
        raise DataError(f"data set {str(path)!r}: {error}") from error


def _about(family: Family, count: int, seed: int) -> dict[str, Any]:
    """What decides the content."""
    return {
        "format": FORMAT,
        "family": description(family),
        "solver": family.solved_by,
        "refinement": family.refinement,
        "count": count,
        "seed": seed,
    }


def _file_name(about: dict[str, Any]) -> str:
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    return f"{about['family']['name']}-{about['count']}-seed{about['seed']}-{key}.npz"
