"""Quasi-Newton iterations: a direction from an approximate inverse Hessian, then a line search along it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final

import torch
from torch import Tensor, nn

from .base import Closure, ClosureStepper
from .flat import Flat
from .linesearch import Trial, strong_wolfe


@final
@dataclass(frozen=True, eq=False)
class Pair:
    """What one step has shown of the curvature.

    Args:
        step: change s of the parameters, (P,).
        change: y of the gradient over the step, (P,).
        gradient: where the step began, (P,).
        length: t in s = t d, d the direction -H g; nan if d was something else.
    """

    step: Tensor
    change: Tensor
    gradient: Tensor
    length: float


class InverseHessian(Protocol):
    """An approximate inverse Hessian that learns from steps."""

    def image(self, vector: Tensor) -> Tensor:
        """Return H v, (P,)."""
        ...

    def learn(self, pair: Pair) -> None:
        """Take in a step; called only for pairs with positive curvature s.y."""
        ...

    def forget(self) -> None:
        """Go back to the identity."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything `image` and `learn` depend on, as tensors and plain values."""
        ...

    def load_state_dict(self, state: dict[str, Any], flat: Flat) -> None:
        """Take over what `state_dict` returned."""
        ...


@final
class QuasiNewtonStepper(ClosureStepper):
    """theta += t d,  d = -H g, t by a strong-Wolfe search or as given.

    Args:
        parameters: what moves.
        inverse: H.
        rate: first step length tried.
        line_search: search t; without it t = rate.
        gradient_tolerance: the run ends when the largest gradient entry is at most this.
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        inverse: InverseHessian,
        *,
        rate: float,
        line_search: bool,
        gradient_tolerance: float,
    ) -> None:
        self._flat, self._inverse, self._rate = Flat(parameters), inverse, rate
        self._line_search, self._tolerance = line_search, gradient_tolerance
        self._end_reason: str | None = None
        self._point: Trial | None = None  # loss and gradient at the current parameters, while they are valid
        self._caution = 1.0  # shrinks the first step after a restart
        self._fresh = True  # no iteration since the start or the last restart

    @property
    def end_reason(self) -> str | None:
        """Why no further progress is possible; None while there may be some."""
        return self._end_reason

    def set_rate(self, rate: float) -> None:
        """Set the first step length tried."""
        self._rate = rate

    def refresh(self) -> None:
        """Forget the loss and gradient of the current point."""
        self._point = None
        self._end_reason = None

    def restart(self) -> None:
        """Forget the curvature too; the next step is a tenth of the usual first one."""
        self.refresh()
        self._forget_curvature()
        self._caution *= 0.1

    def _forget_curvature(self) -> None:
        self._inverse.forget()
        self._fresh = True

    @torch.no_grad()
    def iterate(self, closure: Closure) -> float:
        """Do one iteration; the parameters stay where they are if no step decreases the loss."""
        evaluated = torch.enable_grad()(closure)
        point = self._point if self._point is not None else self._evaluate(evaluated, 0.0, None)
        self._point = point
        if not math.isfinite(point.loss):
            return point.loss
        if float(point.gradient.abs().max()) <= self._tolerance:
            self._end_reason = f"largest gradient entry at most {self._tolerance:g}"
            return point.loss
        direction = self._inverse.image(point.gradient).neg_()
        slope, learned = float(point.gradient @ direction), True
        if not slope < 0.0:  # memory spoilt by rounding: fall back to the gradient
            self._forget_curvature()
            direction, learned = point.gradient.neg(), False
            slope = float(point.gradient @ direction)
        length = self._rate
        if self._fresh:
            length *= self._caution * min(1.0, 1.0 / float(point.gradient.abs().sum()))
        origin = self._flat.gather()
        start = Trial(0.0, point.loss, slope, point.gradient)

        def evaluate(t: float) -> Trial:
            self._flat.scatter(torch.add(origin, direction, alpha=t))
            return self._evaluate(evaluated, t, direction)

        found = strong_wolfe(evaluate, start, length) if self._line_search else evaluate(length)
        if found is None or found.loss == point.loss:
            self._flat.scatter(origin)
            if self._fresh:
                self._end_reason = "line search found no decrease along the gradient (limit of the working precision)"
            self._forget_curvature()
            return point.loss
        # The line search may have ended on another trial than it returns.
        moved = torch.add(origin, direction, alpha=found.length)
        self._flat.scatter(moved)
        step, change = moved.sub_(origin), found.gradient - point.gradient
        # Relative curvature test, so that it holds near convergence where both vectors are tiny.
        if float(step @ change) > torch.finfo(step.dtype).eps * float(step.norm()) * float(change @ change) ** 0.5:
            self._inverse.learn(Pair(step, change, point.gradient, found.length if learned else math.nan))
        self._fresh = False
        self._point = Trial(0.0, found.loss, 0.0, found.gradient)
        return found.loss

    def _evaluate(self, closure: Closure, length: float, direction: Tensor | None) -> Trial:
        loss = float(closure().detach())
        gradient = self._flat.gradient()
        slope = float(gradient @ direction) if direction is not None else 0.0
        return Trial(length, loss, slope, gradient)

    def state_dict(self) -> dict[str, Any]:
        """Return everything the next iteration depends on, as tensors and plain values."""
        point = self._point
        return self._inverse.state_dict() | {
            "caution": self._caution,
            "fresh": self._fresh,
            "end_reason": self._end_reason,
            "point": None if point is None else {"loss": point.loss, "gradient": point.gradient},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned; vectors are cast to the parameters' type and device."""
        self._inverse.load_state_dict(state, self._flat)
        self._caution = state["caution"]
        self._fresh = state["fresh"]
        self._end_reason = state["end_reason"]
        point = state["point"]
        self._point = None if point is None else Trial(0.0, point["loss"], 0.0, self._flat.vector(point["gradient"]))
