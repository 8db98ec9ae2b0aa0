"""Importing pdekit does nothing but define names."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ["matplotlib.pyplot", "deepxde", "meshio", "pyamg", "skfem", "rich", "joblib"]

STATE = """
import hashlib, json, os, pickle, sys, threading, warnings
import numpy, torch

def state():
    return {
        "torch default dtype": str(torch.get_default_dtype()),
        "torch default device": str(torch.get_default_device()),
        "torch threads": [torch.get_num_threads(), torch.get_num_interop_threads()],
        "torch generator": hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest(),
        "torch deterministic": torch.are_deterministic_algorithms_enabled(),
        "torch matmul precision": torch.get_float32_matmul_precision(),
        "torch grad": torch.is_grad_enabled(),
        "numpy generator": hashlib.sha256(pickle.dumps(numpy.random.get_state())).hexdigest(),
        "numpy errors": numpy.geterr(),
        "numpy print options": str(numpy.get_printoptions()),
        "warning filters": [str(f) for f in warnings.filters],
        "environment": dict(os.environ),
        "directory": sorted(os.listdir()),
        "threads": threading.active_count(),
        "hooks": [sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__],
    }

before = state()
"""

REPORT = """
after = state()
print(json.dumps({
    "changed": {k: [before[k], after[k]] for k in before if before[k] != after[k]},
    "modules": sorted(sys.modules),
    "cuda": torch.cuda.is_initialized(),
}))
"""

IMPORTS = {
    "the package": "import pdekit",
    "every module": """
import importlib, pkgutil
import pdekit, pdekit.problems, pdekit.solvers
for package in (pdekit, pdekit.problems, pdekit.solvers):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(found.name)
""",
}


@pytest.mark.parametrize("what", IMPORTS)
def test_import_has_no_effects(what, tmp_path):
    script = STATE + IMPORTS[what] + REPORT
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == 1, f"importing printed {lines[:-1]}"
    report = json.loads(lines[0])
    assert report["changed"] == {}
    assert [name for name in HEAVY if name in report["modules"]] == []
    assert not report["cuda"]
    assert list(tmp_path.iterdir()) == []
