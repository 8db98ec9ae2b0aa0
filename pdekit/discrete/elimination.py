"""One step of a block elimination in least squares: some unknowns leave, the rest keep what the rows still say of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
_WELL_CONDITIONED = 1e10  # below it no singular value can be near a cutoff, and a triangular inverse loses nothing


@final
@dataclass(frozen=True, eq=False)
class Elimination:
    """x eliminated from min over x and t of |K x + E t - b|^2.

    x = basis (head b - coupling t), and what remains for t is min |rest t - tail b|^2, with orthonormal rows in head and
    tail together, so that nothing is lost.

    Args:
        basis: (J, r) for r the rank of K.
        head: (r, N).
        coupling: (r, T).
        tail: (R, N).
        rest: (R, T), with R at most T + J - r.
        condition: ratio of the largest to the smallest singular value kept.
    """

    basis: FloatArray
    head: FloatArray
    coupling: FloatArray
    tail: FloatArray
    rest: FloatArray
    condition: float

    @staticmethod
    def of(k: FloatArray, e: FloatArray, cutoff: float) -> Elimination:
        """Eliminate the unknowns of k (N, J) from the rows [k e] (N, J + T).

        Directions of x that k shrinks by more than `cutoff` relative to the largest are left at zero.

        Notes: a QR factorisation of the rows, then the singular values of a J x J triangle unless its condition is small.
        """
        from scipy.linalg import lapack, qr, svd

        columns = k.shape[1]
        q, r = qr(np.hstack([k, e]), mode="economic", check_finite=False)
        top = min(len(r), columns)
        triangle, coupling = r[:top, :columns], r[:top, columns:]
        if top == columns:
            reciprocal, _ = lapack.dtrcon(triangle)
            if reciprocal * _WELL_CONDITIONED > 1:
                inverse, _ = lapack.dtrtri(triangle)
                return Elimination(inverse, q[:, :top].T, coupling, q[:, top:].T, r[top:, columns:], 1 / reciprocal)
        u, sizes, vt = svd(triangle, full_matrices=True, check_finite=False)
        rank = int((sizes > cutoff * sizes[0]).sum()) if sizes.size else 0
        turned, coupling = q[:, :top] @ u, u.T @ coupling
        return Elimination(
            basis=vt[:rank].T / sizes[:rank],
            head=turned[:, :rank].T,
            coupling=coupling[:rank],
            tail=np.vstack([turned[:, rank:].T, q[:, top:].T]),
            rest=np.vstack([coupling[rank:], r[top:, columns:]]),
            condition=float(sizes[0] / sizes[rank - 1]) if rank else 1.0,
        )

    @property
    def rank(self) -> int:
        """How many of the unknowns the rows determine."""
        return self.basis.shape[1]

    def recovered(self, headed: FloatArray, traces: FloatArray) -> FloatArray:
        """x from head b and t."""
        return self.basis @ (headed - self.coupling @ traces)
