"""Time and memory of one training step of a Laplacian residual, by differentiation kernel.

The step is the mean square of laplacian(u) + u for a tanh network, with its parameter gradient. Every contender runs in
a process of its own, with the same widths, points and threads; their steps are timed in turns, so that a disturbance
meets all of them, and the table gives medians. Memory is the peak of a fresh process above what it held before the step.
"Training loop" is one whole step of a training by Adam on as many points, hard conditions, checks and records included.
"Matrix products" are the products of the forward pass and of its gradient, and nothing else: no method that propagates
d + 2 channels can be faster without a better matrix library. With one thread the clock is the processor's, not the
wall's, so that other work on the machine does not count.

    python benchmarks/kernels.py [--quick] [--device cpu|cuda] [--threads 2] [--out benchmarks/kernels.md]
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import io
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from machine import describe, markdown

WIDTH, DEPTH = 64, 4
CONTENDERS = ("deepxde", "nested", "forward", "compiled", "products", "loop")
MEASURED_MEMORY = ("deepxde", "nested", "forward", "compiled")
TITLES = {
    "deepxde": "DeepXDE",
    "nested": "nested autograd",
    "forward": "forward",
    "compiled": "forward, compiled",
    "products": "matrix products",
    "loop": "training loop",
}


# One contender, in its own process -----------------------------------------------------------------------------------


def deepxde_step(d: int, n: int, device: str) -> Callable[[], object]:
    os.environ["DDE_BACKEND"] = "pytorch"
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        import deepxde as dde
    import torch

    network = dde.nn.FNN([d, *[WIDTH] * DEPTH, 1], "tanh", "Glorot normal").to(device)
    x = torch.rand(n, d, device=device).requires_grad_(True)
    parameters = list(network.parameters())

    def step() -> object:
        dde.grad.clear()
        u = network(x)
        laplacian = sum(dde.grad.hessian(u, x, i=axis, j=axis) for axis in range(d))
        return torch.autograd.grad((laplacian + u).square().mean(), parameters)

    return step


def pdekit_step(contender: str, d: int, n: int, device: str) -> Callable[[], object]:
    import torch

    from pdekit.kernels import CompiledKernel, ForwardKernel, Plan, ReverseKernel
    from pdekit.nn import MLP, Frame

    g = torch.Generator().manual_seed(20)
    network = MLP(WIDTH, DEPTH).build(Frame((0.0,) * d, (1.0,) * d, 1, torch.float32), g).to(device)
    x = torch.rand(n, d, generator=g).to(device)
    axes = tuple(range(d))
    plan, parameters = Plan(frozenset({()}), axes), list(network.parameters())
    kernel = {"nested": ReverseKernel(), "forward": ForwardKernel(), "compiled": CompiledKernel()}[contender]

    def step() -> object:
        u = kernel(network, x, plan)
        return torch.autograd.grad((u.laplacian(axes) + u.partial(())).square().mean(), parameters)

    return step


def loop_step(d: int, n: int, device: str) -> Callable[[], object]:
    """One step of training -lap u + u = 0 with u = 0 on the faces of a cube."""
    import torch

    from pdekit import Dirichlet, Elliptic, Hypercube, solvers
    from pdekit.loop import Loop
    from pdekit.nn import MLP
    from pdekit.optim import Adam
    from pdekit.solver import Setting

    class Cube(Elliptic):
        domain, conditions = Hypercube(d), (Dirichlet(),)

        def reaction(self, x: torch.Tensor) -> torch.Tensor:
            return torch.ones_like(x[:, 0:1])

        def source(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(x[:, 0:1])

    training = solvers.Training(steps=10**6, optimizer=Adam(1e-3), polish=0)
    network, points = MLP(WIDTH, DEPTH), solvers.Collocation(points=n)
    solver = solvers.Neural("loop", solvers.StrongForm(), network, points, training, solvers.Enforcement.HARD)
    prepared = solver.prepare(Cube(), Setting(dtype=torch.float32, device=device))
    loop = Loop(
        objective=prepared.objective,
        phases=prepared.phases,
        generator=prepared.generator,
        weights=prepared.weights,
        batch=prepared.objective.sample(prepared.generator),
        probes=(),
        stop=(),
        best_of="loss",
        record_every=training.record_every,
        clock=time.perf_counter,
    )

    def step() -> object:
        loop.ready()
        return loop.advance()

    return step


def products_step(d: int, n: int, device: str) -> Callable[[], object]:
    import torch

    channels = 3 if d == 1 else d + 2
    widths = [WIDTH] * DEPTH + [1]
    rows = channels * n
    layers = [(torch.randn(rows, a), torch.randn(b, a), torch.randn(rows, b)) for a, b in pairwise(widths)]
    layers = [tuple(t.to(device) for t in layer) for layer in layers]
    x, first, slope = (t.to(device) for t in (torch.randn(n, d), torch.randn(WIDTH, d), torch.randn(n, WIDTH)))

    def step() -> object:
        forward = [x @ first.T, *(a @ w.T for a, w, _ in layers)]
        backward = [(g @ w, g.T @ a) for a, w, g in layers]
        return forward, backward, slope.T @ x

    return step


def serve(contender: str, d: int, n: int, device: str, threads: int, memory: bool) -> None:
    """Answer each line on stdin with the milliseconds of one step; or print the peak memory of a few steps."""
    import torch

    torch.set_num_threads(threads)

    def make() -> Callable[[], object]:
        if contender == "deepxde":
            return deepxde_step(d, n, device)
        if contender == "loop":
            return loop_step(d, n, device)
        return products_step(d, n, device) if contender == "products" else pdekit_step(contender, d, n, device)

    step = make()
    wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    if memory:
        step()  # libraries and thread pools take memory of their own
        step = make()  # a fresh kernel, which keeps no memory yet
        print(peak_mebibytes(step, device), flush=True)
        return
    for _ in range(3):
        step()
    wait()
    print("ready", flush=True)
    clock = time.process_time if threads == 1 and device == "cpu" else time.perf_counter
    for _ in sys.stdin:
        start = clock()
        step()
        wait()
        print(1e3 * (clock() - start), flush=True)


def peak_mebibytes(step: Callable[[], object], device: str) -> float:
    import torch

    if device == "cuda":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # hand free pages back (glibc)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # restart the peak (Linux)
    before = status_kibibytes("VmRSS")
    step()
    peak = status_kibibytes("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (peak - before) / 1024


def status_kibibytes(field: str) -> int:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1])
    return 0


# All contenders, in turns ----------------------------------------------------------------------------------------------


class Child:
    """A contender's process."""

    def __init__(self, contender: str, d: int, n: int, device: str, threads: int) -> None:
        self.process = subprocess.Popen(
            command(contender, d, n, device, threads), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ready(self) -> bool:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip() == "ready"

    def step(self) -> float:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def command(contender: str, d: int, n: int, device: str, threads: int) -> list[str]:
    options = [f"--serve={contender}", f"--d={d}", f"--n={n}", f"--device={device}", f"--threads={threads}"]
    return [sys.executable, __file__, *options]


def times(d: int, n: int, device: str, threads: int, seconds: float) -> dict[str, float]:
    """Median milliseconds of each contender."""
    children = {}
    for contender in CONTENDERS:  # one at a time: compilers and imports do not run beside each other
        children[contender] = Child(contender, d, n, device, threads)
        if not children[contender].ready():
            raise SystemExit(f"{contender} did not start at d={d}, n={n}")
    samples: dict[str, list[float]] = {contender: [] for contender in CONTENDERS}
    start = time.perf_counter()
    while len(samples["products"]) < 5 or time.perf_counter() - start < seconds:
        for contender, child in children.items():
            samples[contender].append(child.step())
    for child in children.values():
        child.close()
    return {contender: statistics.median(values) for contender, values in samples.items()}


def memory(contender: str, d: int, n: int, device: str, threads: int) -> float:
    """Peak mebibytes of one step."""
    run = subprocess.run(
        [*command(contender, d, n, device, threads), "--memory"], capture_output=True, text=True, check=True
    )
    return float(run.stdout.split()[-1])


def table(rows: list[tuple[int, int, dict[str, float], dict[str, float]]]) -> str:
    names = list(TITLES.values())
    ratios = ["DeepXDE / best", "best / products", "nested / best", "nested / best, memory", "loop / compiled"]
    head = ["d", "n", *(f"{name}, ms" for name in names), *ratios, *(f"{TITLES[c]}, MiB" for c in MEASURED_MEMORY)]
    lines = []
    for d, n, ms, mib in rows:
        best = min(ms["forward"], ms["compiled"])
        factors = [
            ms["deepxde"] / best,
            best / ms["products"],
            ms["nested"] / best,
            mib["nested"] / mib[min(("forward", "compiled"), key=ms.__getitem__)],
            ms["loop"] / ms["compiled"],
        ]
        cells = [str(d), str(n), *(f"{ms[c]:.1f}" for c in CONTENDERS), *(f"{f:.2f}" for f in factors)]
        lines.append([*cells, *(f"{mib[c]:.0f}" for c in MEASURED_MEMORY)])
    return markdown(head, lines)


def report(rows: list[tuple[int, int, dict[str, float], dict[str, float]]], device: str, threads: int) -> str:
    title = "# Differentiation kernels: Laplacian residual and its parameter gradient\n"
    setting = f"tanh {WIDTH}x{DEPTH}, float32; {describe(device, threads, ('torch', 'deepxde'))}"
    return "\n".join([title, setting, "", table(rows), ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two small cases")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=6.0, help="timing per case")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    for hidden, kind in (("--serve", str), ("--d", int), ("--n", int)):
        parser.add_argument(hidden, type=kind, help=argparse.SUPPRESS)
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.d, options.n, options.device, options.threads, options.memory)
        return
    cases = (
        [(1, 500), (2, 2000)] if options.quick else [*((d, 2000) for d in (2, 10, 50, 1, 3)), (2, 10_000), (10, 10_000)]
    )
    rows = []
    for d, n in cases:
        ms = times(d, n, options.device, options.threads, options.seconds)
        mib = {c: memory(c, d, n, options.device, options.threads) for c in MEASURED_MEMORY}
        rows.append((d, n, ms, mib))
        options.out.write_text(report(sorted(rows, key=lambda row: row[1::-1]), options.device, options.threads))
    print(options.out.read_text())


if __name__ == "__main__":
    main()
