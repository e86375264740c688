"""Pictures of a trace: what a warp touches, threads in time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlteach.gpu.simt.counts import BANK_BYTES, BANKS, SECTOR, WARP
from mlteach.gpu.simt.log import ATOMIC, LOAD, STORE
from mlteach.gpu.simt.trace import Trace

BAD_COLOUR = "#d62728"
VERBS = {LOAD: "loads", STORE: "stores", ATOMIC: "atomics"}
MARKS = {LOAD: "o", STORE: "s", ATOMIC: "D"}


class WarpAccess(NamedTuple):
    """What the lanes of one warp touch together."""

    array: str
    kind: int
    line: int
    lanes: np.ndarray
    offsets: np.ndarray  # bytes from the start of the array
    bytes: int


def warp_access(
    trace: Trace,
    line: int | None = None,
    *,
    array: str | None = None,
    kind: str = "loads",
    space: str | None = None,
    number: int = 0,
) -> WarpAccess:
    """Return an access of a warp.

    Parameters
    ----------
    trace : Trace
        Of the launch.
    line : int, optional
        Source line of the access; any line by default.
    array : str, optional
        What the kernel calls the array; any array by default.
    kind : "loads" or "stores"
        Which accesses.
    space : "global" or "shared", optional
        Which memory; either by default.
    number : int
        Which of them, in the order of the run; the first warp's first access is 0.

    Raises
    ------
    ValueError
        When the trace kept no such access.
    """
    chosen = [array in (None, a.name) and space in (None, a.space) for a in trace.arrays]
    a = trace.accesses
    code = next(k for k, verb in VERBS.items() if verb == kind)
    a = a[(a["kind"] == code) & np.array(chosen or [False])[a["array"]]]
    if line is not None:
        a = a[a["line"] == line]
    numbers = list(dict.fromkeys(a["instruction"].tolist()))
    if number >= len(numbers):
        where = " ".join(filter(None, (f"line {line}" if line else None, array, space))) or "the kernel"
        raise ValueError(
            f"{where} has {len(numbers)} {kind} of warps in this trace, none with number {number}"
        )
    a = a[a["instruction"] == numbers[number]]
    name = trace.arrays[a["array"][0]].name
    return WarpAccess(name, code, int(a["line"][0]), a["thread"] % WARP, a["offset"], int(a["bytes"][0]))


def touched_sectors(access: WarpAccess) -> np.ndarray:
    """Return the numbers of the 32-byte sectors that a warp touches, counted from the start of the array."""
    return np.unique(access.offsets // SECTOR)


def bank_words(access: WarpAccess) -> list[list[int]]:
    """Return, for each of the 32 banks, the different words that a warp wants from it, in order."""
    first = np.unique(access.offsets // BANK_BYTES)
    words = np.unique(np.concatenate([first + i for i in range(max(1, access.bytes // BANK_BYTES))]))
    return [words[words % BANKS == bank].tolist() for bank in range(BANKS)]


class Moment(NamedTuple):
    """An access in a space-time diagram: in which row (block, thread), at which step."""

    row: tuple[int, int]
    step: int
    kind: int
    racy: bool


def moments(trace: Trace, problem: int = 0, threads: int = 8) -> tuple[list[Moment], list[int], str]:
    """Return what a space-time diagram shows.

    Parameters
    ----------
    trace : Trace
        Of a launch with a race.
    problem : int
        Which of its races, the first is 0.
    threads : int
        How many threads of each block: the racing ones and their neighbours.

    Returns
    -------
    (list of Moment, list of int, str)
        Accesses to the racing array in the barrier interval of the race, the one before and the one after;
        the steps at which barriers lie; the element. Lanes of a warp run in step: one instruction, one step.
    """
    races = [p.pair for p in trace.problems if p.pair is not None]
    if problem >= len(races):
        raise ValueError(f"the trace has {len(races)} races: number {problem} is not there")
    pair = races[problem]
    shown, barriers = [], set()
    for block in sorted(set(pair["block"].tolist())):
        mine = pair[pair["block"] == block]
        a = trace.accesses
        a = a[(a["block"] == block) & np.isin(a["array"], pair["array"])]
        a = a[np.abs(a["interval"] - mine["interval"][0]) <= 1]
        near = sorted(set(a["thread"].tolist()), key=lambda t: (np.abs(mine["thread"] - t).min(), t))[
            :threads
        ]
        a = a[np.isin(a["thread"], near)]
        intervals = np.unique(a["interval"]).tolist()
        order = list(dict.fromkeys(zip(a["interval"].tolist(), a["instruction"].tolist(), strict=True)))
        order.sort(key=lambda at: at[0])  # within an interval, as the first thread met them
        step = {instruction: n + intervals.index(i) for n, (i, instruction) in enumerate(order)}
        barriers |= {min(step[n] for i, n in order if i == later) - 1 for later in intervals[1:]}
        same = [n for n in a.dtype.names if n not in ("instruction", "bytes")]
        racy = np.isin(a[same], mine[same])
        for access, red in zip(a, racy.tolist(), strict=True):
            row = (block, int(access["thread"]))
            shown.append(Moment(row, step[int(access["instruction"])], int(access["kind"]), red))
    element = trace.arrays[pair["array"][0]].element(int(pair["offset"][0]))
    return shown, sorted(barriers), element


def space_time(ax, trace: Trace, problem: int = 0, threads: int = 8):
    """Draw threads in space and time: accesses as marks, barriers as lines, the racing pair in red.

    Parameters are those of `moments`. Takes and returns an Axes.
    """
    shown, barriers, element = moments(trace, problem, threads)
    rows = {row: n for n, row in enumerate(sorted({m.row for m in shown}))}
    for kind, mark in MARKS.items():
        for racy, colour, size in ((False, "#7f7f7f", 45), (True, BAD_COLOUR, 110)):
            some = [m for m in shown if (m.kind, m.racy) == (kind, racy)]
            x, y = [m.step for m in some], [rows[m.row] for m in some]
            ax.scatter(x, y, marker=mark, s=size, color=colour, zorder=2 + racy)
    pair = [(m.step, rows[m.row]) for m in shown if m.racy]
    if pair:
        ax.plot(*zip(*pair, strict=True), color=BAD_COLOUR, lw=1.5, zorder=3)
    for step in barriers:
        ax.axvline(step, color="black", lw=2)
        ax.text(step, -0.65, "barrier", ha="center", va="bottom")
    several = len({block for block, _ in rows}) > 1
    names = [f"block {b}, {t}" if several else t for b, t in rows]
    ax.set(xlabel="step", ylabel="thread", yticks=range(len(rows)), yticklabels=names, xticks=[])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_title(f"race on {element}: circles read, squares write", loc="left", pad=22)
    return ax
