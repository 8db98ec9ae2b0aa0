"""The linear system of a discretised elliptic equation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from ..errors import IllPosedError, NonFiniteError, ShapeError
from .grid import Grid
from .star import Star
from .star_program import StarOperator

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Balance:
    """What goes into a system whose solution is free up to a constant: it must add up to zero.

    Args:
        source: integral of the source.
        flux: integral of the boundary fluxes.
        scale: integral of the absolute values of both.
        tolerance: share of `scale` that quadrature on this grid may miss.
    """

    source: float
    flux: float
    scale: float
    tolerance: float

    def check(self) -> None:
        """Raise IllPosedError unless source and flux cancel."""
        gap = self.source + self.flux
        if abs(gap) > self.tolerance * self.scale:
            raise IllPosedError(
                f"Neumann or periodic problem: the source integrates to {self.source:.6g} and the boundary flux to "
                f"{self.flux:.6g}, a gap of {gap:.3g}, expected a sum of zero (within {self.tolerance * self.scale:.1g}); "
                "subtract the mean of the source, or fix the solution by a Dirichlet or Robin face"
            )


@final
@dataclass(frozen=True, eq=False)
class LinearSystem:
    """M v = rhs over the unknown points of a grid, and the way back to the grid.

    Rows carry the share of the cell that belongs to their point (1 inside, 1/2 on a Neumann or Robin face), which keeps
    M symmetric whenever the equation is.

    Args:
        grid: the grid.
        unknown: which points carry an unknown, grid-shaped.
        known: Dirichlet values at their points and 0 elsewhere, grid-shaped.
        rhs: (n_unknowns,), the Dirichlet values moved over.
        symmetric: whether M is symmetric.
        periodic: which axes are periodic; their last layer of points repeats the first.
        star: constant-coefficient stencil, or None where the system is given by `stored`.
        stored: the sparse matrix, or None where it follows from `star`.
        balance: present where the solution is free up to a constant; solvers fix its mean to zero.
    """

    grid: Grid
    unknown: NDArray[np.bool_]
    known: FloatArray
    rhs: FloatArray
    symmetric: bool
    periodic: tuple[bool, ...]
    star: Star | None = None
    stored: csr_matrix | None = None
    balance: Balance | None = None

    @cached_property
    def matrix(self) -> csr_matrix:
        """M as a sparse matrix, (n_unknowns, n_unknowns)."""
        return self.stored if self.star is None else self.star.matrix(self.grid.shape)

    @property
    def null_space(self) -> bool:
        """Whether constants solve the homogeneous system."""
        return self.balance is not None

    @cached_property
    def diagonal(self) -> FloatArray:
        """The diagonal of M, (n_unknowns,)."""
        if self.star is not None:
            return np.full(self.rhs.size, self.star.centre)
        return np.asarray(self.matrix.diagonal(), dtype=np.float64)

    @cached_property
    def box(self) -> tuple[slice, ...]:
        """Index of the unknowns: they always fill a box."""
        rest = [tuple(b for b in range(self.grid.dim) if b != a) for a in range(self.grid.dim)]
        runs = [np.flatnonzero(self.unknown.any(axis=other)) for other in rest]
        return tuple(slice(int(run[0]), int(run[-1]) + 1) for run in runs)

    @cached_property
    def _operator(self) -> StarOperator | None:
        return None if self.star is None else StarOperator(self.star, self.grid.shape)

    def restrict(self, full: FloatArray) -> FloatArray:
        """Take the unknowns out of grid-shaped values, (n_unknowns,).

        Raises:
            ShapeError: `full` is not grid-shaped.
        """
        full = np.asarray(full, dtype=np.float64)
        if full.shape != self.grid.shape:
            raise ShapeError(
                f"LinearSystem: got values of shape {full.shape}, expected the grid's {self.grid.shape}; reshape them in C order"
            )
        return full[self.box].flatten()

    def extend(self, vector: FloatArray) -> FloatArray:
        """Put unknowns back on the grid, with the known values and the periodic copies."""
        if vector.shape != self.rhs.shape:
            raise ShapeError(
                f"LinearSystem: got {vector.shape} unknowns, expected {self.rhs.shape}; pass one value per unknown"
            )
        full = self.known.copy()
        full[self.box] = vector.reshape(full[self.box].shape)
        for axis, wraps in enumerate(self.periodic):
            if wraps:
                full[self.grid.face(axis, 1)] = full[self.grid.face(axis, 0)]
        return full

    def apply(self, vector: FloatArray) -> FloatArray:
        """Return M v, (n_unknowns,)."""
        if self._operator is None:
            return np.asarray(self.matrix @ vector)
        return self._operator(vector.reshape([n - 2 for n in self.grid.shape])).ravel()

    def residual(self, full: FloatArray) -> FloatArray:
        """Return rhs - M u, (n_unknowns,), for grid-shaped u; its values at known points do not matter."""
        return self.rhs - self.apply(self.restrict(full))

    def balanced(self) -> LinearSystem:
        """Return a system that has a solution to the last digit: the same one, or one whose right-hand side has mean zero.

        Raises:
            NonFiniteError: the right-hand side holds NaN or infinity.
            IllPosedError: constants are in the null space, and source and flux do not cancel.
        """
        bad = int(np.count_nonzero(~np.isfinite(self.rhs)))
        if bad:
            raise NonFiniteError(
                f"LinearSystem: the right-hand side is NaN or infinite at {bad} of {self.rhs.size} unknowns, expected "
                "finite values; check the source and the boundary values"
            )
        if self.balance is None or not self.symmetric:
            return self  # with advection the integrals need not cancel: what must is known once the system is solved
        self.balance.check()
        return replace(self, rhs=self.rhs - self.rhs.mean())

    def centred(self, full: FloatArray) -> FloatArray:
        """Return `full` with its mean over the box taken off where constants are free, unchanged elsewhere."""
        if self.balance is None:
            return full
        weights = self.grid.weights()
        centred: FloatArray = full - np.sum(weights * full) / np.sum(weights)
        return centred
