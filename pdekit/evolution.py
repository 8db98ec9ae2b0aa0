"""Marching linear parabolic problems in time on a grid: the classical solver, and the defect of a field."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from .conditions import Initial, Value, evaluate
from .discrete import Grid, LinearSystem, solve_direct
from .discrete.star import Star
from .discretise import Data, discretise
from .errors import ConfigError, IllPosedError, NonFiniteError
from .problem import Parabolic, conditions_of, faces_of

Array = np.ndarray
_SMOOTHING_STEPS = 2  # of backward Euler by halves: enough to damp what Crank-Nicolson would let ring


def march(problem: Parabolic, grid: Grid, times: Array, order: int = 2, data: Data | None = None) -> Array:
    """du/dt + L u = f from the initial values on, by Crank-Nicolson.

    (S + dt/2 M) v_new = (S - dt/2 M) v_old + dt/2 (rhs_old + rhs_new), with M v = rhs the discretisation of L u = f and S
    the share of a cell that belongs to each point. The first two steps are four half steps of backward Euler, which have
    the same matrix and damp what jumps between initial and boundary data would leave ringing (Rannacher).

    Args:
        problem: coefficients must not depend on time; source and boundary values may.
        grid: grid over the space axes.
        times: (T,) equally spaced, from the initial time on.
        order: of the differences in space, 2 or 4.
        data: source, boundary and initial values instead of the problem's.

    Returns:
        Values of shape (*grid.shape, T); the error is of second order in the time step.

    Raises:
        ConfigError: times that are not equally spaced and rising, or fewer than two.
        IllPosedError: no initial values.
        NotApplicableError: see `discretise`.

    Notes:
        One factorisation in all; constant coefficients between Dirichlet faces need none (fast sine transforms). Other
        problems assemble their right-hand side anew at every step, which takes most of the time.

    Reference:
        Rannacher 1984, doi:10.1007/BF01390130.
    """
    times = np.asarray(times, dtype=np.float64)
    steps = np.diff(times)
    if times.ndim != 1 or len(steps) < 1 or steps.min() <= 0 or np.ptp(steps) > 1e-9 * steps.max():
        raise ConfigError(f"march: got times {times.tolist()[:4]}..., expected at least two, rising and equally spaced")
    step = float(times[-1] - times[0]) / len(steps)
    given = data or Data(problem.source, faces_of(problem), _initial_value(problem))

    def system_at(time: float) -> LinearSystem:
        return discretise(problem, grid, order, time, given)

    values = np.empty((*grid.shape, len(times)))
    now = system_at(float(times[0]))
    values[..., 0] = _initial(problem, grid, float(times[0]), given.initial)
    share = _share(now, order)
    solve = _implicit(now, share, 0.5 * step)
    state = now.restrict(values[..., 0])
    for number, (start, end) in enumerate(itertools.pairwise(times)):
        if number < _SMOOTHING_STEPS:
            for time in (0.5 * (start + end), end):
                then = system_at(float(time))
                state = solve(share * state + 0.5 * step * then.rhs)
        else:
            then = system_at(float(end))
            state = solve(share * state + 0.5 * step * (now.rhs + then.rhs - now.apply(state)))
        now = then
        if not np.isfinite(state).all():
            raise NonFiniteError(f"march: values are not finite at time {end:.6g}; check source and boundary values")
        values[..., number + 1] = now.extend(state)
    return values


def _initial_value(problem: Parabolic) -> Value:
    found = [c.value for c in conditions_of(problem, Initial) if c.order == 0]
    if not found:
        raise IllPosedError(f"{problem.name}: has no initial values; add Initial(u0) to the conditions")
    value: Value = found[0]
    return value


def _initial(problem: Parabolic, grid: Grid, time: float, value: Value) -> Array:
    space = torch.from_numpy(grid.points())
    x = torch.cat([space, torch.full((len(space), 1), time, dtype=torch.float64)], dim=1)
    return evaluate(f"{problem.name}: initial values", value, x).detach().numpy().reshape(grid.shape)


def _share(system: LinearSystem, order: int) -> Array:
    """What multiplies du/dt in each row: rows of order 2 carry their point's share of a cell, others are whole."""
    share = np.ones(system.grid.shape)
    if order == 2:
        for axis, wraps in enumerate(system.periodic):
            for side in () if wraps else (0, 1):
                share[system.grid.face(axis, side)] *= 0.5
    return system.restrict(share)


def _implicit(system: LinearSystem, share: Array, weight: float) -> Callable[[Array], Array]:
    """The solution operator of (S + weight M) v = b."""
    star = system.star
    if star is not None and star.symmetric:
        lower, upper = (tuple(weight * w for w in side) for side in (star.lower, star.upper))
        shifted = replace(system, star=Star(1.0 + weight * star.centre, lower, upper))
        return lambda b: system.restrict(solve_direct(replace(shifted, rhs=b)))
    from scipy import sparse
    from scipy.sparse.linalg import splu

    matrix = sparse.csc_matrix(sparse.diags(share) + weight * system.matrix)
    factors = splu(matrix, permc_spec="MMD_AT_PLUS_A" if system.symmetric else "COLAMD")
    return lambda b: np.asarray(factors.solve(b))
