"""Spectral convolution: a linear map of functions that acts on each low Fourier mode by a matrix of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import torch
from torch import Tensor, nn

from .truncated_fourier import TruncatedFourier


@final
@dataclass(frozen=True, eq=False)
class SpectralGrid:
    """The matrices of all axes of one grid, shared by the layers that work on it.

    Args:
        analysis, synthesis: along each axis; of the first axis the halves for real values.
    """

    analysis: tuple[Tensor, ...]
    synthesis: tuple[Tensor, ...]

    @classmethod
    def of(cls, axes: Sequence[TruncatedFourier], like: Tensor) -> Self:
        """The matrices in the element type and on the device of a tensor."""
        first, *others = axes
        return cls(
            (first.half_analysis(like), *(axis.analysis(like) for axis in others)),
            (first.half_synthesis(like), *(axis.synthesis(like) for axis in others)),
        )


@final
class SpectralConvolution(nn.Module):
    """(K v)(x) = sum_k R_k c_k(v) exp(2 pi i k . x / period): one complex matrix R_k for each mode of half the spectrum.

    Functions are arrays (n_1, ..., n_d, count, width): in this order each transform is one product of large matrices.

    Args:
        width: components of v.
        modes: along each axis, k = 0 ... modes - 1 along the first, |k| < modes along the others.
        generator: of the initial weights, normal, such that a white v keeps its size mode by mode.
        dtype: of the real and imaginary parts, which are stored side by side, (2, modes in all, width, width).

    Reference: Li et al. 2021, arXiv:2010.08895, section 4.
    """

    def __init__(self, width: int, modes: Sequence[int], generator: torch.Generator, dtype: torch.dtype) -> None:
        super().__init__()
        self.modes = (modes[0], *(2 * m - 1 for m in modes[1:]))
        shape = (2, math.prod(self.modes), width, width)
        drawn = torch.randn(shape, generator=generator, dtype=torch.float64) / math.sqrt(2 * width)
        self.weight = nn.Parameter(drawn.to(dtype))

    def forward(self, v: Tensor, grid: SpectralGrid) -> Tensor:
        """K v, of the shape of v."""
        *points, count, width = v.shape
        first, *others = grid.analysis
        parts = first @ v.reshape(points[0], -1)
        z = torch.complex(*parts.chunk(2))
        before = self.modes[0]  # modes of the axes that are transformed already
        for axis, matrix in enumerate(others, start=1):
            z = matrix @ z.reshape(before, points[axis], -1)
            before *= self.modes[axis]
        z = torch.bmm(z.reshape(before, count, width), torch.complex(self.weight[0], self.weight[1]))
        first, *others = grid.synthesis
        for axis, matrix in reversed(list(enumerate(others, start=1))):
            before //= self.modes[axis]
            z = matrix @ z.reshape(before, self.modes[axis], -1)
        z = z.reshape(before, -1)
        return (first @ torch.cat([z.real, z.imag])).reshape(v.shape)

    def extra_repr(self) -> str:
        """Name modes and width in the network's printed form."""
        return f"{' x '.join(map(str, self.modes))} modes, {self.weight.shape[-1]} components"
