"""Hard conditions on boxes and shapes: u = lift + distance * network meets Dirichlet and initial data whatever the network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from .conditions import Condition, Dirichlet, Initial, Neumann, Robin, evaluate, label, place
from .domain import Box
from .errors import ConstraintError, NotApplicableError
from .geometry import Shape
from .kernels.channels import Channels, multiplied
from .kernels.elementwise import composed
from .kernels.functions import derivatives
from .kernels.rules import propagate
from .nn.layers import HardConstraint
from .probe import Function, mismatch_of, smooth_function
from .problem import Problem, conditions_of
from .sampling import Uniform, boundary_points
from .shape_constraints import ShapeDistance, ShapeLift, walls_of

MAX_LIFTED_AXES = 5
"""Axes with non-zero data that a lift may interpolate between; it costs 3^axes evaluations of the data."""

_TOLERANCE = 1e-6


@final
@dataclass(frozen=True, eq=False)
class HardParts:
    """The ingredients of u = lift + distance * network.

    Args:
        distance: (n, d) to (n, 1), zero where u is prescribed, about 1 at most.
        lift: (n, d) to (n, 1), equal to the prescribed data there; None if all data are zero.
        covered: the conditions that hold for every network; the others stay soft.
    """

    distance: nn.Module
    lift: nn.Module | None
    covered: tuple[Condition, ...]

    def applied(self, network: nn.Module) -> HardConstraint:
        """The constrained network."""
        return HardConstraint(network, self.distance, self.lift)


def hard_constraint(problem: Problem) -> HardParts:
    """Build lift and distance for all Dirichlet and initial conditions of a scalar problem on a box or shape.

    On a box:

    distance: product over the covered faces of the distance to the face, squared where u and its flux are both zero
    there (equations of fourth order), each axis scaled to a maximum of 1; in time t/T, or (t/T)^2 where the initial
    velocity is prescribed too.
    lift: transfinite interpolation of the data on the faces, axis by axis.

    On a shape: the product of functions that vanish on one line, circle or ellipse each, and the data continued from
    there with weights of inverse squared distance. In both cases the lift reads values on the boundary only.

    Raises:
        NotApplicableError: neither a box nor a shape, more than one unknown function, no condition to cover, an initial velocity
            without an initial value, a face whose value and flux are both prescribed and not zero, or non-zero data
            on more than five axes.
        ConstraintError: data disagree where faces meet, so that no continuous function meets them.

    Notes:
        Other Neumann, Robin and periodic conditions stay soft. The lift costs 3^axes - 1 evaluations of the data per point.
        Where data are only nearly compatible, as an initial jump, use soft conditions.
    Reference:
        Lagaris, Likas, Fotiadis 1998, doi:10.1109/72.712178; Gordon 1971, doi:10.1137/0708019 (Boolean sums).
    """
    domain = problem.domain
    if not isinstance(domain, Box | Shape):
        raise NotApplicableError(
            f"{problem.name}: hard conditions need a box or shape, the domain is a {type(domain).__name__}; use soft ones"
        )
    if len(problem.outputs) != 1:
        raise NotApplicableError(
            f"{problem.name}: hard conditions need one unknown function, there are {problem.outputs}; use soft ones"
        )
    if not conditions_of(problem, Dirichlet) and not conditions_of(problem, Initial):
        raise NotApplicableError(f"{problem.name}: has no Dirichlet or initial condition to make hard; use soft ones")
    parts = _on_box(problem, domain) if isinstance(domain, Box) else _on_shape(problem, domain)
    check_constraint(problem, parts)
    return parts


def _on_box(problem: Problem, box: Box) -> HardParts:
    dirichlet, initial = conditions_of(problem, Dirichlet), conditions_of(problem, Initial)
    data: dict[tuple[int, int], Dirichlet] = {
        box.face(part): condition for condition in dirichlet for part in box.resolve(condition.where)
    }
    start = _Start.of(problem, box, initial)
    clamped = _clamped(problem, box, data)
    slopes = {box.face(part) for condition in clamped for part in box.resolve(condition.where)}
    powers = [[float((axis, side) in data) + ((axis, side) in slopes) for side in (0, 1)] for axis in range(box.dim)]
    if start is not None:
        powers[-1][0] = 1.0 if start.velocity is None else 2.0
    distance = BoxDistance(box.lower, box.upper, [(int(a), int(b)) for a, b in powers])
    return HardParts(distance, _lift(problem, box, data, start), (*dirichlet, *clamped, *initial))


def _on_shape(problem: Problem, shape: Shape) -> HardParts:
    dirichlet = conditions_of(problem, Dirichlet)
    owner = {part: i for i, condition in enumerate(dirichlet) for part in shape.resolve(condition.where)}
    walls = walls_of(shape, owner)
    lift = None
    if not all(_is_zero(condition.value) for condition in dirichlet):
        lift = ShapeLift([wall for wall, _ in walls], [_data(dirichlet[i]) for _, i in walls])
    return HardParts(ShapeDistance.over(shape, [wall for wall, _ in walls]), lift, dirichlet)


def check_constraint(problem: Problem, parts: HardParts, points: int = 64) -> None:
    """Raise ConstraintError unless u = lift + distance * network meets each covered condition, for two trial networks.

    Args:
        problem: whose conditions they are.
        parts: from `hard_constraint` or hand-made.
        points: sample points per condition.
    """
    generator = torch.Generator().manual_seed(7)
    for condition in parts.covered:
        if not isinstance(condition, Dirichlet | Neumann | Robin | Initial):
            raise ConstraintError(
                f"{problem.name}: {label(condition)} cannot be hard, expected a condition on a boundary part"
            )
        samples = boundary_points(problem.domain, place(condition), Uniform(points), generator)
        for _ in range(2):
            trial = parts.applied(_Callable(smooth_function(problem.domain, len(problem.outputs), generator)))
            violation = mismatch_of(problem, condition, samples, trial).abs()[:, 0]
            size = 1.0 + float(evaluate(label(condition), condition.value, samples.x).abs().max())
            worst = int(violation.argmax())
            if not float(violation[worst]) <= _TOLERANCE * size:
                raise ConstraintError(
                    f"{problem.name}: the hard constraint violates {label(condition)} by up to "
                    f"{float(violation[worst]):.3g} at {samples.x[worst].tolist()}, expected less than {_TOLERANCE * size:.1g}; "
                    "correct lift and distance, or use soft conditions if the data disagree where faces meet"
                )


@final
class BoxDistance(nn.Module):
    """prod_i c_i s_i^(p_i) (1 - s_i)^(q_i) with s_i = (x_i - lower_i) / (upper_i - lower_i) and maximum 1.

    Args:
        lower: lower corner of the box.
        upper: upper corner.
        powers: (p_i, q_i) per axis, the order to which it vanishes on the lower and the upper face.
    """

    def __init__(self, lower: Sequence[float], upper: Sequence[float], powers: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.lower, self.upper, self.powers = tuple(lower), tuple(upper), tuple(powers)

    def forward(self, x: Tensor) -> Tensor:
        """The distance, (n, 1)."""
        result = torch.ones_like(x[:, 0:1])
        for axis, factor in self.factors():
            result = result * factor(x[:, axis : axis + 1])
        return result

    def factors(self) -> list[tuple[int, AxisFactor]]:
        """The factors that are not 1, with their axes."""
        rows = enumerate(zip(self.lower, self.upper, self.powers, strict=True))
        return [(axis, AxisFactor(a, b, p, q)) for axis, (a, b, (p, q)) in rows if p or q]

    def extra_repr(self) -> str:
        """The powers."""
        return f"powers={self.powers}"


@final
@dataclass(frozen=True)
class AxisFactor:
    """c s^p (1 - s)^q with s = (x - lower) / (upper - lower) and maximum 1."""

    lower: float
    upper: float
    p: int
    q: int

    def __call__(self, x: Tensor) -> Tensor:
        """The factor at x, elementwise."""
        return self.derivative(x, 0)

    def derivative(self, x: Tensor, order: int) -> Tensor:
        """One derivative of the factor, by Leibniz' rule."""
        length = self.upper - self.lower
        s, r = (x - self.lower) / length, (self.upper - x) / length
        peak = (self.p + self.q) ** (self.p + self.q) / (self.p**self.p * self.q**self.q)
        total = torch.zeros_like(x)
        for k in range(max(0, order - self.q), min(order, self.p) + 1):
            c = math.comb(order, k) * math.perm(self.p, k) * math.perm(self.q, order - k) * (-1) ** (order - k)
            total = total + (c * peak / length**order) * s ** (self.p - k) * r ** (self.q - order + k)
        return total


@derivatives.register
def _axis_factor(function: AxisFactor, z: Tensor, order: int, value: Tensor | None = None) -> list[Tensor]:
    return [function.derivative(z, k) if k or value is None else value for k in range(order + 1)]


@propagate.register
def _box_distance(layer: BoxDistance, channels: Channels) -> Channels:
    result: Channels | None = None
    for axis, factor in layer.factors():
        term = composed(factor, _column(channels, axis))
        result = term if result is None else multiplied(result, term)
    if result is None:
        raise NotApplicableError("BoxDistance: vanishes nowhere, expected at least one covered face; leave it out")
    return result


def _column(channels: Channels, axis: int) -> Channels:
    return channels.mapped(lambda z: z[..., axis : axis + 1])


@final
class BoxLift(nn.Module):
    """Transfinite interpolation of face data: starting from a function, each axis in turn adds what its faces lack.

    L_0 = u0 + (t - t0) v0 (or 0);  L_i = L_(i-1) + sum over the faces F of axis i of w_F (g_F - L_(i-1)) at the
    projection of x onto F, with w_F linear between two faces and 1 for a single one.

    Args:
        lower: lower corner of the box.
        upper: upper corner.
        faces: the data on the faces (axis, side).
        start: the initial data L_0, which must agree with the faces' at the initial time.
    """

    def __init__(
        self,
        lower: Sequence[float],
        upper: Sequence[float],
        faces: dict[tuple[int, int], Function],
        start: Function | None = None,
    ) -> None:
        super().__init__()
        self._lower, self._upper, self._start = tuple(lower), tuple(upper), start
        self._axes = tuple(
            (axis, tuple((side, faces[axis, side]) for side in (0, 1) if (axis, side) in faces))
            for axis in sorted({axis for axis, _ in faces})
        )

    def forward(self, x: Tensor) -> Tensor:
        """The lift, (n, 1)."""
        return self._level(len(self._axes), x)

    def _level(self, level: int, x: Tensor) -> Tensor:
        if level == 0:
            return torch.zeros_like(x[:, 0:1]) if self._start is None else self._start(x)
        axis, faces = self._axes[level - 1]
        a, b = self._lower[axis], self._upper[axis]
        s = (x[:, axis : axis + 1] - a) / (b - a)
        result = self._level(level - 1, x)
        for side, data in faces:
            on_face = torch.cat(
                [x[:, :axis], torch.full_like(x[:, axis : axis + 1], (a, b)[side]), x[:, axis + 1 :]], dim=1
            )
            gap = data(on_face) - self._level(level - 1, on_face)
            result = result + (gap if len(faces) == 1 else (1 - s, s)[side] * gap)
        return result


@final
@dataclass(frozen=True)
class _Start:
    """Initial data: u0, and v0 where it is prescribed."""

    value: Initial
    velocity: Initial | None

    @staticmethod
    def of(problem: Problem, box: Box, conditions: Sequence[Initial]) -> _Start | None:
        by_order = {condition.order: condition for condition in conditions}
        if not by_order:
            return None
        if box.time is None or 0 not in by_order:
            raise NotApplicableError(
                f"{problem.name}: a hard initial condition needs a time coordinate and the initial value; "
                "declare Initial(value, order=0) on a domain with time"
            )
        return _Start(by_order[0], by_order.get(1))

    @property
    def is_zero(self) -> bool:
        return _is_zero(self.value.value) and (self.velocity is None or _is_zero(self.velocity.value))

    def function(self, box: Box) -> Function:
        """u0(x) + (t - t0) v0(x), read at the initial time."""
        t0 = box.lower[-1]
        u0, v0 = _data(self.value), None if self.velocity is None else _data(self.velocity)

        def start(x: Tensor) -> Tensor:
            at_start = torch.cat([x[:, :-1], torch.full_like(x[:, -1:], t0)], dim=1)
            return u0(at_start) if v0 is None else u0(at_start) + (x[:, -1:] - t0) * v0(at_start)

        return start


def _clamped(problem: Problem, box: Box, data: dict[tuple[int, int], Dirichlet]) -> tuple[Neumann, ...]:
    """Flux conditions on faces where u is prescribed too."""
    faces = {c: {box.face(part) for part in box.resolve(c.where)} for c in conditions_of(problem, Neumann)}
    found = tuple(c for c, mine in faces.items() if mine <= data.keys())
    for condition in found:
        values = (condition.value, *(data[face].value for face in faces[condition]))
        if not all(_is_zero(value) for value in values):
            raise NotApplicableError(
                f"{problem.name}: {label(condition)} lies where u is prescribed too, expected both to be zero for hard "
                "conditions; use soft ones"
            )
    return found


@final
class _Callable(nn.Module):
    """A function as a module."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self._function = function

    def forward(self, x: Tensor) -> Tensor:
        return self._function(x)


def _lift(problem: Problem, box: Box, data: dict[tuple[int, int], Dirichlet], start: _Start | None) -> BoxLift | None:
    if all(_is_zero(condition.value) for condition in data.values()) and (start is None or start.is_zero):
        return None
    axes = {axis for axis, _ in data}
    if len(axes) > MAX_LIFTED_AXES:
        raise NotApplicableError(
            f"{problem.name}: lifting non-zero data on {len(axes)} axes takes 3^{len(axes)} evaluations per point, "
            f"expected at most {MAX_LIFTED_AXES} axes; use soft conditions"
        )
    faces: dict[tuple[int, int], Function] = {face: _data(condition) for face, condition in data.items()}
    return BoxLift(box.lower, box.upper, faces, None if start is None else start.function(box))


def _data(condition: Dirichlet | Initial) -> Callable[[Tensor], Tensor]:
    return lambda x: evaluate(label(condition), condition.value, x)


def _is_zero(value: object) -> bool:
    return not callable(value) and value == 0.0
