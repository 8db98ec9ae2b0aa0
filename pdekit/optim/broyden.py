"""Self-scaled Broyden: quasi-Newton with the member of Broyden's family, and the scaling, that suit each step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from ..checks import integer, real
from ..errors import MemoryBudgetError
from .base import ClosureStepper
from .flat import Flat
from .normal_equations import MEMORY_LIMIT
from .quasi_newton import InverseHessian, Pair, QuasiNewtonStepper


@final
@dataclass(frozen=True)
class SelfScaledBroyden:
    """theta += t d,  d = -H g,  H = ((H - H y (H y)^T / y.Hy + phi v v^T) / tau + s s^T / s.y) after every step.

    With b = s.Bs / s.y, h = y.Hy / s.y (B the inverse of H) the family's member phi and the scaling tau <= 1 follow Al-Baali's
    intervals; eigenvalues of H that are too small grow at once instead of over many iterations, where BFGS stalls on the
    badly conditioned losses of differential equations.

    Args:
        learning_rate: first step length tried; 1 is right.
        memory: pairs of steps kept, from which H is rebuilt at every step; None keeps H itself, P x P.
        gradient_tolerance: the run ends when the largest gradient entry is at most this; 0 never ends it so.
        memory_limit: bytes that H may take.

    Raises:
        ConfigError: for a value out of range.
        MemoryBudgetError: at the start of a training, if H is larger than the limit.

    Notes: for any smooth loss, on points that stay; float64. An iteration costs one evaluation of loss and gradient,
    like L-BFGS, and 4 P^2 operations; the last thousand iterations bring what L-BFGS never reaches.

    Good values: full memory up to 5,000 parameters, after some hundred steps of Adam; several thousand iterations.

    Reference: Al-Baali & Khalfan 2005, https://doi.org/10.1007/s10589-005-4560-4 (intervals); Urban, Stefanou & Pons
    2025, https://doi.org/10.1016/j.jcp.2024.113656 (for equations).
    """

    learning_rate: float = 1.0
    memory: int | None = None
    gradient_tolerance: float = 0.0
    memory_limit: int = MEMORY_LIMIT

    def __post_init__(self) -> None:
        real("SelfScaledBroyden", "learning_rate", self.learning_rate, low=0.0)
        if self.memory is not None:
            integer("SelfScaledBroyden", "memory", self.memory)
        real("SelfScaledBroyden", "gradient_tolerance", self.gradient_tolerance, low=0.0, open_low=False)
        integer("SelfScaledBroyden", "memory_limit", self.memory_limit)

    @property
    def name(self) -> str:
        """What messages call it."""
        return "self-scaled Broyden"

    def build(self, parameters: Sequence[nn.Parameter]) -> ClosureStepper:
        """Make the optimiser with the identity for H."""
        inverse: InverseHessian = _Recent(self.memory) if self.memory is not None else _Matrix()
        size = sum(p.numel() * (2 if p.is_complex() else 1) for p in parameters)
        rows = size if self.memory is None else 3 * self.memory
        needed = size * rows * max(p.element_size() for p in parameters)
        if needed > self.memory_limit:
            raise MemoryBudgetError(
                f"{self.name}: {size} parameters need {needed} bytes, the limit is {self.memory_limit}; set memory=50, "
                "or raise memory_limit"
            )
        return QuasiNewtonStepper(
            parameters,
            inverse,
            rate=self.learning_rate,
            line_search=True,
            gradient_tolerance=self.gradient_tolerance,
        )


@final
@dataclass(frozen=True)
class Member:
    """The update of one step: H = ((H - Hy (Hy)^T / y.Hy + phi v v^T) / tau + s s^T / s.y), v as in Broyden's family."""

    phi: float
    tau: float

    @staticmethod
    def of(pair: Pair, image: Tensor) -> Member:
        """Al-Baali's choice; BFGS, scaled by s.y / y.Hy, where the step was not along -H g.

        Args:
            pair: the step.
            image: H y, (P,).
        """
        product = float(pair.step @ pair.change)
        h = float(pair.change @ image) / product
        b = -pair.length * float(pair.step @ pair.gradient) / product  # since B s = -t g
        a = h * b - 1.0
        if not (math.isfinite(b) and b > 0.0 and a > 0.0):  # a > 0 by Cauchy and Schwarz, but for rounding
            return Member(1.0, min(1.0, 1.0 / h))
        rho = min(1.0, h * (1.0 - math.sqrt(a / (1.0 + a))))
        theta = max((rho - 1.0) / a, min(1.0 / rho, (1.0 - b) / b))
        sigma = 1.0 + theta * a
        root = sigma ** (-1.0 / max(len(pair.step) - 1, 1))
        tau = min(1.0, 1.0 / b)
        tau = tau * min(root, 1.0 / theta) if theta > 0.0 else min(tau * root, sigma)
        return Member((1.0 - theta) / sigma, tau)


@final
class _Matrix:
    """H itself."""

    def __init__(self) -> None:
        self._matrix: Tensor | None = None  # the identity

    def forget(self) -> None:
        self._matrix = None

    def image(self, vector: Tensor) -> Tensor:
        return vector.clone() if self._matrix is None else self._matrix @ vector

    def learn(self, pair: Pair) -> None:
        s, y = pair.step, pair.change
        product = float(s @ y)
        if self._matrix is None:
            scale = product / float(y @ y)
            self._matrix = scale * torch.eye(len(s), dtype=s.dtype, device=s.device)
            pair = Pair(s, y, pair.gradient, math.nan)  # the step was along another H
        image = self._matrix @ y
        member, curvature = Member.of(pair, image), float(y @ image)
        v = (s / product).sub_(image, alpha=1.0 / curvature)
        self._matrix.addr_(image, image, beta=1.0 / member.tau, alpha=-1.0 / (member.tau * curvature))
        self._matrix.addr_(v, v, alpha=member.phi * curvature / member.tau)
        self._matrix.addr_(s, s, alpha=1.0 / product)

    def state_dict(self) -> dict[str, Any]:
        return {"matrix": self._matrix}

    def load_state_dict(self, state: dict[str, Any], flat: Flat) -> None:
        self._matrix = None if state["matrix"] is None else flat.vector(state["matrix"])


@final
class _Recent:
    """H from the last pairs, rebuilt when the oldest one goes; vectors are stacked as rows."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self.forget()

    def forget(self) -> None:
        self._steps: Tensor | None = None  # (k, P)
        self._changes: Tensor | None = None
        self._images: Tensor | None = None  # H y of each pair, H from those before it
        self._members: list[Member] = []
        self._scale = 1.0

    def image(self, vector: Tensor) -> Tensor:
        return self._image(vector, len(self._members))

    def _image(self, vector: Tensor, count: int) -> Tensor:
        """H v, H from the first `count` pairs: all corrections read v itself, so that they come at once."""
        if self._steps is None or self._changes is None or self._images is None or not count:
            return self._scale * vector
        s, y, u = self._steps[:count], self._changes[:count], self._images[:count]
        product, curvature = (s * y).sum(1), (y * u).sum(1)
        phi, tau = (s.new_tensor([getattr(m, name) for m in self._members[:count]]) for name in ("phi", "tau"))
        grown = (1.0 / tau).flip(0).cumprod(0).flip(0)  # by this update and all later ones
        along_s, along_u = s @ vector, u @ vector
        share = phi * (along_s / product - along_u / curvature)
        on_s = (share * curvature + tau * along_s) / product * grown
        on_u = (along_u / curvature + share) * grown
        return (self._scale * grown[0]) * vector + s.T @ on_s - u.T @ on_u

    def learn(self, pair: Pair) -> None:
        if self._steps is None:
            self._scale = float(pair.step @ pair.change) / float(pair.change @ pair.change)
            pair = Pair(pair.step, pair.change, pair.gradient, math.nan)
        image = self.image(pair.change)
        member = Member.of(pair, image)
        # With other pairs before it, a negative phi could make H indefinite.
        self._members.append(Member(max(member.phi, 0.0), member.tau))
        self._steps = _appended(self._steps, pair.step, self._memory)
        self._changes = _appended(self._changes, pair.change, self._memory)
        self._images = _appended(self._images, image, self._memory)
        if len(self._members) > self._memory:
            del self._members[0]
            for count in range(self._memory):
                self._images[count] = self._image(self._changes[count], count)

    def state_dict(self) -> dict[str, Any]:
        return {
            "steps": self._steps,
            "changes": self._changes,
            "images": self._images,
            "members": [[member.phi, member.tau] for member in self._members],
            "scale": self._scale,
        }

    def load_state_dict(self, state: dict[str, Any], flat: Flat) -> None:
        self._steps, self._changes, self._images = (
            None if state[key] is None else flat.vector(state[key]) for key in ("steps", "changes", "images")
        )
        self._members = [Member(phi, tau) for phi, tau in state["members"]]
        self._scale = state["scale"]


def _appended(rows: Tensor | None, row: Tensor, most: int) -> Tensor:
    """The rows and one more, without the first ones beyond `most`."""
    return row[None].clone() if rows is None else torch.cat([rows, row[None]])[-most:]
