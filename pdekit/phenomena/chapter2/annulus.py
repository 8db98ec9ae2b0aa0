"""Normal samples in high dimension lie in a ring, and their sums do not come back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, final

import numpy as np
import scipy
from numpy.typing import NDArray

from ...plot_style import INK, PALETTE, grid_lines
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..statistics import by_seed, columns, in_blocks, share_error
from .panels import Sampled, histograms
from .scan import each_dimension

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Annulus:
    """Figures 2.6 and 2.7.

    Args:
        dims: the figure's caption has 1, 10 and 1000, the text below it 10 and 100.
        samples: in each dimension.
        steps: of the sums of noise.
        walks: sums in one dimension.
        high: the high dimension.
        high_walks: sums in the high dimension.
        near: a sum is back when it is shorter than this share of its root mean square length.
    """

    dims: tuple[int, ...] = (1, 10, 100, 1000)
    samples: int = 10_000
    steps: int = 100
    walks: int = 20_000
    high: int = 4096
    high_walks: int = 100
    near: float = 0.1


def run(config: Annulus, context: Context) -> Finding:
    """Norms of normal samples against the chi law; lengths of sums of noise in one and in many dimensions."""
    dims = config.dims
    norms = each_dimension(context, "normal", dims, partial(_norms, config.samples))
    low = each_dimension(context, "sums", (1,), partial(_lengths, config.steps, config.walks))[:, 0]
    high = each_dimension(context, "sums", (config.high,), partial(_lengths, config.steps, config.high_walks))[:, 0]
    laws = [scipy.stats.chi(dim) for dim in dims]
    p = np.array([[scipy.stats.kstest(x, law.cdf).pvalue for x, law in zip(row, laws, strict=True)] for row in norms])
    mean, spread = norms.mean(axis=2), norms.std(axis=2, ddof=1)
    off = np.abs(np.stack([mean / [law.mean() for law in laws], spread / [law.std() for law in laws]], axis=1) - 1.0)
    expected = math.erf(config.near / math.sqrt(2.0))  # of one dimension; in d dimensions chi(d) < near sqrt(d)
    back, back_high = _share_back(config, low, 1), _share_back(config, high, config.high)
    ever, ever_high = _share_ever_back(config, low, 1), _share_ever_back(config, high, config.high)
    error = float(share_error(expected, config.walks))
    return Finding(
        claims=(
            Claim.over_seeds(
                "the norm of normal samples follows the chi law",
                "Kolmogorov-Smirnov p > 0.01 in every dimension",
                columns((f"p, d = {d}" for d in dims), p),
                by_seed(p > 0.01),
            ),
            Claim.over_seeds(
                "they lie near sqrt(d) in a ring whose width does not grow",
                "means "
                + ", ".join(f"{law.mean():.3f}" for law in laws)
                + " and standard deviations "
                + ", ".join(f"{law.std():.3f}" for law in laws)
                + f" for d = {', '.join(map(str, dims))}, within 2 %",
                {
                    **columns((f"mean, d = {d}" for d in dims), mean),
                    **columns((f"deviation, d = {d}" for d in dims), spread),
                },
                by_seed(off <= 0.02),
                note="in one dimension there is no ring: the density is largest at 0",
            ),
            Claim.over_seeds(
                "noise summed over many steps comes back near the start in one dimension, in high dimension not",
                f"|S_T| < {config.near:g} sqrt(T d), T = {config.steps}: share {expected:.4f} within 3 standard errors "
                f"in one dimension, none in {config.high}",
                {"share, d = 1": back.tolist(), f"share, d = {config.high}": back_high.tolist()},
                by_seed((np.abs(back - expected) <= 3.0 * error) & (back_high == 0.0)),
            ),
        ),
        arrays={
            "dims": np.array(dims),
            "norms": norms,
            "p": p,
            "walks_1": low[:, : config.high_walks],
            "walks_high": high,
        },
        figures={
            "annulus": partial(_draw_norms, dims, norms[0]),
            "sums": partial(_draw_sums, config, low[0], high[0]),
        },
        numbers={
            "share that was back at some step from the second on, d = 1": ever.tolist(),
            f"share that was back at some step from the second on, d = {config.high}": ever_high.tolist(),
        },
    )


def _norms(samples: int, dim: int, generator: np.random.Generator) -> FloatArray:
    return in_blocks(samples, dim, lambda count: np.linalg.norm(generator.standard_normal((count, dim)), axis=1))


def _lengths(steps: int, walks: int, dim: int, generator: np.random.Generator) -> FloatArray:
    """|S_1|, ..., |S_T| of sums of standard normal steps, (walks, T)."""
    sums = np.zeros((walks, dim))
    lengths = np.empty((walks, steps))
    for step in range(steps):
        sums += generator.standard_normal((walks, dim))
        lengths[:, step] = np.linalg.norm(sums, axis=1)
    return lengths


def _share_back(config: Annulus, lengths: FloatArray, dim: int) -> FloatArray:
    back: FloatArray = (lengths[..., -1] < config.near * math.sqrt(config.steps * dim)).mean(axis=1)
    return back


def _share_ever_back(config: Annulus, lengths: FloatArray, dim: int) -> FloatArray:
    """Share of sums that came within `near` of one step's length of the start, the first step left out."""
    back: FloatArray = (lengths[..., 1:] < config.near * math.sqrt(dim)).any(axis=2).mean(axis=1)
    return back


def _draw_norms(dims: tuple[int, ...], norms: FloatArray, figure: Figure) -> None:
    panels = [Sampled(d, x, scipy.stats.chi(d).pdf, math.sqrt(d)) for d, x in zip(dims, norms, strict=True)]
    histograms(figure, panels, "distance from the origin", r"$\sqrt{d}$")


def _draw_sums(config: Annulus, low: FloatArray, high: FloatArray, figure: Figure) -> None:
    ax = figure.subplots()
    step = np.arange(1, config.steps + 1)
    for i, (lengths, dim) in enumerate(((low, 1), (high, config.high))):
        for walk, length in enumerate(lengths[:5]):
            label = f"d = {dim}" if walk == 0 else None
            ax.plot(step, length / math.sqrt(dim), color=PALETTE[i], linewidth=0.9, label=label)
    ax.plot(step, np.sqrt(step), color=INK, linestyle="--", label=r"$\sqrt{t}$")
    ax.set(xlabel="steps of noise t", ylabel=r"distance from the start / $\sqrt{d}$")
    grid_lines(ax)
    ax.legend()


EXPERIMENTS = (
    Experiment(
        "hd-annulus",
        2,
        "Figs. 2.6 and 2.7, section 2.1.4",
        "normal samples lie at distance sqrt(d), in a ring of width 0.7",
        quick=Annulus(),
        full=Annulus(high_walks=1000),
        run=run,
        quick_seeds=5,
    ),
)
