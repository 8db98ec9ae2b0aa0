"""Laws for initial weights; every number is drawn from the generator that is handed in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, final

import torch
from torch import Tensor, nn

from ..errors import ConfigError
from .activations import Activation, Sine
from .combined import Adaptive


@final
@dataclass(frozen=True)
class Site:
    """Where in a network a linear layer stands.

    Args:
        inputs: width of what it reads.
        outputs: width of what it returns.
        width: width of the network's hidden layers.
        first: whether it reads the coordinates.
        activation: the network's activation.
        last: whether it yields the network's output.
        factor: what the inputs are multiplied by before they reach the layer.
    """

    inputs: int
    outputs: int
    width: int
    first: bool
    activation: Activation
    last: bool = False
    factor: float = 1.0


class Initialisation(Protocol):
    """A law for the weights and biases of a linear layer."""

    def draw(self, site: Site, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return a weight (outputs, inputs) and a bias (outputs,) in float64."""
        ...


@final
@dataclass(frozen=True)
class VarianceScaling:
    """Weights of variance scale^2 gain / fan; biases normal with standard deviation `bias`.

    Use the constructors `Glorot`, `He` and `LeCun`, which choose gain and fan.

    Args:
        gain: the law's constant.
        to_outputs: take the mean of inputs and outputs as fan, not the inputs alone.
        uniform: draw from the uniform law of that variance instead of the normal one.
        scale: multiplies the weights; below 1 the network starts nearly linear (condensation), far above 1 it starts
            rough and trains like its kernel.
        bias: standard deviation of the biases.

    Reference: Glorot and Bengio 2010; He et al. 2015, doi:10.1109/ICCV.2015.123; LeCun et al. 1998,
    doi:10.1007/3-540-49430-8_2.
    """

    gain: float = 1.0
    to_outputs: bool = True
    uniform: bool = False
    scale: float = 1.0
    bias: float = 0.0

    def __post_init__(self) -> None:
        _check("VarianceScaling", gain=self.gain, scale=self.scale)
        _check_bias("VarianceScaling", self.bias)

    def draw(self, site: Site, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return a weight (outputs, inputs) and a bias (outputs,)."""
        fan = 0.5 * (site.inputs + site.outputs) if self.to_outputs else site.inputs
        deviation = self.scale * math.sqrt(self.gain / fan)
        weight = _uniform(site, deviation, generator) if self.uniform else _normal(site, deviation, generator)
        return weight, self.bias * _noise((site.outputs,), generator)


def Glorot(*, uniform: bool = False, scale: float = 1.0, bias: float = 0.0) -> VarianceScaling:  # noqa: N802 (a law's name)
    """Weights of variance 2 / (inputs + outputs): keeps signals and gradients level through tanh."""
    return VarianceScaling(1.0, True, uniform, scale, bias)


def He(*, uniform: bool = False, scale: float = 1.0, bias: float = 0.0) -> VarianceScaling:  # noqa: N802
    """Weights of variance 2 / inputs: keeps signals level through ReLU."""
    return VarianceScaling(2.0, False, uniform, scale, bias)


def LeCun(*, uniform: bool = False, scale: float = 1.0, bias: float = 0.0) -> VarianceScaling:  # noqa: N802
    """Weights of variance 1 / inputs."""
    return VarianceScaling(1.0, False, uniform, scale, bias)


@final
@dataclass(frozen=True)
class Siren:
    """The law of sine networks: first layer uniform in 1/inputs, others in sqrt(6/inputs)/frequency.

    Args:
        scale: multiplies all weights.

    Notes: the frequency is the activation's (1 for any other than `Sine`).
    Reference: Sitzmann et al. 2020, doi:10.48550/arXiv.2006.09661, section 3.2.
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        _check("Siren", scale=self.scale)

    def draw(self, site: Site, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return a weight (outputs, inputs) and a bias (outputs,)."""
        function = site.activation.function if isinstance(site.activation, Adaptive) else site.activation
        frequency = function.frequency if isinstance(function, Sine) else 1.0
        bound = 1.0 / site.inputs if site.first else math.sqrt(6.0 / site.inputs) / frequency
        weight = _uniform(site, self.scale * bound / math.sqrt(3.0), generator)
        bias = (2.0 * torch.rand(site.outputs, generator=generator, dtype=torch.float64) - 1.0) / math.sqrt(site.inputs)
        return weight, bias


@final
@dataclass(frozen=True)
class PowerLaw:
    """Weights and biases normal with variance scale^2 width^-gamma.

    Args:
        gamma: exponent; for two layers 1 is the critical line, below it training is linear (kernel-like), above it
            neurons condense.
        scale: multiplies all of them.

    Reference: Luo, Xu, Ma, Zhang 2021, Phase diagram for two-layer ReLU neural networks at infinite-width limit,
    JMLR 22(71); book, chapter on condensation.
    """

    gamma: float = 1.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        _check("PowerLaw", scale=self.scale)
        if not math.isfinite(self.gamma):
            raise ConfigError(f"PowerLaw.gamma: got {self.gamma!r}, expected a finite number; try 1.0")

    def draw(self, site: Site, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return a weight (outputs, inputs) and a bias (outputs,)."""
        deviation = self.scale * site.width ** (-0.5 * self.gamma)
        return _normal(site, deviation, generator), deviation * _noise((site.outputs,), generator)


@final
@dataclass(frozen=True)
class TorchDefault:
    """What `torch.nn.Linear` draws: weights and biases uniform in [-1/sqrt(inputs), 1/sqrt(inputs)].

    Notes: weights have a third of LeCun's variance, so signals fade in deep networks; for repeating published figures.
    """

    def draw(self, site: Site, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return a weight (outputs, inputs) and a bias (outputs,)."""
        deviation = 1.0 / math.sqrt(3.0 * site.inputs)
        weight = _uniform(site, deviation, generator)
        bias = 2.0 * torch.rand(site.outputs, generator=generator, dtype=torch.float64) - 1.0
        return weight, bias / math.sqrt(site.inputs)


def linear(
    site: Site, law: Initialisation, generator: torch.Generator, dtype: torch.dtype, *, biased: bool = True
) -> nn.Linear:
    """Build a linear layer with weights drawn from `law`, with biases or without.

    The numbers are drawn in float64, so that one seed gives the same network in every precision.
    """
    weight, bias = law.draw(site, generator)
    layer = empty_linear(site.inputs, site.outputs, dtype, biased=biased)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if biased:
            layer.bias.copy_(bias)
    return layer


def empty_linear(inputs: int, outputs: int, dtype: torch.dtype, *, biased: bool = True) -> nn.Linear:
    """A linear layer whose numbers are still to be written; torch's own law, and its global generator, are left alone.

    As `nn.utils.skip_init`, which however imports sympy at its first call: a second or two.
    """
    layer = nn.Linear(inputs, outputs, bias=biased, device="meta", dtype=dtype)
    layer.weight = nn.Parameter(torch.empty(outputs, inputs, dtype=dtype))
    if biased:
        layer.bias = nn.Parameter(torch.empty(outputs, dtype=dtype))
    return layer


def _noise(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def _normal(site: Site, deviation: float, generator: torch.Generator) -> Tensor:
    return deviation * _noise((site.outputs, site.inputs), generator)


def _uniform(site: Site, deviation: float, generator: torch.Generator) -> Tensor:
    draws = torch.rand((site.outputs, site.inputs), generator=generator, dtype=torch.float64)
    return deviation * math.sqrt(3.0) * (2.0 * draws - 1.0)


def _check(law: str, *, gain: float = 1.0, scale: float) -> None:
    for name, value in (("gain", gain), ("scale", scale)):
        if not (math.isfinite(value) and value > 0):
            raise ConfigError(f"{law}.{name}: got {value!r}, expected a positive number; try 1.0")


def _check_bias(law: str, bias: float) -> None:
    if not (math.isfinite(bias) and bias >= 0):
        raise ConfigError(f"{law}.bias: got {bias!r}, expected a standard deviation >= 0; try 0.0")
