"""Derivatives of elementwise functions, in closed form where the function has one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import final

import torch
from torch import Tensor

from ..nn import CosineSine, Mixed, ReLU, Sine, Tanh


@singledispatch
def derivatives(
    function: Callable[[Tensor], Tensor], z: Tensor, order: int, value: Tensor | None = None
) -> list[Tensor]:
    """Return [f(z), f'(z), ...] up to `order`, each of the shape of z and differentiable.

    Register a closed form for an activation's type with `derivatives.register`; this default differentiates any
    elementwise function by nested autograd.

    Args:
        function: an elementwise function.
        z: where to evaluate.
        order: highest derivative.
        value: f(z) if it is known already.
    """
    tracked = torch.is_grad_enabled()
    with torch.enable_grad():
        z = z if z.requires_grad else z.detach().requires_grad_(True)
        result = [function(z)]
        for _ in range(order):
            result.append(_slope(result[-1], z))
    return result if tracked else [term.detach() for term in result]


@singledispatch
def derivatives_into(function: Callable[[Tensor], Tensor], z: Tensor, out: Sequence[Tensor], known: bool) -> None:
    """Write f(z), f'(z), ... to the tensors of `out`, outside autograd; `known`: out[0] holds f(z) already.

    Register a version for an activation's type where memory for temporaries is worth saving.
    """
    terms = derivatives(function, z, len(out) - 1, out[0] if known else None)
    for target, term in zip(out[known:], terms[known:], strict=True):
        target.copy_(term)


def has_closed_form(function: Callable[[Tensor], Tensor]) -> bool:
    """Whether derivatives of the function are in the table."""
    match function:
        case CosineSine():
            return True  # as two `Wave`s
        case Mixed():
            return all(has_closed_form(part) for part in function.functions)
    return derivatives.dispatch(type(function)) is not derivatives.dispatch(object)


def _slope(term: Tensor, z: Tensor) -> Tensor:
    if not term.requires_grad:
        return torch.zeros_like(z)
    (slope,) = torch.autograd.grad(term.sum(), z, create_graph=True, allow_unused=True, materialize_grads=True)
    return slope


@final
@dataclass(frozen=True)
class Power:
    """z^exponent for an integer exponent >= 0."""

    exponent: int

    def __call__(self, z: Tensor) -> Tensor:
        """Return z^exponent."""
        return z**self.exponent


@derivatives.register
def _power(function: Power, z: Tensor, order: int, value: Tensor | None = None) -> list[Tensor]:
    p = function.exponent
    return [
        math.perm(p, k) * z ** (p - k) if k < p else torch.full_like(z, math.factorial(p) if k == p else 0)
        for k in range(order + 1)
    ]


@derivatives.register
def _tanh(function: Tanh, z: Tensor, order: int, value: Tensor | None = None) -> list[Tensor]:
    # With t = tanh z every derivative is a polynomial in t, since t' = 1 - t^2 = s; addcmul makes one pass of each.
    t = torch.tanh(z) if value is None else value
    result = [t]
    if order >= 1:
        slope = torch.addcmul(t.new_ones(()), t, t, value=-1)
        result.append(slope)
    if order >= 2:
        result.append(torch.addcmul(t.new_zeros(()), t, slope, value=-2))
    if order >= 3:
        result.append(torch.addcmul(4 * slope, slope, slope, value=-6))
    if order >= 4:
        result.append((24 * slope - 8) * t * slope)
    if order >= 5:
        result.append((16 - 120 * t * t * slope) * slope)
    return result


@derivatives_into.register
def _tanh_into(function: Tanh, z: Tensor, out: Sequence[Tensor], known: bool) -> None:
    t, *rest = out
    if not known:
        torch.tanh(z, out=t)
    if rest:
        slope = torch.addcmul(t.new_ones(()), t, t, value=-1, out=rest[0])
    if len(rest) >= 2:
        torch.addcmul(t.new_zeros(()), t, slope, value=-2, out=rest[1])
    if len(rest) >= 3:
        torch.addcmul(slope, slope, slope, value=-1.5, out=rest[2]).mul_(4)
    for target, term in zip(rest[3:], derivatives(function, z, len(rest), t)[4:] if rest[3:] else (), strict=True):
        target.copy_(term)


@derivatives.register
def _sine(function: Sine, z: Tensor, order: int, value: Tensor | None = None) -> list[Tensor]:
    w = function.frequency
    sine = function(z) if value is None else value
    result = [sine]
    if order >= 1:
        # Multiplying by 1 would be two more passes over memory.
        result.append(torch.cos(z) if w == 1 else w * torch.cos(w * z))
    while len(result) <= order:
        result.append(-w * w * result[-2])
    return result


@final
@dataclass(frozen=True)
class Wave:
    """amplitude cos z, or amplitude sin z."""

    amplitude: float
    cosine: bool

    def __call__(self, z: Tensor) -> Tensor:
        """Return the wave."""
        return self.amplitude * (torch.cos(z) if self.cosine else torch.sin(z))


@derivatives.register
def _wave(function: Wave, z: Tensor, order: int, value: Tensor | None = None) -> list[Tensor]:
    result = [function(z) if value is None else value]
    if order >= 1:
        slope = -torch.sin(z) if function.cosine else torch.cos(z)
        result.append(function.amplitude * slope)
    while len(result) <= order:
        result.append(-result[-2])
    return result


@derivatives.register
def _mixed(function: Mixed, z: Tensor, order: int, value: Tensor | None = None) -> list[Tensor]:
    values = (None,) * len(function.functions) if value is None else function.groups(value)
    groups = zip(function.functions, function.groups(z), values, strict=True)
    parts = [derivatives(part, units, order, known) for part, units, known in groups]
    return [torch.cat(terms, -1) for terms in zip(*parts, strict=True)]


@derivatives.register
def _relu(function: ReLU, z: Tensor, order: int, value: Tensor | None = None) -> list[Tensor]:
    p = function.power
    positive = torch.relu(z)
    result = [function(z) if value is None else value]
    for k in range(1, order + 1):
        if k < p:
            result.append(math.perm(p, k) * positive ** (p - k))
        else:
            result.append((z > 0).to(z.dtype) * math.factorial(p) if k == p else torch.zeros_like(z))
    return result
