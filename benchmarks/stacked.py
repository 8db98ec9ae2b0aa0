"""200 two-layer networks of width 100, 5,000 steps of Adam: as one stack, against one after the other.

Both sides go through `pdekit.phenomena.fit` on one thread. Of the single runs a sample is timed, whole runs, half of them
before the stack and half after it, so that a machine that grows slower or faster favours neither; processor time counts.

Full-batch Adam amplifies rounding errors: after some hundred steps a run whose initial weights were changed in their last
bit is elsewhere too. The table sets the differences between stack and single runs beside that.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from machine import describe, markdown

from pdekit import nn, optim
from pdekit.nn.frame import Frame
from pdekit.nn.stacked import stack
from pdekit.phenomena import Context, Fit, History, Periodic, fit

FRAME = (-1.0,), (1.0,), 1


@dataclass(frozen=True)
class Row:
    """Points per model, and the element type."""

    points: int
    dtype: torch.dtype


ROWS = (Row(4, torch.float32), Row(20, torch.float32), Row(80, torch.float32), Row(20, torch.float64))


def networks(count: int, width: int, dtype: torch.dtype) -> list[torch.nn.Module]:
    """Networks of one hidden layer; the same ones each time."""
    frame = Frame(*FRAME, dtype)
    return [nn.MLP(width, 1).build(frame, torch.Generator().manual_seed(seed)) for seed in range(count)]


def trained(network: torch.nn.Module, row: Row, steps: int) -> tuple[float, History]:
    """Seconds of the processor and the history of one training."""
    x = torch.linspace(-1, 1, row.points, dtype=row.dtype)[:, None]
    y = torch.sin(5 * x + 0.3) + 0.3 * x
    how = Fit(steps, optim.Adam(1e-3), record=Periodic(max(steps // 50, 1)))
    began = time.process_time()
    history = fit(network, x, y, how, Context(seeds=(0,)), at=x)
    return time.process_time() - began, history


def measure(row: Row, count: int, width: int, steps: int, sample: int) -> list[object]:
    """One line of the table."""
    chosen = np.linspace(0, count - 1, sample).round().astype(int)
    singles = networks(count, width, row.dtype)
    trained(networks(1, width, row.dtype)[0], row, 5)  # what only the first run pays
    alone = {int(i): trained(singles[i], row, steps) for i in chosen[: sample // 2]}
    seconds, together = trained(stack(networks(count, width, row.dtype)), row, steps)
    alone |= {int(i): trained(singles[i], row, steps) for i in chosen[sample // 2 :]}
    each = np.array([spent for spent, _ in alone.values()])
    perturbed = networks(1, width, row.dtype)[0]
    with torch.no_grad():
        for p in perturbed.parameters():
            p.mul_(1 + torch.finfo(row.dtype).eps)
    _, moved = trained(perturbed, row, steps)

    def difference(record: int) -> float:
        return max(
            float(np.abs(h.outputs[record, 0] - together.outputs[record, i]).max()) for i, (_, h) in alone.items()
        )

    return [
        row.points,
        str(row.dtype).removeprefix("torch."),
        f"{each.mean():.2f} ({each.min():.2f} to {each.max():.2f})",
        f"{count * each.mean():.0f}",
        f"{seconds:.1f}",
        f"{count * each.mean() / seconds:.1f}",
        f"{difference(1):.1e}",
        f"{difference(-1):.1e}",
        f"{np.abs(moved.outputs[-1] - alone[0][1].outputs[-1]).max():.1e}",
    ]


HEAD = (
    "points",
    "numbers",
    "one run, s (range)",
    "all, one after the other, s",
    "all, as a stack, s",
    "times faster",
    "largest difference of an output after a fiftieth of the steps",
    "at the end",
    "at the end after a change in the last bit",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--width", type=int, default=100)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--sample", type=int, default=10, help="single runs that are timed")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for row in ROWS:
        rows.append(measure(row, options.count, options.width, options.steps, options.sample))
        print(rows[-1], flush=True)
    about = (
        f"{options.count} networks 1-{options.width}-1 (tanh), {options.steps} steps of Adam, full batch; of the single "
        f"runs {options.sample} were timed, the third number is {options.count} times their mean; processor time."
    )
    text = "\n\n".join(["# Stacked training", f"{about} {describe('cpu', 1)}", markdown(HEAD, rows)])
    options.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
