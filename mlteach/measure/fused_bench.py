"""Time the talk's whole iteration: products, sigmoid, accuracy and step.

`mlteach.measure.bench` times the products of a rung. The fused step has no products to time alone, so here
every way does the same whole iteration, each in a process of its own, the processes taking turns::

    python -m mlteach.measure.fused_bench --threads 2 --json results/fused/NAME.json

NumPy computes ``X @ theta`` once and takes the accuracy from the same scores, so it has two products. The
number of a way is the median over its processes, and that of a process the median over its iterations.
"""

import argparse
import datetime
import functools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mlteach import mnist
from mlteach.files import replacing
from mlteach.matmul import usable_cores
from mlteach.measure.turns import timed_machine
from mlteach.measure.units import number_text, seconds_text
from mlteach.measure.weakness import clean_environment

WAYS = ("numpy float64", "numpy float32", "fused dense", "fused")
CLASSES, RATE = 10, 0.01
WARM, TIMED = 2, 12  # iterations of a process before the first that counts, and those that count


def iteration(way: str, threads: int) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Make a way of iterating ready: a function of theta that returns the accuracy and the new theta.

    Parameters
    ----------
    way : {"numpy float64", "numpy float32", "fused dense", "fused"}
    threads : int
        For the fused step; NumPy's BLAS takes its number from the environment when it starts.
    """
    digits = mnist.load("train")
    if way.startswith("fused"):
        from mlteach.learn.fused import TalkStep

        dense = way.endswith("dense")
        return TalkStep(digits.images, digits.labels, threads, rate=RATE, dense=dense).iterate
    dtype = np.dtype(way.split()[1])
    x = mnist.talk_features(digits.images, dtype=dtype)
    targets = mnist.one_hot(digits.labels, dtype=dtype)
    return functools.partial(_numpy_step, x, digits.labels, targets)


def _numpy_step(x, labels, targets, theta):
    number = x.dtype.type
    theta = theta.astype(x.dtype, copy=False)
    certainty = 1 / (1 + np.exp(-(x @ theta)))
    accuracy = np.mean(certainty.argmax(axis=1) == labels)
    return accuracy, theta - number(RATE) / number(len(x)) * (x.T @ (certainty - targets))


def time_here(way: str, threads: int) -> dict[str, float]:
    """Time a way in this process: seconds of an iteration, and seconds until the first one was done."""
    mnist.load("train")
    begin = time.perf_counter()
    step = iteration(way, threads)
    accuracy, theta = step(np.zeros((1 + mnist.PIXELS, CLASSES)))
    started = time.perf_counter() - begin
    seconds = []
    for _ in range(WARM + TIMED):
        begin = time.perf_counter()
        accuracy, theta = step(theta)
        seconds.append(time.perf_counter() - begin)
    return {"seconds": statistics.median(seconds[WARM:]), "first": started, "accuracy": float(accuracy)}


def time_ways(threads: int, rounds: int, ways=WAYS) -> list[dict]:
    """Time ways in processes that take turns.

    Returns
    -------
    list of dict
        For each way its name, ``threads``, the median ``seconds`` of an iteration, those of its
        ``processes``, and the median seconds until the ``first`` iteration was done, preparation included.
    """
    runs: dict[str, list[dict]] = {way: [] for way in ways}
    for turn in range(rounds):
        for way in (*ways[turn % len(ways) :], *ways[: turn % len(ways)]):
            command = [sys.executable, "-m", "mlteach.measure.fused_bench"]
            command += ["--way", way, "--threads", str(threads)]
            done = subprocess.run(
                command, env=clean_environment(threads), check=True, capture_output=True, text=True
            )
            runs[way].append(json.loads(done.stdout))
    return [
        {
            "way": way,
            "threads": threads,
            "seconds": statistics.median(run["seconds"] for run in taken),
            "processes": [run["seconds"] for run in taken],
            "first": statistics.median(run["first"] for run in taken),
        }
        for way, taken in runs.items()
    ]


def main(arguments: list[str] | None = None) -> None:
    """Time all ways and print a line for each; ``--json`` adds them to a file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=_from_one, default=usable_cores())
    parser.add_argument("--rounds", type=_from_one, default=5, help="processes of each way")
    parser.add_argument("--json", type=Path, help="file that the figures are added to")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.way:
        print(json.dumps(time_here(chosen.way, chosen.threads)))
        return
    if chosen.json:
        try:  # before the work, which takes minutes
            _figures(chosen.json)
        except (OSError, ValueError, KeyError, TypeError):
            parser.error(
                f"no figures can be added to {chosen.json}: name a new file in a folder that is there"
            )
    timed = time_ways(chosen.threads, chosen.rounds)
    for one in timed:
        faster = number_text(timed[0]["seconds"] / one["seconds"])
        print(f"{one['way']:14} {seconds_text(one['seconds']):>8}  {faster:>5} times {timed[0]['way']}")
    if chosen.json:
        _add(timed, chosen.json)


def _from_one(text: str) -> int:
    if not (text.isdecimal() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"it must be a whole number from 1, not {text!r}")
    return int(text)


def _figures(path: Path) -> list[dict]:
    """The figures that a file holds; none where it is new, in a folder that is there."""
    if not path.exists() and path.resolve().parent.is_dir():
        return []
    return [{**one, "threads": int(one["threads"])} for one in json.loads(path.read_text())["iterations"]]


def _add(timed: list[dict], path: Path) -> None:
    """Write the figures beside those of other numbers of threads."""
    kept = [one for one in _figures(path) if one["threads"] != timed[0]["threads"]]
    today, machine = datetime.date.today().isoformat(), timed_machine(measure=True).as_dict()
    record = {"format": 1, "machine": machine, "date": today, "iterations": kept + timed}
    with replacing(path) as file:
        file.write((json.dumps(record, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
