"""Multiscale networks: copies of the coordinates stretched by several factors."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import final

import torch
from torch import nn

from ..checks import real
from ..errors import ConfigError
from .activations import Activation, Sine
from .combined import fan_out
from .frame import Frame
from .initialisation import Initialisation
from .layers import Network, Scaling, Sum
from .scales import Auto, ScaleChoice, check_scales, scale_values
from .spread import Spread
from .stack import Stack, check_shape


@final
class Structure(Enum):
    """How the scales enter a multiscale network (book, figure 5.2)."""

    PER_UNIT = "per-unit"
    """One network; groups of units of its first hidden layer carry the scales."""
    SUBNETWORKS = "subnetworks"
    """The sum of unconnected networks, one per scale."""


@final
@dataclass(frozen=True)
class Multiscale:
    """MscaleDNN: first-layer units s(K w . z + b), z the coordinates scaled to [-1, 1] and K one of the scales.

    Args:
        width: units per hidden layer; of each subnetwork in the structure SUBNETWORKS.
        depth: number of hidden layers.
        scales: the factors K, or Auto() to have solvers choose them. A unit of weight 1 and scale K turns by K radians
            over half the domain: b periods over the domain have the scale pi b.
        structure: where the scales enter.
        activation: the function between layers; compactly supported or periodic ones tell scales apart.
        init: law of the initial weights.
        constant: whether the last layer (of each subnetwork) has a bias.

    Raises:
        ConfigError: no scales, one that is not positive and finite, or fewer units than scales.

    Good values: scales from 1 to pi times the periods of the fastest oscillation, by factors of 2; 10 to 40 units each.
    Notes: unconnected subnetworks have 1 / len(scales) of the weights of a network of the same total width. They are
        evaluated one after the other: on a CPU that took 0.5 to 0.7 of the time of one batched or block-diagonal
        product (3 to 12 subnetworks of 16 to 64 units, 2,048 points).
    Reference: Liu, Cai, Xu 2020, doi:10.4208/cicp.OA-2020-0179; book, section 5.1.1, eqs 5.2-5.3.
    """

    width: int = 24
    depth: int = 2
    scales: ScaleChoice = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
    structure: Structure = Structure.SUBNETWORKS
    activation: Activation = field(default_factory=Sine)
    init: Initialisation = field(default_factory=lambda: Spread(1.0))
    constant: bool = True

    def __post_init__(self) -> None:
        check_shape("Multiscale", self.width, self.depth, self.activation)
        check_scales("Multiscale", self.scales)
        if not isinstance(self.structure, Structure):
            raise ConfigError(f"Multiscale.structure: got {self.structure!r}, expected one of {list(Structure)}")
        if not isinstance(self.scales, Auto):
            self._check_width(scale_values("Multiscale", self.scales))

    def build(self, frame: Frame, generator: torch.Generator) -> nn.Module:
        """Build the network on the CPU; see `Architecture.build`."""
        scales = scale_values("Multiscale", self.scales)
        self._check_width(scales)
        stack = Stack(self.width, self.activation, self.init, generator, frame.dtype)
        inputs, outputs, biased = frame.inputs, frame.outputs, self.constant
        layers: list[nn.Module] = [Scaling(frame)]
        match self.structure:
            case Structure.PER_UNIT:
                layers += stack.perceptron(inputs, outputs, self.depth, scales, biased=biased)
            case Structure.SUBNETWORKS:
                parts = (stack.perceptron(inputs, outputs, self.depth, (scale,), biased=biased) for scale in scales)
                layers.append(Sum(*(nn.Sequential(*part) for part in parts)))
        layout = f"{len(scales)} scales-{self.width}x{self.depth}"
        return Network("Multiscale", layout, frame, nn.Sequential(*layers))

    def _check_width(self, scales: tuple[float, ...]) -> None:
        if self.structure is Structure.PER_UNIT and self.width // fan_out(self.activation) < len(scales):
            raise ConfigError(
                f"Multiscale.width: got {self.width}, expected a unit for each of the {len(scales)} scales; widen it"
            )


def spanning(highest: float, ratio: float = 2.0) -> tuple[float, ...]:
    """Scales 1, ratio, ratio^2, ... that reach `highest`.

    >>> spanning(6.0)
    (1.0, 2.0, 4.0, 8.0)
    """
    real("spanning", "highest", highest, low=1.0, open_low=False)
    real("spanning", "ratio", ratio, low=1.0)
    return tuple(ratio**k for k in range(1 + math.ceil(math.log(highest) / math.log(ratio) - 1e-12)))
