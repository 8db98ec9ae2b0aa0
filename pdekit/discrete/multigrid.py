"""Algebraic multigrid cycles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .system import LinearSystem

FloatArray = NDArray[np.float64]
Cycle = Callable[[FloatArray], FloatArray]


def algebraic_multigrid(system: LinearSystem) -> Cycle:
    """Set up classical algebraic multigrid for a system.

    Returns:
        One V-cycle from zero: residual (n_unknowns,) -> correction (n_unknowns,); a symmetric positive preconditioner where
        the system is symmetric positive definite.

    Notes:
        Set-up takes about 10 cycles' time and the memory of 3 matrices.

    Reference:
        Bell, Olson, Schroder, Southworth, JOSS 8 (2023), 5495, doi:10.21105/joss.05495.
    """
    import pyamg

    cycle = pyamg.ruge_stuben_solver(system.matrix).aspreconditioner(cycle="V")
    return lambda residual: np.asarray(cycle.matvec(residual))
