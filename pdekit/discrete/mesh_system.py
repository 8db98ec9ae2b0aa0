"""Galerkin equations on a mesh: K u = F for nodal values, some of which are prescribed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from ..errors import NonFiniteError
from .factorise import check_range, solve_sparse
from .finite_elements import Elements
from .system import Balance

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Unknowns from which on algebraic multigrid beats the factorisation, whose fill grows faster in 3-D.
_LARGE = {1: 10**9, 2: 150_000, 3: 15_000}
_TOLERANCE = 1e-11
_CYCLES = 200


@final
@dataclass(frozen=True, eq=False)
class GalerkinSystem:
    """sum_j K_ij u_j = F_i at the free nodes, u_j given at the others.

    Args:
        elements: the finite element space with N nodes.
        matrix: K (N, N), rows of prescribed nodes included.
        load: F (N,).
        fixed: numbers of the prescribed nodes.
        values: their values.
        symmetric: whether K is.
        definite: whether K is also positive definite on the free nodes.
        balance: present where the solution is free up to a constant; its mean is then zero.
    """

    elements: Elements
    matrix: csr_array
    load: FloatArray
    fixed: IntArray
    values: FloatArray
    symmetric: bool
    definite: bool
    balance: Balance | None = None

    def solve(self) -> FloatArray:
        """Nodal values (N,).

        Raises:
            NonFiniteError: NaN or infinity among the data.
            SingularSystemError: no unique solution.
            IllPosedError: source and fluxes of a pure Neumann problem do not cancel.
        """
        bad = int((~np.isfinite(self.load)).sum() + (~np.isfinite(self.values)).sum())
        if bad:
            raise NonFiniteError(
                f"finite elements: {bad} loads and boundary values are NaN or infinite, expected finite ones; "
                "check the source and the boundary values"
            )
        u = np.zeros(self.elements.size)
        u[self.fixed] = self.values
        free = np.setdiff1d(np.arange(len(u)), self.fixed)
        rhs = (self.load - self.matrix @ u)[free]
        if self.balance is None:
            u[free] = self._solved(self.matrix[free][:, free], rhs)
            return u
        quadrature = self.elements.interior
        weights = np.asarray(quadrature.values.T @ quadrature.weight)
        if self.symmetric:  # with advection the integrals need not cancel
            self.balance.check()
            rhs = rhs - weights * rhs.sum() / weights.sum()
        u, multiplier = solve_sparse(self.matrix, rhs, symmetric=self.symmetric, border=weights)
        if not self.symmetric:
            check_range(multiplier, weights, rhs, self.balance.tolerance)
        return u

    def _solved(self, matrix: csr_array, rhs: FloatArray) -> FloatArray:
        if not len(rhs):
            return rhs
        if self.definite and len(rhs) > _LARGE[self.elements.mesh.dim]:
            found = _by_multigrid(matrix, rhs)
            if found is not None:
                return found
        return solve_sparse(matrix, rhs, symmetric=self.symmetric)[0]


def _by_multigrid(matrix: csr_array, rhs: FloatArray) -> FloatArray | None:
    """Conjugate gradients preconditioned by smoothed aggregation; None where they stall."""
    import pyamg
    from scipy.sparse import csr_matrix

    hierarchy = pyamg.smoothed_aggregation_solver(csr_matrix(matrix))
    residuals: list[float] = []
    found: FloatArray = hierarchy.solve(rhs, tol=_TOLERANCE, maxiter=_CYCLES, accel="cg", residuals=residuals)
    converged = residuals[-1] <= 10 * _TOLERANCE * max(float(np.linalg.norm(rhs)), np.finfo(float).tiny)
    return found if converged else None
