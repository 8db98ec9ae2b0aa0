"""Labelled samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from ...errors import ShapeError

STAND_IN = "stand-in: "
"""What the provenance of data begins with that replace those of the source."""


@final
@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs with class numbers.

    Args:
        x: (n, ...), floating-point; brightness lies in [0, 1].
        y: (n,), int64, from 0.
        provenance: where they come from.
    """

    x: np.ndarray
    y: np.ndarray
    provenance: str

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ShapeError(
                f"Samples: got {len(self.x)} inputs and {len(self.y)} labels, expected one label per input"
            )

    def __len__(self) -> int:
        """How many there are."""
        return len(self.y)

    def split(self, train: int, generator: np.random.Generator | None = None) -> Split:
        """The first `train` samples, in random order if a generator is given, and the others."""
        if not 0 < train < len(self):
            raise ShapeError(f"Samples.split: got train = {train}, expected from 1 to {len(self) - 1}")
        order = np.arange(len(self)) if generator is None else generator.permutation(len(self))
        first, rest = order[:train], order[train:]
        return Split(
            Samples(self.x[first], self.y[first], self.provenance), Samples(self.x[rest], self.y[rest], self.provenance)
        )

    def as_stand_in(self) -> Samples:
        """The same, labelled as a replacement of the source's data."""
        return Samples(self.x, self.y, f"{STAND_IN}{self.provenance}")


@final
@dataclass(frozen=True, eq=False)
class Split:
    """Samples to train on, and others to test on."""

    train: Samples
    test: Samples

    @property
    def provenance(self) -> str:
        """Where they come from."""
        return self.train.provenance
