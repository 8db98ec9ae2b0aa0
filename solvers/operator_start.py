"""A learnt operator among the solvers of single problems: the start of a hybrid, in one pass through a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import final

from torch import Tensor

from ..errors import ConfigError
from ..field import Field, GridField
from ..operators import Operator, load_operator
from ..operators.applied import Applied
from ..operators.grids import require_filling
from ..problem import Problem
from ..solver import Outcome, Setting


@final
class OperatorStart:
    """A learnt operator as a solver of the single problems of its family.

    Args:
        operator: from `learn` or `load_operator`.
    """

    def __init__(self, operator: Operator) -> None:
        self.operator, self.name = operator, operator.learner.name

    def require(self, problem: Problem) -> None:
        """The problem must be one of the family, and its solution an output on the whole domain."""
        require_filling(self.operator.predictor.family).inputs_of(problem)

    def run(self, problem: Problem, setting: Setting) -> Outcome:
        """Read the input off the problem and apply the network."""
        predictor = self.operator.predictor
        values = require_filling(predictor.family).inputs_of(problem).numpy()
        outcome = Applied(self.name, predictor, values).run(problem, setting)
        return dataclasses.replace(outcome, measures=dataclasses.replace(outcome.measures, steps=0))

    def restore(self, problem: Problem, tensors: Mapping[str, Tensor]) -> Field:
        """Grid values."""
        return GridField.restored(tensors)


@final
@dataclass(frozen=True)
class StoredOperator:
    """The operator of a finished run as a solver of the single problems of its family.

    Args:
        run_directory: the directory that `pdekit solve FAMILY --out` or `Operator.save` wrote.

    Notes:
        As the first solver of a hybrid it is trained already: no step is taken, whatever the budget.
    """

    run_directory: str = ""
    name: str = "operator"

    @cached_property
    def start(self) -> OperatorStart:
        """The operator; loaded once.

        Raises:
            ConfigError: no directory given.
            FileNotFoundError, CheckpointError, ProblemError: as `load_operator`.
        """
        if not self.run_directory:
            raise ConfigError(f"{self.name}: got no run, expected the directory of one; set run_directory=runs/mine")
        return OperatorStart(load_operator(self.run_directory))

    def require(self, problem: Problem) -> None:
        """The problem must be one of the operator's family."""
        self.start.require(problem)

    def run(self, problem: Problem, setting: Setting) -> Outcome:
        """Read the input off the problem and apply the network."""
        return self.start.run(problem, setting)

    def restore(self, problem: Problem, tensors: Mapping[str, Tensor]) -> Field:
        """Grid values."""
        return self.start.restore(problem, tensors)
