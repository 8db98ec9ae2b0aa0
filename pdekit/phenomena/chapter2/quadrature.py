"""Integrals in d dimensions: grid rules need n^d points, Monte Carlo does not mind."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from ...plot_style import INK, PALETTE, grid_lines
from ...sampling import Grid
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..statistics import Slope, by_seed, columns, in_blocks, log_log_slope
from .scan import each_dimension

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

YEAR = 365.25 * 24 * 3600
"""Seconds."""


@final
@dataclass(frozen=True)
class Quadrature:
    """The integral of exp(-sum_j x_j) over the unit cube; the book gives no integrand.

    Args:
        grid_dims: dimensions of the trapezoidal rule.
        evaluations: at most, of one rule.
        finest: intervals per axis at most, before round-off is all that is left.
        random_dims: dimensions of Monte Carlo.
        samples: sizes of a Monte Carlo sample.
        repetitions: of each.
    """

    grid_dims: tuple[int, ...] = (1, 2, 4, 6)
    evaluations: int = 2_000_000
    finest: int = 1000
    random_dims: tuple[int, ...] = (1, 2, 4, 6, 10, 20)
    samples: tuple[int, ...] = (100, 316, 1000, 3162, 10_000, 31_623, 100_000)
    repetitions: int = 200


@final
@dataclass(frozen=True)
class GridErrors:
    """The trapezoidal rule in one dimension d: error for each number of intervals per axis."""

    dim: int
    intervals: NDArray[np.int64]
    error: FloatArray

    @property
    def evaluations(self) -> FloatArray:
        """(n + 1)^d."""
        count: FloatArray = np.float_power(self.intervals + 1, self.dim)
        return count

    @property
    def slope(self) -> Slope:
        """Exponent against N = n^d, as the book counts."""
        return log_log_slope(self.intervals.astype(float) ** self.dim, self.error)


def run(config: Quadrature, context: Context) -> Finding:
    """Errors of the product trapezoidal rule and of Monte Carlo against the number of evaluations."""
    dims = config.random_dims
    grids = [_trapezoid(config, dim) for dim in config.grid_dims]
    error = each_dimension(context, "uniform", dims, partial(_monte_carlo, config))
    root = np.sqrt(np.array(config.samples, dtype=np.float64))
    slopes = np.array([[log_log_slope(root**2, one).value for one in seed] for seed in error])
    # RMSE sqrt(N) does not depend on N: pooled over the sizes, or 200 repetitions would leave 5 % of noise.
    constant = np.sqrt(np.mean((error * root) ** 2, axis=2))
    ratio = constant / np.array([deviation(dim) for dim in dims])
    gain = {g.dim: g.error * np.sqrt(g.evaluations) / constant[:, [dims.index(g.dim)]] for g in grids if g.dim in dims}
    worst_low = np.max([gain[d].max(axis=1) for d in gain if d <= 2], axis=0)
    best_high = np.min([gain[d].min(axis=1) for d in gain if d >= 6], axis=0)
    return Finding(
        claims=(
            Claim(
                "the error of the product trapezoidal rule falls like N^(-2/d)",
                "slope against N = n^d, n intervals per axis, within 10 % of -2/d in every dimension",
                {f"slope, d = {g.dim}": g.slope.value for g in grids},
                all(abs(g.slope.value * g.dim / -2.0 - 1.0) <= 0.1 for g in grids),
                note="the rule evaluates (n + 1)^d times; against these the slopes at these sizes are "
                + ", ".join(f"{log_log_slope(g.evaluations, g.error).value:.2f} (d = {g.dim})" for g in grids),
            ),
            Claim.over_seeds(
                "the error of Monte Carlo falls like N^(-1/2) whatever the dimension",
                "slope -0.50 +- 0.05 in every dimension",
                columns((f"slope, d = {d}" for d in dims), slopes),
                by_seed(np.abs(slopes + 0.5) <= 0.05),
            ),
            Claim.over_seeds(
                "its mean square error is Var(f)/N",
                "root mean square error times sqrt(N), over all N, within 10 % of the deviation of f in every dimension",
                columns((f"ratio, d = {d}" for d in dims), ratio),
                by_seed(np.abs(ratio - 1.0) <= 0.1),
            ),
            Claim.over_seeds(
                "grid rules win in low dimension, Monte Carlo in high dimension",
                "at equal evaluations the trapezoidal rule is better at every size for d <= 2, Monte Carlo for d >= 6",
                {
                    "largest error ratio trapezoid / Monte Carlo, d <= 2": worst_low.tolist(),
                    "smallest, d >= 6": best_high.tolist(),
                },
                by_seed((worst_low < 1.0) & (best_high > 1.0)),
            ),
            Claim(
                "ten points per axis take 10 s in 10 dimensions and about 3000 years in 20, at 1 ns each",
                "10^d ns, within 10 %",
                {"seconds, d = 10": grid_seconds(10), "years, d = 20": grid_seconds(20) / YEAR},
                abs(grid_seconds(10) / 10.0 - 1.0) <= 0.1 and abs(grid_seconds(20) / YEAR / 3000.0 - 1.0) <= 0.1,
            ),
        ),
        arrays={
            **{f"intervals_{g.dim}": g.intervals for g in grids},
            **{f"trapezoid_{g.dim}": g.error for g in grids},
            "random_dims": np.array(dims),
            "samples": root**2,
            "monte_carlo": error,
        },
        figures={"errors": partial(_draw, grids, dims, root**2, error), "grids": _draw_grids},
    )


def integral(dim: int) -> float:
    """The exact integral, (1 - 1/e)^d."""
    return (1.0 - math.exp(-1.0)) ** dim


def deviation(dim: int) -> float:
    """Standard deviation of the integrand over the cube."""
    return math.sqrt((0.5 * (1.0 - math.exp(-2.0))) ** dim - integral(dim) ** 2)


def grid_seconds(dim: int, per_axis: int = 10, seconds_each: float = 1e-9) -> float:
    """Time to evaluate a function at every point of a grid."""
    return per_axis**dim * seconds_each


def _trapezoid(config: Quadrature, dim: int) -> GridErrors:
    finest = min(config.finest, int((config.evaluations + 0.5) ** (1.0 / dim)) - 1)
    intervals = np.unique(np.geomspace(2, finest, 8).round().astype(int))
    errors = []
    for n in intervals.tolist():
        x, weight = Grid(n + 1).unit(dim, torch.Generator())
        errors.append(abs(float(weight @ torch.exp(-x.sum(dim=1))) - integral(dim)))
    return GridErrors(dim, intervals, np.array(errors))


def _monte_carlo(config: Quadrature, dim: int, generator: np.random.Generator) -> list[float]:
    """Root mean square errors of Monte Carlo, one for each size of the sample."""

    def values(n: int, count: int) -> FloatArray:
        found: FloatArray = np.exp(-generator.random((count, dim, n)).sum(axis=1)).mean(axis=1)
        return found

    repeated = (in_blocks(config.repetitions, n * dim, partial(values, n)) for n in config.samples)
    return [float(np.sqrt(np.mean((found - integral(dim)) ** 2))) for found in repeated]


def _draw(
    grids: list[GridErrors], dims: tuple[int, ...], samples: FloatArray, error: FloatArray, figure: Figure
) -> None:
    left, right = figure.subplots(1, 2, sharex=True)
    for i, g in enumerate(grids):
        left.plot(g.evaluations, g.error / integral(g.dim), "o-", markersize=4, color=PALETTE[i], label=f"d = {g.dim}")
    for i, dim in enumerate(dims):
        right.plot(
            samples, error[:, i].mean(axis=0) / integral(dim), "o-", markersize=4, color=PALETTE[i], label=f"d = {dim}"
        )
    right.plot(samples, samples**-0.5, color=INK, linestyle="--", label=r"$N^{-1/2}$")
    for ax, title in ((left, "trapezoidal rule"), (right, "Monte Carlo")):
        ax.set(xscale="log", yscale="log", xlabel="evaluations N", ylabel="relative error", title=title)
        grid_lines(ax)
        ax.legend(fontsize=8)


def _draw_grids(figure: Figure) -> None:
    """Ten points per axis in one, two and three dimensions."""
    axis = np.linspace(0.0, 1.0, 10)
    line, square = (figure.add_subplot(1, 3, i) for i in (1, 2))
    cube = figure.add_subplot(1, 3, 3, projection="3d")
    look: dict[str, Any] = {"color": PALETTE[0], "markersize": 3.0, "linestyle": "none", "marker": "o"}
    line.plot(axis, np.zeros(10), **look)
    line.set(title="d = 1: 10 points", xlabel="$x_1$", yticks=(), ylim=(-1, 1))
    square.plot(*(part.ravel() for part in np.meshgrid(axis, axis)), **look)
    square.set(title="d = 2: 100 points", xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    cube.plot(*(part.ravel() for part in np.meshgrid(axis, axis, axis)), **(look | {"markersize": 1.5}))
    cube.set(title="d = 3: 1000 points", xlabel="$x_1$", ylabel="$x_2$", zlabel="$x_3$")
    cube.locator_params(nbins=3)
    cube.set_box_aspect(None, zoom=0.8)


EXPERIMENTS = (
    Experiment(
        "cod-quadrature",
        2,
        "Fig. 2.9, equations 2.7-2.11, sections 2.2.1 and 2.3.1",
        "the error of a grid rule falls like N^(-2/d), that of Monte Carlo like N^(-1/2)",
        quick=Quadrature(),
        full=Quadrature(repetitions=1000),
        run=run,
    ),
)
