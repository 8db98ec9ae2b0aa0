"""What holds on one face of a box.

A face is named (axis, side): side 0 is the lower end of the axis, side 1 the upper end. Values are numbers or callables
that take points (k, d) and return (k,).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from ..errors import DtypeError, NonFiniteError, ShapeError

FloatArray = NDArray[np.float64]
Field = Callable[[FloatArray], FloatArray] | float


@final
@dataclass(frozen=True)
class DirichletFace:
    """u = value."""

    value: Field = 0.0


@final
@dataclass(frozen=True)
class NeumannFace:
    """A du/dn = flux, with n the outward normal."""

    flux: Field = 0.0


@final
@dataclass(frozen=True)
class RobinFace:
    """A du/dn + alpha u = value, with n the outward normal."""

    alpha: Field
    value: Field = 0.0


@final
@dataclass(frozen=True)
class PeriodicFace:
    """The solution continues at the opposite face, which must be periodic too."""


Face = DirichletFace | NeumannFace | RobinFace | PeriodicFace


def evaluate(name: str, field: Field, points: FloatArray, trailing: tuple[tuple[int, ...], ...] = ((),)) -> FloatArray:
    """Values of a field at points, checked.

    Args:
        name: what the field is called in messages.
        field: number or callable (n, d) -> (n, *trailing).
        points: (n, d).
        trailing: accepted shapes behind n.

    Returns:
        (n,) for a number, else what the callable returned, in float64.

    Raises:
        DtypeError: the values are not real numbers.
        ShapeError: the values have none of the accepted shapes.
        NonFiniteError: some value is NaN or infinite.
    """
    n = len(points)
    raw = np.asarray(field(points) if callable(field) else np.full(n, field))
    if raw.dtype.kind not in "fiub":
        raise DtypeError(f"{name}: got values of type {raw.dtype}, expected real numbers; return a float array")
    expected = [(n, *tail) for tail in trailing]
    if raw.shape not in expected:
        raise ShapeError(
            f"{name}: got shape {raw.shape} at {n} points, expected {' or '.join(map(str, expected))}; "
            "return one value per point (x[:, 0], not x[0] or x[:, 0:1])"
        )
    values = raw.astype(np.float64, copy=False)
    bad = ~np.isfinite(values.reshape(n, -1)).all(axis=1)
    if bad.any():
        first = points[bad.argmax()].tolist()
        raise NonFiniteError(
            f"{name}: got NaN or infinity at {bad.sum()} of {n} points, first at {first}, expected finite values; "
            "remove the singularity or move the grid"
        )
    return values
