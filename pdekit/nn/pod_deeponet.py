"""Operator networks on the leading modes of the training outputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from ..checks import integer
from ..errors import ConfigError
from .architecture import MLP, Architecture
from .branch import Branch
from .operator_architecture import OperatorArchitecture, OperatorFrame, OperatorNetwork, check_axes, refuse_factor
from .regrid import regridded


@final
@dataclass(frozen=True)
class PodDeepONet(OperatorArchitecture):
    """u(f) = mean + sum_k b_k(f) s_k phi_k: a DeepONet whose trunk is the proper orthogonal basis of the training outputs.

    phi_k are the leading principal components of the training outputs, s_k their deviations: nothing of the test set is in
    them.

    Args:
        modes: how many.
        branch: network b, to which a matrix is added; None for the matrix alone.
        linear: whether there is a matrix.
        components: how many principal components of the input the branch reads, at most.

    Notes: what the modes do not hold cannot be learned; boundary values that all training outputs share are exact. On
    another grid the modes are interpolated.
    Good values: modes up to where s_k has fallen below the error aimed at.
    Reference: Lu et al. 2022, doi:10.1016/j.cma.2022.114778, section 3.1.3.
    """

    modes: int = 32
    branch: Architecture | None = field(default_factory=lambda: MLP(64, 2))
    linear: bool = True
    components: int = 128

    def __post_init__(self) -> None:
        integer("PodDeepONet", "modes", self.modes)
        integer("PodDeepONet", "components", self.components)

    def build(self, frame: OperatorFrame, generator: torch.Generator) -> PodOperator:
        """Build the network on the CPU; see `OperatorArchitecture.build`.

        Raises:
            ConfigError: fewer training cases, or points, than modes.
        """
        return PodOperator(self, frame, generator)


@final
class PodOperator(OperatorNetwork):
    """A built `PodDeepONet`."""

    def __init__(self, config: PodDeepONet, frame: OperatorFrame, generator: torch.Generator) -> None:
        super().__init__()
        refuse_factor("PodDeepONet", frame)
        self._output = frame.output
        self.branch = Branch(
            "PodDeepONet", frame, config.modes, config.branch, config.linear, config.components, generator
        )
        mean, modes = _basis(frame, config.modes)
        self.register_buffer("mean", mean.to(frame.dtype))
        self.register_buffer("basis", modes.to(frame.dtype).contiguous())  # as it is loaded: sums in the same order
        self.mean: Tensor
        self.basis: Tensor

    def resolves(self, points: Sequence[int]) -> None:
        """Refuse every input grid but the one of the training; see `OperatorNetwork.resolves`."""
        self.branch.resolves(points)

    def forward(self, inputs: Tensor, points: Sequence[int] | None = None) -> Tensor:
        """The output functions; see `OperatorNetwork.forward`."""
        outputs = self.mean + torch.tensordot(self.branch(inputs), self.basis, dims=1)
        if points is None:
            return outputs
        check_axes("PodDeepONet", points, self._output)
        return regridded(outputs, self._output.axes, points)


def _basis(frame: OperatorFrame, count: int) -> tuple[Tensor, Tensor]:
    """Mean (*shape) and scaled modes (count, *shape) of the training outputs; zeros where weights are loaded later."""
    shape = frame.output.shape
    most = math.prod(shape) if frame.outputs is None else min(len(frame.outputs), math.prod(shape))
    if count > most:
        raise ConfigError(
            f"PodDeepONet: modes: got {count}, expected at most {most}, as many as there are cases and values"
        )
    if frame.outputs is None:
        return torch.zeros(shape), torch.zeros(count, *shape)
    outputs = frame.outputs.to(torch.float64)
    mean = outputs.mean(dim=0)
    roots = torch.from_numpy(frame.output.weights).sqrt()[..., None]
    centred = (roots * (outputs - mean)).flatten(1)
    _, sizes, modes = torch.linalg.svd(centred, full_matrices=False)
    deviations = sizes[:count] / math.sqrt(len(outputs))
    return mean, (deviations[:, None] * modes[:count]).reshape(count, *shape) / roots
