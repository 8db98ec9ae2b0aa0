"""Whether a residual is what a solver can train on: a deterministic, differentiable function of the unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from .errors import DtypeError, EquationError, GraphError, NondeterminismError, NonFiniteError
from .jet import column
from .kernels.plan import Plan
from .kernels.record import Recorder
from .probe import Function, jet_of, smooth_function
from .problem import Problem
from .sampling import Uniform, interior_points

_POINTS = 16


def check_finite(owner: str, values: Tensor, x: Tensor) -> None:
    """Raise NonFiniteError, saying how many and which first, unless all values at the points x are finite."""
    bad = ~torch.isfinite(values.detach()).reshape(len(x), -1).all(dim=1)
    if bool(bad.any()):
        raise NonFiniteError(
            f"{owner}: {int(bad.sum())} of {len(x)} values are not finite, the first at "
            f"{x[int(bad.nonzero()[0, 0])].tolist()}, expected finite values there"
        )


def check_residual(problem: Problem, generator: torch.Generator) -> tuple[Plan, int, float]:
    """The residual's plan, its number of equations and its size at a trial function.

    Raises:
        EquationError, ShapeError, DtypeError, NonFiniteError: what the residual returns is no column of finite numbers.
        NondeterminismError: two evaluations differ.
        GraphError: it is cut off from the unknown, or does not depend on it.
    """
    x = interior_points(problem.domain, Uniform(_POINTS), generator).x
    trial = _Trial(*(smooth_function(problem.domain, len(problem.outputs), generator) for _ in range(2)))
    theta = torch.ones(2, dtype=x.dtype, requires_grad=True)
    plan, residuals = _residual(problem, trial, theta, x)
    _, again = _residual(problem, trial, theta, x)
    for number, (r, repeated) in enumerate(zip(residuals, again, strict=True)):
        owner = f"{problem.name}: equation {number}"
        check_finite(owner, r, x)
        gap = float((r - repeated).detach().abs().max())
        if gap > 1e-12 * (1 + float(r.detach().abs().max())):
            raise NondeterminismError(
                f"{owner}: two evaluations at the same points differ by up to {gap:.3g}, expected none; "
                "draw random numbers once, in the constructor"
            )
        if not r.requires_grad:
            raise GraphError(
                f"{owner}: the loss does not depend on the network: the residual is detached or does not use u; "
                "build it from the jet u with torch functions, without .detach(), .item() or .numpy()"
            )
        weights = torch.linspace(1.0, 2.0, len(x), dtype=x.dtype)
        (slope,) = torch.autograd.grad(
            (weights * r[:, 0]).sum(), theta, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        if bool((slope == 0).all()):
            raise GraphError(
                f"{owner}: the loss does not depend on the network: its derivative with respect to u is zero, "
                "expected an equation for u; check that no factor is zero and that terms do not cancel"
            )
    _check_dtype(problem, trial, x)
    return plan, len(residuals), max(float(r.detach().abs().max()) for r in residuals)


@final
@dataclass(frozen=True)
class _Trial:
    """u = theta_0 first + theta_1 second: a network of two parameters."""

    first: Function
    second: Function

    def at(self, theta: Tensor) -> Function:
        return lambda x: theta[0] * self.first(x) + theta[1] * self.second(x)


def _residual(problem: Problem, trial: _Trial, theta: Tensor, x: Tensor) -> tuple[Plan, tuple[Tensor, ...]]:
    """Residuals of a trial function, which need a gradient as in training."""
    source, kept = Recorder(trial.at(theta), x), x.clone()
    try:
        result = problem.residual(jet_of(problem, x, source))
    except RuntimeError as error:
        if isinstance(error, GraphError) or "numpy()" not in str(error):
            raise
        raise GraphError(
            f"{problem.name}.residual: numpy was called on a tensor that needs a gradient, expected torch functions; "
            "replace np.sin(u.value) by torch.sin(u.value)"
        ) from error
    if not torch.equal(x, kept):
        raise GraphError(
            f"{problem.name}.residual: changed the points in place, expected u.x to be left alone; use x = u.x.clone()"
        )
    equations = result if isinstance(result, tuple) else (result,)
    for number, r in enumerate(equations):
        owner = f"{problem.name}: equation {number}"
        if not isinstance(r, Tensor):
            raise EquationError(
                f"{owner}: the residual is a {type(r).__name__}, expected a tensor of shape (n, 1); does it return?"
            )
        column(owner, r, len(x))
    if not equations:
        raise EquationError(f"{problem.name}: residual returned no equation, expected at least one")
    return source.plan(), equations


def _check_dtype(problem: Problem, trial: _Trial, x: Tensor) -> None:
    _, residuals = _residual(problem, trial, torch.ones(2, requires_grad=True), x[:1].float())
    for number, r in enumerate(residuals):
        if r.dtype != torch.float32:
            raise DtypeError(
                f"{problem.name}: equation {number} is {r.dtype} at float32 points, expected float32; "
                "make constants with u.x.new_tensor(...) or keep them Python numbers"
            )
