"""What a command or a solve imports before it does anything: by names, since times depend on the machine."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "numpy", "scipy", "matplotlib", "deepxde", "sympy")


def modules_after(script: str) -> set[str]:
    """The modules that a fresh process has imported in the end."""
    end = "\nimport json, sys\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script + end], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("words", [["--help"], ["compare", "--help"], ["--version"], ["solve", "--nonsense"]])
def test_the_command_answers_without_anything_heavy(words):
    found = modules_after(f"from pdekit.cli import main\nmain({words!r})")
    assert not found & set(HEAVY)


def test_a_solve_imports_no_more_than_it_uses():
    """sympy and torch's compilers take longer than torch itself."""
    script = """
from pdekit import nn, optim, problems, solve, solvers
points = solvers.Collocation(points=64)
newton = solvers.Training(steps=1, optimizer=optim.LevenbergMarquardt(), polish=0)
solve(problems.PoissonSine(), solvers.Neural("s", solvers.StrongForm(), nn.MLP(8, 2), points, newton))
adam = solvers.Training(steps=2, optimizer=optim.Adam(), polish=2)
solve(problems.PoissonSine(), solvers.Neural("s", solvers.Ritz(), nn.MLP(8, 2), points, adam, solvers.Enforcement.HARD))
"""
    found = modules_after(script)
    assert "torch" in found
    assert not found & {"sympy", "torch._dynamo", "torch._inductor", "deepxde", "matplotlib.pyplot", "skfem", "pyamg"}
