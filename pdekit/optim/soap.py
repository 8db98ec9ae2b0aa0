"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner, from the package pytorch-optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import nn

from ..checks import integer, real
from ..errors import NotApplicableError
from .base import GradientStepper
from .first_order import TorchOptimizer


@final
@dataclass(frozen=True)
class SOAP:
    """Adam run in the eigenbasis of the running averages of G G^T and G^T G, G the gradient of a layer's weights.

    Args:
        learning_rate: step length.
        betas: decay rates of the two moments.
        precondition_frequency: steps between updates of the eigenbases.

    Raises:
        ConfigError: for a value out of range.
        NotApplicableError: at the start of a training, if the package is not there: pip install pdekit[soap].

    Notes: first-order in cost, about twice Adam's time per step for layers of 64 units, and usually half its steps on
    equations, where the gradients of the terms point against each other. Works with new points at every step. The
    package's first import takes some seconds, for torch's compiler.

    Good values: learning_rate 3e-3 with a cosine or exponential decay; precondition_frequency 2 to 10.

    Reference: Vyas et al. 2024, https://doi.org/10.48550/arXiv.2409.11321; for equations Wang et al. 2025,
    https://doi.org/10.48550/arXiv.2502.00604
    """

    learning_rate: float = 3e-3
    betas: tuple[float, float] = (0.95, 0.95)
    precondition_frequency: int = 10

    def __post_init__(self) -> None:
        real("SOAP", "learning_rate", self.learning_rate, low=0.0)
        for i, beta in enumerate(self.betas):
            real("SOAP", f"betas[{i}]", beta, low=0.0, high=0.999999, open_low=False)
        integer("SOAP", "precondition_frequency", self.precondition_frequency)

    @property
    def name(self) -> str:
        """What messages call it."""
        return "SOAP"

    def build(self, parameters: Sequence[nn.Parameter]) -> GradientStepper:
        """Make the stepper."""
        try:
            import pytorch_optimizer
        except ImportError as error:
            raise NotApplicableError(
                "SOAP: got no package pytorch-optimizer, expected it installed; pip install pdekit[soap], or use Adam()"
            ) from error

        def make(moving: Sequence[nn.Parameter], rate: float) -> torch.optim.Optimizer:
            made: torch.optim.Optimizer = pytorch_optimizer.SOAP(
                moving,
                lr=rate,
                betas=self.betas,
                weight_decay=0.0,
                precondition_frequency=self.precondition_frequency,
            )
            return made

        return TorchOptimizer(self.name, self.learning_rate, make).build(parameters)
