"""Second-order finite volumes on a uniform grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .coefficients import Coefficients, Constants, refuse_full_tensor
from .faces import Face, NeumannFace, PeriodicFace, RobinFace, evaluate
from .grid import Grid
from .star import Star

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

FloatArray = NDArray[np.float64]


def star_of(constants: Constants, grid: Grid) -> Star:
    """The second-order stencil of constant coefficients."""
    pairs = list(zip(constants.diffusion, constants.advection, grid.spacing, strict=True))
    return Star(
        centre=constants.reaction + sum(2.0 * a / h**2 for a, _, h in pairs),
        lower=tuple(-a / h**2 - b / (2.0 * h) for a, b, h in pairs),
        upper=tuple(-a / h**2 + b / (2.0 * h) for a, b, h in pairs),
    )


def second_order(
    grid: Grid, coefficients: Coefficients, faces: Mapping[tuple[int, int], Face]
) -> tuple[csr_matrix, FloatArray]:
    """Rows of -div(A grad u) + b.grad u + c u = f at every grid point, times the point's share of a cell.

    A acts at half points, so that fluxes balance to the last digit; b.grad u by central differences (keep the cell
    Peclet number abs(b) h / A below 2, or the solution oscillates).

    Returns:
        (matrix over all points, right-hand side); rows of Dirichlet points are to be dropped, rows of periodic copies
        to be added to those of their originals.
    """
    from scipy import sparse

    points = grid.points()
    share = grid.cells().ravel()
    tensor, b = coefficients.tensor(points), coefficients.b(points)
    diagonal = share * coefficients.c(points)
    rhs = share * coefficients.f(points)
    total = sparse.csr_matrix((grid.size, grid.size))

    for axis, h in enumerate(grid.spacing):
        n = grid.shape[axis]
        jump = along(grid, axis, sparse.diags([-1.0, 1.0], (0, 1), shape=(n - 1, n)))
        across = np.ones(grid.shape)  # share of a cell in the other directions
        for other in range(grid.dim):
            if other != axis:
                across[grid.face(other, 0)] *= 0.5
                across[grid.face(other, 1)] *= 0.5
        conductance = coefficients.a(axis, grid.midpoints(axis)) * np.delete(across, 0, axis).ravel() / h**2
        total = total + jump.T @ sparse.diags(conductance) @ jump
        if coefficients.advection is not None:
            total = total + sparse.diags(share * b[:, axis]) @ _central(grid, axis, _wraps(faces, axis))

    if tensor.ndim == 3:
        _refuse_mixed_on_flux_faces(tensor, faces)
        for i in range(grid.dim):
            for j in range(grid.dim):
                if i != j:
                    inner = sparse.diags(tensor[:, i, j]) @ _central(grid, j, _wraps(faces, j))
                    total = total - sparse.diags(share) @ _central(grid, i, _wraps(faces, i)) @ inner

    numbers = np.arange(grid.size).reshape(grid.shape)
    for (axis, side), face in faces.items():
        if not isinstance(face, NeumannFace | RobinFace):
            continue
        here = numbers[grid.face(axis, side)].ravel()
        name = f"face {(axis, side)}"
        alpha = evaluate(f"{name} alpha", face.alpha if isinstance(face, RobinFace) else 0.0, points[here])
        flux = evaluate(f"{name} value", face.value if isinstance(face, RobinFace) else face.flux, points[here])
        a = (tensor if tensor.ndim == 1 else tensor[:, axis] if tensor.ndim == 2 else tensor[:, axis, axis])[here]
        # the face of the cell, and the normal derivative (flux - alpha u) / A in b.grad u
        outward = 1.0 if side == 1 else -1.0
        factor = 2.0 * share[here] / grid.spacing[axis] - share[here] * outward * b[here, axis] / a
        diagonal[here] += factor * alpha
        rhs[here] += factor * flux
    return sparse.csr_matrix(total + sparse.diags(diagonal)), rhs


def along(grid: Grid, axis: int, line: csr_matrix) -> csr_matrix:
    """Extend a one-dimensional operator to the grid: identity in the other directions."""
    from scipy import sparse

    before, after = int(np.prod(grid.shape[:axis])), int(np.prod(grid.shape[axis + 1 :]))
    return sparse.kron(sparse.kron(sparse.identity(before), line), sparse.identity(after), "csr")


def _wraps(faces: Mapping[tuple[int, int], Face], axis: int) -> bool:
    return isinstance(faces[axis, 0], PeriodicFace)


def _central(grid: Grid, axis: int, wraps: bool) -> csr_matrix:
    """Central first difference; rows at the ends of an axis that does not wrap are zero."""
    from scipy import sparse

    n = grid.shape[axis]
    line = sparse.lil_matrix((n, n))
    for i in range(0 if wraps else 1, n if wraps else n - 1):
        line[i, i + 1 if i + 1 < n else 1] = 0.5 / grid.spacing[axis]
        line[i, i - 1 if i > 0 else n - 2] = -0.5 / grid.spacing[axis]
    return along(grid, axis, line.tocsr())


def _refuse_mixed_on_flux_faces(tensor: FloatArray, faces: Mapping[tuple[int, int], Face]) -> None:
    if any(isinstance(face, NeumannFace | RobinFace) for face in faces.values()):
        refuse_full_tensor(tensor, "Neumann or Robin faces")
