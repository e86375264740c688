"""Checkers of notebook 15: a tile without bank conflicts, and a listing of machine code."""

import numpy as np

from mlteach.gpu.simt import Trace
from mlteach.gpu.simt.place import Place
from mlteach.teach.check.answers import Wrong, close_to
from mlteach.teach.check.engine import Case, checker, examine
from mlteach.teach.check.launch import Launch, cover, examine_kernel, kernel_case
from mlteach.teach.check.report import Report

TILE = 32  # threads along either side of a block, and elements of its tile
MOST_BYTES = 11 * TILE * TILE * 4 // 10  # of shared memory: a tenth more than the tile
SHAPES = [(1, 1), (2, 3), (5, 33), (33, 5), (TILE, TILE), (2 * TILE, 2 * TILE)]  # up to four blocks
LISTINGS = [  # what is tried before real code: instructions, and how many of them are multiply-adds
    ("FFMA R0, R1, R2, R0", 1),
    ("IADD3 R4, R4, 0x1, RZ", 0),
    ("FFMA R0, R1, R2, R0\nLDS.128 R4, [R9]", 1),
    ("@P0 FFMA R0, R1, R2, R0\n@!P1 BRA `(.L_x_2)\nFFMA.FTZ R3, R1, R2, R3\nEXIT", 2),
    ("HFMA2 R0, R1, R2, R0\nFFMA R0, R1, R2, R0\nDFMA R4, R6, R8, R4\nMOV R1, R2", 1),
    ("\n  FFMA R0, R1, R2, R0\n\n  FADD R0, R0, R1\n  FMUL R0, R0, R1\n", 1),
    ("@!P3 FFMA R0, R1, R2, R0\n@P2 BRA `(.FFMA)\n@UP0 IADD3 R4, R4, 0x1, RZ", 1),
]


@checker
def padded_transpose(kernel) -> Report:
    """Check a transpose through a tile in shared memory.

    Parameters
    ----------
    kernel : function
        ``kernel(a, out)`` with float32 arrays a (m, n) and out (n, m), for blocks of 32 x 32 threads, x along
        the rows of a, and a grid that just covers a. It reads a and writes out along rows, without a bank
        conflict, and a block takes at most 1.1 times the bytes of a 32 x 32 tile of shared memory.
    """
    return examine_kernel(kernel, _turns(), "matrices turned on the simulator, without a bank conflict")


@checker
def multiply_add_share(fn) -> Report:
    """Check a count in a listing of machine code.

    Parameters
    ----------
    fn : callable
        ``fn(listing) -> share`` of FFMA among the instructions, from 0 to 1. listing is text with an
        instruction a line. Its name comes first, or after a condition such as ``@P0`` or ``@!P1``, and may
        go on after a dot: FFMA.FTZ is a multiply-add too, HFMA2 is another instruction. Blank lines are none.
    """
    return examine(fn, _listings(), "listings of machine code")


def _turns():
    random = np.random.RandomState(2037)
    for m, n in SHAPES:
        launch = Launch(cover(Place(TILE, TILE), n, m), (TILE, TILE), (n, m))
        for _ in range(2):
            a = random.uniform(-2, 2, (m, n)).astype(np.float32)
            rows = m * -(-n // 8) + n * -(-m // 8) if m == n and not m % TILE else None
            yield kernel_case(f"a {a.shape}", launch, {"a": a}, a.T, 0, _staged(rows))


def _staged(sectors: int | None):
    """Make a judge of a trace: no conflict, little shared memory and, if told, so many sectors."""

    def judge(trace: Trace) -> None:
        if sectors and trace.load_sectors + trace.store_sectors > sectors:
            came = trace.load_sectors + trace.store_sectors
            raise Wrong(f"the numbers are right, but take {came} sectors, expected {sectors}: go along rows")
        if trace.shared_conflicts:
            raise Wrong(
                f"the numbers are right, but expected no bank conflict, came {trace.shared_conflicts}"
            )
        shared = [array for array in trace.arrays if array.space == "shared"]
        taken = sum(int(np.prod(array.shape)) * array.dtype.itemsize for array in shared)
        if taken > MOST_BYTES:
            raise Wrong(f"expected at most {MOST_BYTES} bytes of shared memory, came {taken}")

    return judge


def _listings():
    from mlteach.gpu import sass

    real = [
        _unfolded(sass.report(name, compiled=False).listing) for name in ("cuda_coalesced", "cuda_shared")
    ]
    known = [(text, sum(line.startswith("FFMA") for line in text.splitlines())) for text in real]
    for number, (listing, count) in enumerate([*LISTINGS, *known], start=1):
        lines = len([line for line in listing.splitlines() if line.strip()])
        label = f"listing {number}, {lines} instruction{'s'[: lines > 1]}"
        yield Case(label, {"listing": listing}, close_to(count / lines, 1e-6))


def _unfolded(listing: str) -> str:
    """The listing without the lines that stand for several instructions."""
    return "\n".join(line for line in listing.splitlines() if not line.startswith(" "))
