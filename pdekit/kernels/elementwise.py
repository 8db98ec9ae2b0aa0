"""Channels through an elementwise function: which formulas serve which plan."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..nn import CosineSine
from .channels import AffineChannels, Channels, StackedChannels
from .composition import compose, compose_affine
from .functions import Wave, has_closed_form
from .fused import compose_affine_fused, compose_fused


def composed(function: Callable[[Tensor], Tensor], inner: Channels) -> StackedChannels:
    """Return the channels of function(z), by Faa di Bruno's formula.

    Plans of order at most 2 run through the fused formulas, unless a compiler does the fusing.
    """
    if isinstance(function, CosineSine):
        waves = [composed(Wave(function.amplitude, cosine), inner).data for cosine in (True, False)]
        return StackedChannels(inner.layout, torch.cat(waves, -1))
    layout = inner.layout
    fused = layout.order <= 2 and has_closed_form(function) and not torch.compiler.is_compiling()
    if isinstance(inner, AffineChannels):
        affine = compose_affine_fused if fused else compose_affine
        return StackedChannels(layout, affine(function, layout, inner.value, inner.powers()))
    stacked = compose_fused if fused else compose
    return StackedChannels(layout, stacked(function, layout, inner.data, inner.bias))
