"""Networks that start at exactly zero."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import final

import torch
from torch import nn

from .architecture import MLP, Architecture
from .frame import Frame
from .layers import Dilation, Network, Sum


@final
@dataclass(frozen=True)
class AntiSymmetric:
    """g(x; a) - g(x; b) with the same initial weights a = b: zero at the start, whatever their size (ASI).

    Args:
        network: g.

    Notes: twice the parameters. What a network starts with is what it keeps between training points; this separates
        that from what its activation prefers.
    Reference: Zhang, Xu, Luo, Ma 2020, A type of generalization error induced by initialization in deep neural
    networks, MSML, PMLR 107:144-164; book, section 4.2.1.
    """

    network: Architecture = field(default_factory=MLP)

    def build(self, frame: Frame, generator: torch.Generator) -> nn.Module:
        """Build the network on the CPU; see `Architecture.build`."""
        first = self.network.build(frame, generator)
        minus = Dilation(torch.tensor(-1.0, dtype=frame.dtype))
        body = Sum(first, nn.Sequential(copy.deepcopy(first), minus))
        return Network("AntiSymmetric", type(self.network).__name__, frame, body)
