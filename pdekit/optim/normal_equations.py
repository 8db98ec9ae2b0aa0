"""Damped least squares with a Jacobian: (J^T J + damping) x = g, in the cheaper of two forms."""

from __future__ import annotations

from enum import Enum
from typing import final

import torch
from torch import Tensor

from ..errors import MemoryBudgetError
from .blocks import Size

MEMORY_LIMIT = 8 * 2**30
"""Bytes that a second-order step may take; more is refused before allocation."""

_STRIPS = 4  # of the Gram matrix, of which only the lower triangle is computed


@final
class Form(Enum):
    """How the linear system of a step is solved."""

    AUTO = "auto"
    """By the form that costs less: dense for more residuals than parameters."""
    DENSE = "dense"
    """A Cholesky factor of J^T J + damping, P x P: m P^2 + P^3 / 3 operations."""
    WOODBURY = "woodbury"
    """A Cholesky factor of J J^T + damping, m x m: m^2 P + m^3 / 3 operations."""

    def chosen(self, size: Size) -> Form:
        """DENSE or WOODBURY."""
        if self is not Form.AUTO:
            return self
        return Form.DENSE if size.columns <= size.rows else Form.WOODBURY


def bytes_needed(size: Size, form: Form) -> int:
    """The most that building the Jacobian and solving with it holds at a time, in bytes."""
    order = size.columns if form.chosen(size) is Form.DENSE else size.rows
    # The Gram matrix, its damped copy, the factor, and one strip; vectors do not count.
    system = torch.float64.itemsize * (size.rows * size.columns + 4 * order**2)
    return max(size.peak, system)


def check_memory(owner: str, size: Size, form: Form, limit: int) -> None:
    """Raise MemoryBudgetError if a step needs more than `limit` bytes."""
    needed = bytes_needed(size, form)
    if needed > limit:
        raise MemoryBudgetError(
            f"{owner}: {size.rows} residuals of {size.columns} parameters need {needed} bytes, the limit is {limit}; "
            "take fewer points or a smaller network, or raise memory_limit"
        )


@final
class NormalEquations:
    """A linearisation r + J x that can be solved for several dampings.

    Args:
        jacobian: J (m, P), float64.
        form: which of the two Gram matrices is built.
    """

    def __init__(self, jacobian: Tensor, form: Form = Form.AUTO) -> None:
        self._jacobian = jacobian
        size = Size(len(jacobian), jacobian.shape[1], peak=0)
        self._dense = form.chosen(size) is Form.DENSE
        self._gram = gram(self._jacobian.T if self._dense else self._jacobian)
        self._factor: Tensor | None = None

    @property
    def scale(self) -> float:
        """The mean square of a column, which dampings are relative to."""
        return float(self._gram.diagonal().sum()) / self._jacobian.shape[1]

    def image(self, step: Tensor) -> Tensor:
        """J x, (m,)."""
        return self._jacobian @ step

    def pulled(self, residual: Tensor) -> Tensor:
        """J^T r, (P,)."""
        return self._jacobian.T @ residual.to(torch.float64)

    def factorise(self, damping: float) -> bool:
        """Prepare `solve` for a damping; tell whether the damped matrix is positive definite."""
        damped = self._gram.clone()
        damped.diagonal().add_(damping)
        factor, info = torch.linalg.cholesky_ex(damped)
        self._damping = damping
        self._factor = factor if int(info) == 0 else None
        return self._factor is not None

    def solve(self, right: Tensor) -> Tensor:
        """(J^T J + damping)^-1 g for g (P,)."""
        if self._dense:
            return self._backsolved(right)
        return (right - self.pulled(self._backsolved(self.image(right)))) / self._damping

    def solve_residual(self, residual: Tensor) -> Tensor:
        """(J^T J + damping)^-1 J^T r for r (m,); without cancellation in either form."""
        residual = residual.to(torch.float64)
        return self._backsolved(self.pulled(residual)) if self._dense else self.pulled(self._backsolved(residual))

    def _backsolved(self, right: Tensor) -> Tensor:
        assert self._factor is not None
        return torch.cholesky_solve(right[:, None], self._factor)[:, 0]


def gram(a: Tensor) -> Tensor:
    """The lower triangle of A A^T (k, k), with zeros or sums above it; half the work of the whole product."""
    k = len(a)
    out = a.new_zeros(k, k)
    width = -(-k // _STRIPS)
    for start in range(0, k, width):
        stop = min(start + width, k)
        torch.mm(a[start:stop], a[:stop].T, out=out[start:stop, :stop])
    return out
