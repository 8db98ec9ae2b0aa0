"""Fully connected networks whose hidden layers differ in width."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import torch
from torch import nn

from ..errors import ConfigError
from .activations import Activation, Tanh
from .combined import fan_out
from .frame import Frame
from .initialisation import Glorot, Initialisation, Site, linear
from .layers import Network, Scaling
from .stack import activated, check_shape


@final
@dataclass(frozen=True)
class Perceptron:
    """A fully connected network with a width for each hidden layer.

    Args:
        widths: units of the hidden layers, from the coordinates to the output.
        activation: the function between layers.
        init: law of the initial weights; a law that depends on the network's width takes the first one.
        biased: whether the output has a bias.

    Raises:
        ConfigError: no widths, or one that is not a positive integer.

    Notes: for equal widths take `MLP`; this one repeats the networks of published figures.
    Good values: (200, 200, 200, 100) in the book's chapter on the frequency principle.
    """

    widths: tuple[int, ...] = (64, 64)
    activation: Activation = field(default_factory=Tanh)
    init: Initialisation = field(default_factory=Glorot)
    biased: bool = True

    def __post_init__(self) -> None:
        if not self.widths:
            raise ConfigError("Perceptron.widths: got none, expected one for each hidden layer; try (64, 64)")
        for width in self.widths:
            check_shape("Perceptron", width, len(self.widths), self.activation)

    def build(self, frame: Frame, generator: torch.Generator) -> nn.Module:
        """Build the network on the CPU; see `Architecture.build`."""
        layers: list[nn.Module] = [Scaling(frame)]
        inputs = frame.inputs
        for number, width in enumerate(self.widths):
            units = width // fan_out(self.activation)
            layers.append(self._linear(frame, generator, inputs, units, first=number == 0))
            layers += activated(self.activation, units, frame.dtype)
            inputs = width
        layers.append(self._linear(frame, generator, inputs, frame.outputs, last=True))
        return Network("Perceptron", "-".join(map(str, self.widths)), frame, nn.Sequential(*layers))

    def _linear(
        self,
        frame: Frame,
        generator: torch.Generator,
        inputs: int,
        outputs: int,
        *,
        first: bool = False,
        last: bool = False,
    ) -> nn.Linear:
        site = Site(inputs, outputs, self.widths[0], first, self.activation, last=last)
        return linear(site, self.init, generator, frame.dtype, biased=self.biased or not last)
