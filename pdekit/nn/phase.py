"""Phase-shifted networks: each cell of the frequency plane is learnt as if it lay at frequency zero."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import final

import torch
from torch import nn

from ..errors import ConfigError, NotApplicableError
from .activations import Activation, Elementwise, Tanh
from .combined import CosineSine
from .frame import Frame
from .frequency_layers import Modulation, Waves
from .initialisation import Glorot, Initialisation
from .layers import Network, Scaling, Sum
from .scales import Auto, ScaleChoice, check_scales, scale_values
from .stack import Stack, check_shape


@final
@dataclass(frozen=True)
class PhaseShift:
    """PhaseDNN: u(z) = sum over w of A_w(z) cos w.z + B_w(z) sin w.z, z the coordinates scaled to [-1, 1].

    A_w and B_w are the two outputs of one small network per cell; in two dimensions w runs over all pairs of the given
    frequencies, with both signs of the second (the other half plane follows, since u is real).

    Args:
        width: units per hidden layer of each network.
        depth: its number of hidden layers.
        scales: centres of the cells along each axis, in radians over half the domain (b periods over the domain lie at
            pi b), where 1 stands for the smooth part, at 0; or Auto() to have solvers choose them.
        activation: the function between layers.
        init: law of the initial weights.

    Raises:
        ConfigError: no scales, or one that is not positive, not finite or there twice.
        NotApplicableError: built in more than two dimensions.

    Good values: cells 10 to 30 apart; tanh of a small network covers about 10 on either side.
    Notes: the number of networks grows with the power of the dimension.
    Reference: Cai, Li, Liu 2020, PhaseDNN, doi:10.1137/19M1310050 (the coupled form); book, section 5.1.
    """

    width: int = 16
    depth: int = 2
    scales: ScaleChoice = (1.0, 20.0, 40.0)
    activation: Activation = field(default_factory=Tanh)
    init: Initialisation = field(default_factory=Glorot)

    def __post_init__(self) -> None:
        check_shape("PhaseShift", self.width, self.depth, self.activation)
        check_scales("PhaseShift", self.scales)
        if not isinstance(self.scales, Auto):
            self._frequencies()

    def build(self, frame: Frame, generator: torch.Generator) -> nn.Module:
        """Build the network on the CPU; see `Architecture.build`."""
        if frame.inputs > 2:
            raise NotApplicableError(
                f"PhaseShift: got {frame.inputs} dimensions, expected at most 2, since the cells grow with their "
                "power; use Multiscale or FourierFeatures"
            )
        stack = Stack(self.width, self.activation, self.init, generator, frame.dtype)
        cells = self.cells(frame.inputs)
        body = nn.Sequential(Scaling(frame), Sum(*(_cell(cell, frame.outputs, self.depth, stack) for cell in cells)))
        return Network("PhaseShift", f"{len(cells)} cells-{self.width}x{self.depth}", frame, body)

    def cells(self, inputs: int) -> list[tuple[float, ...]]:
        """The wave vectors w, one of each pair w, -w."""
        frequencies = self._frequencies()
        if inputs == 1:
            return [(w,) for w in frequencies]
        pairs = itertools.product(frequencies, frequencies)
        return [pair for a, b in pairs for pair in ([(a, b), (a, -b)] if a and b else [(a, b)])]

    def _frequencies(self) -> tuple[float, ...]:
        scales = scale_values("PhaseShift", self.scales)
        for scale in scales:
            if scales.count(scale) > 1:
                raise ConfigError(f"PhaseShift.scales: got {scale} twice, expected different cells; drop one")
        return tuple(0.0 if scale == 1.0 else scale for scale in scales)


def _cell(wave: tuple[float, ...], outputs: int, depth: int, stack: Stack) -> nn.Module:
    """The modulated network of one wave vector; of the zero vector the plain network."""
    if not any(wave):
        return nn.Sequential(*stack.perceptron(len(wave), outputs, depth))
    vector = torch.tensor([wave], dtype=torch.float64).to(stack.dtype)
    carrier = nn.Sequential(Waves(vector), Elementwise(CosineSine(1.0)))
    return Modulation(carrier, nn.Sequential(*stack.perceptron(len(wave), 2 * outputs, depth)))
