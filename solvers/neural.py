"""Neural: formulation x network x training; the named solvers are presets of this product."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from ..checks import member
from ..codec import encode
from ..config import problem_table
from ..domain import Points
from ..field import Field, NetworkField
from ..nn import Architecture, highest_scale
from ..problem import Problem
from ..recipe import Objective, Phase, Probe, StopRule, Turn
from ..resume import Scalar
from ..scales import with_scales
from ..solution import Measures
from ..solver import Outcome, Setting
from ..train import Trained, TrainStatus, train
from ..trust import alias_warning, relative_residual
from ..trust.residual import reference_scale
from .ansatz import Ansatz, Enforcement, build_ansatz, load_weights
from .collocation import INTERIOR, Collocation, PointSets
from .formulation import Formulation, SelfEstimating, Task
from .training import Training


@final
@dataclass(frozen=True, eq=False)
class Prepared:
    """An untrained ansatz with its losses.

    Args:
        ansatz: what is trained.
        objective: the losses of all players.
        weights: one per loss term.
        phases: who moves when.
        generator: draws the points.
        identity: what a checkpoint of this training is a checkpoint of.
    """

    ansatz: Ansatz
    objective: Objective
    weights: Mapping[str, float]
    phases: tuple[Phase, ...]
    generator: torch.Generator
    identity: Mapping[str, Scalar]


@final
@dataclass(frozen=True)
class Neural:
    """A network trained on a formulation of the problem.

    Args:
        name: what results call it.
        formulation: the functional, such as StrongForm() or Ritz().
        network: the architecture.
        collocation: the points.
        training: phases and optimisers.
        conditions: whether Dirichlet and initial conditions are hard or soft.

    Raises:
        ConfigError: `conditions` is no Enforcement.
    """

    name: str
    formulation: Formulation
    network: Architecture
    collocation: Collocation = field(default_factory=Collocation)
    training: Training = field(default_factory=Training)
    conditions: Enforcement = Enforcement.SOFT

    def __post_init__(self) -> None:
        member(self.name, "conditions", self.conditions, Enforcement)

    def require(self, problem: Problem) -> None:
        """Whatever the formulation needs."""
        self.formulation.require(problem)

    def run(self, problem: Problem, setting: Setting) -> Outcome:
        """Train, and keep the best recorded state."""
        prepared = self.prepare(problem, setting)
        return self.concluded(problem, setting, prepared, self.train(prepared, setting))

    def concluded(self, problem: Problem, setting: Setting, prepared: Prepared, trained: Trained) -> Outcome:
        """The outcome of a training: the best recorded state and what is known of it."""
        if not self.formulation.adversarial:
            trained.restore_best()
        coefficients = {name: float(value.detach()) for name, value in prepared.ansatz.unknowns.items()}
        found = NetworkField(prepared.ansatz.function, setting.dtype, setting.device, coefficients)
        batch = prepared.objective.sample(setting.generator(1))
        interior = Points(batch[f"{INTERIOR}.x"], batch[f"{INTERIOR}.weight"]).to(torch.float64)
        own = prepared.objective.estimate(found) if isinstance(prepared.objective, SelfEstimating) else None
        return Outcome(
            field=found,
            history=trained.history,
            message=trained.message if own is None else f"{own}; {trained.message}",
            measures=Measures(steps=trained.steps, points=len(interior), parameters=found.parameters),
            exhausted=trained.status in (TrainStatus.STEP_BUDGET, TrainStatus.TIME_BUDGET),
            residual_train=relative_residual(problem, found, interior),
            loss_estimate=None if own is None else own.energy_error,
            timings={"train": trained.seconds},
        )

    def prepare(self, problem: Problem, setting: Setting, stream: int = 0) -> Prepared:
        """Build ansatz and losses.

        Args:
            problem: what to solve.
            setting: circumstances.
            stream: number of the random stream, so that repeated trainings differ.

        Raises:
            SmoothnessError: the activation has too few derivatives for the formulation.
        """
        dim, network, generator = problem.domain.dim, with_scales(self.network, problem), setting.generator(2 * stream)
        ansatz, soft = build_ansatz(problem, network, self.conditions, generator, setting.dtype, setting.device)
        collocation = self.collocation.resolving(highest_scale(network), dim)
        if collocation.resample_every is None:
            alias_warning(problem, collocation.count(dim))
        task = Task(
            problem,
            ansatz,
            soft,
            PointSets(problem, collocation, soft, setting.dtype, setting.device),
            reference_scale(problem),
            generator,
            self.training.steps + self.training.polish,
        )
        turns = self.formulation.turns(Turn("u", self.training.optimizer, schedule=self.training.schedule))
        phases = [Phase(turns, self.training.steps, self.collocation.resample_every)]
        if self.training.polish:
            phases.append(Phase((Turn("u", self.training.polisher.optimizer()),), self.training.polish))
        return Prepared(
            ansatz,
            self.formulation.objective(task),
            self.formulation.weights(soft),
            tuple(phases),
            setting.generator(2 * stream + 1),
            identity(problem, self, stream),
        )

    def train(
        self,
        prepared: Prepared,
        setting: Setting,
        *,
        probes: Sequence[Probe] = (),
        stop: Sequence[StopRule] = (),
        best_of: str = "loss",
        record_every: int | None = None,
    ) -> Trained:
        """Run the training loop.

        Args:
            prepared: from `prepare`.
            setting: circumstances.
            probes: further measurements.
            stop: rules consulted at every recorded row.
            best_of: column whose smallest value marks the best state.
            record_every: steps between rows, instead of the training's own.
        """
        return train(
            prepared.objective,
            prepared.phases,
            generator=prepared.generator,
            weights=prepared.weights,
            budget=setting.left(),
            clock=setting.clock,
            probes=(*probes, *setting.probes(NetworkField(prepared.ansatz.function, setting.dtype, setting.device))),
            stop=stop,
            best_of=best_of,
            record_every=record_every or self.training.record_every,
            run=setting.run,
            checkpoint_every=setting.checkpoint,
            resume=setting.resume,
            identity=prepared.identity,
            progress=setting.progress,
            interrupts=setting.interrupts,
        )

    def restore(self, problem: Problem, tensors: Mapping[str, Tensor]) -> Field:
        """The network with stored weights."""
        return load_weights(problem, self.network, self.conditions, tensors)


def identity(problem: Problem, solver: Neural, stream: int) -> dict[str, Scalar]:
    """Flat names and values of everything that makes two trainings the same, steps and budgets excepted."""
    table = {"problem": problem_table(problem), "solver": encode(solver), "stream": stream}
    return dict(flat("", table))


def flat(prefix: str, value: object) -> Iterator[tuple[str, Scalar]]:
    """The leaves of a table by dotted names."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flat(f"{prefix}.{key}" if prefix else str(key), inner)
    elif value is None or isinstance(value, str | int | float | bool):
        yield prefix, value
    else:
        yield prefix, str(value)
