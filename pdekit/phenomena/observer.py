"""Who hears how far a run of experiments is; what people see of it goes to stderr, stdout belongs to results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TextIO, final

from .index import line_of
from .store import Outcome

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Observer(Protocol):
    """Told by the runner."""

    def start(self, total: int) -> None:
        """Begin a run of so many experiments."""

    def progress(self, experiment: str, label: str, fraction: float) -> None:
        """An experiment has done a fraction of something; only heard of experiments in this process."""

    def finished(self, outcome: Outcome) -> None:
        """An experiment has ended, or was found finished."""

    def stop(self) -> None:
        """End, also after an error."""


@final
class Silent:
    """Shows nothing."""

    def start(self, total: int) -> None:
        """Show nothing."""

    def progress(self, experiment: str, label: str, fraction: float) -> None:
        """Show nothing."""

    def finished(self, outcome: Outcome) -> None:
        """Show nothing."""

    def stop(self) -> None:
        """Show nothing."""


@final
class Console:
    """A line for each finished experiment, and a bar on terminals."""

    def __init__(self, stream: TextIO) -> None:
        """Write to the stream."""
        self._stream, self._total, self._done = stream, 0, 0
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def start(self, total: int) -> None:
        """Draw the empty bar where there is a terminal."""
        self._total, self._done = total, 0
        if not self._stream.isatty():
            return
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            MofNCompleteColumn(),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[shown]}"),
            TimeElapsedColumn(),
        )
        self._bar = Progress(*columns, console=RichConsole(file=self._stream), transient=True)
        self._task = self._bar.add_task("", total=total, shown="")
        self._bar.start()

    def progress(self, experiment: str, label: str, fraction: float) -> None:
        """Name what is being done beside the bar."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, shown=f"{experiment}: {label} {fraction:.0%}")

    def finished(self, outcome: Outcome) -> None:
        """Write the experiment's line."""
        self._done += 1
        line = f"[{self._done}/{self._total}] {line_of(outcome)}"
        if self._bar is not None and self._task is not None:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
            self._bar.update(self._task, completed=self._done, shown="")
        else:
            self._stream.write(f"{line}\n")
            self._stream.flush()

    def stop(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
        self._bar = None
