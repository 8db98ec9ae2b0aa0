"""Forecast of a relaxation: how many sweeps a guess still needs, told from its residual by frequency."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from ..discrete import (
    DirichletFace,
    Grid,
    LinearSystem,
    Relaxation,
    assemble,
    from_sine_coefficients,
    relative_eigenvalues,
    sine_coefficients,
)
from ..record import Record

PREDICTED = "predicted_sweeps"
"""Name of the history's column with the forecast."""

_BINS = 400
_MOST_TRANSFORMED = 10**5
_FALLBACK_REDUCTION = 0.2  # of one cycle of a method without a law for single modes (multigrid)


@final
class Forecast:
    """Predicts the sweeps from a guess to a tolerance, without making them.

    The error e solves M e = r. In sine modes of the grid e_k = r_k / lambda_k, and one sweep multiplies mode k by
    rho(mu_k), so n sweeps leave the error with modes e_k rho_k^n.

    Args:
        system: the discrete equations.
        relaxation: what a sweep is.
        tolerance: bound for the largest error.

    Notes:
        Exact for constant coefficients between Dirichlet faces, where e_k is known. Elsewhere the row-scaled residual is
        read in the modes of the Laplacian on the same grid: an estimate of the right order. Beyond 10^5 points the
        largest error is bounded by the sum over modes, binned by decay, so that one forecast costs one sine transform.
    """

    def __init__(self, system: LinearSystem, relaxation: Relaxation, tolerance: float) -> None:
        self._system, self._tolerance = system, tolerance
        model = system if system.star is not None and system.star.symmetric else _laplacian(system.grid)
        mu = relative_eigenvalues(model)
        self._mu = mu
        rates = relaxation.reduction(mu)
        decay = np.full(mu.shape, _FALLBACK_REDUCTION) if rates is None else np.abs(rates)
        self._logs = np.log(np.clip(decay, 1e-300, 1.0 - 1e-16))
        slowest, fastest = -self._logs.max(), -self._logs.min()
        self._edges = np.geomspace(slowest, max(fastest, slowest * (1 + 1e-12)), _BINS)
        self._bin = np.clip(np.searchsorted(self._edges, -self._logs.ravel(), side="right") - 1, 0, _BINS - 1)

    def modes(self, values: np.ndarray) -> np.ndarray:
        """Estimated error of grid values by sine mode."""
        scaled = np.zeros(self._system.grid.shape)
        scaled[self._system.unknown] = self._system.residual(values) / self._system.diagonal
        return sine_coefficients(scaled[self._system.grid.interior]) / self._mu

    def sweeps(self, values: np.ndarray) -> int:
        """Sweeps from these grid values to the tolerance."""
        left = self._left(self.modes(values))
        if left(0) <= self._tolerance:
            return 0
        low, high = 0.0, 1.0
        while left(high) > self._tolerance:
            low, high = high, 2 * high
        while high - low > max(1.0, 1e-2 * low):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if left(middle) > self._tolerance else (low, middle)
        return math.ceil(high)

    def _left(self, modes: np.ndarray) -> Callable[[float], float]:
        """Largest error after n sweeps: itself on small grids, its bound by the sum of all modes on large ones."""
        if modes.size <= _MOST_TRANSFORMED:
            return lambda n: float(np.abs(from_sine_coefficients(modes * np.exp(n * self._logs))).max())
        sizes = np.bincount(self._bin, weights=np.abs(modes).ravel(), minlength=_BINS)
        return lambda n: float(sizes @ np.exp(-n * self._edges))


@final
@dataclass(frozen=True)
class Costs:
    """Seconds of one optimiser step and of one sweep, from a model of a two-core machine.

    A model and not a clock, so that the hand-over, and with it the whole result, is the same at every run.
    """

    step: float
    sweep: float

    @staticmethod
    def of(grid: Grid, training_points: int, parameters: int) -> Costs:
        """From sizes: 5e9 multiplications a second in training, 1e9 grid values a second in relaxation."""
        channels = grid.dim + 1
        step = 5e-4 + 6.0 * channels * training_points * parameters / 5e9
        return Costs(step, 3e-6 + grid.size * (1 + grid.dim) / 1e9)


@final
@dataclass(frozen=True)
class HandOverRule:
    """Stop training when relaxation has only local work left, or when more training cannot pay any more.

    1. The forecast is at most `enough` sweeps.
    2. Since the best forecast, training has gone on for twice as long as the relaxation it predicts takes, and for half
       of all its steps (forecasts fluctuate): more of it can hardly pay any more.

    Args:
        enough: sweeps that count as local work; one sweep carries information over one grid point, so a few times the
            points along an axis reach all that is not global.
        costs: of steps and sweeps.
    """

    enough: int
    costs: Costs

    def reason(self, history: Record) -> str | None:
        """Why to hand over now."""
        steps, predicted = history["step"], history[PREDICTED]
        known = ~np.isnan(predicted)
        if not known.any():
            return None
        steps, predicted = steps[known], predicted[known]
        if predicted[-1] <= self.enough:
            return f"{predicted[-1]:.0f} predicted sweeps are at most {self.enough}"
        total = steps * self.costs.step + predicted * self.costs.sweep
        best = int(total.argmin())
        waited = (steps[-1] - steps[best]) * self.costs.step
        if waited > max(2 * predicted[best] * self.costs.sweep, steps[-1] * self.costs.step / 2):
            return f"training costs more than the {predicted[best]:.0f} predicted sweeps of step {steps[best]:.0f}"
        return None


def _laplacian(grid: Grid) -> LinearSystem:
    faces = {(axis, side): DirichletFace(0.0) for axis in range(grid.dim) for side in (0, 1)}
    return assemble(grid, source=lambda x: np.zeros(len(x)), faces=faces)
