"""Runs experiments: several side by side, each with its own folder, none stopped by another's failure."""

from __future__ import annotations

import os
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

from ..checks import integer, member
from ..errors import ConfigError, MissingDataError, PdekitError, PdekitWarning
from ..files import missing
from ..report import plain
from ..rundir import RunDirectory
from ..sweep import completed, cores
from .experiment import Context, Experiment, Size
from .finding import Finding, Verdict
from .index import INDEX, page
from .observer import Observer, Silent
from .registry import ALL, experiments, select
from .store import Outcome, code_digest, contents, description, found_in, load, save

_FINAL = (Verdict.PASS, Verdict.FAIL)
"""Outcomes that need no second run."""

_Caught = list[warnings.WarningMessage]


@final
@dataclass(frozen=True)
class Report:
    """What a run found.

    Args:
        outcomes: in the order of the catalogue.
        out: the folder of results.
    """

    outcomes: tuple[Outcome, ...]
    out: Path

    @property
    def index(self) -> Path:
        """The page over all experiments of the folder."""
        return self.out / INDEX

    @property
    def success(self) -> bool:
        """Whether something ran, every claim of it holds, and nothing ended with an error."""
        verdicts = [outcome.verdict for outcome in self.outcomes]
        return Verdict.PASS in verdicts and not {Verdict.FAIL, Verdict.ERROR} & set(verdicts)


def run(
    names: Sequence[str] | str = (ALL,),
    *,
    size: Size = Size.QUICK,
    seed: int = 0,
    out: str | os.PathLike[str] = "runs/phenomena",
    data: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    chapter: int | None = None,
    again: bool = False,
    observer: Observer | None = None,
    seeds: Sequence[int] | None = None,
) -> Report:
    """Run experiments, and write what they find to a folder each, with one index page over all of them.

    Args:
        names: ids, or "all".
        size: quick or full.
        seed: the first of the seeds, as many as an experiment takes at that size.
        out: folder of results; what it already holds of the same configuration, seeds, data and code is not run again.
        data: the user's folder of data sets.
        jobs: experiments side by side, or the processes of one experiment's sweeps; as many as there are cores if None.
        chapter: of "all", only this chapter's.
        again: run also what is there.
        observer: hears of progress.
        seeds: run these instead.

    Returns:
        The outcomes. An experiment that raises an error is recorded with it, and the others go on.

    Raises:
        UnknownNameError: no such experiment, with the closest names.
        ConfigError: a negative seed, no seeds, no jobs.
        FileNotFoundError: no such folder of data sets.
        RunLockedError, UnsafePathError, OSError: the folder of results cannot be written.
    """
    for number in [seed] if seeds is None else [seed, *seeds]:
        integer("run", "seed", number, low=0)
    if seeds is not None and (not seeds or len(set(seeds)) < len(seeds)):
        raise ConfigError(f"run: seeds: got {list(seeds)}, expected one or more, each once, such as 0,1,2,3,4")
    member("run", "size", size, Size)
    chosen = select([names] if isinstance(names, str) else names, chapter)
    folder = None if data is None else Path(data)
    if folder is not None and not folder.is_dir():
        raise missing("folder of data sets", folder)
    return run_experiments(chosen, size, seed, out, folder, jobs, again, observer, seeds)


def run_experiments(
    chosen: Sequence[Experiment[Any]],
    size: Size,
    seed: int,
    out: str | os.PathLike[str],
    data: Path | None = None,
    jobs: int | None = None,
    again: bool = False,
    observer: Observer | None = None,
    seeds: Sequence[int] | None = None,
) -> Report:
    """Run given experiments, of the catalogue or not; see `run`."""
    jobs = cores() if jobs is None else jobs
    integer("run", "jobs", jobs)
    observer = Silent() if observer is None else observer
    with RunDirectory.create(out) as directory:
        code = code_digest()
        tasks = []
        for experiment in chosen:
            used = experiment.seeds(size, seed) if seeds is None else tuple(seeds)
            tasks.append(_Task(experiment, description(experiment, size, used, data, code), size, data))
        outcomes: dict[str, Outcome] = {}

        def finished(outcome: Outcome) -> None:
            outcomes[outcome.id] = outcome
            directory.write_text(INDEX, page(found_in(directory.path), [e.id for e in _catalogue(chosen)]))
            observer.finished(outcome)

        observer.start(len(tasks))
        try:
            pending = []
            for task in tasks:
                there = None if again else task.found(directory.path)
                if there is None:
                    pending.append(task)
                else:
                    finished(there)
            for outcome in _outcomes(pending, directory.path, jobs, observer):
                finished(outcome)
        finally:
            observer.stop()
        return Report(tuple(outcomes[e.id] for e in chosen), directory.path)


@final
class _Clock:
    """Runs from when it is made."""

    def __init__(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        """Seconds that passed, and seconds of the processor in this process, which other programs do not lengthen."""
        return {
            "seconds": time.perf_counter() - self._wall,
            "processor_seconds": time.process_time() - self._processor,
        }


@final
@dataclass(frozen=True)
class _Task:
    """One experiment to be run; travels between processes."""

    experiment: Experiment[Any]
    described: dict[str, Any]
    size: Size
    data: Path | None

    def found(self, out: Path) -> Outcome | None:
        """What an earlier run found, if it was the same and came to an end."""
        outcome = load(out / self.experiment.id)
        same = outcome is not None and outcome.record.get("fingerprint") == self.described["fingerprint"]
        return outcome if same and outcome is not None and outcome.verdict in _FINAL else None

    def execute(self, out: Path, jobs: int, report: Callable[[str, float], None] | None = None) -> Outcome:
        """Run the experiment and write its folder."""
        quiet: dict[str, Any] = {} if report is None else {"report": report}
        context = Context(tuple(self.described["seeds"]), self.data, size=self.size, jobs=jobs, **quiet)
        clock = _Clock()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", PdekitWarning)
            try:
                with RunDirectory.create(out / self.experiment.id) as directory:
                    return self._executed(directory, context, clock, caught)
            except (PdekitError, OSError) as error:  # its folder cannot be written: told, though nowhere kept
                return Outcome(plain(self._record(None, Verdict.ERROR, _told(error), clock, caught)))

    def _executed(self, directory: RunDirectory, context: Context, clock: _Clock, caught: _Caught) -> Outcome:
        try:
            finding = self.experiment.run(self.experiment.config(self.size), context)
            return save(directory, self._record(finding, finding.verdict, "", clock, caught), finding)
        except MissingDataError as error:
            # Whoever gives a folder says that the data are there.
            verdict, message = Verdict.NOT_RUN if self.data is None else Verdict.ERROR, str(error)
        except Exception as error:  # noqa: BLE001 -- the other experiments of the run go on
            verdict, message = Verdict.ERROR, _told(error)
        return save(directory, self._record(None, verdict, message, clock, caught), None)

    def _record(
        self, finding: Finding | None, verdict: Verdict, message: str, clock: _Clock, caught: _Caught
    ) -> dict[str, Any]:
        return self.described | {
            "verdict": str(verdict),
            "message": message,
            **contents(finding),
            "warnings": list(dict.fromkeys(str(warning.message) for warning in caught)),
            **clock.read(),
        }


def _outcomes(tasks: Sequence[_Task], out: Path, jobs: int, observer: Observer) -> Iterator[Outcome]:
    """One level of parallelism: experiments side by side, or the sweeps of a single one."""
    if len(tasks) > 1 and jobs > 1:
        yield from (outcome for _, outcome in completed(_Remote(out), tasks, jobs))
        return
    for task in tasks:
        yield task.execute(out, jobs, partial(observer.progress, task.experiment.id))


@final
@dataclass(frozen=True)
class _Remote:
    """Executes a task in a process of its own."""

    out: Path

    def __call__(self, task: _Task) -> Outcome:
        return task.execute(self.out, 1)


def _catalogue(chosen: Sequence[Experiment[Any]]) -> tuple[Experiment[Any], ...]:
    """The order of the index: as in the catalogue, then what is not in it."""
    known = experiments()
    ids = {experiment.id for experiment in known}
    return (*known, *(experiment for experiment in chosen if experiment.id not in ids))


def _told(error: Exception) -> str:
    """An error in words, with the place for those that are not ours."""
    if isinstance(error, PdekitError):
        return f"{type(error).__name__}: {error}"
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
