"""Curves in the plane, parametrised by arc length: segments and elliptic arcs, with the region on their left."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from .patch import BoolArray, FloatArray, Keep, Patch

Pair = tuple[float, float]

_CLOSE = 1e-9
"""Distance, relative to the curves' size, below which points are taken to coincide."""

_PANELS = 64
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)


class Curve(Patch):
    """A plane curve x(s), s in [0, 1] proportional to arc length; the outward normal points to the right."""

    @property
    @abstractmethod
    def size(self) -> float:
        """Diameter of the curve, more or less: the yardstick of its tolerances."""

    @abstractmethod
    def point(self, s: FloatArray) -> FloatArray:
        """Points (n, 2) at s (n,)."""

    @abstractmethod
    def tangent(self, s: FloatArray) -> FloatArray:
        """Unit tangents (n, 2) at s (n,)."""

    @abstractmethod
    def between(self, start: float, end: float) -> Curve:
        """The part from s = start to s = end."""

    @abstractmethod
    def parameter(self, x: FloatArray) -> FloatArray:
        """s of points (n, 2) of the curve's line or ellipse, beyond [0, 1] where they are not on the curve."""

    @abstractmethod
    def meeting(self, other: Curve) -> FloatArray:
        """Points (n, 2) that contain those where this curve may cross or leave another one."""

    def projected(self, x: FloatArray) -> FloatArray:
        """Perpendicular on segments and circles, along the ray from the centre on ellipses."""
        return self.point(np.clip(self.parameter(x), 0.0, 1.0))

    def at(self, unit: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Points and outward normals at unit (n, 1)."""
        s = unit[:, 0]
        tangent = self.tangent(s)
        return self.point(s), np.stack([tangent[:, 1], -tangent[:, 0]], axis=1), np.ones(len(s), bool)

    def trimmed(self, others: Sequence[Patch], keep: Keep) -> tuple[Patch, ...]:
        """The pieces between intersections whose middles are kept."""
        cuts = np.concatenate([[0.0, 1.0], *(self._crossings(other) for other in others if isinstance(other, Curve))])
        cuts = np.unique(cuts)
        least = max(1e-9, _CLOSE * self.size / self.measure)
        cuts = np.concatenate([cuts[:-1][np.diff(cuts) > least], [1.0]])
        x, normal, _ = self.at(0.5 * (cuts[:-1] + cuts[1:])[:, None])
        kept = np.concatenate([[False], keep(x, normal), [False]])
        starts, ends = (np.flatnonzero(np.diff(kept.astype(int)) == sign) for sign in (1, -1))
        if list(starts) == [0] and list(ends) == [len(cuts) - 1]:
            return (self,)
        return tuple(self.between(cuts[i], cuts[j]) for i, j in zip(starts, ends, strict=True))

    def _crossings(self, other: Curve) -> FloatArray:
        x = self.meeting(other)
        s = self.parameter(x)
        slack = _CLOSE * self.size / self.measure
        return np.clip(s[(s > -slack) & (s < 1 + slack)], 0.0, 1.0)


@final
@dataclass(frozen=True)
class Segment(Curve):
    """The straight line from a to b."""

    a: Pair
    b: Pair

    @property
    def measure(self) -> float:
        """Length."""
        return math.dist(self.a, self.b)

    @property
    def size(self) -> float:
        """Length."""
        return self.measure

    @property
    def volume(self) -> float:
        """Half the determinant of its ends."""
        return 0.5 * (self.a[0] * self.b[1] - self.a[1] * self.b[0])

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Box around both ends."""
        return np.minimum(self.a, self.b), np.maximum(self.a, self.b)

    def point(self, s: FloatArray) -> FloatArray:
        """Linear interpolation, exact at both ends."""
        return (1 - s)[:, None] * np.array(self.a) + s[:, None] * np.array(self.b)

    def tangent(self, s: FloatArray) -> FloatArray:
        """The direction from a to b."""
        return np.tile((np.array(self.b) - self.a) / self.measure, (len(s), 1))

    def between(self, start: float, end: float) -> Segment:
        """The part between two points."""
        a, b = self.point(np.array([start, end]))
        return Segment((float(a[0]), float(a[1])), (float(b[0]), float(b[1])))

    def reversed(self) -> Segment:
        """From b to a."""
        return Segment(self.b, self.a)

    def parameter(self, x: FloatArray) -> FloatArray:
        """Foot of the perpendicular."""
        direction = np.array(self.b) - self.a
        s: FloatArray = (x - self.a) @ direction / (direction @ direction)
        return s

    def meeting(self, other: Curve) -> FloatArray:
        """One point; on the same line, the other's ends."""
        if not isinstance(other, Segment):
            return other.meeting(self)
        matrix = np.stack([np.subtract(self.b, self.a), np.subtract(other.a, other.b)], axis=1)
        if abs(np.linalg.det(matrix)) > 1e-12 * self.measure * other.measure:
            s, t = np.linalg.solve(matrix, np.subtract(other.a, self.a))
            slack = _CLOSE * self.size / other.measure
            return self.point(np.array([s])) if -slack < t < 1 + slack else np.empty((0, 2))
        ends = np.array([other.a, other.b])
        gap = np.linalg.norm(ends - self.point(self.parameter(ends)), axis=1)
        return ends[gap < _CLOSE * self.size]


@final
@dataclass(frozen=True)
class Arc(Curve):
    """An elliptic arc c + cos(theta) u + sin(theta) v, theta from start to end; counter-clockwise if end > start.

    Args:
        centre: c.
        u, v: conjugate half axes; perpendicular and of equal length for a circle, det(u, v) > 0.
        start, end: angles, at most one turn apart.
    """

    centre: Pair
    u: Pair
    v: Pair
    start: float = 0.0
    end: float = 2 * math.pi

    @staticmethod
    def circle(centre: Pair, radius: float) -> Arc:
        """A whole circle."""
        return Arc(centre, (radius, 0.0), (0.0, radius))

    @property
    def is_circular(self) -> bool:
        """Whether u and v are perpendicular and of equal length: then arc length is proportional to the angle."""
        return math.hypot(*self.u) == math.hypot(*self.v) and self.u[0] * self.v[0] + self.u[1] * self.v[1] == 0

    @cached_property
    def measure(self) -> float:
        """Length: exact for circles, to 1e-12 for ellipses up to 50 times longer than wide."""
        if self.is_circular:
            return abs(self.end - self.start) * math.hypot(*self.u)
        return float(self._lengths[-1])

    @property
    def size(self) -> float:
        """Largest half axis."""
        return max(math.hypot(*self.u), math.hypot(*self.v))

    @property
    def volume(self) -> float:
        """Half of c x (x(end) - x(start)) + (u x v)(end - start)."""
        ends = self._points(np.array([self.start, self.end]))
        chord = ends[1] - ends[0]
        return 0.5 * float(self.centre[0] * chord[1] - self.centre[1] * chord[0] + self._det * (self.end - self.start))

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Box around the ends and the extreme points between them."""
        extreme = np.arctan2(self.v, self.u)
        angles = np.concatenate([extreme, extreme + math.pi])
        s = self._angle_share(angles)
        x = self._points(np.concatenate([[self.start, self.end], angles[(s > 0) & (s < 1)]]))
        return x.min(axis=0), x.max(axis=0)

    def point(self, s: FloatArray) -> FloatArray:
        """x at the angle that belongs to s."""
        return self._points(self._angles(s))

    def tangent(self, s: FloatArray) -> FloatArray:
        """Direction of increasing s."""
        found = self._slopes(self._angles(s)) * math.copysign(1.0, self.end - self.start)
        unit: FloatArray = found / np.linalg.norm(found, axis=1, keepdims=True)
        return unit

    def between(self, start: float, end: float) -> Arc:
        """The part between two points."""
        a, b = self._angles(np.array([start, end]))
        return Arc(self.centre, self.u, self.v, float(a), float(b))

    def reversed(self) -> Arc:
        """Run the other way."""
        return Arc(self.centre, self.u, self.v, self.end, self.start)

    def parameter(self, x: FloatArray) -> FloatArray:
        """s of the radial projection; for points beyond the ends, how far beyond the nearer one."""
        q = self._in_frame(x)
        share = self._angle_share(np.arctan2(q[:, 1], q[:, 0]))
        if self.is_circular:
            return share
        return np.where((share < 0) | (share > 1), share, self._share_of_length(np.clip(share, 0, 1)))

    def meeting(self, other: Curve) -> FloatArray:
        """Up to four points; none for arcs of the same ellipse but the other's ends."""
        if isinstance(other, Segment):
            return self._with_line(other)
        assert isinstance(other, Arc)
        ends = other.point(np.array([0.0, 1.0]))
        on = np.abs(np.linalg.norm(self._in_frame(ends), axis=1) - 1) < _CLOSE
        return np.concatenate([self._with_arc(other), ends[on]])

    def _with_line(self, line: Segment) -> FloatArray:
        a, b = self._in_frame(np.array([line.a, line.b]))
        d = b - a
        roots = np.roots([d @ d, 2 * a @ d, a @ a - 1])
        # A tangent line may have complex roots by round-off; crossing there or not changes nothing.
        t = np.real(roots)
        slack = _CLOSE * self.size / line.measure
        return line.point(t[(np.abs(np.imag(roots)) < 1e-6) & (t > -slack) & (t < 1 + slack)])

    def _with_arc(self, other: Arc) -> FloatArray:
        """|M (x - c)| = 1 on the other's x(theta) is a polynomial of degree four in exp(i theta)."""
        to_frame = np.linalg.inv(np.array([self.u, self.v]).T)
        c = to_frame @ np.subtract(other.centre, self.centre)
        e = to_frame @ (np.array(other.u) - 1j * np.array(other.v)) / 2  # q = c + e z + conj(e) / z
        high, middle, low = e @ e, 2 * (c @ e), c @ c + 2 * np.real(e @ e.conj()) - 1
        coefficients = np.array([high, middle, low, np.conj(middle), np.conj(high)])
        small = np.abs(coefficients) < 1e-14 * np.abs(coefficients).max(initial=1e-300)
        if np.abs(coefficients).max() < _CLOSE:
            return np.empty((0, 2))
        z = np.roots(np.where(small, 0, coefficients))
        angles = np.angle(z[np.abs(np.abs(z) - 1) < 1e-6])
        x = other._points(angles)
        s = other.parameter(x)
        slack = _CLOSE * self.size / other.measure
        return x[(s > -slack) & (s < 1 + slack)]

    @property
    def _det(self) -> float:
        return self.u[0] * self.v[1] - self.u[1] * self.v[0]

    def _points(self, angles: FloatArray) -> FloatArray:
        frame = np.array([self.u, self.v])
        return np.array(self.centre) + np.stack([np.cos(angles), np.sin(angles)], axis=-1) @ frame

    def _slopes(self, angles: FloatArray) -> FloatArray:
        slopes: FloatArray = np.stack([-np.sin(angles), np.cos(angles)], axis=-1) @ np.array([self.u, self.v])
        return slopes

    def _in_frame(self, x: FloatArray) -> FloatArray:
        """q with x = c + q_1 u + q_2 v: the ellipse becomes the unit circle."""
        q: FloatArray = np.linalg.solve(np.array([self.u, self.v]).T, (x - self.centre).T).T
        return q

    def _angle_share(self, angles: FloatArray) -> FloatArray:
        """(angle - start) / (end - start), turned so that what is beyond the ends is beyond the nearer one."""
        span = self.end - self.start
        ahead = np.mod((angles - self.start) * math.copysign(1.0, span), 2 * math.pi)
        gap = 2 * math.pi - abs(span)
        ahead = np.where(ahead > abs(span) + gap / 2, ahead - 2 * math.pi, ahead)
        # Rounding at the closing point of a whole turn: slightly before the start is slightly before the end.
        return ahead / abs(span)

    def _angles(self, s: FloatArray) -> FloatArray:
        """Angles at arc length shares s."""
        if self.is_circular:
            return self.start + s * (self.end - self.start)
        share = np.interp(s * self.measure, self._lengths, np.linspace(0, 1, _PANELS + 1))
        for _ in range(4):
            speed = np.linalg.norm(self._slopes(self.start + share * (self.end - self.start)), axis=-1)
            gap = self._share_of_length(share) - s
            share = np.clip(share - gap * self.measure / (speed * abs(self.end - self.start)), 0.0, 1.0)
        return self.start + share * (self.end - self.start)

    def _share_of_length(self, share: FloatArray) -> FloatArray:
        """Share of the length up to a share of the angle."""
        panel = np.minimum((share * _PANELS).astype(int), _PANELS - 1)
        from_panel = self._integrated(panel / _PANELS, share)
        length: FloatArray = (self._lengths[panel] + from_panel) / self._lengths[-1]
        return length

    @cached_property
    def _lengths(self) -> FloatArray:
        """Lengths up to the ends of equal panels of the angle (panels + 1,)."""
        ends = np.linspace(0, 1, _PANELS + 1)
        return np.concatenate([[0.0], np.cumsum(self._integrated(ends[:-1], ends[1:]))])

    def _integrated(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """Length between shares of the angle a (n,) and b (n,)."""
        span = self.end - self.start
        angles = self.start + span * (0.5 * (a + b)[:, None] + 0.5 * (b - a)[:, None] * _NODES)
        speed = np.linalg.norm(self._slopes(angles), axis=-1)
        length: FloatArray = abs(span) * 0.5 * (b - a) * (speed @ _WEIGHTS)
        return length
