"""Inner products of test functions: the problem's own energy, or one with constant coefficients near it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import final

import torch
from torch import Tensor

from ..conditions import Robin
from ..errors import NotApplicableError
from ..problem import Elliptic, conditions_of


@final
class Whitening(Enum):
    """In which norm test functions have length 1."""

    LAPLACE = "laplace"
    """That of the operator with constant coefficients nearest to the problem's: eigenfunctions are orthogonal in it."""
    STIFFNESS = "stiffness"
    """The problem's own energy, by the Cholesky factor of a dense matrix: for coefficients that vary much."""
    AUTO = "auto"
    """The problem's own energy where coefficients vary, up to 2000 test functions; otherwise the constant one."""


@final
@dataclass(frozen=True, eq=False)
class Metric:
    """(v, w) = int A grad v . grad w + c v w.

    Args:
        diffusion: A at the interior points (n, s, s), or once for all (1, s, s).
        reaction: c at the interior points (n, 1), or once for all (1, 1).
        spread: with energy(v) between |v|^2 / spread^2 and spread^2 |v|^2, the dual norm is off the energy norm of the error
            by this factor at most: 1 where they are the same. None where no bound is known.
    """

    diffusion: Tensor
    reaction: Tensor
    spread: float | None

    def densities(self, functions: Tensor) -> Tensor:
        """What is paired with value and slope of w, (n, 1 + s, k), from value and slopes of k functions v (n, 1 + s, k)."""
        flux = torch.einsum("nij,njk->nik", self.diffusion.expand(len(functions), -1, -1), functions[:, 1:])
        return torch.cat([self.reaction[..., None] * functions[:, :1], flux], dim=1)


def constant_metric(problem: Elliptic, x: Tensor) -> Metric:
    """The geometric means of the least and largest coefficients at the points x (n, d).

    Notes: there is no bound with advection, a reaction that vanishes somewhere only or is negative, or Robin conditions.
    """
    a, c = _coefficients(problem, x)
    diagonal = a.diagonal(dim1=1, dim2=2)
    means = (diagonal.min(dim=0).values * diagonal.max(dim=0).values).sqrt()
    factors = [torch.linalg.eigvalsh(a / torch.outer(means, means).sqrt())]
    reaction, bounded = 0.0, problem.symmetric and not conditions_of(problem, Robin)
    if bool((c != 0).any()):
        least, most = float(c.min()), float(c.max())
        reaction = math.sqrt(least * most) if least > 0 else max(0.0, float(c.mean()))
        factors.append(torch.tensor([least, most], dtype=x.dtype) / (reaction or 1.0))
        bounded = bounded and least > 0
    lower, upper = min(float(f.min()) for f in factors), max(float(f.max()) for f in factors)
    spread = max(1 / math.sqrt(lower), math.sqrt(upper)) if bounded else None
    if spread is not None and spread < 1 + 1e-12:
        spread = 1.0
    return Metric(torch.diag(means)[None], torch.full((1, 1), reaction, dtype=x.dtype), spread)


def energy_metric(problem: Elliptic, x: Tensor) -> Metric:
    """The problem's own energy at the points x (n, d), boundary terms excepted.

    Raises:
        NotApplicableError: c < 0 somewhere, so that it is no norm.
    """
    a, c = _coefficients(problem, x)
    if float(c.min()) < 0:
        raise NotApplicableError(
            f"dual-residual: {problem.name} has a reaction of {float(c.min()):g} somewhere, expected at least 0 for its energy "
            "to be a norm; use Whitening.LAPLACE"
        )
    exact = problem.symmetric and not conditions_of(problem, Robin)
    return Metric(a, c, 1.0 if exact else None)


def _coefficients(problem: Elliptic, x: Tensor) -> tuple[Tensor, Tensor]:
    """The symmetric part of A as (n, s, s), and c as (n, 1)."""
    a, c = problem.diffusion(x), problem.reaction(x)
    unit = torch.eye(len(problem.domain.space_axes), dtype=x.dtype).expand(len(x), -1, -1)
    if a is not None:
        a = a.detach() if a.ndim == 3 else a.detach()[:, :, None] * unit
    return unit if a is None else 0.5 * (a + a.mT), torch.zeros_like(x[:, :1]) if c is None else c.detach()
