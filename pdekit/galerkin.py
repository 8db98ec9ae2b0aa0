"""From a problem's weak form and conditions to Galerkin equations on a mesh."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from torch import Tensor

from .conditions import Dirichlet, Neumann, Periodic, Robin, Value, evaluate, label
from .discrete.coefficients import Coefficients
from .discrete.finite_elements import Elements, Quadrature
from .discrete.mesh_system import GalerkinSystem
from .discrete.system import Balance
from .discretise import on_arrays
from .errors import IllPosedError, NotApplicableError
from .problem import Elliptic, faces_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Array = np.ndarray

_IMBALANCE = 1e-3  # share of source and flux that quadrature on a coarse mesh with curved parts may miss


@final
@dataclass(frozen=True, eq=False)
class WeakData:
    """Right-hand side of a(u, v) = int f v + q . grad v + sum over natural parts int g v, with u given on the others.

    Args:
        source: a function (n, d) -> (n, 1), f; or (n, 1 + d), f and q.
        boundary: by part, g on Neumann and Robin parts and u on Dirichlet parts.
    """

    source: Callable[[Tensor], Tensor]
    boundary: Mapping[str, Value]


def weak_data(problem: Elliptic) -> WeakData:
    """The problem's own source and boundary values."""
    faces = faces_of(problem)
    return WeakData(problem.source, {part: c.value for part, c in faces.items() if not isinstance(c, Periodic)})


def galerkin(
    problem: Elliptic, elements: Elements, data: WeakData | None = None, load_order: int | None = None
) -> GalerkinSystem:
    """The weak form of an elliptic problem on finite elements.

    Args:
        problem: declares A, b, c, f and the conditions.
        elements: the space; its mesh has the boundary parts of the problem's domain.
        data: right-hand side instead of the problem's.
        load_order: quadrature order of the right-hand side, where it oscillates more than the coefficients.

    Raises:
        NotApplicableError: a periodic condition.
        IllPosedError: a part without a condition; A not positive somewhere.
    """
    conditions = _conditions(problem, elements)
    data = data or weak_data(problem)
    inside = elements.interior
    coefficients = Coefficients(
        source=0.0,
        diffusion=on_arrays(problem.diffusion) if _given(problem.diffusion, inside) else None,
        advection=on_arrays(problem.advection) if _given(problem.advection, inside) else None,
        reaction=on_arrays(problem.reaction) if _given(problem.reaction, inside) else None,
    )
    c = coefficients.c(inside.x)
    matrix = inside.stiffness(coefficients.tensor(inside.x))
    if coefficients.reaction is not None:
        matrix = matrix + inside.mass(c)
    if coefficients.advection is not None:
        matrix = matrix + inside.transport(coefficients.b(inside.x))
    finer = elements if load_order is None else dataclasses.replace(elements, order=load_order)
    load, source = _interior_load(data, finer.interior)
    flux = 0.0
    for part, condition in conditions.items():
        if not isinstance(condition, Dirichlet):
            surface = finer.boundary(part)
            matrix, load, through = _natural(condition, data.boundary[part], surface, matrix, load)
            flux += through
    fixed, values = _prescribed(conditions, data, elements)
    robin = [condition.alpha for condition in conditions.values() if isinstance(condition, Robin)]
    free = not len(fixed) and not any(robin) and coefficients.reaction is None
    return GalerkinSystem(
        elements,
        matrix.tocsr(),
        load,
        fixed,
        values,
        symmetric=coefficients.advection is None,
        definite=coefficients.advection is None and bool((c >= 0).all()) and all(alpha >= 0 for alpha in robin),
        balance=Balance(source, flux, float(np.abs(load).sum()), _IMBALANCE) if free else None,
    )


def _conditions(problem: Elliptic, elements: Elements) -> dict[str, Dirichlet | Neumann | Robin]:
    """The condition on each part of the mesh, essential ones last so that they prevail where parts meet."""
    found: dict[str, Dirichlet | Neumann | Robin] = {}
    faces = faces_of(problem)
    for part in elements.mesh.parts:
        condition = faces.get(part)
        if condition is None:
            raise IllPosedError(
                f"{problem.name}: boundary part {part!r} has no condition; add one, such as Dirichlet({part!r})"
            )
        if isinstance(condition, Periodic):
            raise NotApplicableError(
                f"finite elements: {problem.name} is periodic in {condition.axis!r}, expected Dirichlet, Neumann or Robin "
                "conditions; use finite-difference"
            )
        found[part] = condition
    return found


def _given(function: Callable[[Tensor], Tensor | None], inside: Quadrature) -> bool:
    return function(torch.from_numpy(inside.x[:1])) is not None


def _interior_load(data: WeakData, inside: Quadrature) -> tuple[Array, float]:
    """Load vector, and the integral of the source."""
    values = data.source(torch.from_numpy(inside.x)).detach().numpy()
    load = inside.load(values[:, 0])
    if values.shape[1] > 1:
        load = load + inside.flux_load(values[:, 1:])
    return load, float(inside.weight @ values[:, 0])


def _natural(
    condition: Neumann | Robin, value: Value, surface: Quadrature, matrix: csr_array, load: Array
) -> tuple[csr_array, Array, float]:
    """Matrix and load with the terms of one natural part, and the flux through it."""
    g = _values(condition, value, surface.x)
    if isinstance(condition, Robin) and condition.alpha:
        matrix = matrix + surface.mass(condition.alpha)
    return matrix, load + surface.load(g), float(surface.weight @ g)


def _prescribed(
    conditions: Mapping[str, Dirichlet | Neumann | Robin], data: WeakData, elements: Elements
) -> tuple[Array, Array]:
    """Numbers of the nodes on Dirichlet parts, ascending, and the values there."""
    found = np.full(elements.size, np.nan)
    fixed = np.zeros(elements.size, dtype=bool)
    for part, condition in conditions.items():
        if isinstance(condition, Dirichlet):
            nodes = elements.on(part)
            found[nodes] = _values(condition, data.boundary[part], elements.nodes[nodes])
            fixed[nodes] = True
    return np.flatnonzero(fixed), found[fixed]


def _values(condition: Dirichlet | Neumann | Robin, value: Value, x: Array) -> Array:
    at = torch.from_numpy(np.ascontiguousarray(x))
    found: Array = evaluate(label(condition), value, at).detach().numpy()[:, 0]
    return found
