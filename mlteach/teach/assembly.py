"""Read the machine code of a compiled function: its hot loop, and how many numbers that adds at once.

Numba hands out its machine code as text. The hot loop is found by its jump: an instruction that goes back to
a line above it, with no such loop inside. Additions of floating-point numbers are counted on x86 and on Arm;
a fused multiply-add counts as an addition.
"""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numba

from mlteach.teach.source import CODE_STYLE

LABEL = re.compile(r"^([.\w$]+):")
JUMP = re.compile(r"^\s+(?:j\w+|b\.\w+|b|cbn?z\s+\w+,|tbn?z\s+\w+,\s*#?\w+,)\s+([.\w$]+)\s*$")
X86_ADD = re.compile(r"^\s+v?(?:add|fn?madd\d*)([sp])([sd])\s.*?%([xyz])mm\d+(?: ?\{.*)?$")
ARM_ADD = re.compile(r"^\s+(?:fadd|fn?madd|fmla)(?:\.(\d+)[sd])?\s+(?:[sd]\d+|v\d+(?:\.(\d+)[sd])?)\b")
SVE_ADD = re.compile(r"^\s+(?:fadd|fmla|fmad)\s+z\d+\.([sd])\b")
STACK = re.compile(r"\(%[er]sp[,)]|\[sp\b")
REGISTER = {"x": 128, "y": 256, "z": 512}  # bits


@dataclass(frozen=True, repr=False)
class HotLoop:
    """The innermost loop of a compiled function.

    Attributes
    ----------
    lines : tuple of str
        Its machine code, an instruction a line.
    adds : tuple of int
        For each addition in it, how many numbers it adds at once: 1 is scalar, more is a vector.
    """

    lines: tuple[str, ...]
    adds: tuple[int, ...]

    @property
    def scalar(self) -> int:
        """How many of the additions add one number."""
        return sum(lanes == 1 for lanes in self.adds)

    @property
    def packed(self) -> int:
        """How many of the additions add several numbers at once."""
        return len(self.adds) - self.scalar

    @property
    def lanes(self) -> int:
        """The most numbers that one addition adds; 0 where there is none."""
        return max(self.adds, default=0)

    @property
    def stack_moves(self) -> int:
        """How many instructions read or write the stack, where a value goes that has no register."""
        return sum(STACK.search(line) is not None for line in self.lines)

    def __repr__(self) -> str:
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        marked = "border-left: 4px solid #E69F00; background: rgba(230, 159, 0, 0.2); padding-left: 8px"
        shown = (
            f'<span style="display: block; {marked if _lanes(line) else "padding-left: 12px"}">'
            f"{html.escape(line.strip().expandtabs(8))}\n</span>"
            for line in self.lines
        )
        return f'<pre style="{CODE_STYLE}">{"".join(shown)}</pre>'


def hot_loop(fn: Callable, *args) -> HotLoop:
    """Compile a function once more, and find the innermost loop that adds the most numbers.

    Parameters
    ----------
    fn : function under ``@njit``
    *args
        What it would be called with; only their types count.

    Returns
    -------
    HotLoop
        Of several innermost loops, such as one in vectors and one for what remains, the widest.

    Raises
    ------
    TypeError
        Where the function is not compiled by Numba.
    """
    if not hasattr(fn, "inspect_asm"):
        raise TypeError(f"{fn!r} has no machine code to read: put @njit above it")
    fresh = numba.jit(**fn.targetoptions)(fn.py_func)  # what came from the cache cannot be inspected
    signature = tuple(map(numba.typeof, args))
    fresh.compile(signature)
    return find_hot_loop(fresh.inspect_asm(signature))


def find_hot_loop(assembly: str) -> HotLoop:
    """The innermost loop of some machine code that adds the most numbers in a turn; empty where none adds."""
    candidates = (HotLoop(lines, tuple(filter(None, map(_lanes, lines)))) for lines in _loops(assembly))
    return max(candidates, key=lambda loop: sum(loop.adds), default=HotLoop((), ()))


def _loops(assembly: str) -> Iterator[tuple[str, ...]]:
    """The instructions of every innermost loop."""
    lines = [line.rstrip() for line in assembly.splitlines()]
    labels = {match[1]: at for at, line in enumerate(lines) if (match := LABEL.match(line))}
    jumps = ((labels.get(match[1], at), at) for at, line in enumerate(lines) if (match := JUMP.match(line)))
    spans = [(first, last) for first, last in jumps if first < last]
    for first, last in spans:
        if not any(first <= a and b <= last and (a, b) != (first, last) for a, b in spans):
            body = lines[first + 1 : last + 1]
            yield tuple(line for line in body if line.strip() and not re.match(r"\s*[.#;/]", line))


def _lanes(instruction: str) -> int:
    """How many numbers an instruction adds at once, 0 where it does not add.

    Arm's scalable vectors say their length only when they run: they count as the 128 bits that they have at
    least.
    """
    if match := X86_ADD.match(instruction):
        kind, number, register = match.groups()
        return 1 if kind == "s" else REGISTER[register] // (32 if number == "s" else 64)
    if match := ARM_ADD.match(instruction):
        return int(match[1] or match[2] or 1)
    if match := SVE_ADD.match(instruction):
        return 4 if match[1] == "s" else 2
    return 0
