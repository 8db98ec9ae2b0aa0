"""The other side of `deepxde`: trains with DeepXDE, in the process that this is called in, which is not ours.

A problem's residual is written once, with a jet; here the jet reads DeepXDE's own derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from ..conditions import Condition, Observations, label, mismatch
from ..field import NetworkField
from ..jet import Jet
from ..kernels import Recorder
from ..nn import Architecture
from ..probe import jet_of
from ..problem import Problem
from ..stopwatch import Clock, Stopwatch
from ..trace import ERROR, SECONDS, ErrorTrace
from .ansatz import Enforcement, build_ansatz
from .collocation import INTERIOR, Collocation, PointSets
from .formulation import equations

_STEPS_PER_CALL = 20  # iterations of L-BFGS between two looks at the clock
_EVALUATIONS_PER_STEP = 1.25
_ROWS_EVERY = 100  # steps of Adam between rows of the history


@final
@dataclass(frozen=True)
class Assignment:
    """What DeepXDE is to train; see `DeepXDE` for the options.

    Args:
        traced: whether the error is to be measured meanwhile.
        clock: what counts as time.
    """

    problem: Problem
    network: Architecture
    conditions: Enforcement
    collocation: Collocation
    dtype: torch.dtype
    seed: int
    steps: int | None
    seconds: float | None
    share: float
    learning_rate: float
    polish: int
    boundary_weight: float
    clock: Clock
    traced: bool


@final
@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of it, in arrays.

    Args:
        state: of the network, by name.
        history: columns of the record.
        trace: columns of the error against time.
        steps: of both optimisers.
        seconds: building and training.
        loss: the last one.
        exhausted: whether time ran out.
        message: how it ended.
    """

    state: Mapping[str, np.ndarray]
    history: Mapping[str, Sequence[float]]
    trace: Mapping[str, Sequence[float]]
    steps: int
    seconds: float
    loss: float
    exhausted: bool
    message: str


def train(assignment: Assignment) -> Outcome:
    """Train with DeepXDE: Adam, then L-BFGS."""
    import deepxde as dde
    import torch._dynamo  # noqa: F401 -- torch's optimisers import it at their first step; imports are not training

    dde.config.set_default_float(str(assignment.dtype).removeprefix("torch."))
    dde.config.set_random_seed(assignment.seed)
    watch = Stopwatch(assignment.clock)
    trace = None
    if assignment.traced:
        with watch.stopped():
            trace = ErrorTrace(assignment.problem, clock=assignment.clock)
        trace.watch = watch
    training = _Training(dde, assignment, watch, trace)
    training.adam()
    adam = training.steps
    training.lbfgs()
    record = {} if trace is None else {name: trace.record[name].tolist() for name in (SECONDS, ERROR)}
    state = {name: tensor.detach().numpy() for name, tensor in training.function.state_dict().items()}
    return Outcome(
        state=state,
        history=training.history,
        trace=record,
        steps=training.steps,
        seconds=watch.seconds,
        loss=training.loss,
        exhausted=training.late(1.0),
        message=f"DeepXDE {dde.__version__}: {adam} steps of Adam, {training.steps - adam} of L-BFGS, loss {training.loss:.2g}",
    )


@final
class _Training:
    """DeepXDE's model of the problem, and what is watched while it trains."""

    def __init__(self, dde: Any, assignment: Assignment, watch: Stopwatch, trace: ErrorTrace | None) -> None:
        self._dde, self._assignment, self._watch, self._trace = dde, assignment, watch, trace
        problem, dtype = assignment.problem, assignment.dtype
        # The same streams of random numbers as `Neural` has: equal seeds give equal weights and points.
        weights, points = (torch.Generator().manual_seed(assignment.seed * 1_000_003 + stream) for stream in (0, 1))
        ansatz, soft = build_ansatz(problem, assignment.network, assignment.conditions, weights, dtype, "cpu")
        self.function = ansatz.function
        self.field = NetworkField(ansatz.function, dtype, "cpu")
        batch = PointSets(problem, assignment.collocation, soft, dtype, "cpu").sample(points)
        jets = _Jets(dde, problem)
        box = dde.geometry.Hypercube(problem.domain.lower, problem.domain.upper)
        if problem.domain.dim == 1:
            box = dde.geometry.Interval(problem.domain.lower[0], problem.domain.upper[0])
        data = dde.data.PDE(
            box,  # unused: all points are given
            lambda x, y: list(equations(problem, jets(x, y))),
            [_Soft(problem, condition, batch, jets) for condition in soft],
            anchors=batch[f"{INTERIOR}.x"].numpy(),
        )
        self.model = dde.Model(data, _network(dde, ansatz.function))
        self._conditions, self._equations = len(soft), _equations(problem, ansatz.function, batch[f"{INTERIOR}.x"][:2])
        self.history: dict[str, list[float]] = {"step": [], SECONDS: [], "loss": []}

    @property
    def steps(self) -> int:
        """Done so far."""
        return int(self.model.train_state.step)

    @property
    def loss(self) -> float:
        """The latest that was evaluated."""
        latest = self.model.train_state.loss_train
        return math.nan if latest is None else float(np.sum(latest))

    def late(self, share: float) -> bool:
        """Whether a share of the time is over."""
        seconds = self._assignment.seconds
        return seconds is not None and self._watch.seconds >= share * seconds

    def adam(self) -> None:
        """The first phase."""
        given = self._assignment
        steps = given.steps if given.steps is not None else 10**9
        self._compile("adam", lr=given.learning_rate)
        self._train(given.share if given.polish and given.steps is None else 1.0, iterations=steps)

    def lbfgs(self) -> None:
        """The second phase."""
        given = self._assignment
        if not given.polish or self.late(1.0) or not math.isfinite(self.loss):
            return
        self._dde.optimizers.set_LBFGS_options(maxiter=given.polish)
        options = self._dde.optimizers.config.LBFGS_options
        options["iter_per_step"] = min(_STEPS_PER_CALL, given.polish)
        options["fun_per_step"] = math.ceil(_EVALUATIONS_PER_STEP * options["iter_per_step"])
        self._compile("L-BFGS")
        self._train(1.0)

    def _compile(self, optimizer: str, **options: float) -> None:
        weights = [1.0] * self._equations + [self._assignment.boundary_weight] * self._conditions
        self.model.compile(optimizer, loss_weights=weights, verbose=0, **options)

    def _train(self, share: float, **options: int) -> None:
        training = self

        class Watch(self._dde.callbacks.Callback):  # type: ignore[name-defined]
            """Looks at the clock, and measures where it is time."""

            def on_train_begin(self) -> None:
                training.row()

            def on_epoch_end(self) -> None:
                training.looked()
                if training.late(share):
                    training.model.stop_training = True

        self.model.train(callbacks=[Watch()], display_every=_ROWS_EVERY, verbose=0, **options)
        self.row()

    def looked(self) -> None:
        """Measure, if it is time."""
        if self._trace is not None and self._trace.due:
            self._trace.measure(self.field)
        if self.steps % _ROWS_EVERY == 0:
            self.row()

    def row(self) -> None:
        """Add the latest loss to the history."""
        if self.history["step"] and self.history["step"][-1] == self.steps:
            return
        for name, value in (("step", self.steps), (SECONDS, self._watch.seconds), ("loss", self.loss)):
            self.history[name].append(float(value))


@final
class _Jets:
    """Jets over DeepXDE's derivatives; known data at its points are evaluated once, since they stay."""

    def __init__(self, dde: Any, problem: Problem) -> None:
        self._dde, self._problem = dde, problem
        self._memo: dict[str, Any] = {}

    def __call__(self, x: Tensor, y: Tensor) -> Jet:
        return jet_of(self._problem, x.detach(), _Derivatives(self._dde, x, y), memo=self._memo)


@final
class _Derivatives:
    """Values and derivatives (n, m) by `dde.grad`, which keeps what it has computed for as long as a step lasts."""

    def __init__(self, dde: Any, x: Tensor, y: Tensor) -> None:
        self._dde, self._x, self._y = dde, x, y

    def partial(self, axes: tuple[int, ...]) -> Tensor:
        return torch.cat([self._one(component, axes) for component in range(self._y.shape[1])], dim=1)

    def gradient(self, axes: tuple[int, ...]) -> Tensor:
        return torch.stack([self.partial((axis,)) for axis in axes], dim=2)

    def laplacian(self, axes: tuple[int, ...]) -> Tensor:
        return torch.stack([self.partial((axis, axis)) for axis in axes]).sum(dim=0)

    def _one(self, component: int, axes: tuple[int, ...]) -> Tensor:
        grad, x, y = self._dde.grad, self._x, self._y
        match axes:
            case ():
                found = y[:, component : component + 1]
            case (i,):
                found = grad.jacobian(y, x, i=component, j=i)
            case (i, j):
                found = grad.hessian(y, x, component=component, i=i, j=j)
            case (i, j, *others):
                found = grad.hessian(y, x, component=component, i=i, j=j)
                for axis in others:
                    found = grad.jacobian(found, x, i=0, j=axis)
        return found


@final
class _Soft:
    """A condition as DeepXDE has it: points, and what is left over there."""

    def __init__(self, problem: Problem, condition: Condition, batch: Mapping[str, Tensor], jets: _Jets) -> None:
        self._problem, self._condition, self._jets = problem, condition, jets
        self._points = batch[f"{label(condition)}.x"].numpy()
        self._normal = batch.get(f"{label(condition)}.normal")

    def collocation_points(self, x: np.ndarray) -> np.ndarray:
        """Where it is to hold."""
        return self._points

    def error(self, x: np.ndarray, inputs: Tensor, outputs: Tensor, beg: int, end: int, aux_var: None = None) -> Tensor:
        """The mismatch (n, 1) at its points, which are rows `beg` to `end`."""
        condition, problem = self._condition, self._problem
        u = self._jets(inputs, outputs).at(slice(beg, end))[condition.component]
        if isinstance(condition, Observations):
            return u.value - u.data("values", condition.values.to)
        normal = torch.zeros_like(u.x) if self._normal is None else self._normal
        return mismatch(condition, u, problem.domain.time, lambda jet: problem.normal_flux(jet, normal))  # type: ignore[arg-type]


def _equations(problem: Problem, function: nn.Module, x: Tensor) -> int:
    """How many equations the problem has."""
    return len(equations(problem, jet_of(problem, x, Recorder(function, x))))


def _network(dde: Any, function: nn.Module) -> Any:
    """Our network as one of DeepXDE's."""

    class Network(dde.nn.NN):
        """Forwards to ours."""

        def __init__(self) -> None:
            super().__init__()
            self.ours = function

        def forward(self, x: Tensor) -> Tensor:
            return self.ours(x)

    return Network()
