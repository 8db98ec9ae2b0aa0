"""Named memory that is used again."""

from __future__ import annotations

from typing import TypeAlias

from torch import Tensor

Buffers: TypeAlias = dict[tuple[str, int], Tensor]


def take(buffers: Buffers, name: tuple[str, int], shape: tuple[int, ...], like: Tensor) -> Tensor:
    """The buffer of that name; made anew, of the type of `like`, unless it has the shape."""
    found = buffers.get(name)
    if found is None or found.shape != shape or found.dtype != like.dtype or found.device != like.device:
        found = buffers[name] = like.new_empty(shape)
    return found
