"""Domains: boxes in any dimension, with or without time, and the points that quadrature and sampling put on them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import final

import torch
from torch import Tensor

from .errors import DomainError, DomainTypeError, DtypeError, NonFiniteError, ShapeError, unknown_name

Where = str | tuple[str, ...]
"""Boundary parts by name: one name, several, or "boundary" for all parts in space."""


@final
@dataclass(frozen=True, eq=False)
class Points:
    """A set of points with quadrature weights.

    Args:
        x: coordinates (n, d).
        weight: quadrature weights (n,), summing to the measure of the region the points stand for.
        normal: outward unit normals (n, d) on a boundary, zero in the time direction; None in the interior.

    Raises:
        ShapeError: shapes that do not fit together.
        NonFiniteError: NaN or infinite coordinates, with the row.
        DtypeError: not floating-point tensors.
    """

    x: Tensor
    weight: Tensor
    normal: Tensor | None = None

    def __post_init__(self) -> None:
        for name, array in (("x", self.x), ("weight", self.weight), ("normal", self.normal)):
            if array is not None and not (isinstance(array, Tensor) and array.is_floating_point()):
                kind = array.dtype if isinstance(array, Tensor) else type(array).__name__
                raise DtypeError(f"points: {name} is of type {kind}, expected a floating-point torch tensor")
        if self.x.ndim != 2:
            raise ShapeError(
                f"points: got x of shape {tuple(self.x.shape)}, expected (n, d); reshape a 1-D array to (n, 1)"
            )
        if tuple(self.weight.shape) != (len(self.x),):
            raise ShapeError(f"points: got weight of shape {tuple(self.weight.shape)}, expected ({len(self.x)},)")
        if self.normal is not None and self.normal.shape != self.x.shape:
            raise ShapeError(
                f"points: got normal of shape {tuple(self.normal.shape)}, expected {tuple(self.x.shape)}, one per point"
            )
        finite = torch.isfinite(self.x).all(dim=1)
        if not bool(finite.all()):
            row = int((~finite).nonzero()[0, 0])
            raise NonFiniteError(f"points: row {row} is {self.x[row].tolist()}, expected finite coordinates; remove it")

    def __len__(self) -> int:
        return len(self.x)

    @property
    def measure(self) -> float:
        """Measure of the region: the sum of the weights."""
        return float(self.weight.sum())

    def to(self, dtype: torch.dtype, device: torch.device | str = "cpu") -> Points:
        """The same points in another floating-point type or on another device."""
        normal = None if self.normal is None else self.normal.to(device, dtype)
        return Points(self.x.to(device, dtype), self.weight.to(device, dtype), normal)

    @staticmethod
    def joined(parts: Sequence[Points]) -> Points:
        """The union of several disjoint sets."""
        normals = [p.normal for p in parts if p.normal is not None]
        normal = torch.cat(normals) if len(normals) == len(parts) else None
        return Points(torch.cat([p.x for p in parts]), torch.cat([p.weight for p in parts]), normal)


class Region(ABC):
    """What every shape offers: named coordinates, named boundary parts, measures, and maps from the unit cube.

    Coordinates are ordered space first, time last. Boundary parts in space have names of their own; a region with
    time also has the part "initial" (t = t0).
    """

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Coordinate names, time last."""

    @property
    @abstractmethod
    def time(self) -> str | None:
        """Name of the time coordinate, or None."""

    @property
    @abstractmethod
    def lower(self) -> tuple[float, ...]:
        """Lower corner of the bounding box."""

    @property
    @abstractmethod
    def upper(self) -> tuple[float, ...]:
        """Upper corner of the bounding box."""

    @property
    @abstractmethod
    def parts(self) -> tuple[str, ...]:
        """Names of the boundary parts in space; together they are "boundary"."""

    @abstractmethod
    def resolve(self, where: Where) -> tuple[str, ...]:
        """Canonical part names of `where`; raises UnknownNameError with the closest names."""

    @abstractmethod
    def measure(self, part: str | None = None) -> float:
        """Volume of the region (part None) or area of a boundary part; 1 for the end point of an interval."""

    @abstractmethod
    def contains(self, x: Tensor, tolerance: float = 1e-12) -> Tensor:
        """Which rows of x (n, d) lie in the closed region, up to `tolerance` relative to its size; (n,) bool."""

    @abstractmethod
    def parameter_dim(self, part: str | None = None) -> int:
        """Dimension of the unit cube that `placed` maps onto the region or part."""

    @abstractmethod
    def placed(self, unit: Tensor, weight: Tensor, part: str | None = None) -> Points:
        """Points in the region or on a part from points (n, k) of the unit cube with weights summing to 1.

        A region that cannot map the cube onto itself rejects points of its bounding box: the result is then shorter,
        in the same order, with weights that still sum to the measure.
        """

    def kept(self, part: str | None = None) -> float:
        """Expected share of the unit cube's points that `placed` returns; 1 unless it rejects."""
        return 1.0

    @property
    def dim(self) -> int:
        """Number of coordinates, time included."""
        return len(self.names)

    @property
    def space_axes(self) -> tuple[int, ...]:
        """Axis numbers of the space coordinates."""
        return tuple(i for i, name in enumerate(self.names) if name != self.time)

    @property
    def time_axis(self) -> int | None:
        """Axis number of time, or None."""
        return None if self.time is None else self.names.index(self.time)

    @property
    def lengths(self) -> tuple[float, ...]:
        """Edge lengths of the bounding box."""
        return tuple(b - a for a, b in zip(self.lower, self.upper, strict=True))


_SIDES = (("left", "right"), ("bottom", "top"), ("front", "back"))


@final
@dataclass(frozen=True, init=False, repr=False)
class Box(Region):
    """A product of intervals, the last of which may be time: x in prod_i (lower_i, upper_i).

    The faces of the first three space axes are called left/right, bottom/top and front/back; every face also answers
    to its axis and sign ("x-", "x+", "x4-", ...). With time there are "initial" and "final".

    Args:
        lower: lower bounds, one per coordinate.
        upper: upper bounds.
        names: coordinate names; x, y, z (and t) or x1, x2, ... when not given.
        time: name of the time coordinate, which must be the last; None without time.

    Raises:
        DomainError: reversed, equal or non-finite bounds, lengths that differ, repeated names.
        DomainTypeError: a bound that is not a number.

    >>> Box((0, 0), (1, 2)).parts
    ('left', 'right', 'bottom', 'top')
    """

    _lower: tuple[float, ...]
    _upper: tuple[float, ...]
    _names: tuple[str, ...]
    _time: str | None

    def __init__(
        self,
        lower: Sequence[float],
        upper: Sequence[float],
        names: Sequence[str] | None = None,
        time: str | None = None,
    ) -> None:
        for which, corner in (("lower", lower), ("upper", upper)):
            if not isinstance(corner, Iterable) or isinstance(corner, str):
                raise DomainTypeError(
                    f"box: {which} is {corner!r}, expected a sequence with one bound per coordinate; write (0,) for one"
                )
        lower, upper = tuple(lower), tuple(upper)
        names = tuple(names) if names is not None else default_names(len(lower), time)
        if not len(lower) == len(upper) == len(names):
            raise DomainError(
                f"box: got {len(names)} names, {len(lower)} lower and {len(upper)} upper bounds, expected as many of each"
            )
        if not names:
            raise DomainError("box: got no coordinates, expected at least one")
        for i, name in enumerate(names):
            if not isinstance(name, str) or not name:
                raise DomainTypeError(f"box: coordinate name {i} is {name!r}, expected a non-empty string")
            if name in names[:i]:
                raise DomainError(f"box: coordinate name {name!r} is used twice; give each coordinate its own name")
            _check_bounds(name, lower[i], upper[i])
        if time is not None and names[-1] != time:
            raise DomainError(f"box: time coordinate {time!r} is not the last of {names}; put time last")
        object.__setattr__(self, "_lower", tuple(float(a) for a in lower))
        object.__setattr__(self, "_upper", tuple(float(b) for b in upper))
        object.__setattr__(self, "_names", names)
        object.__setattr__(self, "_time", time)

    def __repr__(self) -> str:
        time = "" if self._time is None else f", time={self._time!r}"
        return f"Box({self._lower}, {self._upper}, {self._names}{time})"

    @property
    def names(self) -> tuple[str, ...]:
        """Coordinate names, time last."""
        return self._names

    @property
    def time(self) -> str | None:
        """Name of the time coordinate, or None."""
        return self._time

    @property
    def lower(self) -> tuple[float, ...]:
        """Lower corner."""
        return self._lower

    @property
    def upper(self) -> tuple[float, ...]:
        """Upper corner."""
        return self._upper

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the faces in space, lower before upper, axis by axis."""
        return tuple(self.part(axis, side) for axis in self.space_axes for side in (0, 1))

    def with_time(self, start: float, end: float, name: str = "t") -> Box:
        """This box in space times the interval (start, end) of time."""
        if self.time is not None:
            raise DomainError(f"box: already has the time coordinate {self.time!r}")
        return Box((*self.lower, start), (*self.upper, end), (*self.names, name), name)

    def part(self, axis: int, side: int) -> str:
        """Canonical name of the face x_axis = lower (side 0) or upper (side 1)."""
        if axis == self.time_axis:
            return ("initial", "final")[side]
        return _SIDES[axis][side] if axis < len(_SIDES) else f"{self.names[axis]}{'-+'[side]}"

    def face(self, part: str) -> tuple[int, int]:
        """Axis and side (0 lower, 1 upper) of a face by any of its names."""
        for axis, name in enumerate(self.names):
            for side in (0, 1):
                if part in (self.part(axis, side), f"{name}{'-+'[side]}"):
                    return axis, side
        raise unknown_name("boundary part", part, (*self._all_parts(), "boundary"))

    def resolve(self, where: Where) -> tuple[str, ...]:
        """Canonical part names of `where`, each once, in the order given."""
        if isinstance(where, str):
            where = (where,)
        if not isinstance(where, tuple) or not where:
            raise unknown_name("boundary part", where, (*self._all_parts(), "boundary"))
        found: list[str] = []
        for name in where:
            expanded = self.parts if name == "boundary" else (self.part(*self.face(name)),)
            found += [part for part in expanded if part not in found]
        return tuple(found)

    def measure(self, part: str | None = None) -> float:
        """Product of the edge lengths, without the face's own axis for a part."""
        axis = None if part is None else self.face(part)[0]
        return math.prod(length for i, length in enumerate(self.lengths) if i != axis)

    def contains(self, x: Tensor, tolerance: float = 1e-12) -> Tensor:
        """Which rows of x lie in the closed box; the tolerance is relative to each edge."""
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ShapeError(
                f"box: got points of shape {tuple(x.shape)}, expected (n, {self.dim}), columns {self.names}"
            )
        lower, upper = (torch.tensor(corner, dtype=torch.float64).to(x) for corner in (self.lower, self.upper))
        slack = (upper - lower) * max(tolerance, 4 * torch.finfo(x.dtype).eps)
        return ((x >= lower - slack) & (x <= upper + slack)).all(dim=1)

    def parameter_dim(self, part: str | None = None) -> int:
        """`dim` for the box, one less for a face."""
        return self.dim - (part is not None)

    def placed(self, unit: Tensor, weight: Tensor, part: str | None = None) -> Points:
        """Affine image of the unit cube; on a face the missing coordinate is put in."""
        fixed = None if part is None else self.face(part)
        if unit.ndim != 2 or unit.shape[1] != self.parameter_dim(part):
            raise ShapeError(
                f"box: got unit points of shape {tuple(unit.shape)}, expected (n, {self.parameter_dim(part)})"
            )
        columns, normal, free = [], None, iter(range(unit.shape[1]))
        for axis in range(self.dim):
            a, b = self.lower[axis], self.upper[axis]
            if fixed is not None and axis == fixed[0]:
                columns.append(torch.full_like(unit[:, 0] if unit.shape[1] else weight, (a, b)[fixed[1]]))
            else:
                columns.append(a + (b - a) * unit[:, next(free)])
        if fixed is not None:
            normal = torch.zeros(len(unit), self.dim, dtype=unit.dtype, device=unit.device)
            if fixed[0] != self.time_axis:
                normal[:, fixed[0]] = 2.0 * fixed[1] - 1.0
        return Points(torch.stack(columns, dim=1), weight * self.measure(part), normal)

    def _all_parts(self) -> tuple[str, ...]:
        return self.parts if self.time is None else (*self.parts, "initial", "final")


def Interval(lower: float, upper: float, name: str = "x") -> Box:  # noqa: N802 -- reads as the type it makes
    """The interval (lower, upper), with faces left and right."""
    return Box((lower,), (upper,), (name,))


def Rectangle(lower: Sequence[float] = (0, 0), upper: Sequence[float] = (1, 1)) -> Box:  # noqa: N802
    """The rectangle with faces left, right, bottom and top; the unit square by default."""
    return Box(lower, upper)


def Hypercube(dim: int, lower: float = 0.0, upper: float = 1.0) -> Box:  # noqa: N802
    """The cube (lower, upper)^dim."""
    if not isinstance(dim, int) or isinstance(dim, bool) or dim < 1:
        raise DomainError(f"hypercube: got dim {dim!r}, expected a positive integer")
    return Box((lower,) * dim, (upper,) * dim)


def check_inside(what: str, region: Region, x: Tensor) -> None:
    """Raise DomainError, saying how many and which first, unless all rows of x lie in the closed region."""
    outside = ~region.contains(x)
    if bool(outside.any()):
        first = x[int(outside.nonzero()[0, 0])].tolist()
        raise DomainError(
            f"{what}: {int(outside.sum())} of {len(x)} points lie outside the domain, the first at {first}; "
            "remove them or enlarge the domain"
        )


def default_names(dim: int, time: str | None = None) -> tuple[str, ...]:
    """x, y, z for up to three space coordinates, x1, x2, ... for more; then the time's name.

    >>> default_names(2), default_names(4, "t")
    (('x', 'y'), ('x', 'y', 'z', 't'))
    """
    space = dim - (time is not None)
    names = ("x", "y", "z")[:space] if space <= 3 else tuple(f"x{i + 1}" for i in range(space))
    return names if time is None else (*names, time)


def _check_bounds(name: str, a: object, b: object) -> None:
    for which, bound in (("lower", a), ("upper", b)):
        if isinstance(bound, bool) or not isinstance(bound, Real):
            raise DomainTypeError(
                f"box: {which} bound of {name!r} is {bound!r} of type {type(bound).__name__}, expected a number"
            )
        if not math.isfinite(bound):
            raise DomainError(
                f"box: {which} bound of {name!r} is {bound}, expected a finite number; truncate the domain"
            )
    if not a < b:  # type: ignore[operator]
        raise DomainError(f"box: {name!r} runs from {a} to {b}, expected lower < upper; swap them")
