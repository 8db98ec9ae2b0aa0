"""DeepXDE as a solver: the same problem, network, points and seed handed to its own trainer, in a process of its own."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from ..checks import integer, member, real
from ..child import in_child
from ..conditions import Periodic
from ..errors import ConfigError, MissingPackageError, NotApplicableError
from ..field import Field, NetworkField
from ..nn import MLP, Architecture
from ..problem import Problem, conditions_of
from ..record import Record
from ..solution import Measures
from ..solver import Outcome, Setting
from ..stopwatch import Clock
from ..trust import relative_residual
from .ansatz import Enforcement, build_ansatz, load_weights
from .collocation import Collocation
from .deepxde_child import Assignment, train
from .formulation import require_known

_PACKAGE = "deepxde"
_STEPS = 15_000  # of Adam, where no time is given: what DeepXDE's own examples take
_PATIENCE = 300.0  # seconds beyond the budget, for the start of the process


@final
@dataclass(frozen=True)
class DeepXDE:
    """Least squares of the strong residual by DeepXDE: Adam, then L-BFGS, derivatives by its nested automatic differentiation.

    The peer in comparisons. Problem, network, initial weights and points are ours; losses, weights of losses, optimisers
    and training are DeepXDE's: L = sum_i mean |equation_i|^2 + w sum_j mean |condition_j|^2, in the problem's own units.

    Args:
        network: the architecture.
        collocation: the points, which stay.
        conditions: soft terms, or the output transform that meets them.
        steps: of Adam; None takes a share of the seconds given, or 15,000.
        share: of the seconds, for Adam; L-BFGS gets the rest.
        learning_rate: of Adam.
        polish: iterations of L-BFGS at most; 0 for none.
        boundary_weight: w.

    Raises:
        ConfigError: impossible values.

    Notes:
        Needs the package deepxde, whose import takes seconds that are not counted. Its process runs on the CPU.
    Good values: hard conditions wherever the problem has them; float64, as its manual says of L-BFGS.
    Reference: Lu, Meng, Mao, Karniadakis 2021, doi:10.1137/19M1274067.
    """

    network: Architecture = field(default_factory=lambda: MLP(width=50, depth=4))
    collocation: Collocation = field(default_factory=Collocation)
    conditions: Enforcement = Enforcement.SOFT
    steps: int | None = None
    share: float = 0.5
    learning_rate: float = 1e-3
    polish: int = 15_000
    boundary_weight: float = 1.0
    name: str = "deepxde"

    def __post_init__(self) -> None:
        member("DeepXDE", "conditions", self.conditions, Enforcement)
        if self.steps is not None:
            integer("DeepXDE", "steps", self.steps)
        real("DeepXDE", "share", self.share, low=0.0, high=1.0)
        real("DeepXDE", "learning_rate", self.learning_rate, low=0.0)
        integer("DeepXDE", "polish", self.polish, low=0)
        real("DeepXDE", "boundary_weight", self.boundary_weight, low=0.0)
        if self.collocation.resample_every is not None:
            raise ConfigError("DeepXDE.collocation: got resample_every, expected points that stay; leave it out")

    def require(self, problem: Problem) -> None:
        """Needs the package, known coefficients, and no periodic conditions."""
        if importlib.util.find_spec(_PACKAGE) is None:
            raise MissingPackageError(
                f"{self.name}: got no package {_PACKAGE}, expected it installed; pip install deepxde"
            )
        require_known(self.name, problem)
        for condition in conditions_of(problem, Periodic):
            raise NotApplicableError(
                f"{self.name}: {problem.name} is periodic in {condition.axis!r}, expected Dirichlet, Neumann, Robin or "
                "initial conditions; use pinn"
            )

    def run(self, problem: Problem, setting: Setting) -> Outcome:
        """Train in DeepXDE's process, and take its weights.

        Raises:
            ChildError: whatever goes wrong there.
        """
        ansatz, _ = build_ansatz(problem, self.network, self.conditions, setting.generator(), setting.dtype, "cpu")
        budget, trace = setting.left(), setting.trace
        steps = self.steps or (_STEPS if budget.seconds is None else None)
        if budget.steps is not None:
            steps = min(budget.steps, steps or budget.steps)
        assignment = Assignment(
            problem=problem,
            network=self.network,
            conditions=self.conditions,
            collocation=self.collocation,
            dtype=setting.dtype,
            seed=setting.seed,
            steps=steps,
            seconds=budget.seconds,
            share=self.share,
            learning_rate=self.learning_rate,
            polish=self.polish if budget.steps is None else max(0, min(self.polish, budget.steps - (steps or 0))),
            boundary_weight=self.boundary_weight,
            clock=Clock.WALL if trace is None else trace.clock,
            traced=trace is not None and trace.reference is not None,
        )
        with setting.instrument():  # of its time only the training counts
            trained = in_child(
                train,
                assignment,
                threads=torch.get_num_threads(),
                patience=None if budget.seconds is None else 30 * budget.seconds + _PATIENCE,
                environment={"DDE_BACKEND": "pytorch", "CUDA_VISIBLE_DEVICES": ""},
            )
        if trace is not None:
            trace.add(trained.trace, trained.seconds)
        ansatz.function.load_state_dict({name: torch.from_numpy(array) for name, array in trained.state.items()})
        found = NetworkField(ansatz.function, setting.dtype, "cpu")
        interior = self.collocation.interior(problem, setting.generator(1))
        return Outcome(
            field=found,
            history=Record.from_columns(trained.history),
            message=trained.message,
            measures=Measures(steps=trained.steps, points=len(interior), parameters=found.parameters),
            exhausted=trained.exhausted,
            diverged=not math.isfinite(trained.loss),
            residual_train=relative_residual(problem, found, interior),
            timings={"train": trained.seconds},
        )

    def restore(self, problem: Problem, tensors: Mapping[str, Tensor]) -> Field:
        """The network with stored weights."""
        return load_weights(problem, self.network, self.conditions, tensors)


def deepxde() -> DeepXDE:
    """DeepXDE's trainer with soft conditions."""
    return DeepXDE()
