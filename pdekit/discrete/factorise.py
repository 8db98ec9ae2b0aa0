"""Sparse direct solves of square systems, with a look at their condition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import IllPosedError, SingularSystemError

if TYPE_CHECKING:
    from scipy.sparse import sparray, spmatrix
    from scipy.sparse.linalg import SuperLU

FloatArray = NDArray[np.float64]

CONDITION_LIMIT = 1e14  # beyond it a solution in double precision has no digit left
_PIVOT = 1e-3  # a diagonal entry this small beside its column is no pivot, as in indefinite and in bordered systems
_RESIDUAL = 1e-9  # relative; beyond it pivots on the diagonal were too small after all


def solve_sparse(
    matrix: sparray | spmatrix, rhs: FloatArray, *, symmetric: bool, border: FloatArray | None = None
) -> tuple[FloatArray, float]:
    """Solve M u = rhs by a sparse LU factorisation.

    Args:
        matrix: M (n, n).
        rhs: (n,).
        symmetric: whether M is.
        border: weights (n,) of the mean, where constants are in the null space of M; then M u + t border = rhs and
            border . u = 0 are solved for u and t.

    Returns:
        u (n,), and t, what is left of the imbalance of rhs; 0 without a border.

    Raises:
        SingularSystemError: no unique solution.

    Notes:
        Symmetric matrices are ordered and pivoted as such: fill and time are a small part of what they are otherwise.
        In 3-D the fill grows like n^(4/3).

    Reference: Li 2005, doi:10.1145/1089014.1089017 (SuperLU).
    """
    from scipy import sparse

    scale = float(np.abs(matrix).max())
    if border is not None:
        column = border.reshape(-1, 1) * scale / rhs.size
        matrix = sparse.bmat([[matrix, column], [column.T, None]])
        rhs = np.append(rhs, 0.0)
    csc = matrix.tocsc()
    # A second right-hand side that excites every mode finds a kernel which `rhs` happens to miss.
    probe = np.cos(np.arange(rhs.size) ** 2 * 0.7)
    both = np.column_stack([rhs, probe])
    try:
        solved = _factors(csc, symmetric).solve(both)
        if symmetric and not np.abs(csc @ solved[:, 1] - probe).max() < _RESIDUAL * scale * np.abs(solved[:, 1]).max():
            solved = _factors(csc, False).solve(both)
    except RuntimeError as error:
        raise SingularSystemError(_singular(rhs.size, "an exactly zero pivot")) from error
    growth = scale * float(np.abs(solved[:, 1]).max())
    if not np.isfinite(solved).all() or growth > CONDITION_LIMIT:
        raise SingularSystemError(_singular(rhs.size, f"a condition number of at least {growth:.1g}"))
    if border is None:
        return solved[:, 0], 0.0
    return solved[:-1, 0], float(solved[-1, 0]) * scale / (rhs.size - 1)


def check_range(multiplier: float, border: FloatArray, rhs: FloatArray, tolerance: float) -> None:
    """Raise IllPosedError where `solve_sparse` could only balance a right-hand side by more than rounding and quadrature.

    Args:
        multiplier: t as solved for.
        border: weights of the mean.
        rhs: right-hand side.
        tolerance: share of it that quadrature may miss.
    """
    pull, limit = abs(multiplier) * float(border.max()), tolerance * float(np.abs(rhs).max())
    if pull > limit:
        raise IllPosedError(
            f"solve_direct: the right-hand side misses the range of the matrix by {pull:.3g}, expected at most {limit:.1g}: "
            "source and boundary fluxes do not cancel; fix the solution by a Dirichlet or Robin face"
        )


def _factors(matrix: sparray | spmatrix, symmetric: bool) -> SuperLU:
    from scipy.sparse.linalg import splu

    if not symmetric:
        return splu(matrix, permc_spec="COLAMD")
    return splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=_PIVOT, options={"SymmetricMode": True})


def _singular(unknowns: int, finding: str) -> str:
    return (
        f"solve_direct: the matrix of {unknowns} unknowns has {finding}, expected a nonsingular one; "
        "check the boundary conditions and the sign of the reaction coefficient"
    )
