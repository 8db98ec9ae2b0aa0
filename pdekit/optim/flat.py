"""Parameters as one vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn


@final
class Flat:
    """All parameters of an optimiser, read and written as one real vector (P,); complex ones as pairs.

    Args:
        parameters: at least one.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = list(parameters)

    def gather(self) -> Tensor:
        """Return a copy of the values."""
        return torch.cat([flat(p.detach()) for p in self.parameters])

    def gradient(self) -> Tensor:
        """Return a copy of what is in `.grad`, zero where there is none."""
        return torch.cat([flat(p.grad if p.grad is not None else torch.zeros_like(p)) for p in self.parameters])

    @torch.no_grad()
    def scatter(self, vector: Tensor) -> None:
        """Write the values."""
        offset = 0
        for p in self.parameters:
            target = torch.view_as_real(p) if p.is_complex() else p
            target.copy_(vector[offset : offset + target.numel()].view_as(target))
            offset += target.numel()

    def vector(self, stored: Tensor) -> Tensor:
        """Cast a stored vector to the parameters' device and real type."""
        like = self.parameters[0]
        return stored.to(device=like.device, dtype=like.dtype.to_real() if like.is_complex() else like.dtype)


def flat(tensor: Tensor) -> Tensor:
    """Return the tensor as a real vector, without copying where possible."""
    return (torch.view_as_real(tensor) if tensor.is_complex() else tensor).reshape(-1)
