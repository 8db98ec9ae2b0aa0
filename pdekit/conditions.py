"""Conditions on the boundary, at the initial time, and from observations; each names the part it covers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import final

import torch
from torch import Tensor

from .domain import Where
from .errors import ConfigError, DtypeError, NonFiniteError, ProblemError, ShapeError
from .jet import Jet, column

Value = float | Callable[[Tensor], Tensor]
"""A number, or a function of the points (n, d) that returns a column (n, 1)."""


def evaluate(what: str, value: Value, x: Tensor) -> Tensor:
    """`value` at the points x as a column (n, 1) of x's type.

    Raises:
        ShapeError: another shape, with the hint x[:, 0:1].
        DtypeError: not a real tensor.
        NonFiniteError: NaN or infinity, with how many and where first.
    """
    if isinstance(value, Real):
        return torch.full((len(x), 1), float(value), dtype=x.dtype, device=x.device)
    result = value(x)  # type: ignore[operator]
    if not isinstance(result, Tensor) or result.is_complex():
        kind = result.dtype if isinstance(result, Tensor) else type(result).__name__
        raise DtypeError(
            f"{what}: got values of type {kind}, expected a real torch tensor; build it with torch functions"
        )
    column(what, result, len(x))
    bad = ~torch.isfinite(result[:, 0])
    if bool(bad.any()):
        where = x[int(bad.nonzero()[0, 0])].tolist()
        raise NonFiniteError(
            f"{what}: {int(bad.sum())} of {len(x)} values are not finite, the first at {where}, expected finite data"
        )
    return result.to(x.dtype)


@final
@dataclass(frozen=True)
class Dirichlet:
    """u = g on a part of the boundary.

    Args:
        where: part names or "boundary".
        value: g, a number or a function (n, d) -> (n, 1).
        component: the unknown it speaks of.
    """

    where: Where = "boundary"
    value: Value = 0.0
    component: str = "u"

    def __post_init__(self) -> None:
        _check_where("Dirichlet", self.where)
        _check_value("Dirichlet", self.value)


@final
@dataclass(frozen=True)
class Neumann:
    """Flux condition A grad u . n = g (for A = 1 the normal derivative)."""

    where: Where = "boundary"
    value: Value = 0.0
    component: str = "u"

    def __post_init__(self) -> None:
        _check_where("Neumann", self.where)
        _check_value("Neumann", self.value)


@final
@dataclass(frozen=True)
class Robin:
    """A grad u . n + alpha u = g; alpha >= 0 keeps the energy form definite."""

    where: Where = "boundary"
    alpha: float = 1.0
    value: Value = 0.0
    component: str = "u"

    def __post_init__(self) -> None:
        _check_where("Robin", self.where)
        _check_value("Robin", self.value)
        _check_number("Robin.alpha", self.alpha)


@final
@dataclass(frozen=True)
class Periodic:
    """u and its normal derivative agree on the two faces of one axis."""

    axis: str = "x"
    component: str = "u"


@final
@dataclass(frozen=True)
class Initial:
    """u = u0 (order 0) or du/dt = v0 (order 1) at the initial time."""

    value: Value = 0.0
    order: int = 0
    component: str = "u"

    def __post_init__(self) -> None:
        _check_value("Initial", self.value)
        if self.order not in (0, 1):
            raise ConfigError(
                f"Initial.order: got {self.order!r}, expected 0 for the value or 1 for the time derivative"
            )


@final
@dataclass(frozen=True, eq=False)
class Observations:
    """Measured values: u(x_i) = y_i, i = 1..n.

    Args:
        x: coordinates (n, d).
        values: y (n, 1).
    """

    x: Tensor
    values: Tensor
    component: str = "u"

    def __post_init__(self) -> None:
        if not isinstance(self.x, Tensor):
            raise DtypeError(f"Observations.x: got {type(self.x).__name__}, expected a tensor; use torch.from_numpy")
        if self.x.ndim != 2:
            raise ShapeError(f"Observations.x: got shape {tuple(self.x.shape)}, expected (n, d)")
        column("Observations.values", self.values, len(self.x))
        for name, array in (("x", self.x), ("values", self.values)):
            rows = (~torch.isfinite(array)).any(dim=1).nonzero()
            if len(rows):
                raise NonFiniteError(f"Observations.{name}: row {int(rows[0, 0])} is not finite; remove it")


Condition = Dirichlet | Neumann | Robin | Periodic | Initial | Observations


def label(condition: Condition) -> str:
    """A short name for messages and loss terms, such as "dirichlet(left)".

    >>> label(Dirichlet(("left", "top")))
    'dirichlet(left+top)'
    """
    kind = type(condition).__name__.lower()
    match condition:
        case Dirichlet() | Neumann() | Robin():
            where = condition.where if isinstance(condition.where, str) else "+".join(condition.where)
        case Periodic():
            where = condition.axis
        case Initial():
            where = "u" if condition.order == 0 else "du/dt"
        case Observations():
            where = str(len(condition.x))
    suffix = "" if condition.component == "u" else f":{condition.component}"
    return f"{kind}({where}){suffix}"


def place(condition: Dirichlet | Neumann | Robin | Initial) -> Where:
    """Where the condition holds: its boundary parts, or "initial"."""
    return "initial" if isinstance(condition, Initial) else condition.where


def mismatch(
    condition: Dirichlet | Neumann | Robin | Initial, u: Jet, time: str | None, normal_flux: Callable[[Jet], Tensor]
) -> Tensor:
    """What the condition leaves over at the jet's points, (n, 1); zero where it holds.

    Args:
        condition: the condition.
        u: jet of its component at points of its part.
        time: name of the time coordinate.
        normal_flux: A grad u . n at those points, (n, 1).
    """
    g = u.data(label(condition), lambda x: evaluate(label(condition), condition.value, x))
    match condition:
        case Dirichlet():
            return u.value - g
        case Neumann():
            return normal_flux(u) - g
        case Robin():
            return normal_flux(u) + condition.alpha * u.value - g
        case Initial():
            if condition.order == 0:
                return u.value - g
            if time is None:
                raise ProblemError("Initial: the domain has no time coordinate; build it with Box.with_time")
            return u.d(time) - g


def _check_value(name: str, value: object) -> None:
    if not callable(value):
        _check_number(f"{name}.value", value)


def _check_where(name: str, where: object) -> None:
    names = where if isinstance(where, tuple) else (where,)
    if not names or not all(isinstance(part, str) for part in names):
        raise ConfigError(
            f"{name}.where: got {where!r}, expected names of boundary parts such as 'left' or ('left', 'top'); "
            "predicates are not taken, choose a part by name"
        )


def _check_number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise DtypeError(
            f"{name}: got {value!r} of type {type(value).__name__}, expected a number or a function of the points"
        )
    if not math.isfinite(float(value)):
        raise NonFiniteError(f"{name}: got {value}, expected a finite number")
