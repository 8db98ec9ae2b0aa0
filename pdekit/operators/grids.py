"""Functions at other resolutions than those they were learnt at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from ..dataset import FloatArray
from ..discrete import Grid
from ..errors import DtypeError, NotApplicableError, ShapeError
from ..field import GridField
from ..interpolant import Interpolant
from ..operator_problem import Family, OperatorProblem
from ..quantity import Quantity

_SMOOTH = 5


def at_resolution(quantity: Quantity, points: Sequence[int]) -> Quantity:
    """The same kind of function on a grid with these numbers of points."""
    axes = (replace(axis, points=n) for axis, n in zip(quantity.axes, points, strict=True))
    return replace(quantity, axes=tuple(axes))


def resolution_of(owner: str, quantity: Quantity, values: object) -> Quantity:
    """The quantity at the resolution of arrays (count, *n) or (count, *n, m).

    Raises:
        DtypeError: no numbers.
        ShapeError: another number of axes or components.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise DtypeError(f"{owner}: got values of type {array.dtype}, expected real numbers; convert them to floats")
    m = len(quantity.names)
    bare = m == 1 and array.ndim == quantity.dim + 1
    if not bare and (array.ndim != quantity.dim + 2 or array.shape[-1] != m):
        raise ShapeError(
            f"{owner}: got shape {array.shape}, expected (cases, {', '.join(map(str, quantity.shape))}) for "
            f"{quantity.describe()}, or other numbers of points; put the cases first"
        )
    return at_resolution(quantity, array.shape[1 : 1 + quantity.dim])


def moved(values: FloatArray, there: Quantity, here: Quantity, *, smooth: bool) -> FloatArray:
    """Functions (count, *there.shape) on another grid, (count, *here.shape): interpolated, or the nearest values."""
    if there == here:
        return values
    at = torch.from_numpy(here.points())
    parts = []
    for i, name in enumerate(there.names):
        one = replace(there, names=(name,))
        functions = Interpolant(one, torch.from_numpy(values[..., i : i + 1].copy()), _SMOOTH if smooth else 0)
        parts.append(functions(at).T.reshape(len(values), *here.shape[:-1]))
    return torch.stack(parts, dim=-1).numpy()


def grid_field(family: OperatorProblem, values: FloatArray) -> GridField:
    """An output (*n, 1) on its grid as a field on the domain; axes that are periodic get their last point back.

    Raises:
        NotApplicableError: the outputs do not fill the domain, as those at one time do not.
    """
    require_filling(family)
    filled = values[..., 0]
    for number, axis in enumerate(family.output.axes):
        if axis.periodic:
            filled = np.concatenate([filled, np.take(filled, [0], axis=number)], axis=number)
    lower, upper = (tuple(getattr(axis, end) for axis in family.output.axes) for end in ("lower", "upper"))
    return GridField(Grid(lower, upper, filled.shape), np.ascontiguousarray(filled))


def require_filling(family: OperatorProblem) -> Family:
    """The family, if its outputs are functions on its whole domain.

    Raises:
        NotApplicableError: they are not, or it has no domain.
    """
    if not isinstance(family, Family):
        raise NotApplicableError(f"{family.name}: has no ordinary problem for one case; use predict")
    names = tuple(axis.name for axis in family.output.axes)
    if names != family.domain.names or len(family.output.names) != 1:
        raise NotApplicableError(
            f"{family.name}: its outputs are {family.output.describe()}, its domain has the coordinates "
            f"{', '.join(family.domain.names)}, expected outputs on all of it; set times=33, or use predict"
        )
    return family
