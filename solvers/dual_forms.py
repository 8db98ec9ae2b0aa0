"""What the dual norm tests: the strong residual, or the weak form with first derivatives only; and how large it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import final

import torch
from torch import Tensor

from ..conditions import mismatch
from ..field import Field
from ..jet import Jet
from ..kernels import Recorder
from ..probe import Function, jet_of
from ..problem import Elliptic
from ..trust.residual import Expression
from .dual_space import Face, TestSpace


@final
class Pairing(Enum):
    """How the functional v -> a(u, v) - l(v) is computed; both are the same functional of a smooth u."""

    STRONG = "strong"
    """int (L u - f) v, and A grad u . n - g against v where fluxes are given: zero at the solution for any quadrature, one
    number per point, second derivatives."""
    WEAK = "weak"
    """int A grad u . grad v + (b . grad u + c u - f) v, and the boundary terms: first derivatives, discontinuous A, kinks;
    exact as far as the quadrature is; 1 + s numbers per point."""

    def inside(self, problem: Elliptic, u: Jet) -> Tensor:
        """Densities (n, 1), or (n, 1 + s), at interior points."""
        if self is Pairing.STRONG:
            return problem.residual(u)
        flux, load = problem.weak_parts(u)
        return torch.cat([load, flux], dim=1)

    def on(self, face: Face, normal: Tensor, problem: Elliptic, u: Jet) -> Tensor:
        """Densities of the same width at points of a face with the given normals."""
        if self is Pairing.STRONG:
            return mismatch(face.condition, u, None, lambda v: problem.normal_flux(v, normal))
        load = problem.boundary_weak(face.condition, u)
        return torch.cat([load, load.new_zeros(len(load), len(problem.domain.space_axes))], dim=1)

    def densities(self, problem: Elliptic, space: TestSpace, u: Jet) -> Tensor:
        """Densities at all points of a test space, from the jet there."""
        inside = self.inside(problem, u.at(space.interior))
        faces = [self.on(face, face.normal, problem, u.at(face.rows)) for face in space.faces]
        return torch.cat([inside, *faces]) if faces else inside

    def reads(self, problem: Elliptic, space: TestSpace, u: Jet) -> list[Tensor]:
        """All that `densities` reads of a jet, at any points: for planning its derivatives."""
        return [self.inside(problem, u), *(self.on(face, torch.ones_like(u.x), problem, u) for face in space.faces)]


def energy_of_solution(problem: Elliptic, space: TestSpace, lift: Function | None) -> float:
    """Energy norm of the solution, as far as the test space sees it.

    The solution is lift + w, with w the function that represents -(a(lift, v) - l(v)). Where all data vanish, the size of a
    function that changes by 1 across the domain.

    Args:
        problem: declares the data.
        space: float64 on the CPU.
        lift: a function that meets the Dirichlet data; None where they are zero or not met.
    """
    x = space.points.x
    u = jet_of(problem, x, Recorder(lift or (lambda at: 0.0 * at[:, :1]), x))
    rows = space.tested(Pairing.STRONG.densities(problem, space, u).detach()[..., None])
    inside = u.at(space.interior)
    found = torch.cat([inside.value[:, None], inside.grad.mT], dim=1).detach() - space.represented(rows)
    square = float(space.points.weight[space.interior] @ (space.metric.densities(found) * found).sum(dim=(1, 2)))
    if square > 0:
        return math.sqrt(square)
    lengths = torch.tensor([problem.domain.lengths[axis] for axis in problem.domain.space_axes], dtype=x.dtype)
    unit = (space.metric.diffusion.diagonal(dim1=1, dim2=2) / lengths**2).sum(dim=1).mean()
    return math.sqrt(float(unit) * problem.domain.measure())


def rows_of(problem: Elliptic, pairing: Pairing, space: TestSpace, field: Field) -> Tensor:
    """Rows (m,) of a finished field, evaluated in batches.

    Raises:
        NotApplicableError, SmoothnessError: the field has too few derivatives.
    """

    def at(place: slice, formula: Callable[[Jet], Tensor]) -> Tensor:
        return Expression(problem, field, formula)(space.points.x[place])

    parts = [at(space.interior, partial(pairing.inside, problem))]
    parts += [at(face.rows, partial(_on, pairing, face, problem)) for face in space.faces]
    return space.tested(torch.cat(parts)[..., None])[:, 0]


def _on(pairing: Pairing, face: Face, problem: Elliptic, u: Jet) -> Tensor:
    # Faces are smaller than a batch: the jet's points are all of them, or the two that plan it.
    return pairing.on(face, face.normal[: len(u.x)], problem, u)
