"""Approximation of functions from samples on a grid: the error falls like n^(-s/d)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, final

import numpy as np
import scipy
from numpy.typing import NDArray

from ...discrete import Grid, GridFunction, Interpolation
from ...plot_style import PALETTE, grid_lines
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..statistics import by_seed, columns, log_log_slope
from .scan import each_dimension

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]


class Method(Enum):
    """How samples are interpolated; the value is the power s of their distance in the error."""

    NEAREST = 1
    MULTILINEAR = 2

    def __str__(self) -> str:
        """Its name in words."""
        return {Method.NEAREST: "nearest neighbour", Method.MULTILINEAR: "multilinear"}[self]


@final
@dataclass(frozen=True)
class Approximation:
    """f(x) = prod_j cos(x_j) on the unit cube; the book gives no function.

    Args:
        coarsest: samples per axis of the coarsest grid.
        finest: of the finest grid, for d = 1, 2, 3, ...
        grids: how many between.
        points: random ones, where the error is measured.
        target: error that the samples are counted for.
    """

    coarsest: int = 8
    finest: tuple[int, ...] = (2048, 512, 100, 32)
    grids: int = 6
    points: int = 10_000
    target: float = 0.01

    def per_axis(self, dim: int) -> NDArray[np.int64]:
        """Samples per axis of the grids in one dimension, ascending."""
        return np.geomspace(self.coarsest, self.finest[dim - 1], self.grids).round().astype(np.int64)


def run(config: Approximation, context: Context) -> Finding:
    """Root mean square errors of two interpolations against the number of samples, in each dimension."""
    dims = range(1, len(config.finest) + 1)
    error = each_dimension(context, "points", dims, partial(_errors, config))  # (seeds, dims, methods, grids)
    samples = np.stack([config.per_axis(dim).astype(float) ** dim for dim in dims])
    cases = [(i, j) for j in range(len(Method)) for i in range(len(dims))]
    lines = [[log_log_slope(samples[i], one[i, j]) for i, j in cases] for one in error]
    slopes = np.array([[line.value for line in row] for row in lines])
    needed = np.array([[line.solve(config.target) for line in row] for row in lines]).mean(axis=0)
    powers = [method.value for method in Method]
    wanted = np.array([-powers[j] / dims[i] for i, j in cases])
    names = [f"s = {powers[j]}, d = {dims[i]}" for i, j in cases]
    return Finding(
        claims=(
            Claim.over_seeds(
                "the error of approximating from n samples is about n^(-s/d), s the smoothness that the method uses",
                "slope within 15 % of -s/d for nearest neighbours (s = 1) and multilinear interpolation (s = 2), d = 1 to "
                f"{len(dims)}",
                columns((f"slope, {name}" for name in names), slopes),
                by_seed(np.abs(slopes / wanted - 1.0) <= 0.15),
            ),
        ),
        arrays={"samples": samples, "error": error, "slopes": slopes},
        figures={"errors": partial(_draw, dims, samples, error.mean(axis=0))},
        numbers={
            f"samples for an error of {config.target:g}, {name}": round(float(count), 1)
            for name, count in zip(names, needed, strict=True)
        },
    )


def _errors(config: Approximation, dim: int, generator: np.random.Generator) -> FloatArray:
    """Errors (methods, grids)."""
    x = generator.random((config.points, dim))
    return np.array([[_error(method, per_axis, x) for per_axis in config.per_axis(dim).tolist()] for method in Method])


def _target(x: FloatArray) -> FloatArray:
    values: FloatArray = np.cos(x).prod(axis=1)
    return values


def _error(method: Method, per_axis: int, x: FloatArray) -> float:
    dim = x.shape[1]
    grid = Grid((0.0,) * dim, (1.0,) * dim, (per_axis,) * dim)
    samples = _target(grid.points()).reshape(grid.shape)
    if method is Method.MULTILINEAR:
        found = GridFunction(grid, samples, Interpolation.LINEAR)(x)
    else:
        found = scipy.interpolate.RegularGridInterpolator(grid.axes, samples, method="nearest")(x)
    return float(np.sqrt(np.mean((found - _target(x)) ** 2)))


def _draw(dims: Sequence[int], samples: FloatArray, error: FloatArray, figure: Figure) -> None:
    panels = figure.subplots(1, len(Method), sharex=True, sharey=True)
    for j, (ax, method) in enumerate(zip(panels, Method, strict=True)):
        for i, dim in enumerate(dims):
            n, found = samples[i], error[i, j]
            ax.plot(n, found, "o", color=PALETTE[i], label=f"d = {dim}")
            ax.plot(n, found[-1] * (n / n[-1]) ** (-method.value / dim), color=PALETTE[i], linewidth=1.0)
        ax.set(xscale="log", yscale="log", xlabel="samples n", title=f"{method}: lines of slope -{method.value}/d")
        grid_lines(ax)
    panels[0].set_ylabel("root mean square error")
    panels[0].legend(fontsize=8)


EXPERIMENTS = (
    Experiment(
        "cod-approximation",
        2,
        "Fig. 2.10, equation 2.6, section 2.2.3",
        "the error of approximation from n samples falls like n^(-s/d)",
        quick=Approximation(),
        full=Approximation(),
        run=run,
    ),
)
