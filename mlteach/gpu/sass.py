"""Reads the machine code of a kernel: its registers, its shared memory, and what its hot loop is made of.

Where the compilers are installed, a kernel is compiled here, which needs no GPU and no driver: Numba makes
PTX, `ptxas` makes machine code (SASS), `nvdisasm` makes text of it. Elsewhere the reports that come with
mlteach are read.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mlteach.gpu import compilers
from mlteach.gpu.occupancy import occupancy

REPORTS = Path(__file__).with_name("reports")
SHIPPED = ((7, 5), (8, 0), (9, 0))  # compute capabilities whose reports come with mlteach
ARITHMETIC = ("FFMA", "HMMA")  # multiply-adds, of one lane and of a warp's tensor core
BARRIER = "BAR"
INSTRUCTION = re.compile(r"/\*[0-9a-f]{4,}\*/\s+((?:@!?U?P\w+\s+)?)([A-Z][A-Z0-9_.]*)(.*?)\s*;")
LABEL = re.compile(r"(\.L_x_\d+):")


@dataclass(frozen=True)
class Report:
    """What a compiler made of a kernel.

    Attributes
    ----------
    name : str
        The kernel.
    compute_capability : tuple of int
        What it was compiled for.
    registers : int
        Of a thread; 255 at most.
    spill_bytes : int
        Of a thread, written to memory because the registers did not suffice.
    shared_bytes : int
        Static shared memory of a block.
    occupancy : float
        The warps that a multiprocessor can hold at once, as a share of the most that it ever holds.
    instructions : dict of str to int
        How often each instruction stands in the whole kernel.
    hot_loop : dict of str to int
        The same for the loop with most multiply-adds, in which a product spends its time.
    listing : str
        The hot loop as text; a run of equal instructions is shown by its first.
    """

    name: str
    compute_capability: tuple[int, int]
    registers: int
    spill_bytes: int
    shared_bytes: int
    occupancy: float
    instructions: dict[str, int]
    hot_loop: dict[str, int]
    listing: str

    @property
    def share(self) -> float:
        """The share of multiply-adds among the instructions of the hot loop."""
        return self.count(*ARITHMETIC) / sum(self.hot_loop.values())

    def count(self, *names: str) -> int:
        """Count instructions of the hot loop by how their names begin, such as "FFMA" or "LDS.128"."""
        return sum(number for name, number in self.hot_loop.items() if name.startswith(names))

    def widths(self, name: str) -> dict[int, int]:
        """Return how many accesses of the hot loop move how many bits.

        Parameters
        ----------
        name : str
            "LDG" and "STG" for global, "LDS" and "STS" for shared memory.
        """
        found: Counter[int] = Counter()
        for instruction, number in self.hot_loop.items():
            stem, *details = instruction.split(".")
            if stem == name:
                found[next((int(d.lstrip("US")) for d in details if d.lstrip("US").isdigit()), 32)] += number
        return dict(found)

    def as_dict(self) -> dict:
        """The report as JSON can hold it."""
        return {**asdict(self), "compute_capability": list(self.compute_capability)}

    @classmethod
    def from_dict(cls, record: Mapping) -> Report:
        """Read what `as_dict` wrote."""
        major, minor = record["compute_capability"]
        return cls(**{**record, "compute_capability": (major, minor)})

    def __str__(self) -> str:
        capability = ".".join(map(str, self.compute_capability))
        loop = sorted(self.hot_loop.items(), key=lambda item: -item[1])
        mix = ", ".join(f"{number} {name}" for name, number in loop[:6])
        rest = sum(number for _, number in loop[6:])
        return "\n".join(
            [
                f"{self.name} for compute capability {capability}",
                f"registers       {self.registers} a thread, {self.spill_bytes} bytes spilled",
                f"shared memory   {self.shared_bytes} bytes a block",
                f"occupancy       {self.occupancy:.0%} of the warps that fit",
                f"whole kernel    {sum(self.instructions.values())} instructions",
                f"hot loop        {sum(self.hot_loop.values())} instructions, {self.share:.0%} multiply-adds",
                f"                {mix}" + f", {rest} others" * (rest > 0),
            ]
        )


def report(
    name: str, compute_capability: tuple[int, int] = (9, 0), *, compiled: bool | None = None
) -> Report:
    """Report on the machine code of a kernel of the GPU ladder.

    Parameters
    ----------
    name : str
        A name in `mlteach.gpu.kernels.CUDA` or `mlteach.gpu.variants.VARIANTS`.
    compute_capability : tuple of int
        The GPU to compile for: (7, 5) is a T4, (8, 0) an A100, (9, 0) an H100.
    compiled : bool, optional
        True compiles, False reads the report that comes with mlteach; left out, compiles where it can.

    Raises
    ------
    ValueError
        Where there is no such kernel, or the kernel needs a newer GPU, or there is no report to read.
    GpuUnavailable
        Where `compiled` is true and the compilers are not installed.
    """
    from mlteach.gpu.kernels import CUDA
    from mlteach.gpu.variants import VARIANTS

    kernels = {**CUDA, **VARIANTS}
    if name not in kernels:
        raise ValueError(f"{name!r} is not a kernel of ours: choose from {', '.join(kernels)}")
    launch, (major, minor) = kernels[name], compute_capability
    capability = (major, minor)
    if capability < launch.capability:
        needed, given = (".".join(map(str, c)) for c in (launch.capability, capability))
        raise ValueError(f"{name} needs compute capability {needed}, not {given}: take (8, 0) or (9, 0)")
    if compiled or (compiled is None and compilers.missing() is None):
        return _compiled(name, launch, capability)
    shipped = shipped_reports(capability)
    if name not in shipped:
        raise ValueError(f"there is no report for compute capability {capability}: take one of {SHIPPED}")
    return shipped[name]


def shipped_reports(compute_capability: tuple[int, int]) -> dict[str, Report]:
    """Return the reports that come with mlteach for a compute capability, by kernel; none for most."""
    path = REPORTS / "sm_{}{}.json".format(*compute_capability)
    kernels = json.loads(path.read_text(encoding="utf-8"))["kernels"] if path.exists() else {}
    return {name: Report.from_dict(record) for name, record in kernels.items()}


def _compiled(name: str, launch, capability: tuple[int, int]) -> Report:
    code = compilers.machine_code(launch, capability)
    lines, labels = parse(code.text)
    loop = hot_loop(lines, labels)
    threads = launch.block[0] * (launch.block[1] if len(launch.block) > 1 else 1)
    shared = code.shared_bytes + launch.shared_bytes
    return Report(
        name=name,
        compute_capability=capability,
        registers=code.registers,
        spill_bytes=code.spill_bytes,
        shared_bytes=shared,
        occupancy=occupancy(capability, threads, code.registers, shared),
        instructions=_mix(lines),
        hot_loop=_mix(loop),
        listing=folded(loop),
    )


def parse(text: str) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """Return the instructions of a disassembly as (name, operands), and where each label stands.

    What never runs is left out: padding, and loads that `ptxas` puts before an asynchronous copy with a
    condition that is never true.
    """
    lines: list[tuple[str, str]] = []
    labels: dict[str, int] = {}
    for line in text.splitlines():
        if label := LABEL.search(line):
            labels.setdefault(label[1], len(lines))
        if (found := INSTRUCTION.search(line)) and found[2] != "NOP" and found[1].strip() != "@!PT":
            lines.append((found[2], (found[1] + found[2] + found[3]).strip()))
    return lines, labels


def hot_loop(lines: list[tuple[str, str]], labels: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return the instructions between a backward jump and its target, of the loop with most multiply-adds."""
    best: list[tuple[str, str]] = []
    most = 0
    for end, (name, text) in enumerate(lines):
        target = re.search(r"\.L_x_\d+", text) if name.startswith("BRA") else None
        begin = labels.get(target[0], len(lines)) if target else len(lines)
        loop = lines[begin : end + 1]
        sums = sum(name.startswith(ARITHMETIC) for name, _ in loop)
        if sums > most or (sums == most and len(loop) < len(best)):
            best, most = loop, sums
    return best


def folded(lines: list[tuple[str, str]]) -> str:
    """Return instructions as text; of three or more of one name in a row, the first and a count."""
    shown: list[str] = []
    at = 0
    while at < len(lines):
        name, text = lines[at]
        run = next((n for n, line in enumerate(lines[at:]) if line[0] != name), len(lines) - at)
        shown.append(text)
        if run > 2:
            shown.append(f"    ... {run - 1} more {name}")
        at += run if run > 2 else 1
    return "\n".join(shown)


def _mix(lines: list[tuple[str, str]]) -> dict[str, int]:
    return dict(sorted(Counter(name for name, _ in lines).items()))
