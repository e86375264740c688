"""What compilers make of the GPU kernels: read from the shipped reports, and made again where they are."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mlteach.errors import GpuUnavailable
from mlteach.gpu import compilers, sass
from mlteach.gpu.kernels import CUDA
from mlteach.gpu.occupancy import blocks_together, occupancy

ROOT = Path(__file__).parents[2]
COMPILERS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"][
    "compilers"
]
EVERY = [
    pytest.param(name, capability, id=f"{name}-sm_{capability[0]}{capability[1]}")
    for capability in sass.SHIPPED
    for name, launch in CUDA.items()
    if launch.capability <= capability
]


def shipped(name, capability=(9, 0)):
    return sass.report(name, capability, compiled=False)


@pytest.mark.parametrize(("name", "capability"), EVERY)
def test_no_kernel_spills(name, capability):
    report = shipped(name, capability)
    assert (report.name, report.compute_capability, report.spill_bytes) == (name, capability, 0)
    assert not [one for one in report.instructions if one.startswith(("LDL", "STL"))]
    assert report.registers <= 255
    assert 0 < report.occupancy <= 1


@pytest.mark.parametrize("capability", sass.SHIPPED)
def test_each_step_of_the_ladder_computes_more_and_loads_less(capability):
    shares = [
        shipped(name, capability).share
        for name in ("cuda_coalesced", "cuda_shared", "cuda_registers_1d", "cuda_registers_2d", "cuda_vector")
    ]
    assert shares == sorted(shares)


@pytest.mark.parametrize("capability", sass.SHIPPED)
def test_vector_moves_128_bits_and_nothing_less(capability):
    report = shipped("cuda_vector", capability)
    assert report.share >= 0.88
    assert report.registers <= 128
    assert report.count("FFMA") == 8 * 8 * 8
    assert report.widths("LDS") == {128: 32}
    assert report.widths("LDG") == {128: 2}


@pytest.mark.parametrize("capability", sass.SHIPPED)
def test_double_buffer_leaves_room_for_two_blocks(capability):
    report = shipped("cuda_double_buffer", capability)
    assert report.share >= 0.85
    assert report.widths("LDS") == {128: 4}
    assert report.registers <= 128


@pytest.mark.parametrize("capability", [(8, 0), (9, 0)])
def test_tensor_core_uses_tensor_cores_and_asynchronous_copies(capability):
    report = shipped("cuda_tensor_core", capability)
    assert report.count("HMMA.16816.F32") == 32
    assert report.count("LDGSTS.E.BYPASS.128") == 4
    assert report.count("LDSM.16.M88.4", "LDSM.16.MT88.4") == 12
    assert report.registers <= 128


def test_tensor_core_says_what_it_needs():
    with pytest.raises(ValueError, match=r"cuda_tensor_core needs compute capability 8\.0, not 7\.5"):
        sass.report("cuda_tensor_core", (7, 5))


def test_unknown_kernels_and_gpus():
    with pytest.raises(ValueError, match="'jit' is not a kernel of ours"):
        sass.report("jit")
    with pytest.raises(
        ValueError, match=r"no report for compute capability \(6, 1\): take one of \(\(7, 5\)"
    ):
        sass.report("cuda_naive", (6, 1), compiled=False)


def test_a_report_reads_well():
    lines = str(shipped("cuda_double_buffer")).splitlines()
    assert lines[0] == "cuda_double_buffer for compute capability 9.0"
    assert lines[1] == "registers       110 a thread, 0 bytes spilled"
    assert "85% multiply-adds" in lines[5]
    folded = re.findall(r"\.\.\. (\d+) more FFMA", shipped("cuda_double_buffer").listing)
    single = re.findall(r"^FFMA", shipped("cuda_double_buffer").listing, re.MULTILINE)
    assert sum(map(int, folded)) + len(single) == 64


CODE = """
.text.kernel:
        /*0000*/                   MOV R1, c[0x0][0x28] ;
.L_x_0:
        /*0010*/                   LDG.E.128 R4, [R2.64] ;
.L_x_1:
        /*0020*/              @!PT LDS RZ, [RZ] ;
        /*0030*/                   LDS R8, [R9] ;
        /*0040*/                   FFMA R0, R8, R8, R0 ;
        /*0050*/                   FFMA R1, R8, R8, R1 ;
        /*0060*/                   FFMA R2, R8, R8, R2 ;
        /*0070*/               @P0 BRA `(.L_x_1) ;
        /*0080*/              @!P1 BRA `(.L_x_0) ;
        /*0090*/                   FFMA R0, R8, R8, R0 ;
.L_x_2:
        /*00a0*/                   BRA `(.L_x_2);
        /*00b0*/                   NOP;
"""


def test_the_hot_loop_is_the_innermost_one_with_most_multiply_adds():
    lines, labels = sass.parse(CODE)
    assert labels == {".L_x_0": 1, ".L_x_1": 2, ".L_x_2": 9}
    assert [name for name, _ in lines].count("FFMA") == 4
    loop = sass.hot_loop(lines, labels)
    assert [name for name, _ in loop] == ["LDS", "FFMA", "FFMA", "FFMA", "BRA"]
    assert sass.folded(loop).splitlines() == [
        "LDS R8, [R9]",
        "FFMA R0, R8, R8, R0",
        "    ... 2 more FFMA",
        "@P0 BRA `(.L_x_1)",
    ]


@pytest.mark.parametrize(
    ("threads", "registers", "shared_bytes", "blocks", "share"),
    [
        (256, 128, 8320, {"warps": 8, "blocks": 32, "registers": 2, "shared": 24}, 0.25),
        (256, 130, 8320, {"warps": 8, "blocks": 32, "registers": 1, "shared": 24}, 0.125),
        (256, 32, 0, {"warps": 8, "blocks": 32, "registers": 8, "shared": 228}, 1.0),
        (1024, 64, 120_000, {"warps": 2, "blocks": 32, "registers": 1, "shared": 1}, 0.5),
        (32, 16, 0, {"warps": 64, "blocks": 32, "registers": 128, "shared": 228}, 0.5),
    ],
)
def test_occupancy_by_hand(threads, registers, shared_bytes, blocks, share):
    assert blocks_together((9, 0), threads, registers, shared_bytes) == blocks
    assert occupancy((9, 0), threads, registers, shared_bytes) == share


def test_occupancy_of_an_unknown_gpu():
    with pytest.raises(ValueError, match=r"compute capability \(1, 0\) is not known here"):
        occupancy((1, 0), 32, 32, 0)


def test_without_compilers_a_report_is_read(monkeypatch):
    monkeypatch.setattr(compilers, "missing", lambda: "no compilers here: install them")
    assert sass.report("cuda_naive") == shipped("cuda_naive")
    with pytest.raises(GpuUnavailable, match="no compilers here"):
        sass.report("cuda_naive", compiled=True)


def test_missing_compilers_are_named(monkeypatch):
    versions = {**dict.fromkeys(compilers.PACKAGES, "1.0"), "nvidia-nvvm": None}
    monkeypatch.setattr(compilers, "versions", lambda: versions)
    compilers.missing.cache_clear()
    try:
        assert compilers.missing().startswith("nvidia-nvvm not installed: run `pip install ")
    finally:
        compilers.missing.cache_clear()


def test_the_reports_come_from_the_pinned_compilers():
    pinned = dict(line.split("==") for line in COMPILERS)
    for major, minor in sass.SHIPPED:
        made_by = json.loads((sass.REPORTS / f"sm_{major}{minor}.json").read_text("utf-8"))["compilers"]
        assert made_by == {package: pinned[package] for package in compilers.PACKAGES}


def check(python, **environment):
    """Run tools/sass.py --check; what it says where the reports are others now."""
    done = subprocess.run(
        [python, str(ROOT / "tools" / "sass.py"), "--check"],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
    )
    return done.stderr if done.returncode else ""


@pytest.mark.skipif(compilers.missing() is not None, reason=f"compilers: {compilers.missing()}")
def test_the_shipped_reports_are_what_these_compilers_make():
    pinned = dict(line.split("==") for line in COMPILERS)
    here = {name: importlib.metadata.version(name) for name in compilers.PACKAGES}
    if here != {name: pinned[name] for name in here}:
        pytest.skip(f"the reports are of other versions than {here}")
    assert check(sys.executable) == ""


@pytest.mark.slow
def test_the_shipped_reports_can_be_made_again(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path)], check=True)
    python = str(tmp_path / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))
    command = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        *COMPILERS,
        "greenlet",
    ]
    installed = subprocess.run(command, capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"the compilers cannot be installed: {installed.stderr.strip().splitlines()[-1]}")
    assert check(python) == ""


def test_range_costs_more_instructions_than_while():
    slow, fast = (shipped(name) for name in ("coalesced_range", "cuda_coalesced"))
    each = [sum(one.hot_loop.values()) / one.count("FFMA") for one in (slow, fast)]
    assert each[0] > 4 * each[1]


def test_a_tile_of_16_by_16_spills():
    report = shipped("registers_16x16")
    assert report.registers == 255
    assert report.spill_bytes > 1000
    assert report.instructions.keys() & {"LDL", "STL"}
