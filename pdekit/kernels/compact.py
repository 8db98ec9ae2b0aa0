"""Closed derivatives of the compactly supported activations."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..nn import GELU, BSpline, Ricker, S2ReLU, SReLU
from .functions import derivatives


def _inside(z: Tensor) -> Tensor:
    """1 on (0, 1), else 0."""
    return ((z > 0) & (z < 1)).to(z.dtype)


@derivatives.register
def _srelu(function: SReLU, z: Tensor, order: int, value: Tensor | None = None) -> list[Tensor]:
    result = [function(z) if value is None else value]
    if order >= 1:
        inside = _inside(z)
        result += [inside * (1 - 2 * z), -2 * inside][:order]
    return result + [torch.zeros_like(z) for _ in range(order - 2)]


@derivatives.register
def _b_spline(function: BSpline, z: Tensor, order: int, value: Tensor | None = None) -> list[Tensor]:
    p, pieces = function.degree, function.pieces
    from_centre = z - pieces[0][0]
    distance, outwards = from_centre.abs(), -torch.sign(from_centre)
    reaches = [(torch.relu(radius - distance), factor) for radius, factor in pieces]
    result = [function(z) if value is None else value]
    for k in range(1, order + 1):
        if k > p:
            result.append(torch.zeros_like(z))
            continue
        # The inner derivative of radius - |z - centre| is `outwards`, whose even powers are 1 (0 at the centre itself).
        powers = [factor * (reach ** (p - k) if k < p else (reach > 0).to(z.dtype)) for reach, factor in reaches]
        total = math.perm(p, k) * sum(powers[1:], powers[0])
        result.append(outwards * total if k % 2 else total)
    return result


@derivatives.register
def _s2relu(function: S2ReLU, z: Tensor, order: int, value: Tensor | None = None) -> list[Tensor]:
    # Leibniz' formula for sin(2 pi z) times the parabola z (1 - z), whose third derivative vanishes.
    w = 2 * math.pi
    sine, cosine, inside = torch.sin(w * z), torch.cos(w * z), _inside(z)
    turns = (sine, cosine, -sine, -cosine)
    parabola = (inside * z * (1 - z), inside * (1 - 2 * z), -2 * inside)
    result = []
    for k in range(order + 1):
        terms = [math.comb(k, j) * w ** (k - j) * turns[(k - j) % 4] * parabola[j] for j in range(min(k, 2) + 1)]
        result.append(sum(terms[1:], terms[0]))
    return result


@derivatives.register
def _gelu(function: GELU, z: Tensor, order: int, value: Tensor | None = None) -> list[Tensor]:
    # Leibniz' formula for z times the distribution function, whose derivatives are those of the bell: He_k times it.
    bell = torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    result = [function(z) if value is None else value]
    if order >= 1:
        result.append(torch.special.ndtr(z) + z * bell)
    hermite = [torch.ones_like(z), z]
    for k in range(2, order + 1):
        result.append((-1) ** k * (k * hermite[k - 2] - z * hermite[k - 1]) * bell)
        hermite.append(z * hermite[-1] - (k - 1) * hermite[-2])
    return result


@derivatives.register
def _ricker(function: Ricker, z: Tensor, order: int, value: Tensor | None = None) -> list[Tensor]:
    # -f is the second derivative of a Gaussian, so all others are Hermite polynomials He_k times that Gaussian.
    y = z / function.width
    bell = function.height * torch.exp(-0.5 * y * y)
    hermite = [torch.ones_like(y), y]
    while len(hermite) < order + 3:
        hermite.append(y * hermite[-1] - (len(hermite) - 1) * hermite[-2])
    return [-((-1 / function.width) ** k) * hermite[k + 2] * bell for k in range(order + 1)]
