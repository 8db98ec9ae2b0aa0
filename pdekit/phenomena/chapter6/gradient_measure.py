"""freq-gradient-measure: near zero, almost all parameters have larger gradients at the lower frequency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from ...plot_style import FAINT, grid_lines, style
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..statistics import FloatArray, in_blocks, sample_ball, share_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@final
@dataclass(frozen=True)
class GradientMeasure:
    """The network, the two frequencies, and the balls its parameters are drawn from.

    Args:
        neurons: of h(x) = sum over j of a_j tanh(w_j x + b_j); the ball has three times as many dimensions.
        low: the lower wave number.
        high: the higher one.
        target: the target's transform at both.
        radii: of the balls, rising.
        samples: uniform draws from each ball.
    """

    neurons: int = 5
    low: float = 1.0
    high: float = 3.0
    target: float = 1.0
    radii: tuple[float, ...] = (0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.2, 1.4, 1.7, 2.0, 2.5, 3.0)
    samples: int = 20_000


def log_gradients(a: FloatArray, w: FloatArray, b: FloatArray, k: float, target: float) -> FloatArray:
    """log |dL/d(a_j, w_j, b_j)| of L = |h^(k) - target|^2 / 2.

    h^(k) = sum over j of a_j g_j,  g_j = -i pi exp(i b_j k / w_j) / (|w_j| sinh(pi k / (2 w_j)))

    Args:
        a, w, b: (n, m), n networks of m neurons.
        k: wave number, positive.
        target: transform of the target.

    Returns:
        (n, 3 m), first those of all a_j, then w_j, then b_j.

    Notes: |g_j| is about exp(-pi k / (2 |w_j|)), which underflows for small weights; it is carried as a logarithm.

    Reference: book, eqs 6.6, 6.8, 6.11.
    """
    argument = np.pi * k / (2 * np.abs(w))
    size = np.log(2 * np.pi / np.abs(w)) - argument - np.log1p(-np.exp(-2 * argument))
    phase = -1j * np.sign(w) * np.exp(1j * b * k / w)
    gap = (a * phase * np.exp(size)).sum(axis=1, keepdims=True) - target
    along = np.conj(gap) * phase
    to_w = a * (argument / np.tanh(argument) - 1 - 1j * b * k / w) / w
    to_b = a * 1j * k / w
    factors = np.concatenate([along.real, (along * to_w).real, (along * to_b).real], axis=1)
    with np.errstate(divide="ignore"):
        logarithms: FloatArray = np.tile(size, 3) + np.log(np.abs(factors))
    return logarithms


def share_of_low(config: GradientMeasure, radius: float, generator: np.random.Generator) -> float:
    """Share of a ball in which every parameter's gradient is larger at the lower wave number."""

    def draw_dominated(count: int) -> FloatArray:
        point = radius * sample_ball(count, 3 * config.neurons, generator)
        a, w, b = np.split(point, 3, axis=1)
        low, high = (log_gradients(a, w, b, k, config.target) for k in (config.low, config.high))
        return np.asarray((low > high).all(axis=1), dtype=np.float64)

    return float(in_blocks(config.samples, 3 * config.neurons, draw_dominated).mean())


@final
@dataclass(frozen=True)
class Line:
    """log(1 - share) = slope / radius + intercept; `determination` is R^2."""

    slope: float
    intercept: float
    determination: float


def fitted_line(inverse: FloatArray, rest: FloatArray) -> Line:
    """The line through log(rest) against 1 / radius, where enough draws are on either side."""
    used = (rest > 1e-3) & (rest < 0.5)
    if np.count_nonzero(used) < 3:
        return Line(np.nan, np.nan, np.nan)
    x, y = inverse[used], np.log(rest[used])
    slope, intercept = np.polyfit(x, y, 1)
    return Line(float(slope), float(intercept), float(np.corrcoef(x, y)[0, 1] ** 2))


def run(config: GradientMeasure, context: Context) -> Finding:
    """Count, for each radius, in how much of the ball the lower frequency dominates."""
    radii = np.array(config.radii)
    shares = np.array(
        [
            [share_of_low(config, radius, context.numpy_generator(seed, number)) for number, radius in enumerate(radii)]
            for seed in context.seeds
        ]
    )
    rest = 1 - shares
    errors = share_error(shares, config.samples)
    rises = np.diff(shares, axis=1) / np.maximum(np.hypot(errors[:, 1:], errors[:, :-1]), 1 / config.samples)
    lines = [fitted_line(1 / radii, row) for row in rest]
    rate, fit = [line.slope for line in lines], [line.determination for line in lines]
    claims = (
        Claim.over_seeds(
            "the smaller the ball, the larger the part in which the lower frequency has the larger gradients",
            "share does not rise with the radius by more than 3 standard errors",
            {"largest rise in standard errors": rises.max(axis=1).tolist()},
            [bool(row.max() <= 3) for row in rises],
        ),
        Claim.over_seeds(
            "the share tends to 1",
            f"share at least 0.99 at radius {radii[0]:g}",
            {"share": shares[:, 0].tolist()},
            [bool(share >= 0.99) for share in shares[:, 0]],
        ),
        Claim.over_seeds(
            "1 - share falls like exp(-c / radius)",
            "log(1 - share) against 1 / radius falls with R^2 >= 0.9 where 0.001 < 1 - share < 0.5",
            {"slope": rate, "R^2": fit},
            [slope < 0 and r2 >= 0.9 for slope, r2 in zip(rate, fit, strict=True)],
        ),
    )

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for number, seed in enumerate(context.seeds):
            left.errorbar(radii, shares[number], errors[number], label=f"seed {seed}", **style(number))
            seen = rest[number] > 0
            right.semilogy(1 / radii[seen], rest[number][seen], "o", color=style(number)["color"], markersize=3)
            shown = np.array([1 / radii[-1], 1 / radii[seen][0]])
            right.semilogy(shown, np.exp(rate[number] * shown + lines[number].intercept), **style(number))
        left.set(xlabel="radius of the ball", ylabel="share where low k dominates")
        left.legend()
        right.axhspan(1e-3, 0.5, color=FAINT, alpha=0.2, label="range of the fit")
        right.set(xlabel="1 / radius", ylabel="1 - share", title=f"slope {np.median(rate):.2f}, median of seeds")
        right.legend()
        for ax in (left, right):
            grid_lines(ax)

    return Finding(claims, {"radii": radii, "shares": shares, "standard_errors": errors}, {"share": draw})


EXPERIMENT = Experiment(
    id="freq-gradient-measure",
    chapter=6,
    source="Eqs 6.8-6.12, Theorem 2, section 6.2",
    title="near zero parameters the gradient of the lower frequency dominates",
    quick=GradientMeasure(),
    full=GradientMeasure(samples=500_000),
    run=run,
    quick_seeds=5,
)
