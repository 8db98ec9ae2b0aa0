"""Fourier features in bands: one group of frequencies around each scale."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor, nn

from ..checks import integer, real
from .activations import Activation, Tanh
from .fourier import FourierFeatures
from .initialisation import Glorot, Initialisation
from .scales import Auto, ScaleChoice, check_scales, scale_values
from .stack import check_shape


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
    """Fourier features around several scales, which share their hidden layers and meet in the last one.

    Args:
        width: units per hidden layer.
        depth: number of hidden layers.
        scales: angular frequencies in coordinates scaled to [-1, 1], or Auto() to have solvers choose them.
        count: frequencies around each.
        spread: their relative standard deviation; in absolute terms at least one period over the domain.
        trainable: whether the frequencies are trained.
        activation: the function of the hidden layers.
        init: law of their initial weights.

    Raises:
        ConfigError: no scales, or one that is not positive and finite.

    Good values: the frequencies of the solution; a spread of 0.1 to 0.3.
    Reference: Wang, Wang, Perdikaris 2021, doi:10.1016/j.cma.2021.113938 (Gaussian bands around zero); book, section 5.2.
    """

    width: int = 40
    depth: int = 2
    scales: ScaleChoice = Auto()  # noqa: RUF009 (frozen)
    count: int = 16
    spread: float = 0.2
    trainable: bool = False
    activation: Activation = field(default_factory=Tanh)
    init: Initialisation = field(default_factory=Glorot)

    def __post_init__(self) -> None:
        check_shape("FourierBands", self.width, self.depth, self.activation)
        check_scales("FourierBands", self.scales)
        integer("FourierBands", "count", self.count)
        real("FourierBands", "spread", self.spread, low=0.0, open_low=False)

    def build(
        self,
        inputs: int,
        outputs: int,
        *,
        lower: Sequence[float],
        upper: Sequence[float],
        generator: torch.Generator,
        dtype: torch.dtype,
    ) -> nn.Module:
        """Build the network on the CPU; see `Architecture.build`."""
        periods = [scale / math.pi for scale in scale_values("FourierBands", self.scales)]
        features = tuple(Shell(b, max(1.0, self.spread * b), self.count) for b in periods)
        network = FourierFeatures(
            self.width, self.depth, features, self.trainable, activation=self.activation, init=self.init
        )
        return network.build(inputs, outputs, lower=lower, upper=upper, generator=generator, dtype=dtype)
