"""Which cases an operator is learnt from, and on which it is tested: never the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
import torch

from ..checks import integer
from ..dataset import Dataset, FloatArray
from ..dataset_cache import cached
from ..errors import ConfigError, DataError, NotApplicableError
from ..operator_problem import Family, OperatorProblem

Report = Callable[[str, float], None]
"""Told what is made, and which fraction is done."""


@final
@dataclass(frozen=True)
class Cases:
    """How many cases there are, and which.

    Args:
        train: to learn from; of the user's own arrays at most so many.
        test: to measure errors on.
        data_seed: of the draws; the test set has a stream of its own. It stays when the seed of the training changes.
        resolutions: points per axis of further test sets; None for twice as many as the family has, and in 1-D four times.
    """

    train: int = 1000
    test: int = 200
    data_seed: int = 0
    resolutions: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        integer("Cases", "train", self.train)
        integer("Cases", "test", self.test)
        integer("Cases", "data_seed", self.data_seed, low=0)
        for points in self.resolutions or ():
            integer("Cases", "resolutions", points, low=3)

    @property
    def train_seed(self) -> int:
        """Of the training set."""
        return 2 * self.data_seed

    @property
    def test_seed(self) -> int:
        """Of the test sets: the same functions at every resolution."""
        return 2 * self.data_seed + 1

    def finer(self, family: Family) -> tuple[int, ...]:
        """Points per axis of the further test sets."""
        if self.resolutions is not None:
            return self.resolutions
        return tuple(factor * family.points for factor in ((2, 4) if family.output.dim == 1 else (2,)))


@final
@dataclass(frozen=True, eq=False)
class Split:
    """Cases to learn from and cases to test on.

    Args:
        inputs: of the training cases, (count, *input.shape).
        outputs: of the training cases, (count, *output.shape); None for learning without labels.
        test: test cases.
        seconds: processor time that the training data took.

    Raises:
        ConfigError: no training cases.
    """

    inputs: FloatArray
    outputs: FloatArray | None
    test: Dataset
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if not len(self.inputs):
            raise ConfigError("training set: got 0 cases, expected at least one; make or give some")

    @staticmethod
    def of(train: Dataset, test: Dataset) -> Split:
        """Two data sets of one's own.

        Raises:
            DataError: a test input is among the training inputs, with both numbers.
        """
        check_disjoint(train.inputs, test.inputs)
        return Split(train.inputs, train.outputs, test, train.provenance.seconds)

    def mean_predictor(self) -> float:
        """Mean relative L2 error of the trivial predictor: the mean training output, or the mean test output without labels."""
        known = self.test.outputs if self.outputs is None else self.outputs
        mean = np.broadcast_to(known.mean(axis=0), self.test.outputs.shape)
        return float(self.test.output.relative_errors(mean, self.test.outputs).mean())


def check_disjoint(train: FloatArray, test: FloatArray) -> None:
    """Raise DataError if a row of `test` is one of `train`, with both numbers."""
    seen = {row.tobytes(): number for number, row in enumerate(train)}
    for number, row in enumerate(test):
        if (twin := seen.get(row.tobytes())) is not None:
            raise DataError(
                f"test set: got the input of training case {twin} as case {number}, expected cases not learnt from; remove "
                "it from one of the two"
            )


@final
@dataclass(frozen=True)
class Source:
    """Where data sets come from.

    Args:
        folder: of the cache; the platform's if None.
        jobs: processes that make data; as many as there are cores if None.
        report: told how far the making is.
    """

    folder: str | os.PathLike[str] | None = None
    jobs: int | None = None
    report: Report | None = None

    def split(self, family: OperatorProblem, cases: Cases, *, labelled: bool) -> Split:
        """Training and test cases of a family; unlabelled training cases are drawn, but not solved.

        Raises:
            ConfigError, DataError: too few cases, or the same ones in both.
        """
        if not isinstance(family, Family):
            return _own(family, cases, labelled)
        test = self.test(family, cases)
        drawn, kept = (
            family.draw(count, torch.Generator().manual_seed(seed))
            for count, seed in ((cases.train, cases.train_seed), (cases.test, cases.test_seed))
        )
        # Draws, not inputs: on a coarse grid two draws may give one function, a coefficient that jumps nowhere, say.
        check_disjoint(drawn.numpy(), kept.numpy())
        if not labelled:
            return Split(family.inputs(drawn).numpy(), None, test)
        train = self._cached(family, cases.train, cases.train_seed)
        return Split(train.inputs, train.outputs, test, train.provenance.seconds)

    def test(self, family: Family, cases: Cases) -> Dataset:
        """The test cases at the family's resolution."""
        return self._cached(family, cases.test, cases.test_seed)

    def _cached(self, family: Family, count: int, seed: int) -> Dataset:
        return cached(family, count, seed, folder=self.folder, jobs=self.jobs, report=self.report)


@runtime_checkable
class _Given(Protocol):
    """A family that holds its cases, as the user's own arrays do."""

    def read(self) -> Dataset:
        """The cases."""


def _own(family: OperatorProblem, cases: Cases, labelled: bool) -> Split:
    """The user's own arrays: the last cases test, the first ones teach."""
    if not isinstance(family, _Given):
        raise NotApplicableError(f"{family.name}: draws no cases of its own; give data=Split.of(train, test)")
    data = family.read()
    if len(data) <= cases.test:
        raise ConfigError(
            f"{family.name}: got {len(data)} cases, expected more than the {cases.test} to test on; set test to a fifth"
        )
    train, test = data.split(len(data) - cases.test)
    train = train[: cases.train]
    check_disjoint(train.inputs, test.inputs)
    return Split(train.inputs, train.outputs if labelled else None, test)
