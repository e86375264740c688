"""``mlteach train``: one loop for every way to learn the digits."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlteach.cli_files import check_files, write_json, write_plot, writing
from mlteach.cli_options import Dtype, JsonFile, PlotFile, Threads
from mlteach.errors import Misuse

if TYPE_CHECKING:
    from mlteach.cli_learners import Learner


class Model(StrEnum):
    """What ``mlteach train`` can train."""

    talk = "talk"
    fused = "fused"
    softmax = "softmax"
    mlp = "mlp"


def train(
    model: Annotated[Model, typer.Option(help="What to train.")] = Model.talk,
    kernel: Annotated[
        str | None, typer.Option(help="The rung that multiplies; the fastest where left out.")
    ] = None,
    dtype: Annotated[
        Dtype | None, typer.Option(help="The numbers to compute with; float64 for talk and softmax.")
    ] = None,
    threads: Threads = None,
    images: Annotated[
        int | None, typer.Option(help="Train on the first so many images; all where left out.")
    ] = None,
    iterations: Annotated[int, typer.Option(help="How many iterations; epochs for mlp.", min=0)] = 10,
    save: Annotated[Path | None, typer.Option(help="Save the weights here (.npz), after Ctrl-C too.")] = None,
    plot_file: PlotFile = None,
    json_file: JsonFile = None,
) -> None:
    """Learn the digits: print time and accuracy of each iteration, then how well the test digits are read.

    An iteration is the accuracy of the weights so far, then one step. The talk's model and softmax take
    three matrix products for it, fused takes one pass over the pixels, and mlp, a network with a layer
    between, takes an epoch of minibatches. Saved weights are an array named theta, to be read with
    numpy.load; a network is read with mlteach.learn.mlp.MLP.load.
    """
    check_files(plot_file, save, json_file)
    learner = _learner(model, kernel, dtype, threads, images)
    records: list[dict] = []
    outcome: dict = {"model": model.value, "iterations": records}
    try:
        with _progress(iterations) as advance:
            _learn(learner, iterations, records, advance)
        labels, read = _test(learner)
        outcome |= {"test_accuracy": float((labels == read).mean())}
        typer.echo(f"test digits read right: {outcome['test_accuracy']:.6f}")
    finally:
        _keep(learner, outcome, save, json_file)
        if plot_file:
            write_plot(plot_file, _figure(learner, outcome))


def _learner(model: Model, kernel, dtype: Dtype | None, threads, images) -> "Learner":
    """The model that was asked for, once it is known that it can be had."""
    from mlteach import cli_learners, mnist

    if model is Model.fused and kernel:
        raise Misuse(f"--model fused multiplies with no rung, so it cannot use {kernel}: leave --kernel out")
    if model is Model.fused and dtype is Dtype.float64:
        raise Misuse("--model fused computes in float32: leave --dtype float64 out, or choose --model talk")
    train = mnist.load("train")
    count = len(train.images) if images is None else images
    if not 1 <= count <= len(train.images):
        raise Misuse(f"--images must be from 1 to {len(train.images)}, not {images}")
    digits = mnist.Digits(train.images[:count], train.labels[:count])
    numbers = dtype or _usual_dtype(model, kernel)
    _check_kernel(kernel, threads, numbers)
    how = {"kernel": kernel, "threads": threads, "dtype": numbers.value}
    match model:
        case Model.fused:
            return cli_learners.Fused(digits, threads)
        case Model.mlp:
            return cli_learners.Network(digits, **how)
        case Model.softmax:
            return cli_learners.Products(digits, **how, loss="softmax")
        case _:
            return cli_learners.Products(digits, **how, loss="one-vs-all")


def _usual_dtype(model: Model, kernel: str | None) -> Dtype:
    """What to compute in where nobody says: the only type that the rung knows, or what suits the model."""
    from mlteach.matmul import KERNELS

    known = [number.name for number in KERNELS[kernel].dtypes] if kernel in KERNELS else []
    if len(known) == 1:
        return Dtype(known[0])
    return Dtype.float32 if model in (Model.fused, Model.mlp) else Dtype.float64


def _check_kernel(kernel: str | None, threads: int | None, dtype: Dtype) -> None:
    """Find out before the work begins whether the rung exists and takes these arguments."""
    import numpy as np

    from mlteach.matmul import matmul

    one = np.ones((1, 1), dtype.value)
    try:
        matmul(one, one, kernel=kernel, threads=threads)
    except TypeError:
        raise Misuse(f"--kernel {kernel} does not compute in {dtype.value}: leave --dtype out") from None
    except ValueError as error:
        raise Misuse(error) from None


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on a terminal's standard error, and nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    console = Console(stderr=True)
    columns = BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    look: dict = {
        "transient": True,
        "disable": not console.is_terminal,
        "redirect_stdout": sys.stdout is not None and sys.stdout.isatty(),
    }
    with Progress(*columns, console=console, **look) as progress:
        task = progress.add_task("", total=total)
        yield lambda: progress.advance(task)


def _learn(learner: "Learner", iterations: int, records: list[dict], advance: Callable[[], None]) -> None:
    """Let it learn, and print and note time and accuracy of each iteration."""
    since = time.perf_counter()

    def report(accuracy: float) -> None:
        nonlocal since
        seconds = time.perf_counter() - since
        records.append({"iteration": len(records), "seconds": seconds, "accuracy": round(accuracy, 6)})
        typer.echo(f"t: {seconds:.3f}s | accuracy: {accuracy:.6f}")
        advance()
        since = time.perf_counter()

    learner.learn(iterations, report)


def _test(learner: "Learner"):
    """The labels of the test digits, and what they are read as."""
    from mlteach import mnist

    test = mnist.load("test")
    return test.labels, learner.predict(test.images)


def _keep(learner: "Learner", outcome: dict, save: Path | None, json_file: Path | None) -> None:
    """Write what was learned and measured so far to the files that were asked for."""
    from mlteach.measure import describe

    if save:
        with writing(save) as file:
            learner.save(file)
    if json_file:
        write_json(json_file, {"machine": describe().as_dict(), **outcome})


def _figure(learner: "Learner", outcome: dict):
    """The accuracies, and beside them which test digits were taken for which, unless it was cut short."""
    from mlteach.teach import plots

    accuracies = {"training digits": [record["accuracy"] for record in outcome["iterations"]]}
    if "test_accuracy" not in outcome:
        figure, ax = plots.figure()
    else:
        figure, (ax, matrix) = plots.figure(2, size=(8.8, 13))
        plots.confusion_matrix(matrix, *_test(learner))
    plots.accuracy_curve(ax, accuracies, chance=0.1)
    return figure
