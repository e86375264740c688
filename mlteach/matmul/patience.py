"""When not to wait for other threads.

Threads that share a product finish together, so one that another program keeps off its core makes all of
them wait, many times longer than a small product takes. Then it is better to work alone for a while.
"""

import time

clock = time.perf_counter

HELD_UP = 2  # times slower than one thread alone would have been: that is no bad luck any more
SHORTEST, LONGEST = 0.02, 0.5  # seconds of working alone, twice as long each time the others are still late


class Patience:
    """Decides from the speed of the calls so far whether other threads are worth waiting for."""

    def __init__(self) -> None:
        self.best: dict[object, float] = {}  # work per second, for each kind of work
        self.pause = SHORTEST
        self.until = 0.0

    def over(self) -> bool:
        """Whether it is better to work alone now."""
        return clock() < self.until

    def note(self, kind: object, work: int, threads: int, seconds: float) -> None:
        """Remember how long the threads took together for some work.

        Parameters
        ----------
        kind : hashable
            What is compared with each other, such as an element type.
        work : int
            How much there was to do, such as multiply-adds.
        threads : int
        seconds : float
        """
        speed = work / max(seconds, 1e-9)
        best = self.best[kind] = max(speed, self.best.get(kind, 0.0))
        if speed * threads * HELD_UP < best:
            self.until, self.pause = clock() + self.pause, min(2 * self.pause, LONGEST)
        else:
            self.pause = SHORTEST
