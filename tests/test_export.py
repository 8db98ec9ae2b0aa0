"""Files for other programs: read back by meshio, by numpy, and by a parser of our own."""

from __future__ import annotations

import base64
import csv
import math
import subprocess
import sys
import xml.etree.ElementTree as ET
import zlib
from dataclasses import replace
from pathlib import Path

import meshio
import numpy as np
import pytest
from fakes import POINTS, solved

from pdekit.domain import Box
from pdekit.errors import ConfigError, NotApplicableError, ShapeError, UnsafePathError
from pdekit.export import export, tabulated, write_vtu
from pdekit.field import SumField

BOXES = {
    "1-D": Box((-1,), (1,)),
    "2-D": Box((0, 0), (2, 1)),
    "3-D": Box((0, 0, 0), (1, 1, 2)),
    "1-D and time": Box((-1,), (1,)).with_time(0, 2),
    "2-D and time": Box((0, 0), (1, 1)).with_time(0, 2),
}
CELL = {1: ("line", 3, 2), 2: ("quad", 9, 4), 3: ("hexahedron", 12, 8)}  # meshio's name, VTK's number, corners
TYPES = {"Float64": np.float64, "Int64": np.int64, "Int32": np.int32, "UInt8": np.uint8}


def vtu_arrays(path: Path) -> tuple[ET.Element, dict[str, np.ndarray]]:
    """All arrays of a VTU file by name, decoded from the XML by hand."""
    root = ET.parse(path).getroot()
    header = np.dtype({"UInt32": np.uint32, "UInt64": np.uint64}[root.attrib.get("header_type", "UInt32")])
    found = {}
    for array in root.iter("DataArray"):
        text = (array.text or "").strip()
        assert array.attrib["format"] == "binary"
        assert root.attrib["compressor"] == "vtkZLibDataCompressor"
        # Header: number of blocks, size of a block, size of the last, compressed size of each; base64 on its own.
        count = int(np.frombuffer(base64.b64decode(text[:16])[: header.itemsize], header)[0])
        length = 4 * math.ceil((3 + count) * header.itemsize / 3)
        sizes = np.frombuffer(base64.b64decode(text[:length]), header)[3:]
        data, content, at = base64.b64decode(text[length:]), b"", 0
        for size in sizes.astype(int):
            content += zlib.decompress(data[at : at + size])
            at += size
        values = np.frombuffer(content, TYPES[array.attrib["type"]])
        width = int(array.attrib.get("NumberOfComponents", 1))
        found[array.attrib["Name"]] = values.reshape(-1, width) if width > 1 else values
    return root, found


@pytest.mark.parametrize("name", BOXES)
def test_vtu_through_meshio_and_through_xml(name, tmp_path):
    box = BOXES[name]
    solution = solved(box)
    path = solution.to_vtu(tmp_path / "u.vtu")
    kind, number, corners = CELL[box.dim]
    points, cells = POINTS[box.dim] ** box.dim, (POINTS[box.dim] - 1) ** box.dim

    mesh = meshio.read(path)
    assert list(mesh.cells_dict) == [kind]
    assert mesh.points.shape == (points, 3)
    assert set(mesh.point_data) == {"u", "u_exact", "error"}

    root, arrays = vtu_arrays(path)
    assert root.attrib["type"] == "UnstructuredGrid"
    piece = next(root.iter("Piece"))
    assert (int(piece.attrib["NumberOfPoints"]), int(piece.attrib["NumberOfCells"])) == (points, cells)
    x = arrays["Points"]
    np.testing.assert_array_equal(x[:, : box.dim], solution.field.grid.points())
    assert not x[:, box.dim :].any()
    assert set(arrays["types"]) == {number}
    np.testing.assert_array_equal(arrays["offsets"], corners * np.arange(1, cells + 1))
    np.testing.assert_array_equal(arrays["connectivity"].reshape(-1, corners), mesh.cells_dict[kind])
    np.testing.assert_array_equal(arrays["u"], solution.field.values.ravel())
    np.testing.assert_allclose(arrays["u_exact"], np.sin(4 * x[:, : box.dim]).prod(axis=1), atol=1e-14)
    np.testing.assert_array_equal(arrays["error"], arrays["u"] - arrays["u_exact"])
    # The cells fill the box once, and none is inside out or twisted.
    assert cell_sizes(x[arrays["connectivity"]].reshape(cells, corners, 3)) == pytest.approx(
        np.full(cells, math.prod(box.lengths) / cells)
    )


def cell_sizes(corner: np.ndarray) -> np.ndarray:
    """Signed length, area (shoelace) or volume (six tetrahedra) of cells whose corners stand in VTK's order."""
    match corner.shape[1]:
        case 2:
            return corner[:, 1, 0] - corner[:, 0, 0]
        case 4:
            following = np.roll(corner, -1, axis=1)
            return 0.5 * (corner[..., 0] * following[..., 1] - corner[..., 1] * following[..., 0]).sum(axis=1)
        case _:
            tetrahedra = [(0, 1, 2, 6), (0, 2, 3, 6), (0, 3, 7, 6), (0, 7, 4, 6), (0, 4, 5, 6), (0, 5, 1, 6)]
            edges = [[corner[:, b] - corner[:, a] for b in others] for a, *others in tetrahedra]
            return sum(np.linalg.det(np.stack(e, axis=1)) for e in edges) / 6


def test_vtu_of_a_field_without_a_grid_and_without_an_exact_solution(tmp_path):
    made = solved(BOXES["2-D"], known=False)
    solution = replace(made, field=SumField((made.field, made.field)))
    write_vtu(solution, tmp_path / "u.vtu", shape=(9, 5))
    _, arrays = vtu_arrays(tmp_path / "u.vtu")
    assert {"u"} == set(arrays) - {"Points", "connectivity", "offsets", "types"}
    nodes = made.field.values[::4, ::8].ravel()
    np.testing.assert_allclose(arrays["u"], 2 * nodes, atol=1e-12)
    assert tabulated(solution).shape == (257, 257)


def test_more_coordinates_than_a_picture_has(tmp_path):
    solution = solved(Box((0,) * 4, (1,) * 4), banded=False, shape=(5,) * 4)
    with pytest.raises(NotApplicableError, match=r"4 coordinates.*\.csv"):
        export(solution, tmp_path / "u.vtu")
    assert not list(tmp_path.iterdir())
    scattered = replace(solution, field=SumField((solution.field,)))
    export(scattered, tmp_path / "u.npz")
    with np.load(tmp_path / "u.npz") as arrays:
        assert arrays["x"].shape == (4096, 4)
        assert "shape" not in arrays
        assert len(np.unique(arrays["x"], axis=0)) == 4096


def test_csv_keeps_every_digit(tmp_path):
    solution = solved(BOXES["1-D and time"])
    with export(solution, str(tmp_path / "u.CSV")).open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["x", "t", "u", "u_exact", "error"]
    table = np.array(rows, dtype=np.float64)
    np.testing.assert_array_equal(table[:, :2], solution.field.grid.points())
    np.testing.assert_array_equal(table[:, 2], solution.field.values.ravel())


def test_npz_holds_grid_and_fields(tmp_path):
    solution = solved(BOXES["2-D"])
    with np.load(export(solution, tmp_path / "u.npz"), allow_pickle=False) as arrays:
        assert set(arrays) == {"x", "names", "shape", "u", "u_exact", "error"}
        assert arrays["names"].tolist() == ["x", "y"]
        np.testing.assert_array_equal(arrays["u"].reshape(arrays["shape"]), solution.field.values)


@pytest.mark.parametrize("name", ["u.vtk", "u", "u.png"])
def test_unknown_suffix(name, tmp_path):
    with pytest.raises(ConfigError, match=r"\.vtu, \.csv, \.npz"):
        export(solved(BOXES["1-D"]), tmp_path / name)


@pytest.mark.parametrize("suffix", ["vtu", "csv", "npz"])
def test_links_are_refused_and_their_target_untouched(suffix, tmp_path):
    target, link = tmp_path / "precious", tmp_path / f"u.{suffix}"
    target.write_text("precious")
    link.symlink_to(target)
    with pytest.raises(UnsafePathError, match="symbolic link"):
        export(solved(BOXES["1-D"]), link)
    assert target.read_text() == "precious"


@pytest.mark.parametrize("name", ["nul.vtu", "a\0.vtu", "x" * 300 + ".vtu"])
def test_names_no_file_should_have(name, tmp_path):
    with pytest.raises(UnsafePathError):
        export(solved(BOXES["1-D"]), tmp_path / name)


def test_missing_directory(tmp_path):
    with pytest.raises(FileNotFoundError, match="nearest"):
        export(solved(BOXES["1-D"]), tmp_path / "none" / "u.vtu")


def test_wrong_number_of_axes(tmp_path):
    with pytest.raises(ShapeError, match="2 numbers"):
        write_vtu(solved(BOXES["2-D"]), tmp_path / "u.vtu", shape=(5,))


def test_writing_again_replaces_the_whole_file(tmp_path):
    solution = solved(BOXES["1-D"])
    path = export(solution, tmp_path / "u.vtu")
    first = path.read_bytes()
    path.write_bytes(b"x" * 10**6)
    assert export(solution, path).read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == ["u.vtu"]


def test_meshio_is_imported_only_when_needed():
    script = "import sys, pdekit.export; sys.exit('meshio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
