"""Problems and solutions made by hand, for tests of what is done with a solution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor

from pdekit.conditions import Condition, Dirichlet, Initial
from pdekit.discrete import Grid
from pdekit.domain import Box
from pdekit.field import GridField
from pdekit.jet import Jet
from pdekit.problem import Problem
from pdekit.record import Record
from pdekit.solution import Measures, Solution, Status, Trust
from pdekit.spectrum import bands_of

POINTS = {1: 129, 2: 33, 3: 17}


@final
@dataclass(frozen=True)
class SineProduct(Problem):
    """-lap u = f on a box with u = prod_i sin(w x_i), time counted as one of the coordinates."""

    name: ClassVar[str] = "sine-product"

    box: Box
    known: bool = True
    w: float = 4.0

    @property
    def domain(self) -> Box:
        return self.box

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (Dirichlet(),) if self.box.time is None else (Dirichlet(), Initial())

    def residual(self, u: Jet) -> Tensor:
        return -u.laplacian - self.w**2 * u.value

    def exact(self, x: Tensor) -> Tensor | None:
        return torch.sin(self.w * x).prod(dim=1, keepdim=True) if self.known else None


def solved(
    box: Box,
    *,
    known: bool = True,
    history: Record | None = None,
    banded: bool = True,
    study: object = None,
    shape: tuple[int, ...] | None = None,
) -> Solution:
    """A solution on a grid, the exact one plus an error of size 1e-2: 1e-2 cos(pi s_1), s_1 from 0 to 1."""
    problem = SineProduct(box, known)
    grid = Grid(box.lower, box.upper, shape or (POINTS[box.dim],) * box.dim)
    x = grid.points()
    exact = np.sin(problem.w * x).prod(axis=1).reshape(grid.shape)
    error = 0.01 * np.cos(np.pi * (x[:, 0] - box.lower[0]) / box.lengths[0]).reshape(grid.shape)
    return Solution(
        problem=problem,
        field=GridField(grid, exact + error),
        solver="fake",
        status=Status.FINISHED,
        message="",
        history=history if history is not None else Record(),
        bands=bands_of(error, exact, grid.spacing) if banded else None,
        band_kind="error" if known else "residual",
        trust=Trust(),
        measures=Measures(),
        timings={"total": 0.0},
        config={},
        environment={},
        study=study,
    )


def training_history(*, energy: bool = False) -> Record:
    """A loss with two terms, an error measured at every other row, two phases."""
    record = Record()
    for i in range(50):
        decay = float(np.exp(-i / 10))
        row = {"step": 10 * i, "phase": 1 + i // 30, "seconds": 0.1 * i}
        row["loss"] = -1.0 + decay if energy else decay
        row |= {"residual": 0.8 * decay, "dirichlet(boundary)": 0.2 * decay, "hard": 0.0}
        record.append(row | ({"rel_l2": decay**2 + 1e-4} if i % 2 == 0 else {}))
    return record
