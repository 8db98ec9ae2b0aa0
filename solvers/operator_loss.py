"""What a network that stands for an operator is trained on: labels, physics, or both."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, final

import torch
from torch import Tensor, nn

from ..checks import real
from ..errors import NotApplicableError
from ..operator_problem import OperatorProblem
from ..quantity import Quantity


@final
@dataclass(frozen=True, eq=False)
class LearningTask:
    """What is learnt from.

    Args:
        family: the map.
        network: what is trained, inputs (count, *input.shape) to outputs (count, *output.shape).
        inputs: of the training cases, (count, *input.shape), in the network's element type and on its device.
        outputs: likewise; None where no loss reads labels.
        generator: source of random numbers for what is fixed during training.
        steps: how many are planned.
    """

    family: OperatorProblem
    network: nn.Module
    inputs: Tensor
    outputs: Tensor | None
    generator: torch.Generator
    steps: int


@final
class CaseBatch:
    """The cases of one step; what several losses need is computed once."""

    def __init__(self, task: LearningTask, cases: Tensor | None, drawn: Mapping[str, Tensor]) -> None:
        """Take cases by their numbers, all if None; `drawn` is what the losses have drawn for this step."""
        self.network, self.cases, self.drawn = task.network, cases, drawn
        self.inputs = task.inputs if cases is None else task.inputs[cases]
        self.outputs = task.outputs if cases is None or task.outputs is None else task.outputs[cases]

    @cached_property
    def predicted(self) -> Tensor:
        """The network's outputs on the grid, (count, *output.shape)."""
        predicted: Tensor = self.network(self.inputs)
        return predicted


class PreparedLoss(Protocol):
    """A loss made ready for one task."""

    def sample(self, generator: torch.Generator) -> dict[str, Tensor]:
        """What it draws for a step, points say, under names no other loss uses; kept in checkpoints."""
        ...

    def terms(self, batch: CaseBatch) -> Mapping[str, Tensor]:
        """Scalar terms by name, the same names at every call."""
        ...


class OperatorLoss(Protocol):
    """One or more terms of the loss, as a configuration."""

    @property
    def weights(self) -> Mapping[str, float]:
        """Weight of each of its terms, by the term's name."""
        ...

    @property
    def labelled(self) -> bool:
        """Whether it reads the outputs of the training cases."""
        ...

    def require(self, family: OperatorProblem) -> None:
        """Raise NotApplicableError, naming the missing property, unless the loss fits the family."""
        ...

    def prepare(self, task: LearningTask) -> PreparedLoss:
        """Make ready.

        Raises:
            NotApplicableError: the network lacks what the loss needs.
        """
        ...


@final
@dataclass(frozen=True)
class Labels:
    """Mean over the cases of |u - u_ref| / |u_ref| in L2 over the domain, by the trapezoidal rule.

    Args:
        weight: of the term "labels".
        squared: mean of the squares, which second-order optimisers and L-BFGS like better.

    Reference: Li et al. 2021, arXiv:2010.08895, section 5.
    """

    weight: float = 1.0
    squared: bool = False

    def __post_init__(self) -> None:
        real("Labels", "weight", self.weight, low=0.0)

    @property
    def weights(self) -> Mapping[str, float]:
        """One term."""
        return {"labels": self.weight}

    @property
    def labelled(self) -> bool:
        """True."""
        return True

    def require(self, family: OperatorProblem) -> None:
        """Any family has labels."""

    def prepare(self, task: LearningTask) -> PreparedLoss:
        """Compute the quadrature weights and the sizes of the references."""
        if task.outputs is None:
            raise NotApplicableError(f"labels: {task.family.name} came without outputs; give some")
        return _PreparedLabels(quadrature(task.family.output).to(task.outputs), self.squared)


@final
@dataclass(frozen=True, eq=False)
class _PreparedLabels:
    roots: Tensor
    squared: bool

    def sample(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def terms(self, batch: CaseBatch) -> Mapping[str, Tensor]:
        """The mean relative error."""
        assert batch.outputs is not None  # `prepare` has seen to it
        errors = relative_errors(batch.predicted, batch.outputs, self.roots)
        return {"labels": (errors.square() if self.squared else errors).mean()}


def quadrature(quantity: Quantity) -> Tensor:
    """Roots of the trapezoidal weights, (n_1, ..., n_d, 1): |u| is the Euclidean norm of the root times u."""
    weights = torch.ones(())
    for axis in quantity.axes:
        weights = weights[..., None].to(torch.float64) * torch.from_numpy(axis.weights)
    return weights.sqrt()[..., None]


def relative_errors(predicted: Tensor, reference: Tensor, roots: Tensor) -> Tensor:
    """Relative L2 distances (count,) of functions (count, *shape); absolute where the reference is zero."""
    size = torch.linalg.vector_norm((roots * reference).flatten(1), dim=1)
    distance = torch.linalg.vector_norm((roots * (predicted - reference)).flatten(1), dim=1)
    return distance / torch.where(size > math.sqrt(torch.finfo(size.dtype).tiny), size, torch.ones_like(size))
