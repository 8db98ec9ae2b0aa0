"""Sine networks and phase-shifted networks as solvers."""

from __future__ import annotations

from ..nn import MLP, Auto, PhaseShift, Sine, Siren
from ..optim import Adam, Cosine
from .ansatz import Enforcement
from .collocation import Collocation, Law
from .neural import Neural
from .ritz import Ritz
from .strong import StrongForm
from .training import Training


def siren() -> Neural:
    """Sine network with its own law of weights, least squares of the strong residual, soft conditions.

    The frequency of 5 is for equations: two derivatives multiply by its square. At the 30 that images take the loss starts
    at 21 times that of u = 0, which is the network's own curvature, at 5 at 2.0 times (poisson-sine, k = 1, one seed).
    """
    return Neural(
        name="siren",
        formulation=StrongForm(),
        network=MLP(width=40, depth=3, activation=Sine(5.0), init=Siren()),
        collocation=Collocation(points=2000),
        training=Training(steps=1500, optimizer=Adam(1e-3), schedule=Cosine(), polish=500),
        conditions=Enforcement.SOFT,
    )


def phase() -> Neural:
    """PhaseDNN: one modulated network for each scale of the problem, on the energy, with quadrature points."""
    return Neural(
        name="phase",
        formulation=Ritz(),
        network=PhaseShift(scales=Auto()),
        collocation=Collocation(law=Law.GAUSS_LEGENDRE),
        training=Training(steps=1500, optimizer=Adam(5e-3), schedule=Cosine(), polish=300),
        conditions=Enforcement.HARD,
    )
