"""Newton's second law: an initial value problem in time only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from .. import checks
from ..conditions import Condition, Initial
from ..domain import Box
from ..jet import Jet
from ..problem import Problem


@final
@dataclass(frozen=True)
class NewtonLaw(Problem):
    """m s'' = sin t + t on (0, T), s(0) = s'(0) = 0.

    Exact: s = (t^3/6 + t - sin t) / m.

    Args:
        mass: m.
        end: T.

    Good values:
        m = 1, T = 1: a polynomial of degree 9 reaches 1e-9.
    Reference:
        Book, section 15.1, eqs 15.1 and 15.2.
    """

    name: ClassVar[str] = "newton-law"
    hard_because: ClassVar[str] = "not hard: the first example, two initial conditions and one variable"

    mass: float = 1.0
    end: float = 1.0

    def __post_init__(self) -> None:
        checks.real(self.name, "mass", self.mass, low=0.0)
        checks.real(self.name, "end", self.end, low=0.0)

    @property
    def domain(self) -> Box:
        """The time interval (0, T)."""
        return Box((0.0,), (self.end,), ("t",), time="t")

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """At rest at the origin."""
        return (Initial(0.0), Initial(0.0, order=1))

    def residual(self, u: Jet) -> Tensor:
        """m s'' - sin t - t, (n, 1)."""
        t = u.coordinate("t")
        return self.mass * u.d("t", "t") - torch.sin(t) - t

    def exact(self, x: Tensor) -> Tensor:
        """(t^3/6 + t - sin t) / m."""
        return (x**3 / 6 + x - torch.sin(x)) / self.mass
