"""Multiscale networks as solvers: MscaleDNN, and Fourier features in bands."""

from __future__ import annotations

from ..nn import Auto, FourierBands, Multiscale
from ..optim import Adam, Cosine
from .ansatz import Enforcement
from .collocation import Collocation, Law
from .neural import Neural, Training
from .ritz import Ritz


def mscale() -> Neural:
    """MscaleDNN: one subnetwork of sines per scale of the problem, on the energy, with quadrature points.

    Notes:
        The strong form found nothing of elliptic-two-scale with eps = 0.01: oscillating coefficients ask for the energy.
        Around holes other settings are better, see `pdekit.solvers.suited`; the command takes them by itself.
    """
    return Neural(
        name="mscale",
        formulation=Ritz(),
        network=Multiscale(scales=Auto()),
        collocation=Collocation(law=Law.GAUSS_LEGENDRE),
        training=Training(steps=1500, optimizer=Adam(5e-3), schedule=Cosine(), polish=300),
        conditions=Enforcement.HARD,
    )


def fourier() -> Neural:
    """Fourier features around the scales of the problem, on the energy, with quadrature points."""
    return Neural(
        name="fourier",
        formulation=Ritz(),
        network=FourierBands(count=16),
        collocation=Collocation(law=Law.GAUSS_LEGENDRE),
        training=Training(steps=3000, optimizer=Adam(5e-3), schedule=Cosine(), polish=0),
        conditions=Enforcement.HARD,
    )
