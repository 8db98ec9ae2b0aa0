"""An initial law that tunes periodic units to the frequency they stand for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from ..checks import real
from .initialisation import Glorot, Site, VarianceScaling


@final
@dataclass(frozen=True)
class Tuned:
    """First layer s(w . z + b) with max |w_a| ~ N(1, spread^2) in random directions, phases b uniform in [-pi, pi].

    Behind a scale K the units then oscillate at frequencies near K, and none at low ones. Other layers follow Glorot's
    law, the last one multiplied by `start`.

    Args:
        spread: relative width of the band of frequencies.
        start: size of the network at the start.

    Good values: a spread of 0.1 to 0.3.
    """

    spread: float = 0.3
    start: float = 1.0
    _rest: VarianceScaling = field(default_factory=Glorot, init=False, repr=False)

    def __post_init__(self) -> None:
        real("Tuned", "spread", self.spread, low=0.0, open_low=False)
        real("Tuned", "start", self.start, low=0.0, open_low=False)

    def draw(self, site: Site, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return a weight (outputs, inputs) and a bias (outputs,)."""
        if not site.first:
            weight, bias = self._rest.draw(site, generator)
            return (self.start * weight, self.start * bias) if site.last else (weight, bias)
        direction = 2.0 * torch.rand((site.outputs, site.inputs), generator=generator, dtype=torch.float64) - 1.0
        direction /= direction.abs().amax(dim=1, keepdim=True)
        size = 1.0 + self.spread * torch.randn((site.outputs, 1), generator=generator, dtype=torch.float64)
        phase = math.pi * (2.0 * torch.rand(site.outputs, generator=generator, dtype=torch.float64) - 1.0)
        return size * direction, phase
