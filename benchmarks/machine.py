"""What every table says about where it comes from, and how tables are written."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path


def describe(device: str, threads: int, packages: Sequence[str] = ("torch",)) -> str:
    """Date, machine, threads, versions and load, in one line."""
    import torch

    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.split(":")[1].strip() for line in info.splitlines() if line.startswith("model name")]
    cpu = f"{(names or [platform.processor()])[0]}, {os.cpu_count()} cores, {threads} threads"
    where = torch.cuda.get_device_name() if device == "cuda" else cpu
    versions = ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages)])
    return f"{date.today()}; {where}; {versions}; load average at the end {os.getloadavg()[0]:.1f}."


def markdown(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
