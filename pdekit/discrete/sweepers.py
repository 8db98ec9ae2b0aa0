"""Sweeps over a stored sparse matrix."""

from __future__ import annotations

from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray

from .system import LinearSystem

FloatArray = NDArray[np.float64]


class Sweeper(Protocol):
    """A relaxation made ready for one system."""

    @property
    def monotone(self) -> bool:
        """Whether max |error| provably never grows from one sweep to the next."""

    @property
    def monotone_residual(self) -> bool:
        """Whether max |D^-1 residual| provably never grows from one sweep to the next."""

    def sweep(self, full: FloatArray, n: int) -> FloatArray:
        """Return grid-shaped values after n sweeps; the known values stay."""


def dominant(system: LinearSystem) -> bool:
    """Whether each diagonal entry is at least the sum of the absolute values of its row's others, to round-off."""
    if system.star is not None:
        return system.star.dominant
    rows = np.asarray(np.abs(system.matrix).sum(axis=1)).ravel()
    return bool(np.all(rows - np.abs(system.diagonal) <= system.diagonal * (1.0 + 1e-12)))


@final
class MatrixJacobi:
    """u <- (I - omega D^-1 M) u + omega D^-1 rhs."""

    def __init__(self, system: LinearSystem, omega: float) -> None:
        """Build the iteration matrix."""
        from scipy import sparse

        self._system = system
        self.monotone = omega <= 1.0 and dominant(system)
        self.monotone_residual = self.monotone
        scale = omega / system.diagonal
        self.iteration = sparse.csr_matrix(
            sparse.identity(scale.size, format="csr") - sparse.diags(scale) @ system.matrix
        )
        self._load = scale * system.rhs

    def sweep(self, full: FloatArray, n: int) -> FloatArray:
        """Return grid-shaped values after n sweeps."""
        u = self._system.restrict(full)
        for _ in range(n):
            u = self.iteration @ u
            u += self._load
        return self._system.extend(u)

    def radius(self, steps: int = 100) -> float:
        """Spectral radius of the iteration matrix by power iteration, from below for a symmetric system."""
        v = np.cos(np.arange(self._load.size) ** 2 * 0.7)  # excites every mode
        growth = 0.0
        for _ in range(steps):
            v /= np.linalg.norm(v)
            v = self.iteration @ v
            growth = float(np.linalg.norm(v))
        return growth


@final
class GaussSeidelSweeper:
    """u_i <- (1 - omega) u_i + omega (rhs_i - sum over j != i of M_ij u_j) / M_ii, in the order of the unknowns."""

    def __init__(self, system: LinearSystem, omega: float) -> None:
        """Fold omega into the diagonal."""
        self._system = system
        self._matrix = system.matrix.copy()
        self._matrix.setdiag(system.diagonal / omega)
        # pyamg's own omega is a blend after the sweep, which is another method; with D / omega on the diagonal and
        # (1 / omega - 1) D u on the right-hand side its plain sweep is successive over-relaxation
        self._pull = (1.0 / omega - 1.0) * system.diagonal if omega != 1.0 else None
        self.monotone = omega == 1.0 and dominant(system)
        self.monotone_residual = False

    def sweep(self, full: FloatArray, n: int) -> FloatArray:
        """Return grid-shaped values after n sweeps."""
        from pyamg.relaxation.relaxation import gauss_seidel

        u = np.ascontiguousarray(self._system.restrict(full))
        if self._pull is None:
            gauss_seidel(self._matrix, u, self._system.rhs, iterations=n, sweep="forward")
        else:
            for _ in range(n):
                gauss_seidel(self._matrix, u, self._system.rhs + self._pull * u, iterations=1, sweep="forward")
        return self._system.extend(u)


@final
class ChebyshevSweeper:
    """Chebyshev iteration on D^-1 M, restarted after `degree` applications, which make one sweep."""

    def __init__(self, system: LinearSystem, degree: int, lower: float, upper: float) -> None:
        """Keep the interval of eigenvalues."""
        self._system = system
        self._degree, self._centre, self._radius = degree, 0.5 * (upper + lower), 0.5 * (upper - lower)
        self.monotone = False
        self.monotone_residual = False

    def sweep(self, full: FloatArray, n: int) -> FloatArray:
        """Return grid-shaped values after n sweeps."""
        system, sigma = self._system, self._centre / self._radius
        u = system.restrict(full)
        for _ in range(n):
            rho = 1.0 / sigma
            step = (system.rhs - system.apply(u)) / system.diagonal / self._centre
            u = u + step
            for _ in range(self._degree - 1):
                last, rho = rho, 1.0 / (2.0 * sigma - rho)
                defect = (system.rhs - system.apply(u)) / system.diagonal
                step = rho * last * step + (2.0 * rho / self._radius) * defect
                u += step
        return system.extend(u)


@final
class MultigridSweeper:
    """Multigrid V-cycles."""

    def __init__(self, system: LinearSystem) -> None:
        """Build the hierarchy."""
        from .multigrid import multigrid_cycle

        self._system = system
        self._cycle = multigrid_cycle(system)
        self.monotone = False
        self.monotone_residual = False

    def sweep(self, full: FloatArray, n: int) -> FloatArray:
        """Return grid-shaped values after n cycles."""
        system = self._system
        u = system.restrict(full)
        for _ in range(n):
            u = u + self._cycle(system.rhs - system.apply(u))
        return system.centred(system.extend(u))
