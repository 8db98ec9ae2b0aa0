"""Limited-memory BFGS whose step is one iteration, one evaluation each when the first step length fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from torch import Tensor, nn

from ..checks import integer, real
from .base import ClosureStepper
from .flat import Flat
from .quasi_newton import Pair, QuasiNewtonStepper


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
        return QuasiNewtonStepper(
            parameters,
            _RecentPairs(self.memory),
            rate=self.learning_rate,
            line_search=self.line_search,
            gradient_tolerance=self.gradient_tolerance,
        )


@final
class _RecentPairs:
    """H from the last pairs of steps and gradient changes, applied by the two-loop recursion."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self.forget()

    def forget(self) -> None:
        self._steps: list[Tensor] = []
        self._changes: list[Tensor] = []
        self._inverse_products: list[Tensor] = []
        self._scale = 1.0  # of the initial inverse Hessian

    def learn(self, pair: Pair) -> None:
        if len(self._steps) == self._memory:
            del self._steps[0], self._changes[0], self._inverse_products[0]
        product = pair.step @ pair.change
        self._steps.append(pair.step)
        self._changes.append(pair.change)
        self._inverse_products.append(product.reciprocal())
        self._scale = float(product) / float(pair.change @ pair.change)

    def image(self, vector: Tensor) -> Tensor:
        """Return H v without reading a number back from the device."""
        image = vector.clone()
        alphas = []
        for s, y, rho in zip(
            reversed(self._steps), reversed(self._changes), reversed(self._inverse_products), strict=True
        ):
            alpha = rho * (s @ image)
            image.addcmul_(y, alpha, value=-1.0)
            alphas.append(alpha)
        image.mul_(self._scale)
        pairs = zip(self._steps, self._changes, self._inverse_products, reversed(alphas), strict=True)
        for s, y, rho, alpha in pairs:
            image.addcmul_(s, alpha - rho * (y @ image))
        return image

    def state_dict(self) -> dict[str, Any]:
        return {
            "steps": list(self._steps),
            "changes": list(self._changes),
            "inverse_products": list(self._inverse_products),
            "scale": self._scale,
        }

    def load_state_dict(self, state: dict[str, Any], flat: Flat) -> None:
        self._steps = [flat.vector(v) for v in state["steps"]]
        self._changes = [flat.vector(v) for v in state["changes"]]
        self._inverse_products = [flat.vector(v) for v in state["inverse_products"]]
        self._scale = state["scale"]
