"""Relaxation methods: what one sweep does, and by how much it reduces a mode.

Sweeps act on the error, mode by mode. A mode is an eigenvector of D^-1 M; its eigenvalue mu lies in (0, 2) for the usual
symmetric systems, near 0 for smooth modes and near 2 for rough ones. For a Laplacian of sine modes k on n points per axis,
mu = sum over axes of (2 / d) sin^2(k pi / (2 (n - 1))) where all axes have equal spacing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral
from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, ConvergenceError, NotApplicableError
from .star_jacobi import StarJacobi
from .sweepers import ChebyshevSweeper, GaussSeidelSweeper, MatrixJacobi, MultigridSweeper, Sweeper
from .system import LinearSystem

FloatArray = NDArray[np.float64]


class Relaxation(Protocol):
    """A stationary iteration, as a configuration."""

    @property
    def name(self) -> str:
        """Name for tables and messages."""

    def prepare(self, system: LinearSystem) -> Sweeper:
        """Make ready for one system; what can be refused is refused here."""

    def reduction(self, mu: FloatArray) -> FloatArray | None:
        """Factor of one sweep on the error of modes with eigenvalues mu of D^-1 M; None if it has no such law."""


@final
@dataclass(frozen=True)
class Jacobi:
    """u <- u + omega D^-1 (rhs - M u); reduces mode mu by 1 - omega mu.

    Args:
        omega: 1 is the classical method, whose roughest modes (mu near 2) decay as slowly as the smoothest ones.

    Good values:
        2/3 in 1-D, 4/5 in 2-D, 6/7 in 3-D reduce every rough mode (mu >= 1/d) by 1/3, 3/5, 5/7 a sweep or better.

    Reference:
        Saad, Iterative Methods for Sparse Linear Systems, 2nd ed., section 4.1, doi:10.1137/1.9780898718003; book, section 15.5.
    """

    omega: float = 1.0

    def __post_init__(self) -> None:
        """Check omega."""
        _check_omega("Jacobi", self.omega)

    @property
    def name(self) -> str:
        """Name for tables."""
        return "jacobi" if self.omega == 1.0 else f"jacobi({self.omega:g})"

    def prepare(self, system: LinearSystem) -> Sweeper:
        """Make ready for one system.

        Raises:
            NotApplicableError: a zero on the diagonal, or constants in the null space.
            ConvergenceError: the spectral radius of the iteration is 1 or more.
        """
        _check_system(self.name, system)
        if system.star is not None:
            radius = system.star.jacobi_radius(system.grid.shape, self.omega)
            self._refuse_divergence(radius)
            return StarJacobi(system, system.star, self.omega)
        sweeper = MatrixJacobi(system, self.omega)
        if not sweeper.monotone:
            self._refuse_divergence(sweeper.radius())
        return sweeper

    def reduction(self, mu: FloatArray) -> FloatArray:
        """Return 1 - omega mu."""
        return 1.0 - self.omega * np.asarray(mu)

    def _refuse_divergence(self, radius: float) -> None:
        if radius >= 1.0:
            raise ConvergenceError(
                f"{self.name}: the spectral radius of the iteration is {radius:.6g}, expected less than 1: it would diverge; "
                "use a smaller omega if the matrix is positive definite, else solve_direct"
            )


@final
@dataclass(frozen=True)
class GaussSeidel:
    """Gauss-Seidel in the order of the unknowns (last axis fastest); omega other than 1 is successive over-relaxation.

    Args:
        omega: in (0, 2).

    Notes:
        `reduction` is Young's law for consistently ordered matrices (the star stencils of order 2): the two eigenvalues
        that belong to 1 - mu and mu - 1 satisfy (lambda + omega - 1)^2 = omega^2 (1 - mu)^2 lambda, and the larger
        modulus is returned; (1 - mu)^2 for omega = 1. Its modes are not the sine modes, so a prediction from sine
        coefficients holds for the rate, not to the sweep.

    Good values:
        2 / (1 + sin(pi h)) on the unit square is optimal.

    Reference:
        Young, Trans. AMS 76 (1954), 92-111, doi:10.1090/S0002-9947-1954-0059635-7.
    """

    omega: float = 1.0

    def __post_init__(self) -> None:
        """Check omega."""
        _check_omega("GaussSeidel", self.omega)
        if self.omega >= 2.0:
            raise ConfigError(f"GaussSeidel: omega is {self.omega!r}, expected less than 2: it diverges there; use 1.0")

    @property
    def name(self) -> str:
        """Name for tables."""
        return "gauss-seidel" if self.omega == 1.0 else f"sor({self.omega:g})"

    def prepare(self, system: LinearSystem) -> Sweeper:
        """Make ready for one system."""
        _check_system(self.name, system)
        return GaussSeidelSweeper(system, self.omega)

    def reduction(self, mu: FloatArray) -> FloatArray:
        """Return the larger modulus of Young's two eigenvalues."""
        half = 0.5 * self.omega * (1.0 - np.asarray(mu) + 0j)
        root = np.sqrt(half**2 - (self.omega - 1.0))
        return np.maximum(np.abs(half + root), np.abs(half - root)) ** 2


@final
@dataclass(frozen=True)
class Chebyshev:
    """The polynomial of D^-1 M that is smallest on [lower, upper]; one sweep is one polynomial, `degree` applications.

    A sweep reduces mode mu by T_degree((upper + lower - 2 mu) / (upper - lower)) / T_degree((upper + lower) / (upper - lower)).

    Args:
        degree: applications of the matrix per sweep.
        lower: lower end of the interval; None is upper / 30, a smoother. The smallest eigenvalue makes it a solver.
        upper: upper end; 2 holds for every diagonally dominant matrix.

    Notes:
        Diverges if eigenvalues exceed `upper` or are not positive.

    Reference:
        Saad, Iterative Methods for Sparse Linear Systems, 2nd ed., section 12.3, doi:10.1137/1.9780898718003.
    """

    degree: int = 4
    lower: float | None = None
    upper: float = 2.0

    def __post_init__(self) -> None:
        """Check degree and interval."""
        if not isinstance(self.degree, Integral) or isinstance(self.degree, bool) or self.degree < 1:
            raise ConfigError(f"Chebyshev: degree is {self.degree!r}, expected a positive integer; use 4")
        lower, upper = self.interval
        if not 0.0 < lower < upper < math.inf:
            raise ConfigError(
                f"Chebyshev: the interval is [{lower}, {upper}], expected 0 < lower < upper; swap or move the ends"
            )

    @property
    def name(self) -> str:
        """Name for tables."""
        return f"chebyshev({self.degree})"

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of eigenvalues the polynomial is small on."""
        return (self.upper / 30.0 if self.lower is None else self.lower), self.upper

    def prepare(self, system: LinearSystem) -> Sweeper:
        """Make ready for one system."""
        _check_system(self.name, system)
        return ChebyshevSweeper(system, self.degree, *self.interval)

    def reduction(self, mu: FloatArray) -> FloatArray:
        """Return the value of the polynomial at mu."""
        from numpy.polynomial.chebyshev import chebval

        lower, upper = self.interval
        top = [0.0] * self.degree + [1.0]
        at_zero = chebval((upper + lower) / (upper - lower), top)
        return np.asarray(chebval((upper + lower - 2.0 * np.asarray(mu)) / (upper - lower), top) / at_zero)


@final
@dataclass(frozen=True)
class Multigrid:
    """One V-cycle per sweep; reduces all modes alike, 4 to 12 times.

    Geometric for constant coefficients between Dirichlet faces on a grid that coarsens at least twice (4 m + 1 points per
    axis) without strong anisotropy, else classical algebraic multigrid.

    Reference:
        Trottenberg, Oosterlee, Schueller, Multigrid (2001), chapter 2; Ruge, Stueben, in: Multigrid Methods (1987), chapter 4, doi:10.1137/1.9781611971057.ch4.
    """

    @property
    def name(self) -> str:
        """Name for tables."""
        return "multigrid"

    def prepare(self, system: LinearSystem) -> Sweeper:
        """Build the hierarchy; constants in the null space are allowed, and the mean is kept at zero."""
        _check_diagonal(self.name, system)
        return MultigridSweeper(system)

    def reduction(self, mu: FloatArray) -> None:
        """Return None: the rate does not depend on the mode."""


def _check_omega(what: str, omega: object) -> None:
    if not isinstance(omega, float | int) or isinstance(omega, bool) or not 0.0 < omega < math.inf:
        raise ConfigError(f"{what}: omega is {omega!r}, expected a positive finite number; use 1.0")


def _check_diagonal(name: str, system: LinearSystem) -> None:
    zeros = int(np.count_nonzero(system.diagonal == 0.0))
    if zeros:
        raise NotApplicableError(
            f"{name}: the matrix has {zeros} zeros on its diagonal of {system.diagonal.size}, expected none; use solve_direct"
        )


def _check_system(name: str, system: LinearSystem) -> None:
    _check_diagonal(name, system)
    if system.null_space:
        raise NotApplicableError(
            f"{name}: the solution is free up to a constant, expected a nonsingular system; use solve_direct or multigrid, or "
            "fix the solution by a Dirichlet or Robin face"
        )
