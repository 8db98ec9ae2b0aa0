"""Signals become a request that the training loop reads between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, final

_CAUGHT = (signal.SIGINT, signal.SIGTERM)


@final
class Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM ended a run after its step was finished and, with a run directory, saved.

    No `Exception`, so that no `except Exception` of a caller swallows a Ctrl-C.

    Attributes:
        signal: which one.
        exit_code: what a shell expects the process to exit with, 128 + signal.
    """

    def __init__(self, received: signal.Signals, message: str) -> None:
        super().__init__(message)
        self.signal = received
        self.exit_code = 128 + int(received)


@final
class InterruptGuard:
    """Within it SIGINT and SIGTERM are noted instead of acted on; a second one interrupts at once.

    Outside the main thread, where Python delivers no signals, it does nothing.
    """

    def __init__(self, enabled: bool) -> None:
        """Guard if `enabled`."""
        self.received: signal.Signals | None = None
        self._enabled = enabled
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> InterruptGuard:
        """Take over the handlers."""
        if self._enabled and threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in _CAUGHT}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the handlers back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise Interrupted(signal.Signals(number), "interrupted twice: stopped within a step, without saving")
        self.received = signal.Signals(number)


@contextmanager
def raising_interrupts(message: str) -> Iterator[None]:
    """Within it SIGINT and SIGTERM raise `Interrupted` at once: for work whose finished parts are on the disk already.

    Outside the main thread it does nothing.

    Args:
        message: what the error says behind the signal's name.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        received = signal.Signals(number)
        raise Interrupted(received, f"{received.name}; {message}")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, interrupt) for number in _CAUGHT}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
