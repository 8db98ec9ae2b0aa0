"""Hybrid: a network for the low frequencies, relaxation for the high ones, and the converse with a coarse solve."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np
import torch
from torch import Tensor

from ..checks import integer, real
from ..discrete import Grid, Jacobi, LinearSystem, Relaxation, from_sine_coefficients, relax, solve_direct
from ..discretise import space_grid
from ..errors import ConfigError
from ..field import Field, GridField
from ..nn import MLP, Frame, Sine, Spread
from ..optim import Adam, Cosine
from ..problem import Elliptic, Problem
from ..record import Record
from ..solution import Measures
from ..solver import Outcome, Setting, Solver
from ..study import HybridStudy
from .ansatz import Enforcement
from .coarse import CoarseSolve
from .collocation import Collocation, Law
from .defect import defect_of
from .finite_difference import points_for, require_grid
from .forecast import Costs, Forecast, HandOverRule
from .hybrid_study import study_of
from .iterative import grid_values
from .neural import Neural, Training
from .peaks import delta_of
from .ritz import Ritz
from .stage import Stage, budget_left, train_stage
from .watch import Watch, sweeps_into


def first_network() -> Neural:
    """Deep Ritz as a hybrid's first solver: sine units, the zero function to start from, quadrature points."""
    return Neural(
        name="deep-ritz",
        formulation=Ritz(),
        network=MLP(width=50, depth=2, activation=Sine(), init=Spread(4.0)),
        collocation=Collocation(law=Law.GAUSS_LEGENDRE),
        training=Training(steps=800, optimizer=Adam(3e-3), schedule=Cosine(), polish=0),
        conditions=Enforcement.HARD,
    )


@final
@dataclass(frozen=True)
class Hybrid:
    """First solver, then relaxation from its grid values, repeated on the defect.

    Networks find low frequencies first and relaxation removes high ones first, so the pair converges where each alone
    stalls. When to hand over is told from the residual by frequency: as soon as the forecast of the remaining sweeps
    is down to local work (`enough`), or training costs more than the sweeps it could still save.

    Args:
        first: the solver that begins; a Neural one is watched while it trains.
        then: the relaxation, or CoarseSolve() for the converse hybrid.
        points: grid points per axis; None chooses by dimension (1001, 257, 65).
        hand_over: step at which training ends in every cycle; None chooses automatically.
        cycles: how often to train and relax; from the second on the network learns the defect.
        tolerance: bound for the largest error against the discrete solution in the first cycle; every further cycle
            aims at a tenth of the one before.
        enough: sweeps, in multiples of the points along an axis, that count as local work.
        watch_every: training steps between forecasts.
        max_sweeps: per cycle.

    Notes:
        The discrete solution, by which sweeps are counted, is computed directly as a measuring instrument and is not
        counted in the time; the hand-over does not look at it. A network trained too long learns nothing relaxation
        would not do in no time, one trained too briefly leaves smooth errors that take 1e5 sweeps.
    Good values: `enough` of 2 to 5.
    Reference: book, section 15.5; Huang, Wang, Yang 2020 (Int-Deep), doi:10.1016/j.jcp.2020.109675.
    """

    first: Solver = field(default_factory=first_network)
    then: Relaxation | CoarseSolve = field(default_factory=Jacobi)
    points: int | None = None
    hand_over: int | None = None
    cycles: int = 1
    tolerance: float = 1e-4
    enough: float = 4.0
    watch_every: int = 20
    max_sweeps: int = 2_000_000
    name: str = "hybrid"

    def __post_init__(self) -> None:
        for key in ("cycles", "watch_every", "max_sweeps"):
            integer("Hybrid", key, getattr(self, key))
        real("Hybrid", "tolerance", self.tolerance, low=0.0)
        real("Hybrid", "enough", self.enough, low=0.0)
        if self.points is not None:
            integer("Hybrid", "points", self.points, low=3)
        if self.hand_over is not None:
            integer("Hybrid", "hand_over", self.hand_over)
            if not isinstance(self.first, Neural):
                raise ConfigError(f"Hybrid.hand_over: {self.first.name} has no training steps; leave hand_over out")

    def require(self, problem: Problem) -> None:
        """Needs a linear elliptic problem of up to three dimensions, on a box for relaxation, and what the first solver needs."""
        if isinstance(self.then, CoarseSolve):
            self.then.require(self.name, problem)
        else:
            require_grid(self.name, problem, time=False)
        self.first.require(problem)

    def run(self, problem: Problem, setting: Setting) -> Outcome:
        """Train, hand over, relax; repeat on the defect."""
        assert isinstance(problem, Elliptic)  # `require` has seen to it
        if isinstance(self.then, CoarseSolve):
            return self.then.corrected(problem, self.first.run(problem, setting))
        grid = space_grid(problem, points_for(problem, self.points))
        system = problem.discretise(grid)
        started = time.perf_counter()
        with setting.instrument():
            target = solve_direct(system)
        watch = Watch(grid, target, delta_of(grid, target))
        reference = time.perf_counter() - started

        record, values = Record(), system.extend(np.zeros_like(system.rhs))
        first_stage: Stage | None = None
        steps = sweeps = cycle = 0
        training = sweeping = 0.0
        converged = True
        while converged and cycle < self.cycles:
            goal = self.tolerance * 10.0**-cycle
            left = budget_left(setting.budget, steps, training + sweeping)
            stage = Stage(values, None, 0, 0.0, Record(), "no budget was left to train on")
            if left is not None:
                here = dataclasses.replace(setting, budget=left)
                stage = self._stage(problem, system, values, here, cycle, Forecast(system, self.then, goal), watch)
            first_stage = first_stage or stage
            for row in stage.history:
                seconds = row.get("seconds", 0.0) + training + sweeping
                record.append(row | {"cycle": cycle, "step": row.get("step", 0) + steps, "seconds": seconds})
            steps, training = steps + stage.steps, training + stage.seconds
            relaxed = relax(
                system,
                self.then,
                stage.values,
                max_sweeps=self.max_sweeps,
                tolerance=goal,
                target=target,
                probe=lambda _, u: watch.columns(u) | dict(setting.observe(lambda: GridField(grid, u))),
                max_seconds=setting.left(training + sweeping).seconds,
            )
            sweeps_into(record, relaxed, cycle, steps, sweeps, training + sweeping)
            values, converged = relaxed.u, relaxed.converged
            sweeps, sweeping, cycle = sweeps + relaxed.sweeps, sweeping + relaxed.seconds, cycle + 1
        assert first_stage is not None
        started = time.perf_counter()
        study = self._study(problem, system, watch, setting, first_stage)
        companions = time.perf_counter() - started
        return Outcome(
            field=GridField(grid, values),
            history=record,
            message=f"{first_stage.why}; {sweeps} sweeps" + ("" if converged else ", which did not suffice"),
            measures=Measures(
                steps=steps,
                sweeps=sweeps,
                cycles=cycle,
                hand_over_step=first_stage.hand_over,
                points=grid.size,
                parameters=grid.size,
            ),
            exhausted=not converged,
            target=target,
            timings={"train": training, "sweeps": sweeping, "discrete_reference": reference, "study": companions},
            study=study,
        )

    def restore(self, problem: Problem, tensors: Mapping[str, Tensor]) -> Field:
        """The grid values, or the first solver's field with its correction."""
        if isinstance(self.then, CoarseSolve):
            return self.then.restored(problem, self.first, tensors)
        return GridField.restored(tensors)

    def _stage(
        self,
        problem: Elliptic,
        system: LinearSystem,
        base: np.ndarray,
        setting: Setting,
        cycle: int,
        forecast: Forecast,
        watch: Watch,
    ) -> Stage:
        """The first solver on the problem, or, from the second cycle on, on the defect of `base`."""
        scale, task = 1.0, problem
        if cycle:
            scale = float(np.abs(from_sine_coefficients(forecast.modes(base))).max())
            base, task = defect_of(problem, system, base, scale)

        def completed(values: np.ndarray) -> np.ndarray:
            return base + scale * values if cycle else values

        if not isinstance(self.first, Neural):
            outcome = self.first.run(task, setting)
            values = completed(grid_values(outcome.field, system.grid))
            seconds = sum(outcome.timings.values())
            return Stage(values, None, outcome.measures.steps or 0, seconds, Record(), outcome.message)
        return train_stage(
            self.first,
            task,
            # Only the first training is checkpointed: what follows repeats exactly from it.
            setting if not cycle else dataclasses.replace(setting, run=None, resume=False),
            stream=cycle,
            hand_over=self.hand_over,
            rule=self._rule(system.grid, self.first),
            probe_of=lambda function: watch.probe(function, completed, forecast, self.watch_every),
            completed=lambda function: completed(grid_values(function, system.grid)),
            watch_every=self.watch_every,
        )

    def _rule(self, grid: Grid, first: Neural) -> HandOverRule:
        network = first.network.build(Frame(grid.lower, grid.upper, 1, torch.float32), torch.Generator())
        count = sum(p.numel() for p in network.parameters())
        return HandOverRule(
            round(self.enough * max(grid.shape)), Costs.of(grid, first.collocation.count(grid.dim), count)
        )

    def _study(
        self, problem: Elliptic, system: LinearSystem, watch: Watch, setting: Setting, stage: Stage
    ) -> HybridStudy | None:
        """Companion runs for the figure, where they take seconds: one-dimensional grids."""
        if (
            not setting.study
            or system.grid.dim > 1
            or not isinstance(self.first, Neural)
            or stage.hand_over is None
            or watch.delta is None
        ):
            return None
        assert not isinstance(self.then, CoarseSolve)
        forecast = Forecast(system, self.then, self.tolerance)
        return study_of(
            self.first,
            self.then,
            problem,
            system,
            watch,
            forecast,
            setting,
            stage.hand_over,
            self.tolerance,
            self.watch_every,
        )


def hybrid() -> Hybrid:
    """Deep Ritz, then Jacobi."""
    return Hybrid()
