"""Losses of many models at once: one number per model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ..checks import real
from ..errors import ShapeError
from ..nn.stacked import Stacked


class Loss(Protocol):
    """What each model minimises."""

    def __call__(self, network: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses (S,) and the outputs (S, n, m) of all models.

        Args:
            network: a `Stacked` or a single module; call it by `outputs`.
            x: points (n, d) or (S, n, d).
            y: what belongs to them.
        """
        ...


@runtime_checkable
class Misfit(Loss, Protocol):
    """A loss that reads nothing but outputs and targets, and knows its own slope: perceptrons then train faster."""

    def with_gradient(self, value: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses (S,) of outputs (S, n, m), and their gradients with respect to these, (S, n, m)."""
        ...


def outputs(network: nn.Module, x: Tensor) -> Tensor:
    """Values (S, n, m) of a stack, or of a single module as a stack of one."""
    value: Tensor = network(x)
    return value if isinstance(network, Stacked) else value[None]


@final
@dataclass(frozen=True)
class MeanSquare:
    """factor * mean over points and components of (output - y)^2.

    Args:
        factor: 0.5 where the source has a half.
    """

    factor: float = 1.0

    def __post_init__(self) -> None:
        real("MeanSquare", "factor", self.factor, low=0.0)

    def __call__(self, network: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return losses (S,) and outputs (S, n, m); y is (n, m) or (S, n, m)."""
        value = outputs(network, x)
        squares = self._difference(value, y).square().mean((1, 2))
        return (squares if self.factor == 1.0 else self.factor * squares), value

    def with_gradient(self, value: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return losses (S,) and 2 factor (value - y) / (n m)."""
        difference = self._difference(value, y)
        count = difference[0].numel()
        losses = torch.linalg.vector_norm(difference, dim=(1, 2)).square_().mul_(self.factor / count)
        return losses, difference.mul_(2 * self.factor / count)

    @staticmethod
    def _difference(value: Tensor, y: Tensor) -> Tensor:
        if y.shape[-2:] != value.shape[-2:]:  # or it would be broadcast
            raise ShapeError(
                f"MeanSquare: got targets {tuple(y.shape)}, expected (n, m) or (S, n, m) as the outputs {tuple(value.shape)}"
            )
        return value - y


@final
@dataclass(frozen=True)
class CrossEntropy:
    """Mean over points of -log softmax(output)_y."""

    def __call__(self, network: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return losses (S,) and outputs (S, n, classes); y holds class numbers, (n,) or (S, n)."""
        value = outputs(network, x)
        labels = y.expand(value.shape[:2])
        return cross_entropy(value.movedim(-1, 1), labels, reduction="none").mean(1), value

    def with_gradient(self, value: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return losses (S,) and (softmax - indicator of y) / n."""
        labels = y.expand(value.shape[:2])[..., None]
        logarithms = value.log_softmax(-1)
        losses = -logarithms.gather(-1, labels).mean((1, 2))
        gradient = logarithms.exp_()
        gradient.scatter_add_(-1, labels, gradient.new_full((), -1.0).expand(labels.shape))
        return losses, gradient.div_(value.shape[1])
