"""Relaxation and Krylov baselines on the finite-difference matrices."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from ..checks import integer, real
from ..discrete import (
    GaussSeidel,
    Grid,
    Jacobi,
    LinearSystem,
    Multigrid,
    Relaxation,
    Relaxed,
    cg,
    multigrid_cycle,
    relax,
    solve_direct,
)
from ..discretise import space_grid
from ..field import Field, GridField
from ..problem import Elliptic, Problem
from ..recipe import Budget
from ..record import Record
from ..solution import Measures
from ..solver import Outcome, Setting
from ..spectrum import DeltaF
from .finite_difference import points_for, require_grid
from .peaks import delta_of

Observe = Callable[[np.ndarray], Mapping[str, float]]
"""Told grid values while they are found; what it returns is kept beside them."""


@final
@dataclass(frozen=True)
class ConjugateGradients:
    """The Krylov method for symmetric positive matrices.

    Args:
        preconditioned: by one multigrid cycle.
    """

    preconditioned: bool = False


@final
@dataclass(frozen=True)
class Iterative:
    """Iterate on the finite-difference equations until the largest error against their solution is below a tolerance.

    Args:
        name: what results call it.
        method: a relaxation, or ConjugateGradients().
        points: per axis; None chooses by dimension (1001, 257, 65).
        tolerance: bound for max |u - u_h|, with u_h the direct solution of the same equations (a measuring instrument,
            not counted in the time).
        max_sweeps: give up after these.

    Notes:
        Jacobi reduces mode k of a 1-D Laplacian by cos(k pi / (n - 1)) per sweep, so the smoothest modes take a number of
        sweeps that grows like n^2.
    Reference: book, section 15.5.
    """

    name: str
    method: Relaxation | ConjugateGradients
    points: int | None = None
    tolerance: float = 1e-4
    max_sweeps: int = 5_000_000

    def __post_init__(self) -> None:
        real(self.name, "tolerance", self.tolerance, low=0.0)
        integer(self.name, "max_sweeps", self.max_sweeps)
        if self.points is not None:
            integer(self.name, "points", self.points, low=3)

    def require(self, problem: Problem) -> None:
        """Needs a linear elliptic problem on a box of up to three dimensions."""
        require_grid(self.name, problem, time=False)

    def run(self, problem: Problem, setting: Setting) -> Outcome:
        """Iterate from zero, or from an initial solution."""
        assert isinstance(problem, Elliptic)  # `require` has seen to it
        grid = space_grid(problem, points_for(problem, self.points))
        system = problem.discretise(grid)
        started = time.perf_counter()
        with setting.instrument():
            target = solve_direct(system)
        reference = time.perf_counter() - started
        start = np.zeros(grid.shape)
        if setting.initial is not None:
            start = grid_values(setting.initial.field, grid)
        relaxed = self.iterate(
            system, start, target, setting.left(), lambda u: setting.observe(lambda: GridField(grid, u))
        )
        return Outcome(
            field=GridField(grid, relaxed.u),
            history=sweep_record(relaxed),
            message=(
                f"{relaxed.sweeps} sweeps to max error {self.tolerance:g} against the discrete solution"
                if relaxed.converged
                else f"stopped after {relaxed.sweeps} sweeps above max error {self.tolerance:g}"
            ),
            measures=Measures(sweeps=relaxed.sweeps, points=grid.size, parameters=grid.size),
            exhausted=not relaxed.converged,
            target=target,
            timings={"sweeps": relaxed.seconds, "discrete_reference": reference},
        )

    def iterate(
        self,
        system: LinearSystem,
        start: np.ndarray,
        target: np.ndarray,
        budget: Budget | None = None,
        observe: Observe | None = None,
    ) -> Relaxed:
        """The iteration itself, with Delta_F of the reference's peaks in its history; a sweep is a step of the budget.

        `observe` is told the values of each sample of the history (relaxations only) and may add columns.
        """
        budget = budget or Budget()
        most = self.max_sweeps if budget.steps is None else min(self.max_sweeps, budget.steps)
        if isinstance(self.method, ConjugateGradients):
            cycle = multigrid_cycle(system) if self.method.preconditioned else None
            return cg(
                system,
                start,
                tolerance=self.tolerance,
                max_iterations=most,
                target=target,
                preconditioner=cycle,
                max_seconds=budget.seconds,
            )
        return relax(
            system,
            self.method,
            start,
            max_sweeps=most,
            tolerance=self.tolerance,
            target=target,
            probe=_probe(delta_of(system.grid, target), observe),
            max_seconds=budget.seconds,
        )

    def restore(self, problem: Problem, tensors: Mapping[str, Tensor]) -> Field:
        """The grid values."""
        return GridField.restored(tensors)


def grid_values(function: Callable[[Tensor], Tensor], grid: Grid) -> np.ndarray:
    """A function (n, d) -> (n, 1) at all points of a grid, grid-shaped, in batches."""
    points = torch.from_numpy(grid.points())
    with torch.no_grad():
        return np.concatenate([function(part).numpy()[:, 0] for part in points.split(65536)]).reshape(grid.shape)


def sweep_record(relaxed: Relaxed) -> Record:
    """The history of an iteration: sweeps, seconds, max_error and what was probed."""
    record = Record()
    for sample in relaxed.history:
        record.append(
            {"sweeps": sample.sweep, "seconds": sample.seconds, "max_error": sample.error} | dict(sample.probed)
        )
    return record


def delta_columns(delta: DeltaF, values: np.ndarray) -> dict[str, float]:
    """Delta_F of grid values, by column name."""
    return {f"delta_f[{name}]": float(v) for name, v in zip(delta.labels, delta(values.ravel()), strict=True)}


def _probe(delta: DeltaF | None, observe: Observe | None) -> Callable[[int, np.ndarray], dict[str, float]]:
    def columns(_: int, values: np.ndarray) -> dict[str, float]:
        found = {} if delta is None else delta_columns(delta, values)
        return found if observe is None else found | dict(observe(values))

    return columns


def jacobi() -> Iterative:
    """Jacobi's method."""
    return Iterative("jacobi", Jacobi())


def gauss_seidel() -> Iterative:
    """Gauss and Seidel's method."""
    return Iterative("gauss-seidel", GaussSeidel())


def conjugate_gradients() -> Iterative:
    """Conjugate gradients."""
    return Iterative("cg", ConjugateGradients(), tolerance=1e-10)


def multigrid() -> Iterative:
    """Multigrid cycles: geometric where the system allows, algebraic (pyamg) elsewhere."""
    return Iterative("multigrid", Multigrid(), tolerance=1e-10)
