"""Random projections keep distances: the Johnson-Lindenstrauss lemma."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, final

import numpy as np
import scipy
from numpy.typing import NDArray

from ...plot_style import INK, PALETTE, grid_lines
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..statistics import by_seed, columns, log_log_slope

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Projection:
    """Section 2.1.5; the book gives no numbers.

    Args:
        dim: of the points, normal ones.
        points: of the first part.
        targets: dimensions k projected to.
        counts: numbers of points of the second part.
        distortion: the largest allowed there.
        step: spacing of the dimensions tried there.
    """

    dim: int = 5000
    points: int = 300
    targets: tuple[int, ...] = (20, 50, 100, 200, 500, 1000)
    counts: tuple[int, ...] = (50, 300, 1500)
    distortion: float = 0.25
    step: int = 5


def run(config: Projection, context: Context) -> Finding:
    """Ratios of projected to true distances for several k, and the k that a given distortion needs."""
    seeds, targets = context.seeds, config.targets
    pairs = config.points * (config.points - 1) // 2
    ratio = np.empty((len(seeds), len(targets), pairs))
    needed = np.empty((len(seeds), len(config.counts)))
    for row, seed in enumerate(seeds):
        context.report(f"seed {seed}", row / len(seeds))
        generator = context.numpy_generator(seed, "points")
        matrix = generator.standard_normal((config.dim, max(targets)))
        x = generator.standard_normal((max(config.points, *config.counts), config.dim))
        image = x @ matrix
        true = scipy.spatial.distance.pdist(x[: config.points])
        for column, squares in enumerate(_squares(image[: config.points], targets)):
            ratio[row, column] = np.sqrt(squares) / true
        for column, count in enumerate(config.counts):
            needed[row, column] = _smallest(config, x[:count], image[:count])
    spread, worst = ratio.std(axis=2), np.abs(ratio - 1.0).max(axis=2)
    k = np.array(targets, dtype=np.float64)
    scaled, bound = spread * np.sqrt(2.0 * k), np.sqrt(8.0 * math.log(config.points) / k)
    slopes = [log_log_slope(k, row).value for row in spread]
    per_log = needed / np.log(config.counts)
    return Finding(
        claims=(
            Claim.over_seeds(
                "a random projection to k dimensions keeps pairwise distances, the better the larger k",
                "standard deviation of the ratio within 10 % of 1/sqrt(2k) for every k",
                {
                    **columns((f"deviation times sqrt(2k), k = {t}" for t in targets), scaled),
                    "slope against k": slopes,
                },
                by_seed(np.abs(scaled - 1.0) <= 0.1),
            ),
            Claim.over_seeds(
                "log(n) / distortion^2 dimensions are enough for all pairs of n points",
                f"largest distortion below sqrt(8 ln n / k) for every k, n = {config.points}",
                columns((f"largest over bound, k = {t}" for t in targets), (worst / bound)),
                by_seed(worst < bound),
            ),
            Claim.over_seeds(
                "the k that is needed grows like log n",
                f"smallest k with every distortion below {config.distortion:g}: less than 3 times larger for "
                f"n = {config.counts[-1]} than for n = {config.counts[0]}",
                columns((f"k, n = {n}" for n in config.counts), needed),
                by_seed(needed[:, -1] < 3.0 * needed[:, 0]),
                note="the book's 'k of the order of log n' hides a factor of 2/distortion^2 or more: here k / ln n is "
                f"{per_log.min():.0f} to {per_log.max():.0f}",
            ),
        ),
        arrays={
            "targets": k,
            "ratio": ratio.astype(np.float32),
            "deviation": spread,
            "largest": worst,
            "needed": needed,
        },
        figures={
            "ratios": partial(_draw_ratios, targets, ratio[0]),
            "distortion": partial(_draw_distortion, config, k, spread, worst, needed),
        },
    )


def _squares(image: FloatArray, targets: tuple[int, ...]) -> list[FloatArray]:
    """Squared distances of the points' projections to each of the ascending dimensions."""
    total: FloatArray = np.zeros(len(image) * (len(image) - 1) // 2)
    found = []
    for low, high in pairwise((0, *targets)):
        total = total + scipy.spatial.distance.pdist(image[:, low:high], "sqeuclidean")
        found.append(total / high)
    return found


def _smallest(config: Projection, x: FloatArray, image: FloatArray) -> float:
    """The smallest k whose projection changes no distance by more than the allowed share; infinite if there is none."""
    true = scipy.spatial.distance.pdist(x, "sqeuclidean")
    low, high = (1.0 - config.distortion) ** 2 * true, (1.0 + config.distortion) ** 2 * true
    total: FloatArray = np.zeros_like(true)
    for k in range(config.step, image.shape[1] + 1, config.step):
        total += scipy.spatial.distance.pdist(image[:, k - config.step : k], "sqeuclidean")
        if ((total >= k * low) & (total <= k * high)).all():
            return float(k)
    return math.inf


def _draw_ratios(targets: tuple[int, ...], ratio: FloatArray, figure: Figure) -> None:
    ax = figure.subplots()
    bins = np.linspace(0.4, 1.6, 121).tolist()
    for i, (k, values) in enumerate(zip(targets, ratio, strict=True)):
        ax.hist(values, bins=bins, density=True, histtype="step", color=PALETTE[i % len(PALETTE)], label=f"k = {k}")
    ax.set(xlabel="projected / true distance", ylabel="density", yscale="log", ylim=(1e-2, 40))
    grid_lines(ax)
    ax.legend()


def _draw_distortion(
    config: Projection, k: FloatArray, spread: FloatArray, worst: FloatArray, needed: FloatArray, figure: Figure
) -> None:
    left, right = figure.subplots(1, 2)
    left.plot(k, spread.mean(axis=0), "o", color=PALETTE[0], label="standard deviation")
    left.plot(k, worst.mean(axis=0), "s", color=PALETTE[1], label="largest of all pairs")
    left.plot(k, 1.0 / np.sqrt(2.0 * k), color=INK, label=r"$1/\sqrt{2k}$")
    left.plot(k, np.sqrt(8.0 * math.log(config.points) / k), color=INK, linestyle="--", label=r"$\sqrt{8 \ln n / k}$")
    left.set_ylim(3e-3, 2)
    left.set(xscale="log", yscale="log", xlabel="dimension k projected to", ylabel="distortion of distances")
    right.plot(config.counts, needed.T, "o", color=PALETTE[0])
    right.plot(config.counts, needed.mean(axis=0), color=PALETTE[0])
    right.set(
        xscale="log", xlabel="number of points n", ylabel=f"smallest k with distortion below {config.distortion:g}"
    )
    right.set_ylim(bottom=0)
    for ax in (left, right):
        grid_lines(ax)
    left.legend(fontsize=8, loc="lower left")


EXPERIMENTS = (
    Experiment(
        "hd-jl",
        2,
        "Section 2.1.5",
        "a random projection to k dimensions changes distances by 1/sqrt(2k)",
        quick=Projection(),
        full=Projection(),
        run=run,
    ),
)
