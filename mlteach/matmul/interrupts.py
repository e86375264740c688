"""Ctrl-C while Numba compiles, kept until it has finished.

LLVM calls Python back while it compiles, or loads what was compiled. An exception that is raised there is
printed and lost: the program would go on as if nobody had pressed a key.
"""

import functools
import signal
import threading
from collections.abc import Callable

from numba.core import event


class _Keeper(event.Listener):
    """Keeps an interrupt while Numba holds the lock of its compiler, which it takes again within itself."""

    def __init__(self) -> None:
        self.depth = 0
        self.before: Callable | int | None = None
        self.kept: list[tuple] = []

    def on_start(self, event: event.Event) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # signals are handled in the main thread only
        self.depth += 1
        if self.depth == 1:
            self.before = signal.getsignal(signal.SIGINT)
            if callable(self.before):
                signal.signal(signal.SIGINT, lambda *arguments: self.kept.append(arguments))

    def on_end(self, event: event.Event) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        self.depth -= 1
        if self.depth == 0 and callable(self.before):
            signal.signal(signal.SIGINT, self.before)
            kept, self.kept = self.kept, []
            if kept:
                self.before(*kept[0])


@functools.cache
def keep_while_compiling() -> None:
    """From now on, let an interrupt wait until Numba has compiled."""
    event.register("numba:compiler_lock", _Keeper())
