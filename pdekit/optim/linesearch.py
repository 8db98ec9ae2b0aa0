"""Line search along a descent direction for the strong Wolfe conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from torch import Tensor

SUFFICIENT_DECREASE = 1e-4  # c1 of the Armijo condition, the customary value for quasi-Newton directions
CURVATURE = 0.9  # c2 of the curvature condition, likewise
_NARROW = 0.1  # share of the bracket that an interpolated step keeps away from its ends


@final
@dataclass(frozen=True)
class Trial:
    """One evaluated step along the direction: phi(t) = loss(x + t d), slope = phi'(t)."""

    length: float
    loss: float
    slope: float
    gradient: Tensor


def strong_wolfe(evaluate: Callable[[float], Trial], start: Trial, first: float, evaluations: int = 25) -> Trial | None:
    """Find t with phi(t) <= phi(0) + c1 t phi'(0) and |phi'(t)| <= c2 |phi'(0)|.

    Args:
        evaluate: t to Trial; a loss that is not finite counts as too long a step.
        start: the trial at t = 0; its slope is negative.
        first: the first length tried.
        evaluations: the most calls of `evaluate`.

    Returns:
        A trial that satisfies both conditions; or, when the evaluations are spent, the best one that decreased the
        loss sufficiently; or None when there was none.

    Reference: Nocedal & Wright, Numerical Optimization, algorithms 3.5 and 3.6, https://doi.org/10.1007/978-0-387-40065-5
    """

    def too_long(trial: Trial) -> bool:
        limit = start.loss + SUFFICIENT_DECREASE * trial.length * start.slope
        return not (math.isfinite(trial.loss) and math.isfinite(trial.slope) and trial.loss <= limit)

    low, high, length = start, None, first
    for _ in range(evaluations):
        trial = evaluate(length)
        if too_long(trial) or trial.loss > low.loss:
            high = trial
        elif abs(trial.slope) <= -CURVATURE * start.slope:
            return trial
        else:
            # The minimum lies between `trial` and the end its slope points to.
            if high is None:
                high = low if trial.slope >= 0 else None
            elif trial.slope * (high.length - low.length) >= 0:
                high = low
            low = trial
        if high is None:
            length = trial.length * 4.0 if trial.length > 0 else first
            continue
        length = _interpolate(low, high)
        if abs(high.length - low.length) <= 1e-12 * max(low.length, high.length):
            break
    return low if low.length > 0 else None


def _interpolate(low: Trial, high: Trial) -> float:
    """Return the minimiser of the cubic through both ends, kept inside the bracket; its middle if there is none."""
    left, right = min(low.length, high.length), max(low.length, high.length)
    width = right - left
    if not (math.isfinite(high.loss) and math.isfinite(high.slope)):
        return low.length + _NARROW * (high.length - low.length)
    span = high.length - low.length
    d1 = low.slope + high.slope - 3.0 * (low.loss - high.loss) / (low.length - high.length)
    square = d1 * d1 - low.slope * high.slope
    length = left + 0.5 * width
    if square >= 0.0:
        d2 = math.copysign(math.sqrt(square), span)
        denominator = high.slope - low.slope + 2.0 * d2
        if denominator != 0.0:
            length = high.length - span * (high.slope + d2 - d1) / denominator
    return min(max(length, left + _NARROW * width), right - _NARROW * width)
