"""What an experiment found: claims, each decided by a program, with the arrays and figures they rest on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, final

import numpy as np

from ..checks import real
from ..errors import ConfigError, ShapeError
from ..files import check_component

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[["Figure"], None]
"""Draws on an empty figure."""

_ROUNDING = 1e-9  # so that 0.8 of 5 seeds are 4, whatever the floating-point product


@final
class Verdict(Enum):
    """What the claims of an experiment amount to; the value says it in words."""

    PASS = "every claim holds"
    FAIL = "a claim does not hold"
    NOT_RUN = "its data are not here"
    ERROR = "it ended with an error"

    def __str__(self) -> str:
        """The name as tables print it."""
        return self.name.lower().replace("_", "-")


@final
@dataclass(frozen=True)
class Claim:
    """A statement of the source, and whether it held.

    Args:
        text: what the source says, in our words.
        criterion: the test with its numbers, such as "T1 < T3 < T5 in at least 4 of 5 seeds".
        measured: the numbers it was decided by; a sequence has one per seed.
        holds: the outcome.
        holds_by_seed: the outcome of each seed, where seeds were judged one by one.
        note: why it does not hold, or the evidence for a changed criterion.
    """

    text: str
    criterion: str
    measured: Mapping[str, float | Sequence[float]]
    holds: bool
    holds_by_seed: tuple[bool, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if not (self.text and self.criterion):
            raise ConfigError("Claim: got no text or no criterion, expected what is claimed and how it is tested")
        if not self.measured:
            raise ConfigError(f"Claim {self.text!r}: measured: got nothing, expected the numbers that decided it")

    @classmethod
    def over_seeds(
        cls,
        text: str,
        criterion: str,
        measured: Mapping[str, Sequence[float]],
        holds_by_seed: Sequence[bool],
        *,
        share: float = 0.8,
        note: str = "",
    ) -> Claim:
        """A claim that holds if at least ceil(share n) of n seeds agree: 4 of 5, all of 3.

        Args:
            text, criterion, note: as in the constructor.
            measured: one number per seed under each name.
            holds_by_seed: the outcome of each seed.
            share: fraction of the seeds that must agree.

        Raises:
            ShapeError: a sequence that has not one number per seed.
        """
        real("Claim", "share", share, low=0.0, high=1.0)
        seeds = tuple(bool(held) for held in holds_by_seed)
        if not seeds:
            raise ConfigError(f"Claim {text!r}: holds_by_seed: got no seeds, expected at least one")
        for name, values in measured.items():
            if len(values) != len(seeds):
                raise ShapeError(
                    f"Claim {text!r}: {name}: got {len(values)} numbers, expected one per seed, {len(seeds)}"
                )
        needed = math.ceil(share * len(seeds) - _ROUNDING)
        return cls(text, criterion, measured, sum(seeds) >= needed, seeds, note)


@final
@dataclass(frozen=True)
class Finding:
    """The outcome of one experiment.

    Args:
        claims: at least one.
        arrays: what the figures are drawn from, loss histories included; saved as arrays.npz.
        figures: by file name without ending, what draws it on an empty figure.
        provenance: where data came from; replacements of the source's data begin with "stand-in: ".
        numbers: further numbers and texts to report.
    """

    claims: tuple[Claim, ...]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    figures: Mapping[str, Draw] = field(default_factory=dict)
    provenance: tuple[str, ...] = ()
    numbers: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.claims:
            raise ConfigError("Finding: claims: got none, expected at least one")
        for name in self.figures:
            check_component(name, name)
        for name, array in self.arrays.items():
            if not isinstance(array, np.ndarray) or array.dtype == object:
                raise ConfigError(
                    f"Finding: arrays[{name!r}]: got {type(array).__name__}, expected a NumPy array of numbers"
                )

    @property
    def verdict(self) -> Verdict:
        """PASS if every claim holds."""
        return Verdict.PASS if all(claim.holds for claim in self.claims) else Verdict.FAIL
