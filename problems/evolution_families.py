"""Evolution on a periodic line as a map from the initial values: Burgers' equation and pure transport."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor

from .. import checks
from ..conditions import Initial, Periodic
from ..discrete import spectral
from ..domain import Box, Interval
from ..errors import NotApplicableError
from ..jet import Jet
from ..operator_problem import Family, Prescribed, Prescription, checked_pair
from ..quantity import Axis, Quantity
from ..random_fields import Basis, LaplacianField
from ..reference import Reference
from .cases import EquationCase, classical_answer

_LEAST = 256
"""Points of the grids that data sets are solved on, at least."""
_TIMES = 101
"""Times of the reference of a single case."""


@final
@dataclass(frozen=True)
class BurgersFamily(Family):
    """u0 -> u(., T), or u0 -> u, with du/dt + u du/dx = nu d2u/dx2 on (0, 1), periodic.

    u0 is N(0, 625 (-lap + 25)^(-2)) on periodic functions without mean: a mean only makes everything travel.

    Args:
        viscosity: nu.
        end: T.
        modes: highest wave number of u0.
        times: 1 for u(., T) alone; else at so many equally spaced times from 0 to T.
        points: of the period.

    Good values:
        nu = 0.1, T = 1: published errors are 1.4e-2 to 1.6e-2 at 256 to 8192 points.
    Reference:
        Li et al. 2021, arXiv:2010.08895, section 5.1.
    """

    name: ClassVar[str] = "burgers-family"
    hard_because: ClassVar[str] = "nonlinear: fronts steepen, and what they were made of is forgotten"
    solved_by: ClassVar[str] = "Fourier modes, exponential time differencing of order 4"

    viscosity: float = 0.1
    end: float = 1.0
    modes: int = 32
    times: int = 1
    points: int = 128

    def __post_init__(self) -> None:
        checks.real(self.name, "viscosity", self.viscosity, low=0.0)
        _check_line(self)

    @property
    def input(self) -> Quantity:
        """u0(x)."""
        return _initial(self)

    @property
    def output(self) -> Quantity:
        """u(x) at time T, or u(x, t)."""
        return _evolved(self)

    @property
    def law(self) -> LaplacianField:
        """The law of u0."""
        return _law(self)

    @property
    def refinement(self) -> int:
        """To 256 points or more."""
        return _refinement(self)

    def inputs(self, drawn: Tensor) -> Tensor:
        """u0 at the points."""
        return _values(self, drawn)

    def solve(self, inputs: Tensor) -> Tensor:
        """Fourier modes."""
        clock = np.linspace(0.0, self.end, max(self.times, 2))
        found = spectral.burgers(inputs[..., 0].numpy(), clock, self.viscosity)
        return torch.from_numpy(found if self.times > 1 else found[..., -1])[..., None]

    @property
    def domain(self) -> Box:
        """(0, 1) times (0, T)."""
        return Interval(0.0, 1.0).with_time(0.0, self.end)

    @property
    def prescribed(self) -> tuple[Prescribed, ...]:
        """u = u0 at the start."""
        return (Prescribed("initial", Prescription.INPUT),)

    def residual(self, u: Jet, given: Jet) -> Tensor:
        """du/dt + u du/dx - nu d2u/dx2."""
        return self._equation(u)

    def grid_residual(self, outputs: Tensor, inputs: Tensor) -> Tensor:
        """The equation at the times between the first and the last, (count, points, times - 2); u0 not.

        Fourier derivatives in space, central differences in time: zero up to the square of the time step.
        """
        u, rate, spectrum, slope = _on_grid(self, outputs, inputs)
        first, second = (torch.fft.irfft(slope**k * spectrum, self.points, dim=1) for k in (1, 2))
        return rate + u * first - self.viscosity * second

    def case(self, values: Tensor) -> EquationCase:
        """The initial value problem for one u0."""
        answer = partial(classical_answer, replace(self, times=max(self.times, _TIMES)), values)
        return _initial_value_problem(self, values, self._equation, answer)

    def _equation(self, u: Jet) -> Tensor:
        return u.d("t") + u.value * u.d("x") - self.viscosity * u.d("x", "x")


@final
@dataclass(frozen=True)
class AdvectionFamily(Family):
    """u0 -> u(., T), or u0 -> u, with du/dt + c du/dx = 0 on (0, 1), periodic: u(x, t) = u0(x - c t).

    u0 is N(0, 625 (-lap + 25)^(-2)) on periodic functions without mean.

    Args:
        speed: c.
        end: T.
        modes: highest wave number of u0.
        times: 1 for u(., T) alone; else at so many equally spaced times from 0 to T.
        points: of the period.

    Notes:
        Nothing decays: every frequency of u0 must come out whole, and no few basis functions (of a POD, say) hold all
        shifted copies.
    """

    name: ClassVar[str] = "advection-family"
    hard_because: ClassVar[str] = "nothing decays, and shifted copies of a function span no small space"
    solved_by: ClassVar[str] = "Fourier modes, exact"

    speed: float = 0.3
    end: float = 1.0
    modes: int = 32
    times: int = 1
    points: int = 128

    def __post_init__(self) -> None:
        checks.real(self.name, "speed", self.speed, low=-math.inf)
        _check_line(self)

    @property
    def input(self) -> Quantity:
        """u0(x)."""
        return _initial(self)

    @property
    def output(self) -> Quantity:
        """u(x) at time T, or u(x, t)."""
        return _evolved(self)

    @property
    def law(self) -> LaplacianField:
        """The law of u0."""
        return _law(self)

    @property
    def refinement(self) -> int:
        """To 256 points or more."""
        return _refinement(self)

    def inputs(self, drawn: Tensor) -> Tensor:
        """u0 at the points."""
        return _values(self, drawn)

    def solve(self, inputs: Tensor) -> Tensor:
        """Shifts by Fourier modes."""
        u = inputs[..., 0].numpy()
        clock = np.linspace(0.0, self.end, self.times) if self.times > 1 else np.array([self.end])
        found = np.stack([spectral.shifted(u, self.speed * t) for t in clock], axis=-1)
        return torch.from_numpy(found if self.times > 1 else found[..., 0])[..., None]

    @property
    def domain(self) -> Box:
        """(0, 1) times (0, T)."""
        return Interval(0.0, 1.0).with_time(0.0, self.end)

    @property
    def prescribed(self) -> tuple[Prescribed, ...]:
        """u = u0 at the start."""
        return (Prescribed("initial", Prescription.INPUT),)

    def residual(self, u: Jet, given: Jet) -> Tensor:
        """du/dt + c du/dx."""
        return self._equation(u)

    def grid_residual(self, outputs: Tensor, inputs: Tensor) -> Tensor:
        """The equation at the times between the first and the last, (count, points, times - 2); u0 not.

        A Fourier derivative in space, central differences in time: zero up to the square of the time step.
        """
        _, rate, spectrum, slope = _on_grid(self, outputs, inputs)
        return rate + self.speed * torch.fft.irfft(slope * spectrum, self.points, dim=1)

    def case(self, values: Tensor) -> EquationCase:
        """The initial value problem for one u0."""
        answer = partial(classical_answer, replace(self, times=max(self.times, _TIMES)), values)
        return _initial_value_problem(self, values, self._equation, answer)

    def _equation(self, u: Jet) -> Tensor:
        return u.d("t") + self.speed * u.d("x")


_Evolution = BurgersFamily | AdvectionFamily


def _check_line(family: _Evolution) -> None:
    checks.real(family.name, "end", family.end, low=0.0)
    checks.integer(family.name, "modes", family.modes)
    checks.integer(family.name, "points", family.points, low=8)
    if family.times != 1:
        checks.integer(family.name, "times", family.times, low=3)


def _initial(family: _Evolution) -> Quantity:
    return Quantity((Axis("x", family.points, periodic=True),), ("u0",))


def _law(family: _Evolution) -> LaplacianField:
    return LaplacianField(sigma=25.0, tau=5.0, alpha=2.0, basis=Basis.PERIODIC, modes=family.modes)


def _refinement(family: _Evolution) -> int:
    return -(-_LEAST // family.points)


def _values(family: _Evolution, drawn: Tensor) -> Tensor:
    return _law(family).values(drawn, [_initial(family).axes[0].coordinates])[..., None]


def _evolved(family: _Evolution) -> Quantity:
    line = Axis("x", family.points, periodic=True)
    return Quantity((line,) if family.times == 1 else (line, Axis("t", family.times, 0.0, family.end)), ("u",))


def _on_grid(family: _Evolution, outputs: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """At the inner times: u and du/dt (count, n, times - 2), u's Fourier coefficients, and what differentiates them.

    Raises:
        NotApplicableError: the outputs are those at one time.
    """
    checked_pair(family, outputs, inputs)
    if family.times == 1:
        raise NotApplicableError(
            f"{family.name}: has outputs at one time, a residual on grids needs more; set times=33"
        )
    u = outputs[..., 0]
    step = family.output.axes[1].spacing
    slope = 1j * torch.from_numpy(spectral.wave_numbers(family.points)).to(u)
    inner = u[..., 1:-1]
    return inner, (u[..., 2:] - u[..., :-2]) / (2 * step), torch.fft.rfft(inner, dim=1), slope[:, None]


def _initial_value_problem(
    family: _Evolution, values: Tensor, equation: Callable[[Jet], Tensor], answer: Callable[[], Reference]
) -> EquationCase:
    start = family.interpolant(values[None])
    return EquationCase(family.domain, (Periodic("x"), Initial(lambda x: start(x[:, :1]))), equation, answer)
