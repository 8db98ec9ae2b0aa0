"""The shell's commands for families of problems; each leaves single problems to its namesake in `commands`."""

from __future__ import annotations

import argparse
import dataclasses
import io
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, final

import numpy as np

from . import commands
from . import config as tables
from .commands import NOT_MET, SUCCESS, Output, assignments
from .config import Circumstances
from .errors import ConfigError, DataError
from .files import check_component, missing, write_atomically
from .npz import read_npz
from .operator_problem import OperatorProblem
from .operators import Learner, Operator, learn, load_operator
from .operators.storage import is_operator, stored_family, stored_learner
from .plot_style import save_figure
from .progress import Quiet, progress_for
from .quantity import Quantity
from .recipe import Budget
from .report import plain
from .rundir import RunDirectory

_INPUTS = "inputs"
_SECONDS_BETWEEN_LINES = 5.0


def solve(arguments: argparse.Namespace) -> Output:
    """Learn an operator, write the run's files and figures, report."""
    if not _about_family(arguments):
        if arguments.data is not None:
            raise ConfigError(
                f"--data: got {arguments.data!r}, expected it with a family only: others need no data sets"
            )
        return commands.solve_problem(arguments)
    job = _fresh(arguments) if arguments.resume is None else _resumed(arguments)
    # Last, so that no directory appears for a command that cannot work.
    with commands.directory(arguments) as run:
        operator = _learnt(job, run, arguments)
        note, data = "", operator.to_dict()
        if run is not None:
            from .operators.figures import write_figures

            figures = write_figures(operator, run.path)
            note = f"run in {run.path}, with {', '.join(path.name for path in figures)}"
            data |= {"run": str(run.path), "figures": [str(path) for path in figures]}
    return Output(str(operator), data, SUCCESS if operator.success else NOT_MET, note)


def predict(arguments: argparse.Namespace) -> Output:
    """Apply a learnt operator to the inputs in a file."""
    operator = load_operator(arguments.run, _given(arguments))
    inputs = _inputs(Path(arguments.input), operator)
    began = time.perf_counter()
    outputs = operator.predict(inputs)
    seconds = time.perf_counter() - began
    distances, reach = operator.distances(inputs), operator.predictor.reach
    arrays: dict[str, Any] = {"outputs": outputs, "distances": distances}
    arrays |= _coordinates("outputs", operator.predictor.output(outputs))
    written = _written(Path(arguments.out), arrays)
    far = int(reach.far(distances).sum())
    data = {
        "file": str(written),
        "cases": len(outputs),
        "shape": list(outputs.shape),
        "seconds": seconds,
        "distance": float(distances.max()),
        "reach": reach.quantile,
        "far": far,
    }
    text = (
        f"{written}: outputs {outputs.shape} of {operator.predictor.output(outputs).describe()}; largest distance of an input "
        f"{distances.max():.3g}, 99 % of the training inputs {reach.quantile:.3g}"
    )
    return Output(text, plain(data))


def plot(arguments: argparse.Namespace) -> Output:
    """Draw a finished run's figures."""
    if not is_operator(RunDirectory.view(arguments.run).read_config()):
        return commands.plot(arguments)
    from .operators import figures

    operator = load_operator(arguments.run, _given(arguments))
    if arguments.out is None:
        written = figures.write_figures(operator, arguments.run)
    else:
        drawn = {
            "examples": lambda: figures.plot_examples(operator),
            "bands": lambda: figures.plot_error_bands(operator).figure,
            "resolutions": lambda: figures.plot_resolutions(operator).figure,
            "history": lambda: figures.plot_training(operator).figure,
        }
        draw = drawn.get(arguments.figure or "examples")
        if draw is None:
            raise ConfigError(f"--figure: got {arguments.figure!r}, expected one of {', '.join(drawn)} for an operator")
        written = [save_figure(draw(), Path(arguments.out))]
    return Output("\n".join(map(str, written)), {"figures": [str(path) for path in written]})


@final
@dataclass(frozen=True)
class _Job:
    """The learning of an operator, fully specified."""

    family: OperatorProblem
    solver: Learner
    circumstances: Circumstances


@final
class _Making:
    """Tells on a stream how far data sets are, every few seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._next = stream, time.perf_counter() + _SECONDS_BETWEEN_LINES

    def __call__(self, what: str, fraction: float) -> None:
        if time.perf_counter() >= self._next:
            self._next = time.perf_counter() + _SECONDS_BETWEEN_LINES
            self._stream.write(f"{what}: {100 * fraction:.0f} %\n")
            self._stream.flush()


def _learnt(job: _Job, run: RunDirectory | None, arguments: argparse.Namespace) -> Operator:
    now = job.circumstances
    return learn(
        job.family,
        job.solver,
        folder=now.data,
        budget=Budget(now.steps, now.seconds),
        seed=now.seed,
        device=now.device,
        dtype=now.torch_dtype,
        rtol=now.rtol,
        run=run,
        resume=arguments.resume is not None,
        progress=Quiet() if arguments.quiet else progress_for(sys.stderr, verbose=arguments.verbose),
        report=None if arguments.quiet else _Making(sys.stderr),
        interrupts=True,
    )


def _about_family(arguments: argparse.Namespace) -> bool:
    if arguments.resume is not None:
        return is_operator(RunDirectory.view(arguments.resume).read_config())
    if arguments.problem is None and arguments.config is None:
        return False
    table = {} if arguments.config is None else tables.read_config(Path(arguments.config)).get(tables.PROBLEM, {})
    text = arguments.problem or table.get(tables.FILE) or table.get(tables.NAME)
    return text is not None and tables.family_source(str(text)) is not None


def _fresh(arguments: argparse.Namespace) -> _Job:
    """A new run: command line over file over defaults."""
    file = tables.read_config(Path(arguments.config)) if arguments.config else {}
    family_table = commands.table_of(file, tables.PROBLEM, arguments.problem)
    solver_table = commands.table_of(file, tables.SOLVER, arguments.solver)
    text = str(family_table.get(tables.FILE) or family_table[tables.NAME])
    source, base = tables.family_source(text), tables.learner_from_table(solver_table)
    assert source is not None  # `_about_family` has seen to it
    options = tables.split_options(source, base, assignments(arguments.set))
    fixed = {key: value for key, value in family_table.items() if key not in (tables.NAME, tables.FILE)}
    family = tables.family_given(text, fixed | options.problem)
    also = (*tables.parameter_names(source), *(f.name for f in dataclasses.fields(Circumstances)))
    solver = tables.with_options(base, options.solver, also=also)
    now = commands.circumstances_of({**file.get(tables.RUN, {}), **options.run}, arguments)
    return _Job(family, solver, now)


def _resumed(arguments: argparse.Namespace) -> _Job:
    """The run of a directory again; budget, tolerance and device may change, family and solver may not."""
    commands.refuse_with_resume(arguments)
    run = RunDirectory.view(arguments.resume)
    config = run.read_config()
    family, solver = stored_family(run, config, _given(arguments)), stored_learner(run, config)
    return _Job(family, solver, commands.circumstances_of(config.get(tables.RUN, {}), arguments))


def _given(arguments: argparse.Namespace) -> OperatorProblem | None:
    return None if arguments.problem is None else tables.family_given(arguments.problem, {})


def _inputs(path: Path, operator: Operator) -> np.ndarray:
    if not path.is_file():
        raise missing("input file", path)
    arrays = read_npz(path)
    if _INPUTS not in arrays:
        expected = operator.predictor.family.input.describe()
        raise DataError(
            f"{path}: got arrays {', '.join(arrays) or 'none'}, expected {_INPUTS!r}, (cases, points), {expected}; rename it"
        )
    if arrays[_INPUTS].ndim and not len(arrays[_INPUTS]):
        raise DataError(f"{path}: {_INPUTS}: got 0 cases, expected at least one")
    return arrays[_INPUTS]


def _coordinates(key: str, quantity: Quantity) -> dict[str, Any]:
    """Coordinates as the family `arrays` reads them."""
    named: dict[str, Any] = {f"{key}.{axis.name}": axis.coordinates for axis in quantity.axes}
    periodic = [axis.name for axis in quantity.axes if axis.periodic]
    return named | ({"periodic": np.array(periodic)} if periodic else {})


def _written(path: Path, arrays: dict[str, Any]) -> Path:
    check_component(str(path), path.name)
    if path.suffix != ".npz":
        raise ConfigError(f"--out: got {str(path)!r}, expected a file ending in .npz")
    content = io.BytesIO()
    np.savez(content, **arrays)
    write_atomically(path, (content.getbuffer(),))
    return path
