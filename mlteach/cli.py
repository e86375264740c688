"""The command line: ``mlteach doctor | train | ladder | notebooks``.

Exit codes: 0 well, 1 failed, 2 misused, 130 interrupted. An error is one sentence on standard error.
"""

import io
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mlteach import __version__
from mlteach.cli_files import check_files, write_json, write_plot
from mlteach.cli_options import Dtype, JsonFile, PlotFile, Threads
from mlteach.cli_train import train
from mlteach.errors import Misuse

app = typer.Typer(
    help="Why a matrix product is slow, how to make it fast, and what that buys.",
    add_completion=False,
    rich_markup_mode=None,
)

FAILED, MISUSED, INTERRUPTED = 1, 2, 130


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mlteach {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that stand before a command."""


class Device(StrEnum):
    """Where rungs run."""

    cpu = "cpu"
    gpu = "gpu"


@app.command()
def doctor(json_file: JsonFile = None) -> None:
    """Examine this machine and say how to cure what is wrong."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mlteach.measure import describe, doctor

    check_files(None, json_file)
    findings = doctor.examine()
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")  # a path or a command is never cut short
    styles = {"ok": "green", "warn": "yellow", "fail": "bold red"}
    for finding in findings:
        text = f"{finding.message} {finding.cure}" if finding.cure else finding.message
        table.add_row(Text(finding.status, styles[finding.status]), finding.topic, Text(text))
    Console().print(table)
    if json_file:
        write_json(json_file, {"machine": describe().as_dict(), "findings": [vars(f) for f in findings]})
    if any(finding.status == "fail" for finding in findings):
        raise typer.Exit(FAILED)


app.command()(train)


@app.command()
def ladder(
    size: Annotated[
        list[int] | None, typer.Option(help="Multiply two squares of this size, 1024 where left out.", min=1)
    ] = None,
    shape: Annotated[
        str | None, typer.Option(help="Multiply other shapes: MxKxN, such as 60000x785x10.")
    ] = None,
    dtype: Annotated[Dtype, typer.Option(help="The numbers to compute with.")] = Dtype.float32,
    threads: Threads = None,
    device: Annotated[Device, typer.Option(help="Which rungs.")] = Device.cpu,
    kernels: Annotated[str | None, typer.Option(help="Only these rungs: a,b,c.")] = None,
    iteration: Annotated[
        bool, typer.Option("--iteration", help="Time the talk's training iteration too.")
    ] = False,
    json_file: JsonFile = None,
    plot_file: PlotFile = None,
) -> None:
    """Measure the rungs of the ladder; --size can be given several times.

    A slow rung is timed on the first rows and scaled, marked with ≈.
    """
    from mlteach.measure import bench
    from mlteach.measure.climb import climb, ladder_table
    from mlteach.measure.records import document

    if size and shape:
        raise Misuse("--size and --shape exclude each other: give one of them")
    check_files(plot_file, json_file)
    shapes = [_shape(shape)] if shape else [(n, n, n) for n in size or [1024]]
    rungs = _rungs(kernels, device, dtype)
    if threads is not None and threads < 1:
        raise Misuse(f"--threads must be at least 1, not {threads}: leave it out to use every core")
    machine = bench.timed_machine(measure=True)
    typer.echo(str(machine))
    measured = []
    try:
        for measurements in climb(rungs, shapes, dtype.value, threads, iteration, report=_say_progress):
            measured += measurements
            if measurements:
                typer.echo(f"\n{ladder_table(measurements, machine)}")
    finally:  # what is done when the next size is interrupted, or does not fit into memory, is kept
        if json_file and measured:
            write_json(json_file, document(measured, machine.as_dict()))
    if not measured:
        raise RuntimeError("no rung could be measured: see above what each one lacks")
    if plot_file:
        write_plot(plot_file, _ladder_figure(measured, machine, dtype))


@app.command()
def notebooks(
    folder: Annotated[Path, typer.Argument(help="Where the series goes.")] = Path("mlteach-notebooks"),
) -> None:
    """Copy the notebooks; a file that differs is never overwritten."""
    from mlteach import resources

    if folder.exists() and not folder.is_dir():
        raise Misuse(f"cannot copy to {folder}: it is a file, name a folder")
    copied, kept = resources.copy("notebooks", folder)
    for target in kept:
        typer.echo(f"kept your own {target}; delete it or move it away to get the original")
    typer.echo(f"{len(copied)} files copied to {folder}")


def main() -> None:
    """Run the command line and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a Windows pipe has no ≈
    sys.exit(_run())


def _run() -> int:
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False) or 0
        return _complain("interrupted", code) if code == INTERRUPTED else code  # typer caught Ctrl-C itself
    except (KeyboardInterrupt, typer.Abort):
        return _complain("interrupted", INTERRUPTED)
    except Misuse as error:
        return _complain(error, MISUSED)
    except OSError as error:
        reason = error.strerror or error
        return _complain(f"{error.filename}: {reason}" if error.filename else reason, FAILED)
    except MemoryError as error:
        return _complain(f"{error or 'the memory is full'}: choose smaller or fewer matrices", FAILED)
    except ImportError as error:
        return _complain(f"{error}: run mlteach doctor for the cure", FAILED)
    except Exception as error:
        if hasattr(error, "format_message"):  # click's and typer's own usage errors
            return _complain(f"{error.format_message().rstrip('.')}: try --help", MISUSED)
        return _complain(error, FAILED)


def _complain(error, code: int) -> int:
    sentence = " ".join(str(error).split()) or type(error).__name__
    typer.echo(f"mlteach: {sentence}", err=True)
    return code


def _shape(text: str) -> tuple[int, ...]:
    sizes = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)x([1-9]\d*)", text.strip().lower())
    if not sizes:
        raise Misuse(f"--shape must be MxKxN, three sizes from 1 such as 60000x785x10, not {text!r}")
    return tuple(map(int, sizes.groups()))


def _rungs(kernels: str | None, device: Device, dtype: Dtype) -> list[str]:
    """The rungs that were asked for, in ladder order."""
    from mlteach import gpu
    from mlteach.matmul import KERNELS

    names = list(KERNELS) if kernels is None else [name.strip() for name in kernels.split(",")]
    for name in names:
        if name not in KERNELS:
            raise Misuse(f"kernel {name!r} is not a rung of the ladder: choose from {', '.join(KERNELS)}")
    if kernels is None:
        names = [name for name in names if (_about(name, "device") == "gpu") == (device == "gpu")]
    able = [name for name in KERNELS if name in names and dtype.value in _about(name, "dtypes", dtype.value)]
    if not able:
        raise Misuse(f"none of {', '.join(names)} computes in {dtype.value}: choose another --dtype")
    if all(_about(name, "device") == "gpu" for name in able):
        gpu.require()
    return able


def _about(name: str, what: str, unknown=None):
    """A fact about a rung; unknown where it cannot be imported, as ``_say_progress`` will say."""
    from mlteach.matmul import KERNELS

    try:
        return getattr(KERNELS[name], what)
    except ImportError:
        return unknown


def _say_progress(name: str, outcome) -> None:
    """Say on standard error which rung is being timed, or what keeps it from running."""
    if outcome is None:
        typer.echo(f"timing {name} ...", err=True)
    elif isinstance(outcome, Exception):
        typer.echo(f"{name}: {outcome}", err=True)


def _ladder_figure(measured: list, machine, dtype: Dtype):
    """Products of several squares against their size; bars for a single product."""
    from mlteach.teach import plots

    products = [one for one in measured if one.workload == "product"]
    peak = machine.peak and machine.peak[dtype.value].at(max(one.threads for one in products))
    if len({one.shape for one in products}) > 1:
        figure, ax = plots.figure()
        plots.ladder_by_size(ax, products, peak=peak, dtype=dtype.value)
    else:
        figure, ax = plots.figure(size=(8.8, 1.5 + 0.35 * len(products)))
        plots.rung_speeds(ax, products, peak)
    return figure
