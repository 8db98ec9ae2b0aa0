"""Subspace decomposition as a solver: SD2DNN, one network for each scale of the solution."""

from __future__ import annotations

from ..nn import Subspace
from ..optim import Constant, NaturalGradient
from .ansatz import Enforcement
from .collocation import Collocation, Law
from .neural import Neural
from .orthogonal import Orthogonal
from .ritz import Ritz
from .training import Training


def sd2() -> Neural:
    """SD2DNN: orthogonal parts for the scales of the problem, on the energy with penalties, by natural gradients.

    Penalties, since distances of hard conditions would have to be divided out of the oscillating parts; natural
    gradients meet even large ones.
    """
    return Neural(
        name="sd2",
        formulation=Orthogonal(Ritz(1e3), weight=0.1),
        network=Subspace(),
        collocation=Collocation(points=1600, law=Law.GAUSS_LEGENDRE),
        training=Training(
            steps=80, optimizer=NaturalGradient(damping=1e-7), schedule=Constant(), polish=0, record_every=10
        ),
        conditions=Enforcement.SOFT,
    )
