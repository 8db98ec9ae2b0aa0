"""Polynomials as networks: monomials of the scaled coordinates with trained coefficients."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from .frame import Frame
from .initialisation import empty_linear
from .layers import Network, Scaling
from .stack import check_positive


@final
class Monomials(nn.Module):
    """All products z_1^e_1 ... z_d^e_d of a table of exponents.

    Args:
        exponents: (K, d) integers >= 0.
    """

    def __init__(self, exponents: Tensor) -> None:
        super().__init__()
        self.register_buffer("exponents", exponents.to(torch.int64))
        self.exponents: Tensor
        self.degree = int(exponents.max()) if exponents.numel() else 0

    def forward(self, z: Tensor) -> Tensor:
        """Return the monomials, (n, K)."""
        powers = torch.stack([z**k for k in range(self.degree + 1)])  # (degree + 1, n, d)
        factors = [powers[column, :, axis] for axis, column in enumerate(self.exponents.unbind(1))]  # each (K, n)
        return math.prod(factors[1:], start=factors[0]).T


@final
@dataclass(frozen=True)
class Polynomial:
    """u(x) = sum over e of c_e z^e, z the coordinates scaled to [-1, 1], c trained from zero.

    Args:
        degree: highest total degree, or highest degree per axis with `tensor`.
        tensor: take all products of per-axis powers up to `degree` instead of a total degree.

    Raises:
        ConfigError: the degree is not a positive integer.

    Notes: (degree + d choose d) coefficients, or (degree + 1)^d; beyond degree 20 monomials are too ill-conditioned for
    float64 least squares.
    Reference: book, section 15.1.
    """

    degree: int = 8
    tensor: bool = False

    def __post_init__(self) -> None:
        check_positive("Polynomial", degree=self.degree)

    def build(self, frame: Frame, generator: torch.Generator) -> nn.Module:
        """Build the polynomial on the CPU, all coefficients zero; the generator is not used."""
        exponents = torch.tensor(self._exponents(frame.inputs))
        top = empty_linear(len(exponents), frame.outputs, frame.dtype, biased=False)
        nn.init.zeros_(top.weight)
        body = nn.Sequential(Scaling(frame), Monomials(exponents), top)
        return Network("Polynomial", str(self.degree), frame, body)

    def _exponents(self, inputs: int) -> list[tuple[int, ...]]:
        if self.tensor:
            return list(itertools.product(range(self.degree + 1), repeat=inputs))
        # A monomial of degree <= p is a choice of p factors among 1, z_1, ..., z_d.
        choices = itertools.combinations_with_replacement(range(inputs + 1), self.degree)
        return [tuple(choice.count(axis) for axis in range(inputs)) for choice in choices]
