"""Approximation of functions from samples on a grid: the error falls like n^(-s/d)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from ...discrete import Grid, GridFunction, Interpolation
from ...plot_style import PALETTE, grid_lines
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..statistics import by_seed, columns, log_log_slope

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


def run(config: Approximation, context: Context) -> Finding:
    """Root mean square errors of two interpolations against the number of samples, in each dimension."""
    dims = range(1, len(config.finest) + 1)
    cases = [(method, dim) for method in Method for dim in dims]
    per_axis = {
        dim: np.unique(np.geomspace(config.coarsest, config.finest[dim - 1], config.grids).round().astype(int))
        for dim in dims
    }
    slopes = np.empty((len(context.seeds), len(cases)))
    needed = np.empty_like(slopes)
    errors: dict[tuple[Method, int], list[FloatArray]] = {case: [] for case in cases}
    for row, seed in enumerate(context.seeds):
        for column, (method, dim) in enumerate(cases):
            context.report(f"seed {seed}, {method}, d = {dim}", (row + column / len(cases)) / len(context.seeds))
            x = context.numpy_generator(seed, "points", dim).random((config.points, dim))
            error = np.array([_error(method, int(q), x) for q in per_axis[dim]])
            errors[method, dim].append(error)
            line = log_log_slope(per_axis[dim].astype(float) ** dim, error)
            slopes[row, column], needed[row, column] = line.value, line.solve(config.target)
    wanted = np.array([-method.value / dim for method, dim in cases])
    names = [f"s = {method.value}, d = {dim}" for method, dim in cases]
    return Finding(
        claims=(
            Claim.over_seeds(
                "the error of approximating from n samples is about n^(-s/d), s the smoothness that the method uses",
                "slope within 15 % of -s/d for nearest neighbours (s = 1) and multilinear interpolation (s = 2), d = 1 to "
                f"{len(config.finest)}",
                columns((f"slope, {name}" for name in names), slopes),
                by_seed(np.abs(slopes / wanted - 1.0) <= 0.15),
            ),
        ),
        arrays={
            **{f"samples_{dim}": q.astype(float) ** dim for dim, q in per_axis.items()},
            **{f"error_{method.name.lower()}_{dim}": np.array(found) for (method, dim), found in errors.items()},
            "slopes": slopes,
        },
        figures={"errors": partial(_draw, per_axis, {case: np.mean(found, axis=0) for case, found in errors.items()})},
        numbers={
            f"samples for an error of {config.target:g}, {name}": float(np.round(needed[:, i].mean(), 1))
            for i, name in enumerate(names)
        },
    )


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
        found = RegularGridInterpolator(grid.axes, samples, method="nearest")(x)
    return float(np.sqrt(np.mean((found - _target(x)) ** 2)))


def _draw(per_axis: dict[int, NDArray[np.int64]], errors: dict[tuple[Method, int], FloatArray], figure: Figure) -> None:
    panels = figure.subplots(1, len(Method), sharex=True, sharey=True)
    for ax, method in zip(panels, Method, strict=True):
        for i, (dim, q) in enumerate(per_axis.items()):
            n = q.astype(float) ** dim
            error = errors[method, dim]
            ax.plot(n, error, "o", color=PALETTE[i], label=f"d = {dim}")
            ax.plot(n, error[-1] * (n / n[-1]) ** (-method.value / dim), color=PALETTE[i], linewidth=1.0)
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
