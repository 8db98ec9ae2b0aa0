"""An initial law that spreads the first layer's transitions over the domain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from ..checks import real
from .initialisation import Glorot, Site, VarianceScaling


@final
@dataclass(frozen=True)
class Spread:
    """First layer s(w . (x - c)) with w ~ N(0, sharpness^2) and centres c uniform in the scaled domain [-1, 1]^d.

    The bias is -w . c (times the scale, in multiscale networks), so every unit bends somewhere inside the domain. Other
    layers follow Glorot's law, the last one multiplied by `start`.

    Args:
        sharpness: standard deviation of the first layer's weights: about the angular frequency, over half the domain,
            up to which the network learns quickly.
        start: size of the network at the start; 0 starts from the zero function, so that no random error has to be
            unlearnt (the hidden layers move from the second step on). A network that others divide by needs 1.

    Good values: 1 for smooth solutions, 3 to 6 for several periods per side; far above the solution's own frequencies
    the smooth part is learnt late.
    Notes: two-layer networks with such centres are random-feature bases; see Chen et al. 2022,
    doi:10.48550/arXiv.2207.13380.
    """

    sharpness: float = 3.0
    start: float = 0.0
    _rest: VarianceScaling = field(default_factory=Glorot, init=False, repr=False)

    def __post_init__(self) -> None:
        real("Spread", "sharpness", self.sharpness, low=0.0)
        real("Spread", "start", self.start, low=0.0, open_low=False)

    def draw(self, site: Site, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return a weight (outputs, inputs) and a bias (outputs,)."""
        if not site.first:
            weight, bias = self._rest.draw(site, generator)
            return (self.start * weight, self.start * bias) if site.last else (weight, bias)
        shape = (site.outputs, site.inputs)
        weight = self.sharpness * torch.randn(shape, generator=generator, dtype=torch.float64)
        return weight, centred_biases(weight, site, generator)


def centred_biases(weight: Tensor, site: Site, generator: torch.Generator) -> Tensor:
    """Biases (outputs,) by which units of weight (outputs, inputs) have their centres uniform in [-1, 1]^d."""
    centre = 2.0 * torch.rand(weight.shape, generator=generator, dtype=torch.float64) - 1.0
    return -site.factor * (weight * centre).sum(dim=1)
