"""Networks with random inner weights approximate Barron functions at a rate that knows no dimension."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from ...plot_style import INK, PALETTE, grid_lines
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..statistics import BLOCK, by_seed, columns, log_log_slope
from .scan import each_dimension

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

NORM = 2.0**0.5
"""Root mean square of a(w) = 1 + sign(w_1), which is 0 or 2: the norm of this representation, at least gamma_2(f)."""


@final
@dataclass(frozen=True)
class Barron:
    """f(x) = E a(w) relu(w.x), w uniform on the sphere of the 1-norm; the book leaves a and the law of w open.

    Args:
        dims: of x.
        widths: m, ascending.
        repetitions: networks of each width.
        reference: directions that f itself is computed with.
        points: x, uniform in [-1, 1]^d.
    """

    dims: tuple[int, ...] = (2, 10, 100)
    widths: tuple[int, ...] = (10, 30, 100, 300, 1000, 3000)
    repetitions: int = 50
    reference: int = 200_000
    points: int = 200


def run(config: Barron, context: Context) -> Finding:
    """Mean square errors of (1/m) sum_k a(w_k) relu(w_k.x) against the width m, in several dimensions."""
    dims = config.dims
    widths = np.array(config.widths, dtype=np.float64)
    error = each_dimension(context, "networks", dims, partial(_errors, config))
    slopes = np.array([[log_log_slope(widths, one).value for one in seed] for seed in error])
    constant = (error * widths).mean(axis=2)
    bound = 3.0 * NORM**2
    largest = (error * widths).max(axis=(1, 2))
    return Finding(
        claims=(
            Claim.over_seeds(
                "the mean square error of random networks of width m is O(1/m), in every dimension",
                "slope -1 +- 0.1 for d = " + ", ".join(map(str, dims)),
                columns((f"slope, d = {d}" for d in dims), slopes),
                by_seed(np.abs(slopes + 1.0) <= 0.1),
            ),
            Claim.over_seeds(
                "it is at most 3 gamma_2^2 / m",
                f"m times the error below {bound:g} at every width and in every dimension, with gamma_2 <= sqrt(2)",
                {
                    "largest m times error": largest.tolist(),
                    **columns((f"m times error, d = {d}" for d in dims), constant),
                },
                by_seed(largest < bound),
                note="the rate does not depend on d, the constant falls with it: |w.x| is about sqrt(2/(3d)) here. The "
                "book's closing line has gamma_2 for gamma_2^2",
            ),
        ),
        arrays={"dims": np.array(dims), "widths": widths, "error": error},
        figures={"barron": partial(_draw, dims, widths, error, bound)},
    )


def sample_cross_polytope(n: int, dim: int, generator: np.random.Generator) -> FloatArray:
    """n points, uniform on the sphere |w|_1 = 1 of R^dim: exponential sizes over their sum, random signs."""
    w = generator.standard_exponential((n, dim))
    w /= w.sum(axis=1, keepdims=True)
    return w * generator.choice([-1.0, 1.0], (n, dim))


def _errors(config: Barron, dim: int, generator: np.random.Generator) -> FloatArray:
    """Mean square errors of random networks, one for each width; the narrower ones are parts of the widest."""
    widths = np.array(config.widths)
    x = generator.uniform(-1.0, 1.0, (config.points, dim))
    exact = _reference(config.reference, x, generator)
    squares = np.zeros(len(widths))
    for _ in range(config.repetitions):
        sums = np.cumsum(_neurons(config.widths[-1], x, generator), axis=0)[widths - 1]
        squares += np.mean((sums / widths[:, None] - exact) ** 2, axis=1)
    return squares / config.repetitions


def _neurons(m: int, x: FloatArray, generator: np.random.Generator) -> FloatArray:
    """a(w) relu(w.x) of m random neurons, (m, n)."""
    w = sample_cross_polytope(m, x.shape[1], generator)
    return (1.0 + np.sign(w[:, :1])) * np.maximum(w @ x.T, 0.0)


def _reference(m: int, x: FloatArray, generator: np.random.Generator) -> FloatArray:
    """f(x), (n,), from m random neurons."""
    size = max(1, BLOCK // max(x.shape))
    total = sum(_neurons(min(size, m - start), x, generator).sum(axis=0) for start in range(0, m, size))
    return np.asarray(total) / m


def _draw(dims: tuple[int, ...], widths: FloatArray, error: FloatArray, bound: float, figure: Figure) -> None:
    ax = figure.subplots()
    ax.plot(widths, bound / widths, color=INK, linestyle="--", label=r"$3\gamma_2^2/m$")
    for i, dim in enumerate(dims):
        ax.plot(widths, error[:, i].mean(axis=0), "o-", color=PALETTE[i], label=f"d = {dim}")
    ax.set(xscale="log", yscale="log", xlabel="width m", ylabel="mean square error")
    grid_lines(ax)
    ax.legend()


EXPERIMENTS = (
    Experiment(
        "cod-barron-mc",
        2,
        "Equation 2.12, section 2.3.2",
        "random networks of width m have a mean square error of order 1/m in every dimension",
        quick=Barron(),
        full=Barron(),
        run=run,
    ),
)
