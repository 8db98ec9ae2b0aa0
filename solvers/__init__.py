"""Solvers: frozen configurations by name.

>>> solver("jacobi").name
'jacobi'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ..errors import unknown_name
from ..operators.cases import Cases as Cases
from ..problem import Problem
from ..solver import Solver
from .ansatz import Enforcement as Enforcement
from .coarse import CoarseSolve as CoarseSolve
from .collocation import Collocation as Collocation
from .collocation import Law as Law
from .deepxde import DeepXDE as DeepXDE
from .deepxde import deepxde as deepxde
from .dual import DualResidual as DualResidual
from .dual import dual_residual as dual_residual
from .dual_forms import Pairing as Pairing
from .dual_mesh import ElementFunctions as ElementFunctions
from .dual_modes import Eigenfunctions as Eigenfunctions
from .dual_norm import Whitening as Whitening
from .finite_difference import FiniteDifference as FiniteDifference
from .finite_element import FiniteElement as FiniteElement
from .growing import Growing as Growing
from .growing import growing as growing
from .hybrid import Hybrid as Hybrid
from .hybrid import hybrid as hybrid
from .iterative import ConjugateGradients as ConjugateGradients
from .iterative import Iterative as Iterative
from .iterative import conjugate_gradients as conjugate_gradients
from .iterative import gauss_seidel as gauss_seidel
from .iterative import jacobi as jacobi
from .iterative import multigrid as multigrid
from .mscale import fourier as fourier
from .mscale import mscale as mscale
from .neural import Neural as Neural
from .operator_grid_physics import GridPhysics as GridPhysics
from .operator_hints import Hints as Hints
from .operator_hints import Recurring as Recurring
from .operator_learning import OperatorSolver as OperatorSolver
from .operator_learning import Precision as Precision
from .operator_loss import Labels as Labels
from .operator_physics import Physics as Physics
from .operator_presets import OPERATOR_SOLVERS as OPERATOR_SOLVERS
from .operator_presets import operator_solver as operator_solver
from .operator_start import OperatorStart as OperatorStart
from .operator_start import StoredOperator as StoredOperator
from .orthogonal import Orthogonal as Orthogonal
from .polynomial import PolynomialFit as PolynomialFit
from .polynomial import polynomial as polynomial
from .random_features import RandomFeatures as RandomFeatures
from .random_features import random_features as random_features
from .ritz import Nitsche as Nitsche
from .ritz import Ritz as Ritz
from .ritz import deep_nitsche as deep_nitsche
from .ritz import deep_ritz as deep_ritz
from .siren import phase as phase
from .siren import siren as siren
from .strong import StrongForm as StrongForm
from .strong import pinn as pinn
from .subspace import sd2 as sd2
from .suited import SUITED as SUITED
from .suited import mscale_for as mscale_for
from .training import TRAININGS as TRAININGS
from .training import Polisher as Polisher
from .training import Training as Training
from .weak import WeakAdversarial as WeakAdversarial
from .weak import wan as wan

SOLVERS: Final[Mapping[str, Callable[[], Solver]]] = {
    "pinn": pinn,
    "deep-ritz": deep_ritz,
    "deep-nitsche": deep_nitsche,
    "wan": wan,
    "mscale": mscale,
    "fourier": fourier,
    "sd2": sd2,
    "siren": siren,
    "phase": phase,
    "growing": growing,
    "dual-residual": dual_residual,
    "polynomial": polynomial,
    "random-features": random_features,
    "hybrid": hybrid,
    "finite-difference": FiniteDifference,
    "finite-element": FiniteElement,
    "jacobi": jacobi,
    "gauss-seidel": gauss_seidel,
    "cg": conjugate_gradients,
    "multigrid": multigrid,
    "deepxde": deepxde,
}
"""Solvers in their default configuration, by the names the shell knows."""


def names() -> tuple[str, ...]:
    """Names of all solvers, in the order of the catalogue."""
    return tuple(SOLVERS)


def solver(name: str, problem: Problem | None = None) -> Solver:
    """The solver of that name in its default configuration, or with the one that suits a problem.

    Raises:
        UnknownNameError: no such solver, with the closest names.
    """
    if name not in SOLVERS:
        raise unknown_name("solver", name, SOLVERS)
    return SUITED[name](problem) if problem is not None and name in SUITED else SOLVERS[name]()
