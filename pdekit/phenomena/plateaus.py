"""Plateaus of a loss: stretches of a training in which nothing seems to happen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from ..checks import real
from ..errors import ShapeError


@final
@dataclass(frozen=True)
class Plateau:
    """An interval of steps and the loss there.

    Args:
        start, end: first and last step.
        level: geometric mean of the loss over log step.
    """

    start: float
    end: float
    level: float


def plateaus(steps: ArrayLike, loss: ArrayLike, *, change: float = 0.02, factor: float = 2.0) -> tuple[Plateau, ...]:
    """The intervals in which the loss stays within a fraction of itself while the step grows by a factor.

    max loss / min loss <= 1 + change and end / start >= factor; each is as long as it can be, and of two that overlap the
    one that is longer in log step is kept.

    Args:
        steps: (T,) rising; step 0 is left out.
        loss: (T,) positive.
        change: by how much the loss may vary.
        factor: how long a plateau is at least.

    Notes: costs T^2.

    >>> plateaus([1, 2, 3, 4, 5, 6], [9.0, 1.0, 1.01, 1.0, 1.01, 0.1])
    (Plateau(start=2.0, end=5.0, level=1.005),)
    """
    real("plateaus", "change", change, low=0.0)
    real("plateaus", "factor", factor, low=1.0)
    at, value = np.asarray(steps, dtype=float), np.asarray(loss, dtype=float)
    if at.ndim != 1 or at.shape != value.shape:
        raise ShapeError(f"plateaus: got {at.shape} steps and {value.shape} losses, expected (T,) of both")
    log_loss, log_step = np.log(value[at > 0]), np.log(at[at > 0])
    limit = np.log1p(change)
    found = []
    for start in range(len(log_step)):
        rest = log_loss[start:]
        inside = np.maximum.accumulate(rest) - np.minimum.accumulate(rest) <= limit
        end = start + (len(rest) if inside.all() else int(inside.argmin())) - 1
        if log_step[end] - log_step[start] >= np.log(factor):
            found.append((start, end))
    chosen: list[tuple[int, int]] = []
    for start, end in sorted(found, key=lambda pair: log_step[pair[0]] - log_step[pair[1]]):
        if all(end < a or start > b for a, b in chosen):
            chosen.append((start, end))
    return tuple(
        Plateau(
            float(round(np.exp(log_step[a]), 6)),
            float(round(np.exp(log_step[b]), 6)),
            float(
                f"{np.exp(np.trapezoid(log_loss[a : b + 1], log_step[a : b + 1]) / (log_step[b] - log_step[a])):.4g}"
            ),
        )
        for a, b in sorted(chosen)
    )
