"""Chains of linear layers and tanh as one call of machine code each way: chain.cpp around the BLAS that torch brings."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import c_int32, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, final

import torch
from torch import Tensor

from ..nn import Tanh
from .formulas import Function
from .layout import Layout
from .native import NATIVE_TYPES, library, table_of
from .scratch import Buffers, take

Weights: TypeAlias = Sequence[tuple[Tensor, Tensor | None]]

CHUNK_BYTES = 1 << 18
"""Size of a chunk's channels between two layers, of which a core's second-level cache holds eight (2 MiB)."""
LEAST_POINTS = 16
_ROUTINES = {torch.float32: "sgemm_", torch.float64: "dgemm_"}


class _Net(ctypes.Structure):
    """`Chain` of chain.cpp."""

    _fields_ = (
        *(
            (name, c_void_p)
            for name in ("gemm", "weights", "biases", "kept", "points", "powers", "widths", "pairs", "starts")
        ),
        *((name, c_int64) for name in ("n", "chunk")),
        *((name, c_int32) for name in ("activations", "rows", "first", "collapsed", "threads")),
    )


@final
@dataclass(frozen=True, eq=False)
class NativeChain:
    """One pass of a chain through machine code, and the way back.

    Args:
        layout: the channels.
        value: points (n, d).
        powers: see `AffineChannels.powers`, of the first linear layer's output.
        weights: weight and bias of each linear layer.
        buffers: memory for what the way back needs.
        threads: among which the points are shared out, the same both ways.
    """

    layout: Layout
    value: Tensor
    powers: Tensor
    weights: Weights
    buffers: Buffers
    threads: int

    def forward(self) -> Tensor:
        """The channels of the chain (C, n, m)."""
        n, m = len(self.value), self._widths[-1]
        out = self.value.new_empty(self.layout.size, n, m)
        size = self.layout.size * self._chunk * (max(self._widths[1:]) + m)
        scratch, held = self._scratch("forward", size), self._net()
        self._call("chain_forward", ctypes.addressof(held[0]), out.data_ptr(), scratch.data_ptr(), size)
        return out

    def backward(self, grad: Tensor, to_points: Tensor | None) -> tuple[Tensor, list[tuple[Tensor, Tensor | None]]]:
        """Gradients with respect to powers and weights, given the one with respect to the channels (C, n, m).

        `to_points` (n, d), where given, receives that with respect to the points.
        """
        threads, grad = self.threads, grad.contiguous()
        outer = self.value.new_zeros(threads, *self.powers.shape)
        sums = [tuple(None if t is None else t.new_zeros(threads, *t.shape) for t in pair) for pair in self.weights]
        addresses = (c_void_p * (threads * 2 * len(sums)))(
            *(None if t is None else t[thread].data_ptr() for thread in range(threads) for pair in sums for t in pair)
        )
        size = 3 * self.layout.size * self._chunk * max(self._widths[1:])
        scratch, held = self._scratch("backward", size), self._net()
        target = None if to_points is None else to_points.data_ptr()
        arguments = (grad.data_ptr(), ctypes.addressof(addresses), outer.data_ptr(), target, scratch.data_ptr(), size)
        self._call("chain_backward", ctypes.addressof(held[0]), *arguments)
        return outer.sum(0), [(w.sum(0), None if b is None else b.sum(0)) for w, b in sums]  # type: ignore[union-attr]

    @property
    def _widths(self) -> list[int]:
        return [self.weights[0][0].shape[1], *(len(weight) for weight, _ in self.weights)]

    @property
    def _chunk(self) -> int:
        n, threads = len(self.value), self.threads
        fitting = CHUNK_BYTES // (self.layout.size * max(self._widths[1:]) * self.value.element_size())
        count = -(-n // max(LEAST_POINTS, fitting))
        return max(1, -(-n // (-(-max(count, 1) // threads) * threads)))  # as many for each thread

    def _net(self) -> tuple[_Net, Any]:
        """The structure, and what must live as long."""
        n, chunk, rows, widths = len(self.value), self._chunk, self.layout.size, self._widths
        count = -(-n // chunk)
        kept = [
            take(self.buffers, ("native", k), (count, (rows if k else 1) + 2, chunk, width), self.value)
            for k, width in enumerate(widths[1:-1])
        ]
        linears, table = len(self.weights), table_of(self.layout)
        lists = (
            (c_void_p * linears)(*(weight.data_ptr() for weight, _ in self.weights)),
            (c_void_p * linears)(*(None if bias is None else bias.data_ptr() for _, bias in self.weights)),
            (c_void_p * len(kept))(*(block.data_ptr() for block in kept)),
            (c_int64 * len(widths))(*widths),
        )
        w, b, k, sizes = (ctypes.addressof(part) for part in lists)
        pairs, starts = ctypes.addressof(table.pairs), ctypes.addressof(table.starts)
        points = (self.value.data_ptr(), self.powers.data_ptr())
        net = _Net(
            _routines()[self.value.dtype], w, b, k, *points, sizes, pairs, starts, n, chunk,
            linears - 1, rows, table.first, bool(self.layout.collapsed), self.threads,
        )  # fmt: skip
        return net, lists

    def _scratch(self, way: str, size: int) -> Tensor:
        return take(self.buffers, (way, 0), (self.threads, size), self.value)

    def _call(self, name: str, *arguments: Any) -> None:
        entries = library()
        assert entries is not None
        entries[name, self.value.dtype](*arguments)


def serves(functions: Sequence[Function], value: Tensor) -> bool:
    """Whether chain.cpp knows these activations, and runs on these points."""
    ready = value.device.type == "cpu" and value.dtype in NATIVE_TYPES and all(isinstance(f, Tanh) for f in functions)
    return ready and bool(_routines()) and library() is not None


@cache
def _routines() -> dict[torch.dtype, int]:
    """Addresses of the matrix products in torch's library; none where it does not show them."""
    candidates = sorted((Path(torch.__file__).parent / "lib").glob("libtorch_cpu.*"))
    for path in candidates:
        try:
            loaded = ctypes.CDLL(str(path))
            return {t: ctypes.cast(getattr(loaded, name), c_void_p).value or 0 for t, name in _ROUTINES.items()}
        except (OSError, AttributeError):
            continue
    return {}
