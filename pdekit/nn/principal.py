"""Principal components of a kind of function, as what networks read instead of its values on a grid."""

from __future__ import annotations

import math
from typing import Self, final

import torch
from torch import Tensor, nn

from .operator_architecture import OperatorFrame


@final
class PrincipalComponents(nn.Module):
    """z_k = (f - mean, phi_k) / sqrt(s_k s_1): leading components of the training inputs, their deviations evened out by half.

    s_k are the deviations along the principal directions phi_k of the values on the grid. Left as they are, the first ones
    drown the others, for gradients see s_k^2; divided by s_k, those without meaning count as much as the first.

    Args:
        mean: of the flattened inputs, (n,).
        directions: phi_k / sqrt(s_k s_1), (count, n); zeros where there are fewer than `count`.
        dtype: of both.
    """

    def __init__(self, mean: Tensor, directions: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("mean", mean.to(dtype).contiguous())
        self.register_buffer("directions", directions.to(dtype).contiguous())  # as loaded: sums in the same order
        self.mean: Tensor
        self.directions: Tensor

    @classmethod
    def of(cls, frame: OperatorFrame, count: int) -> Self:
        """The first `count` components of the training inputs, or as many as there are values."""
        size = math.prod(frame.input.shape)
        directions = torch.zeros(min(count, size), size, dtype=torch.float64)
        if frame.inputs is None:
            return cls(torch.zeros(size), directions, frame.dtype)
        values = frame.inputs.to(torch.float64).flatten(1)
        mean = values.mean(dim=0)
        _, sizes, vectors = torch.linalg.svd(values - mean, full_matrices=False)
        deviations = sizes / math.sqrt(len(values))
        kept = int((deviations > deviations[0] * torch.finfo(frame.dtype).eps).sum().clamp(max=len(directions)))
        scale = (deviations[:kept] * deviations[0]).sqrt()
        directions[:kept] = vectors[:kept] / scale[:, None]
        return cls(mean, directions, frame.dtype)

    def forward(self, inputs: Tensor) -> Tensor:
        """Components (count, k) of inputs (count, *shape)."""
        return (inputs.flatten(1) - self.mean) @ self.directions.T

    def extra_repr(self) -> str:
        """Name their number in the network's printed form."""
        return f"{len(self.directions)} of {len(self.mean)}"
