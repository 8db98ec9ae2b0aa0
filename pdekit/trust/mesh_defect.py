"""Error estimates by finite elements: the defect equation in its weak form, solved on nested meshes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import final

import numpy as np
import torch
from torch import Tensor

from ..conditions import Dirichlet, Periodic, Robin, Value, evaluate, label
from ..discrete.coefficients import Coefficients
from ..discrete.finite_elements import Elements, Quadrature
from ..discrete.mesh import Mesh
from ..discrete.mesh_function import MeshFunction
from ..discrete.system import Balance
from ..discretise import on_arrays
from ..field import Field, MeshField, SumField
from ..galerkin import WeakData, galerkin
from ..jet import Jet
from ..problem import Elliptic, faces_of
from .defect import ENOUGH, Estimate, ratio, relative_gap
from .norms import Norms
from .reference import CoarseCheck
from .residual import Expression

Array = np.ndarray

_DEGREE = 2
_CELLS_ACROSS = {1: 200, 2: 24, 3: 6}  # of the first mesh, along the longest side of the bounding box
_MOST_NODES = {1: 30_000, 2: 100_000, 3: 40_000}


@final
class MeshLadder:
    """Nested meshes of a problem's domain, each with cells half as large as the one before, as far as they are affordable.

    Begins with the mesh of the field halved, if it has one, so that its gradients are integrated exactly.

    Args:
        problem: on a region that can be meshed.
        field: to be judged.
    """

    def __init__(self, problem: Elliptic, field: Field) -> None:
        from ..meshing import mesh, refined

        self._region, self._refined = problem.domain, refined
        own = mesh_of(field)
        across = _CELLS_ACROSS[self._region.dim]
        first = mesh(self._region, max(self._region.lengths) / across) if own is None else refined(self._region, own)
        self._levels = [Elements(first, _DEGREE)]

    def __iter__(self) -> Iterator[Elements]:
        """Quadratic elements, coarsest first; at least one."""
        level = 0
        while level == 0 or self._affordable(level):
            yield self[level]
            level += 1

    def __getitem__(self, level: int) -> Elements:
        """Elements on one of the meshes."""
        while len(self._levels) <= level:
            self._levels.append(Elements(self._refined(self._region, self._levels[-1].mesh), _DEGREE))
        return self._levels[level]

    def _affordable(self, level: int) -> bool:
        dim = self._region.dim
        return 2**dim * self[level - 1].size <= _MOST_NODES[dim]


def mesh_of(field: Field) -> Mesh | None:
    """The mesh that a field, or a part of it, lives on."""
    match field:
        case MeshField():
            return field.elements.mesh
        case SumField():
            return next((found for part in field.parts if (found := mesh_of(part)) is not None), None)
        case _:
            return None


def mesh_estimate(problem: Elliptic, field: Field, ladder: MeshLadder) -> Estimate:
    """Error of a field with first derivatives, from the weak form of the equation that the error obeys.

    a(e, v) = l(v) - a(u, v) with e = g - u on Dirichlet parts, by quadratic elements on nested meshes until two of them
    agree to 3 % or the budget ends. It reads the flux only, so kinks of the field and jumps of A count as they must.

    Args:
        problem: linear, without periodic conditions.
        field: with first derivatives; those of finite elements will do.
        ladder: the meshes.

    Raises:
        NotApplicableError: the field has no derivatives, or a condition is periodic.
        SmoothnessError: the same for networks.
        SingularSystemError, IllPosedError: the problem has no unique solution.

    Notes:
        Where one mesh alone is affordable, the gap is what the degree makes of halving the mesh of a finite element
        solution, for which the error on it is known to be too small by that much.
    """
    data = weak_defect(problem, field)
    found: Estimate | None = None
    for elements in ladder:
        error, size = _on_mesh(problem, field, elements, data)
        l2, energy = ratio(error.l2, size.l2), ratio(error.energy, size.energy)
        gap = 1.0 - math.sqrt(1.0 - 4.0**-_DEGREE)
        coarser = l2
        if found is not None:
            coarser = found.relative_l2
            gap = max(relative_gap(coarser, l2), relative_gap(found.relative_energy, energy))
        done = found is not None and gap <= ENOUGH
        found = Estimate(l2, energy, error.energy, coarser, gap, elements.size)
        if done:
            break
    assert found is not None  # a ladder has at least one mesh
    return found


def mesh_check(problem: Elliptic, field: Field, ladder: MeshLadder) -> CoarseCheck:
    """A field against the finite element solution of the same problem on the second mesh of the ladder.

    It reads the problem's coefficients and the field's values only, so it also sees what a wrong residual hides.
    """
    coarse, *rest = [elements for elements, _ in zip(ladder, range(2), strict=False)]
    fine = rest[0] if rest else coarse
    u, v = classical_on(problem, fine), classical_on(problem, coarse)
    inside = fine.interior
    mine, values = inside.values @ u, field(torch.from_numpy(inside.x))[:, 0].numpy()
    size = _l2(inside, mine)
    gap = _l2(inside, mine - MeshFunction(coarse, v)(inside.x))
    return CoarseCheck(ratio(_l2(inside, values - mine), size), ratio(gap, size))


def classical_on(problem: Elliptic, elements: Elements) -> Array:
    """Nodal values of the problem's finite element solution; its mean is the problem's, where that is free."""
    system = galerkin(problem, elements)
    mean = problem.mean()
    return system.solve() if mean is None or system.balance is None else system.solve() + mean


def weak_defect(problem: Elliptic, field: Field) -> WeakData:
    """Right-hand side l(v) - a(u, v) and Dirichlet values g - u of the equation that the error of `field` obeys."""

    def rest(u: Jet) -> Tensor:
        flux, load = problem.weak_parts(u)
        return -torch.cat([load, flux], dim=1)

    boundary: dict[str, Value] = {}
    for part, condition in faces_of(problem).items():
        match condition:
            case Dirichlet():
                boundary[part] = _less(field, condition.value, label(condition), 1.0)
            case Robin():
                boundary[part] = _less(field, condition.value, label(condition), condition.alpha)
            case Periodic():
                continue
            case _:
                boundary[part] = condition.value
    return WeakData(Expression(problem, field, rest), boundary)


def _less(field: Field, value: Value, name: str, factor: float) -> Value:
    """g - factor u."""
    return lambda x: evaluate(name, value, x) - factor * field(x)


def _on_mesh(problem: Elliptic, field: Field, elements: Elements, data: WeakData) -> tuple[Norms, Norms]:
    """Norms of the error and of the solution."""
    system, inside = galerkin(problem, elements, data), elements.interior
    if system.balance is not None:
        # Source and fluxes of the defect cancel up to quadrature, which may outweigh them when both are small.
        system = dataclasses.replace(system, balance=Balance(0.0, 0.0, 1.0, 1.0))
    error = system.solve()
    x = torch.from_numpy(inside.x)
    values = field(x)[:, 0].numpy()
    mean = problem.mean()
    if system.balance is not None and mean is not None:
        error = error + mean - float(inside.weight @ values) / inside.weight.sum()
    slopes = Expression(problem, field, lambda u: u.grad[:, 0, :])(x).numpy()
    e, grad_e = inside.values @ error, inside.gradient(error)
    norm = _EnergyNorm(problem, inside)
    return norm(e, grad_e), norm(values + e, slopes + grad_e)


@final
class _EnergyNorm:
    """L2 norm and int A grad v . grad v + c v^2 of values at quadrature points, c where it is nowhere negative."""

    def __init__(self, problem: Elliptic, inside: Quadrature) -> None:
        self._weight = inside.weight
        at = torch.from_numpy(inside.x[:1])
        a = None if problem.diffusion(at) is None else on_arrays(problem.diffusion)
        c = None if problem.reaction(at) is None else on_arrays(problem.reaction)
        coefficients = Coefficients(0.0, diffusion=a, reaction=c)
        self._a, self._c = coefficients.tensor(inside.x), coefficients.c(inside.x)

    def __call__(self, v: Array, slope: Array) -> Norms:
        flux = np.einsum("nij,nj->ni", self._a, slope) if self._a.ndim == 3 else (self._a.T * slope.T).T
        density = (flux * slope).sum(axis=1)
        if (self._c >= 0).all():
            density = density + self._c * v**2
        return Norms(math.sqrt(self._weight @ v**2), math.sqrt(max(0.0, float(self._weight @ density))))


def _l2(inside: Quadrature, values: Array) -> float:
    return math.sqrt(inside.weight @ values**2)
