"""What this machine offers, and which known traps are about; for `pdekit doctor`."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch

from .environment import environment, version


@final
@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Args:
        subject: what.
        good: False where something should be done.
        detail: what was found, and what to do.
    """

    subject: str
    good: bool
    detail: str


def examine() -> tuple[Finding, ...]:
    """Look at the things that have made runs slow, wrong or impossible."""
    return (_threads(), _device(), _compiler(), _torch_version(), _defaults(), _meshio(), _deepxde(), _tomli())


def as_table(findings: tuple[Finding, ...]) -> dict[str, Any]:
    """Environment and findings as plain data."""
    rows = [{"subject": f.subject, "good": f.good, "detail": f.detail} for f in findings]
    return {**environment(), "healthy": all(f.good for f in findings), "findings": rows}


def as_text(findings: tuple[Finding, ...]) -> str:
    """The same for people."""
    about = environment()
    packages = about["versions"]
    assert isinstance(packages, Mapping)
    lines = [f"{about['platform']}, {about['cores']} cores"]
    lines.append(", ".join(f"{name} {found or 'absent'}" for name, found in packages.items()))
    width = max(len(f.subject) for f in findings)
    lines += [f"{'ok  ' if f.good else 'note'}  {f.subject:<{width}}  {f.detail}" for f in findings]
    return "\n".join(lines)


def _threads() -> Finding:
    threads, cores = (
        torch.get_num_threads(),
        len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
    )
    fits = cores is None or threads <= cores
    advice = "" if fits else "; more threads than cores slow every step down, set OMP_NUM_THREADS"
    return Finding("threads", fits, f"torch uses {threads} of {cores} cores{advice}")


def _device() -> Finding:
    if not torch.cuda.is_available():
        return Finding("device", True, "cpu; no CUDA device found")
    free, total = torch.cuda.mem_get_info()
    return Finding(
        "device",
        True,
        f"{torch.cuda.get_device_name(0)}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free; "
        "small networks are often faster on the CPU",
    )


def _compiler() -> Finding:
    found = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("clang++")
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if found is None:
        return Finding("compiler", False, "no C++ compiler: torch.compile is not used on the CPU; install g++")
    if not header.exists():
        return Finding(
            "compiler", False, f"{found}, but no Python.h: torch.compile is not used on the CPU; install python3-dev"
        )
    return Finding("compiler", True, f"{found}, for torch.compile")


def _torch_version() -> Finding:
    major, minor = (int(part) for part in torch.__version__.split(".")[:2])
    safe = (major, minor) >= (2, 10)
    return Finding(
        "torch", safe, torch.__version__ + ("" if safe else ": unpicklers before 2.10 have known holes; update torch")
    )


def _defaults() -> Finding:
    changed = []
    if torch.get_default_dtype() != torch.float32:
        changed.append(f"default dtype {torch.get_default_dtype()}")
    if torch.get_default_device().type != "cpu":
        changed.append(f"default device {torch.get_default_device()}")
    detail = f"{' and '.join(changed)}: set by another package" if changed else "torch's defaults are untouched"
    return Finding("defaults", not changed, detail)


def _meshio() -> Finding:
    found, numpy = version("meshio"), version("numpy")
    if found is None:
        return Finding("meshio", False, "absent: no VTU files; install meshio")
    if numpy is not None and int(numpy.split(".")[0]) >= 2:
        return Finding(
            "meshio",
            True,
            f"{found} with numpy {numpy}: its ASCII Gmsh point data are broken; pdekit writes binary VTU",
        )
    return Finding("meshio", True, found)


def _deepxde() -> Finding:
    found = version("deepxde")
    if found is None:
        return Finding("deepxde", True, "absent; only its geometries need it")
    return Finding("deepxde", True, f"{found}; importing it oneself prints, and on CUDA changes torch's default device")


def _tomli() -> Finding:
    found = version("tomli-w")
    return Finding("tomli-w", found is not None, found or "absent: runs cannot be written; install tomli-w")
