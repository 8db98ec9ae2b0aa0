"""First-order optimisers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import nn

from ..checks import real
from ..errors import ConfigError


@final
@dataclass(frozen=True)
class Adam:
    """Adam; decoupled weight decay (AdamW) when `weight_decay` is not zero.

    m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  theta -= learning_rate * m^ / (sqrt(v^) + eps)

    Args:
        learning_rate: step length; every weight moves by at most about this much per step.
        betas: decay rates of the two moments.
        eps: floor of the denominator.
        weight_decay: theta shrinks by learning_rate * weight_decay per step.

    Raises:
        ConfigError: for a value out of range.

    Good values: 1e-3 for tanh networks of width 50-100, with an exponential or cosine decay for errors below 1e-3.

    Reference: Kingma & Ba 2015, https://doi.org/10.48550/arXiv.1412.6980
    """

    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        real("Adam", "learning_rate", self.learning_rate, low=0.0)
        real("Adam", "eps", self.eps, low=0.0)
        real("Adam", "weight_decay", self.weight_decay, low=0.0, open_low=False)
        if len(self.betas) != 2:
            raise ConfigError(f"Adam: betas: got {len(self.betas)} numbers, expected 2")
        for i, beta in enumerate(self.betas):
            real("Adam", f"betas[{i}]", beta, low=0.0, open_low=False)
            if beta >= 1:
                raise ConfigError(f"Adam: betas[{i}]: got {beta!r}, expected less than 1")

    @property
    def name(self) -> str:
        """What messages call it."""
        return "Adam"

    def build(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """Make the torch optimiser; fused where the parameters allow it (one kernel call per step)."""
        fused = all(p.is_floating_point() and p.device.type in {"cpu", "cuda"} for p in parameters)
        return torch.optim.AdamW(
            parameters,
            lr=self.learning_rate,
            betas=self.betas,
            eps=self.eps,
            weight_decay=self.weight_decay,
            fused=fused or None,
        )


@final
@dataclass(frozen=True)
class SGD:
    """Gradient descent, with heavy-ball momentum if asked.

    v = momentum v + g,  theta -= learning_rate * v

    Args:
        learning_rate: step length; stable below 2 / (largest curvature) without momentum.
        momentum: in [0, 1).

    Raises:
        ConfigError: for a value out of range.

    Good values: learning_rate 1e-3 to 1e-1; the phenomena of the book's training chapters use it without momentum.
    """

    learning_rate: float = 1e-2
    momentum: float = 0.0

    def __post_init__(self) -> None:
        real("SGD", "learning_rate", self.learning_rate, low=0.0)
        real("SGD", "momentum", self.momentum, low=0.0, open_low=False)
        if self.momentum >= 1:
            raise ConfigError(f"SGD: momentum: got {self.momentum!r}, expected less than 1")

    @property
    def name(self) -> str:
        """What messages call it."""
        return "SGD"

    def build(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """Make the torch optimiser; fused where the parameters allow it."""
        fused = all(p.is_floating_point() and p.device.type in {"cpu", "cuda"} for p in parameters)
        return torch.optim.SGD(parameters, lr=self.learning_rate, momentum=self.momentum, fused=fused or None)
