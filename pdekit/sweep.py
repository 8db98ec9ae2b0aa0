"""A function over many values, in other processes or on a cluster; one thread each.

joblib chooses where: processes of this machine by default, a Dask cluster inside `joblib.parallel_config("dask")`.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar, final

import torch

from .checks import integer
from .errors import SweepError

V = TypeVar("V")
R = TypeVar("R")


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if "sched_getaffinity" in dir(os) else os.cpu_count() or 1


def sweep(
    function: Callable[[V], R],
    values: Sequence[V],
    *,
    jobs: int = 1,
    report: Callable[[str, float], None] | None = None,
    label: str = "sweep",
) -> list[R]:
    """function(value) for every value, in their order.

    Args:
        function: of one value; it and what it returns travel between processes, so no open files.
        values: in any order that balances the load, long ones first.
        jobs: how many run side by side; 1 runs them here.
        report: told which fraction is done.
        label: what progress calls this.

    Raises:
        SweepError: the function raised an error; the message names the first such value, in order of completion.
    """
    found: dict[int, R] = {}
    for index, result in completed(function, values, jobs):
        found[index] = result
        if report is not None:
            report(label, len(found) / len(values))
    return [found[index] for index in range(len(values))]


def completed(function: Callable[[V], R], values: Sequence[V], jobs: int) -> Iterator[tuple[int, R]]:
    """Index and result of each value as soon as it is there; see `sweep`."""
    integer("sweep", "jobs", jobs)
    for index, result in _results(function, values, jobs):
        if isinstance(result, _Failure):
            raise SweepError(
                f"sweep: value {values[index]!r}: got {result.kind}: {result.message}, expected a result\n{result.trace}"
            )
        yield index, result


def _results(function: Callable[[V], R], values: Sequence[V], jobs: int) -> Iterator[tuple[int, R | _Failure]]:
    if jobs == 1 or len(values) < 2:
        for index, value in enumerate(values):
            yield index, _attempt(function, value)
        return
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=min(jobs, len(values)), return_as="generator_unordered", batch_size=1)
    yield from parallel(delayed(_alone)(function, index, value) for index, value in enumerate(values))


def _alone(function: Callable[[V], R], index: int, value: V) -> tuple[int, R | _Failure]:
    """One call in a process of its own; more threads would only take each other's cores."""
    torch.set_num_threads(1)
    return index, _attempt(function, value)


@final
@dataclass(frozen=True)
class _Failure:
    """An error, told in words: not every exception survives the way between processes."""

    kind: str
    message: str
    trace: str


def _attempt(function: Callable[[V], R], value: V) -> R | _Failure:
    try:
        return function(value)
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is raised again with the value's name
        return _Failure(type(error).__name__, str(error), traceback.format_exc(limit=-4))
