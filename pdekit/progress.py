"""What a person sees of a training while it runs; always on stderr, stdout belongs to results."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TextIO, final

from .checks import real

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_HIDDEN = frozenset({"step", "phase", "seconds", "loss"})
_METRICS_SHOWN = 3


class Progress(Protocol):
    """Told by the training loop how far it is; about ten times a second and at each new row."""

    def start(self, total: int, done: int) -> None:
        """Begin at step `done` of at most `total`."""

    def update(self, step: int, loss: float, row: Mapping[str, float]) -> None:
        """Show the step, the newest loss and the newest row of the history."""

    def finish(self, message: str) -> None:
        """End, with the message of the run."""


@final
class Quiet:
    """Shows nothing."""

    def start(self, total: int, done: int) -> None:
        """Show nothing."""

    def update(self, step: int, loss: float, row: Mapping[str, float]) -> None:
        """Show nothing."""

    def finish(self, message: str) -> None:
        """Show nothing."""


@final
class Lines:
    """One line per interval, for logs."""

    def __init__(self, stream: TextIO | None = None, interval: float = 10.0) -> None:
        """Write to the stream (stderr by default) every `interval` seconds."""
        real("Lines", "interval", interval, low=0.0, open_low=False)
        self._stream = stream if stream is not None else sys.stderr
        self._interval = interval
        self._total, self._done, self._began, self._next = 0, 0, 0.0, 0.0

    def start(self, total: int, done: int) -> None:
        """Remember where the run begins."""
        self._total, self._done, self._began = total, done, time.perf_counter()
        self._next = self._began + self._interval

    def update(self, step: int, loss: float, row: Mapping[str, float]) -> None:
        """Write a line if the interval is over."""
        now = time.perf_counter()
        if now < self._next:
            return
        self._next = now + self._interval
        rate = (step - self._done) / max(now - self._began, 1e-9)
        left = (self._total - step) / rate if rate > 0 else float("inf")
        self._stream.write(
            f"step {step}/{self._total}  loss {loss:.3e}{_metrics(row)}  {rate:.1f} it/s  {left:.0f} s left\n"
        )
        self._stream.flush()

    def finish(self, message: str) -> None:
        """Write the message."""
        self._stream.write(f"{message}\n")
        self._stream.flush()


@final
class Bar:
    """A bar with step, loss, metrics, it/s and remaining time, for terminals."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Draw on the stream (stderr by default)."""
        self._stream = stream if stream is not None else sys.stderr
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._done, self._began = 0, 0.0

    def start(self, total: int, done: int) -> None:
        """Draw the empty bar."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            MofNCompleteColumn(),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[shown]}"),
            TimeElapsedColumn(),
            TextColumn("<"),
            TimeRemainingColumn(),
            console=Console(file=self._stream),
            transient=True,
        )
        self._task = self._bar.add_task("", total=total, completed=done, shown="")
        self._done, self._began = done, time.perf_counter()
        self._bar.start()

    def update(self, step: int, loss: float, row: Mapping[str, float]) -> None:
        """Move the bar."""
        if self._bar is None or self._task is None:
            return
        rate = (step - self._done) / max(time.perf_counter() - self._began, 1e-9)
        shown = f"loss {loss:.3e}{_metrics(row)}  {rate:.1f} it/s"
        self._bar.update(self._task, completed=step, shown=shown)

    def finish(self, message: str) -> None:
        """Take the bar away; the result follows on stdout."""
        if self._bar is not None:
            self._bar.stop()
        self._bar = None


def progress_for(stream: TextIO, verbose: bool = False) -> Progress:
    """Choose: a bar on a terminal; elsewhere nothing, or lines if `verbose`."""
    if stream.isatty():
        return Bar(stream)
    return Lines(stream) if verbose else Quiet()


def _metrics(row: Mapping[str, float]) -> str:
    shown = [(name, value) for name, value in row.items() if name not in _HIDDEN and not math.isnan(value)][
        :_METRICS_SHOWN
    ]
    return "".join(f"  {name} {value:.2e}" for name, value in shown)
