"""Who hears how far a comparison is; what people see of it goes to stderr."""

from __future__ import annotations

from typing import Protocol, TextIO, final

from .run import Run


class Observer(Protocol):
    """Told by the comparison."""

    def start(self, total: int) -> None:
        """Begin so many runs."""

    def finished(self, run: Run, kept: bool) -> None:
        """A run has ended, or was kept from an earlier time."""

    def note(self, text: str) -> None:
        """Something else is being done, or is left out."""


@final
class Silent:
    """Shows nothing."""

    def start(self, total: int) -> None:
        """Show nothing."""

    def finished(self, run: Run, kept: bool) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""


@final
class Lines:
    """One line for each run."""

    def __init__(self, stream: TextIO) -> None:
        """Write to the stream."""
        self._stream, self._total, self._done = stream, 0, 0

    def start(self, total: int) -> None:
        """Remember how many there are."""
        self._total, self._done = total, 0

    def finished(self, run: Run, kept: bool) -> None:
        """Write the run's line."""
        self._done += 1
        said = f"{run.fate.value}: {run.record['message']}" if run.failed else f"error {run.error:.1e}"
        spent = "" if run.failed else f" after {run.seconds:.3g} s"
        name = f"{run.record['solver']}, seed {run.seed}"
        self._write(f"[{self._done}/{self._total}] {name}: {said}{spent}{' (kept)' if kept else ''}")

    def note(self, text: str) -> None:
        """Write it."""
        self._write(text)

    def _write(self, text: str) -> None:
        self._stream.write(" ".join(text.split()) + "\n")
        self._stream.flush()
