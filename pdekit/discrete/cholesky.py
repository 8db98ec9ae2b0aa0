"""Sparse Cholesky factors of symmetric positive definite matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from ..errors import SingularSystemError

if TYPE_CHECKING:
    from scipy.sparse import csc_array, sparray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@final
@dataclass(frozen=True, eq=False)
class SparseCholesky:
    """P K P^T = C C^T with C lower triangular and P a permutation that keeps C sparse. Build it with `of`.

    Args:
        lower: C without the scale of its columns, unit lower triangular (n, n).
        scale: the diagonal of C (n,).
        order: row i of K is row order[i] of C.

    Reference: Li 2005, doi:10.1145/1089014.1089017 (SuperLU, here without pivoting: then L and U agree up to scale).
    """

    lower: csc_array
    scale: FloatArray
    order: IntArray

    @staticmethod
    def of(matrix: sparray) -> SparseCholesky:
        """Factorise K (n, n).

        Raises:
            SingularSystemError: K is not positive definite.
        """
        from scipy.sparse.linalg import splu

        try:
            factors = splu(
                matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
            )
        except RuntimeError as error:
            raise SingularSystemError(_not_definite(matrix.shape[0], 0.0)) from error
        pivots = factors.U.diagonal()
        if not (pivots > 0).all() or not np.array_equal(factors.perm_r, factors.perm_c):
            raise SingularSystemError(_not_definite(len(pivots), float(pivots.min())))
        return SparseCholesky(factors.L.tocsc(), np.sqrt(pivots), np.asarray(factors.perm_r, dtype=np.int64))

    def whitened(self, b: FloatArray) -> FloatArray:
        """C^-1 P b for b (n, k): columns whose squared lengths are b^T K^-1 b."""
        from scipy.sparse.linalg import spsolve_triangular

        moved = np.empty_like(b)
        moved[self.order] = b
        solved: FloatArray = spsolve_triangular(self.lower, moved, lower=True, unit_diagonal=True)
        return solved / self.scale[:, None]

    def adjoint(self, y: FloatArray) -> FloatArray:
        """P^T C^-T y for y (n, k); with y = whitened(b) the solution of K u = b."""
        from scipy.sparse.linalg import spsolve_triangular

        scaled = y / self.scale[:, None]
        solved: FloatArray = spsolve_triangular(self.lower.T.tocsc(), scaled, lower=False, unit_diagonal=True)
        return solved[self.order]


def _not_definite(rows: int, pivot: float) -> str:
    return (
        f"sparse Cholesky: got a matrix of {rows} rows with a pivot of {pivot:.3g}, expected a positive definite one; "
        "check signs and boundary conditions"
    )
