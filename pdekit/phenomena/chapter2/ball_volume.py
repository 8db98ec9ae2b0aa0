"""The volume of the unit ball, and its share of the cube around it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from ...plot_style import INK, PALETTE, grid_lines
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..statistics import by_seed, deviations, in_blocks, share_error
from .laws import ball_volume, log_ball_volume
from .scan import each_dimension

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

TABLE = ((2, 0.7854), (10, 2.490e-3), (20, 2.461e-8))
"""Share of the cube inside the ball, to four digits."""


@final
@dataclass(frozen=True)
class BallVolume:
    """Section 2.1.4 and exercises 16 to 18.

    Args:
        dims: the largest dimension of the table, from 1.
        curves: dimensions whose volume is drawn against the radius.
        sampled: the share of the cube is counted up to this dimension.
        points: of the cube, for each dimension.
        radii: of balls whose volume is followed to high dimension.
    """

    dims: int = 30
    curves: tuple[int, ...] = (5, 10, 20)
    sampled: int = 10
    points: int = 200_000
    radii: tuple[float, ...] = (1.0, 2.0, 3.0)


def run(config: BallVolume, context: Context) -> Finding:
    """Evaluate V(d) = 2 pi^(d/2) / (d Gamma(d/2)) r^d and count points of the cube that lie in the ball."""
    dims = np.arange(1, config.dims + 1)
    volume = ball_volume(dims)
    share = volume / 2.0**dims
    counted = each_dimension(context, "cube", range(1, config.sampled + 1), partial(_share_inside, config.points))
    expected = share[: config.sampled]
    worst = deviations(counted, expected, share_error(expected, config.points)).max(axis=1)
    peak = int(dims[np.argmax(volume)])
    small = int(dims[volume >= volume[0]].max()) + 1
    printed = [(dim, value, float(share[dim - 1])) for dim, value in TABLE if dim <= config.dims]
    far = np.arange(1, 2001)
    logs = {radius: log_ball_volume(far, radius) / np.log(10.0) for radius in config.radii}
    peaks = {radius: int(far[np.argmax(log)]) for radius, log in logs.items()}
    ends = {radius: float(log[-1]) for radius, log in logs.items()}
    return Finding(
        claims=(
            Claim(
                "the volume of the unit ball tends to 0 with the dimension",
                "largest at d = 5 with 5.2638, decreasing from there, 0.02581 at d = 20",
                {"d of the maximum": peak, "V(5)": float(volume[4]), "V(20)": float(volume[19])},
                peak == 5
                and bool((np.diff(volume[4:]) < 0).all())
                and round(float(volume[4]), 4) == 5.2638
                and round(float(volume[19]), 5) == 0.02581,
                note=f"it grows up to d = {peak} and is below V(1) = 2 only from d = {small} on",
            ),
            Claim(
                "the same holds for every radius",
                "below 1e-100 in 2000 dimensions, for each radius",
                {f"log10 V(2000), r = {radius:g}": end for radius, end in ends.items()},
                all(end < -100.0 for end in ends.values()),
                note="but first it grows, up to d about 2 pi r^2: "
                + ", ".join(f"d = {top} for r = {radius:g}" for radius, top in peaks.items()),
            ),
            Claim(
                "the share of the cube that lies in the ball vanishes",
                "0.7854, 2.490e-3, 2.461e-8 for d = 2, 10, 20 to four digits",
                {f"share at d = {dim}": value for dim, _, value in printed},
                all(f"{value:.3e}" == f"{known:.3e}" for _, known, value in printed),
            ),
            Claim.over_seeds(
                "a random point of the cube lies in the ball with this probability",
                f"within 4 standard errors of {config.points} points in every dimension up to {config.sampled}",
                {"largest deviation in standard errors": worst.tolist()},
                by_seed(worst <= 4.0),
            ),
        ),
        arrays={"dims": dims, "volume": volume, "cube_share": share, "counted_share": counted},
        figures={
            "volume": partial(_draw_volume, dims, volume, share, counted),
            "radius": partial(_draw_radius, config.curves),
        },
    )


def _share_inside(points: int, dim: int, generator: np.random.Generator) -> float:
    radius = in_blocks(points, dim, lambda count: np.linalg.norm(generator.random((count, dim)), axis=1))
    return float((radius <= 1.0).mean())


def _draw_volume(dims: np.ndarray, volume: FloatArray, share: FloatArray, counted: FloatArray, figure: Figure) -> None:
    left, right = figure.subplots(1, 2)
    left.plot(dims, volume, "o-", color=PALETTE[0], markersize=4)
    left.set(xlabel="dimension d", ylabel="volume V(d) of the unit ball")
    right.plot(dims, share, color=INK, label=r"$V(d)/2^d$")
    right.plot(np.arange(1, counted.shape[1] + 1), counted.mean(axis=0), "o", color=PALETTE[1], label="sampled")
    right.set(xlabel="dimension d", ylabel="share of the cube inside the ball", yscale="log")
    right.legend()
    for ax in (left, right):
        grid_lines(ax)


def _draw_radius(curves: tuple[int, ...], figure: Figure) -> None:
    ax = figure.subplots()
    r = np.linspace(0.0, 1.0, 201)
    for i, dim in enumerate(curves):
        ax.plot(r, ball_volume(dim, r), color=PALETTE[i], label=f"d = {dim}")
    ax.set(xlabel="radius r", ylabel="volume V(d)")
    grid_lines(ax)
    ax.legend()


EXPERIMENTS = (
    Experiment(
        "hd-ball-volume",
        2,
        "Equation 2.5, section 2.1.4, exercises 16-18",
        "the unit ball loses its volume, and the cube its ball",
        quick=BallVolume(),
        full=BallVolume(),
        run=run,
        quick_seeds=5,
    ),
)
