"""Operators on disk: the files of a run, written so that damage is noticed, and read back without running code."""

from __future__ import annotations

import io
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import safetensors.torch

from .. import config as tables
from ..errors import CheckpointError, ProblemError
from ..operator_problem import OperatorProblem
from ..record import Record
from ..rundir import CONFIG, ENVIRONMENT, HISTORY, WEIGHTS, RunDirectory
from ..sealed import read_sealed, write_sealed
from ..solution import Status
from ..spectrum import Bands
from ..storage import named_or_given, rebuilt_solver
from .accuracy import CaseErrors
from .costs import Costs
from .learner import Learner
from .predictor import Predictor
from .reach import Reach
from .report import as_dict
from .result import Examples, Operator, Scores

CASES: Final = "cases.npz"
"""Errors case by case, and the examples."""
_NETWORK, _REACH, _TEST, _EXAMPLES = "network.", "reach.", "test", "examples"


def save_operator(operator: Operator, directory: str | os.PathLike[str]) -> Path:
    """Write an operator's files into a directory, made if need be; returns its path.

    Raises:
        UnsafePathError, PermissionError, RunLockedError: the directory cannot be written to.
    """
    with RunDirectory.create(directory) as run:
        write_operator(operator, run)
        return run.path


def write_operator(operator: Operator, run: RunDirectory) -> None:
    """Write config.toml, history.csv, environment.json, weights.safetensors, cases.npz and, last, result.json."""
    run.write_config(operator.config)
    run.write_history(operator.history)
    run.write_json(ENVIRONMENT, operator.environment)
    state = operator.predictor.network.state_dict()
    tensors = {f"{_NETWORK}{name}": t.detach().cpu().contiguous() for name, t in state.items()}
    tensors |= {f"{_REACH}{name}": t for name, t in operator.predictor.reach.tensors().items()}
    run.write_bytes(WEIGHTS, safetensors.torch.save(tensors))
    content = io.BytesIO()
    np.savez(content, **_arrays(operator))  # type: ignore[arg-type]  # numpy's stub takes the names for options
    run.write_bytes(CASES, content.getvalue())
    write_sealed(run, as_dict(operator), [CONFIG, WEIGHTS, CASES])


def load_operator(
    directory: str | os.PathLike[str], family: OperatorProblem | None = None, solver: Learner | None = None
) -> Operator:
    """The operator in a run's directory; on the CPU it predicts the same bit for bit.

    Args:
        directory: where `Operator.save`, `learn(..., run=...)` or `pdekit solve --out` wrote it.
        family: where config.toml cannot name it (one defined in a script, say).
        solver: likewise.

    Raises:
        FileNotFoundError: no directory or file of that name, with the nearest; or the run was not finished.
        CheckpointError: damaged files, another architecture, a newer format.
        ProblemError: the run is not that of an operator, or its family cannot be named.
        ProblemMismatchError: `family` is not the one that was learnt.
    """
    run = RunDirectory.view(directory)
    result, content = read_sealed(run)
    if "mean_predictor" not in result:
        raise ProblemError(f"run {str(run.path)!r}: got a solution, expected an operator; use pdekit.load")
    config = tomllib.loads(content[CONFIG].decode())
    family = stored_family(run, config, family)
    learner = solver or stored_learner(run, config)
    tensors = safetensors.torch.load(content[WEIGHTS])
    with np.load(io.BytesIO(content[CASES]), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    try:
        network = learner.restore(family, _under(_NETWORK, tensors), tables.DTYPES[result["dtype"]])
        reach = Reach.restored(_under(_REACH, tensors))
    except KeyError as error:
        raise CheckpointError(
            f"{str(run.file(WEIGHTS))!r}: got no tensor {error}, expected it; another solver's"
        ) from error
    finer = tuple(_errors(arrays, f"finer{i}") for i in range(len(result["rel_l2_resolutions"]) - 1))
    return Operator(
        predictor=Predictor(family, network, reach),
        learner=learner,
        status=Status[result["status"].upper()],
        message=result["message"],
        history=run.read_history() if run.file(HISTORY).exists() else Record(),
        scores=Scores(_errors(arrays, _TEST), finer, result["rel_l2_train"], result["mean_predictor"]),
        costs=Costs(
            result["data_seconds"],
            result["train_seconds"],
            result["seconds_per_case"],
            result["classical_seconds_per_case"],
        ),
        examples=_examples(arrays),
        steps=result["steps"],
        train_cases=result["train_cases"],
        config=config,
        environment=run.read_json(ENVIRONMENT),
    )


def stored_family(
    run: RunDirectory, config: Mapping[str, Any], given: OperatorProblem | None = None
) -> OperatorProblem:
    """The family of a run: as config.toml names it, or the given one if it is the same.

    Raises:
        ProblemError: config.toml cannot name it.
        ProblemMismatchError: the given one is another.
    """
    return named_or_given(run, config, given, tables.family_from_table, "family", "learnt")


def stored_learner(run: RunDirectory, config: Mapping[str, Any]) -> Learner:
    """The solver of a run, as config.toml describes it.

    Raises:
        ConfigError: config.toml cannot describe it, because it is of the user's own making.
    """
    return rebuilt_solver(run, config, tables.learner_from_table)


def is_operator(config: Mapping[str, Any]) -> bool:
    """Whether a run with this config.toml learns an operator."""
    table = config.get(tables.PROBLEM, {})
    return tables.family_source(str(table.get(tables.FILE) or table.get(tables.NAME))) is not None


def _under(prefix: str, named: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in named.items() if name.startswith(prefix)}


def _arrays(operator: Operator) -> dict[str, np.ndarray]:
    scores, examples = operator.scores, operator.examples
    arrays = {
        f"{_EXAMPLES}.labels": np.array(examples.labels),
        f"{_EXAMPLES}.inputs": examples.inputs,
        f"{_EXAMPLES}.outputs": examples.outputs,
        f"{_EXAMPLES}.predicted": examples.predicted,
    }
    for name, errors in ((_TEST, scores.test), *((f"finer{i}", e) for i, e in enumerate(scores.finer))):
        arrays |= {
            f"{name}.points": np.array(errors.points),
            f"{name}.each": errors.each,
            f"{name}.edges": errors.bands.edges,
            f"{name}.error_energy": errors.bands.error_energy,
            f"{name}.reference_energy": errors.bands.reference_energy,
        }
    return arrays


def _errors(arrays: Mapping[str, np.ndarray], name: str) -> CaseErrors:
    bands = Bands(*(arrays[f"{name}.{column}"] for column in ("edges", "error_energy", "reference_energy")))
    return CaseErrors(tuple(arrays[f"{name}.points"].tolist()), arrays[f"{name}.each"], bands)


def _examples(arrays: Mapping[str, np.ndarray]) -> Examples:
    labels = tuple(str(label) for label in arrays[f"{_EXAMPLES}.labels"])
    inputs, outputs, predicted = (arrays[f"{_EXAMPLES}.{name}"] for name in ("inputs", "outputs", "predicted"))
    return Examples(labels, inputs, outputs, predicted)
