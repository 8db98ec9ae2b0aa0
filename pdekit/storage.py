"""Solutions on disk: the files of a run, written so that damage is noticed, and read back without running code."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import safetensors
import safetensors.torch

from . import config as tables
from .errors import CheckpointError, ConfigError, ProblemError, ProblemMismatchError, UnknownNameError
from .files import missing
from .problem import Problem
from .record import Record
from .report import as_json
from .rundir import CONFIG, ENVIRONMENT, HISTORY, RESULT, WEIGHTS, RunDirectory, json_text
from .solution import Flag, Measures, Solution, Status, Trust
from .spectrum import Bands
from .study import HybridStudy

if TYPE_CHECKING:
    from .solver import Solver

FORMAT: Final = 1
"""Version of result.json's layout."""
STUDY: Final = "study.npz"
_FORMAT, _SUMS, _DIGEST = "format", "sha256", "sha256_of_this"
_UNSEALED: Final = "0" * 64
"""Stands where the digest of result.json will stand, while the digest is taken."""


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
    result = as_json(solution) | {_FORMAT: FORMAT, _SUMS: {name: _digest(run.file(name).read_bytes()) for name in kept}}
    run.write_text(RESULT, _sealed(result))


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
    result = _result(run)
    content = {name: _checked(run, name, digest) for name, digest in result[_SUMS].items()}
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
    table = config[tables.PROBLEM]
    if given is not None:
        _check_same(run, tables.problem_table(given), table)
        return given
    try:
        return tables.problem_from_table(table)
    except UnknownNameError as error:
        raise ProblemError(
            f"run {str(run.path)!r}: problem {table.get(tables.NAME)!r} is neither in the catalogue nor found by name in "
            f"a file ({error}); pass the problem that was solved"
        ) from error


def stored_solver(run: RunDirectory, config: Mapping[str, Any]) -> Solver:
    """The solver of a run, as config.toml describes it.

    Raises:
        ConfigError: config.toml cannot describe it, because it is of the user's own making.
    """
    try:
        return tables.solver_from_table(config[tables.SOLVER])
    except UnknownNameError as error:
        raise ConfigError(f"run {str(run.path)!r}: its solver cannot be rebuilt: {error}; pass the solver") from error


def _result(run: RunDirectory) -> dict[str, Any]:
    """The parsed result.json, checked against its own digest."""
    path = run.file(RESULT)
    if not path.exists():
        error = missing("result", path)
        if run.checkpoint.exists():
            raise FileNotFoundError(f"{error}; the run was not finished, resume it: pdekit solve --resume {run.path}")
        raise error
    try:
        content = path.read_bytes()
        result = json.loads(content)
        version, digest = result[_FORMAT], result.pop(_DIGEST)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"result {str(path)!r}: checksum missing: {type(error).__name__}: {error}; the file is damaged or foreign"
        ) from error
    if isinstance(version, int) and version > FORMAT:
        raise CheckpointError(
            f"result {str(path)!r}: got format version {version}, expected at most {FORMAT}; update pdekit to read it"
        )
    # Of the bytes, not of what they mean: 1e-5 and 1E-5 read the same, and yet one of them was not written.
    if digest != _digest(content.replace(str(digest).encode(), _UNSEALED.encode())):
        raise _damaged(path)
    return dict(result)


def _checked(run: RunDirectory, name: str, digest: str) -> bytes:
    path = run.file(name)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise missing("file", path) from None
    if _digest(content) != digest:
        raise _damaged(path)
    return content


def _check_same(run: RunDirectory, now: Mapping[str, Any], then: Mapping[str, Any]) -> None:
    """Compare problems field by field; where a file lies does not matter."""
    for key in dict.fromkeys([*now, *then]):
        if key != tables.FILE and now.get(key) != then.get(key):
            raise ProblemMismatchError(
                f"run {str(run.path)!r}: problem field {key!r}: got {now.get(key)!r}, expected {then.get(key)!r} as solved; "
                "pass the problem that was solved"
            )


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


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sealed(result: Mapping[str, Any]) -> str:
    """The text of result.json, which carries the digest of itself."""
    text = json_text({**result, _DIGEST: _UNSEALED})
    return text.replace(_UNSEALED, _digest(text.encode()))


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(
        f"file {str(path)!r}: checksum mismatch: it is not as it was when the result was written; "
        "it is damaged or was changed, use another copy or solve anew"
    )
