"""Operator: a learnt map between functions, how good it is, and what it cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from numpy.typing import ArrayLike

from ..dataset import FloatArray
from ..errors import ShapeError
from ..record import Record
from ..solution import Solution, Status
from ..solver import Solver, solve
from .accuracy import CaseErrors
from .applied import Applied, Classical
from .costs import Costs
from .grids import require_filling
from .learner import Learner
from .predictor import Predictor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@final
@dataclass(frozen=True, eq=False)
class Scores:
    """Errors of an operator.

    Args:
        test: over the test set.
        finer: over test sets with other numbers of points, with the same weights; empty where the network knows one grid.
        train: mean relative L2 error over training cases; None without labels.
        mean_predictor: mean relative L2 error over the test set of the constant mean output.
    """

    test: CaseErrors
    finer: tuple[CaseErrors, ...]
    train: float | None
    mean_predictor: float

    @property
    def resolutions(self) -> dict[str, float]:
        """Mean relative L2 error by the number of points along the first axis, the training's own first."""
        return {str(errors.points[0]): errors.mean for errors in (self.test, *self.finer)}


@final
@dataclass(frozen=True, eq=False)
class Examples:
    """The test cases with the median and with the worst error.

    Args:
        labels: what they are, one each.
        inputs: (count, *input.shape).
        outputs: (count, *output.shape), true ones.
        predicted: (count, *output.shape).
    """

    labels: tuple[str, ...]
    inputs: FloatArray
    outputs: FloatArray
    predicted: FloatArray


@final
@dataclass(frozen=True, eq=False)
class Operator:
    """A learnt map from input functions to output functions.

    Args:
        predictor: the network with its family, at the resolution of the training.
        learner: how it was learnt.
        status, message: how it ended; `success` follows from the status.
        history: what was recorded on the way.
        scores: errors.
        costs: seconds.
        examples: test cases for figures.
        steps: updates.
        train_cases: how many cases it was learnt from.
        config: the resolved configuration, as written to config.toml.
        environment: seed, device, dtype, versions.
    """

    predictor: Predictor
    learner: Learner
    status: Status
    message: str
    history: Record
    scores: Scores
    costs: Costs
    examples: Examples
    steps: int
    train_cases: int
    config: Mapping[str, Any]
    environment: Mapping[str, Any]

    @property
    def success(self) -> bool:
        """Whether the tolerance is met, or, where none was asked, the operator is better than the mean output."""
        return self.status in (Status.CONVERGED, Status.FINISHED)

    @property
    def parameters(self) -> int:
        """Number of trainable numbers."""
        return sum(p.numel() for p in self.predictor.network.parameters())

    def predict(self, inputs: ArrayLike, points: Sequence[int] | None = None) -> FloatArray:
        """Outputs (count, *n_out, m) of inputs (count, *n) or (count, *n, m).

        Args:
            inputs: at any resolution that the network can read.
            points: of the outputs along each axis, for networks that leave the choice; else the network's own.

        Raises:
            DtypeError, ShapeError: no such arrays, or a grid that the network does not know.
            FrequencyError: a grid too coarse for the network's modes.
            NonFiniteError: NaN or infinity, with the case.

        Warns:
            ReachWarning: inputs far outside those learnt from, with the largest distance.
        """
        return self.predictor(inputs, points)

    def distances(self, inputs: ArrayLike) -> FloatArray:
        """How far inputs are from those learnt from, (count,): about 1 for such ones; see `Reach`."""
        return self.predictor.distances(inputs)

    def __call__(self, f: ArrayLike | Callable[[FloatArray], ArrayLike]) -> Solution:
        """The solution for one input function, with errors against the classical solver, bands and trust.

        Args:
            f: values (*n) or (*n, m) on the input grid, or a function of points (q, d) that has q values.

        Raises:
            NotApplicableError: a single case of the family is no ordinary problem, or its outputs do not fill the domain.
            ShapeError, NonFiniteError: no such values.

        Notes: the classical solver is asked too, for the errors; `predict` takes the network alone.
        """
        values = self._values(f)
        return self._solved(Applied(self.learner.name, self.predictor, values), values)

    def classical(self, f: ArrayLike | Callable[[FloatArray], ArrayLike]) -> Solution:
        """The same by the family's classical solver, on the family's own grid."""
        values = self._values(f)
        return self._solved(Classical(require_filling(self.predictor.family), values), values)

    def __str__(self) -> str:
        """Six lines: what was learnt, how it ended, errors, bands, resolutions, cost."""
        from .report import six_lines

        return six_lines(self)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data, as `pdekit solve --json` prints it."""
        from .report import as_dict

        return as_dict(self)

    def save(self, directory: str | Path) -> Path:
        """Write the run's files into `directory`; `pdekit.load_operator` reads them back."""
        from .storage import save_operator

        return save_operator(self, directory)

    def plot(self) -> Figure:
        """Input, output, prediction and error of the test cases with the median and the worst error."""
        from .figures import plot_examples

        return plot_examples(self)

    def plot_bands(self, ax: Axes | None = None) -> Axes:
        """Error over the test set by frequency band."""
        from .figures import plot_error_bands

        return plot_error_bands(self, ax)

    def plot_resolutions(self, ax: Axes | None = None) -> Axes:
        """Error over test sets at several resolutions, with the same weights."""
        from .figures import plot_resolutions

        return plot_resolutions(self, ax)

    def plot_history(self, ax: Axes | None = None) -> Axes:
        """Losses, and errors over some test cases by frequency, against steps."""
        from .figures import plot_training

        return plot_training(self, ax)

    def _values(self, f: ArrayLike | Callable[[FloatArray], ArrayLike]) -> FloatArray:
        family = require_filling(self.predictor.family)
        quantity, owner = family.input, f"{family.name}: input"
        if callable(f):
            found = np.asarray(f(quantity.points()))
            size = int(np.prod(quantity.shape))
            if found.size != size:
                raise ShapeError(
                    f"{owner}: got values of shape {found.shape} from the function, expected {size // len(quantity.names)} "
                    f"rows, one for each point of {quantity.describe()}"
                )
            f = found.reshape(quantity.shape)
        return quantity.checked(owner, np.asarray(f)[None])[0]

    def _solved(self, solver: Solver, values: FloatArray) -> Solution:
        family = require_filling(self.predictor.family)
        return solve(family.case(torch.from_numpy(values.copy())), solver, device="cpu", check=False)
