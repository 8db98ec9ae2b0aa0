"""Mesh files: round trips, names, and every kind of damaged, truncated or hostile file."""

from __future__ import annotations

import base64
import importlib.util
import resource
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from pdekit.discrete import Mesh
from pdekit.domain import Hypercube, Interval, Rectangle
from pdekit.errors import MeshFileError, MeshWarning, PdekitError, UnsafePathError
from pdekit.geometry import Difference, Disk, MeshRegion
from pdekit.meshfile import read_mesh, write_mesh
from pdekit.meshing import mesh

PLATE = Difference(Rectangle(), (Disk((0.5, 0.5), 0.2, name="hole"),))

GMSH = """$MeshFormat
2.2 0 8
$EndMeshFormat
$PhysicalNames
3
1 1 "inlet"
1 2 "wall"
2 3 "fluid"
$EndPhysicalNames
$Nodes
{count}
1 0 0 0
2 {x} 0 0
3 1 1 0
4 0 1 0
5 7 7 0
$EndNodes
$Elements
7
1 1 2 2 1 1 2
2 1 2 2 2 2 3
3 1 2 2 3 3 4
4 1 2 1 4 4 1
5 1 2 2 5 1 3
6 2 2 3 1 {first}
7 2 2 3 1 1 3 4
$EndElements
"""


def gmsh(count: object = 5, x: object = 1, first: str = "1 2 3") -> str:
    """Two triangles on the unit square; the diagonal is named too, and node 5 is in no cell."""
    return GMSH.format(count=count, x=x, first=first)


VTK = """# vtk DataFile Version 4.2
mesh
ASCII
DATASET UNSTRUCTURED_GRID
POINTS {points} double
0 0 0 1 0 0 1 1 0 {last} 1 0
CELLS 2 8
3 0 1 2
3 0 2 {corner}
CELL_TYPES 2
{type} {type}
"""


def vtk(points: object = 4, last: object = 0, corner: object = 3, type: object = 5) -> str:
    return VTK.format(points=points, last=last, corner=corner, type=type)


def vtu(corner: int = 3, last: object = 0, prolog: str = "") -> str:
    return (
        f'<?xml version="1.0"?>{prolog}<VTKFile type="UnstructuredGrid" version="0.1" byte_order="LittleEndian">'
        '<UnstructuredGrid><Piece NumberOfPoints="4" NumberOfCells="2"><Points><DataArray type="Float64" Name="Points" '
        f'NumberOfComponents="3" format="ascii">0 0 0 1 0 0 1 1 0 {last} 1 0</DataArray></Points><Cells>'
        f'<DataArray type="Int64" Name="connectivity" format="ascii">0 1 2 0 2 {corner}</DataArray>'
        '<DataArray type="Int64" Name="offsets" format="ascii">3 6</DataArray>'
        '<DataArray type="Int64" Name="types" format="ascii">5 5</DataArray></Cells></Piece></UnstructuredGrid></VTKFile>'
    )


def xdmf(reference: str) -> str:
    return (
        '<Xdmf Version="3.0"><Domain><Grid Name="Grid"><Geometry GeometryType="XY"><DataItem DataType="Float" '
        f'Dimensions="4 2" Format="HDF" Precision="8">{reference}:/data0</DataItem></Geometry></Grid></Domain></Xdmf>'
    )


INLINE = (
    '<Xdmf Version="3.0"><Domain><Grid Name="Grid"><Geometry GeometryType="XY"><DataItem DataType="Float" Dimensions="4 2" '
    'Format="XML" Precision="8">0 0 1 0 1 1 0 1</DataItem></Geometry><Topology TopologyType="Triangle" NumberOfElements="2" '
    'NodesPerElement="3"><DataItem DataType="Int" Dimensions="2 3" Format="XML" Precision="8">0 1 2 0 2 3</DataItem>'
    "</Topology></Grid></Domain></Xdmf>"
)


def bomb() -> str:
    """A VTU file of about a megabyte whose compressed points expand to a gigabyte."""
    block, blocks = 2**24, 64
    packed = zlib.compress(bytes(block), 9)
    header = struct.pack(f"<{3 + blocks}I", blocks, block, 0, *[len(packed)] * blocks)
    data = (base64.b64encode(header) + base64.b64encode(packed * blocks)).decode()
    return (
        '<VTKFile type="UnstructuredGrid" version="0.1" byte_order="LittleEndian" compressor="vtkZLibDataCompressor">'
        f'<UnstructuredGrid><Piece NumberOfPoints="{block * blocks // 24}" NumberOfCells="1"><Points><DataArray '
        f'type="Float64" Name="Points" NumberOfComponents="3" format="binary">{data}</DataArray></Points>'
        '<Cells><DataArray type="Int64" Name="connectivity" format="ascii">0 1 2</DataArray>'
        '<DataArray type="Int64" Name="offsets" format="ascii">3</DataArray>'
        '<DataArray type="Int64" Name="types" format="ascii">5</DataArray></Cells></Piece></UnstructuredGrid></VTKFile>'
    )


def saved(directory: Path, name: str, content: str | bytes) -> Path:
    path = directory / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# What is read ---------------------------------------------------------------------------------------------------------


def test_physical_groups_become_parts(tmp_path):
    found = read_mesh(saved(tmp_path, "square.msh", gmsh()))
    assert len(found.points) == 4
    assert found.measure == 1
    assert set(found.parts) == {"inlet", "wall"}
    assert found.areas("inlet").sum() == 1
    assert found.areas("wall").sum() == 3
    assert np.allclose(found.normals("inlet"), [[-1, 0]])
    region = MeshRegion(found)
    assert region.resolve("boundary") == ("inlet", "wall")


@pytest.mark.parametrize(
    "name", ["a.msh", "a.vtu", *(pytest.param(n, marks=pytest.mark.slow) for n in ("a.vtk", "a.mesh", "a.inp"))]
)
@pytest.mark.parametrize("region", [PLATE, Hypercube(3)], ids=lambda r: f"{type(r).__name__}{r.dim}")
def test_round_trips(tmp_path, name, region):
    made = mesh(region, 0.5)
    found = read_mesh(write_mesh(made, tmp_path / name))
    assert np.allclose(found.points, made.points)
    assert np.array_equal(found.cells, made.cells)
    if name.endswith(".msh"):
        assert {part: len(facets) for part, facets in found.parts.items()} == {
            part: len(facets) for part, facets in made.parts.items()
        }
        assert all(np.array_equal(np.sort(found.parts[p], 0), np.sort(made.parts[p], 0)) for p in made.parts)
    else:
        assert len(found.facets) == len(made.facets)


def test_meshes_of_intervals_and_xdmf(tmp_path):
    made = mesh(Interval(0, 2), 0.5)
    assert np.array_equal(read_mesh(write_mesh(made, tmp_path / "a.msh")).parts["right"], made.parts["right"])
    path = saved(tmp_path, "a.xdmf", INLINE)
    if importlib.util.find_spec("h5py"):
        assert read_mesh(path).measure == 1
    else:
        with pytest.raises(MeshFileError, match="h5py"):
            read_mesh(path)


def test_nothing_is_printed(tmp_path, capfd):
    read_mesh(saved(tmp_path, "square.msh", gmsh()))
    with pytest.raises(MeshFileError):
        read_mesh(saved(tmp_path, "bad.vtu", vtu()[:-40]))
    assert capfd.readouterr() == ("", "")


def test_inverted_cells_are_turned(tmp_path):
    path = saved(tmp_path, "square.msh", gmsh(first="1 3 2"))
    with pytest.warns(MeshWarning, match="1 of 2 cells are inverted"):
        found = read_mesh(path)
    assert (found.volumes > 0).all()
    assert found.measure == 1


# What is refused ------------------------------------------------------------------------------------------------------

NOISE = np.random.default_rng(5077).bytes(4096)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.msh", b"", "empty file"),  # I1
        ("a.vtu", b"", "empty file"),
        ("a.msh", NOISE, "damaged"),  # I2
        ("a.vtu", NOISE, "no VTKFile element"),
        ("a.vtk", NOISE, "damaged"),
        ("a.inp", NOISE, "damaged|types none"),
        ("a.msh", gmsh()[:200], "truncated"),  # I3
        ("a.msh", gmsh()[:-20], "truncated"),
        ("a.vtu", vtu()[:-40], "damaged"),
        ("a.vtk", vtk()[:-30], "damaged"),
        ("a.foo", gmsh(), "got the ending '.foo', expected one of .msh"),  # I4
        ("mesh", gmsh(), "got the ending ''"),
        ("a.msh", gmsh(first="1 2 9"), "damaged|out of range"),  # I5
        ("a.vtk", vtk(corner=4), r"cell 1 has the corners \[0, 2, 4\] out of range, expected numbers from 0 to 3"),
        ("a.vtu", vtu(corner=10**9), "cell 1 has the corners"),
        ("a.vtu", vtu(corner=-7), "cell 1 has the corners"),  # I6
        ("a.msh", gmsh(first="1 2 -3"), "cell 5 has the corners 1 2 -3, expected positive"),
        ("a.msh", gmsh(x="nan"), "node 1 is"),  # I7
        ("a.vtu", vtu(last="inf"), r"node 3 is \[inf, 1.0, 0.0\], expected finite coordinates; 1 are not"),
        ("a.msh", gmsh(first="1 2 2"), "cell 0 with corners .* has no volume"),  # I8
        ("a.msh", gmsh(x=2_000_000_000).replace("2000000000 0 0", "0 0 0"), "has no volume"),
        ("a.msh", gmsh(count=2_000_000_000), "damaged|size limit"),  # I10
        ("a.vtk", vtk(points=2_000_000_000), "damaged|size limit"),
        ("a.vtu", vtu(prolog='<!DOCTYPE x [<!ENTITY a "b">]>'), "DOCTYPE not allowed"),  # I11, I12
        ("a.vtu", vtu(prolog='<!doctype x SYSTEM "file:///etc/passwd">'), "DOCTYPE not allowed"),
        ("a.xdmf", f"<!DOCTYPE x>{xdmf('a.h5')}", "DOCTYPE not allowed"),
        ("a.vtu", vtu(prolog='<!-- <VTKFile --><!DOCTYPE x [<!ENTITY a "b">]>'), "DOCTYPE not allowed"),
        ("a.vtu", vtu().encode("utf-16"), "expected a vtu file in UTF-8"),
        ("a.xdmf", xdmf("a.h5")[:-10], "damaged"),
        ("a.xdmf", xdmf("a.h5"), "damaged|h5py"),  # no such file beside it
        ("a.vtk", vtk(type=9), "damaged|quad"),  # I15
        ("a.vtk", vtk(corner=3, type=3), "damaged|curved|types"),
    ],
)
def test_bad_files(tmp_path, name, content, message):
    path = saved(tmp_path, name, content)
    start = time.process_time()
    with pytest.raises(MeshFileError, match=message) as caught:
        read_mesh(path)
    assert time.process_time() - start < 1
    assert isinstance(caught.value, ValueError)
    assert str(path) in str(caught.value)
    assert sorted(tmp_path.iterdir()) == [path]


def test_cells_that_are_no_simplices_are_listed(tmp_path):
    import meshio

    square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    meshio.write(tmp_path / "a.vtu", meshio.Mesh(square, [("quad", [[0, 1, 2, 3]]), ("triangle", [[0, 1, 2]])]))
    with pytest.raises(MeshFileError, match="types quad, triangle, expected vertex, line, triangle, tetra"):
        read_mesh(tmp_path / "a.vtu")


def test_surfaces_in_space_are_refused(tmp_path):
    path = saved(tmp_path, "a.vtk", vtk().replace("1 1 0", "1 1 1", 1))
    with pytest.raises(MeshFileError, match="curved mesh of triangle"):
        read_mesh(path)


@pytest.mark.parametrize("reference", ["/etc/passwd", "../../secret.h5", "C:\\secret.h5", "..\\a.h5", "http://x/y.h5"])
def test_xdmf_stays_in_its_directory(tmp_path, reference):
    path = saved(tmp_path, "a.xdmf", xdmf(reference))
    with pytest.raises(UnsafePathError, match="refers to"):
        read_mesh(path)
    path = saved(
        tmp_path, "b.xdmf", f'<Xdmf xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="{reference}"/></Xdmf>'
    )
    with pytest.raises(UnsafePathError, match="refers to"):
        read_mesh(path)


def test_compression_bombs_do_not_unfold(tmp_path):
    """A megabyte that would expand to a gigabyte; our process stays small, the reading one below its limit."""
    path = saved(tmp_path, "a.vtu", bomb())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(MeshFileError, match="size limit"):
        read_mesh(path)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 100


@pytest.mark.slow
def test_every_truncation_of_a_binary_file_is_an_error(tmp_path):
    """Ten lengths: meshio alone reads some of them without a word."""
    whole = write_mesh(mesh(PLATE, 0.5), tmp_path / "a.msh").read_bytes()
    for length in np.linspace(1, len(whole) - 2, 10).astype(int):
        with pytest.raises(MeshFileError):
            read_mesh(saved(tmp_path, "b.msh", whole[:length]))


def test_files_that_are_not_there(tmp_path):
    saved(tmp_path, "square.msh", gmsh())
    with pytest.raises(FileNotFoundError, match=r"nearest: .*square.msh"):
        read_mesh(tmp_path / "squar.msh")
    with pytest.raises(FileNotFoundError):
        read_mesh(tmp_path)
    with pytest.raises(FileNotFoundError, match="directory"):
        write_mesh(mesh(PLATE, 0.5), tmp_path / "no" / "a.msh")


def test_what_is_not_written(tmp_path):
    made = mesh(PLATE, 0.5)
    with pytest.raises(MeshFileError, match=r"'\.txt'"):
        write_mesh(made, tmp_path / "a.txt")
    with pytest.raises(MeshFileError, match="only read"):
        write_mesh(made, tmp_path / "a.xdmf")
    (tmp_path / "link.msh").symlink_to(tmp_path / "other.msh")
    with pytest.raises(UnsafePathError, match="symbolic link"):
        write_mesh(made, tmp_path / "link.msh")
    assert not (tmp_path / "other.msh").exists()
    assert issubclass(MeshFileError, PdekitError)


def test_a_named_part_may_have_several_pieces(tmp_path):
    """A name given twice by the user stays one group of the file."""
    made = mesh(PLATE, 0.5)
    merged = Mesh(
        made.points,
        made.cells,
        {
            "sides": np.concatenate([made.parts[p] for p in ("left", "right", "bottom", "top")]),
            "hole": made.parts["hole"],
        },
    )
    found = read_mesh(write_mesh(merged, tmp_path / "a.msh"))
    assert found.areas("sides").sum() == pytest.approx(4)
