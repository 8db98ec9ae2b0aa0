"""What tests of operators share: a small architecture of their own, and a solver with it that takes a second."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from pdekit.solvers import Cases, OperatorSolver, Training
from torch import Tensor, nn

from pdekit.nn import OperatorArchitecture, OperatorFrame, OperatorNetwork
from pdekit.nn.operator_architecture import check_grid
from pdekit.optim import Adam


@dataclass(frozen=True)
class Dense(OperatorArchitecture):
    """A matrix from input values to output values."""

    def build(self, frame: OperatorFrame, generator: torch.Generator) -> OperatorNetwork:
        return DenseNetwork(frame, generator)


class DenseNetwork(OperatorNetwork):
    def __init__(self, frame: OperatorFrame, generator: torch.Generator) -> None:
        super().__init__()
        self.input, self.output = frame.input, frame.output
        self.before, self.after = frame.standardised_input(pointwise=True), frame.standardised_output(pointwise=True)
        n, m = math.prod(frame.input.shape), math.prod(frame.output.shape)
        self.weight = nn.Parameter(torch.randn(m, n, generator=generator, dtype=frame.dtype) / n)

    def resolves(self, points: Sequence[int]) -> None:
        check_grid("dense", "inputs", points, self.input)

    def forward(self, inputs: Tensor, points: Sequence[int] | None = None) -> Tensor:
        self.resolves(tuple(inputs.shape[1:-1]))
        flat = self.before(inputs).flatten(1) @ self.weight.T
        return self.after.restored(flat.reshape(len(inputs), *self.output.shape))


def dense(steps: int = 300, **changes) -> OperatorSolver:
    """A solver that learns a linear map in a fraction of a second."""
    options = {
        "architecture": Dense(),
        "training": Training(steps=steps, optimizer=Adam(1e-2), polish=0, record_every=100),
        "cases": Cases(train=60, test=20),
        "batch": 20,
    }
    return OperatorSolver("dense", **(options | changes))
