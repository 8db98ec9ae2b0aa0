"""Small trainings that the tests run straight, interrupted, killed and resumed; children run this file as a script.

python tests/train_cases.py CASE DIRECTORY [STEPS]     trains, or resumes if there is a checkpoint; prints the digest
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from pdekit.optim import (
    LBFGS,
    Adam,
    Block,
    Cosine,
    Exponential,
    Form,
    LevenbergMarquardt,
    NaturalGradient,
    SelfScaledBroyden,
)
from pdekit.rundir import RunDirectory
from pdekit.train import Budget, Every, Phase, Probe, Trained, Turn, train


def network(seed: int, width: int = 6) -> nn.Sequential:
    """A float64 network whose weights depend on the seed alone."""
    net = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, 1)).double()
    generator = torch.Generator().manual_seed(seed)
    for p in net.parameters():
        p.data = torch.randn(p.shape, generator=generator, dtype=torch.float64)
    return net


class Coefficient(nn.Module):
    """An unknown number, as in an inverse problem."""

    def __init__(self, value: float = 1.0) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value, dtype=torch.float64))


@dataclass(frozen=True)
class Fit:
    """u(x) = sin 3x at random points, with an unknown amplitude that should become 1."""

    players: dict[str, nn.Module] = field(
        default_factory=lambda: {"u": nn.ModuleDict({"net": network(1), "amplitude": Coefficient(0.5)})}
    )

    def sample(self, generator: torch.Generator) -> dict[str, Tensor]:
        return {"x": 2.0 * torch.rand(20, 1, generator=generator, dtype=torch.float64) - 1.0}

    def losses(self, player: str, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        u, amplitude = self.players["u"]["net"], self.players["u"]["amplitude"].value
        x = batch["x"]
        return {
            "fit": (amplitude * u(x) - torch.sin(3.0 * x)).square().mean(),
            "amplitude": (amplitude - 1.0).square(),
        }

    least_squares = True

    def blocks(self, player: str, batch: Mapping[str, Tensor]) -> list[Block]:
        x = batch["x"]

        def fit(u: nn.Module) -> Tensor:
            return (u["amplitude"].value * u["net"](x) - torch.sin(3.0 * x)) / len(x) ** 0.5

        return [
            Block("fit", len(x), fit),
            Block("amplitude", 1, lambda u: u["amplitude"].value.reshape(1, 1) - 1.0),
        ]


@dataclass(frozen=True)
class Saddle:
    """min over u, max over phi of the normalised weak misfit <u - sin 3x, phi>^2 / <phi, phi>."""

    players: dict[str, nn.Module] = field(default_factory=lambda: {"u": network(2), "phi": network(3)})

    def sample(self, generator: torch.Generator) -> dict[str, Tensor]:
        return {"x": 2.0 * torch.rand(20, 1, generator=generator, dtype=torch.float64) - 1.0}

    def losses(self, player: str, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        x = batch["x"]
        phi = self.players["phi"](x)
        misfit = self.players["u"](x) - torch.sin(3.0 * x)
        weak = (misfit * phi).mean().square() / (phi.square().mean() + 1e-3)
        return {"weak": weak if player == "u" else -weak}


@dataclass(frozen=True)
class Case:
    """An objective with its phases; built afresh for every run."""

    objective: Callable[[], Fit | Saddle]
    phases: tuple[Phase, ...]
    saved_every: int = 3


def long(steps: int) -> Case:
    """A run that lasts long enough to be killed several times."""
    return Case(
        Fit,
        (
            Phase((Turn("u", Adam(1e-2), schedule=Cosine()),), steps * 3 // 4, resample_every=3),
            Phase((Turn("u", LBFGS(memory=5)),), steps // 4, resample_every=50),
        ),
        saved_every=8,
    )


CASES: dict[str, Case] = {
    "adam": Case(Fit, (Phase((Turn("u", Adam(1e-2), schedule=Cosine()),), 60, resample_every=7),)),
    "adam-lbfgs": Case(
        Fit,
        (
            Phase((Turn("u", Adam(1e-2), schedule=Exponential(0.9, 10)),), 20, resample_every=1),
            Phase((Turn("u", LBFGS(memory=5)),), 40, resample_every=15),
        ),
    ),
    "saddle": Case(
        Saddle,
        (
            Phase((Turn("u", Adam(1e-2), updates=2), Turn("phi", Adam(3e-2))), 25, resample_every=5),
            Phase((Turn("phi", Adam(1e-2)), Turn("u", LBFGS())), 35, resample_every=10),
        ),
    ),
    "second-order": Case(
        Fit,
        (
            Phase((Turn("u", Adam(1e-2)),), 10, resample_every=3),
            Phase((Turn("u", LevenbergMarquardt()),), 16, resample_every=7),
            Phase((Turn("u", NaturalGradient(momentum=0.9, form=Form.WOODBURY)),), 10, resample_every=1),
            Phase((Turn("u", SelfScaledBroyden(memory=4)),), 12, resample_every=9),
            Phase((Turn("u", SelfScaledBroyden()),), 12),
        ),
    ),
    "long": long(600),
    "longer": long(4000),
}


def run_case(
    name: str, directory: str | Path | None = None, steps: int | None = None, interrupts: bool = False
) -> tuple[Trained, str]:
    """Train a case; with a directory that holds a checkpoint, resume it. Returns the outcome and its digest."""
    case = CASES[name]
    objective = case.objective()
    net = objective.players["u"]
    run = RunDirectory.create(directory) if directory is not None else None
    try:
        trained = train(
            objective,
            case.phases,
            generator=torch.Generator().manual_seed(918273),
            budget=Budget(steps=steps),
            probes=(Probe("norm", 4, lambda: {"norm": float(sum(p.detach().norm() for p in net.parameters()))}),),
            record_every=10,
            run=run,
            checkpoint_every=Every(steps=case.saved_every),
            identity={"problem": name, "tolerance": 1e-3},
            resume=run is not None and (run.path / "state.pt").exists(),
            interrupts=interrupts,
        )
    finally:
        if run is not None:
            run.close()
    return trained, digest(trained)


def digest(trained: Trained) -> str:
    """Hash final parameters, best parameters and history, bit for bit; wall times are left out."""
    hasher = hashlib.sha256()
    for state in ({k: m.state_dict() for k, m in trained.players.items()}, trained.best_state):
        for player, tensors in sorted(state.items()):
            for key, tensor in sorted(tensors.items()):
                hasher.update(f"{player}/{key}".encode() + tensor.numpy().tobytes())
    for column in trained.history.columns:
        if column != "seconds":
            hasher.update(column.encode() + trained.history[column].tobytes())
    hasher.update(f"{trained.best_step} {trained.best_value!r} {trained.steps}".encode())
    return hasher.hexdigest()


def child(name: str, directory: str, interrupts: bool = False) -> None:
    """Run a case to its end in a process that may be killed; leaves the digest in the directory."""
    torch.set_num_threads(1)
    (Path(directory).with_suffix(".started")).touch()
    _, found = run_case(name, directory, interrupts=interrupts)
    Path(directory).with_suffix(".digest").write_text(found)


if __name__ == "__main__":
    torch.set_num_threads(1)
    _, result = run_case(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)
    sys.stdout.write(result)
