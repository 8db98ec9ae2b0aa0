"""Solution: what every solver returns, a function with its history, its error by frequency band and its trust."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch

from .errors import ExtrapolationError, NonFiniteError, ShapeError
from .field import Field
from .parts import field_parts
from .problem import Problem
from .record import Record
from .spectrum import Bands

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BATCH = 65536


@final
class Status(Enum):
    """How a solve ended; the value says what to do about it."""

    CONVERGED = "the requested tolerance is met by the evidence in trust"
    FINISHED = "finished, finite and trusted; give rtol to have a tolerance checked"
    NOT_CONVERGED = "the evidence does not meet the tolerance; train longer, add points, or try another solver"
    UNTRUSTED = "the run finished but its evidence speaks against it; see trust.flags"
    BUDGET = "the step or time budget ran out before the tolerance was met; resume with a larger one"
    DIVERGED = "training diverged and was rolled back; lower the learning rate"


@final
class Flag(Enum):
    """A reason not to trust an answer; the value explains it."""

    ALIASED = "the residual on held-out points is far above that on the training points: more or other points"
    DIVERGED = "training left the finite numbers or blew up and was rolled back"
    ILL_POSED = "the problem has no unique solution, or is close to one that has none"
    REFERENCE_UNRESOLVED = "the classical check is itself not resolved on its grids: its numbers are no evidence"
    NOT_CONVERGED = "the estimated error is too large to call this a solution"


@final
@dataclass(frozen=True)
class Trust:
    """Evidence for or against an answer; None where a number could not be had.

    Args:
        residual_train: root mean square of the residual on the training points, relative to the source's.
        residual_held_out: the same on points not trained on.
        boundary_violation: largest violation of a condition, relative to the size of u.
        estimate: estimated relative L2 error.
        energy_estimate: estimated relative energy error, the residual's dual norm.
        absolute_energy: the same without division by the energy norm of u.
        estimate_gap: relative difference of the estimate on grids h and h/2.
        coarse_difference: relative L2 difference to a coarse classical solution.
        coarse_gap: that solution's own difference between h and h/2.
        reference_error: relative L2 error of the reference that errors are measured by, 0 for an exact solution.
        loss_estimate: relative energy error by the solver's own loss, where that is an error estimate; see `dual-residual`.
        residual_bands: share of the residual by octave.
        flags: reasons not to trust the answer.
    """

    residual_train: float | None = None
    residual_held_out: float | None = None
    boundary_violation: float | None = None
    estimate: float | None = None
    energy_estimate: float | None = None
    absolute_energy: float | None = None
    estimate_gap: float | None = None
    coarse_difference: float | None = None
    coarse_gap: float | None = None
    reference_error: float | None = None
    loss_estimate: float | None = None
    residual_bands: Bands | None = None
    flags: tuple[Flag, ...] = ()

    @property
    def trusted(self) -> bool:
        """No flag speaks against the answer; an unresolved check alone speaks neither for nor against."""
        return not set(self.flags) - {Flag.REFERENCE_UNRESOLVED}


@final
@dataclass(frozen=True)
class Measures:
    """Plain numbers of one solve; None where one does not apply.

    Args:
        rel_l2: relative L2 error against the exact or reference solution, on points not trained on.
        max_error: largest error there.
        max_error_discrete: grid solvers and hybrids: largest error against the discrete solution.
        steps: optimiser steps.
        sweeps: relaxation sweeps or iterations.
        cycles: cycles of a hybrid.
        hand_over_step: step at which a hybrid handed over (first cycle).
        points: collocation or grid points.
        parameters: numbers that describe the solution.
    """

    rel_l2: float | None = None
    max_error: float | None = None
    max_error_discrete: float | None = None
    steps: int | None = None
    sweeps: int | None = None
    cycles: int | None = None
    hand_over_step: int | None = None
    points: int | None = None
    parameters: int | None = None


@final
@dataclass(frozen=True, eq=False)
class Solution:
    """The answer to a problem: u(x), how good it is, and how it came about.

    Args:
        problem: what was solved.
        field: the function.
        solver: name of the solver.
        status, message: how the solve ended; `success` follows from the status.
        history: what was recorded on the way.
        bands: error by frequency band (reference known) or residual by band (not known).
        band_kind: "error" or "residual", what `bands` speaks of.
        trust: evidence.
        measures: plain numbers.
        timings: seconds by stage; "total" is the whole solve.
        config: the resolved configuration, as written to config.toml.
        environment: seed, device, dtype, versions.
        study: data of the solver's own figure, if it made one.
    """

    problem: Problem
    field: Field
    solver: str
    status: Status
    message: str
    history: Record
    bands: Bands | None
    band_kind: str
    trust: Trust
    measures: Measures
    timings: Mapping[str, float]
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    study: Any = None

    @property
    def success(self) -> bool:
        """Whether the tolerance is met, or, where none was asked, the run finished, finite and trusted."""
        return self.status in (Status.CONVERGED, Status.FINISHED)

    @property
    def coefficients(self) -> dict[str, float]:
        """The unknown coefficients that were found, by name; empty unless the problem is an inverse one."""
        return dict(self.field.coefficients) if self.problem.unknowns else {}

    @property
    def parts(self) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
        """The parts whose sum u is, by name, from smooth to rapid; they are called as the solution is. Often there are none."""
        return {
            name: replace(self, field=part.field).__call__
            for name, part in field_parts(self.field, self.problem.domain).items()
        }

    def __call__(self, x: np.ndarray, *, allow_extrapolation: bool = False) -> np.ndarray:
        """u at x.

        Args:
            x: points (n, d).
            allow_extrapolation: evaluate outside the domain too.

        Returns:
            Values (n, m); (0, m) for no points.

        Raises:
            ShapeError: not (n, d).
            NonFiniteError: NaN or infinity in x.
            ExtrapolationError: points outside the domain.
        """
        points = np.asarray(x, dtype=np.float64)
        d, names = self.problem.domain.dim, self.problem.domain.names
        if points.ndim != 2 or points.shape[1] != d:
            hint = "; write x[:, None]" if points.ndim == 1 and d == 1 else ""
            raise ShapeError(f"solution: got points of shape {points.shape}, expected (n, {d}), columns {names}{hint}")
        if not np.isfinite(points).all():
            row = int(np.argwhere(~np.isfinite(points).all(axis=1))[0, 0])
            raise NonFiniteError(f"solution: row {row} of x is {points[row].tolist()}, expected finite coordinates")
        tensor = torch.from_numpy(np.ascontiguousarray(points))
        outside = ~self.problem.domain.contains(tensor)
        if not allow_extrapolation and bool(outside.any()):
            first = points[int(outside.nonzero()[0, 0])].tolist()
            raise ExtrapolationError(
                f"solution: {int(outside.sum())} of {len(points)} points lie outside the domain, the first at {first}; "
                "pass allow_extrapolation=True to evaluate them all the same"
            )
        if not len(points):
            return np.zeros((0, len(self.problem.outputs)))
        return np.concatenate([self.field(part).numpy() for part in tensor.split(_BATCH)])

    def __str__(self) -> str:
        """Six lines: what was solved, how it ended, errors, bands, trust, cost."""
        from .report import six_lines

        return six_lines(self)

    def to_json(self) -> dict[str, Any]:
        """The result as plain data, as `pdekit solve --json` prints it."""
        from .report import as_json

        return as_json(self)

    def save(self, directory: str | Path) -> Path:
        """Write the run's files into `directory`; `pdekit.load` reads them back."""
        from .storage import save_solution

        return save_solution(self, directory)

    def to_vtu(self, path: str | Path) -> Path:
        """Write u, and the exact solution and error where known, as a VTU file."""
        from .export import write_vtu

        return write_vtu(self, path)

    def plot(self, ax: Axes | None = None) -> Axes:
        """The field."""
        from .plot import plot_field

        return plot_field(self, ax)

    def plot_error(self, ax: Axes | None = None) -> Axes:
        """The error against the exact solution."""
        from .plot import plot_error

        return plot_error(self, ax)

    def plot_history(self, ax: Axes | None = None) -> Axes:
        """Losses and errors against steps."""
        from .plot import plot_history

        return plot_history(self, ax)

    def plot_spectrum(self, ax: Axes | None = None) -> Axes:
        """The solution's spectrum beside the exact one."""
        from .plot import plot_spectrum

        return plot_spectrum(self, ax)

    def plot_bands(self, ax: Axes | None = None) -> Axes:
        """Error (or residual) by frequency band."""
        from .plot import plot_bands

        return plot_bands(self, ax)

    def plot_parts(self) -> Figure:
        """The parts beside the exact solution's content in their bands."""
        from .plot_parts import plot_parts

        return plot_parts(self)
