"""The threads of a block: greenlets that give way only where a GPU's threads may wait for one another."""

from __future__ import annotations

from typing import Any, NamedTuple

from greenlet import greenlet

from mlteach.gpu.simt.counts import WARP
from mlteach.gpu.simt.place import Place

SLICE = 512  # loop iterations after which a thread lets the others go first


class Wait(NamedTuple):
    """What a thread waits for.

    `scope` is "block", "warp" or "loop" (it has had its slice). Threads of a warp meet under equal `key`
    (operation, mask), threads of a block at equal `key` (position, loop counts). `finish` makes a thread's
    result from its lane and the values by lane, or for a block from the list of values.
    """

    scope: str
    key: Any
    line: int
    finish: Any = None


RUNNING = Wait("running", None, 0)


class Thread:
    """One CUDA thread: its place in the block, and what it resumes with."""

    __slots__ = (
        "before",
        "clock",
        "epoch",
        "fiber",
        "function",
        "index",
        "lane",
        "linear",
        "loops",
        "result",
        "same",
        "slice",
        "spent",
        "state",
        "value",
        "variables",
        "wait",
    )  # fmt: skip

    def __init__(self, index: Place, linear: int, fiber: greenlet, loops: int):
        self.index, self.linear, self.lane, self.fiber = index, linear, linear % WARP, fiber
        self.wait = RUNNING
        self.value: Any = None
        self.result: Any = None
        self.function = self.epoch = self.spent = 0
        self.clock = (0,) * WARP  # of each lane of the warp: the epoch that this thread has synchronised with
        self.loops, self.before = [0] * loops, [0] * loops
        self.slice = SLICE
        self.state: dict = {}  # for stand-ins of intrinsics
        self.variables: dict = {}  # of the innermost function when the last slice ended
        self.same = 0  # loop iterations since they changed


class Block:
    """Decides which threads of a block may go on."""

    def __init__(self, machine, threads: list[Thread]):
        self.machine, self.threads = machine, threads

    def release(self) -> list[Thread]:
        """Return the threads that may go on, in linear order; none when all have ended."""
        alive = [t for t in self.threads if not t.fiber.dead]
        ready = [t for begin in range(0, len(self.threads), WARP) for t in self._warps(alive, begin)]
        looping = [t for t in alive if t.wait.scope == "loop"]
        if looping:
            # the first gets ever more: an endless loop is soon known even if a thousand threads are in one
            for t in looping[1:]:
                t.slice = SLICE
            looping[0].slice *= 2
        if ready or looping or not alive:
            return sorted(ready + looping, key=lambda t: t.linear)
        waiting = [t for t in alive if t.wait.scope == "block"]
        if len(waiting) < len(alive):
            return self._unmatched([t for t in alive if t.wait.scope == "warp"])
        return self._barrier(alive)

    def _warps(self, alive, begin) -> list[Thread]:
        """Release the lanes of a warp that have all met."""
        lanes = [t for t in alive if begin <= t.linear < begin + WARP]
        groups: dict[Any, list[Thread]] = {}
        for t in lanes:
            if t.wait.scope == "warp":
                groups.setdefault(t.wait.key, []).append(t)
        ready = []
        for (_, mask), group in groups.items():
            if all(t in group for t in lanes if mask >> t.lane & 1):
                self._exchange(group)
                ready += group
        return ready

    def _exchange(self, group: list[Thread]) -> None:
        """Give each lane its result; after a `syncwarp`, all have seen what each had done."""
        values = {t.lane: t.value for t in group}
        fence = group[0].wait.key[0] == "syncwarp"
        if fence:
            clock = [max(seen) for seen in zip(*(t.clock for t in group), strict=True)]
            for t in group:
                t.epoch += 1
                clock[t.lane] = t.epoch
        for t in group:
            t.result = t.wait.finish(t.lane, values) if t.wait.finish else None
            if fence:
                t.clock = tuple(clock)
                self.machine.clocks[self.machine.interval, t.linear, t.epoch] = t.clock

    def _unmatched(self, lanes: list[Thread]) -> list[Thread]:
        """Report lanes that wait for others which never come, and let them go on."""
        first = lanes[0]
        operation, mask = first.wait.key
        group = [
            t for t in lanes if t.wait.key == first.wait.key and t.linear < (first.linear | WARP - 1) + 1
        ]
        self.machine.problems.divergent(
            first,
            f"{len(group)} lanes of a warp wait in {operation}, and its mask {mask:#010x} names others that "
            "wait elsewhere",
        )
        self._exchange(group)
        return group

    def _barrier(self, alive: list[Thread]) -> list[Thread]:
        """Let the block pass its barrier; report threads that wait elsewhere or have ended."""
        first, total = alive[0], len(self.threads)
        elsewhere = [t for t in alive if t.wait.key != first.wait.key]
        lines = sorted({t.wait.line for t in alive})
        if len(alive) < total:
            self.machine.problems.divergent(
                first, f"{len(alive)} of {total} threads wait at the barrier, the others have returned"
            )
        elif len(lines) > 1:
            where = ", ".join(map(str, lines))
            self.machine.problems.divergent(
                first, f"threads of one block wait at different barriers, on lines {where}"
            )
        elif elsewhere:
            self.machine.problems.divergent(
                first,
                f"{total - len(elsewhere)} of {total} threads wait at the barrier, "
                "the others at the same one in another iteration or call",
            )
        values = [t.value for t in alive]
        result = first.wait.finish(values) if first.wait.finish else None
        for t in alive:
            t.result, t.epoch, t.clock = result, 0, (0,) * WARP
        self.machine.passed_barrier()
        return alive
