"""Fourth-order finite differences on a uniform grid with Dirichlet or periodic faces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, NotApplicableError
from .coefficients import Coefficients, refuse_full_tensor
from .differences import difference_matrix
from .faces import Face, NeumannFace, PeriodicFace, RobinFace
from .grid import Grid
from .second_order import along

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

FloatArray = NDArray[np.float64]
MIN_POINTS = 7  # the one-sided rows need six points, and both ends must not share all of theirs


def fourth_order(
    grid: Grid, coefficients: Coefficients, faces: Mapping[tuple[int, int], Face]
) -> tuple[csr_matrix, FloatArray]:
    """Rows of -div(A grad u) + b.grad u + c u = f at every grid point that carries an unknown.

    Constant A: the five-point second difference. Variable A: fourth-order gradient to the half points, times A, and
    fourth-order divergence back, so that the scheme stays conservative inside. Rows next to a Dirichlet face lean inward
    with enough points for fourth order.

    Returns:
        (matrix over all points, right-hand side); rows of Dirichlet points are to be dropped.

    Raises:
        NotApplicableError: Neumann or Robin faces, or a full diffusion matrix.
        ConfigError: an axis has fewer than 7 points.

    Notes:
        The matrix is not symmetric, and undamped Jacobi diverges on it.
    """
    from scipy import sparse

    for key, face in faces.items():
        if isinstance(face, NeumannFace | RobinFace):
            raise NotApplicableError(
                f"assemble: order 4 got a {type(face).__name__} at face {key}, expected Dirichlet or periodic faces; use order=2"
            )
    if min(grid.shape) < MIN_POINTS:
        raise ConfigError(
            f"assemble: order 4 got a grid of shape {grid.shape}, expected at least {MIN_POINTS} points per axis; refine it"
        )
    points = grid.points()
    tensor = coefficients.tensor(points)
    refuse_full_tensor(tensor, "order 4")
    b = coefficients.b(points)
    constants = coefficients.constants(grid)
    total = sparse.diags(coefficients.c(points)).tocsr()
    for axis, h in enumerate(grid.spacing):
        n = grid.shape[axis]
        wraps = isinstance(faces[axis, 0], PeriodicFace)
        period = n - 1 if wraps else None
        nodes: FloatArray = np.arange(n, dtype=np.float64)
        halves: FloatArray = nodes[:-1] + 0.5

        if constants is not None:
            second = along(grid, axis, difference_matrix(nodes, 0.0, n, 2, width=5, edge_width=6, period=period))
            total = total - constants.diffusion[axis] / h**2 * second
        else:
            gradient = along(grid, axis, difference_matrix(halves, 0.0, n, 1, width=4, edge_width=5, period=period))
            divergence = along(
                grid, axis, difference_matrix(nodes, 0.5, n - 1, 1, width=4, edge_width=5, period=period)
            )
            a = coefficients.a(axis, grid.midpoints(axis))
            total = total - divergence @ sparse.diags(a / h**2) @ gradient
        if coefficients.advection is not None:
            slope = along(grid, axis, difference_matrix(nodes, 0.0, n, 1, width=5, edge_width=5, period=period))
            total = total + sparse.diags(b[:, axis] / h) @ slope
    return sparse.csr_matrix(total), coefficients.f(points)
