"""Ordinary problems for single cases of a family: their data are functions between the points of a grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, final

import torch
from torch import Tensor

from ..conditions import Condition, Dirichlet
from ..domain import Box
from ..errors import NotApplicableError
from ..interpolant import Interpolant
from ..jet import Jet
from ..operator_problem import Family
from ..problem import Elliptic, Problem
from ..reference import Reference

Function = Callable[[Tensor], Tensor]
"""(n, d) -> (n, 1)."""


@final
@dataclass(frozen=True, eq=False)
class EllipticCase(Elliptic):
    """-div(a grad u) = f on a box.

    Args:
        box: the domain.
        given: its conditions.
        load: f.
        conductivity: a; None for 1.
        answer: computes the reference.
    """

    name: ClassVar[str] = "elliptic-case"

    box: Box
    given: tuple[Condition, ...]
    load: Function
    conductivity: Function | None
    answer: Callable[[], Reference]

    @property
    def domain(self) -> Box:
        """The box."""
        return self.box

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The given ones."""
        return self.given

    def source(self, x: Tensor) -> Tensor:
        """f."""
        return self.load(x)

    def diffusion(self, x: Tensor) -> Tensor | None:
        """a."""
        return None if self.conductivity is None else self.conductivity(x)

    def parameters(self) -> dict[str, Any]:
        """None: a case is made of its family and an input, which no names lead back to."""
        return {}

    def reference(self) -> Reference:
        """The family's classical solution; computed once."""
        return self._reference

    @cached_property
    def _reference(self) -> Reference:
        return self.answer()


@final
@dataclass(frozen=True, eq=False)
class EquationCase(Problem):
    """Any equation on a box.

    Args:
        box: the domain.
        given: its conditions.
        equation: its residual.
        answer: computes the reference.
    """

    name: ClassVar[str] = "equation-case"

    box: Box
    given: tuple[Condition, ...]
    equation: Callable[[Jet], Tensor]
    answer: Callable[[], Reference]

    @property
    def domain(self) -> Box:
        """The box."""
        return self.box

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The given ones."""
        return self.given

    def residual(self, u: Jet) -> Tensor:
        """The equation, (n, 1)."""
        return self.equation(u)

    def parameters(self) -> dict[str, Any]:
        """None: a case is made of its family and an input, which no names lead back to."""
        return {}

    def reference(self) -> Reference:
        """The family's classical solution; computed once."""
        return self._reference

    @cached_property
    def _reference(self) -> Reference:
        return self.answer()


def require_clamped(family: Family, problem: Problem) -> Elliptic:
    """The problem, if it is an elliptic one on the family's box with u = 0 on the boundary, no advection and no reaction.

    Raises:
        NotApplicableError: it is not, with what differs.
    """
    inside = torch.from_numpy(family.output.points())
    differs = {
        "an elliptic equation": not isinstance(problem, Elliptic),
        f"the domain {family.domain}": problem.domain.parts != family.domain.parts
        or (problem.domain.lower, problem.domain.upper) != (family.domain.lower, family.domain.upper),
        "u = 0 on the boundary": any(
            not isinstance(c, Dirichlet) or callable(c.value) or c.value != 0.0 for c in problem.conditions
        ),
        "no advection and no reaction": isinstance(problem, Elliptic)
        and any(
            part is not None and bool(part.any()) for part in (problem.advection(inside), problem.reaction(inside))
        ),
    }
    expected = [text for text, wrong in differs.items() if wrong]
    if expected or not isinstance(problem, Elliptic):
        raise NotApplicableError(f"{family.name}: got {problem.name}, expected {' and '.join(expected)}; use a solver")
    return problem


def classical_answer(family: Family, values: Tensor) -> Reference:
    """The classical solution of one case on a grid twice as fine, and how far the one on the family's own grid is off.

    Args:
        family: one whose outputs are functions on its whole domain.
        values: the input function, (*input.shape).
    """
    fine = family.refined(2)
    between = family.interpolant(values[None])(torch.from_numpy(fine.input.points()))
    good = fine.solve(between.T.reshape(1, *fine.input.shape))
    rough = family.solve(values[None])
    at_points = family.output.restricted(good.numpy(), fine.output)
    error = family.output.relative_errors(rough.numpy(), at_points)
    return Reference(Interpolant(fine.output, good), float(error[0]))
