"""What losses without labels share: terms, data of cases at points, prescribed values, the size of residuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import torch
from torch import Tensor

from ..errors import NotApplicableError
from ..jet import Jet
from ..kernels import DerivativeSource
from ..operator_problem import Family, OperatorProblem, Prescribed, Prescription

EQUATION: Final = "equation"
"""Term of the equation's residual."""
PRESCRIBED: Final = "prescribed"
"""Term of prescribed values."""
MEASURED: Final = 64
"""Cases that the size of the residual is measured on."""


def family_of(owner: str, family: OperatorProblem) -> Family:
    """The family, if it has an equation.

    Raises:
        NotApplicableError: only data.
    """
    if not isinstance(family, Family):
        raise NotApplicableError(f"{owner}: {family.name} has no equation, only data; train on Labels()")
    return family


def target(family: Family, part: Prescribed, inputs: Tensor, x: Tensor) -> Tensor:
    """Prescribed values, (n, count)."""
    if part.value is Prescription.ZERO:
        return x.new_zeros(len(x), len(inputs))
    return family.given(inputs, x).value


def size_of(residual: Tensor) -> float:
    """Root mean square of the residual of u = 0; 1 where that solves the equation."""
    size = float(residual.detach().square().mean().sqrt())
    return size if size > 0.0 else 1.0


@final
@dataclass(frozen=True, eq=False)
class KnownData:
    """What is known of cases at points.

    Args:
        given: their input functions.
        targets: their prescribed values (n, count), one array for each part of the boundary.
    """

    given: DerivativeSource
    targets: tuple[Tensor, ...]

    def of(self, cases: Tensor | None) -> KnownData:
        """Those of some cases, by their numbers; all if None."""
        if cases is None:
            return self
        return KnownData(Columns(self.given, cases), tuple(target[:, cases] for target in self.targets))


@final
class Remembered:
    """Derivatives of known functions, computed once."""

    def __init__(self, jet: Jet, names: tuple[str, ...]) -> None:
        self._jet, self._names = jet, names
        self._partials: dict[tuple[int, ...], Tensor] = {}

    def partial(self, axes: tuple[int, ...]) -> Tensor:
        """One partial derivative of every function, (n, count)."""
        if axes not in self._partials:
            self._partials[axes] = self._jet.d(*(self._names[axis] for axis in axes))
        return self._partials[axes]

    def gradient(self, axes: tuple[int, ...]) -> Tensor:
        """First derivatives, (n, count, len(axes))."""
        return torch.stack([self.partial((axis,)) for axis in axes], dim=2)

    def laplacian(self, axes: tuple[int, ...]) -> Tensor:
        """Sum of the second derivatives, (n, count)."""
        return torch.stack([self.partial((axis, axis)) for axis in axes]).sum(dim=0)


@final
@dataclass(frozen=True, eq=False)
class Columns:
    """Some of the functions of a source."""

    source: DerivativeSource
    cases: Tensor

    def partial(self, axes: tuple[int, ...]) -> Tensor:
        """One partial derivative, (n, count)."""
        return self.source.partial(axes)[:, self.cases]

    def gradient(self, axes: tuple[int, ...]) -> Tensor:
        """First derivatives, (n, count, len(axes))."""
        return self.source.gradient(axes)[:, self.cases]

    def laplacian(self, axes: tuple[int, ...]) -> Tensor:
        """Sum of the second derivatives, (n, count)."""
        return self.source.laplacian(axes)[:, self.cases]
