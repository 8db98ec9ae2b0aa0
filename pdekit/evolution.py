"""Marching linear parabolic problems in time on a grid: the classical solver, and the defect of a field."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import final

import numpy as np
import torch

from .conditions import Dirichlet, Initial, Value, evaluate, label
from .discrete import Grid, LinearSystem
from .discretise import Data, discretise
from .domain import Box
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

    first = discretise(problem, grid, order, float(times[0]), given)
    loads = _Loads(problem, grid, order, given, first)
    values = np.empty((*grid.shape, len(times)))
    values[..., 0] = _initial(problem, grid, float(times[0]), given.initial)
    share = _share(first, order)
    solve = _implicit(first, share, 0.5 * step)
    now, state = first, first.restrict(values[..., 0])
    for number, (start, end) in enumerate(itertools.pairwise(times)):
        if number < _SMOOTHING_STEPS:
            for time in (0.5 * (start + end), end):
                then = loads.at(float(time))
                state = solve(share * state + 0.5 * step * then.rhs)
        else:
            then = loads.at(float(end))
            state = solve(share * state + 0.5 * step * (now.rhs + then.rhs - first.apply(state)))
        now = then
        if not np.isfinite(state).all():
            raise NonFiniteError(f"march: values are not finite at time {end:.6g}; check source and boundary values")
        values[..., number + 1] = now.extend(state)
    return values


@final
class _Loads:
    """The systems at later times: the matrix of the first with another right-hand side."""

    def __init__(self, problem: Parabolic, grid: Grid, order: int, data: Data, first: LinearSystem) -> None:
        self._problem, self._grid, self._order, self._data, self._first = problem, grid, order, data, first
        self._points = torch.from_numpy(grid.points())
        numbers = np.arange(grid.size).reshape(grid.shape)
        box = problem.domain
        assert isinstance(box, Box)
        self._faces = {part: numbers[grid.face(*box.face(part))].ravel() for part in data.faces}

    def at(self, time: float) -> LinearSystem:
        """The system at one time."""
        star = self._first.star
        if star is None:
            return discretise(self._problem, self._grid, self._order, time, self._data)
        x = torch.cat([self._points, torch.full((len(self._points), 1), time, dtype=torch.float64)], dim=1)
        known = np.zeros(self._grid.size)
        for part, condition in self._data.faces.items():
            assert isinstance(condition, Dirichlet)  # a system without stored matrix has no others
            here = self._faces[part]
            known[here] = evaluate(label(condition), condition.value, x[here])[:, 0].detach().numpy()
        known = known.reshape(self._grid.shape)
        source = evaluate(f"{self._problem.name}: source", self._data.source, x)[:, 0].detach().numpy()
        rhs = source.reshape(self._grid.shape)[self._grid.interior] - star.from_boundary(known)
        return replace(self._first, known=known, rhs=rhs.ravel())


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
        from scipy.fft import dstn, idstn

        eigenvalues = 1.0 + weight * star.eigenvalues(system.grid.shape)

        def transformed(b: Array) -> Array:
            modes = dstn(b.reshape(eigenvalues.shape), type=1) / eigenvalues
            return np.asarray(idstn(modes, type=1, overwrite_x=True)).ravel()

        return transformed
    from scipy import sparse
    from scipy.sparse.linalg import splu

    matrix = sparse.csc_matrix(sparse.diags(share) + weight * system.matrix)
    factors = splu(matrix, permc_spec="MMD_AT_PLUS_A" if system.symmetric else "COLAMD")
    return lambda b: np.asarray(factors.solve(b))
