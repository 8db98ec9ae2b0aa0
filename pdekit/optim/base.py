"""What the training loop asks of an optimiser."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from torch import Tensor, nn

if TYPE_CHECKING:
    from .blocks import System

Closure = Callable[[], Tensor]


class Optimizer(Protocol):
    """An immutable choice of optimiser; `build` makes the stepper that carries the state."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def learning_rate(self) -> float:
        """The step length that a schedule scales."""

    def build(self, parameters: Sequence[nn.Parameter]) -> Stepper:
        """Make a fresh stepper over the parameters."""


class Stepper(ABC):
    """The state of a running optimiser.

    Not a `torch.optim.Optimizer`: building one of those imports torch's compiler, two seconds of every short run.
    """

    @abstractmethod
    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the steps to come."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return what the next step depends on besides parameters and rate: tensors and plain values, not copied."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned; tensors are cast to the parameters' type and device."""


class GradientStepper(Stepper):
    """Moves the parameters along the gradients it finds in `.grad`."""

    @abstractmethod
    def step(self) -> None:
        """Do one update; parameters without gradient stay."""


class IterativeStepper(Stepper):
    """Evaluates what it needs itself; one `iterate` is one iteration.

    So budgets, probes and checkpoints fire per iteration, as with a first-order method.
    """

    @property
    @abstractmethod
    def end_reason(self) -> str | None:
        """Why no further progress is possible; None while there may be some."""

    @abstractmethod
    def refresh(self) -> None:
        """Forget the values at the current point: the function has changed under it."""

    @abstractmethod
    def restart(self) -> None:
        """Forget everything learned, the end reason included, and take a more careful first step."""


class ClosureStepper(IterativeStepper):
    """Works with the loss and its gradient."""

    @abstractmethod
    def iterate(self, closure: Closure) -> float:
        """Do one iteration.

        Args:
            closure: clears the gradients, computes the scalar loss, writes `.grad`, returns the loss.

        Returns:
            The loss at the parameters the iteration ends with.
        """


class SystemStepper(IterativeStepper):
    """Works with the residuals that the loss is made of, and their Jacobian."""

    @abstractmethod
    def iterate(self, system: System) -> float:
        """Do one iteration; return the loss at the parameters it ends with."""


@runtime_checkable
class SystemOptimizer(Optimizer, Protocol):
    """An optimiser that builds a `SystemStepper`."""

    def check(self, system: System) -> None:
        """Refuse, before the first step, a system that it cannot treat.

        Raises:
            NotApplicableError: not the kind of loss it needs.
            MemoryBudgetError: too large, with the bytes.
        """
