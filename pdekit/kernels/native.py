"""The formulas of activations in machine code of this processor, compiled in a second or two, without torch's headers."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from ctypes import c_int, c_int32, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, chain
from pathlib import Path
from typing import TypeAlias, final

import torch
from torch import Tensor

from ..nn import Tanh
from .formulas import Eager, Formulas, Function, Terms
from .layout import Layout
from .scratch import Buffers

Entries: TypeAlias = Mapping[tuple[str, torch.dtype], Callable[..., None]]

_SOURCES = [Path(__file__).with_name(name) for name in ("channels.cpp", "chain.cpp")]
# Without the care for errno and traps, std::floor and its kind vectorise; their values stay the same.
_FLAGS = ("-O3", "-march=native", "-std=c++17", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-shared", "-fPIC")
NATIVE_TYPES = {torch.float32: "float32", torch.float64: "float64"}
_ARGUMENTS = {
    "forward": [*(c_void_p,) * 6, c_int, c_int64, c_int, c_int, c_void_p, c_void_p, c_int],
    "backward": [*(c_void_p,) * 7, c_int64, c_int, c_int, c_void_p, c_void_p, c_int],
    "affine_forward": [*(c_void_p,) * 5, c_int64, c_int64, c_int, c_int, c_int],
    "affine_backward": [*(c_void_p,) * 7, c_int64, c_int64, c_int, c_int, c_int],
    "chain_forward": [c_void_p, c_void_p, c_void_p, c_int64],
    "chain_backward": [*(c_void_p,) * 6, c_int64],
    "tanh": [c_void_p, c_void_p, c_int64],
}
_COMPILE_SECONDS = 300.0  # it takes two of the processor, but may have to wait for one


@final
@dataclass(frozen=True, eq=False)
class Native:
    """Formulas of which each is one pass over memory, in blocks that stay in the first-level cache.

    Args:
        entries: the functions of the library, by name and element type.
        eager: takes the derivatives of activations that the library has no closed form of.
    """

    entries: Entries
    eager: Eager

    def terms(self, function: Function, z: Tensor, order: int, value: Tensor, *, known: bool = False) -> Terms:
        """Return f(z), f'(z), ... up to `order`; of tanh f(z) alone, from which the library makes the others."""
        if not isinstance(function, Tanh):
            return self.eager.terms(function, z, order, value, known=known)
        if not known:
            torch.tanh(z, out=value)
        return [value]

    def forward(self, f: Terms, layout: Layout, z: Tensor, out: Tensor, squares: Tensor | None, known: bool) -> None:
        """Write the channels of f(z)."""
        table = table_of(layout)
        call, threads = self.entries["forward", z.dtype], torch.get_num_threads()
        kept = None if squares is None else squares.data_ptr()
        ends = (kept, known, z[0].numel(), table.rows, table.first, table.pairs, table.starts, threads)
        call(*_pointers(f, 3), z.data_ptr(), out.data_ptr(), *ends)

    def backward(self, f: Terms, layout: Layout, z: Tensor, grad: Tensor, squares: Tensor | None) -> None:
        """Turn `grad` into the gradient with respect to the channels of z."""
        table = table_of(layout)
        call, threads = self.entries["backward", z.dtype], torch.get_num_threads()
        kept = None if squares is None else squares.data_ptr()
        ends = (kept, z[0].numel(), table.rows, table.first, table.pairs, table.starts, threads)
        call(*_pointers(f, 4), z.data_ptr(), grad.data_ptr(), *ends)

    def affine_forward(self, f: Terms, layout: Layout, powers: Tensor, out: Tensor) -> None:
        """Write the channels of f(z) for affine z."""
        table, (_, n, width) = table_of(layout), out.shape
        call, powers = self.entries["affine_forward", out.dtype], powers.contiguous()
        ends = (n, width, table.rows, table.first, torch.get_num_threads())
        call(*_pointers(f, 3), powers.data_ptr(), out.data_ptr(), *ends)

    def affine_backward(self, f: Terms, layout: Layout, powers: Tensor, grad: Tensor, outer: Tensor) -> Tensor:
        """Return the gradient with respect to affine z, and add the one with respect to `powers` to `outer`."""
        table, (_, n, width), threads = table_of(layout), grad.shape, torch.get_num_threads()
        call, powers = self.entries["affine_backward", grad.dtype], powers.contiguous()
        parts = outer.new_zeros(threads, *outer.shape)
        ends = (n, width, table.rows, table.first, threads)
        call(*_pointers(f, 4), powers.data_ptr(), grad.data_ptr(), parts.data_ptr(), *ends)
        outer += parts.sum(0)
        return grad[0]


def native_formulas(scratch: Buffers) -> Formulas:
    """Formulas for one pass on the CPU, in float32 or float64; eager ones where there is no library."""
    entries = library()
    return Eager(scratch) if entries is None else Native(entries, Eager(scratch))


@cache
def library() -> Entries | None:
    """Compile and load the sources, once per process; None where there is no compiler or it fails.

    Nothing is kept on disk: the second it takes is cheaper than the care a shared cache of machine code needs.
    """
    compiler = host_compiler()
    if compiler is None or not all(source.exists() for source in _SOURCES):
        return None
    with tempfile.TemporaryDirectory(prefix="pdekit-") as folder:
        target = Path(folder) / "formulas.so"
        command = [compiler, *_FLAGS, *map(str, _SOURCES), "-o", str(target), *_runtime()]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_COMPILE_SECONDS)
            loaded = ctypes.CDLL(str(target))
        except (OSError, subprocess.SubprocessError):
            return None
    entries: dict[tuple[str, torch.dtype], Callable[..., None]] = {}
    for name, types in _ARGUMENTS.items():
        for dtype, suffix in NATIVE_TYPES.items():
            entry = getattr(loaded, f"{name}_{suffix}")
            entry.argtypes, entry.restype = types, None
            entries[name, dtype] = entry
    return entries


def host_compiler() -> str | None:
    """The C++ compiler of this machine."""
    names = (os.environ.get("CXX", ""), "g++", "clang++", "c++")
    return next((found for name in names if name and (found := shutil.which(name))), None)


def _runtime() -> list[str]:
    """Torch's own OpenMP runtime, if it brings one: two of them in a process would keep each other's threads waiting."""
    return [str(path) for path in sorted((Path(torch.__file__).parent / "lib").glob("libgomp*"))][:1]


@final
@dataclass(frozen=True, eq=False)
class Table:
    """A layout as the library reads it."""

    rows: int
    first: int
    pairs: ctypes.Array[c_int32]
    starts: ctypes.Array[c_int32]


@cache
def table_of(layout: Layout) -> Table:
    """The table of a layout."""
    flat = list(chain.from_iterable(chain.from_iterable(layout.pairs)))
    starts = [0, *accumulate(len(pairs) for pairs in layout.pairs)]
    return Table(layout.size, 1 + len(layout.axes), (c_int32 * len(flat))(*flat), (c_int32 * len(starts))(*starts))


def _pointers(f: Terms, count: int) -> list[int | None]:
    """Addresses of f, f', ...; None for those that are not there."""
    return [term.data_ptr() for term in f[:count]] + [None] * (count - len(f))
