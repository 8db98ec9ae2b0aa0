"""Grey pictures: photographs that packages bundle, the user's own, and synthetic ones."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np

from ...checks import integer
from ...environment import version
from ...errors import DataError, MissingDataError, ShapeError
from .samples import STAND_IN

if TYPE_CHECKING:
    from PIL.Image import Image

_NAMES = ("image.png", "image.jpg", "image.jpeg")
_LARGEST = 1 << 26
"""Pixels; larger files are taken for bombs."""


@final
@dataclass(frozen=True, eq=False)
class Picture:
    """A grey picture.

    Args:
        pixels: (rows, columns) in [0, 1], row 0 on top.
        provenance: where it comes from.
    """

    pixels: np.ndarray
    provenance: str

    def resized(self, rows: int, columns: int) -> Picture:
        """The same picture with another number of pixels, each the mean over its area where it shrinks."""
        from PIL import Image

        integer("Picture.resized", "rows", rows)
        integer("Picture.resized", "columns", columns)
        small = Image.fromarray(self.pixels.astype(np.float32)).resize((columns, rows), Image.Resampling.BOX)
        return Picture(np.asarray(small, np.float64), f"{self.provenance}, {columns} x {rows} pixels")

    def cropped(self, rows: int, columns: int, top: int | None = None, left: int | None = None) -> Picture:
        """A part of the picture, its middle by default.

        Raises:
            ShapeError: the part leaves the picture.
        """
        height, width = self.pixels.shape
        top = (height - rows) // 2 if top is None else top
        left = (width - columns) // 2 if left is None else left
        if top < 0 or left < 0 or top + rows > height or left + columns > width:
            raise ShapeError(
                f"Picture.cropped: got {columns} x {rows} pixels at column {left}, row {top}, expected a part of "
                f"{width} x {height} pixels"
            )
        return Picture(
            self.pixels[top : top + rows, left : left + columns],
            f"{self.provenance}, part of {columns} x {rows} pixels",
        )


def image(folder: Path | None = None) -> Picture:
    """The user's own picture if there is one, else a photograph of Grace Hopper that matplotlib bundles.

    Args:
        folder: may hold image.png or image.jpg.

    Returns:
        The picture; where the photograph was stripped from matplotlib, a synthetic one, labelled as stand-in.

    Raises:
        DataError: the user's file is damaged, or no picture.
    """
    for name in _NAMES if folder is not None else ():
        assert folder is not None
        if (folder / name).exists():
            return Picture(_read(folder / name), f"{folder / name}")
    from matplotlib import cbook

    try:
        path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
        return Picture(_read(Path(path)), f"grace_hopper.jpg of matplotlib {version('matplotlib')}")
    except FileNotFoundError:
        made = synthetic_image(0)
        return Picture(made.pixels, STAND_IN + made.provenance)


def cat() -> Picture:
    """The photograph of a cat that scikit-image bundles, 300 rows of 451 pixels.

    Raises:
        MissingDataError: scikit-image is not installed.
    """
    try:
        from skimage import data as bundled
    except ImportError as error:
        raise MissingDataError(
            "picture of a cat: got no scikit-image, expected the package, which bundles it; pip install 'pdekit[images]'"
        ) from error
    path = Path(bundled.__file__).parent / "chelsea.png"
    return Picture(_read(path), f"chelsea.png of scikit-image {version('scikit-image')}")


def synthetic_image(seed: int, rows: int = 256, columns: int = 256) -> Picture:
    """A picture with the spectrum of a photograph: random phases under a 1/k amplitude, and some discs and bars.

    Args:
        seed: the same seed gives the same picture.
        rows, columns: its size.

    Raises:
        ConfigError: a negative seed, or no pixels.
    """
    integer("synthetic_image", "seed", seed, low=0)
    integer("synthetic_image", "rows", rows)
    integer("synthetic_image", "columns", columns)
    generator = np.random.default_rng([seed, rows, columns])
    k = np.hypot(np.fft.fftfreq(rows, 1 / rows)[:, None], np.fft.rfftfreq(columns, 1 / columns)[None, :])
    noise = np.fft.rfft2(generator.standard_normal((rows, columns))) / np.maximum(k, 1.0)
    noise[0, 0] = 0.0
    pixels = np.fft.irfft2(noise, s=(rows, columns))
    pixels /= max(pixels.std(), 1e-12)
    y, x = np.mgrid[0:rows, 0:columns] / max(rows, columns)
    for _ in range(4):
        u, v, size, level = generator.random(4)
        pixels[np.hypot(x - u, y - v) < 0.05 + 0.15 * size] += 4 * level - 2
        u, v, size, level = generator.random(4)
        pixels[(np.abs(x - u) < 0.02 + 0.05 * size) & (np.abs(y - v) < 0.3)] += 4 * level - 2
    low, high = pixels.min(), pixels.max()
    return Picture((pixels - low) / max(high - low, 1e-12), f"synthetic picture, seed {seed}")


def _read(path: Path) -> np.ndarray:
    """Brightness of each pixel.

    Raises:
        DataError: not a picture, or a damaged one.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings(), Image.open(path) as opened:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            if opened.width * opened.height > _LARGEST:
                raise DataError(
                    f"picture {str(path)!r}: got {opened.width} x {opened.height} pixels, expected at most {_LARGEST}; "
                    "give a smaller one"
                )
            return _grey(opened)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError, EOFError) as error:
        if isinstance(error, DataError | FileNotFoundError | PermissionError):
            raise
        raise DataError(
            f"picture {str(path)!r}: got a file that cannot be decoded ({error}), expected a whole PNG or JPEG; "
            "replace it"
        ) from error


def _grey(opened: Image) -> np.ndarray:
    return np.asarray(opened.convert("L"), np.float64) / 255.0
