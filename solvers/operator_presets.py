"""Solvers of families by name: recipes of the product architecture x losses x training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ..errors import unknown_name
from ..nn import MLP, DeepONet, Fno, GreenNet, GridNet, PodDeepONet
from ..optim import Adam
from .collocation import Law
from .operator_grid_physics import GridPhysics
from .operator_learning import OperatorSolver, Precision
from .operator_loss import Labels
from .operator_physics import Physics
from .training import Training


def fno() -> OperatorSolver:
    """Fourier neural operator: one map of functions for every resolution."""
    return OperatorSolver("fno", Fno(width=24, modes=8), training=_adam(1000, 3e-3))


def pino() -> OperatorSolver:
    """Fourier neural operator trained on labels and on the discretised equation."""
    losses = (Labels(), GridPhysics(weight=0.02, boundary_weight=1.0))
    return OperatorSolver("pino", Fno(width=24, modes=8), losses, _adam(1000, 3e-3))


def deeponet() -> OperatorSolver:
    """DeepONet: outputs are functions of the coordinates."""
    return OperatorSolver("deeponet", DeepONet(), training=_adam(6000, 5e-3), batch=50)


def pod_deeponet() -> OperatorSolver:
    """DeepONet on the leading principal components of the training outputs."""
    return OperatorSolver("pod-deeponet", PodDeepONet(), training=_adam(6000, 5e-3), batch=50)


def pi_deeponet() -> OperatorSolver:
    """DeepONet trained on the equation alone, without labels."""
    losses = (Physics(points=128, law=Law.GAUSS_LEGENDRE),)
    return OperatorSolver("pi-deeponet", DeepONet(), losses, _adam(6000, 5e-3), batch=50)


def green_net() -> OperatorSolver:
    """Learned Green's function, for linear families."""
    training = Training(steps=200, optimizer=Adam(5e-3), polish=500)
    losses = (Labels(squared=True),)
    return OperatorSolver("green-net", GreenNet(MLP(32, 2)), losses, training, batch=None, precision=Precision.DOUBLE)


def grid_net() -> OperatorSolver:
    """Fully connected network between the grid values of input and output."""
    return OperatorSolver("grid-net", GridNet(), training=_adam(5000, 2e-3), batch=50)


def _adam(steps: int, learning_rate: float) -> Training:
    return Training(steps=steps, optimizer=Adam(learning_rate), polish=0, record_every=100)


OPERATOR_SOLVERS: Final[Mapping[str, Callable[[], OperatorSolver]]] = {
    "fno": fno,
    "pino": pino,
    "deeponet": deeponet,
    "pod-deeponet": pod_deeponet,
    "pi-deeponet": pi_deeponet,
    "green-net": green_net,
    "grid-net": grid_net,
}
"""Solvers of families in their default configuration, by the names the shell knows."""


def operator_solver(name: str) -> OperatorSolver:
    """The solver of families of that name in its default configuration.

    Raises:
        UnknownNameError: no such solver, with the closest names.
    """
    if name not in OPERATOR_SOLVERS:
        raise unknown_name("operator solver", name, OPERATOR_SOLVERS)
    return OPERATOR_SOLVERS[name]()
