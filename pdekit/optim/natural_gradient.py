"""Natural gradient: steepest descent in function space, pulled back to the parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from ..checks import integer, real
from ..errors import ConfigError
from .base import SystemStepper
from .blocks import System
from .flat import Flat
from .linesearch import SUFFICIENT_DECREASE
from .normal_equations import MEMORY_LIMIT, Form, NormalEquations, check_memory

_HALVINGS = 30  # of the step length, until the loss falls
_EASE, _TIGHTEN = 1.0 / 3.0, 4.0  # factors on the damping after a full step and after a short one
_SHORT = 0.25
_LARGEST = 1e3  # relative damping beyond which the direction is the gradient's


@final
@dataclass(frozen=True)
class NaturalGradient:
    """theta -= t d,  (J^T J + damping I) d = 1/2 grad loss + damping momentum d_before,  t by line search.

    For an energy, J^T J is its Hessian in function space pulled back to the parameters, and d the best approximation of
    Newton's step there; for a sum of squares d is the Gauss-Newton step.

    Args:
        learning_rate: the longest step t; shorter ones are tried by halving.
        damping: at the start, relative to the mean square of a column of J; full steps lower it, short ones raise it.
        smallest: the damping never falls below this, likewise relative.
        momentum: how much of the last direction the new one keeps where the present residuals say nothing, in [0, 1).
        form: of the linear system; with few points at each step the one by Woodbury is far cheaper.
        memory_limit: bytes an iteration may take.

    Raises:
        ConfigError: for a value out of range.

    Notes: for energies and sums of squares. With `Phase(resample_every=1)` each step sees other points; then the
    momentum carries what earlier ones have shown (SPRING), and `smallest` should not be below 1e-6. The Woodbury form
    of an energy needs more points than parameters / dimension: parts of the gradient outside the rows of J are divided
    by the damping.

    Good values: energies on quadrature points: the defaults; 300 to 1000 random points per step: Form.WOODBURY,
    momentum 0.9, smallest 1e-4.

    Reference: Mueller & Zeinhofer 2023, https://doi.org/10.48550/arXiv.2302.13163; Goldshlager, Abrahamsen & Lin 2024,
    https://doi.org/10.48550/arXiv.2401.10190 (SPRING); Guzman-Cordero et al. 2025, arXiv:2505.12149 (Woodbury).
    """

    learning_rate: float = 1.0
    damping: float = 1e-2
    smallest: float = 1e-14
    momentum: float = 0.0
    form: Form = Form.AUTO
    memory_limit: int = MEMORY_LIMIT

    def __post_init__(self) -> None:
        real("NaturalGradient", "learning_rate", self.learning_rate, low=0.0)
        real("NaturalGradient", "damping", self.damping, low=0.0)
        real("NaturalGradient", "smallest", self.smallest, low=0.0)
        real("NaturalGradient", "momentum", self.momentum, low=0.0, open_low=False)
        if self.momentum >= 1:
            raise ConfigError(f"NaturalGradient: momentum: got {self.momentum!r}, expected less than 1")
        integer("NaturalGradient", "memory_limit", self.memory_limit)

    @property
    def name(self) -> str:
        """What messages call it."""
        return "natural gradient"

    def build(self, parameters: Sequence[nn.Parameter]) -> SystemStepper:
        """Make the stepper with the initial damping and no momentum."""
        return _Stepper(parameters, self)

    def check(self, system: System) -> None:
        """Refuse systems beyond the memory limit."""
        check_memory(self.name, system.size(), self.form, self.memory_limit)


@final
class _Stepper(SystemStepper):
    def __init__(self, parameters: Sequence[nn.Parameter], config: NaturalGradient) -> None:
        self._flat, self._config = Flat(parameters), config
        self._rate, self._damping = config.learning_rate, config.damping
        self._before: Tensor | None = None  # the last direction, float64
        self._end_reason: str | None = None

    @property
    def end_reason(self) -> str | None:
        return self._end_reason

    def set_rate(self, rate: float) -> None:
        self._rate = rate

    def refresh(self) -> None:
        self._end_reason = None

    def restart(self) -> None:
        self.refresh()
        self._before = None
        self._damping = max(self._config.damping, 10.0 * self._damping)

    @torch.no_grad()
    def iterate(self, system: System) -> float:
        residual, jacobian = system.jacobian()
        if system.least_squares:
            loss, half_gradient = float(residual.double().square().sum()), None
        else:
            loss, gradient = system.gradient()
            half_gradient = 0.5 * gradient.double()
        if not math.isfinite(loss) or not bool(torch.isfinite(jacobian).all()):
            return math.nan
        equations = NormalEquations(jacobian, self._config.form)
        del jacobian
        if half_gradient is None:
            half_gradient = equations.pulled(residual)
        origin = self._flat.gather()
        while self._damping <= _LARGEST:
            if equations.factorise(self._damping * equations.scale):
                direction = self._direction(equations, residual if system.least_squares else None, half_gradient)
                slope = -2.0 * float(half_gradient @ direction)
                found = self._search(system, origin, direction, loss, slope) if slope < 0.0 else None
                if found is not None:
                    reached, share = found
                    self._follow(direction, share)
                    return reached
                self._before = None  # it may be what spoils the direction
            self._damping *= _TIGHTEN**3
        self._flat.scatter(origin)
        self._damping = self._config.damping
        self._end_reason = "no natural gradient step lowers the loss (limit of the working precision)"
        return loss

    def _direction(self, equations: NormalEquations, residual: Tensor | None, half_gradient: Tensor) -> Tensor:
        before = None if self._before is None or not self._config.momentum else self._config.momentum * self._before
        if residual is not None:
            if before is None:
                return equations.solve_residual(residual)
            return before + equations.solve_residual(residual - equations.image(before))
        if before is None:
            return equations.solve(half_gradient)
        return before + equations.solve(half_gradient - equations.pulled(equations.image(before)))

    def _search(
        self, system: System, origin: Tensor, direction: Tensor, loss: float, slope: float
    ) -> tuple[float, float] | None:
        """The loss after the longest step that lowers it enough, and that step's share of the longest one."""
        share = 1.0
        for _ in range(_HALVINGS):
            length = share * self._rate
            self._flat.scatter(origin - length * direction.to(origin.dtype))
            reached = system.loss()
            if reached < loss and reached <= loss + SUFFICIENT_DECREASE * length * slope:
                return reached, share
            share *= 0.5
        return None

    def _follow(self, direction: Tensor, share: float) -> None:
        if self._config.momentum:
            self._before = direction
        if share == 1.0:
            self._damping = max(self._config.smallest, _EASE * self._damping)
        elif share < _SHORT:
            self._damping *= _TIGHTEN

    def state_dict(self) -> dict[str, Any]:
        return {"damping": self._damping, "before": self._before, "end_reason": self._end_reason}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        before = state["before"]
        self._before = None if before is None else before.to(device=self._flat.parameters[0].device)
        self._damping, self._end_reason = state["damping"], state["end_reason"]
