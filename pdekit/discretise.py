"""From a problem's coefficients and conditions to finite differences on a grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from .conditions import Dirichlet, Neumann, Periodic, Robin, Value, evaluate, label
from .discrete import DirichletFace, Face, Grid, LinearSystem, NeumannFace, PeriodicFace, RobinFace, assemble
from .discrete.faces import Field
from .domain import Box
from .errors import IllPosedError, NotApplicableError
from .problem import SecondOrder, faces_of

Array = np.ndarray


@final
@dataclass(frozen=True, eq=False)
class Data:
    """Right-hand sides that take the place of a problem's own, such as the defect of a field.

    Args:
        source: f, a function (n, d) -> (n, 1).
        faces: the condition on each part of the boundary, of the problem's kinds.
        initial: u at the initial time, for problems with time.
    """

    source: Callable[[Tensor], Tensor]
    faces: Mapping[str, Dirichlet | Neumann | Robin | Periodic]
    initial: Value = 0.0


def space_grid(problem: SecondOrder, points: int) -> Grid:
    """The uniform grid of the problem's box in space, `points` per axis including both ends.

    Raises:
        NotApplicableError: the domain is not a box.
    """
    box = problem.domain
    if not isinstance(box, Box):
        raise NotApplicableError(f"{problem.name}: finite differences need a box, the domain is a {type(box).__name__}")
    axes = box.space_axes
    return Grid(tuple(box.lower[i] for i in axes), tuple(box.upper[i] for i in axes), (points,) * len(axes))


def discretise(
    problem: SecondOrder, grid: Grid, order: int = 2, time: float | None = None, data: Data | None = None
) -> LinearSystem:
    """L u = f with the problem's boundary conditions on `grid`, at one time for problems with time.

    Args:
        problem: declares A, b, c, f and the conditions.
        grid: grid over the space axes.
        order: 2 or 4.
        time: where in time coefficients and data are evaluated.
        data: source and boundary values instead of the problem's.

    Raises:
        NotApplicableError: the domain is not a box, or the order is not available for these coefficients or faces.
        IllPosedError: a face without a condition.
    """
    box = problem.domain
    if not isinstance(box, Box):
        raise NotApplicableError(f"{problem.name}: finite differences need a box, the domain is a {type(box).__name__}")
    data = data or Data(problem.source, faces_of(problem))
    conditions = data.faces
    faces: dict[tuple[int, int], Face] = {}
    for part in box.parts:
        if part not in conditions:
            raise IllPosedError(f"{problem.name}: face {part!r} has no condition; add one, such as Dirichlet({part!r})")
        faces[box.face(part)] = _discrete_face(conditions[part], time)

    def coefficient(name: str, function: Callable[[Tensor], Tensor | None]) -> Field | None:
        absent = getattr(type(problem), name) is getattr(SecondOrder, name)
        return None if absent or function(at_time(grid.points()[:1], time)) is None else on_arrays(function, time)

    return assemble(
        grid,
        source=on_arrays(data.source, time),
        faces=faces,
        diffusion=coefficient("diffusion", problem.diffusion),
        advection=coefficient("advection", problem.advection),
        reaction=coefficient("reaction", problem.reaction),
        order=order,
    )


def _discrete_face(condition: Dirichlet | Neumann | Robin | Periodic, time: float | None) -> Face:
    match condition:
        case Dirichlet():
            return DirichletFace(_face_value(condition, condition.value, time))
        case Neumann():
            return NeumannFace(_face_value(condition, condition.value, time))
        case Robin():
            return RobinFace(condition.alpha, _face_value(condition, condition.value, time))
        case Periodic():
            return PeriodicFace()


def _face_value(condition: Dirichlet | Neumann | Robin, value: Value, time: float | None) -> Field:
    if not callable(value):
        return float(value)
    return on_arrays(lambda x: evaluate(label(condition), value, x), time)


def on_arrays(function: Callable[[Tensor], Tensor | None], time: float | None = None) -> Callable[[Array], Array]:
    """A torch function of (n, d) as a numpy function of the space coordinates, without its column if it has one."""

    def evaluated(points: Array) -> Array:
        values = function(at_time(points, time))
        if values is None:
            raise NotApplicableError(f"discretise: {function} returned None, expected a tensor")
        array = values.detach().numpy()
        return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array

    return evaluated


def at_time(points: Array, time: float | None) -> Tensor:
    """Points in space as a tensor, with the time as last coordinate if there is one."""
    x = torch.from_numpy(np.ascontiguousarray(points, dtype=np.float64))
    return x if time is None else torch.cat([x, torch.full((len(x), 1), time, dtype=torch.float64)], dim=1)
