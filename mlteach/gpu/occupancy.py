"""How many warps a multiprocessor of a GPU can hold at once, from what a kernel uses."""

from __future__ import annotations

from typing import NamedTuple

WARP = 32
REGISTERS = 65536  # of a multiprocessor
REGISTER_UNIT = 256  # a warp's registers come in such pieces
WARP_UNIT = 4  # a multiprocessor has four parts, each with registers of its own


class Multiprocessor(NamedTuple):
    """The limits of a multiprocessor; `reserved` is the shared memory that a block costs in any case."""

    warps: int
    blocks: int
    shared: int
    reserved: int


MULTIPROCESSORS = {  # from NVIDIA's CUDA C++ Programming Guide, "Compute Capabilities"
    (7, 5): Multiprocessor(32, 16, 64 * 1024, 0),
    (8, 0): Multiprocessor(64, 32, 164 * 1024, 1024),
    (8, 6): Multiprocessor(48, 16, 100 * 1024, 1024),
    (8, 9): Multiprocessor(48, 24, 100 * 1024, 1024),
    (9, 0): Multiprocessor(64, 32, 228 * 1024, 1024),
}


def blocks_together(
    compute_capability: tuple[int, int], threads: int, registers: int, shared_bytes: int
) -> dict[str, int]:
    """Return how many blocks fit a multiprocessor by each limit: "warps", "blocks", "registers", "shared".

    Parameters
    ----------
    compute_capability : tuple of int
        A key of `MULTIPROCESSORS`.
    threads : int
        Of a block.
    registers : int
        Of a thread.
    shared_bytes : int
        Of a block.

    Raises
    ------
    ValueError
        Where the limits of such a GPU are not known here.
    """
    if compute_capability not in MULTIPROCESSORS:
        known = ", ".join(map(str, MULTIPROCESSORS))
        raise ValueError(f"compute capability {compute_capability} is not known here: take one of {known}")
    limits = MULTIPROCESSORS[compute_capability]
    warps = -(-threads // WARP)
    a_warp = -(-registers * WARP // REGISTER_UNIT) * REGISTER_UNIT
    a_block = shared_bytes + limits.reserved
    return {
        "warps": limits.warps // warps,
        "blocks": limits.blocks,
        "registers": REGISTERS // a_warp // WARP_UNIT * WARP_UNIT // warps,
        "shared": limits.shared // a_block if a_block else limits.blocks,
    }


def occupancy(compute_capability: tuple[int, int], threads: int, registers: int, shared_bytes: int) -> float:
    """Return the warps that fit a multiprocessor as a share of the most that it holds.

    Parameters and errors as in `blocks_together`.
    """
    fit = min(blocks_together(compute_capability, threads, registers, shared_bytes).values())
    return fit * -(-threads // WARP) / MULTIPROCESSORS[compute_capability].warps
