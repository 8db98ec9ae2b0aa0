"""Runs in a process of its own: reads a mesh file with meshio within a memory limit and writes arrays to stdout.

meshio ends the process on damaged files and believes the sizes that a file declares, so it is kept out of ours. This file
is run as a script and imports nothing of pdekit. Arguments: the file, meshio's name of the format, and how many bytes may
be allocated. Output: one byte (M for a mesh, T for too large, N for a missing package, D for damaged), then an .npz archive or a message.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

_TAGS = ("gmsh:physical", "medit:ref", "medit:tag", "cell_tags")


def main() -> None:
    """Read, pack, write."""
    with os.fdopen(os.dup(1), "wb") as output:
        os.dup2(2, 1)  # meshio prints
        path, kind, spare = sys.argv[1], sys.argv[2], int(sys.argv[3])
        import meshio

        _limit(spare)
        try:
            content = b"M" + _packed(meshio.read(path, kind))
        except MemoryError:
            content = b"T"
        except ModuleNotFoundError as error:
            content = b"N" + str(error).encode()
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- whatever a damaged file makes meshio raise
            said = "" if isinstance(error, SystemExit) else f"{type(error).__name__}: {error}"
            content = b"D" + said.encode("utf-8", "replace")
        _write(output, content)


def _packed(mesh: Any) -> bytes:
    """Points, and for each block of cells its type, corners and, if it has any, tags; names of tags."""
    import numpy as np

    arrays: dict[str, Any] = {"points": np.asarray(mesh.points, dtype=np.float64)}
    for i, (block, tags) in enumerate(zip(mesh.cells, _tags(mesh), strict=True)):
        arrays |= {f"cells{i}": np.asarray(block.data), f"tags{i}": tags}
    names = [(name, int(data[0]), int(data[1])) for name, data in mesh.field_data.items() if len(data) == 2]
    arrays["types"] = np.array([block.type for block in mesh.cells], dtype=np.str_)
    arrays["names"] = np.array([name for name, _, _ in names], dtype=np.str_)
    arrays["numbers"] = np.array([(number, dim) for _, number, dim in names], dtype=np.int64).reshape(-1, 2)
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def _tags(mesh: Any) -> Iterator[Any]:
    """Tags of the cells of each block, or an empty array."""
    import numpy as np

    data = next((mesh.cell_data[key] for key in _TAGS if key in mesh.cell_data), None)
    for i in range(len(mesh.cells)):
        yield np.empty(0, np.int64) if data is None else np.asarray(data[i], dtype=np.int64)


def _limit(spare: int) -> None:
    """Let the process allocate so many bytes more, where the system can."""
    try:
        import resource
    except ImportError:
        return
    statistics = Path("/proc/self/statm")
    if statistics.exists():
        now = int(statistics.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + spare, resource.RLIM_INFINITY))


def _write(output: BinaryIO, content: bytes) -> None:
    output.write(content)
    output.flush()


if __name__ == "__main__":
    main()
