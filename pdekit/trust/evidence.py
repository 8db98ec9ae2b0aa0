"""What classical solves say about a field: an error estimate, a coarse check, or that the problem is ill-posed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import final

from ..domain import Box
from ..errors import (
    ConflictError,
    IllPosedError,
    NotApplicableError,
    ReferenceWarning,
    SingularSystemError,
    SmoothnessError,
)
from ..field import Field
from ..problem import Elliptic, Problem, SecondOrder
from .defect import Estimate, defect_estimate
from .mesh_defect import MeshLadder, mesh_check, mesh_estimate, mesh_of
from .reference import CoarseCheck, coarse_check, reference_estimate

_MESHABLE = 3  # dimensions


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

    On boxes fields with derivatives are judged by the defect of the strong form, others by their distance to an extrapolated
    classical solution; on other regions, and for finite elements, by the defect of the weak form.

    Warns:
        ReferenceWarning: the estimates on two grids differ by more than 10 %.
    """
    if not isinstance(problem, SecondOrder) or len(problem.outputs) != 1 or problem.unknowns:
        return Evidence()
    try:
        estimate, coarse = _on_mesh(problem, field) if _needs_mesh(problem, field) else _on_grid(problem, field)
    except (SingularSystemError, IllPosedError):
        return Evidence(ill_posed=True)
    except (NotApplicableError, ConflictError):  # finite differences do not fit these coefficients or data
        return Evidence()
    if estimate is not None and not estimate.resolved:
        message = (
            f"{problem.name}: the error estimates {estimate.coarser:.3g} and {estimate.relative_l2:.3g} on two grids (the finer with "
            f"{estimate.points} points{' per axis' if isinstance(problem.domain, Box) else ''}) differ by {estimate.gap:.0%}, expected at most 10 %; "
            "the estimate is no evidence"
        )
        warnings.warn(ReferenceWarning(message), stacklevel=2)
    return Evidence(estimate, coarse)


def _needs_mesh(problem: SecondOrder, field: Field) -> bool:
    return not isinstance(problem.domain, Box) or mesh_of(field) is not None


def _on_grid(problem: SecondOrder, field: Field) -> tuple[Estimate | None, CoarseCheck | None]:
    coarse = coarse_check(problem, field)
    try:
        return defect_estimate(problem, field), coarse
    except (NotApplicableError, SmoothnessError):  # the field has no strong residual
        return reference_estimate(problem, field), coarse


def _on_mesh(problem: SecondOrder, field: Field) -> tuple[Estimate | None, CoarseCheck | None]:
    if not isinstance(problem, Elliptic) or problem.domain.dim > _MESHABLE:
        return None, None
    ladder = MeshLadder(problem.domain, field)
    coarse = mesh_check(problem, field, ladder)
    try:
        return mesh_estimate(problem, field, ladder), coarse
    except (NotApplicableError, SmoothnessError):  # the field has no first derivatives
        return None, coarse
