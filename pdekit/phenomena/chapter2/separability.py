"""More dimensions make classes linearly separable."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, final

import numpy as np
import scipy
from numpy.typing import NDArray

from ...errors import ShapeError
from ...plot_style import INK, PALETTE, grid_lines
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..statistics import by_seed, columns, deviations, share_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]


def separating(points: FloatArray, labels: FloatArray) -> FloatArray | None:
    """The normal w (d,) of the plane through the origin that separates two classes with the largest margin, or None.

    That normal is the point nearest to 0 of the convex hull of the l_i x_i; where 0 lies in the hull no plane separates
    (Gordan's theorem). Non-negative least squares for sum_i c_i l_i x_i = 0, sum_i c_i = 1 finds a multiple of it.
    For planes off the origin give the points a further coordinate 1.

    Args:
        points: (n, d).
        labels: (n,), 1 or -1.

    Returns:
        w with |w| = margin, so that l_i w.x_i >= |w|^2; None if no plane separates the classes strictly.

    >>> corners = np.array([[1.0, 0.0], [2.0, 2.0], [-1.0, 1.0]])
    >>> separating(corners, np.array([1.0, 1.0, -1.0])).round(6).tolist()
    [1.0, 0.0]
    """
    if points.ndim != 2 or labels.shape != points.shape[:1]:
        raise ShapeError(f"separating: got points {points.shape} and labels {labels.shape}, expected (n, d) and (n,)")
    signed = labels[:, None] * points
    rows = np.vstack([signed.T, np.ones(len(signed))])
    weights, _ = scipy.optimize.nnls(rows, np.append(np.zeros(points.shape[1]), 1.0))
    nearest = signed.T @ weights / weights.sum()
    return nearest if bool((signed @ nearest > 0.0).all()) else None


def cover_share(n: int, dim: int) -> float:
    """Share 2^(1-n) sum_(k < d) C(n-1, k) of the dichotomies of n points that a plane through the origin separates.

    Reference: Cover 1965, doi:10.1109/PGEC.1965.264137.
    """
    return float(2.0 ** (1 - n) * scipy.special.comb(n - 1, np.arange(dim)).sum())


@final
@dataclass(frozen=True)
class Separability:
    """Figure 2.8; the book gives no numbers.

    Args:
        draws: of the four clouds, for each seed.
        per_cloud: points.
        spread: standard deviation of a cloud about its corner (+-1, +-1).
        dim: of the points with random labels.
        counts: how many of them.
        trials: for each count and seed.
    """

    draws: int = 10
    per_cloud: int = 50
    spread: float = 0.15
    dim: int = 10
    counts: tuple[int, ...] = (5, 10, 15, 20, 25, 30, 35, 40)
    trials: int = 1000


def run(config: Separability, context: Context) -> Finding:
    """Separate exclusive-or clouds in the plane and lifted by x_1 x_2; count separable random labels."""
    shape = (len(context.seeds), config.draws)
    flat, lifted, margin = np.empty(shape), np.empty(shape), np.full(shape, np.nan)
    counted = np.empty((len(context.seeds), len(config.counts)))
    for row, seed in enumerate(context.seeds):
        context.report(f"seed {seed}", row / len(context.seeds))
        for draw in range(config.draws):
            x, labels = _clouds(config, context.numpy_generator(seed, "clouds", draw))
            flat[row, draw] = separating(_affine(x), labels) is not None
            lifted[row, draw] = separating(_affine(_lift(x)), labels) is not None
            normal = separating(_lift(x), labels)
            if normal is not None:
                margin[row, draw] = np.linalg.norm(normal)
        generator = context.numpy_generator(seed, "dichotomies")
        counted[row] = [_separable_share(config, n, generator) for n in config.counts]
    theory = np.array([cover_share(n, config.dim) for n in config.counts])
    worst = deviations(counted, theory, share_error(theory, config.trials)).max(axis=1)
    x, labels = _clouds(config, context.numpy_generator(context.seeds[0], "clouds", 0))
    return Finding(
        claims=(
            Claim.over_seeds(
                "the four clouds of exclusive or are not linearly separable in the plane",
                f"no separating line in any of {config.draws} draws",
                {"separable draws": flat.sum(axis=1).tolist()},
                by_seed(flat.sum(axis=1) == 0),
                share=1.0,
            ),
            Claim.over_seeds(
                "lifted to three dimensions by x_1 x_2 they are",
                f"a separating plane in every one of {config.draws} draws",
                {
                    "separable draws": lifted.sum(axis=1).tolist(),
                    "smallest margin of a plane through the origin": margin.min(axis=1).tolist(),
                },
                by_seed(lifted.sum(axis=1) == config.draws),
                share=1.0,
            ),
            Claim.over_seeds(
                "the more dimensions, the more labellings are separable: Cover's count",
                f"share of {config.trials} random labellings in {config.dim} dimensions within 4 standard errors for n = "
                f"{config.counts[0]} to {config.counts[-1]}, one half at n = {2 * config.dim}",
                {
                    "largest deviation in standard errors": worst.tolist(),
                    **columns((f"share, n = {n}" for n in config.counts), counted),
                },
                by_seed(worst <= 4.0),
            ),
        ),
        arrays={
            "clouds": x,
            "labels": labels,
            "margin": margin,
            "counts": np.array(config.counts),
            "cover": theory,
            "counted": counted,
        },
        figures={"xor": partial(_draw_clouds, x, labels), "cover": partial(_draw_cover, config, counted)},
        numbers={"Cover's share at n = 2d": cover_share(2 * config.dim, config.dim)},
    )


def _clouds(config: Separability, generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Points (4 per_cloud, 2) about the corners and their labels, the sign of x_1 x_2 of the corner."""
    corners = np.repeat([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]], config.per_cloud, axis=0)
    x = corners + config.spread * generator.standard_normal(corners.shape)
    return x, corners.prod(axis=1)


def _lift(x: FloatArray) -> FloatArray:
    return np.column_stack([x, x.prod(axis=1)])


def _affine(x: FloatArray) -> FloatArray:
    return np.column_stack([x, np.ones(len(x))])


def _separable_share(config: Separability, n: int, generator: np.random.Generator) -> float:
    points = generator.standard_normal((config.trials, n, config.dim))
    labels = generator.choice([-1.0, 1.0], (config.trials, n))
    return float(np.mean([separating(x, label) is not None for x, label in zip(points, labels, strict=True)]))


def _draw_clouds(x: FloatArray, labels: FloatArray, figure: Figure) -> None:
    flat = figure.add_subplot(1, 2, 1)
    lifted = figure.add_subplot(1, 2, 2, projection="3d")
    for label, colour, marker in ((1.0, PALETTE[1], "o"), (-1.0, PALETTE[2], "^")):
        part = x[labels == label]
        flat.plot(*part.T, marker, color=colour, markersize=4)
        lifted.plot(*_lift(part).T, marker, color=colour, markersize=3)
    side = np.array([[-1.5, 1.5], [-1.5, 1.5]])
    lifted.plot_surface(side, side.T, np.zeros((2, 2)), color=PALETTE[5], alpha=0.3)
    flat.set(xlabel="$x_1$", ylabel="$x_2$", title="no line separates them", aspect="equal")
    lifted.set(xlabel="$x_1$", ylabel="$x_2$", zlabel="$x_1 x_2$", title="a plane does")
    lifted.locator_params(nbins=4)
    lifted.tick_params(labelsize=8)
    lifted.set_box_aspect(None, zoom=0.85)
    grid_lines(flat)


def _draw_cover(config: Separability, counted: FloatArray, figure: Figure) -> None:
    ax = figure.subplots()
    n = np.arange(1, config.counts[-1] + 1)
    ax.plot(n, [cover_share(int(count), config.dim) for count in n], color=INK, label="Cover's count")
    ax.plot(config.counts, counted.mean(axis=0), "o", color=PALETTE[1], label="random labels")
    ax.axvline(2 * config.dim, color=PALETTE[0], linestyle="--", label="n = 2d")
    ax.set(xlabel=f"number of points n, in d = {config.dim} dimensions", ylabel="share of separable labellings")
    grid_lines(ax)
    ax.legend()


EXPERIMENTS = (
    Experiment(
        "hd-separability",
        2,
        "Fig. 2.8, section 2.1.6",
        "clouds of exclusive or become separable in three dimensions",
        quick=Separability(trials=400),
        full=Separability(),
        run=run,
        quick_seeds=5,
    ),
)
