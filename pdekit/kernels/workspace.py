"""Memory that passes lend each other: mapped once, not at every step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

from .formulas import Eager, Formulas
from .native import native_formulas
from .scratch import Buffers


@final
@dataclass(frozen=True, eq=False)
class Workspace:
    """A pool of buffers, and the way they are filled.

    Args:
        native: in machine code where there is some (float32 and float64 on the CPU), or by torch's operations.

    Notes: fresh memory costs a quarter of a small step on Linux, where pages are mapped, cleared and given back each
    time. The pool keeps as much as the passes that were alive at once needed.
    """

    native: bool = False
    _free: list[list[Buffers]] = field(default_factory=list, repr=False)

    def formulas(self, scratch: Buffers) -> Formulas:
        """The formulas for one pass, given memory for temporaries."""
        return native_formulas(scratch) if self.native else Eager(scratch)

    def lease(self) -> Lease:
        """Buffers for one pass and its way back; they return when the lease is dropped with the pass's graph."""
        return Lease(self._free, self._free.pop() if self._free else [])


@final
class Lease:
    """Buffers by chunk of points, and within a chunk by name."""

    def __init__(self, pool: list[list[Buffers]], chunks: list[Buffers]) -> None:
        self._pool, self._chunks = pool, chunks

    def chunk(self, index: int) -> Buffers:
        """The buffers of one chunk; chunks are asked for in order the first time."""
        if index == len(self._chunks):
            self._chunks.append({})
        return self._chunks[index]

    def __del__(self) -> None:
        self._pool.append(self._chunks)
