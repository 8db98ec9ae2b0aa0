"""A function called in a fresh Python process: nothing it imports, sets or breaks reaches ours.

Arguments travel there by cloudpickle, so that classes of a running script go along; what it prints goes nowhere.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, final

from .errors import ChildError

R = TypeVar("R")

_START = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from pdekit.child import serve; serve()"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def in_child(
    function: Callable[..., R],
    *arguments: object,
    threads: int,
    patience: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> R:
    """function(*arguments) in a process of its own.

    Args:
        function: of an importable module.
        arguments: whatever cloudpickle takes.
        threads: of the process's arithmetic.
        patience: seconds after which it is killed; None waits for ever.
        environment: further environment variables.

    Raises:
        ChildError: the function raised an error, or the process died or was killed.
    """
    limits = dict.fromkeys(_THREADS, str(threads))
    command = [sys.executable, "-c", _START, json.dumps(sys.path)]
    try:
        done = subprocess.run(
            command,
            input=_packed(function, arguments),
            capture_output=True,
            timeout=patience,
            env=os.environ | limits | dict(environment or {}),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ChildError(f"not done after {patience:.0f} s, killed", "TimeoutExpired") from error
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise ChildError(
            f"the process ended with code {done.returncode}: {said[-1] if said else 'no message'}", "Death"
        )
    answer = pickle.loads(done.stdout)  # noqa: S301 -- written by `serve`, in a process that we started
    if isinstance(answer, _Failure):
        raise ChildError(answer.message, answer.kind)
    result: R = answer
    return result


def serve() -> None:
    """The other side: read function and arguments from stdin, write what comes of it to stdout."""
    with os.fdopen(os.dup(1), "wb") as output:
        os.dup2(2, 1)  # what anybody prints must not mix with the answer
        function, arguments = pickle.load(sys.stdin.buffer)  # noqa: S301 -- written by `in_child`, which started us
        try:
            answer: Any = function(*arguments)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is raised again on the other side
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = "" if type(error).__module__.startswith("pdekit") else f" ({place.name}:{place.lineno})"
            answer = _Failure(type(error).__name__, f"{error}{where}")
        output.write(pickle.dumps(answer))


def peak_memory() -> float:
    """The most memory that this process has had, in mebibytes; NaN where the system does not tell."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            line = next(line for line in status if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return float("nan")
    return int(line.split()[1]) / 1024


@final
@dataclass(frozen=True)
class _Failure:
    """An error in words: not every exception survives the way between processes."""

    kind: str
    message: str


def _packed(function: Callable[..., object], arguments: tuple[object, ...]) -> bytes:
    """Function and arguments; classes of modules that the other process cannot import are sent whole."""
    import cloudpickle

    names = {type(part).__module__ for argument in arguments for part in _parts(argument)}
    hidden = [sys.modules[name] for name in names if name in sys.modules and not _importable(name)]
    for module in hidden:
        cloudpickle.register_pickle_by_value(module)
    try:
        packed: bytes = cloudpickle.dumps((function, arguments))
    finally:
        for module in hidden:
            cloudpickle.unregister_pickle_by_value(module)
    return packed


def _parts(value: object) -> Iterator[object]:
    """A value and, of configurations, all that it is made of."""
    yield value
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _parts(getattr(value, field.name, None))


def _importable(name: str) -> bool:
    """Whether a process with our path finds a module, whether or not we have it."""
    first = name.partition(".")[0]
    # cloudpickle sends the classes of a running script whole in any case.
    return first == "__main__" or any(finder.find_spec(first, None) is not None for finder in sys.meta_path)
