"""`learn`: the one road from a family of equations to an Operator."""

from __future__ import annotations

import os
from typing import Final

import numpy as np
import torch

from ..config import family_table
from ..errors import FrequencyError, ShapeError
from ..nn import PointOperator
from ..operator_problem import Family, OperatorProblem
from ..progress import Progress
from ..recipe import Budget, Every
from ..rundir import RunDirectory
from ..solution import Status
from ..solver import Setting, circumstances, setting_of
from .accuracy import CaseErrors
from .cases import Cases, Report, Source, Split
from .costs import Costs, seconds_per_case
from .learner import Learned, Learner
from .predictor import Predictor
from .reach import Reach
from .result import Examples, Operator, Scores

_TIMED: Final = 32
"""Cases that costs are measured with, at most."""
_SEEN: Final = 200
"""Training cases whose error is measured, at most."""


def learn(
    family: OperatorProblem,
    solver: Learner,
    *,
    data: Split | None = None,
    folder: str | os.PathLike[str] | None = None,
    budget: Budget | None = None,
    seed: int = 0,
    device: str = "auto",
    dtype: torch.dtype | None = None,
    rtol: float | None = None,
    run: RunDirectory | None = None,
    resume: bool = False,
    checkpoint: Every | None = None,
    progress: Progress | None = None,
    report: Report | None = None,
    jobs: int | None = None,
    interrupts: bool = False,
) -> Operator:
    """Learn the map from the input functions of a family to its solutions.

    Training and test data are drawn with different seeds, solved by the family's classical solver and kept in a folder.
    Then the network is trained, and measured on the test set: errors by case and frequency band, at other resolutions with
    the same weights, beside the constant mean output, and the cost of a case beside the classical solver's.

    Args:
        family: what to learn, such as `pdekit.problems.DarcyFamily()`.
        solver: how, such as `pdekit.solvers.operator_solver("fno")`.
        data: cases of your own, instead of drawn ones.
        folder: where data sets are kept; the platform's cache by default.
        budget: limits on steps and wall seconds of the training.
        seed: of the network and the training; data have a seed of their own, see `Cases`.
        device: "auto", "cpu" or "cuda".
        dtype: of the network; the solver's own by default.
        rtol: requested mean relative L2 error over the test set.
        run: directory for the run's files, checkpoints included.
        resume: go on from the checkpoint in `run`; equal to no interruption, bitwise on the CPU.
        checkpoint: how often to save; every 30 s by default.
        progress: what is shown of the training; nothing by default.
        report: told how far the making of data is.
        jobs: processes that make data; as many as there are cores by default.
        interrupts: save and stop on SIGINT and SIGTERM (for commands).

    Raises:
        PdekitError: before the first step for whatever cannot work; DivergenceError during training.
    """
    setting = setting_of(
        budget=budget,
        seed=seed,
        device=device,
        dtype=dtype or solver.dtype,
        rtol=rtol,
        run=run,
        resume=resume,
        checkpoint=checkpoint,
        progress=progress,
        interrupts=interrupts,
    )
    solver.require(family)
    source = Source(folder, jobs, report)
    split = source.split(family, solver.cases, labelled=solver.labelled) if data is None else _fitting(family, data)
    table = family_table(family, solver, setting, folder)
    if run is not None and not resume:
        from ..storage import write_start

        write_start(table, run)
    learned = solver.learn(family, split, setting)
    operator = _measured(family, solver, setting, split, source, learned, table)
    if run is not None:
        from .storage import write_operator

        write_operator(operator, run)
    return operator


def _measured(
    family: OperatorProblem,
    solver: Learner,
    setting: Setting,
    split: Split,
    source: Source,
    learned: Learned,
    table: dict[str, object],
) -> Operator:
    predictor = Predictor(family, learned.network.eval(), Reach.of(split.inputs))
    predicted = predictor.outputs(split.test.inputs)
    errors = CaseErrors.of(family.input.shape[:-1], family.output, predicted, split.test.outputs)
    shown = [errors.median_case, errors.worst_case]
    scores = Scores(
        errors, _finer(predictor, solver.cases, split, source), _seen(predictor, split), split.mean_predictor()
    )
    status, why = _status(scores, setting, learned)
    return Operator(
        predictor=predictor,
        learner=solver,
        status=status,
        message="; ".join(part for part in (why, learned.message) if part),
        history=learned.history,
        scores=scores,
        costs=_costs(predictor, split, learned),
        examples=Examples(
            tuple(f"{name} error, test case {case}" for name, case in zip(("median", "worst"), shown, strict=True)),
            split.test.inputs[shown],
            split.test.outputs[shown],
            predicted[shown],
        ),
        steps=learned.steps,
        train_cases=len(split.inputs),
        config=table,
        environment=circumstances(setting),
    )


def _fitting(family: OperatorProblem, data: Split) -> Split:
    """Refuse data of other functions than the family's."""
    for what, quantity, values in (
        ("training inputs", family.input, data.inputs),
        ("training outputs", family.output, data.outputs),
        ("test inputs", family.input, data.test.inputs),
        ("test outputs", family.output, data.test.outputs),
    ):
        if values is not None:
            quantity.checked(f"{family.name}: {what}", values)
    if data.outputs is not None and len(data.inputs) != len(data.outputs):
        raise ShapeError(
            f"{family.name}: got {len(data.inputs)} training inputs and {len(data.outputs)} outputs, expected one output "
            "per input"
        )
    return data


def _finer(predictor: Predictor, cases: Cases, split: Split, source: Source) -> tuple[CaseErrors, ...]:
    """Errors at other resolutions, where the network has them and the family can say what is true there."""
    family, found = predictor.family, []
    if not isinstance(family, Family) or split.test.provenance.seed is None:
        return ()
    for points in cases.finer(family):
        finer = family.at(points)
        try:
            predictor.network.resolves(finer.input.shape[:-1])
        except (FrequencyError, ShapeError):
            if not isinstance(predictor.network, PointOperator):
                continue
            predicted = predictor.outputs(split.test.inputs, finer.output.shape[:-1])
            test = source.test(finer, cases)
        else:
            test = source.test(finer, cases)
            predicted = predictor.outputs(test.inputs)
        found.append(CaseErrors.of(finer.output.shape[:-1], finer.output, predicted, test.outputs))
    return tuple(found)


def _seen(predictor: Predictor, split: Split) -> float | None:
    if split.outputs is None:
        return None
    predicted = predictor.outputs(split.inputs[:_SEEN])
    return float(predictor.family.output.relative_errors(predicted, split.outputs[:_SEEN]).mean())


def _costs(predictor: Predictor, split: Split, learned: Learned) -> Costs:
    inputs, family = split.test.inputs[:_TIMED], predictor.family
    classical = None
    if isinstance(family, Family):
        tensor = torch.from_numpy(inputs.copy())
        classical = seconds_per_case(lambda: family.solve(tensor), len(inputs))
    return Costs(
        split.seconds, learned.seconds, seconds_per_case(lambda: predictor.outputs(inputs), len(inputs)), classical
    )


def _status(scores: Scores, setting: Setting, learned: Learned) -> tuple[Status, str]:
    error = scores.test.mean
    if not np.isfinite(error) or error >= scores.mean_predictor:
        return (
            Status.UNTRUSTED,
            f"mean error {error:.2g} is no better than the mean output's {scores.mean_predictor:.2g}",
        )
    if setting.rtol is None:
        return Status.FINISHED, ""
    if error <= setting.rtol:
        return Status.CONVERGED, f"mean relative error {error:.2g} over the test set <= rtol {setting.rtol:g}"
    why = f"mean relative error {error:.2g} over the test set, rtol {setting.rtol:g} not met"
    return (Status.BUDGET if learned.exhausted else Status.NOT_CONVERGED), why
