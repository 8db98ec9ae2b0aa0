"""Fourier features in bands: one group of frequencies around each scale."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor, nn

from ..checks import integer, real
from .activations import Activation, Elementwise, Sine
from .combined import CosineSine
from .frame import Frame
from .frequency_layers import Waves
from .initialisation import Initialisation
from .layers import Dilation, Network, Scaling, Sum
from .scales import Auto, ScaleChoice, check_scales, scale_values
from .spread import Spread
from .stack import Stack, check_shape


@final
@dataclass(frozen=True)
class Shell:
    """Frequencies b with max |b_a| near a radius: the radius itself along axes and diagonals, then random ones about it.

    Args:
        radius: in periods over the domain.
        width: standard deviation of max |b_a|, in periods too.
        count: how many.
    """

    radius: float = 1.0
    width: float = 1.0
    count: int = 16

    def __post_init__(self) -> None:
        real("Shell", "radius", self.radius, low=0.0)
        real("Shell", "width", self.width, low=0.0, open_low=False)
        integer("Shell", "count", self.count)

    def draw(self, inputs: int, generator: torch.Generator) -> Tensor:
        """Return frequencies (count, inputs)."""
        directions = torch.cat([_diagonals(inputs, self.count), torch.eye(inputs, dtype=torch.float64)])[: self.count]
        if inputs == 1:
            directions = directions[:1]
        shape = (self.count - len(directions), inputs)
        random = 2.0 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1.0
        random /= random.abs().amax(dim=1, keepdim=True)
        sizes = self.radius + self.width * torch.randn((len(random), 1), generator=generator, dtype=torch.float64)
        return torch.cat([self.radius * directions, sizes * random])


def _diagonals(inputs: int, most: int) -> Tensor:
    """(1, +-1, ..., +-1), at most so many."""
    signs = itertools.islice(itertools.product((1.0, -1.0), repeat=inputs - 1), most)
    return torch.tensor([(1.0, *rest) for rest in signs], dtype=torch.float64)


@final
@dataclass(frozen=True)
class FourierBands:
    """The sum of one network for each scale K, behind Fourier features cos w.z, sin w.z of frequencies around K.

    Args:
        width: units per hidden layer.
        depth: number of hidden layers behind the features.
        scales: angular frequencies in coordinates scaled to [-1, 1], or Auto() to have solvers choose them.
        count: frequencies around each.
        spread: standard deviation of max |w_a|, relative to K; in absolute terms at least one period over the domain.
        trainable: whether the frequencies are trained, relative to K.
        activation: the function of the hidden layers.
        init: law of their initial weights.

    Raises:
        ConfigError: no scales, or one that is not positive and finite.

    Good values: the frequencies of the solution; a spread of 0.5 to 1, since narrow bands leave errors between them. Soft
    conditions for high accuracy: the waves are not those of the solution divided by the distance of hard ones.
    Reference: Wang, Wang, Perdikaris 2021, doi:10.1016/j.cma.2021.113938 (bands around zero, hidden layers in common);
    book, section 5.2.
    """

    width: int = 24
    depth: int = 1
    scales: ScaleChoice = Auto()  # noqa: RUF009 (frozen)
    count: int = 12
    spread: float = 0.5
    trainable: bool = True
    activation: Activation = field(default_factory=Sine)
    init: Initialisation = field(default_factory=lambda: Spread(1.0))

    def __post_init__(self) -> None:
        check_shape("FourierBands", self.width, self.depth, self.activation)
        check_scales("FourierBands", self.scales)
        integer("FourierBands", "count", self.count)
        real("FourierBands", "spread", self.spread, low=0.0, open_low=False)

    def build(self, frame: Frame, generator: torch.Generator) -> nn.Module:
        """Build the network on the CPU; see `Architecture.build`."""
        scales = scale_values("FourierBands", self.scales)
        stack = Stack(self.width, self.activation, self.init, generator, frame.dtype)
        parts = [
            nn.Sequential(*self._features(k, frame.inputs, stack), *self._hidden(stack, frame.outputs)) for k in scales
        ]
        body = nn.Sequential(Scaling(frame), Sum(*parts))
        return Network("FourierBands", f"{len(scales)}x{self.count}-{self.width}x{self.depth}", frame, body)

    def _features(self, scale: float, inputs: int, stack: Stack) -> list[nn.Module]:
        periods = scale / math.pi
        shell = Shell(periods, max(1.0, self.spread * periods), self.count)
        # Relative to the scale, so that training moves high frequencies as far, relatively, as low ones.
        vectors = shell.draw(inputs, stack.generator) / periods
        return [
            Dilation(torch.tensor(scale, dtype=stack.dtype)),
            Waves(vectors.to(stack.dtype), trained=self.trainable),
            Elementwise(CosineSine()),
        ]

    def _hidden(self, stack: Stack, outputs: int) -> list[nn.Module]:
        layers = stack.hidden(2 * self.count)
        for _ in range(self.depth - 1):
            layers += stack.hidden(self.width)
        return [*layers, stack.last(self.width, outputs)]
