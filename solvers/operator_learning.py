"""OperatorSolver: architecture x losses x training; the named solvers of families are presets of this product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, final

import torch
from torch import Tensor, nn

from ..checks import integer, member
from ..codec import encode
from ..config import problem_table
from ..constraints import BoxDistance
from ..errors import CheckpointError, ConfigError, NotApplicableError
from ..nn import OperatorArchitecture, OperatorFrame, OperatorNetwork, check_parameters
from ..operator_problem import Family, OperatorProblem, Prescription
from ..operators import Cases, Learned, Split
from ..operators.accuracy import error_bands
from ..recipe import Phase, Probe, Turn
from ..solver import Setting
from ..train import TrainStatus, train
from .ansatz import Enforcement
from .neural import flat
from .operator_loss import CaseBatch, Labels, LearningTask, OperatorLoss, PreparedLoss
from .training import Training

_PROBED: Final = 64
"""Test cases that are measured during training."""
_CASES: Final = "cases"


@final
class Precision(Enum):
    """Element type of a network."""

    SINGLE = "float32"
    """Half the time; errors below 1e-5 need more."""
    DOUBLE = "float64"
    """For second-order optimisers and derivatives."""

    @property
    def dtype(self) -> torch.dtype:
        """As torch has it."""
        return torch.float32 if self is Precision.SINGLE else torch.float64


@final
@dataclass(frozen=True)
class OperatorSolver:
    """A network between functions, trained on cases of a family.

    Args:
        name: what results call it.
        architecture: the network.
        losses: what it is trained on; their terms are added.
        training: phases and optimisers.
        batch: cases per step, drawn anew at every step; None for all of them at every step.
        cases: how many cases to train and test on.
        conditions: hard multiplies the outputs by a function that vanishes where the family says that they do.
        precision: element type of the network, unless the caller asks for one.

    Raises:
        ConfigError: no losses, two with terms of one name, or a polish on batches, which would fit the last one only.
    """

    name: str
    architecture: OperatorArchitecture
    losses: tuple[OperatorLoss, ...] = (Labels(),)
    training: Training = field(default_factory=Training)
    batch: int | None = 20
    cases: Cases = field(default_factory=Cases)
    conditions: Enforcement = Enforcement.SOFT
    precision: Precision = Precision.SINGLE

    def __post_init__(self) -> None:
        member(self.name, "conditions", self.conditions, Enforcement)
        member(self.name, "precision", self.precision, Precision)
        terms = [term for loss in self.losses for term in loss.weights]
        if not terms or len(set(terms)) < len(terms):
            raise ConfigError(f"{self.name}: losses: got the terms {terms}, expected at least one, each once")
        if self.batch is not None:
            integer(self.name, "batch", self.batch)
            if self.training.polish:
                raise ConfigError(
                    f"{self.name}: got a polish of {self.training.polish} iterations and batches of {self.batch} cases, "
                    "expected one of them; set polish=0 or batch=none"
                )

    @property
    def labelled(self) -> bool:
        """Whether a loss reads the outputs of the training cases."""
        return any(loss.labelled for loss in self.losses)

    @property
    def dtype(self) -> torch.dtype:
        """Element type of the network, unless the caller asks for one."""
        return self.precision.dtype

    def require(self, family: OperatorProblem) -> None:
        """Whatever the losses need; hard conditions need a family whose outputs vanish somewhere."""
        for loss in self.losses:
            loss.require(family)
        self._factor(family)

    def learn(self, family: OperatorProblem, split: Split, setting: Setting) -> Learned:
        """Train; the last state counts."""
        dtype, device = setting.dtype, setting.device
        inputs = torch.from_numpy(split.inputs)
        outputs = None if split.outputs is None else torch.from_numpy(split.outputs)
        frame = OperatorFrame(family.input, family.output, dtype, inputs, outputs, self._factor(family))
        network = self.architecture.build(frame, setting.generator(0))
        check_parameters(network)
        network = network.to(device)
        task = LearningTask(
            family,
            network,
            inputs.to(device, dtype),
            None if outputs is None else outputs.to(device, dtype),
            setting.generator(2),
            self.training.steps + self.training.polish,
        )
        trained = train(
            _Objective(task, [loss.prepare(task) for loss in self.losses], self.batch),
            self._phases(),
            generator=setting.generator(1),
            weights={term: weight for loss in self.losses for term, weight in loss.weights.items()},
            budget=setting.left(),
            clock=setting.clock,
            probes=(self._probe(network, split),),
            record_every=self.training.record_every,
            run=setting.run,
            checkpoint_every=setting.checkpoint,
            resume=setting.resume,
            identity=dict(flat("", {"family": problem_table(family), "solver": encode(self), "cases": len(inputs)})),
            progress=setting.progress,
            interrupts=setting.interrupts,
        )
        return Learned(
            network,
            trained.history,
            trained.message,
            trained.steps,
            trained.seconds,
            exhausted=trained.status in (TrainStatus.STEP_BUDGET, TrainStatus.TIME_BUDGET),
        )

    def restore(self, family: OperatorProblem, tensors: Mapping[str, Tensor], dtype: torch.dtype) -> OperatorNetwork:
        """The network with stored weights."""
        frame = OperatorFrame(family.input, family.output, dtype, factor=self._factor(family))
        network = self.architecture.build(frame, torch.Generator())
        here = network.state_dict()
        for name in dict.fromkeys([*here, *tensors]):
            found, expected = (tuple(t[name].shape) if name in t else "absent" for t in (tensors, here))
            if found != expected:
                raise CheckpointError(
                    f"{self.name}: first differing layer {name!r}: got shape {found} in the file, expected {expected}; "
                    "build the network it was saved from"
                )
        network.load_state_dict(dict(tensors))
        return network.eval()

    def _phases(self) -> tuple[Phase, ...]:
        training = self.training
        turn = Turn("u", training.optimizer, schedule=training.schedule)
        phases = [Phase((turn,), training.steps, None if self.batch is None else 1)]
        if training.polish:
            phases.append(Phase((Turn("u", training.polisher.optimizer()),), training.polish))
        return tuple(phases)

    def _probe(self, network: OperatorNetwork, split: Split) -> Probe:
        """Errors on some test cases while training, by frequency; they are watched, nothing is chosen by them."""
        test = split.test[:_PROBED]
        like = next(network.parameters())
        inputs = torch.from_numpy(test.inputs).to(like)

        def measure() -> dict[str, float]:
            with torch.no_grad():
                predicted = network(inputs).to("cpu", torch.float64).numpy()
            bands = error_bands(test.output, predicted, test.outputs)
            columns = {f"band[{label}]": float(e) for label, e in zip(bands.labels, bands.relative, strict=True)}
            return {"rel_l2": float(test.output.relative_errors(predicted, test.outputs).mean())} | columns

        return Probe("test cases", self.training.record_every, measure)

    def _factor(self, family: OperatorProblem) -> nn.Module | None:
        if self.conditions is Enforcement.SOFT:
            return None
        zeros = [p for p in family.prescribed if p.value is Prescription.ZERO] if isinstance(family, Family) else []
        if not zeros or not isinstance(family, Family):
            raise NotApplicableError(
                f"{self.name}: hard conditions need outputs that vanish on a part of the boundary, {family.name} has no such "
                "part; use soft ones"
            )
        box = family.domain
        faces = {box.face(part) for p in zeros if p.where != "initial" for part in box.resolve(p.where)}
        powers = [[int((axis, side) in faces) for side in (0, 1)] for axis in range(box.dim)]
        if any(p.where == "initial" for p in zeros):
            powers[-1][0] = 1
        return BoxDistance(box.lower, box.upper, [(a, b) for a, b in powers])


@final
class _Objective:
    """The losses over batches of cases."""

    def __init__(self, task: LearningTask, losses: list[PreparedLoss], batch: int | None) -> None:
        count = len(task.inputs)
        if batch is not None and batch > count:
            raise ConfigError(f"batch: got {batch} cases per step of {count}, expected at most {count}; set batch=none")
        self._task, self._losses, self._batch = task, losses, batch
        self.players = {"u": task.network}

    def sample(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw cases without repetition, and what the losses draw."""
        drawn: dict[str, Tensor] = {}
        if self._batch is not None:
            count = len(self._task.inputs)
            drawn[_CASES] = torch.randperm(count, generator=generator)[: self._batch].to(self._task.inputs.device)
        for loss in self._losses:
            drawn |= loss.sample(generator)
        return drawn

    def losses(self, player: str, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """All terms."""
        cases = CaseBatch(self._task, batch.get(_CASES), batch)
        return {name: term for loss in self._losses for name, term in loss.terms(cases).items()}
