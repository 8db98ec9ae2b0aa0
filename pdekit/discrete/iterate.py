"""Run a relaxation to a tolerance and count its sweeps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, ConvergenceError, NonFiniteError, ShapeError
from .relaxation import Relaxation
from .sweepers import Sweeper
from .system import LinearSystem

FloatArray = NDArray[np.float64]
Probe = Callable[[int, FloatArray], Mapping[str, float]]
_BLOCK_SECONDS = 0.05  # sweeps are run in blocks of about this length
_GROWTH = 1e3  # an error that has grown by this much does not come back


@final
@dataclass(frozen=True)
class Sample:
    """The state of an iteration after some sweeps: `error` is what the tolerance is compared with."""

    sweep: int
    seconds: float
    error: float
    probed: Mapping[str, float] = field(default_factory=dict)


@final
@dataclass(frozen=True, eq=False)
class Relaxed:
    """Outcome of an iteration.

    Args:
        u: grid-shaped values.
        sweeps: sweeps done; if converged, the first number that meets the tolerance.
        seconds: wall time of those sweeps, without set-up, checks' re-runs and probes.
        converged: whether the tolerance was met.
        history: samples with increasing sweeps, from 0 to `sweeps`.
    """

    u: FloatArray
    sweeps: int
    seconds: float
    converged: bool
    history: tuple[Sample, ...]


def relax(
    system: LinearSystem,
    relaxation: Relaxation,
    start: FloatArray,
    *,
    max_sweeps: int,
    tolerance: float,
    target: FloatArray | None = None,
    every: int | None = None,
    probe: Probe | None = None,
    max_seconds: float | None = None,
) -> Relaxed:
    """Sweep until the tolerance is met.

    Args:
        system: the linear system.
        relaxation: what a sweep is.
        start: grid-shaped first guess; its values at known points are replaced by the known ones.
        max_sweeps: give up after these.
        tolerance: bound for max |u - target| if there is a target, else for max |D^-1 residual| / max |D^-1 rhs|.
        target: grid-shaped values to reach, as a rule the solution of the system.
        every: sample the history each so many sweeps; None samples where a block of sweeps ends.
        probe: (sweeps, u) -> numbers to keep in the history.
        max_seconds: give up after this wall time.

    Returns:
        The outcome. Where the error provably never grows (`Sweeper.monotone`), sweeps run in blocks and the first one that
        meets the tolerance is found by bisection of the last block; elsewhere each sweep is checked.

    Raises:
        NotApplicableError: a zero on the diagonal, or a singular system.
        ConvergenceError: the iteration diverges, with its rate.
        ShapeError, NonFiniteError: start, target or right-hand side of a wrong shape, NaN or infinite.
    """
    _check_limits(max_sweeps, tolerance, every)
    system = system.balanced()
    u = system.extend(system.restrict(_finite("start", system, start)))
    goal = None if target is None else _finite("target", system, target)
    sweeper = relaxation.prepare(system)
    measure = _measure(system, goal)
    in_blocks = sweeper.monotone if goal is not None else sweeper.monotone_residual

    sweeps, seconds, error = 0, 0.0, measure(u)
    limit = _GROWTH * max(error, tolerance)
    history: list[Sample] = []
    length = 16 if in_blocks else 1
    while True:
        done = error <= tolerance
        over = sweeps >= max_sweeps or (max_seconds is not None and seconds >= max_seconds)
        if every is None or sweeps % every == 0 or done or over:
            history.append(Sample(sweeps, seconds, error, dict(probe(sweeps, u)) if probe is not None else {}))
        if done or over:
            return Relaxed(u, sweeps, seconds, done, tuple(history))

        block = min(length, max_sweeps - sweeps, every - sweeps % every if every else max_sweeps)
        started = time.perf_counter()
        swept = sweeper.sweep(u, block)
        elapsed = time.perf_counter() - started
        after = measure(swept)
        _refuse_growth(relaxation.name, sweeps + block, after, (after / error) ** (1.0 / block), limit)
        if after <= tolerance and block > 1:
            exact, swept = _first_within(sweeper, lambda v: measure(v) <= tolerance, u, swept, block)
            elapsed, block, after = elapsed * exact / block, exact, measure(swept)
        u, sweeps, seconds, error = swept, sweeps + block, seconds + elapsed, after
        if in_blocks and elapsed < _BLOCK_SECONDS:
            length *= 2


def _first_within(
    sweeper: Sweeper,
    within: Callable[[FloatArray], bool],
    before: FloatArray,
    after: FloatArray,
    block: int,
) -> tuple[int, FloatArray]:
    """The first sweep of a block that meets the tolerance, and its values; the last one is known to."""
    low, high = 0, block
    while high - low > 1:
        middle = (low + high) // 2
        trial = sweeper.sweep(before, middle - low)
        if within(trial):
            high, after = middle, trial
        else:
            low, before = middle, trial
    return high, after


def _measure(system: LinearSystem, goal: FloatArray | None) -> Callable[[FloatArray], float]:
    if goal is not None:
        scratch = np.empty_like(goal)

        def distance(u: FloatArray) -> float:
            np.subtract(u, goal, out=scratch)
            return max(float(scratch.max()), -float(scratch.min()))

        return distance
    scale = float(np.abs(system.rhs / system.diagonal).max()) or 1.0

    def residual(u: FloatArray) -> float:
        return float(np.abs(system.residual(u) / system.diagonal).max()) / scale

    return residual


def _refuse_growth(name: str, sweeps: int, error: float, rate: float, limit: float) -> None:
    if not error <= limit:
        raise ConvergenceError(
            f"{name}: the error is {error:.3g} after {sweeps} sweeps and grows by {rate:.6g} per sweep, expected less than 1: "
            "the iteration diverges; use a smaller omega, other eigenvalue bounds, or solve_direct"
        )


def _finite(what: str, system: LinearSystem, full: FloatArray) -> FloatArray:
    full = np.asarray(full, dtype=np.float64)
    if full.shape != system.grid.shape:
        raise ShapeError(
            f"relax: {what} has shape {full.shape}, expected the grid's {system.grid.shape}; reshape it in C order"
        )
    bad = int(np.count_nonzero(~np.isfinite(full)))
    if bad:
        raise NonFiniteError(
            f"relax: {what} is NaN or infinite at {bad} of {full.size} points, expected finite values; check its origin"
        )
    return full


def _check_limits(max_sweeps: int, tolerance: float, every: int | None) -> None:
    if isinstance(max_sweeps, bool) or not isinstance(max_sweeps, int) or max_sweeps < 0:
        raise ConfigError(f"relax: max_sweeps is {max_sweeps!r}, expected an integer of at least 0; pass a limit")
    if not 0.0 <= tolerance < math.inf:
        raise ConfigError(f"relax: tolerance is {tolerance!r}, expected a finite number of at least 0; use 1e-6")
    if every is not None and (isinstance(every, bool) or not isinstance(every, int) or every < 1):
        raise ConfigError(f"relax: every is {every!r}, expected a positive integer or None; use 100")
