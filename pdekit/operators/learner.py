"""What learns an operator: an immutable method, and what its work yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import torch
from torch import Tensor

from ..nn import OperatorNetwork
from ..operator_problem import OperatorProblem
from ..record import Record
from ..solver import Setting
from .cases import Cases, Split


@final
@dataclass(frozen=True, eq=False)
class Learned:
    """What a learner's own work yields; `learn` adds errors, costs and reach.

    Args:
        network: trained, on the setting's device.
        history: what was recorded.
        message: how it ended, in words.
        steps: updates.
        seconds: wall time of the training.
        exhausted: a budget ended it.
    """

    network: OperatorNetwork
    history: Record
    message: str
    steps: int
    seconds: float
    exhausted: bool = False


@runtime_checkable
class Learner(Protocol):
    """A method with its configuration: an immutable value; all state lives in what `learn` returns."""

    @property
    def name(self) -> str:
        """The name the shell knows."""
        ...

    @property
    def cases(self) -> Cases:
        """How many cases it is taught and tested with."""
        ...

    @property
    def labelled(self) -> bool:
        """Whether it reads the outputs of training cases."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """Element type of the network, unless another one is asked for."""
        ...

    def require(self, family: OperatorProblem) -> None:
        """Raise NotApplicableError, naming the missing property, unless the method fits the family."""
        ...

    def learn(self, family: OperatorProblem, split: Split, setting: Setting) -> Learned:
        """Train."""
        ...

    def restore(self, family: OperatorProblem, tensors: Mapping[str, Tensor], dtype: torch.dtype) -> OperatorNetwork:
        """The network with the weights of an earlier run.

        Raises:
            CheckpointError: the tensors are another architecture's.
        """
        ...
