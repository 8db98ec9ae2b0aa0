"""Relaxation with a learnt operator every few sweeps: sweeps remove the high frequencies, the operator the low ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import final

import numpy as np

from ..checks import integer
from ..dataset import FloatArray
from ..discrete import Jacobi, LinearSystem, Relaxation
from ..discrete.sweepers import Sweeper
from ..errors import ConfigError, NotApplicableError
from ..operator_problem import Family
from ..operators import Operator, Predictor, load_operator


@final
class Recurring:
    """A cycle: `every` - 1 sweeps, then the operator applied to the residual, u <- u + s N(r / s).

    One cycle counts as one sweep of this relaxation, and costs `every` of the other's.

    Args:
        operator: a map from the source to the solution, with u = 0 on the boundary.
        relaxation: what smooths.
        every: sweeps a cycle, the operator's turn among them.

    Notes:
        s gives the residual the size of the training inputs, which linear networks do not need. Where the operator makes
        some mode worse by more than the sweeps of a cycle can mend, the cycle diverges, and says so: smooth more.
    Reference: Zhang et al. 2024, doi:10.1038/s42256-024-00910-x (HINTS).
    """

    def __init__(self, operator: Operator, relaxation: Relaxation, every: int) -> None:
        integer("Recurring", "every", every, low=2)
        self.operator, self.relaxation, self.every = operator, relaxation, every

    @property
    def name(self) -> str:
        """Name for tables."""
        return f"{self.relaxation.name} with {self.operator.learner.name}"

    def prepare(self, system: LinearSystem) -> Sweeper:
        """Make ready for one system.

        Raises:
            NotApplicableError: the operator's input is no source, or the system has other than Dirichlet boundaries.
            ShapeError, FrequencyError: a grid that the network does not know.
        """
        predictor = self.operator.predictor
        _require_source(predictor, system)
        return _Cycle(system, self.relaxation.prepare(system), predictor, self.every)

    def reduction(self, mu: FloatArray) -> FloatArray | None:
        """None: the operator's share is not known mode by mode."""
        return None


@final
@dataclass(frozen=True)
class Hints:
    """The same with the operator of a finished run.

    Args:
        run_directory: the directory that `pdekit solve FAMILY --out` or `Operator.save` wrote.
        relaxation: what smooths.
        every: sweeps a cycle, the operator's turn among them.

    Good values: damped Jacobi, a cycle of 10 to 20.
    """

    run_directory: str = ""
    relaxation: Relaxation = field(default_factory=lambda: Jacobi(2 / 3))
    every: int = 15

    def __post_init__(self) -> None:
        integer("Hints", "every", self.every, low=2)

    @property
    def name(self) -> str:
        """Name for tables."""
        return "hints"

    @cached_property
    def recurring(self) -> Recurring:
        """The operator with the relaxation; loaded once."""
        if not self.run_directory:
            raise ConfigError("hints: got no run, expected the directory of one; set run_directory=runs/mine")
        return Recurring(load_operator(self.run_directory), self.relaxation, self.every)

    def prepare(self, system: LinearSystem) -> Sweeper:
        """Make ready for one system; see `Recurring.prepare`."""
        return self.recurring.prepare(system)

    def reduction(self, mu: FloatArray) -> FloatArray | None:
        """None: the operator's share is not known mode by mode."""
        return None


@final
class _Cycle:
    monotone = False
    monotone_residual = False

    def __init__(self, system: LinearSystem, smoother: Sweeper, predictor: Predictor, every: int) -> None:
        self._system, self._smoother, self._predictor, self._every = system, smoother, predictor, every
        reach = predictor.reach
        self._size = float(np.sqrt((reach.mean**2).mean() + (reach.deviations**2).sum() / reach.mean.size))

    def sweep(self, full: FloatArray, n: int) -> FloatArray:
        """Grid-shaped values after n cycles."""
        for _ in range(n):
            full = self._corrected(self._smoother.sweep(full, self._every - 1))
        return full

    def _corrected(self, full: FloatArray) -> FloatArray:
        system = self._system
        inside = system.residual(full).reshape(full[system.grid.interior].shape)
        # The boundary's values are no equation's residual: those next to it stand there, for networks that look.
        residual = np.pad(inside, 1, mode="edge")
        size = float(np.sqrt((residual**2).mean()))
        if size == 0.0:
            return full
        scale = size / self._size
        found = self._predictor.outputs((residual / scale)[None, ..., None])[0, ..., 0]
        corrected = full.copy()
        corrected[system.grid.interior] += scale * found[system.grid.interior]
        return corrected


def _require_source(predictor: Predictor, system: LinearSystem) -> None:
    """Refuse operators and systems between which the residual of the one is no input of the other."""
    family, grid = predictor.family, system.grid
    if not isinstance(family, Family) or not family.of_source:
        raise NotApplicableError(
            f"hints: got an operator of {family.name}, whose input is no source with u = 0 on the boundary; learn "
            "poisson-family with data=source"
        )
    if (grid.lower, grid.upper) != (family.domain.lower, family.domain.upper):
        raise NotApplicableError(
            f"hints: got a grid from {grid.lower} to {grid.upper}, expected the domain of {family.name}, {family.domain}"
        )
    interior = np.zeros(grid.shape, dtype=bool)
    interior[grid.interior] = True
    if not np.array_equal(system.unknown, interior):
        raise NotApplicableError("hints: the system has other than Dirichlet boundaries, expected them on all faces")
    predictor.network.resolves(grid.shape)
