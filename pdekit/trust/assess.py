"""assess: what can be said about an answer, from its errors, residuals and classical checks."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from ..domain import Points
from ..problem import Problem
from ..sampling import Sobol, interior_points
from ..solution import Flag, Measures, Trust
from ..spectrum import Bands
from .accuracy import Accuracy, accuracy, discrete_error, error_bands, residual_bands
from .evidence import Evidence, classical_evidence
from .residual import boundary_violation, relative_residual

if TYPE_CHECKING:
    from ..solver import Outcome, Setting

_STREAM = 7_919  # held-out points have a random stream that no solver uses
_HELD_OUT = 8192
_BOUNDARY = 1024

ALIASED_RATIO = 10.0
"""Held-out over training residual from which on points count as aliased, if the former also exceeds `ALIASED_LEAST`."""
ALIASED_LEAST = 0.1
"""Held-out residual, relative to the source's, below which nothing counts as aliased."""
WORST_ERROR = 0.05
"""Relative L2 error above which an answer is no solution, whether or not a tolerance was asked."""
WORST_RESIDUAL = 0.5
"""The same for the held-out residual, where no error is known: networks whose residual is half the source's are not
trained, while good variational solutions may have a tenth."""
WORST_VIOLATION = 0.05
"""The same for the boundary violation."""


@final
@dataclass(frozen=True, eq=False)
class Verdict:
    """What the assessment found.

    Args:
        trust: evidence and flags.
        evidence: relative L2 error that success is judged by; None if there is none.
        bands: error by frequency band where a reference is known, else residual by band.
        band_kind: "error" or "residual".
        measures: the solver's own numbers, completed.
    """

    trust: Trust
    evidence: float | None
    bands: Bands | None
    band_kind: str
    measures: Measures


@final
@dataclass(frozen=True, eq=False)
class _Sample:
    """The field at held-out points."""

    points: Points
    values: Tensor

    @property
    def finite(self) -> bool:
        return bool(torch.isfinite(self.values).all())


def assess(problem: Problem, outcome: Outcome, setting: Setting) -> Verdict:
    """Measure an answer and look for reasons not to trust it.

    Args:
        problem: what was solved.
        outcome: what the solver found.
        setting: the circumstances; its seed fixes the held-out points.

    Notes:
        Takes up to 3 s in one and two dimensions, 10 s in three.
    """
    points = interior_points(problem.domain, Sobol(_HELD_OUT), setting.generator(_STREAM))
    sample = _Sample(points, outcome.field(points.x))
    measures = dataclasses.replace(outcome.measures, parameters=outcome.field.parameters)
    if outcome.diverged or not sample.finite:
        trust = Trust(residual_train=outcome.residual_train, flags=(Flag.DIVERGED,))
        return Verdict(trust, None, None, "error", measures)
    reference = problem.reference()
    truth = None if reference is None else accuracy(sample.values, reference(points.x), points.weight)
    measures = _measured(measures, outcome, truth)
    evidence = classical_evidence(problem, outcome.field)
    trust = _with_evidence(_residuals(problem, outcome, setting, sample), evidence)
    trust = dataclasses.replace(trust, reference_error=None if reference is None else reference.error)
    trust = dataclasses.replace(trust, flags=_flags(trust, evidence, truth))
    bands = trust.residual_bands if truth is None else error_bands(problem, outcome.field, points)
    return Verdict(trust, _error(trust, evidence, truth), bands, "residual" if truth is None else "error", measures)


def _measured(measures: Measures, outcome: Outcome, truth: Accuracy | None) -> Measures:
    if truth is not None:
        measures = dataclasses.replace(measures, rel_l2=truth.rel_l2, max_error=truth.max_error)
    if outcome.target is not None:
        measures = dataclasses.replace(measures, max_error_discrete=discrete_error(outcome.field, outcome.target))
    return measures


def _residuals(problem: Problem, outcome: Outcome, setting: Setting, sample: _Sample) -> Trust:
    """What needs no reference."""
    held_out = relative_residual(problem, outcome.field, sample.points)
    return Trust(
        residual_train=outcome.residual_train,
        residual_held_out=held_out,
        loss_estimate=outcome.loss_estimate,
        boundary_violation=boundary_violation(problem, outcome.field, setting.generator(_STREAM + 1), _BOUNDARY),
        residual_bands=None if held_out is None else residual_bands(problem, outcome.field),
    )


def _with_evidence(trust: Trust, evidence: Evidence) -> Trust:
    estimate, coarse = evidence.estimate, evidence.coarse
    if estimate is not None:
        trust = dataclasses.replace(
            trust,
            estimate=estimate.relative_l2,
            energy_estimate=estimate.relative_energy,
            absolute_energy=estimate.energy,
            estimate_gap=estimate.gap,
        )
    if coarse is not None:
        trust = dataclasses.replace(trust, coarse_difference=coarse.difference, coarse_gap=coarse.gap)
    return trust


def _error(trust: Trust, evidence: Evidence, truth: Accuracy | None) -> float | None:
    """The relative L2 error that success is judged by; one against a reference counts with the reference's own."""
    if evidence.estimate is not None and evidence.estimate.resolved:
        return evidence.estimate.relative_l2
    return None if truth is None else truth.rel_l2 + (trust.reference_error or 0.0)


def _flags(trust: Trust, evidence: Evidence, truth: Accuracy | None) -> tuple[Flag, ...]:
    found = {
        Flag.ALIASED: _aliased(trust),
        Flag.ILL_POSED: evidence.ill_posed,
        Flag.REFERENCE_UNRESOLVED: evidence.estimate is not None and not evidence.estimate.resolved,
        Flag.NOT_CONVERGED: _far(trust, evidence, truth),
    }
    return tuple(flag for flag, holds in found.items() if holds)


def _aliased(trust: Trust) -> bool:
    train, held_out = trust.residual_train, trust.residual_held_out
    return train is not None and held_out is not None and held_out >= max(ALIASED_RATIO * train, ALIASED_LEAST)


def _far(trust: Trust, evidence: Evidence, truth: Accuracy | None) -> bool:
    """Whether the evidence says that this is no solution."""
    error = _error(trust, evidence, truth)
    if error is None:
        return (trust.residual_held_out or 0.0) > WORST_RESIDUAL or (trust.boundary_violation or 0.0) > WORST_VIOLATION
    # The coarse solution reads coefficients and values only: far from it, a small defect means a wrong residual or kinks.
    contradicted = (
        truth is None and evidence.coarse is not None and evidence.coarse.difference > WORST_ERROR + evidence.coarse.gap
    )
    return error > WORST_ERROR or contradicted
