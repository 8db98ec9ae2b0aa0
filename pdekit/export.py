"""Solutions as files for other programs: VTU for ParaView, CSV, NPZ."""

from __future__ import annotations

import io
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from numpy.typing import NDArray

from .errors import ConfigError, NotApplicableError, ShapeError
from .field import GridField, MeshField
from .files import check_component, missing, write_atomically
from .sampling import Sobol, interior_points
from .section import exact_at, inside_of

if TYPE_CHECKING:
    from .solution import Solution

FloatArray = NDArray[np.float64]

_PER_AXIS = {1: 1001, 2: 257, 3: 65}  # points of the exported grid where the solution has no grid of its own
_SCATTERED = 4096  # points in more coordinates than a grid can fill
# Corners of a cell in VTK's order, as offsets along each axis.
_CORNERS: dict[int, tuple[tuple[int, ...], ...]] = {
    1: ((0,), (1,)),
    2: ((0, 0), (1, 0), (1, 1), (0, 1)),
    3: ((0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)),
}
_CELLS = {1: "line", 2: "quad", 3: "hexahedron"}
_SIMPLICES = {1: ("line", "line3"), 2: ("triangle", "triangle6"), 3: ("tetra", "tetra10")}  # by degree


@final
@dataclass(frozen=True, eq=False)
class Table:
    """What a file holds: points and the fields there, in the order of a grid if there is one.

    Args:
        x: points (n, d); time is the last coordinate.
        fields: columns (n,) by name: each unknown, and "_exact" and "_error" beside it where the exact one is known;
            with a single unknown the latter is plain "error".
        inside: (n,) which points lie in the domain; fields are NaN at the others.
        shape: points along each axis if x is a tensor grid in C order, else None.
        cells: the mesh of the points, if they are nodes of one: meshio's name of the cells, and their points (m, k).
    """

    x: FloatArray
    fields: dict[str, FloatArray]
    inside: NDArray[np.bool_]
    shape: tuple[int, ...] | None
    cells: tuple[str, NDArray[np.int64]] | None = None


def tabulated(solution: Solution, shape: Sequence[int] | None = None) -> Table:
    """A solution's values on its own grid or mesh, if it has one, else on a uniform grid over the domain's bounding box.

    Args:
        solution: what to evaluate.
        shape: points along each axis; 1001, 257 or 65 per axis in one, two or three coordinates by default. In four and
            more there is no default grid but 4096 quasi-random points.

    Raises:
        ShapeError: `shape` has another length than there are coordinates.
    """
    domain, names = solution.problem.domain, solution.problem.outputs
    if shape is not None and len(shape) != domain.dim:
        raise ShapeError(f"export: got shape {tuple(shape)}, expected {domain.dim} numbers, one for each coordinate")
    own = solution.field if shape is None and isinstance(solution.field, GridField | MeshField) else None
    cells = None
    if isinstance(own, GridField):
        shape, x = own.grid.shape, own.grid.points()
    elif own is not None:
        x = own.elements.nodes
        cells = (_SIMPLICES[domain.dim][own.elements.degree - 1], own.elements.numbers)
    elif shape is not None or domain.dim in _PER_AXIS:
        shape = tuple(shape) if shape is not None else (_PER_AXIS[domain.dim],) * domain.dim
        lines = [np.linspace(a, b, n) for a, b, n in zip(domain.lower, domain.upper, shape, strict=True)]
        x = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, domain.dim)
    else:
        x = interior_points(domain, Sobol(_SCATTERED), torch.Generator().manual_seed(0)).x.numpy()
    inside = np.ones(len(x), dtype=bool) if own is not None else inside_of(domain, x)
    values = np.full((len(x), len(names)), np.nan)
    # Nodal values are taken as they are: interpolation would return them with round-off.
    values[inside] = solution(x[inside]) if own is None else _nodal(own)
    known = exact_at(solution, x[inside])
    fields: dict[str, FloatArray] = {}
    for i, name in enumerate(names):
        fields[name] = values[:, i]
        if known is not None:
            exact = np.full(len(x), np.nan)
            exact[inside] = known[:, i]
            fields |= {f"{name}_exact": exact, f"{name}_error" if len(names) > 1 else "error": values[:, i] - exact}
    return Table(x, fields, inside, tuple(shape) if shape is not None else None, cells)


def _nodal(field: GridField | MeshField) -> FloatArray:
    """Values at the points of the field's own grid or mesh, (n, 1)."""
    values = field.values if isinstance(field, GridField) else field.nodal
    return values.reshape(-1, 1)


def write_vtu(solution: Solution, path: str | Path, shape: Sequence[int] | None = None) -> Path:
    """Write u, u_exact and error as a VTU file (binary, compressed) with cells, which ParaView opens as a surface.

    Lines in one coordinate, quadrilaterals in two (space-time of one space dimension too), hexahedra in three; for
    finite elements their own cells, quadratic ones as such. Points are padded with zeros to three coordinates. Cells
    that leave the domain are left out.

    Args:
        solution: what to write.
        path: the file; its directory exists.
        shape: points along each axis; see `tabulated`.

    Raises:
        NotApplicableError: more than three coordinates.
        UnsafePathError: a symbolic link, or a name no file system should hold.
        FileNotFoundError: no such directory.
    """
    target = _target(path)
    dim = solution.problem.domain.dim
    if dim not in _CELLS:
        raise NotApplicableError(
            f"VTU: {solution.problem.name} has {dim} coordinates, expected at most 3; export .csv or .npz instead"
        )
    from meshio import Mesh
    from meshio.vtu import write

    table = tabulated(solution, shape)
    kind, cells = table.cells if table.cells is not None else (_CELLS[dim], _cells(table))
    padded = np.zeros((len(table.x), 3))
    padded[:, :dim] = table.x
    mesh = Mesh(padded, [(kind, cells[table.inside[cells].all(axis=1)])], point_data=table.fields)
    with tempfile.TemporaryDirectory() as directory:
        made = Path(directory) / "u.vtu"
        write(made, mesh, binary=True)
        write_atomically(target, (made.read_bytes(),))
    return target


def write_csv(solution: Solution, path: str | Path, shape: Sequence[int] | None = None) -> Path:
    """Write one row for each point in the domain: coordinates, u, u_exact, error; floats keep all their digits."""
    target = _target(path)
    table = tabulated(solution, shape)
    columns = np.column_stack([table.x, *table.fields.values()])[table.inside]
    text = io.StringIO()
    header = ",".join([*solution.problem.domain.names, *table.fields])
    np.savetxt(text, columns, fmt="%.17g", delimiter=",", header=header, comments="")
    write_atomically(target, (text.getvalue().encode(),))
    return target


def write_npz(solution: Solution, path: str | Path, shape: Sequence[int] | None = None) -> Path:
    """Write arrays for `numpy.load`: x (n, d), each field (n,), names (d,), and shape if the points are a grid."""
    target = _target(path)
    table = tabulated(solution, shape)
    arrays: dict[str, np.ndarray] = {"x": table.x, "names": np.array(solution.problem.domain.names, dtype=np.str_)}
    if table.shape is not None:
        arrays["shape"] = np.array(table.shape)
    # A problem may call an unknown "x"; its field then stands beside the points under a name of its own.
    arrays |= {f"field_{name}" if name in arrays else name: values for name, values in table.fields.items()}
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    write_atomically(target, (content.getbuffer(),))
    return target


def export(solution: Solution, path: str | Path, shape: Sequence[int] | None = None) -> Path:
    """Write a solution in the format that the file's suffix names: .vtu, .csv or .npz.

    Raises:
        ConfigError: another suffix.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _WRITERS:
        raise ConfigError(f"export: got the suffix {suffix!r} in {str(path)!r}, expected one of {', '.join(_WRITERS)}")
    return _WRITERS[suffix](solution, path, shape)


_WRITERS: dict[str, Callable[[Solution, str | Path, Sequence[int] | None], Path]] = {
    ".vtu": write_vtu,
    ".csv": write_csv,
    ".npz": write_npz,
}


def _target(path: str | Path) -> Path:
    target = Path(path)
    check_component(str(path), target.name)
    if not target.parent.is_dir():
        raise missing("directory", target.parent)
    return target


def _cells(table: Table) -> NDArray[np.int64]:
    """Corner numbers (c, 2^d) of the cells of a grid in C order."""
    shape = table.shape
    assert shape is not None  # in up to three coordinates, where there is no mesh
    numbers = np.arange(math.prod(shape)).reshape(shape)
    corners = [
        numbers[tuple(slice(o, n - 1 + o) for o, n in zip(offset, shape, strict=True))].ravel()
        for offset in _CORNERS[len(shape)]
    ]
    return np.stack(corners, axis=1)
