"""A process of its own for a timing.

Two thread pools in one process disturb each other, and environment variables count only when a library
starts. So timings on several threads, and those where a variable weakens a library, run in a child process::

    with Worker(threads=2) as worker:
        trial = worker.trial(task)
        trial.sample()

Parent and child exchange lines of JSON over pipes: ``["compile", {...}]``, ``["trial", {...}]``,
``["sample", 0]`` or ``["describe", true]`` one way, ``{"answer": ...}`` or ``{"error": ..., "message": ...}``
the other. The child ends as soon as its input does, whatever it is doing: it cannot outlive its parent,
however that died. The terminal's Ctrl-C reaches the parent only, which then ends the child.
"""

import contextlib
import dataclasses
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from typing import Any

from mlteach.errors import GpuUnavailable
from mlteach.measure.device_trial import DeviceTrial, make_trial
from mlteach.measure.machine import Machine, describe
from mlteach.measure.task import Task, make_task, operands
from mlteach.measure.trial import Trial
from mlteach.measure.weakness import clean_environment

PATIENCE = 300.0  # seconds to wait for one answer: far longer than any budget, and yet an end
ASLEEP, NAP, LONGEST_REST = 0.1, 0.02, 0.5  # of a core; seconds between two looks; seconds


class Worker:
    """A child process that times; use it in a ``with`` block, whose end ends the process.

    Parameters
    ----------
    threads : int
        How large the thread pools of its libraries are.
    """

    def __init__(self, threads: int):
        group: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        self._complaints = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (closed at the end)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mlteach.measure.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            encoding="utf-8",
            env=clean_environment(threads),
            **group,
        )

        assert self._process.stdin
        assert self._process.stdout
        self._requests, self._answers = self._process.stdin, self._process.stdout

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._requests, self._answers, self._complaints):
            with contextlib.suppress(OSError):
                pipe.close()

    def trial(self, task: Task) -> "RemoteTrial":
        """Make a task ready in the child."""
        return RemoteTrial(self, task, **self.ask("trial", task.as_dict()))

    def describe(self, measure: bool = False) -> Machine:
        """Describe the machine as the child sees it."""
        return Machine.from_dict(self.ask("describe", measure))

    def ask(self, request: str, argument: Any) -> Any:
        """Send one request and wait for its answer, or raise what `receive` does."""
        self.send(request, argument)
        return self.receive()

    def send(self, request: str, argument: Any) -> None:
        """Send one request; where the child is gone, `receive` will say so."""
        with contextlib.suppress(OSError):
            self._requests.write(json.dumps([request, argument]) + "\n")
            self._requests.flush()

    def receive(self) -> Any:
        """Wait for the answer to the oldest request that has none yet.

        Raises
        ------
        ValueError, TypeError, MemoryError, GpuUnavailable
            As the child raised it.
        RuntimeError
            Where the child raised anything else, died or gave no answer in time.
        """
        too_long = threading.Timer(PATIENCE, self._process.kill)
        too_long.start()
        try:
            line = self._answers.readline()
        except OSError:
            line = ""
        finally:
            too_long.cancel()
        if not line:
            raise RuntimeError(self._obituary())
        reply = json.loads(line)
        if "error" not in reply:
            return reply["answer"]
        for kind in (ValueError, TypeError, MemoryError, GpuUnavailable):
            if reply["error"] == kind.__name__:
                raise kind(reply["message"])
        raise RuntimeError(f"the timing process failed with {reply['error']}: {reply['message']}")

    def _obituary(self) -> str:
        code = self._process.wait()
        self._complaints.seek(0)
        last = self._complaints.read().strip().rpartition("\n")[2]
        return f"the timing process ended with code {code} before it answered{': ' if last else ''}{last}"


@dataclasses.dataclass(frozen=True)
class RemoteTrial:
    """A `Trial` in a child process."""

    worker: Worker
    task: Task
    number: int
    scaled: bool
    rounds: int
    once: dict[str, float]

    def sample(self) -> float:
        """Time the workload once more, in seconds for the whole of it."""
        return self.worker.ask("sample", self.number)


def compile_all(workers: Sequence[Worker], tasks: Sequence[Task]) -> None:
    """Let each child load and compile its kernel, all at the same time: nothing is timed yet."""
    for worker, task in zip(workers, tasks, strict=True):
        worker.send("compile", task.as_dict())
    for worker in workers:
        worker.receive()


def rest() -> None:
    """Wait until the threads of this process sleep: a pool that still spins would slow whoever times next."""
    deadline = time.monotonic() + LONGEST_REST
    while time.monotonic() < deadline:
        used, start = time.process_time(), time.perf_counter()
        time.sleep(NAP)
        if time.process_time() - used < ASLEEP * (time.perf_counter() - start):
            return


def _serve() -> None:
    """Answer requests until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers
    requests: queue.SimpleQueue = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    trials: list[Trial | DeviceTrial] = []
    while True:
        request, argument = requests.get()
        try:
            reply: dict[str, Any] = {"answer": _answer(request, argument, trials)}
        except Exception as problem:
            reply = {"error": type(problem).__name__, "message": str(problem)}
        rest()
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


def _listen(requests: queue.SimpleQueue) -> None:
    """Pass requests on, and end the process when there are no more to come."""
    for line in sys.stdin:
        requests.put(json.loads(line))
    os._exit(0)


def _answer(request: str, argument: Any, trials: list[Trial | DeviceTrial]) -> Any:
    if request == "describe":
        return describe(argument).as_dict()
    if request == "sample":
        return trials[argument].sample()
    task = make_task(**argument)
    if request == "compile":
        return _compile(task)
    made = make_trial(task)
    trials.append(made)
    about = {"scaled": made.scaled, "rounds": made.rounds, "once": dict(made.once)}
    return {"number": len(trials) - 1, **about}


def _compile(task: Task) -> None:
    """Compute a small product; not on a GPU, where the first call counts."""
    if not task.kernel.prepare:
        for a, b, out in operands(task, *(min(size, 8) for size in task.shape)):
            task.kernel.run(a, b, out, task.threads)


if __name__ == "__main__":
    _serve()
