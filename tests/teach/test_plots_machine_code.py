import pytest

from mlteach.gpu import sass
from mlteach.teach import plots

NAMES = ("cuda_coalesced", "cuda_shared", "cuda_registers_2d", "cuda_vector")


@pytest.fixture
def ax():
    return plots.figure()[1]


def bars(ax, name):
    return {p.get_gid().partition(": ")[2]: p for p in ax.patches if str(p.get_gid()).startswith(f"{name}: ")}


def test_instruction_mix_adds_up_and_shows_the_share_of_multiply_adds(ax):
    reports = [sass.report(name, compiled=False) for name in NAMES]
    assert plots.instruction_mix(ax, reports) is ax
    for report in reports:
        widths = {kind: bar.get_width() for kind, bar in bars(ax, report.name).items()}
        assert sum(widths.values()) == pytest.approx(100)
        assert widths["multiply-adds"] == pytest.approx(100 * report.share)
        assert widths["shared memory"] == pytest.approx(
            100 * report.count("LDS", "STS") / sum(report.hot_loop.values())
        )
    assert [label.get_text() for label in ax.get_yticklabels()] == list(NAMES)
    assert "local memory" not in [text.get_text() for text in ax.get_legend().get_texts()]


def test_instruction_mix_shows_a_spill(ax):
    plots.instruction_mix(ax, [sass.report("registers_16x16", compiled=False)])
    assert bars(ax, "registers_16x16")["local memory"].get_width() > 20


def test_occupancy_steps_falls_and_names_its_limit(ax):
    assert plots.occupancy_steps(ax, 128, 256, 8) is ax
    steps = next(line for line in ax.lines if line.get_gid() == "steps").get_ydata()
    assert (steps[0], steps[127], steps[254]) == (100, 25, 12.5)
    assert ax.get_title("left") == "16 of 64 warps fit; registers set the limit"


@pytest.mark.parametrize(
    ("registers", "threads", "kilobytes", "words"),
    [
        (16, 256, 8, "64 of 64 warps fit; the warps set the limit"),
        (16, 32, 0, "32 of 64 warps fit; the number of blocks set the limit"),
        (16, 256, 100, "16 of 64 warps fit; shared memory set the limit"),
    ],
)
def test_occupancy_text_names_the_tightest_limit(registers, threads, kilobytes, words):
    assert plots.occupancy_text(registers, threads, kilobytes) == words
