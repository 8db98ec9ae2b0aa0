"""Growing: scales are added while a network trains, where its residual shows frequencies that it misses."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from torch import Tensor

from ..checks import integer, real
from ..errors import ConfigError
from ..field import Field
from ..nn import Auto, Grown, Scaled, Scales, added_scales, is_weight
from ..problem import Problem
from ..recipe import Budget
from ..record import Record
from ..rundir import RunDirectory
from ..scales import recommend_scales
from ..solver import Outcome, Setting
from .mscale import mscale
from .neural import Neural
from .stage import budget_left

_SAME = 1.5  # factor within which two scales stand for the same frequencies


@final
@dataclass(frozen=True)
class Growing:
    """Train; read off the residual which frequencies are missing; add a part for each, silent at first; train on.

    Args:
        first: a solver with a multiscale network, which trains as it says in every round.
        rounds: how often at most scales are added.
        floor: a band is missing if its share of the solution's slope is larger.
        most: how many scales are added at a time.

    Raises:
        ConfigError: the network of `first` has no scales.

    Notes:
        For problems whose data do not tell the frequencies of the solution; where they do, `scales=auto` knows them from
        the start, and a round costs as much as the whole training. Each round keeps checkpoints of its own, in
        `round-1`, `round-2`, ... of the run's directory.
    """

    first: Neural = field(default_factory=mscale)
    rounds: int = 2
    floor: float = 0.03
    most: int = 2
    name: str = "growing"

    def __post_init__(self) -> None:
        integer("Growing", "rounds", self.rounds, low=0)
        real("Growing", "floor", self.floor, low=0.0, high=1.0)
        integer("Growing", "most", self.most)
        if not isinstance(self.first.network, Scaled):
            kind = type(self.first.network).__name__
            raise ConfigError(f"Growing.first: its network, {kind}, has no scales; use Multiscale or FourierBands")

    def require(self, problem: Problem) -> None:
        """What the first solver needs."""
        self.first.require(problem)

    def run(self, problem: Problem, setting: Setting) -> Outcome:
        """Train in rounds until nothing is missing, or the rounds or the budget are used up."""
        history, notes = Record(), list[str]()
        outcome: Outcome | None = None
        added: tuple[float, ...] = ()
        steps, seconds = 0, 0.0
        trained: dict[str, Tensor] = {}
        for number in range(self.rounds + 1):
            left = budget_left(setting.budget, steps, seconds)
            missing = None if outcome is None else self._missing(problem, outcome.field, added)
            if left is None:
                break
            if outcome is not None and missing is None:
                notes.append(f"nothing missing after {steps} steps")
                break
            if missing is not None:
                added = (*added, *missing.values)
                notes.append(f"added after {steps} steps: {missing}")
            here, grown = _in_round(setting, number, left), self._with(added)
            prepared = grown.prepare(problem, here, stream=number)
            function = prepared.ansatz.function
            function.load_state_dict({name: trained.get(name, new) for name, new in function.state_dict().items()})
            outcome = grown.concluded(problem, here, prepared, grown.train(prepared, here))
            for row in outcome.history:
                late = {"step": row["step"] + steps, "seconds": row["seconds"] + seconds}
                history.append(row | late | {"round": number, "scales": len(self._network(added).scales)})
            steps, seconds = steps + (outcome.measures.steps or 0), seconds + outcome.timings["train"]
            trained = {name: value for name, value in function.state_dict().items() if is_weight(name)}
        assert outcome is not None  # a budget allows at least one step
        return dataclasses.replace(
            outcome,
            history=history,
            message="; ".join([*notes, outcome.message]),
            measures=dataclasses.replace(outcome.measures, steps=steps),
            timings={"train": seconds},
        )

    def restore(self, problem: Problem, tensors: Mapping[str, Tensor]) -> Field:
        """The network with stored weights and as many scales as they are of."""
        return self._with(added_scales(tensors)).restore(problem, tensors)

    def _with(self, added: tuple[float, ...]) -> Neural:
        return dataclasses.replace(self.first, name=self.name, network=self._network(added))

    def _network(self, added: tuple[float, ...]) -> Grown:
        return Grown(self.first.network, added)

    def _missing(self, problem: Problem, found: Field, added: tuple[float, ...]) -> Scales | None:
        """Scales that the residual of `found` asks for and the network does not have; None if there are none."""
        asked = recommend_scales(problem, Auto(self.floor, self.most), field=found)
        known = self._network(added).scales
        new = [
            (scale, why)
            for scale, why in zip(asked.values[1:], asked.why[1:], strict=True)
            if all(max(scale / old, old / scale) > _SAME for old in known)
        ]
        return Scales(*zip(*new, strict=True)) if new else None


def _in_round(setting: Setting, number: int, budget: Budget) -> Setting:
    """The circumstances of one round; from the second on it keeps its checkpoints in a directory of its own."""
    if setting.run is None or number == 0:
        return dataclasses.replace(setting, budget=budget)
    run = RunDirectory.create(setting.run.path / f"round-{number}")
    return dataclasses.replace(setting, budget=budget, run=run, resume=setting.resume and run.checkpoint.exists())


def growing() -> Growing:
    """MscaleDNN with the scales of the problem, and more where its residual shows that they are missing."""
    return Growing()
