"""Levenberg-Marquardt: Gauss-Newton with a damping that follows how well the linearisation predicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from ..checks import integer, real
from ..errors import NotApplicableError
from .base import SystemStepper
from .blocks import System
from .flat import Flat
from .normal_equations import MEMORY_LIMIT, Form, NormalEquations, check_memory

_MOST_TRIALS = 25  # dampings tried in one iteration; each is twice, then four, then eight ... times the last
_PROBE = 0.1  # share of the step over which the curvature of the residuals is measured
_MOST_BEND = 0.75  # a bend longer than this share of the step means that the expansion has broken down


@final
@dataclass(frozen=True)
class LevenbergMarquardt:
    """theta -= (J^T J + damping I)^-1 J^T r, the damping raised until the sum of squares falls.

    Args:
        damping: at the start, relative to the mean square of a column of J.
        smallest: the damping never falls below this, likewise relative.
        geodesic: also follow the second derivative of the residuals along the step, for one more evaluation of them.
        form: of the linear system.
        memory_limit: bytes an iteration may take.

    Raises:
        ConfigError: for a value out of range.

    Notes: for losses that are sums of squares, on points that stay. Costs m P^2 operations per iteration for m
    residuals of P parameters, or m^2 P where there are fewer residuals: for up to some thousand of the smaller of both.
    Needs float64. High frequencies it finds no better than Adam does: give the network features for them.

    Good values: the defaults; 50 to 300 iterations from the initial weights, networks of two or three hidden layers of 20
    to 40, in one and two dimensions Gauss-Legendre points. Initial layers: sine activation and soft conditions.

    Reference: Marquardt 1963, https://doi.org/10.1137/0111030; the damping's rule by Nielsen 1999; geodesic
    acceleration by Transtrum & Sethna 2012, https://doi.org/10.48550/arXiv.1201.5885
    """

    damping: float = 1e-2
    smallest: float = 1e-15
    geodesic: bool = True
    form: Form = Form.AUTO
    memory_limit: int = MEMORY_LIMIT

    def __post_init__(self) -> None:
        real("LevenbergMarquardt", "damping", self.damping, low=0.0)
        real("LevenbergMarquardt", "smallest", self.smallest, low=0.0)
        integer("LevenbergMarquardt", "memory_limit", self.memory_limit)

    @property
    def name(self) -> str:
        """What messages call it."""
        return "Levenberg-Marquardt"

    @property
    def learning_rate(self) -> float:
        """1: the damping sets the length of the steps, and no schedule changes it."""
        return 1.0

    def build(self, parameters: Sequence[nn.Parameter]) -> SystemStepper:
        """Make the stepper with the initial damping."""
        return _Stepper(parameters, self)

    def check(self, system: System) -> None:
        """Refuse energies, and systems beyond the memory limit."""
        if not system.least_squares:
            raise NotApplicableError(f"{self.name}: got an energy, expected a sum of squares; use NaturalGradient()")
        check_memory(self.name, system.size(), self.form, self.memory_limit)


@final
class _Stepper(SystemStepper):
    def __init__(self, parameters: Sequence[nn.Parameter], config: LevenbergMarquardt) -> None:
        self._flat, self._config = Flat(parameters), config
        self._damping = config.damping
        self._growth = 2.0
        self._end_reason: str | None = None

    @property
    def end_reason(self) -> str | None:
        return self._end_reason

    def set_rate(self, rate: float) -> None:
        """Nothing to set."""

    def refresh(self) -> None:
        self._end_reason = None

    def restart(self) -> None:
        self.refresh()
        self._damping, self._growth = max(self._config.damping, 10.0 * self._damping), 2.0

    @torch.no_grad()
    def iterate(self, system: System) -> float:
        residual, jacobian = system.jacobian()
        loss = float(residual.double().square().sum())
        if not math.isfinite(loss) or not bool(torch.isfinite(jacobian).all()):
            return math.nan
        equations = NormalEquations(jacobian, self._config.form)
        del jacobian
        gradient, scale = equations.pulled(residual), equations.scale
        if float(gradient.abs().max()) == 0.0:
            self._end_reason = "the gradient vanishes"
            return loss
        origin = self._flat.gather()
        for _ in range(_MOST_TRIALS):
            if equations.factorise(self._damping * scale):
                step = equations.solve_residual(residual).neg_()
                predicted = float(self._damping * scale * (step @ step) - step @ gradient)
                reached = self._reached(system, equations, origin, step, residual)
                if reached < loss:
                    self._ease((loss - reached) / predicted)
                    return reached
            self._damping *= self._growth
            self._growth *= 2.0
        self._flat.scatter(origin)
        self._end_reason = "no damping gives a decrease (limit of the working precision)"
        return loss

    def _reached(
        self, system: System, equations: NormalEquations, origin: Tensor, step: Tensor, residual: Tensor
    ) -> float:
        """Move along the step; return the sum of squares there."""
        if self._config.geodesic:
            step = self._bent(system, equations, origin, step, residual)
        self._flat.scatter(origin + step.to(origin.dtype))
        return float(system.residual().double().square().sum())

    def _bent(
        self, system: System, equations: NormalEquations, origin: Tensor, step: Tensor, residual: Tensor
    ) -> Tensor:
        """The step with half its acceleration, which keeps the residuals on their straight way to second order."""
        self._flat.scatter(origin + _PROBE * step.to(origin.dtype))
        slope = (system.residual() - residual) / _PROBE
        second = 2.0 / _PROBE * (slope.double() - equations.image(step))
        acceleration = equations.solve_residual(second).neg_()
        bend = 0.5 * acceleration
        if not float(bend.norm()) <= 0.5 * _MOST_BEND * float(step.norm()):  # also where it is NaN
            return step
        return step + bend

    def _ease(self, gain: float) -> None:
        """Lower the damping after a success, the more the better the prediction was."""
        self._damping *= max(1.0 / 3.0, 1.0 - (2.0 * min(gain, 1.0) - 1.0) ** 3)
        self._damping = max(self._damping, self._config.smallest)
        self._growth = 2.0

    def state_dict(self) -> dict[str, Any]:
        return {"damping": self._damping, "growth": self._growth, "end_reason": self._end_reason}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._damping, self._growth, self._end_reason = state["damping"], state["growth"], state["end_reason"]
