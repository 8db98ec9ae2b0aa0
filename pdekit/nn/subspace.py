"""Subspace decomposition: a sum of networks, one for each scale of the solution, that can be looked at one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import singledispatch
from typing import final

import torch
from torch import nn

from .activations import Activation
from .architecture import MLP, Architecture
from .combined import CosineSine
from .frame import Frame
from .frequency_layers import Parts
from .initialisation import Initialisation
from .layers import HardConstraint, Network
from .multiscale import Multiscale
from .scales import Auto, ScaleChoice, check_scales, scale_values
from .spread import Spread
from .stack import check_shape
from .tuned import Tuned

SMOOTH = "smooth"
"""Name of the first part; the others are oscillating1, oscillating2, ..."""


@final
@dataclass(frozen=True)
class Subspace:
    """SD2DNN: u = smooth part + one oscillating part for each further scale, each a network of its own.

    Args:
        width: units per hidden layer of each oscillating part.
        depth: its number of hidden layers.
        scales: rising; the first is that of the smooth part. Auto() to have solvers choose them.
        smooth: the smooth part; it carries the lift of hard conditions.
        activation: of the oscillating parts.
        init: law of their weights.

    Raises:
        ConfigError: no scales, or one that is not positive and finite.

    Good values: soft conditions, since the distance of hard ones is small near the boundary, where the oscillating
        parts would have to outgrow it.
    Notes: the sum alone does not say which part holds what: train it with `solvers.Orthogonal`. Oscillating parts have
        one layer of waves near their scale and no constant; behind a second layer even harmonics would be smooth again.
    Reference: Li, Xu, Zhang 2023, doi:10.1016/j.jcp.2023.112242; book, section 5.1.2, figure 5.4.
    """

    width: int = 40
    depth: int = 1
    scales: ScaleChoice = Auto()  # noqa: RUF009 (frozen)
    smooth: Architecture = field(default_factory=lambda: MLP(16, 2, init=Spread(2.0, start=0.1)))
    activation: Activation = field(default_factory=CosineSine)
    init: Initialisation = field(default_factory=lambda: Tuned(0.03, start=0.1))

    def __post_init__(self) -> None:
        check_shape("Subspace", self.width, self.depth, self.activation)
        check_scales("Subspace", self.scales)

    def build(self, frame: Frame, generator: torch.Generator) -> nn.Module:
        """Build the network on the CPU; see `Architecture.build`."""
        scales = scale_values("Subspace", self.scales)
        parts = {SMOOTH: self.smooth} | {
            f"oscillating{i}": Multiscale(
                self.width, self.depth, (scale,), activation=self.activation, init=self.init, constant=False
            )
            for i, scale in enumerate(scales[1:], 1)
        }
        built = {name: part.build(frame, generator) for name, part in parts.items()}
        return Network("Subspace", f"{len(built)} parts", frame, Parts(built, scales))


@final
@dataclass(frozen=True, eq=False)
class Component:
    """A part of a network.

    Args:
        function: maps (n, d) to (n, m); its weights are those of the network.
        scale: the scale that it is for, in coordinates scaled to [-1, 1].
    """

    function: nn.Module
    scale: float


@singledispatch
def parts_of(network: nn.Module) -> Mapping[str, Component]:
    """The named parts whose sum is the network; empty where it has none."""
    return {}


@parts_of.register
def _parts(network: Parts) -> Mapping[str, Component]:
    named = zip(network.parts.items(), network.scales, strict=True)
    return {name: Component(part, scale) for (name, part), scale in named}


@parts_of.register
def _network(network: Network) -> Mapping[str, Component]:
    return parts_of(network.body)


@parts_of.register
def _hard_constraint(network: HardConstraint) -> Mapping[str, Component]:
    lift, parts = network.lift, {}
    for name, part in parts_of(network.network).items():
        parts[name] = Component(HardConstraint(part.function, network.distance, lift), part.scale)
        lift = None  # the first part has it
    return parts
