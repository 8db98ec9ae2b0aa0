"""First-order optimisers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from ..checks import real
from ..errors import ConfigError
from .base import GradientStepper


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
            _fraction("Adam", f"betas[{i}]", beta)

    @property
    def name(self) -> str:
        """What messages call it."""
        return "Adam"

    def build(self, parameters: Sequence[nn.Parameter]) -> GradientStepper:
        """Make the stepper with zero moments."""
        return _AdamStepper(parameters, self)


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
        _fraction("SGD", "momentum", self.momentum)

    @property
    def name(self) -> str:
        """What messages call it."""
        return "SGD"

    def build(self, parameters: Sequence[nn.Parameter]) -> GradientStepper:
        """Make the stepper with zero velocity."""
        return _SGDStepper(parameters, self)


@final
@dataclass(frozen=True)
class TorchOptimizer:
    """Any first-order optimiser with the interface of `torch.optim`, from torch or elsewhere.

    Args:
        name: what messages call it.
        learning_rate: what a schedule scales.
        make: parameters and learning rate to the optimiser, e.g. `lambda p, rate: torch.optim.RAdam(p, lr=rate)`.

    Notes: torch's own optimisers import its compiler when built, about two seconds once per process.
    """

    name: str
    learning_rate: float
    make: Callable[[Sequence[nn.Parameter], float], torch.optim.Optimizer]

    def __post_init__(self) -> None:
        real(self.name, "learning_rate", self.learning_rate, low=0.0)

    def build(self, parameters: Sequence[nn.Parameter]) -> GradientStepper:
        """Wrap what `make` returns."""
        return _TorchStepper(self.make(parameters, self.learning_rate))


@final
class _AdamStepper(GradientStepper):
    """One fused kernel call per step where the parameters allow it."""

    def __init__(self, parameters: Sequence[nn.Parameter], config: Adam) -> None:
        self._parameters: list[Tensor] = list(parameters)
        self._config, self._rate = config, config.learning_rate
        self._first = [torch.zeros_like(p) for p in self._parameters]
        self._second = [torch.zeros_like(p) for p in self._parameters]
        self._complex = any(p.is_complex() for p in self._parameters)
        self._fused = not self._complex and all(p.device.type in {"cpu", "cuda"} for p in self._parameters)
        self._counts = [
            torch.zeros((), dtype=torch.float32, device=p.device if self._fused else "cpu") for p in self._parameters
        ]

    def set_rate(self, rate: float) -> None:
        self._rate = rate

    @torch.no_grad()
    def step(self) -> None:
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        moving = [p.grad is not None for p in self._parameters]
        adamw(
            list(compress(self._parameters, moving)),
            gradients,
            list(compress(self._first, moving)),
            list(compress(self._second, moving)),
            [],
            list(compress(self._counts, moving)),
            fused=self._fused,
            has_complex=self._complex,
            amsgrad=False,
            beta1=self._config.betas[0],
            beta2=self._config.betas[1],
            lr=self._rate,
            weight_decay=self._config.weight_decay,
            eps=self._config.eps,
            maximize=False,
        )

    def state_dict(self) -> dict[str, Any]:
        return {"first": list(self._first), "second": list(self._second), "counts": list(self._counts)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        _copy(self._first, state["first"])
        _copy(self._second, state["second"])
        _copy(self._counts, state["counts"])


@final
class _SGDStepper(GradientStepper):
    def __init__(self, parameters: Sequence[nn.Parameter], config: SGD) -> None:
        self._parameters = list(parameters)
        self._momentum, self._rate = config.momentum, config.learning_rate
        self._velocity = [torch.zeros_like(p) for p in self._parameters] if config.momentum else []

    def set_rate(self, rate: float) -> None:
        self._rate = rate

    @torch.no_grad()
    def step(self) -> None:
        for i, p in enumerate(self._parameters):
            if p.grad is None:
                continue
            move = p.grad
            if self._velocity:
                move = self._velocity[i].mul_(self._momentum).add_(move)
            p.add_(move, alpha=-self._rate)

    def state_dict(self) -> dict[str, Any]:
        return {"velocity": list(self._velocity)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        _copy(self._velocity, state["velocity"])


@final
class _TorchStepper(GradientStepper):
    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer

    def set_rate(self, rate: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = rate

    def step(self) -> None:
        self._optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        return self._optimizer.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._optimizer.load_state_dict(state)


def _copy(targets: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
    for target, source in zip(targets, sources, strict=True):
        target.copy_(source)


def _fraction(owner: str, key: str, value: float) -> None:
    real(owner, key, value, low=0.0, open_low=False)
    if value >= 1:
        raise ConfigError(f"{owner}: {key}: got {value!r}, expected less than 1")
