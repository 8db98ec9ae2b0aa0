"""From an elliptic equation on a box to a linear system."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, ConflictError, IllPosedError, ProblemError
from .coefficients import Coefficients
from .faces import DirichletFace, Face, Field, NeumannFace, PeriodicFace, RobinFace, evaluate
from .fourth_order import fourth_order
from .grid import Grid
from .second_order import second_order, star_of
from .system import Balance, LinearSystem

FloatArray = NDArray[np.float64]
Faces = Mapping[tuple[int, int], Face]
_SCHEMES = MappingProxyType({2: second_order, 4: fourth_order})


def assemble(
    grid: Grid,
    *,
    source: Field,
    faces: Faces,
    diffusion: Field | None = None,
    advection: Field | None = None,
    reaction: Field | None = None,
    order: int = 2,
) -> LinearSystem:
    """Discretise -div(A grad u) + b.grad u + c u = f on a box.

    Args:
        grid: the grid.
        source: f, number or callable (n, d) -> (n,).
        faces: what holds on each face (axis, side), all 2 d of them.
        diffusion: A > 0, number or callable (n, d) -> (n,), (n, d) (diagonal) or (n, d, d); None is 1.
        advection: b, callable (n, d) -> (n, d).
        reaction: c, number or callable (n, d) -> (n,).
        order: 2 (conservative, every face) or 4 (smooth coefficients, Dirichlet and periodic faces, no full matrices).

    Returns:
        The system; constant coefficients of order 2 between Dirichlet faces come without a stored matrix, which makes
        assembly, relaxation and direct solves of millions of points a matter of seconds.

    Raises:
        ConfigError: another order, or too few points for it.
        IllPosedError: a face without a condition; diffusion that is not positive.
        ProblemError: a condition on a face that is not there; a periodic face whose opposite is not periodic.
        ConflictError: two Dirichlet faces that disagree where they meet.
        ShapeError, NonFiniteError: values of a wrong shape, NaN or infinite.
        MemoryBudgetError: the grid does not fit into half the memory of the machine.
        NotApplicableError: what the order cannot do.

    >>> import numpy as np
    >>> from pdekit.discrete import DirichletFace, Grid, assemble, solve_direct
    >>> walls = {(0, 0): DirichletFace(), (0, 1): DirichletFace(2.0)}
    >>> solve_direct(assemble(Grid((0.0,), (1.0,), (5,)), source=0.0, faces=walls)).round(12).tolist()
    [0.0, 0.5, 1.0, 1.5, 2.0]
    """
    if order not in _SCHEMES:
        raise ConfigError(f"assemble: order is {order!r}, expected 2 or 4; choose one of them")
    _check_faces(grid, faces)
    grid.check_memory("assemble", grid.dim + 5)  # points, numbering, values; a stored matrix takes more
    coefficients = Coefficients(source, diffusion, advection, reaction)
    unknown, known = _dirichlet(grid, faces)
    constants = coefficients.constants(grid)
    if order == 2 and constants is not None and not unknown[~_inside(grid)].any():
        star = star_of(constants, grid)
        rhs = coefficients.f(grid.points()).reshape(grid.shape)[grid.interior] - star.from_boundary(known)
        return LinearSystem(
            grid, unknown, known, rhs.ravel(), symmetric=star.symmetric, periodic=(False,) * grid.dim, star=star
        )
    return _reduced(grid, coefficients, faces, unknown, known, order=order)


def _reduced(
    grid: Grid,
    coefficients: Coefficients,
    faces: Faces,
    unknown: NDArray[np.bool_],
    known: FloatArray,
    *,
    order: int,
) -> LinearSystem:
    """Drop Dirichlet rows, move Dirichlet values to the right-hand side and identify periodic copies."""
    from scipy import sparse

    matrix, load = _SCHEMES[order](grid, coefficients, faces)
    originals = _originals(grid, faces).ravel()
    free = unknown.ravel()[originals]  # the points that hold an unknown or a periodic copy of one
    number = np.cumsum(unknown.ravel()) - 1
    rows = np.flatnonzero(free)
    spread = sparse.csr_matrix(
        (np.ones(rows.size), (rows, number[originals[rows]])), shape=(grid.size, int(unknown.sum()))
    )
    # rows of order 2 carry shares of cells, which add up over periodic copies; those of order 4 are whole
    gather = spread.T if order == 2 else sparse.identity(grid.size, format="csr")[np.flatnonzero(unknown.ravel())]
    reduced = sparse.csr_matrix(gather @ matrix @ spread)
    reduced.sum_duplicates()
    rhs = gather @ (load - matrix @ known.ravel())
    scale = np.abs(reduced).max()
    symmetric = coefficients.advection is None and bool(np.abs(reduced - reduced.T).max() <= 1e-13 * scale)
    singular = _free_constant(grid, coefficients, faces)
    return LinearSystem(
        grid,
        unknown,
        known,
        np.asarray(rhs),
        symmetric=symmetric,
        periodic=tuple(isinstance(faces[axis, 0], PeriodicFace) for axis in range(grid.dim)),
        stored=reduced,
        balance=_balance(grid, coefficients, faces) if singular else None,
    )


def _check_faces(grid: Grid, faces: Faces) -> None:
    expected = {(axis, side) for axis in range(grid.dim) for side in (0, 1)}
    missing, extra = sorted(expected - set(faces)), sorted(set(faces) - expected)
    if extra:
        raise ProblemError(
            f"assemble: got a condition on face {extra[0]}, expected (axis, side) among {sorted(expected)}; remove it"
        )
    if missing:
        raise IllPosedError(
            f"assemble: face {missing[0]} has no condition, expected one on each of {sorted(expected)}; add it"
        )
    for axis in range(grid.dim):
        ends = [isinstance(faces[axis, side], PeriodicFace) for side in (0, 1)]
        if ends[0] != ends[1]:
            raise ProblemError(
                f"assemble: face {(axis, ends.index(True))} is periodic and face {(axis, ends.index(False))} is not, expected "
                "both or neither; make both periodic"
            )


def _inside(grid: Grid) -> NDArray[np.bool_]:
    inside = np.zeros(grid.shape, dtype=bool)
    inside[grid.interior] = True
    return inside


def _originals(grid: Grid, faces: Faces) -> NDArray[np.intp]:
    """Number of the point that each point is, or repeats along a periodic axis."""
    originals = np.arange(grid.size).reshape(grid.shape)
    for axis in range(grid.dim):
        if isinstance(faces[axis, 0], PeriodicFace):
            originals[grid.face(axis, 1)] = originals[grid.face(axis, 0)]
    return originals


def _dirichlet(grid: Grid, faces: Faces) -> tuple[NDArray[np.bool_], FloatArray]:
    """Which points carry an unknown, and the values at the Dirichlet points."""
    numbers = np.arange(grid.size).reshape(grid.shape)
    owner = np.full(grid.size, -1)
    known = np.zeros(grid.size)
    walls = [(key, face) for key, face in sorted(faces.items()) if isinstance(face, DirichletFace)]
    axes = grid.axes
    for index, (key, face) in enumerate(walls):
        here = numbers[grid.face(*key)].ravel()
        x = np.stack([axis[i] for axis, i in zip(axes, np.unravel_index(here, grid.shape), strict=True)], axis=-1)
        values = evaluate(f"Dirichlet value of face {key}", face.value, x)
        gap = np.where(owner[here] >= 0, np.abs(values - known[here]), 0.0)
        worst = int(gap.argmax())
        if gap[worst] > 1e-6 * max(1.0, float(np.abs(values).max())):
            raise ConflictError(
                f"assemble: faces {walls[owner[here[worst]]][0]} and {key} give {known[here[worst]]:.6g} and "
                f"{values[worst]:.6g} at {x[worst].tolist()}, expected one value; make the data continuous"
            )
        owner[here], known[here] = index, values
    unknown = (owner < 0) & (_originals(grid, faces).ravel() == numbers.ravel())
    return unknown.reshape(grid.shape), known.reshape(grid.shape)


def _free_constant(grid: Grid, coefficients: Coefficients, faces: Faces) -> bool:
    """Whether the equation and its faces hold derivatives of u only."""
    for (axis, side), face in faces.items():
        if isinstance(face, DirichletFace):
            return False
        if isinstance(face, RobinFace):
            points = grid.points().reshape(*grid.shape, grid.dim)[grid.face(axis, side)].reshape(-1, grid.dim)
            if evaluate(f"face {(axis, side)} alpha", face.alpha, points).any():
                return False
    return coefficients.reaction is None or not coefficients.c(grid.points()).any()


def _balance(grid: Grid, coefficients: Coefficients, faces: Faces) -> Balance:
    weights = grid.weights()
    points = grid.points()
    f = weights.ravel() * coefficients.f(points)
    flux, size = 0.0, float(np.abs(f).sum())
    numbers = np.arange(grid.size).reshape(grid.shape)
    for (axis, side), face in faces.items():
        if isinstance(face, NeumannFace | RobinFace):
            here = numbers[grid.face(axis, side)].ravel()
            field = face.flux if isinstance(face, NeumannFace) else face.value
            g = evaluate(f"face {(axis, side)} flux", field, points[here])
            part = g * weights.ravel()[here] * 2.0 / grid.spacing[axis]
            flux, size = flux + float(part.sum()), size + float(np.abs(part).sum())
    return Balance(float(f.sum()), flux, size, tolerance=10.0 / (min(grid.shape) - 1) ** 2)
