"""Named solvers as a problem suggests them: where one default configuration does not suit every kind of domain."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

from ..domain import Box
from ..nn import Around, Auto, Multiscale
from ..problem import Problem
from ..solver import Solver
from .ansatz import Enforcement
from .collocation import Collocation
from .mscale import mscale
from .neural import Neural
from .strong import StrongForm
from .training import levenberg_marquardt


def mscale_for(problem: Problem) -> Neural:
    """MscaleDNN on the energy on boxes; elsewhere least squares of the strong residual by Levenberg-Marquardt.

    Notes:
        Hard conditions need a factor that vanishes on the boundary. Around holes it varies faster than the solution, and
        the network would have to take it back: on poisson-porous the energy with hard conditions had an error of 0.36
        after 40 steps of natural gradients, soft ones with the strong residual 1e-9 to 6e-6 after 30 steps (seeds 0 to 4).
        Without a grid the points of an energy's quadrature are the limit; a sum of squares that vanishes at the solution
        is not biased by them. With normal first weights (`Spread`) training stalled at an error of 1 in two of five seeds:
        too few of 100 units began near the solution's two waves.
    """
    if isinstance(problem.domain, Box):
        return mscale()
    return Neural(
        name="mscale",
        formulation=StrongForm(),
        network=Multiscale(width=100, depth=1, scales=Auto(), init=Around()),
        collocation=Collocation(points=2500, boundary_points=400),
        training=dataclasses.replace(levenberg_marquardt(), steps=40),
        conditions=Enforcement.SOFT,
    )


SUITED: Final[Mapping[str, Callable[[Problem], Solver]]] = {"mscale": mscale_for}
"""By the names the shell knows; all other solvers have one default configuration."""
