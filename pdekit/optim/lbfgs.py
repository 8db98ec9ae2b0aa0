"""Limited-memory BFGS whose step is one iteration, one evaluation each when the first step length fits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from ..checks import integer, real
from .base import Closure, ClosureStepper
from .linesearch import Trial, strong_wolfe


@final
@dataclass(frozen=True)
class LBFGS:
    """Limited-memory BFGS with a strong-Wolfe line search.

    theta += t d,  d = -H g,  H from the last `memory` pairs of steps and gradient changes.

    Args:
        learning_rate: first step length tried; 1 is right with a line search.
        memory: pairs kept; each costs two vectors of the parameters' size.
        line_search: search t for the strong Wolfe conditions; without it t = learning_rate.
        gradient_tolerance: the run ends when the largest gradient entry is at most this; 0 never ends it so.

    Raises:
        ConfigError: for a value out of range.

    Notes: needs the same points at each step; use float64 for errors below 1e-4. An iteration costs one evaluation of
    loss and gradient when the first step length is accepted, which is the rule after the first few. When no step along
    the gradient itself decreases the loss, `end_reason` says so and the phase ends.

    Good values: memory 50; after a first phase of Adam.

    Reference: Liu & Nocedal 1989, https://doi.org/10.1007/BF01589116
    """

    learning_rate: float = 1.0
    memory: int = 50
    line_search: bool = True
    gradient_tolerance: float = 0.0

    def __post_init__(self) -> None:
        real("LBFGS", "learning_rate", self.learning_rate, low=0.0)
        integer("LBFGS", "memory", self.memory)
        real("LBFGS", "gradient_tolerance", self.gradient_tolerance, low=0.0, open_low=False)

    @property
    def name(self) -> str:
        """What messages call it."""
        return "L-BFGS"

    def build(self, parameters: Sequence[nn.Parameter]) -> ClosureStepper:
        """Make the optimiser with empty memory."""
        return _LBFGSStepper(parameters, self)


@final
class _LBFGSStepper(ClosureStepper):
    """The state of a running L-BFGS: curvature pairs and the gradient at the current point."""

    def __init__(self, parameters: Sequence[nn.Parameter], config: LBFGS) -> None:
        """Start with empty memory."""
        self._config, self._rate = config, config.learning_rate
        self._parameters = list(parameters)
        self._end_reason: str | None = None
        self._point: Trial | None = None  # loss and gradient at the current parameters, while they are valid
        self._steps: list[Tensor] = []
        self._changes: list[Tensor] = []
        self._inverse_products: list[Tensor] = []
        self._scale = 1.0  # of the initial inverse Hessian
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
        self._steps, self._changes, self._inverse_products = [], [], []
        self._scale = 1.0
        self._fresh = True

    @torch.no_grad()
    def iterate(self, closure: Closure) -> float:
        """Do one iteration; the parameters stay where they are if no step decreases the loss."""
        evaluated = torch.enable_grad()(closure)
        point = self._point if self._point is not None else self._evaluate(evaluated, 0.0, None)
        self._point = point
        if not math.isfinite(point.loss):
            return point.loss
        if float(point.gradient.abs().max()) <= self._config.gradient_tolerance:
            self._end_reason = f"largest gradient entry at most {self._config.gradient_tolerance:g}"
            return point.loss
        direction = self._direction(point.gradient)
        slope = float(point.gradient @ direction)
        if not slope < 0.0:  # memory spoilt by rounding: fall back to the gradient
            self._forget_curvature()
            direction = point.gradient.neg()
            slope = float(point.gradient @ direction)
        length = self._rate
        if self._fresh:
            length *= self._caution * min(1.0, 1.0 / float(point.gradient.abs().sum()))
        origin = self._gather()
        start = Trial(0.0, point.loss, slope, point.gradient)

        def evaluate(t: float) -> Trial:
            self._scatter(torch.add(origin, direction, alpha=t))
            return self._evaluate(evaluated, t, direction)

        found = strong_wolfe(evaluate, start, length) if self._config.line_search else evaluate(length)
        if found is None or found.loss == point.loss:
            self._scatter(origin)
            if self._fresh:
                self._end_reason = "line search found no decrease along the gradient (limit of the working precision)"
            self._forget_curvature()
            return point.loss
        # The line search may have ended on another trial than it returns.
        moved = torch.add(origin, direction, alpha=found.length)
        self._scatter(moved)
        self._remember(moved.sub_(origin), found.gradient - point.gradient)
        self._fresh = False
        self._point = Trial(0.0, found.loss, 0.0, found.gradient)
        return found.loss

    def _remember(self, step: Tensor, change: Tensor) -> None:
        inner = step @ change
        product, norm = float(inner), float(change @ change)
        # Relative curvature test, so that it holds near convergence where both vectors are tiny.
        if not product > torch.finfo(step.dtype).eps * float(step.norm()) * norm**0.5:
            return
        if len(self._steps) == self._config.memory:
            del self._steps[0], self._changes[0], self._inverse_products[0]
        self._steps.append(step)
        self._changes.append(change)
        self._inverse_products.append(inner.reciprocal())
        self._scale = product / norm

    def _direction(self, gradient: Tensor) -> Tensor:
        """Return -H g by the two-loop recursion, without reading a number back from the device."""
        direction = gradient.neg()
        alphas = []
        for s, y, rho in zip(
            reversed(self._steps), reversed(self._changes), reversed(self._inverse_products), strict=True
        ):
            alpha = rho * (s @ direction)
            direction.addcmul_(y, alpha, value=-1.0)
            alphas.append(alpha)
        direction.mul_(self._scale)
        pairs = zip(self._steps, self._changes, self._inverse_products, reversed(alphas), strict=True)
        for s, y, rho, alpha in pairs:
            direction.addcmul_(s, alpha - rho * (y @ direction))
        return direction

    def _evaluate(self, closure: Closure, length: float, direction: Tensor | None) -> Trial:
        loss = float(closure().detach())
        gradient = torch.cat([_flat(p.grad if p.grad is not None else torch.zeros_like(p)) for p in self._parameters])
        slope = float(gradient @ direction) if direction is not None else 0.0
        return Trial(length, loss, slope, gradient)

    def _gather(self) -> Tensor:
        return torch.cat([_flat(p) for p in self._parameters])

    def _scatter(self, flat: Tensor) -> None:
        offset = 0
        for p in self._parameters:
            target = torch.view_as_real(p) if p.is_complex() else p
            target.copy_(flat[offset : offset + target.numel()].view_as(target))
            offset += target.numel()

    def state_dict(self) -> dict[str, Any]:
        """Return everything the next iteration depends on, as tensors and plain values."""
        point = self._point
        return {
            "steps": list(self._steps),
            "changes": list(self._changes),
            "inverse_products": list(self._inverse_products),
            "scale": self._scale,
            "caution": self._caution,
            "fresh": self._fresh,
            "end_reason": self._end_reason,
            "point": None if point is None else {"loss": point.loss, "gradient": point.gradient},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned; vectors are cast to the parameters' type and device."""
        like = self._parameters[0]
        real = like.dtype.to_real() if like.is_complex() else like.dtype

        def vector(v: Tensor) -> Tensor:
            return v.to(device=like.device, dtype=real)

        self._steps = [vector(v) for v in state["steps"]]
        self._changes = [vector(v) for v in state["changes"]]
        self._inverse_products = [vector(v) for v in state["inverse_products"]]
        self._scale = state["scale"]
        self._caution = state["caution"]
        self._fresh = state["fresh"]
        self._end_reason = state["end_reason"]
        point = state["point"]
        self._point = None if point is None else Trial(0.0, point["loss"], 0.0, vector(point["gradient"]))


def _flat(tensor: Tensor) -> Tensor:
    return (torch.view_as_real(tensor) if tensor.is_complex() else tensor).reshape(-1)
