"""Points of a high-dimensional cube leave most of its cells empty; random images are noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from ...plot_style import INK, PALETTE, grid_lines
from ..data import image
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..statistics import by_seed, deviations
from .scan import each_dimension

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Sparsity:
    """Figure 2.1.

    Args:
        points: in the unit cube.
        cuts: equal parts of each axis.
        dims: dimensions 1 to this.
        side: of the images, in pixels.
        images: random ones.
    """

    points: int = 10_000
    cuts: int = 2
    dims: int = 20
    side: int = 64
    images: int = 4


def run(config: Sparsity, context: Context) -> Finding:
    """Share of cells with a point in them; correlation of neighbouring pixels in random images and in a photo."""
    dims = np.arange(1, config.dims + 1)
    share = each_dimension(context, "points", dims.tolist(), partial(_occupied, config))
    panel = (config.images, config.side, config.side)
    noise = np.stack([context.numpy_generator(seed, "images").random(panel) for seed in context.seeds])
    theory, error = occupied_share(config.points, config.cuts ** dims.astype(float))
    worst = deviations(share, theory, error).max(axis=1)
    photo = image(context.data)
    square = min(photo.pixels.shape)
    small = photo.cropped(square, square).resized(config.side, config.side)
    rough = np.array([max((neighbour_correlation(one) for one in row), key=abs) for row in noise])
    smooth = neighbour_correlation(photo.pixels)
    table = {
        f"share, d = {d} (law {theory[d - 1]:.4g})": share[:, d - 1].tolist() for d in (10, 14, 20) if d <= config.dims
    }
    return Finding(
        claims=(
            Claim.over_seeds(
                "the share of cells with a point in them collapses with the dimension",
                f"1 - (1 - {config.cuts}^-d)^n within 4 standard errors for d = 1 to {config.dims}, n = {config.points}",
                {"largest deviation in standard errors": worst.tolist(), **table},
                by_seed(worst <= 4.0),
                note="n >= k^d is needed for a point in each cell but not enough: n = k^d random points reach 63 % of them",
            ),
            Claim.over_seeds(
                "a random image is noise, unlike a photo",
                f"correlation of neighbouring pixels below 0.05 in {config.images} random images, above 0.9 in the photo as it is",
                {"largest of the random images": rough.tolist(), "photo": [smooth] * len(rough)},
                by_seed((np.abs(rough) < 0.05) & (smooth > 0.9)),
                note=f"in the photo shrunk to {config.side} x {config.side} pixels, the size of the random images, it is "
                f"{neighbour_correlation(small.pixels):.2f}",
            ),
        ),
        arrays={
            "dims": dims,
            "share": share,
            "theory": theory,
            "noise": noise[0],
            "photo": photo.pixels.astype(np.float32),
        },
        figures={
            "sparsity": partial(_draw_share, dims, share, theory),
            "images": partial(_draw_images, noise[0], photo.pixels),
        },
        provenance=(photo.provenance,),
        numbers={"2^150000, which the book gives as 10^45154": f"10^{150_000 * math.log10(2.0):.1f}"},
    )


def occupied_share(n: int, cells: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of the share of equal cells that n independent points occupy.

    mean 1 - (1 - 1/M)^n. Empty cells repel: the variance is that of M indicators with covariance
    (1 - 2/M)^n - (1 - 1/M)^(2n) < 0, written without cancellation.
    """
    with np.errstate(divide="ignore"):
        one, two = n * np.log1p(-1.0 / cells), n * np.log1p(-np.minimum(2.0 / cells, 1.0))
    empty, both = np.exp(one), np.exp(two)
    variance = (empty - both) / cells + empty**2 * np.expm1(two - 2.0 * one)
    return -np.expm1(one), np.sqrt(np.clip(variance, 0.0, None))


def neighbour_correlation(pixels: FloatArray) -> float:
    """Correlation of pixels with those to their right and below them."""
    first = np.concatenate([pixels[:, :-1].ravel(), pixels[:-1].ravel()])
    second = np.concatenate([pixels[:, 1:].ravel(), pixels[1:].ravel()])
    return float(np.corrcoef(first, second)[0, 1])


def _occupied(config: Sparsity, dim: int, generator: np.random.Generator) -> float:
    cell = (generator.random((config.points, dim)) * config.cuts).astype(np.int64)
    number = cell @ config.cuts ** np.arange(dim)
    return len(np.unique(number)) / config.cuts**dim


def _draw_share(dims: np.ndarray, share: FloatArray, theory: FloatArray, figure: Figure) -> None:
    ax = figure.subplots()
    ax.plot(dims, theory, color=INK, label=r"$1 - (1 - 2^{-d})^n$")
    ax.plot(dims, share.mean(axis=0), "o", color=PALETTE[1], label="sampled")
    ax.set(xlabel="dimension d", ylabel="share of cells with a point in them", xticks=dims[1::2])
    grid_lines(ax)
    ax.legend()


def _draw_images(noise: FloatArray, photo: FloatArray, figure: Figure) -> None:
    panels = figure.subplots(1, len(noise) + 1)
    titles = [*(f"random {i + 1}" for i in range(len(noise))), "photo"]
    for ax, pixels, title in zip(panels, [*noise, photo], titles, strict=True):
        ax.imshow(pixels, cmap="gray", interpolation="nearest")
        ax.set(title=f"{title}: {neighbour_correlation(pixels):.2f}", xticks=(), yticks=())
    figure.supxlabel("number: correlation of neighbouring pixels", fontsize=10)


EXPERIMENTS = (
    Experiment(
        "hd-sparsity",
        2,
        "Fig. 2.1, equation 2.1, section 2.1.1",
        "in 20 dimensions 10,000 points occupy 1 % of the halved cube's cells",
        quick=Sparsity(),
        full=Sparsity(),
        run=run,
        quick_seeds=5,
    ),
)
