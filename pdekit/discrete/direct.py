"""Direct solves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import SingularSystemError
from .factorise import CONDITION_LIMIT, check_range, solve_sparse
from .star import Star
from .system import LinearSystem

FloatArray = NDArray[np.float64]


def solve_direct(system: LinearSystem) -> FloatArray:
    """Solve a system to round-off.

    Symmetric constant-coefficient systems between Dirichlet faces are diagonal in sine modes and take two fast sine
    transforms, n log n; everything else takes a sparse LU factorisation.

    Returns:
        Grid-shaped values; with mean zero where the solution is free up to a constant.

    Raises:
        NonFiniteError: the right-hand side holds NaN or infinity.
        SingularSystemError: no unique solution.
        IllPosedError: a pure Neumann or periodic problem whose data do not add up to zero.

    Notes:
        LU fill grows like n^(4/3) in 3-D: use it to about 40^3 points, and multigrid beyond.

    Reference:
        Swarztrauber, SIAM Review 19 (1977), 490-501, doi:10.1137/1019071.
    """
    system = system.balanced()
    if system.star is not None and system.star.symmetric:
        return _by_sine_transform(system, system.star)
    return _by_factorisation(system)


def _by_sine_transform(system: LinearSystem, star: Star) -> FloatArray:
    from scipy.fft import dstn, idstn

    eigenvalues = star.eigenvalues(system.grid.shape)
    size = np.abs(eigenvalues)
    worst = np.unravel_index(int(size.argmin()), size.shape)
    if size[worst] * CONDITION_LIMIT <= size.max():
        mode = tuple(int(k) + 1 for k in worst)
        raise SingularSystemError(
            f"solve_direct: sine mode {mode} has eigenvalue {eigenvalues[worst]:.3g} (largest {size.max():.3g}), expected none "
            "at zero: the reaction coefficient is a resonance; change it or the grid"
        )
    modes = dstn(system.rhs.reshape(size.shape), type=1)
    modes /= eigenvalues
    full = system.known.copy()
    full[system.grid.interior] = idstn(modes, type=1, overwrite_x=True)
    return full


def _by_factorisation(system: LinearSystem) -> FloatArray:
    border = system.restrict(system.grid.cells()) if system.null_space else None
    solved, multiplier = solve_sparse(system.matrix, system.rhs, symmetric=system.symmetric, border=border)
    if border is not None and not system.symmetric and system.balance is not None:
        check_range(multiplier, border, system.rhs, system.balance.tolerance)
    return system.centred(system.extend(solved))
