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
from ..curved import elements_on
from ..discrete.coefficients import Coefficients
from ..discrete.finite_elements import Elements, Quadrature
from ..discrete.mesh import Mesh
from ..discrete.mesh_function import MeshFunction
from ..discrete.system import Balance
from ..discretise import on_arrays
from ..domain import Region
from ..field import Field, MeshField, SumField
from ..galerkin import WeakData, galerkin
from ..jet import Jet
from ..problem import Elliptic, faces_of
from .defect import ENOUGH, Estimate, ratio, relative_gap
from .norms import Norms
from .reference import CoarseCheck
from .residual import Expression

Array = np.ndarray

_CELLS_ACROSS = {1: 200, 2: 24, 3: 6}  # of the first mesh, along the longest side of the bounding box
_MOST_NODES = {1: 30_000, 2: 60_000, 3: 15_000}
_RATE = 2  # of the energy error of quadratic elements


@final
class MeshLadder:
    """Quadratic elements on nested meshes of a region, cells half as large from each to the next, as many as are affordable.

    Begins with the mesh of the field halved, if it has one, so that its gradients are integrated exactly.

    Args:
        region: what is meshed.
        field: to be judged.
    """

    def __init__(self, region: Region, field: Field) -> None:
        from ..meshing import mesh, refined

        own = mesh_of(field)
        size = max(region.lengths) / _CELLS_ACROSS[region.dim]
        first = mesh(region, size) if own is None else refined(region, own)
        self._region, self._levels = region, [elements_on(region, first)]

    def __iter__(self) -> Iterator[Elements]:
        """Coarsest first."""
        from ..meshing import refined

        dim, level = self._region.dim, 0
        size = self._levels[0].size
        while size <= _MOST_NODES[dim]:
            if level == len(self._levels):
                self._levels.append(elements_on(self._region, refined(self._region, self._levels[-1].mesh)))
            yield self._levels[level]
            size = 2**dim * self._levels[level].size
            level += 1


def mesh_of(field: Field) -> Mesh | None:
    """The mesh that a field, or a part of it, lives on."""
    match field:
        case MeshField():
            return field.elements.mesh
        case SumField():
            return next((found for part in field.parts if (found := mesh_of(part)) is not None), None)
        case _:
            return None


def mesh_estimate(problem: Elliptic, field: Field, ladder: MeshLadder) -> Estimate | None:
    """Error of a field with first derivatives, from the weak form of the equation that the error obeys.

    a(e, v) = l(v) - a(u, v) with e = g - u on Dirichlet parts, by quadratic elements on nested meshes until two of them
    agree to 3 % or the budget ends. It reads the flux only, so kinks of the field and jumps of A count as they must.

    Args:
        problem: linear, without periodic conditions.
        field: with first derivatives; those of finite elements will do.
        ladder: the meshes.

    Returns:
        The estimate; None where not even the first mesh is affordable.

    Raises:
        NotApplicableError: the field has no derivatives, or a condition is periodic.
        SmoothnessError: the same for networks.
        SingularSystemError, IllPosedError: the problem has no unique solution.

    Notes:
        Where one mesh alone is affordable, the gap is what the degree makes of halving the mesh of a finite element
        solution, for which the error on it is known to be too small by that much.
    """
    found: Estimate | None = None
    for elements in ladder:
        error, size = _on_mesh(problem, field, elements)
        l2, energy = ratio(error.l2, size.l2), ratio(error.energy, size.energy)
        gap = 1.0 - math.sqrt(1.0 - 4.0**-_RATE)
        coarser = l2
        if found is not None:
            coarser = found.relative_l2
            gap = max(relative_gap(coarser, l2), relative_gap(found.relative_energy, energy))
        done = found is not None and gap <= ENOUGH
        found = Estimate(l2, energy, error.energy, coarser, gap, elements.size)
        if done:
            break
    return found


def mesh_check(problem: Elliptic, field: Field, ladder: MeshLadder) -> CoarseCheck | None:
    """A field against quadratic elements on the first mesh of the ladder, and these against linear ones.

    It reads the problem's coefficients and the field's values only, so it also sees what a wrong residual hides. None where
    that mesh is not affordable.
    """
    for elements in ladder:
        inside, linear = elements.interior, Elements(elements.mesh, 1)
        good = inside.values @ classical_on(problem, elements)
        rough = MeshFunction(linear, classical_on(problem, linear))(inside.x)
        values = field(torch.from_numpy(inside.x))[:, 0].numpy()
        size = _l2(inside, good)
        return CoarseCheck(ratio(_l2(inside, values - good), size), ratio(_l2(inside, good - rough), size))
    return None


def classical_on(problem: Elliptic, elements: Elements) -> Array:
    """Nodal values of the problem's finite element solution; its mean is the problem's, where that is free."""
    system = galerkin(problem, elements)
    mean = problem.mean()
    return system.solve() if mean is None or system.balance is None else system.solve() + mean


def weak_defect(problem: Elliptic, field: Field) -> WeakData:
    """Right-hand side l(v) - a(u, v) and Dirichlet values g - u of the equation that the error of `field` obeys."""
    return WeakData(Expression(problem, field, lambda u: _rest(problem, u)), _boundary_rest(problem, field))


def _rest(problem: Elliptic, u: Jet) -> Tensor:
    """What u leaves over of the weak form, paired with v and with grad v: f - b . grad u - c u, and -A grad u; (n, 1 + d)."""
    flux, load = problem.weak_parts(u)
    return -torch.cat([load, flux], dim=1)


def _boundary_rest(problem: Elliptic, field: Field) -> dict[str, Value]:
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
    return boundary


def _less(field: Field, value: Value, name: str, factor: float) -> Value:
    """g - factor u."""
    return lambda x: evaluate(name, value, x) - factor * field(x)


def _on_mesh(problem: Elliptic, field: Field, elements: Elements) -> tuple[Norms, Norms]:
    """Norms of the error and of the solution."""

    def jet(u: Jet) -> Tensor:
        return torch.cat([u.value, u.grad[:, 0, :], _rest(problem, u)], dim=1)

    inside, d = elements.interior, elements.mesh.dim
    table = Expression(problem, field, jet)(torch.from_numpy(inside.x))
    values, slopes = table[:, 0].numpy(), table[:, 1 : 1 + d].numpy()
    data = WeakData(lambda _: table[:, 1 + d :], _boundary_rest(problem, field))
    system = galerkin(problem, elements, data)
    if system.balance is not None:
        # Source and fluxes of the defect cancel up to quadrature, which may outweigh them when both are small.
        system = dataclasses.replace(system, balance=Balance(0.0, 0.0, 1.0, 1.0))
    error = system.solve()
    mean = problem.mean()
    if system.balance is not None and mean is not None:
        error = error + mean - float(inside.weight @ values) / inside.weight.sum()
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
