"""Jet: an unknown function and its derivatives at one batch of points; what residuals are written with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, final

from torch import Tensor

from .errors import ShapeError, unknown_name
from .kernels.plan import DerivativeSource

Known = TypeVar("Known", Tensor, Tensor | None)


@final
class Jet:
    """The unknown u at n points, with the derivatives a residual asks for. It lives for one batch.

    A residual is pointwise algebra on a jet, for example -lap u - f:  `-u.laplacian - self.source(u.x)`.
    Everything keeps its column: value (n, m), grad (n, m, space dims), laplacian (n, m).

    Args:
        x: coordinates (n, d).
        source: where values and derivatives come from (a planned kernel pass, or a recorder).
        names: coordinate names, time last.
        space_axes: axis numbers of space; `grad` and `laplacian` run over these.
        outputs: names of the components of u.
        coefficients: unknown coefficients of an inverse problem by name.
        memo: values of known data at these very points, kept as long as the points are.
    """

    __slots__ = ("_column", "_memo", "_names", "_outputs", "_source", "_space", "coefficients", "x")

    def __init__(
        self,
        x: Tensor,
        source: DerivativeSource,
        *,
        names: tuple[str, ...],
        space_axes: tuple[int, ...],
        outputs: tuple[str, ...] = ("u",),
        coefficients: Mapping[str, Tensor] | None = None,
        memo: dict[str, Any] | None = None,
        column: int | None = None,
    ) -> None:
        self.x = x
        self.coefficients = coefficients or {}
        self._source, self._names, self._space, self._outputs = source, names, space_axes, outputs
        self._memo = {} if memo is None else memo
        self._column = column

    @property
    def value(self) -> Tensor:
        """u, (n, m)."""
        return self._pick(self._source.partial(()))

    @property
    def grad(self) -> Tensor:
        """Gradient in space, (n, m, number of space axes); the time derivative is `d("t")`."""
        gradient = self._source.gradient(self._space)
        return gradient if self._column is None else gradient[:, self._column : self._column + 1]

    @property
    def laplacian(self) -> Tensor:
        """Sum of the second derivatives over space, (n, m)."""
        return self._pick(self._source.laplacian(self._space))

    def d(self, *names: str) -> Tensor:
        """Partial derivative, one coordinate name per order: d("t"), d("x", "x"), d("x", "y"); (n, m)."""
        return self._pick(self._source.partial(tuple(sorted(self._axis(name) for name in names))))

    def coordinate(self, name: str) -> Tensor:
        """One coordinate as a column (n, 1)."""
        axis = self._axis(name)
        return self.x[:, axis : axis + 1]

    def __getitem__(self, name: str) -> Jet:
        """The jet of one component, by its name."""
        if name not in self._outputs:
            raise unknown_name("component", name, self._outputs)
        return Jet(
            self.x,
            self._source,
            names=self._names,
            space_axes=self._space,
            outputs=(name,),
            coefficients=self.coefficients,
            memo=self._memo,
            column=self._outputs.index(name),
        )

    def at(self, rows: slice) -> Jet:
        """The jet at some of its points."""
        if rows == slice(0, len(self.x)):
            return self
        return Jet(
            self.x[rows],
            _Rows(self._source, rows),
            names=self._names,
            space_axes=self._space,
            outputs=self._outputs,
            coefficients=self.coefficients,
            memo=self._memo.setdefault(f"rows {rows.start} to {rows.stop}", {}),
            column=self._column,
        )

    def data(self, key: str, function: Callable[[Tensor], Known]) -> Known:
        """A known function of the coordinates at these points, evaluated once for as long as the points last."""
        if key not in self._memo:
            self._memo[key] = function(self.x)
        found: Known = self._memo[key]
        return found

    def _axis(self, name: str) -> int:
        if name not in self._names:
            raise unknown_name("coordinate", name, self._names)
        return self._names.index(name)

    def _pick(self, values: Tensor) -> Tensor:
        return values if self._column is None else values[:, self._column : self._column + 1]


@final
class _Rows:
    """Some points of a source."""

    def __init__(self, source: DerivativeSource, rows: slice) -> None:
        self._source, self._rows = source, rows

    def partial(self, axes: tuple[int, ...]) -> Tensor:
        return self._source.partial(axes)[self._rows]

    def gradient(self, axes: tuple[int, ...]) -> Tensor:
        return self._source.gradient(axes)[self._rows]

    def laplacian(self, axes: tuple[int, ...]) -> Tensor:
        return self._source.laplacian(axes)[self._rows]


def column(what: str, values: object, n: int, width: int = 1) -> Tensor:
    """`values` if it is a tensor of shape (n, width); otherwise the ShapeError that says so.

    The commonest silent bug of the field is (n,) against (n, 1), which broadcasts to (n, n).
    """
    if not isinstance(values, Tensor):
        raise ShapeError(f"{what}: got {type(values).__name__}, expected a tensor of shape ({n}, {width})")
    if tuple(values.shape) != (n, width):
        hint = "; slice columns as x[:, 0:1], or add [:, None]" if values.ndim == 1 else ""
        raise ShapeError(f"{what}: got shape {tuple(values.shape)}, expected ({n}, {width}){hint}")
    return values
