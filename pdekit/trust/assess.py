"""assess: what can be said about an answer, from its errors, residuals and classical checks."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from ..domain import Points
from ..errors import NotApplicableError, SmoothnessError
from ..problem import Problem
from ..sampling import Sobol, interior_points
from ..solution import Flag, Measures, Trust
from ..spectrum import Bands
from .accuracy import Accuracy, accuracy, discrete_error, error_bands, residual_bands
from .residual import boundary_violation, relative_residual

if TYPE_CHECKING:
    from ..solver import Outcome, Setting

_STREAM = 7_919  # held-out points have a random stream that no solver uses
_HELD_OUT = 8192
_BOUNDARY = 1024

ALIASED_RATIO = 10.0
ALIASED_LEAST = 0.1
WORST_ERROR = 0.05
WORST_RESIDUAL = 0.5
WORST_VIOLATION = 0.05


@final
@dataclass(frozen=True, eq=False)
class Verdict:
    """What the assessment found.

    Args:
        trust: evidence and flags.
        evidence: relative L2 error that success is judged by; None if there is none.
        bands: error by frequency band where the exact solution is known, else residual by band.
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
    exact: Tensor | None

    @property
    def finite(self) -> bool:
        return bool(torch.isfinite(self.values).all())

    @property
    def size(self) -> float:
        """Largest |u|, of the exact solution where u vanishes; 1 if both do."""
        for values in (self.values, self.exact):
            if values is not None and bool(values.any()):
                return float(values.abs().max())
        return 1.0


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
    sample = _Sample(points, outcome.field(points.x), problem.exact(points.x))
    measures = dataclasses.replace(outcome.measures, parameters=outcome.field.parameters)
    if outcome.diverged or not sample.finite:
        trust = Trust(residual_train=outcome.residual_train, flags=(Flag.DIVERGED,))
        return Verdict(trust, None, None, "error", measures)
    truth = None if sample.exact is None else accuracy(sample.values, sample.exact, points.weight)
    measures = _measured(measures, outcome, truth)
    trust = _residuals(problem, outcome, setting, sample)
    trust = dataclasses.replace(trust, flags=_flags(trust, truth))
    bands = trust.residual_bands if truth is None else error_bands(problem, outcome.field)
    return Verdict(trust, _evidence(trust, truth), bands, "residual" if truth is None else "error", measures)


def _measured(measures: Measures, outcome: Outcome, truth: Accuracy | None) -> Measures:
    if truth is not None:
        measures = dataclasses.replace(measures, rel_l2=truth.rel_l2, max_error=truth.max_error)
    if outcome.target is not None:
        measures = dataclasses.replace(measures, max_error_discrete=discrete_error(outcome.field, outcome.target))
    return measures


def _residuals(problem: Problem, outcome: Outcome, setting: Setting, sample: _Sample) -> Trust:
    """What needs no reference: residuals and boundary violation; each None where the field lacks the derivatives."""
    field, held_out, bands, violation = outcome.field, None, None, None
    try:
        held_out = relative_residual(problem, field, sample.points.x, sample.points.weight)
        bands = residual_bands(problem, field)
    except (NotApplicableError, SmoothnessError):
        held_out = None
    try:
        generator = setting.generator(_STREAM + 1)
        violation = boundary_violation(problem, field, generator, _BOUNDARY, sample.size)
    except (NotApplicableError, SmoothnessError):
        violation = None
    return Trust(
        residual_train=outcome.residual_train,
        residual_held_out=held_out,
        boundary_violation=violation,
        residual_bands=bands,
    )


def _evidence(trust: Trust, truth: Accuracy | None) -> float | None:
    if trust.estimate is not None and Flag.REFERENCE_UNRESOLVED not in trust.flags:
        return trust.estimate
    return None if truth is None else truth.rel_l2


def _flags(trust: Trust, truth: Accuracy | None) -> tuple[Flag, ...]:
    flags = []
    train, held_out = trust.residual_train, trust.residual_held_out
    if train is not None and held_out is not None and held_out >= max(ALIASED_RATIO * train, ALIASED_LEAST):
        flags.append(Flag.ALIASED)
    evidence = _evidence(trust, truth)
    if evidence is not None:
        bad = evidence > WORST_ERROR
    else:
        bad = (held_out or 0.0) > WORST_RESIDUAL or (trust.boundary_violation or 0.0) > WORST_VIOLATION
    if bad:
        flags.append(Flag.NOT_CONVERGED)
    return tuple(flags)
