"""Where the volume of a ball lies: near its surface, and near every equator."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from ...plot_style import FAINT, INK, PALETTE, grid_lines
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..statistics import by_seed, columns, deviations, in_blocks, sample_ball, share_error
from .laws import inner_share, slab_share
from .scan import each_dimension

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

PRINTED = MappingProxyType({1: 99.00, 2: 98.01, 3: 97.03, 5: 95.10, 10: 90.44, 100: 36.60})
"""Percentages of table 2.1 by dimension; for 1000 it says less than 0.01."""


_REGIONS = ("shell 1/d", "slab 1/sqrt(d)", "slab 2/sqrt(d)")
_LIMITS = (1.0 - math.exp(-1.0), math.erf(math.sqrt(0.5)))
"""Of the first two shares in infinitely many dimensions."""


@final
@dataclass(frozen=True)
class Shell:
    """Table 2.1.

    Args:
        thickness: of the shell.
        dims: the dimensions tabulated.
        points: sampled in each dimension up to `sampled_to`, where the share is large enough to be counted.
        sampled_to: the largest dimension sampled.
    """

    thickness: float = 0.01
    dims: tuple[int, ...] = (1, 2, 3, 5, 10, 100, 1000)
    points: int = 100_000
    sampled_to: int = 100


def run_shell(config: Shell, context: Context) -> Finding:
    """Compare (1 - eps)^d with the printed table, with samples and with exp(-eps d)."""
    dims = np.array(config.dims)
    exact, bound = inner_share(dims, config.thickness), np.exp(-config.thickness * dims)
    few = dims[dims <= config.sampled_to]
    counted = each_dimension(context, "ball", few.tolist(), partial(_share_inside, config))
    worst = deviations(counted, exact[: len(few)], share_error(exact[: len(few)], config.points)).max(axis=1)
    percent = {int(d): 100.0 * float(share) for d, share in zip(dims, exact, strict=True)}
    agree = all(round(percent[d], 2) == PRINTED[d] for d in percent if d in PRINTED)
    return Finding(
        claims=(
            Claim(
                "the printed shares of the ball inside radius 1 - eps are (1 - eps)^d",
                "every printed digit agrees, and less than 0.01 % in 1000 dimensions",
                {f"% at d = {d}": share for d, share in percent.items()},
                agree and percent.get(1000, 0.0) < 0.01,
            ),
            Claim.over_seeds(
                "points drawn uniformly from the ball show these shares",
                f"within 4 standard errors of {config.points} points in every dimension up to {config.sampled_to}",
                {"largest deviation in standard errors": worst.tolist()},
                by_seed(worst <= 4.0),
            ),
            Claim(
                "the share is at most exp(-eps d)",
                "(1 - eps)^d <= exp(-eps d) in every dimension",
                {"largest ratio": float(np.max(exact / bound))},
                bool((exact <= bound).all()),
            ),
        ),
        arrays={"dims": dims, "share": exact, "bound": bound, "sampled_dims": few, "sampled_share": counted},
        figures={"shell": partial(_draw_shell, config.thickness, few, counted)},
    )


def _share_inside(config: Shell, dim: int, generator: np.random.Generator) -> float:
    radius = in_blocks(config.points, dim, lambda count: np.linalg.norm(sample_ball(count, dim, generator), axis=1))
    return float((radius <= 1.0 - config.thickness).mean())


def _draw_shell(thickness: float, dims: np.ndarray, counted: FloatArray, figure: Figure) -> None:
    ax = figure.subplots()
    d = np.geomspace(1, 1000, 200)
    ax.plot(d, inner_share(d, thickness), color=INK, label=r"$(1-\varepsilon)^d$")
    ax.plot(d, np.exp(-thickness * d), color=PALETTE[1], linestyle="--", label=r"$e^{-\varepsilon d}$")
    ax.plot(dims, counted.mean(axis=0), "o", color=PALETTE[0], label="sampled")
    ax.set(xscale="log", xlabel="dimension d", ylabel=f"share inside radius {1 - thickness:g}", ylim=(0, 1.02))
    grid_lines(ax)
    ax.legend()


@final
@dataclass(frozen=True)
class Equator:
    """Figure 2.5.

    Args:
        dims: the dimensions sampled.
        points: in each.
    """

    dims: tuple[int, ...] = (2, 3, 5, 10, 30, 100, 1000)
    points: int = 100_000


def run_equator(config: Equator, context: Context) -> Finding:
    """Count the points in the shell of thickness 1/d and in slabs about an equator; measure dot products of pairs."""
    dims = np.array(config.dims, dtype=np.float64)
    exact = np.stack(
        [1.0 - inner_share(dims, 1.0 / dims), slab_share(dims, dims**-0.5), slab_share(dims, 2.0 * dims**-0.5)]
    )
    measured = each_dimension(context, "ball", config.dims, partial(_regions, config.points))  # (seeds, dims, 5)
    counted = measured[..., :3].swapaxes(1, 2)
    dots, dot_errors = measured[..., 3], measured[..., 4]
    worst = deviations(counted, exact, share_error(exact, config.points)).max(axis=2)
    dot_worst = deviations(dots, (dims / (dims + 2.0)) ** 2, dot_errors).max(axis=1)
    share = {name: float(100.0 * values[-1]) for name, values in zip(_REGIONS, exact, strict=True)}
    last = f"d = {config.dims[-1]}"
    limits = tuple(100.0 * limit for limit in _LIMITS)
    return Finding(
        claims=(
            Claim.over_seeds(
                "the shares of the shell of thickness 1/d and of the slabs |x_1| <= 1/sqrt(d), 2/sqrt(d) follow the exact laws",
                f"within 4 standard errors of {config.points} points in every dimension",
                columns((f"{name}, standard errors" for name in _REGIONS), worst),
                by_seed(worst <= 4.0),
            ),
            Claim(
                "most of the volume lies in a shell of thickness about 1/d",
                f"more than half, and within 0.1 of the limit {limits[0]:.1f} % at {last}",
                {f"% at {last}": share[_REGIONS[0]]},
                share[_REGIONS[0]] > 50.0 and abs(share[_REGIONS[0]] - limits[0]) < 0.1,
                note=f"'most' is {share[_REGIONS[0]]:.1f} %: thickness exactly 1/d leaves 1/e of the volume inside",
            ),
            Claim(
                "most of the volume lies in a slab |x_1| <= about 1/sqrt(d)",
                f"more than half, and within 0.1 of the limit {limits[1]:.1f} % at {last}",
                {f"% at {last}": share[_REGIONS[1]], f"% for half-width 2/sqrt(d) at {last}": share[_REGIONS[2]]},
                share[_REGIONS[1]] > 50.0 and abs(share[_REGIONS[1]] - limits[1]) < 0.1,
                note=f"'most' is {share[_REGIONS[1]]:.1f} %, one standard deviation; twice the width holds {share[_REGIONS[2]]:.1f} %",
            ),
            Claim.over_seeds(
                "dot products of two random points are about +-1/sqrt(d)",
                "d times their mean square is (d/(d+2))^2 within 4 standard errors in every dimension",
                {
                    "largest deviation in standard errors": dot_worst.tolist(),
                    f"root mean square times sqrt(d) at {last}": np.sqrt(dots[:, -1]).tolist(),
                },
                by_seed(dot_worst <= 4.0),
            ),
        ),
        arrays={"dims": dims, "exact": exact, "sampled": counted, "dots": dots},
        figures={"equator": partial(_draw_equator, dims, counted)},
    )


def _regions(points: int, dim: int, generator: np.random.Generator) -> list[float]:
    """Shares of the three regions, and d times the mean squared dot product of pairs with its standard error."""
    kept = in_blocks(points // 2, 2 * dim, partial(_pairs, dim, generator))
    radius, height, square = kept[:, :2], np.abs(kept[:, 2:4]), dim * kept[:, 4] ** 2
    inside = (radius >= 1.0 - 1.0 / dim, height <= dim**-0.5, height <= 2.0 * dim**-0.5)
    return [*(float(part.mean()) for part in inside), float(square.mean()), float(square.std() / np.sqrt(len(square)))]


def _pairs(dim: int, generator: np.random.Generator, count: int) -> FloatArray:
    """Of pairs of points both radii, both first coordinates and the dot product, (count, 5)."""
    x, y = sample_ball(2 * count, dim, generator).reshape(2, count, dim)
    radii = [np.linalg.norm(part, axis=1) for part in (x, y)]
    return np.stack([*radii, x[:, 0], y[:, 0], np.einsum("ij,ij->i", x, y)], axis=1)


def _draw_equator(dims: np.ndarray, counted: FloatArray, figure: Figure) -> None:
    ax = figure.subplots()
    d = np.geomspace(dims[0], dims[-1], 300)
    curves = (1.0 - inner_share(d, 1.0 / d), slab_share(d, d**-0.5), slab_share(d, 2.0 * d**-0.5))
    labels = (r"$|x| \geq 1 - 1/d$", r"$|x_1| \leq 1/\sqrt{d}$", r"$|x_1| \leq 2/\sqrt{d}$")
    for i, (curve, label) in enumerate(zip(curves, labels, strict=True)):
        ax.plot(d, curve, color=PALETTE[i], label=label)
        ax.plot(dims, counted[:, i].mean(axis=0), "o", color=PALETTE[i])
    for limit, name in zip(_LIMITS, (r"$1 - 1/e$", r"erf$(1/\sqrt{2})$"), strict=True):
        ax.axhline(limit, color=FAINT, linestyle=":", zorder=1)
        ax.annotate(name, (dims[-1], limit), (-4, 3), textcoords="offset points", ha="right", color=INK, fontsize=8)
    ax.set(xscale="log", xlabel="dimension d", ylabel="share of the ball's volume", ylim=(0.5, 1.02))
    grid_lines(ax)
    ax.legend()


EXPERIMENTS = (
    Experiment(
        "hd-shell-table",
        2,
        "Table 2.1, equations 2.2-2.4, section 2.1.2",
        "0.99^d of the ball lies inside radius 0.99",
        quick=Shell(),
        full=Shell(),
        run=run_shell,
        quick_seeds=5,
    ),
    Experiment(
        "hd-shell-equator",
        2,
        "Fig. 2.5, section 2.1.3",
        "63 % of the ball lies in a shell of thickness 1/d, 68 % in a slab of half-width 1/sqrt(d)",
        quick=Equator(),
        full=Equator(),
        run=run_equator,
        quick_seeds=5,
    ),
)
