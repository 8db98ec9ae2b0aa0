"""Polynomial ansatz fitted by linear least squares: the book's first example of a parametrised solution."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from ..checks import real
from ..errors import NotApplicableError, SingularSystemError
from ..field import Field, NetworkField
from ..nn import Polynomial
from ..problem import Problem
from ..record import Record
from ..solution import Measures
from ..solver import Outcome, Setting
from ..trust import relative_residual
from ..trust.residual import reference_scale
from .ansatz import Ansatz, Enforcement, build_ansatz, load_weights
from .collocation import INTERIOR, Collocation, Law, PointSets
from .formulation import Conditions, Task, equations, require_known


@final
@dataclass(frozen=True)
class PolynomialFit:
    """min over c of |residual of u_c|^2 + w |mismatch of the conditions|^2, u_c a polynomial with coefficients c.

    The problem being linear, the rows are affine in c, and c follows from one dense least-squares solve (SVD).

    Args:
        ansatz: the polynomial.
        collocation: the points; Gauss-Legendre nodes make the sum an integral.
        boundary_weight: w.

    Notes: for smooth solutions of few oscillations; a polynomial of degree p follows about p / 4 periods.
    Good values: degree 4 is the book's; 12 to 16 for accuracy.
    Reference: book, section 15.1 (eqs 15.1-15.2).
    """

    ansatz: Polynomial = field(default_factory=lambda: Polynomial(degree=12))
    collocation: Collocation = field(default_factory=lambda: Collocation(points=400, law=Law.GAUSS_LEGENDRE))
    boundary_weight: float = 1e4
    name: str = "polynomial"

    def __post_init__(self) -> None:
        real("PolynomialFit", "boundary_weight", self.boundary_weight, low=0.0)

    def require(self, problem: Problem) -> None:
        """Needs known coefficients; that the equation is linear is seen from the rows themselves."""
        require_known(self.name, problem)

    def run(self, problem: Problem, setting: Setting) -> Outcome:
        """Assemble the rows and solve.

        Raises:
            NotApplicableError: the problem is not linear.
            SingularSystemError: rows that are not finite.
        """
        started = time.perf_counter()
        generator = setting.generator()
        ansatz, soft = build_ansatz(problem, self.ansatz, Enforcement.SOFT, generator, setting.dtype, setting.device)
        points = PointSets(problem, self.collocation, soft, setting.dtype, setting.device)
        batch = points.sample(generator)
        task = Task(problem, ansatz, soft, points, reference_scale(problem), generator, 1)
        solution, condition = _least_squares(problem.name, _Rows(task, batch, self.boundary_weight), ansatz)
        _load(ansatz, solution)
        found = NetworkField(ansatz.function, setting.dtype, setting.device)
        interior = self.collocation.interior(problem, generator)
        return Outcome(
            field=found,
            history=Record(),
            message=f"least squares of {len(solution)} coefficients, condition number {condition:.1e}",
            measures=Measures(points=len(interior), parameters=len(solution)),
            residual_train=relative_residual(problem, found, interior),
            timings={"least_squares": time.perf_counter() - started},
        )

    def restore(self, problem: Problem, tensors: Mapping[str, Tensor]) -> Field:
        """The polynomial with stored coefficients."""
        return load_weights(problem, self.ansatz, Enforcement.SOFT, tensors)


@final
class _Rows:
    """All residuals as one vector, each row with the root of its weight."""

    def __init__(self, task: Task, batch: Mapping[str, Tensor], boundary_weight: float) -> None:
        self._task, self._batch, self._weight = task, batch, boundary_weight
        self._jets = task.jets()
        self._plan = self._jets.plan(lambda u: equations(task.problem, u))
        self._conditions = Conditions(task, self._jets)

    def __call__(self) -> Tensor:
        parts = equations(self._task.problem, self._jets(INTERIOR, self._batch, self._plan))
        rows = [self._scaled(INTERIOR, part, self._task.scale**-2) for part in parts]
        for points, gaps in self._conditions.gaps(self._batch).values():
            rows += [self._scaled(points, gap, self._weight) for gap in gaps]
        return torch.cat(rows)

    def _scaled(self, points: str, values: Tensor, factor: float) -> Tensor:
        weight = self._batch[f"{points}.weight"]
        return values[:, 0] * (factor * weight / weight.sum()).sqrt()


def _least_squares(name: str, rows: _Rows, ansatz: Ansatz) -> tuple[Tensor, float]:
    """Coefficients, and the condition number of the rows."""
    count = sum(p.numel() for p in ansatz.parameters())
    unit = torch.eye(count, dtype=torch.float64)
    with torch.no_grad():
        columns = []
        _load(ansatz, torch.zeros(count))
        constant = rows().to("cpu", torch.float64)
        for direction in unit:
            _load(ansatz, direction)
            columns.append(rows().to("cpu", torch.float64) - constant)
        matrix = torch.stack(columns, dim=1)
        trial = torch.linspace(-1, 1, count, dtype=torch.float64)
        _load(ansatz, trial)
        gap = rows().to("cpu", torch.float64) - constant - matrix @ trial
    size = float(matrix.abs().max()) + float(constant.abs().max())
    if not torch.isfinite(matrix).all():
        raise SingularSystemError(
            f"polynomial: {name} gives rows that are not finite, expected finite ones; check its coefficients"
        )
    if float(gap.abs().max()) > 1e-8 * size * count:
        raise NotApplicableError(f"polynomial: {name} is not linear in u, expected a linear problem; use pinn")
    result = torch.linalg.lstsq(matrix, -constant[:, None], driver="gelsd")
    singular = torch.linalg.svdvals(matrix)
    return result.solution[:, 0], float(singular[0] / singular[-1])


def _load(ansatz: Ansatz, coefficients: Tensor) -> None:
    """Overwrite the ansatz's parameters with one vector."""
    with torch.no_grad():
        torch.nn.utils.vector_to_parameters(coefficients.to(next(ansatz.parameters())), list(ansatz.parameters()))


def polynomial() -> PolynomialFit:
    """Polynomial of degree 12."""
    return PolynomialFit()
