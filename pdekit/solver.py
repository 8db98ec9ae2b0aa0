"""What a solver is, and `solve`: the one road from a problem to a Solution."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, final, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from .check import check_precision
from .config import to_table
from .environment import environment
from .errors import ConfigError, DeviceError
from .field import Field
from .problem import Problem
from .progress import Progress, Quiet
from .recipe import SHORTEST, Budget, Every, Probe
from .record import Record
from .scales import scales_within, with_scales
from .solution import Measures, Solution, Status, Trust

if TYPE_CHECKING:
    from .rundir import RunDirectory
    from .trace import ErrorTrace


@final
@dataclass(frozen=True, eq=False)
class Setting:
    """The circumstances of one solve, the same for every solver.

    Args:
        budget: limits on steps and seconds.
        seed: of all random numbers.
        device: "cpu" or "cuda".
        dtype: of the unknowns.
        rtol: requested relative error, or None.
        run: directory that keeps checkpoints and results, or None.
        resume: continue from the checkpoint in `run`.
        checkpoint: how often to save.
        progress: what is shown meanwhile.
        initial: a solution to start from, for solvers that can.
        study: whether a solver may spend extra time on companion runs for its figure.
        interrupts: save and stop on SIGINT and SIGTERM.
        trace: measures the error while the solver runs, and limits its time; see `left`, `clock`, `probes`, `instrument`.
    """

    budget: Budget = dataclasses.field(default_factory=Budget)
    seed: int = 0
    device: str = "cpu"
    dtype: torch.dtype = torch.float64
    rtol: float | None = None
    run: RunDirectory | None = None
    resume: bool = False
    checkpoint: Every = dataclasses.field(default_factory=lambda: Every(seconds=30.0))
    progress: Progress = dataclasses.field(default_factory=Quiet)
    initial: Solution | None = None
    study: bool = False
    interrupts: bool = False
    trace: ErrorTrace | None = None

    def generator(self, stream: int = 0) -> torch.Generator:
        """A generator of its own for each stream of random numbers."""
        return torch.Generator().manual_seed(self.seed * 1_000_003 + stream)

    def left(self, spent: float = 0.0) -> Budget:
        """What is left of the budget after `spent` seconds; with a trace the whole solve counts, from its start."""
        if self.trace is not None:
            return self.trace.left(self.budget)
        if self.budget.seconds is None or not spent:
            return self.budget
        return Budget(self.budget.steps, max(self.budget.seconds - spent, SHORTEST))

    @property
    def clock(self) -> Callable[[], float]:
        """What tells the seconds that budgets and histories speak of."""
        return time.perf_counter if self.trace is None else self.trace.watch.read

    def probes(self, function: Callable[[Tensor], Tensor]) -> Sequence[Probe]:
        """What measures the error of a function, (n, d) to (n, m) in float64 on the CPU, while it is found."""
        return () if self.trace is None else (self.trace.probe(function),)

    def instrument(self) -> AbstractContextManager[None]:
        """Within it time does not count: for references and other measuring instruments."""
        return nullcontext() if self.trace is None else self.trace.stopped()

    def observe(self, found: Callable[[], Field]) -> Mapping[str, float]:
        """Measure what a solver without a training loop has found so far, where a trace is kept and it is time."""
        return self.trace.measure(found()) if self.trace is not None and self.trace.due else {}


@final
@dataclass(frozen=True, eq=False)
class Outcome:
    """What a solver's own work yields; `solve` adds errors, bands and trust.

    Args:
        field: the function found.
        history: what was recorded.
        message: how it ended, in words.
        measures: the numbers the solver knows.
        exhausted: a budget ended it.
        diverged: it was rolled back.
        residual_train: relative residual on the training points.
        loss_estimate: relative energy error, for solvers whose loss is an error estimate.
        target: the discrete solution on the field's grid, for grid solvers.
        order: order of accuracy of that grid's equations.
        timings: seconds by stage.
        study: data of the solver's own figure.
    """

    field: Field
    history: Record
    message: str
    measures: Measures = dataclasses.field(default_factory=Measures)
    exhausted: bool = False
    diverged: bool = False
    residual_train: float | None = None
    loss_estimate: float | None = None
    target: np.ndarray | None = None
    order: int = 2
    timings: Mapping[str, float] = dataclasses.field(default_factory=dict)
    study: Any = None


@runtime_checkable
class Solver(Protocol):
    """A method with its configuration: an immutable value; all state lives in what `run` returns."""

    @property
    def name(self) -> str:
        """The name the shell knows."""
        ...

    def require(self, problem: Problem) -> None:
        """Raise NotApplicableError, naming the missing property, unless the solver fits the problem."""
        ...

    def run(self, problem: Problem, setting: Setting) -> Outcome:
        """Solve."""
        ...

    def restore(self, problem: Problem, tensors: Mapping[str, Tensor]) -> Field:
        """The field that `Field.tensors` of an earlier run describes.

        Raises:
            CheckpointError: the tensors are another architecture's.
        """
        ...


def solve(
    problem: Problem,
    solver: Solver,
    *,
    budget: Budget | None = None,
    seed: int = 0,
    device: str = "auto",
    dtype: torch.dtype | None = None,
    rtol: float | None = None,
    initial: Solution | None = None,
    run: RunDirectory | None = None,
    resume: bool = False,
    checkpoint: Every | None = None,
    progress: Progress | None = None,
    study: bool = False,
    interrupts: bool = False,
    check: bool = True,
    trace: ErrorTrace | None = None,
) -> Solution:
    """Solve `problem` with `solver`.

    The problem is checked first, scales left open by the solver are chosen for it, then it is solved and assessed: error
    by frequency band, held-out residual, boundary violation, error estimate, verdict.

    Args:
        problem: what to solve.
        solver: how, such as `pdekit.solvers.pinn()`; `pdekit.solvers.solver("pinn")` finds one by name.
        budget: limits on steps and wall seconds.
        seed: non-negative integer; on the CPU it fixes every number.
        device: "auto", "cpu" or "cuda"; auto takes CUDA where there is one.
        dtype: torch.float64 (default on the CPU) or torch.float32 (default on CUDA).
        rtol: requested relative L2 error; success then means that the evidence meets it.
        initial: a solution to start from.
        run: directory for checkpoints and results.
        resume: continue the run in that directory; equal to no interruption, bitwise on the CPU.
        checkpoint: how often to save; every 30 s by default.
        progress: what is shown meanwhile; nothing by default.
        study: let the solver make companion runs for its own figure.
        interrupts: save and stop on SIGINT and SIGTERM (for commands).
        check: look for impossible declarations before anything else.
        trace: measures the error while the solver runs; its seconds limit the whole solve.

    Raises:
        PdekitError: before the first step for whatever cannot work; DivergenceError during training.
    """
    started = time.perf_counter()
    setting = setting_of(
        budget=budget,
        seed=seed,
        device=device,
        dtype=dtype,
        rtol=rtol,
        run=run,
        resume=resume,
        checkpoint=checkpoint,
        progress=progress,
        initial=initial,
        study=study,
        interrupts=interrupts,
        trace=trace,
    )
    if trace is not None:
        trace.start()
    solver.require(problem)
    if check:
        check_precision(problem.domain, setting.dtype, problem.check().plan.order)
    solver = with_scales(solver, problem)
    if run is not None and not resume:
        from .storage import write_start

        write_start(to_table(problem, solver, setting), run)
    outcome = solver.run(problem, setting)
    solved = time.perf_counter()
    if trace is not None:
        trace.measure(outcome.field)
    solution = _concluded(problem, solver, setting, outcome, {"solve": solved - started})
    if run is not None:
        from .storage import write_result

        write_result(solution, run)
    return solution


def setting_of(
    *,
    budget: Budget | None,
    seed: int,
    device: str,
    dtype: torch.dtype | None,
    rtol: float | None,
    run: RunDirectory | None,
    resume: bool,
    checkpoint: Every | None,
    progress: Progress | None,
    initial: Solution | None = None,
    study: bool = False,
    interrupts: bool = False,
    trace: ErrorTrace | None = None,
) -> Setting:
    """The circumstances that a caller asks for, checked, with defaults for what was left open.

    Raises:
        ConfigError: an impossible seed or tolerance.
        DeviceError: no such device.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigError(f"seed: got {seed!r}, expected a non-negative integer")
    if rtol is not None and not (isinstance(rtol, float | int) and not isinstance(rtol, bool) and 0 < rtol < 1):
        raise ConfigError(f"rtol: got {rtol!r}, expected a number between 0 and 1, such as 1e-3")
    place = _device(device)
    return Setting(
        budget=budget or Budget(),
        seed=seed,
        device=place,
        dtype=dtype or (torch.float64 if place == "cpu" else torch.float32),
        rtol=rtol,
        run=run,
        resume=resume,
        checkpoint=checkpoint or Every(seconds=30.0),
        progress=progress or Quiet(),
        initial=initial,
        study=study,
        interrupts=interrupts,
        trace=trace,
    )


def _concluded(
    problem: Problem, solver: Solver, setting: Setting, outcome: Outcome, timings: dict[str, float]
) -> Solution:
    from .trust import assess

    before = time.perf_counter()
    verdict = assess(problem, outcome, setting)
    status, why = _status(outcome, verdict.trust, verdict.evidence, setting)
    timings |= dict(outcome.timings) | {"assess": time.perf_counter() - before}
    # Measuring instruments and companion runs are not part of what the answer cost.
    timings["total"] = timings["solve"] - sum(timings.get(name, 0.0) for name in ("study", "discrete_reference"))
    return Solution(
        problem=problem,
        field=outcome.field,
        solver=solver.name,
        status=status,
        message="; ".join(part for part in (why, *_chosen(solver), outcome.message) if part),
        history=outcome.history,
        bands=verdict.bands,
        band_kind=verdict.band_kind,
        trust=verdict.trust,
        measures=verdict.measures,
        timings=timings,
        config=to_table(problem, solver, setting),
        environment=circumstances(setting),
        study=outcome.study,
    )


def _chosen(solver: Solver) -> list[str]:
    """What was left to the problem, and how it was decided."""
    return [f"scales {scales}" for scales in scales_within(solver)]


def _status(outcome: Outcome, trust: Trust, evidence: float | None, setting: Setting) -> tuple[Status, str]:
    if outcome.diverged:
        return Status.DIVERGED, "training diverged"
    if not trust.trusted:
        return Status.UNTRUSTED, "flags: " + ", ".join(flag.name.lower() for flag in trust.flags)
    if setting.rtol is None:
        return Status.FINISHED, ""
    if evidence is not None and evidence <= setting.rtol:
        return Status.CONVERGED, f"estimated relative error {evidence:.2g} <= rtol {setting.rtol:g}"
    found = "no error estimate is available" if evidence is None else f"estimated relative error {evidence:.2g}"
    return (Status.BUDGET if outcome.exhausted else Status.NOT_CONVERGED), f"{found}, rtol {setting.rtol:g} not met"


def circumstances(setting: Setting) -> dict[str, Any]:
    """What a result says of how it came about: seed, device, element type, versions."""
    chosen = {"seed": setting.seed, "device": setting.device, "dtype": str(setting.dtype).removeprefix("torch.")}
    return chosen | environment()


def _device(name: str) -> str:
    available = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
    if name == "auto":
        return available[-1]
    if name not in available:
        raise DeviceError(f"device: got {name!r}, available: {', '.join(available)}; use device='auto'")
    return name
