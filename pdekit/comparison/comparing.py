"""compare: several solvers, one problem, the same time for all."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext

import torch

from ..checks import integer, member, real
from ..environment import environment
from ..errors import ConfigError, MissingPackageError, NotApplicableError
from ..plot_style import save_figure
from ..problem import Problem
from ..report import plain
from ..rundir import RunDirectory
from ..solver import Solver
from ..solvers import solver as solver_named
from ..stopwatch import Clock
from ..trace import held_out
from ..trust.accuracy import accuracy
from .classical import Classical, climbed, is_classical
from .job import Job, Terms, described
from .observer import Observer, Silent
from .result import Comparison, Standing
from .run import Fate, Run

RUNS = "runs"
RESULT = "comparison.json"
CLASSICAL = "classical.json"


def compare(
    problem: Problem,
    solvers: Iterable[str | Solver] | Mapping[str, Solver],
    *,
    seconds: float = 60.0,
    seeds: Sequence[int] = (0, 1, 2),
    out: str | os.PathLike[str] | None = None,
    threads: int = 1,
    jobs: int = 1,
    clock: Clock = Clock.WALL,
    device: str = "auto",
    dtype: torch.dtype | None = None,
    again: bool = False,
    observer: Observer | None = None,
) -> Comparison:
    """Give every solver the same problem and the same time, and set them beside each other.

    Every run is a process of its own. Errors against time are measured on held-out points while a solve runs, on a clock
    that stands still meanwhile. Beside the solvers stand the fastest classical solver that is as good as the best of them,
    and the best constant.

    Args:
        problem: what is solved.
        solvers: names of the catalogue, solvers, or solvers by the labels that tables shall give them.
        seconds: of each whole solve: building, training, solving; not the start of Python, nor the assessment.
        seeds: a run for each; a failed run, or one with NaN, counts as infinitely bad.
        out: folder for runs, tables and figures. Runs that it already holds, of the same problem, solver, seed and terms,
            are not made again, failures excepted.
        threads: of each run.
        jobs: runs side by side; more than one disturb each other's times.
        clock: Clock.WALL, or Clock.PROCESSOR for a busy machine and one thread.
        device, dtype: as in `solve`.
        again: make also the runs that `out` holds.
        observer: hears of progress.

    Returns:
        The comparison. Solvers that do not apply, and peers that are not installed, stand in it with the reason.

    Raises:
        UnknownNameError: no such solver, with the closest names.
        ConfigError: no solvers or seeds, or seconds, threads or jobs that are not positive.
        PdekitError: the problem cannot be right; see `Problem.check`.

    Notes: takes solvers x seeds x (seconds + about 10 s for start and assessment) / jobs.
    """
    real("compare", "seconds", seconds, low=0.0)
    integer("compare", "threads", threads)
    integer("compare", "jobs", jobs)
    member("compare", "clock", clock, Clock)
    for seed in seeds:
        integer("compare", "seed", seed, low=0)
    entries = _entries(solvers, problem)
    if not entries or not len(seeds):
        raise ConfigError(f"compare: got {len(entries)} solvers and {len(seeds)} seeds, expected at least one of each")
    problem.check()
    observer = observer or Silent()
    terms = Terms(float(seconds), threads, clock, device, dtype)
    with _directory(out) as directory:
        absent = {label: reason for label, solver in entries.items() if (reason := _reason(problem, solver))}
        for label, reason in absent.items():
            observer.note(f"{label} does not run: {reason}")
        wanted = [
            Job(problem, label, solver, seed, terms)
            for seed in seeds
            for label, solver in entries.items()
            if label not in absent
        ]
        runs = _made(wanted, directory, jobs, again, observer)
        standings = tuple(
            Standing(label, tuple(runs[label, seed] for seed in seeds if (label, seed) in runs), absent.get(label, ""))
            for label in entries
        )
        comparison = Comparison(
            problem=plain(described(problem)),
            terms=terms.plain(),
            seeds=tuple(seeds),
            standings=standings,
            classical=_classical(problem, entries, standings, terms, directory, observer),
            trivial=_trivial(problem),
            environment=environment(),
        )
        if directory is not None:
            _write(comparison, directory)
    return comparison


def _entries(solvers: Iterable[str | Solver] | Mapping[str, Solver], problem: Problem) -> dict[str, Solver]:
    """Solvers by label, names as the problem suggests them; a second one of the same name gets a number."""
    if isinstance(solvers, str):
        raise ConfigError(f"compare: solvers: got {solvers!r}, expected several; write ({solvers!r},)")
    if isinstance(solvers, Mapping):
        return {label: _checked(each) for label, each in solvers.items()}
    given: dict[str, Solver] = {}
    for each in solvers:
        found = solver_named(each, problem) if isinstance(each, str) else _checked(each)
        label, number = found.name, 2
        while label in given:
            label, number = f"{found.name}-{number}", number + 1
        given[label] = found
    return given


def _checked(solver: Solver) -> Solver:
    if not isinstance(solver, Solver):
        raise ConfigError(f"compare: solvers: got {solver!r}, expected solvers or names of `pdekit solvers`")
    return solver


def _directory(out: str | os.PathLike[str] | None) -> AbstractContextManager[RunDirectory | None]:
    return nullcontext() if out is None else RunDirectory.create(out)


def _reason(problem: Problem, solver: Solver) -> str:
    """Why a solver cannot run; empty if it can."""
    try:
        solver.require(problem)
    except (NotApplicableError, MissingPackageError) as error:
        return str(error)
    return ""


# Runs --------------------------------------------------------------------------------------------------------------


def _made(
    wanted: Sequence[Job], directory: RunDirectory | None, jobs: int, again: bool, observer: Observer
) -> dict[tuple[str, int], Run]:
    """The runs by label and seed: kept ones, then new ones, each written as soon as it is there."""
    observer.start(len(wanted))
    found: dict[tuple[str, int], Run] = {}
    pending: list[Job] = []
    for job in wanted:
        kept = None if again or directory is None else _kept(directory, job)
        if kept is None:
            pending.append(job)
        else:
            found[job.label, job.seed] = kept
            observer.finished(kept, kept=True)
    for job, run in _results(pending, jobs):
        if directory is not None:
            directory.write_json(_file(job), run.record)
        found[job.label, job.seed] = run
        observer.finished(run, kept=False)
    return found


def _results(pending: Sequence[Job], jobs: int) -> Iterator[tuple[Job, Run]]:
    if jobs == 1:  # in this thread, so that an interrupt ends the run that is under way
        for job in pending:
            yield job, job.run()
        return
    with ThreadPoolExecutor(jobs) as pool:
        yield from zip(pending, pool.map(Job.run, pending), strict=True)


def _file(job: Job) -> str:
    return f"{RUNS}/{job.label}-{job.seed}.json"


def _kept(directory: RunDirectory, job: Job) -> Run | None:
    try:
        run = Run(json.loads(directory.file(_file(job)).read_text(encoding="utf-8")))
        return run if run.record["digest"] == job.digest and run.fate is not Fate.FAILED else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


# What stands beside ------------------------------------------------------------------------------------------------


def _classical(
    problem: Problem,
    entries: Mapping[str, Solver],
    standings: Sequence[Standing],
    terms: Terms,
    directory: RunDirectory | None,
    observer: Observer,
) -> Classical | None:
    """Classical solvers as good as the best of the others (of all, if there are no others)."""
    if problem.reference() is None:
        return None
    others = [s.median for s in standings if not is_classical(entries[s.label])] or [s.median for s in standings]
    target = min((median for median in others if math.isfinite(median)), default=math.inf)
    about = plain({"problem": described(problem), "terms": terms.plain()})
    if directory is not None:
        kept = _kept_classical(directory, about, target)
        if kept is not None:
            return kept
    observer.note(f"classical solvers, to the relative error {target:.1e} of the best")
    found = climbed(problem, target, terms)
    if directory is not None:
        directory.write_json(CLASSICAL, about | found.plain())
    return found


def _kept_classical(directory: RunDirectory, about: Mapping[str, object], target: float) -> Classical | None:
    try:
        table = json.loads(directory.file(CLASSICAL).read_text(encoding="utf-8"))
        found = Classical.from_plain(table)
        same = all(table[key] == value for key, value in about.items())
        return Classical(target, found.rungs, found.reasons) if same and found.covers(target) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _trivial(problem: Problem) -> float | None:
    """Relative L2 error of the best constant in each component."""
    reference = problem.reference()
    if reference is None:
        return None
    points = held_out(problem)
    known = reference(points.x)
    mean = (points.weight @ known) / points.weight.sum()
    return accuracy(mean.expand_as(known), known, points.weight).rel_l2


def _write(comparison: Comparison, directory: RunDirectory) -> None:
    directory.write_json(RESULT, comparison.to_dict())
    directory.write_text("table.md", comparison.table(markdown=True))
    directory.write_text("table.csv", comparison.to_csv())
    directory.write_environment()
    for name, figure in comparison.plot().items():
        save_figure(figure, directory.file(f"{name}.png"))
