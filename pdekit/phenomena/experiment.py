"""An experiment of the book: a configuration for each size, and the function that turns it into a finding."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Generic, TypeVar, final

import numpy as np
import torch

from ..checks import integer, member
from ..errors import ConfigError
from .finding import Finding

C = TypeVar("C")
"""A frozen dataclass: the configuration of an experiment."""


@final
class Size(Enum):
    """How large an experiment is run; the value says what that means."""

    QUICK = "about a minute on two CPU cores"
    FULL = "the source's own numbers"

    def __str__(self) -> str:
        """The name as the command line takes it."""
        return self.name.lower()


def _silent(label: str, fraction: float) -> None:
    """Report to nobody."""


@final
@dataclass(frozen=True)
class Context:
    """The circumstances of one run of an experiment.

    Args:
        seeds: all seeds of the run; models that train as one stack train them together.
        data: the user's folder of data sets, if any.
        report: told what is being done and which fraction of it is over.
        size: which of the two configurations runs.
        jobs: processes that a sweep may use.
    """

    seeds: tuple[int, ...] = (0, 1, 2)
    data: Path | None = None
    report: Callable[[str, float], None] = _silent
    size: Size = Size.QUICK
    jobs: int = 1

    def __post_init__(self) -> None:
        if not self.seeds:
            raise ConfigError("Context: seeds: got none, expected at least one")
        for seed in self.seeds:
            integer("Context", "seeds", seed, low=0)
        member("Context", "size", self.size, Size)
        integer("Context", "jobs", self.jobs)

    def generator(self, seed: int, *stream: str | int) -> torch.Generator:
        """Torch's random numbers of one seed; other names give an independent stream, the same names the same one."""
        return torch.Generator().manual_seed(_derived(seed, stream))

    def numpy_generator(self, seed: int, *stream: str | int) -> np.random.Generator:
        """NumPy's random numbers of one seed and stream, for experiments that train nothing."""
        return np.random.default_rng(_derived(seed, stream))


@final
@dataclass(frozen=True)
class Experiment(Generic[C]):
    """One entry of the catalogue.

    Args:
        id: the name on the command line and of the folder of results.
        chapter: of the book.
        source: figure, table or equation, with its section.
        title: one line.
        quick: configuration of about one minute on two cores.
        full: configuration with the source's numbers.
        run: decides the claims; everything random comes from the context's generators.
        quick_seeds: how many seeds the quick size runs.
        full_seeds: how many seeds the full size runs.
    """

    id: str
    chapter: int
    source: str
    title: str
    quick: C
    full: C
    run: Callable[[C, Context], Finding]
    quick_seeds: int = 3
    full_seeds: int = 5

    def __post_init__(self) -> None:
        owner = f"Experiment {self.id!r}"
        integer(owner, "chapter", self.chapter)
        integer(owner, "quick_seeds", self.quick_seeds)
        integer(owner, "full_seeds", self.full_seeds)

    def config(self, size: Size) -> C:
        """The configuration of a size."""
        return self.quick if size is Size.QUICK else self.full

    def seeds(self, size: Size, first: int = 0) -> tuple[int, ...]:
        """The seeds of a size, counted from `first`."""
        count = self.quick_seeds if size is Size.QUICK else self.full_seeds
        return tuple(range(first, first + count))


def _derived(seed: int, stream: tuple[str | int, ...]) -> int:
    """A 63-bit seed for a named stream; unlike sums of seeds, no two streams meet."""
    text = "\0".join([str(seed), *(f"{type(part).__name__}:{part}" for part in stream)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1
