"""Equations and conditions at the points of a random-feature solution, linearised in the derivatives they read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor

from ..conditions import Condition, Dirichlet, Initial, Observations, Periodic, Robin, label, mismatch, place
from ..errors import GraphError, NonFiniteError, NotApplicableError
from ..jet import Jet
from ..kernels import Derivatives, Plan
from ..probe import jet_of, plan_of
from ..problem import Problem, SecondOrder
from .formulation import equations
from .rf_features import Features
from .rf_lattice import CellLattice
from .rf_points import LocalPoints, boundary_of, interior_of


@final
@dataclass(frozen=True, eq=False)
class Term:
    """Equations that hold at some points.

    Args:
        name: what messages call it.
        problem: names coordinates and components.
        points: where.
        formula: from the jet at the points to columns (n, 1), zero at the solution.
        plan: the derivatives that it reads.
        memo: values of the problem's data at the points.
    """

    name: str
    problem: Problem
    points: LocalPoints
    formula: Callable[[Jet], tuple[Tensor, ...]]
    plan: Plan
    memo: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(name: str, problem: Problem, points: LocalPoints, formula: Callable[[Jet], tuple[Tensor, ...]]) -> Term:
        """The term with its plan."""
        return Term(name, problem, points, formula, plan_of(problem, formula))

    def linearised(self, features: Features, channels: Tensor) -> Linear:
        """Values at given derivatives (C, n, m), and their own derivatives with respect to these.

        Raises:
            GraphError: the formula does not depend on u.
        """
        with torch.enable_grad():
            state = channels.detach().requires_grad_(True)
            parts = self._evaluated(features, state)
            slopes = []
            for part in parts:
                if not part.requires_grad:
                    raise GraphError(
                        f"{self.problem.name}: {self.name} does not depend on u, expected an equation for u"
                    )
                slopes.append(torch.autograd.grad(part.sum(), state, retain_graph=True)[0])
        return Linear(torch.cat(parts, dim=1).T.detach(), torch.stack(slopes))

    def values(self, features: Features, channels: Tensor) -> Tensor:
        """Values at given derivatives, (E, n)."""
        with torch.no_grad():
            return torch.cat(self._evaluated(features, channels), dim=1).T

    def _evaluated(self, features: Features, channels: Tensor) -> tuple[Tensor, ...]:
        layout = features.layout(self.plan)
        source = Derivatives(channels, layout, self.plan.laplacian, len(layout))
        return self.formula(jet_of(self.problem, self.points.x, source, memo=self.memo))


@final
@dataclass(frozen=True, eq=False)
class Linear:
    """E equations at n points around a state.

    Args:
        values: (E, n).
        slopes: with respect to the C derivatives of the m components, (E, C, n, m).
    """

    values: Tensor
    slopes: Tensor

    def product(self, channels: Tensor) -> Tensor:
        """Slopes times a change (C, n, m) of the derivatives, (E, n)."""
        return torch.einsum("ecnm,cnm->en", self.slopes, channels)

    def check(self, term: Term) -> None:
        """Raise NonFiniteError for NaN or infinity, with the first place."""
        bad = ~(torch.isfinite(self.values).all(dim=0) & torch.isfinite(self.slopes).all(dim=(0, 1, 3)))
        if bool(bad.any()):
            where = term.points.x[int(bad.nonzero()[0, 0])].tolist()
            raise NonFiniteError(
                f"{term.problem.name}: {term.name} is not finite at {int(bad.sum())} of {len(bad)} points, the first at "
                f"{where}, expected finite values; check coefficients and data there, or give another start as `initial`"
            )


def terms_of(
    problem: Problem, lattice: CellLattice, points: int, on_face: int, generator: torch.Generator
) -> tuple[Term, ...]:
    """The equations in the cells and the conditions on the boundary; periodic ones are left to the seams.

    Args:
        problem: the equations.
        lattice: the cells.
        points: per cell.
        on_face: per face of a cell.
        generator: for points on boundaries without parametrisation by a tensor rule.
    """
    interior = interior_of(problem.domain, lattice, points)
    terms = [Term.of("the residual", problem, interior, lambda u: equations(problem, u))]
    for condition in problem.conditions:
        if isinstance(condition, Periodic):
            continue
        where = _points_of(problem, condition, lattice, on_face, generator)
        terms.append(Term.of(label(condition), problem, where, _formula(problem, condition, where)))
    if floats(problem):
        anchor = LocalPoints.found(lattice, interior.x[:1])
        terms.append(Term.of("the anchor", problem, anchor, lambda u: (u.value,)))
    return tuple(terms)


def floats(problem: Problem) -> bool:
    """Whether fluxes alone leave u free up to a constant, which its mean then fixes."""
    if not isinstance(problem, SecondOrder) or problem.mean() is None:
        return False
    fixed = any(isinstance(c, Dirichlet | Robin | Initial | Observations) for c in problem.conditions)
    return not fixed and type(problem).reaction is SecondOrder.reaction


def _points_of(
    problem: Problem, condition: Condition, lattice: CellLattice, on_face: int, generator: torch.Generator
) -> LocalPoints:
    match condition:
        case Observations():
            return LocalPoints.found(lattice, condition.x.to("cpu", torch.float64))
        case Periodic():
            raise NotApplicableError("random-features: periodic conditions hold on seams, expected one on a boundary")
        case _:
            parts = problem.domain.resolve(place(condition))
            return boundary_of(problem.domain, lattice, parts, on_face, generator)


def _formula(problem: Problem, condition: Condition, points: LocalPoints) -> Callable[[Jet], tuple[Tensor, ...]]:
    """What a condition leaves over at its points; planning asks at two other points, where normals only need a shape."""

    def formula(u: Jet) -> tuple[Tensor, ...]:
        part = u[condition.component]
        if isinstance(condition, Observations):
            return (part.value - condition.values.to(part.value)[: len(u.x)],)
        assert not isinstance(condition, Periodic)
        normal = points.normal if points.normal is not None and len(points.x) == len(u.x) else torch.ones_like(u.x)
        return (mismatch(condition, part, problem.domain.time, lambda v: problem.normal_flux(v, normal)),)

    return formula
