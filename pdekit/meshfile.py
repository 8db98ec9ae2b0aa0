"""Mesh files: reading by meshio in a process of its own, checked before and after; writing."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
import warnings
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from .discrete.mesh import FloatArray, IntArray, Mesh, boundary_facets, signed_volumes
from .errors import DomainError, MeshFileError, MeshWarning, ShapeError, UnsafePathError
from .files import check_component, missing, write_atomically

_FORMATS: Final[Mapping[str, str]] = {
    ".msh": "gmsh",
    ".vtu": "vtu",
    ".vtk": "vtk",
    ".xdmf": "xdmf",
    ".xmf": "xdmf",
    ".mesh": "medit",
    ".inp": "abaqus",
}
_WRITTEN: Final[Mapping[str, str]] = {
    "gmsh": "gmsh22",
    "vtu": "vtu",
    "vtk": "vtk",
    "medit": "medit",
    "abaqus": "abaqus",
}
_ROOTS: Final[Mapping[str, bytes]] = {"vtu": b"<VTKFile", "xdmf": b"<Xdmf"}
_SIMPLICES: Final[Mapping[str, int]] = {"vertex": 0, "line": 1, "triangle": 2, "tetra": 3}
_NAMES: Final[Mapping[int, str]] = {dim: name for name, dim in _SIMPLICES.items()}

_LARGEST = 2**30  # bytes of a file
_SPARE = 2**28  # bytes that reading may allocate, and as many more for each byte of the file as below
_PER_BYTE = 40
_PATIENCE = 300.0  # seconds
_FLAT = 1e-12


def read_mesh(path: str | Path) -> Mesh:
    """A mesh from a file of intervals, triangles or tetrahedra; `MeshRegion` makes it a domain.

    Formats: Gmsh (.msh, versions 2 and 4), VTU, VTK, Medit (.mesh), Abaqus (.inp), and XDMF where h5py is installed. Named
    groups of facets (physical groups of Gmsh) become boundary parts, unnamed ones "part<number>"; facets in none are
    "boundary". Groups inside the domain and points that no cell uses are left out; plane meshes in space lose the
    coordinate that is constant.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: no such file; the nearest one that is there.
        MeshFileError: empty, damaged, truncated, too large for its length, of another format, with other cells than
            simplices, or with numbers that make no mesh.
        UnsafePathError: an XDMF file that refers to files outside its directory.

    Warns:
        MeshWarning: inverted cells were turned.

    Notes: the file is read by another process, which takes half a second to start and may use 256 MB and 40 bytes for
        each byte of the file.
    """
    source = Path(path)
    kind = _checked(source)
    content = _from_reader(source, kind)
    try:
        return _built(source, content)
    except (DomainError, ShapeError) as error:
        raise MeshFileError(f"{source}: {error}") from error


def write_mesh(mesh: Mesh, path: str | Path) -> Path:
    """Write a mesh, with its boundary parts as physical groups if the file is Gmsh's.

    Args:
        mesh: to be written.
        path: ends in .msh (Gmsh 2.2, binary), .vtu, .vtk, .mesh or .inp.

    Raises:
        MeshFileError: another ending.
        FileNotFoundError: no such directory.
        UnsafePathError: a symbolic link or a name that no file system should hold.
    """
    target = Path(path)
    check_component(str(path), target.name)
    kind = _format_of(target)
    if kind not in _WRITTEN:
        raise MeshFileError(f"{target}: {kind} files are only read, expected .vtu or .msh; choose another ending")
    if not target.parent.is_dir():
        raise missing("directory", target.parent)
    import meshio

    points = np.pad(mesh.points, ((0, 0), (0, 3 - mesh.dim)))
    parts = list(mesh.parts)
    cells = [(_NAMES[mesh.dim], mesh.cells), *((_NAMES[mesh.dim - 1], mesh.parts[part]) for part in parts)]
    tags = [np.full(len(block), number, dtype=np.int32) for number, (_, block) in enumerate(cells)]
    names = {part: np.array([number, mesh.dim - 1]) for number, part in enumerate(parts, start=1)}
    data = {"gmsh:physical": tags, "gmsh:geometrical": tags} if kind == "gmsh" else {"part": tags}
    made = meshio.Mesh(points, cells, cell_data=data, field_data=names if kind == "gmsh" else {})
    with tempfile.TemporaryDirectory() as directory:
        temporary = Path(directory) / f"mesh{target.suffix}"
        meshio.write(temporary, made, _WRITTEN[kind])
        write_atomically(target, (temporary.read_bytes(),))
    return target


@final
@dataclass(frozen=True, eq=False)
class _Content:
    """What a file holds: points (n, 3), blocks of cells by type, with tags (or none), and names of tags by dimension."""

    points: FloatArray
    blocks: tuple[tuple[str, IntArray, IntArray], ...]
    names: Mapping[tuple[int, int], str]


# Before reading -------------------------------------------------------------------------------------------------------


def _checked(source: Path) -> str:
    """The format of a file that may be read."""
    if not source.is_file():
        raise missing("mesh file", source)
    kind = _format_of(source)
    size = source.stat().st_size
    if size == 0:
        raise MeshFileError(f"{source}: got an empty file, expected a mesh; write it again")
    if size > _LARGEST:
        raise MeshFileError(f"{source}: got {size} bytes, expected at most {_LARGEST}; split the mesh or coarsen it")
    if kind in _ROOTS:
        _check_xml(source, kind)
    elif kind == "gmsh":
        _check_sections(source)
    return kind


def _format_of(path: Path) -> str:
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise MeshFileError(
            f"{path}: got the ending {path.suffix!r}, expected one of {', '.join(_FORMATS)}; convert the file"
        )
    return kind


def _check_xml(source: Path, kind: str) -> None:
    """Nothing before the root that could define entities; no reference out of the directory."""
    with source.open("rb") as file:
        head = re.sub(rb"<!--.*?-->|<\?.*?\?>", b"", file.read(2**16), flags=re.DOTALL)
    prolog, found, _ = head.partition(_ROOTS[kind])
    if re.search(rb"<!\s*(DOCTYPE|ENTITY)", prolog, re.IGNORECASE):
        raise MeshFileError(f"{source}: DOCTYPE not allowed, expected plain XML; remove the declaration")
    if not found:
        raise MeshFileError(f"{source}: got no {_ROOTS[kind].decode()[1:]} element, expected a {kind} file in UTF-8")
    if kind != "xdmf":
        return
    try:
        items = ET.parse(source).iter()
        references = [reference for item in items for reference in _references(item)]
    except ET.ParseError as error:
        raise MeshFileError(f"{source}: damaged: {error}; write it again") from error
    for reference in references:
        place = PurePosixPath(reference.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or re.match(r"[A-Za-z]:|[a-z]+://", reference):
            raise UnsafePathError(
                f"{source}: refers to {reference!r}, expected a file beside it; keep the arrays within the file"
            )


def _references(item: ET.Element) -> list[str]:
    """Names of other files in an element of an XDMF file."""
    if item.tag.endswith("include"):
        return [item.get("href", "")]
    if item.tag == "DataItem" and item.get("Format", "XML").upper() in {"HDF", "BINARY"}:
        name = (item.text or "").strip()
        return [name if re.match(r"[A-Za-z]:[\\/]", name) else re.split(r":(?=/(?!/))", name)[0]]
    return []


def _check_sections(source: Path) -> None:
    """Every section of a Gmsh file must be closed and cells have positive corners; meshio accepts some that do not."""
    content = source.read_bytes()
    for name in (b"MeshFormat", b"Nodes", b"Elements"):
        if b"$" + name not in content or b"$End" + name not in content:
            raise MeshFileError(
                f"{source}: damaged or truncated: section {name.decode()} is missing or not closed; write it again"
            )
    version, binary, *_ = (*content.partition(b"$MeshFormat")[2].split()[:2], b"", b"")
    section = content.partition(b"$Elements")[2].partition(b"$EndElements")[0]
    if binary != b"0" or b"-" not in section:
        return
    for number, line in enumerate(section.split(b"\n")[2:]):
        words = line.split()
        tags = 3 + int(words[2]) if version.startswith(b"2") and len(words) > 3 and words[2].isdigit() else 0
        if any(word.startswith(b"-") for word in words[tags:]):
            raise MeshFileError(
                f"{source}: cell {number} has the corners {b' '.join(words[tags:]).decode('ascii', 'replace')}, "
                "expected positive node numbers"
            )


# Reading --------------------------------------------------------------------------------------------------------------


def _from_reader(source: Path, kind: str) -> _Content:
    """What the reading process finds; it cannot end ours or use up our memory."""
    spare = _SPARE + _PER_BYTE * source.stat().st_size
    script = Path(__file__).with_name("mesh_reader.py")
    command = [sys.executable, "-P", str(script), str(source.absolute()), kind, str(spare)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise MeshFileError(f"{source}: not read within {_PATIENCE:.0f} s; the file may be damaged") from error
    verdict, content = done.stdout[:1], done.stdout[1:]
    if verdict == b"T":
        raise MeshFileError(
            f"{source}: asks for more than the size limit of {spare // 2**20} MB for its {source.stat().st_size} bytes; "
            "it is damaged or hostile"
        )
    if verdict == b"N":
        raise MeshFileError(f"{source}: {kind} files need a package that is not there ({content.decode()}); install it")
    if verdict != b"M":
        printed = [line.strip() for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
        said = content.decode("utf-8", "replace") or (printed[-1] if printed else f"exit code {done.returncode}")
        raise MeshFileError(f"{source}: damaged, truncated or not a {kind} file ({said[:200]}); write it again")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            types = [str(name) for name in arrays["types"]]
            blocks = tuple((name, arrays[f"cells{i}"], arrays[f"tags{i}"]) for i, name in enumerate(types))
            pairs = zip(arrays["names"], arrays["numbers"].tolist(), strict=True)
            return _Content(arrays["points"], blocks, {(number, dim): str(name) for name, (number, dim) in pairs})
    except (ValueError, zipfile.BadZipFile) as error:  # cells of one block with different numbers of corners
        raise MeshFileError(f"{source}: damaged: {error}; write it again") from error


# After reading --------------------------------------------------------------------------------------------------------


def _built(source: Path, content: _Content) -> Mesh:
    types = sorted({name for name, cells, _ in content.blocks if len(cells)})
    strange = [name for name in types if name not in _SIMPLICES]
    dim = max((_SIMPLICES[name] for name in types if name in _SIMPLICES), default=0)
    if strange or not dim:
        raise MeshFileError(
            f"{source}: got cells of the types {', '.join(types) or 'none'}, expected {', '.join(_NAMES.values())}; "
            "cut the others into simplices, of first order"
        )
    cells, _ = _joined(content, dim)
    facets, tags = _joined(content, dim - 1)
    points = _flattened(source, content.points, dim)
    _check_numbers(source, points, np.concatenate([cells.ravel(), facets.ravel()]), cells)
    volumes = signed_volumes(points, cells)
    longest = np.ptp(points[cells], axis=1).max(axis=1)
    flat = np.flatnonzero(np.abs(volumes) <= _FLAT * longest**dim)
    if len(flat):
        raise MeshFileError(
            f"{source}: cell {flat[0]} with corners {cells[flat[0]].tolist()} has no volume, expected distinct corners; "
            f"{len(flat)} of {len(cells)} are flat"
        )
    if (volumes < 0).any():
        warnings.warn(
            MeshWarning(f"{source}: {int((volumes < 0).sum())} of {len(cells)} cells are inverted; they were turned"),
            stacklevel=4,
        )
    used, numbers = np.unique(cells, return_inverse=True)
    new = np.full(len(points), -1)
    new[used] = np.arange(len(used))
    return Mesh.of(points[used], numbers.reshape(cells.shape), _parts(new[facets], tags, content, dim, cells, new))


def _joined(content: _Content, dim: int) -> tuple[IntArray, IntArray]:
    """All cells of one dimension, each once, and their tags; 0 where they have none."""
    blocks = [
        (c, t if len(t) == len(c) else np.zeros(len(c), int)) for n, c, t in content.blocks if _SIMPLICES[n] == dim
    ]
    cells = np.concatenate([np.empty((0, dim + 1), np.int64), *(c.reshape(-1, dim + 1) for c, _ in blocks)])
    tags = np.concatenate([np.empty(0, np.int64), *(t for _, t in blocks)])
    _, first = np.unique(np.sort(cells, axis=1), axis=0, return_index=True)
    order = np.sort(first)
    return cells[order].astype(np.int64), tags[order]


def _flattened(source: Path, points: FloatArray, dim: int) -> FloatArray:
    """The first `dim` coordinates; the others must be constant."""
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(bad):
        raise MeshFileError(
            f"{source}: node {bad[0]} is {points[bad[0]].tolist()}, expected finite coordinates; {len(bad)} are not"
        )
    rest = points[:, dim:]
    if len(points) and rest.size and float(np.ptp(rest, axis=0).max()) > _FLAT * float(np.ptp(points, axis=0).max()):
        raise MeshFileError(
            f"{source}: got a curved mesh of {_NAMES[dim]} cells in {points.shape[1]} coordinates, expected a flat one"
        )
    return np.ascontiguousarray(points[:, :dim])


def _check_numbers(source: Path, points: FloatArray, corners: IntArray, cells: IntArray) -> None:
    if len(corners) and corners.min() >= 0 and corners.max() < len(points):
        return
    bad = np.flatnonzero(((cells < 0) | (cells >= len(points))).any(axis=1))
    where = f"cell {bad[0]} has the corners {cells[bad[0]].tolist()}" if len(bad) else "a boundary facet has corners"
    raise MeshFileError(f"{source}: {where} out of range, expected numbers from 0 to {len(points) - 1}")


def _parts(
    facets: IntArray, tags: IntArray, content: _Content, dim: int, cells: IntArray, new: IntArray
) -> dict[str, IntArray]:
    """Tagged facets of the boundary by name."""
    outer = {tuple(sorted(facet)) for facet in boundary_facets(new[cells]).tolist()}
    on: NDArray[np.bool_] = np.array([tuple(sorted(facet)) in outer for facet in facets.tolist()], dtype=bool)
    parts: dict[str, IntArray] = {}
    for tag in np.unique(tags[on & (tags != 0)]):
        name = content.names.get((int(tag), dim - 1), f"part{tag}")
        parts[name] = facets[on & (tags == tag)]
    return parts
