"""Solutions on disk: the files of a run, written so that damage is noticed, and read back without running code."""

from __future__ import annotations

import dataclasses
import io
import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import safetensors
import safetensors.torch

from . import config as tables
from .errors import CheckpointError, ConfigError, ProblemError, UnknownNameError
from .operator_problem import OperatorProblem
from .problem import Problem
from .record import Record
from .report import as_json
from .rundir import CONFIG, ENVIRONMENT, HISTORY, RESULT, WEIGHTS, RunDirectory
from .sealed import read_sealed, write_sealed
from .solution import Flag, Measures, Solution, Status, Trust
from .spectrum import Bands
from .study import HybridStudy

if TYPE_CHECKING:
    from .solver import Solver

STUDY: Final = "study.npz"

P = TypeVar("P", bound=Problem | OperatorProblem)
S = TypeVar("S")


def save_solution(solution: Solution, directory: str | os.PathLike[str]) -> Path:
    """Write a solution's files into a directory, made if need be; returns its path.

    Raises:
        UnsafePathError, PermissionError, RunLockedError: the directory cannot be written to.
    """
    with RunDirectory.create(directory) as run:
        write_result(solution, run)
        return run.path


def write_start(table: Mapping[str, Any], run: RunDirectory) -> None:
    """Note what is about to be solved, so that the run can be resumed, and drop the result of an earlier one."""
    run.file(RESULT).unlink(missing_ok=True)
    run.write_config(table)


def write_result(solution: Solution, run: RunDirectory) -> None:
    """Write config.toml, history.csv, environment.json, weights.safetensors, study.npz and, last, result.json."""
    run.write_config(solution.config)
    run.write_history(solution.history)
    run.write_json(ENVIRONMENT, solution.environment)
    # safetensors notices truncation but no flipped bit; so result.json keeps the digests.
    run.write_bytes(WEIGHTS, safetensors.torch.save(solution.field.tensors()))
    kept = [CONFIG, WEIGHTS]
    if isinstance(solution.study, HybridStudy):
        buffer = io.BytesIO()
        np.savez(buffer, **solution.study.to_arrays())  # type: ignore[arg-type]  # numpy's stub takes the names for options
        run.write_bytes(STUDY, buffer.getvalue())
        kept.append(STUDY)
    write_sealed(run, as_json(solution), kept)


def load(directory: str | os.PathLike[str], problem: Problem | None = None, solver: Solver | None = None) -> Solution:
    """The solution in a run's directory; on the CPU it has the same values bit for bit.

    Args:
        directory: where `Solution.save`, `solve(..., run=...)` or `pdekit solve --out` wrote it.
        problem: the problem, where config.toml cannot name it (one defined in a script, say).
        solver: the solver, where config.toml cannot name it.

    Raises:
        FileNotFoundError: no directory or file of that name, with the nearest; or the run was not finished.
        CheckpointError: damaged files, another architecture, a newer format.
        ProblemMismatchError: `problem` is not the one that was solved.
    """
    run = RunDirectory.view(directory)
    result, content = read_sealed(run)
    if "mean_predictor" in result:
        raise ProblemError(f"run {str(run.path)!r}: got an operator, expected a solution; use pdekit.load_operator")
    config = tomllib.loads(content[CONFIG].decode())
    problem = stored_problem(run, config, problem)
    solver = solver or stored_solver(run, config)
    weights = safetensors.torch.load(content[WEIGHTS])
    try:
        field = solver.restore(problem, weights)
    except KeyError as error:
        raise CheckpointError(
            f"{str(run.file(WEIGHTS))!r}: got no tensor {error}, expected what {solver.name} leaves; it is another solver's"
        ) from error
    return Solution(
        problem=problem,
        field=field,
        solver=result["solver"],
        status=Status[result["status"].upper()],
        message=result["message"],
        history=run.read_history() if run.file(HISTORY).exists() else Record(),
        bands=_bands(result["bands"]),
        band_kind=result["bands"]["kind"] if result["bands"] else "error",
        trust=_trust(result["trust"]),
        measures=Measures(**{f.name: result[f.name] for f in dataclasses.fields(Measures)}),
        timings=result["timings"],
        config=config,
        environment=run.read_json(ENVIRONMENT),
        study=_study(content.get(STUDY)),
    )


def stored_problem(run: RunDirectory, config: Mapping[str, Any], given: Problem | None = None) -> Problem:
    """The problem of a run: as config.toml names it, or the given one if it is the same.

    Raises:
        ProblemError: config.toml cannot name it.
        ProblemMismatchError: the given one is another.
    """
    return named_or_given(run, config, given, tables.problem_from_table, "problem", "solved")


def stored_solver(run: RunDirectory, config: Mapping[str, Any]) -> Solver:
    """The solver of a run, as config.toml describes it.

    Raises:
        ConfigError: config.toml cannot describe it, because it is of the user's own making.
    """
    return rebuilt_solver(run, config, tables.solver_from_table)


def named_or_given(
    run: RunDirectory,
    config: Mapping[str, Any],
    given: P | None,
    read: Callable[[Mapping[str, Any]], P],
    what: str,
    done: str,
) -> P:
    """What config.toml names, or the given one if it is the same; `what` was `done`.

    Raises:
        ProblemError: config.toml cannot name it.
        ProblemMismatchError: the given one is another.
    """
    table = config[tables.PROBLEM]
    if given is not None:
        tables.check_same(f"run {str(run.path)!r}", tables.problem_table(given), table)
        return given
    try:
        return read(table)
    except UnknownNameError as error:
        raise ProblemError(
            f"run {str(run.path)!r}: {what} {table.get(tables.NAME)!r} is neither in the catalogue nor found by name in a "
            f"file ({error}); pass the {what} that was {done}"
        ) from error


def rebuilt_solver(run: RunDirectory, config: Mapping[str, Any], read: Callable[[Mapping[str, Any]], S]) -> S:
    """The solver that config.toml describes.

    Raises:
        ConfigError: it cannot, because the solver is of the user's own making.
    """
    try:
        return read(config[tables.SOLVER])
    except UnknownNameError as error:
        raise ConfigError(f"run {str(run.path)!r}: its solver cannot be rebuilt: {error}; pass the solver") from error


def _trust(table: Mapping[str, Any]) -> Trust:
    numbers = {f.name: table[f.name] for f in dataclasses.fields(Trust) if f.name not in ("flags", "residual_bands")}
    flags = tuple(Flag[name.upper()] for name in table["flags"])
    return Trust(**numbers, residual_bands=_bands(table["residual_bands"]), flags=flags)


def _bands(table: Mapping[str, Any] | None) -> Bands | None:
    if table is None:
        return None
    return Bands(*(np.array(table[name], dtype=np.float64) for name in ("edges", "error_energy", "reference_energy")))


def _study(content: bytes | None) -> HybridStudy | None:
    if content is None:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return HybridStudy.from_arrays(arrays)
