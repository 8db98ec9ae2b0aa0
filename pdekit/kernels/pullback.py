"""Vector-Jacobian products."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def pullback(
    values: Tensor, inputs: Sequence[Tensor], weight: Tensor | float, *, keep: bool = False
) -> tuple[Tensor, ...]:
    """The derivatives of sum(weight * values) in the inputs; None for inputs that the values do not depend on.

    Args:
        values: any shape, with a graph.
        inputs: leaves of that graph, or tensors in it.
        weight: one number, or the shape of `values`.
        keep: keep the graph for another call.

    Notes: `torch.autograd.grad` with `grad_outputs` does the same, but its first call imports sympy, which takes a
        fourth of the time that torch itself takes to import, and every call checks shapes symbolically.
    """
    with torch.enable_grad():
        total = (values * weight).sum()
    return torch.autograd.grad(total, inputs, retain_graph=keep, allow_unused=True)
