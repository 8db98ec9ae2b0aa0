"""What the training loop asks of an optimiser."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

Closure = Callable[[], Tensor]


class Optimizer(Protocol):
    """An immutable choice of optimiser; `build` makes the object that carries the state."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def learning_rate(self) -> float:
        """The step length that a schedule scales."""

    def build(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """Make a fresh torch optimiser over the parameters.

        Returns:
            A torch optimiser that reads `.grad`, or an `IterativeOptimizer` that evaluates the loss itself.
        """


class IterativeOptimizer(torch.optim.Optimizer, ABC):
    """An optimiser that evaluates loss and gradient itself; one `step` is one iteration.

    So budgets, probes and checkpoints fire per iteration, as with a first-order method.
    """

    @property
    @abstractmethod
    def end_reason(self) -> str | None:
        """Why no further progress is possible; None while there may be some."""

    @abstractmethod
    def step(self, closure: Closure) -> Tensor:  # type: ignore[override]
        """Do one iteration.

        Args:
            closure: clears the gradients, computes the scalar loss, writes `.grad`, returns the loss.

        Returns:
            The loss at the parameters the iteration ends with.
        """

    @abstractmethod
    def refresh(self) -> None:
        """Forget the loss and gradient of the current point: the function has changed under it."""

    @abstractmethod
    def restart(self) -> None:
        """Forget everything learned, the end reason included, and take a more careful first step."""
