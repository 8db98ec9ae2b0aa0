"""An initial law whose first layer starts from frequencies around one size, in all directions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from ..checks import real
from .bands import Shell
from .initialisation import Glorot, Site, VarianceScaling
from .spread import centred_biases


@final
@dataclass(frozen=True)
class Around:
    """First layer s(w . (x - c)) with max |w_a| around `size` and centres c uniform in the scaled domain [-1, 1]^d.

    Axes and diagonals are among the directions, since products of waves consist of diagonal ones:
    sin kx sin ky = (cos k(x - y) - cos k(x + y)) / 2. Other layers follow Glorot's law, the last one multiplied by `start`.

    Args:
        size: of the first layer's weights: the angular frequency over half the domain, relative to the scale in
            multiscale networks.
        width: standard deviation of max |w_a|.
        start: as in `Spread`.

    Good values: a width of a quarter of the size. In the plane 8 of 100 units are then within 0.15 of a diagonal wave of
    size 1 along both axes; of normal weights 2.
    Notes: for waves. Units that are to bend once need weights of all sizes, see `Spread`.
    """

    size: float = 1.0
    width: float = 0.25
    start: float = 0.0
    _rest: VarianceScaling = field(default_factory=Glorot, init=False, repr=False)

    def __post_init__(self) -> None:
        real("Around", "size", self.size, low=0.0)
        real("Around", "width", self.width, low=0.0, open_low=False)
        real("Around", "start", self.start, low=0.0, open_low=False)

    def draw(self, site: Site, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return a weight (outputs, inputs) and a bias (outputs,)."""
        if not site.first:
            weight, bias = self._rest.draw(site, generator)
            return (self.start * weight, self.start * bias) if site.last else (weight, bias)
        weight = Shell(self.size, self.width, site.outputs).draw(site.inputs, generator)
        return weight, centred_biases(weight, site, generator)
