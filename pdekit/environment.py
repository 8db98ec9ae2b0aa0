"""What a run ran on: versions, machine, threads."""

from __future__ import annotations

import importlib.metadata
import os
import platform

import torch

_PACKAGES = (
    "pdekit",
    "torch",
    "numpy",
    "scipy",
    "matplotlib",
    "meshio",
    "deepxde",
    "scikit-fem",
    "pyamg",
    "safetensors",
)


def version(package: str) -> str | None:
    """Return the installed version of a distribution; None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def environment() -> dict[str, object]:
    """Describe interpreter, packages, machine and threads, for `environment.json`."""
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return {
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
        "cuda": torch.version.cuda,
        "versions": {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES},
    }
