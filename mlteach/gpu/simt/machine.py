"""One launch: runs the blocks one after another, their threads in turn, and knows who is running."""

from __future__ import annotations

import sys
from sys import _getframe
from typing import Any

import numpy as np
from greenlet import GreenletExit, getcurrent, greenlet

from mlteach.gpu.simt.counts import add_counts, warp_accesses
from mlteach.gpu.simt.gpu import Gpu
from mlteach.gpu.simt.history import History
from mlteach.gpu.simt.log import Log, instruction_starts
from mlteach.gpu.simt.loops import Loop, line_tracer
from mlteach.gpu.simt.place import Place
from mlteach.gpu.simt.problems import Problems
from mlteach.gpu.simt.races import Races
from mlteach.gpu.simt.rebind import Rebinder
from mlteach.gpu.simt.spaces import Memory
from mlteach.gpu.simt.threads import RUNNING, SLICE, Block, Thread, Wait
from mlteach.gpu.simt.trace import EndlessLoop, KernelError, Trace

FLUSH = 1 << 18  # accesses after which complete barrier intervals are analysed
THREAD_STEPS = 4_000_000  # loop iterations of one thread without waiting: more is an endless loop
SAME_STEPS = 250_000  # the same, when all that time no variable of the thread has changed
BLOCK_STEPS = 20_000_000  # steps of a block in all; a wait counts as WAIT_STEPS
WAIT_STEPS = 100
NUMBERS = (int, float, complex, np.generic)
COUNTS = (
    "global_loads", "global_stores", "load_sectors", "store_sectors",
    "shared_loads", "shared_stores", "shared_conflicts", "atomics", "barriers",
)  # fmt: skip


class Machine:
    """The state of a launch. The stand-ins for `cuda` and for arrays ask it who is running, and where."""

    def __init__(self, kernel, grid: Place, block: Place, shared_bytes: int):
        self.grid, self.indices = grid, block.within()
        self.log, self.problems = Log(), Problems(self)
        self.memory = Memory(self, shared_bytes)
        self.loops: list[Loop] = []
        self.loops_of: dict[int, range] = {}  # function number -> its loops
        self.untraceable = False  # some function has no source: count its lines instead
        self.gpu = Gpu(self, grid, block)
        self.kernel = Rebinder(self).kernel(kernel)
        self.races, self.history = Races(self), History(self)
        self.totals: dict[str, Any] = dict.fromkeys(COUNTS, 0)
        self.clocks: dict[tuple, tuple] = {}
        self.interval = self.steps = self.fuel = self.function = 0
        self.thread: Thread  # who is running
        self.counts: list[int] = []
        self._hub = getcurrent()
        self._sites: dict[tuple, tuple] = {}

    # -- running
    def run(self, arguments: list) -> Trace:
        """Run every block and return the trace."""
        tracer = sys.gettrace()
        try:
            with np.errstate(all="ignore"):
                for number in range(self.grid.x * self.grid.y * self.grid.z):
                    self._run_block(number, self.block_at(number), arguments)
        except EndlessLoop as stop:
            self.problems.endless(stop.line)
        finally:
            sys.settrace(tracer)
        self._analyse()
        self.races.between_blocks()
        return Trace(**self.totals, problems=self.problems.report(), **self.history.fields())

    def _run_block(self, number: int, index: Place, arguments: list) -> None:
        self.block, self.steps = number, 0
        self.gpu.enter_block(index)
        self.memory.new_block()

        def body():
            if self.untraceable:
                sys.settrace(line_tracer(self.log.codes, self.tick_line))
            with np.errstate(all="ignore"):  # a greenlet starts with NumPy's defaults
                if self.kernel(*arguments) is not None:
                    raise KernelError("the kernel returns a value: write it to an array instead")

        threads = [
            Thread(place, n, greenlet(body, self._hub), len(self.loops))
            for n, place in enumerate(self.indices)
        ]
        block, ready = Block(self, threads), threads
        try:
            while ready:
                for thread in ready:
                    self._resume(thread)
                ready = block.release()
        finally:
            for thread in threads:
                if not thread.fiber.dead:
                    thread.fiber.throw(GreenletExit)
        self.interval += 1
        if len(self.log.entries) > FLUSH:
            self._analyse()

    def _resume(self, thread: Thread) -> None:
        self.thread = thread
        self.gpu.enter_thread(thread)
        self.function, self.counts, self.fuel = thread.function, thread.loops, thread.slice
        thread.wait = RUNNING
        self.mark()
        try:
            thread.fiber.switch()
        except (KernelError, EndlessLoop):
            raise
        except Exception as error:
            raise KernelError(self._explain(error)) from error
        if len(self.log.entries) > 2 * FLUSH:
            self.log.pack()

    def _explain(self, error: Exception) -> str:
        line, step = self.kernel.__code__.co_firstlineno, error.__traceback__
        while step:
            if step.tb_frame.f_code in self.log.codes:
                line = step.tb_lineno
            step = step.tb_next
        who = f"thread {self.thread.index} of block {self.gpu.block_index}"
        return f"line {line}: {type(error).__name__}: {error} ({who})"

    def passed_barrier(self) -> None:
        """Begin a new barrier interval."""
        self.interval += 1
        self.totals["barriers"] += 1
        if self.log.pending + len(self.log.entries) // 2 > FLUSH:
            self._analyse()

    def _analyse(self) -> None:
        columns = self.log.columns()
        if columns is not None:
            instruction = warp_accesses(columns)
            add_counts(self.totals, columns, instruction)
            self.races.inside_blocks(columns)
            self.history.keep(columns, instruction)
        self.clocks.clear()

    # -- who is running, and where
    def mark(self) -> None:
        """Say in the log whose the next accesses are."""
        t = self.thread
        self.log.marks.append(
            (len(self.log.entries), t.linear, self.function, self.interval, t.epoch, self.block)
        )

    def _frames(self):
        """Yield the frames of the kernel and its device functions, the innermost first."""
        frame = _getframe(2)
        while frame is not None:
            if id(frame.f_code) in self.log.ids:
                yield frame
            frame = frame.f_back

    def offset(self) -> int:
        """Return the bytecode offset of the kernel's instruction that is running."""
        return next(self._frames()).f_lasti

    def position(self) -> tuple:
        """Return (code, offset) of the kernel's instruction that is running."""
        return self._site(next(self._frames()))[0]

    def line(self) -> int:
        """Return the source line of the kernel that is running."""
        return next(self._frames()).f_lineno

    def block_at(self, number: int) -> Place:
        """Return the place of a block in the grid."""
        x, y = self.grid.x, self.grid.y
        return Place(number % x, number // x % y, number // (x * y))

    def _site(self, frame) -> tuple[tuple, list[int]]:
        """Return ((code, offset), numbers of the loops around it, the outermost first)."""
        at = id(frame.f_code), frame.f_lasti  # hashing a code object takes longer than all the rest
        if at not in self._sites:
            code, line = frame.f_code, frame.f_lineno
            own = self.loops_of.get(self.log.codes[code], ())
            around = [n for n in own if self.loops[n].first <= line <= self.loops[n].last]
            self._sites[at] = (code, instruction_starts(code)[frame.f_lasti // 2]), around
        return self._sites[at]

    # -- waiting
    def tick(self, loop: int) -> None:
        """Count an iteration of a loop. What an endless loop cannot avoid."""
        self.counts[loop] += 1
        self.fuel -= 1
        if self.fuel < 0:
            self._judge()
            self._give_way(Wait("loop", None, 0))

    def tick_line(self) -> None:
        """Count a line of a function without source. No thread can give way from inside a trace function."""
        self.fuel -= 1
        if self.fuel < 0:
            self._judge()
            self.fuel = self.thread.slice = 2 * self.thread.slice

    def _judge(self) -> None:
        """Give up on a thread that has looped for too long."""
        thread = self.thread
        thread.spent += thread.slice
        self.steps += thread.slice
        variables = {
            n: v if isinstance(v, NUMBERS) else id(v) for n, v in next(self._frames()).f_locals.items()
        }
        thread.same = thread.same + thread.slice if variables == thread.variables else 0
        thread.variables = variables
        if thread.spent > THREAD_STEPS or thread.same > SAME_STEPS or self.steps > BLOCK_STEPS:
            raise EndlessLoop(self._endless_line())
        thread.before = list(self.counts)

    def wait(self, scope: str, key, value, finish=None):
        """Wait for the block or the lanes of a warp, and return what `finish` makes of everyone's value."""
        thread = self.thread
        self.steps += thread.slice - self.fuel + WAIT_STEPS
        if self.steps > BLOCK_STEPS:
            raise EndlessLoop(self._endless_line())
        frames = list(self._frames())
        if scope == "block":  # the same barrier is the same place in the same iteration
            sites = map(self._site, frames)
            key = [(place, [self.counts[n] for n in around]) for place, around in sites]
        thread.spent, thread.same, thread.slice, thread.value = 0, 0, min(thread.slice, SLICE), value
        self._give_way(Wait(scope, key, frames[0].f_lineno, finish))
        return thread.result

    def _give_way(self, wait: Wait) -> None:
        thread = self.thread
        thread.function, thread.wait = self.function, wait
        self._hub.switch()

    def _endless_line(self) -> int:
        """Return the line of the outermost loop that is still turning."""
        frames = list(self._frames())
        for frame in reversed(frames):
            for n in self._site(frame)[1]:
                if self.counts[n] - self.thread.before[n] > 1:
                    return self.loops[n].first
        return frames[0].f_lineno
