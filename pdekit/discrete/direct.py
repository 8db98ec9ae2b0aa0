"""Direct solves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import IllPosedError, SingularSystemError
from .star import Star
from .system import LinearSystem

FloatArray = NDArray[np.float64]
_CONDITION_LIMIT = 1e14  # beyond it a solution in double precision has no digit left


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
    if size[worst] * _CONDITION_LIMIT <= size.max():
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
    from scipy import sparse
    from scipy.sparse.linalg import splu

    matrix, rhs = system.matrix, system.rhs
    scale = float(np.abs(matrix).max())
    if system.null_space:
        # one more row fixes the mean, one more column takes up what rounding leaves of the imbalance
        border = system.restrict(system.grid.cells()).reshape(-1, 1) * scale / rhs.size
        matrix = sparse.bmat([[matrix, border], [border.T, None]])
        rhs = np.append(rhs, 0.0)
    # a second right-hand side that excites every mode finds a kernel which `rhs` happens to miss
    probe = np.cos(np.arange(rhs.size) ** 2 * 0.7)
    ordering = "MMD_AT_PLUS_A" if system.symmetric else "COLAMD"
    try:
        solved = splu(matrix.tocsc(), permc_spec=ordering).solve(np.column_stack([rhs, probe]))
    except RuntimeError as error:
        raise SingularSystemError(_singular(system, "an exactly zero pivot")) from error
    growth = scale * float(np.abs(solved[:, 1]).max())
    if not np.isfinite(solved).all() or growth > _CONDITION_LIMIT:
        raise SingularSystemError(_singular(system, f"a condition number of at least {growth:.1g}"))
    if not system.null_space:
        return system.extend(solved[:, 0])
    if not system.symmetric and system.balance is not None:
        pull = abs(solved[-1, 0]) * float(border.max())
        limit = system.balance.tolerance * float(np.abs(system.rhs).max())
        if pull > limit:
            raise IllPosedError(
                f"solve_direct: the right-hand side misses the range of the matrix by {pull:.3g}, expected at most {limit:.1g}: "
                "source and boundary fluxes do not cancel; fix the solution by a Dirichlet or Robin face"
            )
    return system.centred(system.extend(solved[:-1, 0]))


def _singular(system: LinearSystem, finding: str) -> str:
    return (
        f"solve_direct: the matrix of {system.rhs.size} unknowns has {finding}, expected a nonsingular one; "
        "check the faces and the sign of the reaction coefficient"
    )
