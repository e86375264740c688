"""Write the README's ladder table and its picture from the newest recorded ladder.

Without arguments it writes README.md and results/ladder.png. With --check it ends with 1 where the table in
README.md is not that of the newest ladder.
"""

import json
import sys
from pathlib import Path

from mlteach.files import replacing
from mlteach.matmul import FASTEST, KERNELS
from mlteach.measure.machine import Machine
from mlteach.measure.records import Measurement
from mlteach.measure.units import number_text, seconds_text
from mlteach.teach import plots

ROOT = Path(__file__).parents[1]
README, PICTURE = ROOT / "README.md", ROOT / "results" / "ladder.png"
BEGIN, END = "<!-- ladder: written by tools/table.py -->\n", "<!-- end of ladder -->\n"
SIZE = 1024  # of the squares in the table


def newest() -> dict:
    """The recorded ladder of a CPU with the latest date."""
    records = _recorded("results/*.json")
    records = [record for record in records if any(map(_in_the_table, record["measurements"]))]
    if not records:
        sys.exit(
            "results/ holds no ladder: record one with  mlteach ladder --iteration --json results/NAME.json"
        )
    return records[-1]


def _recorded(pattern: str) -> list[dict]:
    """The records of some files, by date, and those of a day by name."""
    records = [json.loads(path.read_text()) for path in sorted(ROOT.glob(pattern))]
    return sorted(records, key=lambda record: record["date"])


def table(record: dict) -> str:
    """The ladder as a Markdown table: square products in float32, the talk's iteration in float64."""
    measurements = [Measurement.from_dict(one) for one in record["measurements"]]
    products = {m.kernel: m for m in measurements if m.shape == (SIZE,) * 3 and m.dtype == "float32"}
    iterations = {m.kernel: m for m in measurements if m.workload == "iteration"}
    slowest = next(iter(products.values())).seconds
    lines = [
        f"| rung | idea | GFLOP/s, n = {SIZE} | times faster | training iteration |",
        "|---|---|--:|--:|--:|",
    ]
    for name in KERNELS:
        if name in products:
            cells = [number_text(products[name].gflops), number_text(slowest / products[name].seconds)]
            cells.append(_approximate(iterations.get(name)))
            lines.append(f"| `{name}` | {KERNELS[name].idea} | {' | '.join(cells)} |")
    machine = Machine.from_dict(record["machine"])
    note = (
        f"Measured on {record['date']}: {machine}, NumPy {machine.packages['numpy']}, "
        f"Numba {machine.packages['numba']}. Products of squares in float32, the talk's training iteration "
        "on all 60 000 digits in float64; ≈ was timed on the first rows and scaled."
    )
    return "\n".join([*lines, "", note, "", fused(_recorded("results/fused/*.json")[-1]), ""])


def fused(record: dict) -> str:
    """What fusing the whole iteration buys, on the most threads that were recorded, as a sentence."""
    most = max(one["threads"] for one in record["iterations"])
    seconds = {one["way"]: one["seconds"] for one in record["iterations"] if one["threads"] == most}
    times = {way: f"{number_text(seconds[way] / seconds['fused'])} times" for way in seconds}
    machine = Machine.from_dict(record["machine"])
    return (
        "Notebook 11 fuses the iteration, sigmoid and accuracy included, into one pass over the raw pixels: "
        f"**{seconds_text(seconds['fused'])}** on {most} threads, {times['numpy float32']} faster than two "
        f"products of NumPy in float32 and {times['numpy float64']} faster than in float64 "
        f"(measured on {record['date']}, {machine.name}, {machine.cores} cores)."
    )


def draw(record: dict) -> bytes:
    """The recorded ladder by size, as a PNG."""
    measurements = [Measurement.from_dict(one) for one in record["measurements"]]
    peak = Machine.from_dict(record["machine"]).peak["float32"]
    figure, ax = plots.figure()
    plots.ladder_by_size(ax, measurements, newest=FASTEST[0], peak=peak.all)
    return figure.png()


def main() -> None:
    """Write the table and the picture, or compare the table."""
    before, rest = README.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    record = newest()
    text = before + BEGIN + "\n" + table(record) + "\n" + END + after
    if "--check" in sys.argv[1:]:
        if text != README.read_text(encoding="utf-8"):
            sys.exit("the ladder in README.md is not the newest one in results/: run  python tools/table.py")
        return
    for path, content in ((README, text.encode()), (PICTURE, draw(record))):
        with replacing(path) as file:
            file.write(content)


def _in_the_table(measurement: dict) -> bool:
    return measurement["shape"] == [SIZE] * 3 and "first_seconds" not in measurement


def _approximate(measurement: Measurement | None) -> str:
    if measurement is None:
        return ""
    return ("≈ " if measurement.scaled else "") + seconds_text(measurement.seconds)


if __name__ == "__main__":
    main()
