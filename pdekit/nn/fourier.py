"""Fourier features: waves of given or random frequencies in front of a network."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol, final

import torch
from torch import Tensor, nn

from ..checks import integer, real
from ..errors import ConfigError, ShapeError
from .activations import Activation, Elementwise, Tanh
from .combined import CosineSine
from .frame import Frame
from .frequency_layers import SharedBody, Waves
from .initialisation import Glorot, Initialisation
from .layers import Network, Scaling
from .stack import Stack, check_shape


class FrequencyLaw(Protocol):
    """Which frequencies b the features cos 2 pi b . v and sin 2 pi b . v have."""

    def draw(self, inputs: int, generator: torch.Generator) -> Tensor:
        """Return frequencies (m, inputs) in periods over the domain, float64."""
        ...


@final
@dataclass(frozen=True)
class Gaussian:
    """Frequencies b ~ N(0, sigma^2), independent along each axis.

    Args:
        sigma: standard deviation, in periods over the domain.
        count: how many.

    Good values: sigma about the highest frequency of the solution; far above it, noise between the points is fitted.
    Reference: Tancik et al. 2020, Fourier features let networks learn high frequency functions,
    doi:10.48550/arXiv.2006.10739; book, section 5.3.
    """

    sigma: float = 1.0
    count: int = 32

    def __post_init__(self) -> None:
        real("Gaussian", "sigma", self.sigma, low=0.0)
        integer("Gaussian", "count", self.count)

    def draw(self, inputs: int, generator: torch.Generator) -> Tensor:
        """Return frequencies (count, inputs)."""
        return self.sigma * torch.randn((self.count, inputs), generator=generator, dtype=torch.float64)


@final
@dataclass(frozen=True)
class Positional:
    """sin(2^l pi p), cos(2^l pi p), l = 0 ... levels - 1, along each axis p scaled to [-1, 1].

    Args:
        levels: how many octaves; the highest has 2^(levels - 1) periods over the domain.

    Reference: Mildenhall et al. 2020, NeRF, doi:10.48550/arXiv.2003.08934; book, section 5.2.
    """

    levels: int = 5

    def __post_init__(self) -> None:
        integer("Positional", "levels", self.levels)

    def draw(self, inputs: int, generator: torch.Generator) -> Tensor:
        """Return frequencies (levels * inputs, inputs); the generator is not used."""
        octaves = 2.0 ** torch.arange(self.levels, dtype=torch.float64)
        return torch.cat([octaves[:, None] * axis for axis in torch.eye(inputs, dtype=torch.float64)])


@final
@dataclass(frozen=True)
class Given:
    """These frequencies.

    Args:
        frequencies: one tuple per feature, with periods over the domain along each axis, such as ((1.0,), (25.0,)).
    """

    frequencies: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        if not self.frequencies:
            raise ConfigError(
                "Given.frequencies: got none, expected at least one; try ((1.0,), (2.0,)) in one dimension"
            )
        for i, vector in enumerate(self.frequencies):
            for axis, b in enumerate(vector):
                real("Given", f"frequencies[{i}][{axis}]", b, low=-math.inf)

    def draw(self, inputs: int, generator: torch.Generator) -> Tensor:
        """Return the frequencies (m, inputs); the generator is not used."""
        for vector in self.frequencies:
            if len(vector) != inputs:
                raise ShapeError(f"Given.frequencies: got {vector}, expected {inputs} numbers, one for each coordinate")
        return torch.tensor(self.frequencies, dtype=torch.float64)


@final
@dataclass(frozen=True)
class FourierFeatures:
    """A network behind gamma(v) = a [cos 2 pi b . v, sin 2 pi b . v], v the coordinates over the size of the domain.

    With several laws all features go through the same hidden layers, law by law, and meet in the last layer.

    Args:
        width: units per hidden layer.
        depth: number of hidden layers.
        features: laws of the frequencies b; several need equal numbers of them.
        trainable: whether the frequencies are trained.
        amplitude: a, in (0, 1].
        activation: the function of the hidden layers.
        init: law of their initial weights.

    Raises:
        ConfigError: no law.

    Good values: Given((1.0,), (25.0,)) where the frequencies are known; else Gaussian(1), Gaussian(10), ... up to the
        highest.
    Reference: Tancik et al. 2020, doi:10.48550/arXiv.2006.10739; several laws: Wang, Wang, Perdikaris 2021,
    doi:10.1016/j.cma.2021.113938; book, eq. 5.11.
    """

    width: int = 40
    depth: int = 2
    features: tuple[FrequencyLaw, ...] = field(default_factory=lambda: (Gaussian(1.0), Gaussian(10.0)))
    trainable: bool = False
    amplitude: float = 1.0
    activation: Activation = field(default_factory=Tanh)
    init: Initialisation = field(default_factory=Glorot)

    def __post_init__(self) -> None:
        check_shape("FourierFeatures", self.width, self.depth, self.activation)
        real("FourierFeatures", "amplitude", self.amplitude, low=0.0, high=1.0)
        if not self.features:
            raise ConfigError("FourierFeatures.features: got no law, expected at least one; try (Gaussian(1.0),)")

    def build(self, frame: Frame, generator: torch.Generator) -> nn.Module:
        """Build the network on the CPU; see `Architecture.build`.

        Raises:
            ShapeError: given frequencies have another dimension, or laws differ in their number of frequencies.
        """
        vectors = [math.pi * law.draw(frame.inputs, generator) for law in self.features]
        counts = [len(drawn) for drawn in vectors]
        if len(set(counts)) > 1:
            raise ShapeError(
                f"FourierFeatures.features: got laws of {counts} frequencies, expected equal numbers, since they share "
                "their layers; set their counts"
            )
        stack = Stack(self.width, self.activation, self.init, generator, frame.dtype)
        hidden = stack.hidden(2 * counts[0])
        for _ in range(self.depth - 1):
            hidden += stack.hidden(self.width)
        entries = [
            nn.Sequential(Waves(drawn.to(frame.dtype), trained=self.trainable), Elementwise(CosineSine(self.amplitude)))
            for drawn in vectors
        ]
        body = nn.Sequential(
            Scaling(frame),
            SharedBody(entries, nn.Sequential(*hidden)),
            stack.last(len(entries) * self.width, frame.outputs),
        )
        layout = f"{len(entries)}x{counts[0]}-{self.width}x{self.depth}"
        return Network("FourierFeatures", layout, frame, body)
