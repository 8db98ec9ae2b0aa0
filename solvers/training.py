"""Training: which optimisers move the network, and for how long; and the recipes that have names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, final

from ..checks import integer, member
from ..optim import (
    LBFGS,
    Adam,
    Constant,
    Cosine,
    LevenbergMarquardt,
    NaturalGradient,
    Optimizer,
    Schedule,
    SelfScaledBroyden,
)


@final
class Polisher(Enum):
    """Who polishes, with default settings; as the optimiser of the first phase each takes settings of its own."""

    LBFGS = "lbfgs"
    SELF_SCALED_BROYDEN = "self-scaled-broyden"
    LEVENBERG_MARQUARDT = "levenberg-marquardt"
    NATURAL_GRADIENT = "natural-gradient"

    def optimizer(self) -> Optimizer:
        """Its optimiser."""
        return _POLISHERS[self]()


_POLISHERS: Final[Mapping[Polisher, Callable[[], Optimizer]]] = {
    Polisher.LBFGS: LBFGS,
    Polisher.SELF_SCALED_BROYDEN: SelfScaledBroyden,
    Polisher.LEVENBERG_MARQUARDT: LevenbergMarquardt,
    Polisher.NATURAL_GRADIENT: NaturalGradient,
}


@final
@dataclass(frozen=True)
class Training:
    """A first phase, then a polish.

    Args:
        steps: of the first phase.
        optimizer: of the first phase.
        schedule: of its learning rate.
        polish: iterations of the polish; 0 for none.
        polisher: who does them.
        record_every: steps between rows of the history.

    Good values: Adam, then LBFGS, reaches 1e-4 to 1e-6; LevenbergMarquardt from the start, or SelfScaledBroyden after
    Adam, 1e-6 to 1e-8 on smooth solutions, with networks of up to about 2,000 parameters in float64.
    """

    steps: int = 1500
    optimizer: Optimizer = field(default_factory=Adam)
    schedule: Schedule = field(default_factory=Cosine)
    polish: int = 500
    polisher: Polisher = Polisher.LBFGS
    record_every: int = 50

    def __post_init__(self) -> None:
        integer("Training", "steps", self.steps)
        member("Training", "polisher", self.polisher, Polisher)
        integer("Training", "polish", self.polish, low=0)
        integer("Training", "record_every", self.record_every)


def levenberg_marquardt() -> Training:
    """Levenberg-Marquardt from the first step: for losses that are sums of squares."""
    return Training(steps=300, optimizer=LevenbergMarquardt(), schedule=Constant(), polish=0, record_every=10)


def natural_gradient() -> Training:
    """Natural gradients from the first step: for energies."""
    return Training(steps=200, optimizer=NaturalGradient(), schedule=Constant(), polish=0, record_every=10)


def self_scaled_broyden() -> Training:
    """Some steps of Adam, then self-scaled Broyden: for every smooth loss."""
    return Training(
        steps=200, optimizer=Adam(5e-3), polish=10_000, polisher=Polisher.SELF_SCALED_BROYDEN, record_every=50
    )


TRAININGS: Final[Mapping[str, Callable[[], Training]]] = {
    "levenberg-marquardt": levenberg_marquardt,
    "natural-gradient": natural_gradient,
    "self-scaled-broyden": self_scaled_broyden,
}
"""Recipes by the names the shell knows: `--set training=levenberg-marquardt`."""
