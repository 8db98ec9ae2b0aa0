"""Functions of nodal values on a mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from ..errors import NonFiniteError, ShapeError
from .finite_elements import Elements

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_FURTHEST = 0.5  # barycentric distance up to which a cell's polynomial is continued beyond it


@final
@dataclass(frozen=True, eq=False)
class MeshFunction:
    """The finite element function with given nodal values, anywhere.

    Args:
        elements: the space, N nodes.
        nodal: (N,), finite.

    Raises:
        ShapeError: not one value per node.
        NonFiniteError: NaN or infinity among them.

    Notes:
        Beyond a facet the polynomial of the nearest cell is continued, as far as curved boundaries lie outside straight
        facets; further out the value at the nearest such point is taken.
    """

    elements: Elements
    nodal: FloatArray

    def __post_init__(self) -> None:
        if np.shape(self.nodal) != (self.elements.size,):
            raise ShapeError(
                f"mesh function: got values of shape {np.shape(self.nodal)}, expected ({self.elements.size},), one per node"
            )
        if not np.isfinite(self.nodal).all():
            raise NonFiniteError("mesh function: some values are NaN or infinite, expected finite ones")

    def __call__(self, x: FloatArray) -> FloatArray:
        """Values (n,) at points (n, d)."""
        return self.with_gradient(x)[0]

    def with_gradient(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Values (n,) and gradients (n, d) at points (n, d); on facets the gradient of one of the cells.

        Raises:
            ShapeError: points of another shape.
            NonFiniteError: NaN or infinity among them.
        """
        x, d = np.asarray(x, dtype=np.float64), self.elements.mesh.dim
        if x.ndim != 2 or x.shape[1] != d:
            raise ShapeError(f"mesh function: got points of shape {x.shape}, expected (n, {d})")
        if not np.isfinite(x).all():
            row = int((~np.isfinite(x)).any(axis=1).argmax())
            raise NonFiniteError(f"mesh function: point {row} is {x[row].tolist()}, expected finite coordinates")
        if not len(x):
            return np.zeros(0), np.zeros((0, d))
        cells = self.elements.locator(x)
        numbers, values, gradients = self.elements.evaluated(cells, self._near(cells, x))
        nodal = self.nodal[numbers]
        return (nodal * values).sum(axis=1), np.einsum("nk,nkd->nd", nodal, gradients)

    def _near(self, cells: IntArray, x: FloatArray) -> FloatArray:
        """The points, those far outside their cell drawn towards its centre."""
        out = self.elements.locator.distances(cells, x)
        far = out > _FURTHEST
        if not far.any():
            return x
        d = self.elements.mesh.dim
        centres = self.elements.mesh.points[self.elements.mesh.cells[cells[far]]].mean(axis=1)
        # Barycentric distance is affine along the ray: -1 / (d + 1) at the centre, `out` at the point.
        inner = 1.0 / (d + 1)
        share = (_FURTHEST + inner) / (out[far] + inner)
        x = x.copy()
        x[far] = centres + share[:, None] * (x[far] - centres)
        return x
