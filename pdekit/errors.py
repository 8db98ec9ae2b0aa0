"""The error tree: every error is a `PdekitError` and the built-in kind a Python user would expect to catch.

Messages follow one form: the object concerned, what it got, what was expected, and one fix.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import numpy as np


class PdekitError(Exception):
    """Base of every error raised by pdekit."""


# Domain and points -----------------------------------------------------------------------------------------


class DomainError(PdekitError, ValueError):
    """A domain is not a domain: bounds reversed, names repeated, points outside."""


class DomainTypeError(DomainError, TypeError):
    """A bound or coordinate name has the wrong type."""


class EmptyDomainError(DomainError):
    """A region that contains no points."""


class SamplingError(PdekitError, ValueError):
    """A sampler was asked for something that is not a positive number of distinct points."""


class MemoryBudgetError(PdekitError, MemoryError):
    """An allocation would exceed the memory budget; raised before it is attempted."""


# Problem -----------------------------------------------------------------------------------------------------


class ProblemError(PdekitError, ValueError):
    """A problem's declaration is inconsistent."""


class EmptyBoundaryError(ProblemError):
    """A condition covers no part of the boundary."""


class ShapeError(PdekitError, ValueError):
    """An array has the wrong shape; the message gives both shapes."""


class NonFiniteError(PdekitError, FloatingPointError):
    """NaN or infinity where a finite number is needed."""


class DtypeError(PdekitError, TypeError):
    """An array has the wrong element type."""


class ComponentError(PdekitError, IndexError):
    """A component of the solution that does not exist."""


class UnknownNameError(PdekitError, LookupError):
    """A name that is not among the choices; the message gives the closest ones."""


class IllPosedError(ProblemError):
    """The problem has no solution or more than one."""


class ConflictError(ProblemError):
    """Two conditions contradict each other at one point."""


class ConstraintError(ProblemError):
    """A hard constraint does not satisfy the condition it stands for."""


class EquationError(PdekitError, TypeError):
    """A residual that is not a tensor."""


class PlanError(PdekitError, LookupError):
    """A derivative was read that the evaluation was not planned to compute."""


class GraphError(PdekitError, RuntimeError):
    """The loss is cut off from the network's parameters."""


class SmoothnessError(PdekitError, ValueError):
    """The activation has fewer derivatives than the equation needs."""


class NondeterminismError(PdekitError, ValueError):
    """Two evaluations at the same points differ."""


# Solver and run ------------------------------------------------------------------------------------------------


class ConfigError(PdekitError, TypeError, ValueError):
    """An option has an impossible name, type or value."""


class DeviceError(PdekitError, RuntimeError):
    """A device that is not there, or tensors on two devices."""


class NotApplicableError(PdekitError, TypeError):
    """The solver needs a property that the problem lacks; the message names it."""


class DivergenceError(PdekitError, ArithmeticError):
    """Training diverged; the last finite (best) state was restored.

    Attributes:
        step, loss: where it was noticed.
        best: the loss (or other measure of "best") of the restored state.
    """

    def __init__(self, message: str, *, step: int = 0, loss: float = float("nan"), best: float = float("nan")) -> None:
        super().__init__(message)
        self.step, self.loss, self.best = step, loss, best


class NotSolvedError(PdekitError, RuntimeError):
    """A result was asked for before there was one."""


class ExtrapolationError(PdekitError, ValueError):
    """The solution was evaluated outside its domain."""


class SingularSystemError(PdekitError, np.linalg.LinAlgError):
    """The linear system has no unique solution."""


class FrequencyError(PdekitError, ValueError):
    """A wave number that the points do not resolve, or that the reference does not contain."""


class ConvergenceError(PdekitError, ArithmeticError):
    """An iteration does not converge, or did not within its limit."""


# Files -----------------------------------------------------------------------------------------------------------


class CheckpointError(PdekitError, OSError):
    """A checkpoint that cannot be trusted: damaged, truncated, foreign."""


class ProblemMismatchError(PdekitError, ValueError):
    """A checkpoint of another problem."""


class RunLockedError(PdekitError, RuntimeError):
    """Another process is writing to the run directory."""


class UnsafePathError(PdekitError, ValueError):
    """An output path that leaves its directory or follows a link."""


class MeshFileError(PdekitError, ValueError):
    """A mesh file that is damaged, empty or not supported."""


class DataError(PdekitError, ValueError):
    """A data file that is damaged, truncated or not what its name says."""


class MissingDataError(PdekitError, FileNotFoundError):
    """A data set that is not bundled and not among the user's files."""


class SweepError(PdekitError, RuntimeError):
    """A function failed for one of the values it was mapped over; the message names the value."""


class ChildError(PdekitError, RuntimeError):
    """A function failed in the process that it was called in.

    Attributes:
        kind: name of the error's class there.
        message: what it said.
    """

    def __init__(self, message: str, kind: str = "") -> None:
        super().__init__(f"{kind}: {message}" if kind else message)
        self.message, self.kind = message, kind


class MissingPackageError(PdekitError, ImportError):
    """A package that pdekit can use, but does not need, is not installed."""


# Warnings --------------------------------------------------------------------------------------------------------


class PdekitWarning(UserWarning):
    """Base of every warning; the run goes on and its report carries the flag."""


class PrecisionWarning(PdekitWarning):
    """The floating-point type is too coarse for the domain or the derivative order."""


class CompatibilityWarning(PdekitWarning):
    """Initial and boundary data disagree where they meet."""


class AliasingWarning(PdekitWarning):
    """The points do not resolve the data."""


class IndefiniteWarning(PdekitWarning):
    """A coefficient may make the form indefinite."""


class MeshWarning(PdekitWarning):
    """A mesh had to be corrected."""


class ReferenceWarning(PdekitWarning):
    """The reference solution is itself not resolved."""


class DataWarning(PdekitWarning):
    """A cached data set cannot be used, and is made again."""


class ReachWarning(PdekitWarning):
    """An operator is applied to inputs unlike those it was learnt from."""


class ResumeWarning(PdekitWarning):
    """A run is resumed under other circumstances than it was started in."""


def unknown_name(kind: str, name: object, choices: Iterable[str]) -> UnknownNameError:
    """Build the error for a name that is not among `choices`, with the closest ones first.

    >>> str(unknown_name("activation", "tahn", ["tanh", "sine"]))
    "activation: got 'tahn', expected one of sine, tanh; did you mean 'tanh'?"
    """
    known = sorted(choices)
    close = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
    return UnknownNameError(f"{kind}: got {name!r}, expected one of {', '.join(known)}{hint}")
