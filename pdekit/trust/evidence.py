"""What classical solves say about a field: an error estimate, a coarse check, or that the problem is ill-posed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import final

from ..errors import (
    ConflictError,
    IllPosedError,
    NotApplicableError,
    ReferenceWarning,
    SingularSystemError,
    SmoothnessError,
)
from ..field import Field
from ..problem import Problem, SecondOrder
from .defect import Estimate, defect_estimate
from .reference import CoarseCheck, coarse_check, reference_estimate


@final
@dataclass(frozen=True)
class Evidence:
    """What classical solves found; None where there is none.

    Args:
        estimate: error of the field.
        coarse: the field beside a coarse classical solution.
        ill_posed: the classical system has no unique solution.
    """

    estimate: Estimate | None = None
    coarse: CoarseCheck | None = None
    ill_posed: bool = False


def classical_evidence(problem: Problem, field: Field) -> Evidence:
    """Estimate the error of a field where a classical solve can.

    Fields with derivatives are judged by the defect of the strong form, others by their distance to an extrapolated
    classical solution.

    Warns:
        ReferenceWarning: the estimates on two grids differ by more than 10 %.
    """
    if not isinstance(problem, SecondOrder) or len(problem.outputs) != 1 or problem.unknowns:
        return Evidence()
    try:
        coarse = coarse_check(problem, field)
        estimate = _estimate(problem, field)
    except (SingularSystemError, IllPosedError):
        return Evidence(ill_posed=True)
    except (NotApplicableError, ConflictError):  # finite differences do not fit these coefficients or data
        return Evidence()
    if estimate is not None and not estimate.resolved:
        message = (
            f"{problem.name}: the error estimates {estimate.coarser:.3g} and {estimate.relative_l2:.3g} on two grids (the finer with "
            f"{estimate.points} points per axis) differ by {estimate.gap:.0%}, expected at most 10 %; "
            "the estimate is no evidence"
        )
        warnings.warn(ReferenceWarning(message), stacklevel=2)
    return Evidence(estimate, coarse)


def _estimate(problem: SecondOrder, field: Field) -> Estimate | None:
    try:
        return defect_estimate(problem, field)
    except (NotApplicableError, SmoothnessError):  # the field has no strong residual
        return reference_estimate(problem, field)
