import itertools
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from mlteach.errors import GpuUnavailable
from mlteach.matmul import KERNELS, Kernel, cores, usable_cores
from mlteach.measure import bench, probe, turns, worker
from mlteach.measure import task as task_module
from mlteach.measure import trial as trial_module
from mlteach.measure.bench import Measurement, Race, compare, ladder, time_iteration, time_product
from mlteach.measure.race import Table, spread, unrest
from mlteach.measure.task import make_task
from mlteach.measure.trial import Trial
from mlteach.measure.weakness import clean_environment, weaknesses
from mlteach.measure.worker import Worker


@pytest.fixture(autouse=True)
def calm(monkeypatch):
    """A test that wants a weakened library or a busy machine says so; what it runs on has no say."""
    for weakness in weaknesses():
        monkeypatch.delenv(weakness.variable)
    monkeypatch.setattr(probe, "busy_cores", lambda seconds: 0.0)


@pytest.fixture
def clock(monkeypatch):
    """A clock that only fake kernels move."""

    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    made = Clock()
    monkeypatch.setattr(trial_module, "clock", made)
    return made


def fake(name, clock, cost, *, product=np.matmul, calls=None):
    """A kernel that takes `cost(rows)` seconds of the fake clock; `calls` collects what it is called with."""

    def run(a, b, out, threads):
        if calls is not None:
            calls.append((name, a.shape, b.shape))
        out[...] = product(a, b)
        clock.now += cost(len(a))

    return Kernel(name, "", "", "cpu", (np.dtype("float32"), np.dtype("float64")), False, run, run)


def test_ratio_and_gflops_follow_from_the_costs(clock):
    slow, quick = (fake(name, clock, lambda rows, c=c: c) for name, c in (("slow", 0.04), ("quick", 0.01)))
    race = compare([slow, quick], (20, 30, 40), dtype="float64")
    assert race.ratio("slow", "quick") == pytest.approx(4)
    assert race.seconds == pytest.approx({"slow": 0.04, "quick": 0.01})
    assert not race.busy
    assert race.verdict("slow", "quick") == "quick is 4.0 times faster than slow here."
    assert race.verdict("quick", "slow") == "slow is 4.0 times slower than quick here."
    first = race.measurements[0]
    assert first == Measurement("slow", "product", (20, 30, 40), "float64", 1, pytest.approx(0.04))
    assert first.gflops == pytest.approx(2 * 20 * 30 * 40 / 0.04 / 1e9)


def test_a_measurement_is_the_median_of_its_samples(clock, monkeypatch):
    taken = turns.Turns({"k": (0.3, 0.1, 0.9)}, frozenset(), 0.0, False, {"k": {}})
    monkeypatch.setattr(bench, "race", lambda tasks, rounds: taken)
    assert time_product(fake("k", clock, lambda rows: 0.1), n=4).seconds == 0.3


def test_the_first_call_never_counts(clock):
    first = iter([1000.0])  # as long as a compiler takes, and far beyond any budget
    race = compare([fake("lazy", clock, lambda rows: next(first, 0.01))], (1, 16, 16))
    assert race.samples["lazy"] == pytest.approx((0.01,) * 5)


def test_what_a_kernel_loads_for_more_rows_never_counts(clock):
    loading = iter([9.0])  # as `simd` does, which takes other code for products worth several threads
    kernel = fake("late", clock, lambda rows: 1e-5 * rows + (next(loading, 0) if rows > 8 else 0))
    measured = time_product(kernel, (1000, 4, 4))
    assert not measured.scaled
    assert measured.seconds == pytest.approx(0.01)


@pytest.mark.parametrize("a_row", [0.5, 0.05, 0.004])
def test_a_slow_kernel_is_timed_on_its_first_rows(clock, a_row):
    overhead = 0.02  # does not grow with the rows, and must not be multiplied by them
    calls = []
    kernel = fake("slow", clock, lambda rows: overhead + a_row * rows, calls=calls)
    measured = time_product(kernel, (1000, 3, 2), budget=2.0)
    assert measured.scaled
    assert measured.seconds == pytest.approx(overhead + 1000 * a_row)
    assert max(rows for _, (rows, _), _ in calls) < 1000
    assert clock.now < 8 * 2.0


def test_few_rows_timed_in_a_busy_moment_do_not_count(clock):
    """Sixty times slower at first: then more rows would seem to cost less than the few before."""
    calls = itertools.count()
    kernel = fake("slow", clock, lambda rows: (0.02 + 0.01 * rows) * (60 if next(calls) < 3 else 1))
    measured = time_product(kernel, (4000, 3, 2), budget=2.0)
    assert measured.scaled
    assert measured.seconds == pytest.approx(0.02 + 4000 * 0.01)


def test_the_price_of_a_row_stands_out_of_what_does_not_grow(clock):
    """A fixed part of 0.2 s, give or take a tenth, beside 1 ms a row: a few rows would say nothing."""
    noise = itertools.cycle([1.0, 1.1, 0.95, 1.05, 0.9])
    kernel = fake("slow", clock, lambda rows: 0.2 * next(noise) + 0.001 * rows)
    measured = time_product(kernel, (60_000, 3, 2), budget=2.0, rounds=5)
    assert measured.scaled
    assert measured.seconds == pytest.approx(60.2, rel=0.25)


def test_a_kernel_that_is_quick_enough_is_timed_whole(clock):
    measured = time_product(fake("quick", clock, lambda rows: 0.0005 * rows), (1000, 3, 2), budget=2.0)
    assert not measured.scaled
    assert measured.seconds == pytest.approx(0.5)


def test_the_rows_grow_step_by_step_so_that_no_try_is_far_longer_than_the_last(clock):
    calls = []
    kernel = fake("quick", clock, lambda rows: 1e-7 * rows, calls=calls)
    Trial(make_task(kernel, "product", (50_000, 1, 1), "float32", 1, 2.0))
    tried = sorted({rows for _, (rows, _), _ in calls[1:]})
    assert tried == [1, 16, 256, 4096, 50_000]


def test_a_sample_repeats_short_calls(clock):
    calls = []
    kernel = fake("quick", clock, lambda rows: 3e-4, calls=calls)
    trial = Trial(make_task(kernel, "product", (4, 4, 4), "float32", 1, 2.0))
    calls.clear()
    assert trial.sample() == pytest.approx(3e-4)
    assert len(calls) == 1 + 17  # one that does not count, and 17 that last 5 ms


def test_kernels_take_turns_and_each_round_begins_with_another(clock):
    calls = []
    names = ["a", "b", "c"]
    kernels = [fake(name, clock, lambda rows: 0.1, calls=calls) for name in names]
    compare(kernels, n=4, rounds=3, budget=100.0)
    assert "".join(name for name, _, _ in calls[-9:]) == "abcbcacab"


def test_a_kernel_sits_out_when_its_budget_is_used(clock):
    slow = fake("slow", clock, lambda rows: 3.0)
    quick = fake("quick", clock, lambda rows: 0.1)
    race = compare([slow, quick], n=1, rounds=5, budget=2.0)
    assert len(race.samples["slow"]) == 1
    assert len(race.samples["quick"]) == 5


def test_a_busy_machine_gives_no_verdict(clock):
    waits = {name: iter(range(10_000)) for name in "ab"}
    kernels = [fake(n, clock, lambda rows, n=n: 0.1 * (1 + next(waits[n]) * 7 % 5)) for n in "ab"]
    race = compare(kernels, n=4, budget=100.0)
    assert race.busy
    assert race.verdict("a", "b").startswith("The machine is busy: no verdict on a and b.")
    assert "no verdict" in str(race)


def test_a_busy_moment_is_waited_out(clock):
    # The warm-up and the rows, a busy attempt, then calm.
    waits = iter([1, 1, 1] + [1, 9, 2, 7, 5] + [1] * 1000)
    race = compare([fake("a", clock, lambda rows: 0.1 * next(waits))], (1, 4, 4), budget=100.0)
    assert not race.busy
    assert race.seconds["a"] == pytest.approx(0.1)


def test_a_crowded_machine_gives_a_verdict_only_on_what_is_clear(clock, monkeypatch):
    kernels = [fake(n, clock, lambda rows, c=c: c) for n, c in (("slow", 0.4), ("mid", 0.2), ("quick", 0.1))]
    monkeypatch.setattr(turns.os, "cpu_count", lambda: 1)
    monkeypatch.setattr(probe, "busy_cores", lambda seconds: 9.0)
    race = compare(kernels, n=4)
    assert race.crowded
    assert race.busy
    assert race.verdict("slow", "quick") == "quick is 4.0 times faster than slow here."
    assert race.verdict("quick", "slow") == "slow is 4.0 times slower than quick here."
    assert "no verdict on slow and mid" in race.verdict("slow", "mid")
    assert race.notes == ("Other programs use 9.0 of 1 cores: close them for times to trust.",)


def test_a_machine_with_room_for_others_is_not_crowded(clock, monkeypatch):
    monkeypatch.setattr(turns.os, "cpu_count", lambda: 2)
    for others, crowded in ((1.4, False), (1.6, True), (None, False)):
        monkeypatch.setattr(probe, "busy_cores", lambda seconds, others=others: others)
        assert compare([fake("k", clock, lambda rows: 0.1)], n=4).crowded is crowded


def test_equally_fast_is_said():
    race = Race((4, 4, 4), "float32", {"a": 1, "b": 1}, {"a": (1.0, 1.1, 1.2), "b": (1.05, 1.1, 1.15)})
    assert race.verdict("a", "b") == "b and a are equally fast here."
    near = Race((4, 4, 4), "float32", {"a": 1, "b": 1}, {"a": (1.01,) * 3, "b": (1.0,) * 3})
    assert "within 2%" in near.verdict("a", "b")


def test_the_spread_ignores_one_wild_sample():
    assert spread([1.0, 1.0, 1.0, 1.0, 50.0]) == 0
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(2 / 3)
    assert spread([1.0]) == 0
    assert unrest({"a": [1.0], "b": [1.0, 2.0, 3.0, 4.0, 5.0]}) == pytest.approx(2 / 3)


def last_row_missing(a, b, wrong=0):
    made = a @ b
    made[-1] = wrong
    return made


@pytest.mark.parametrize(
    ("product", "where"),
    [
        (last_row_missing, "row 39, column"),
        (lambda a, b: a[:, :-1] @ b[:-1], "row"),
        (lambda a, b: (a @ b).astype(np.float16), "row"),
        (lambda a, b: last_row_missing(a, b, np.nan), "row 39, column"),
    ],
)
def test_a_wrong_kernel_is_not_timed(clock, product, where):
    kernel = fake("wrong", clock, lambda rows: 0.01, product=product)
    with pytest.raises(ValueError, match=f"kernel 'wrong' is wrong, so there is nothing to time: {where}"):
        time_product(kernel, (40, 50, 60))


def test_a_wrong_last_row_is_found_in_a_large_product(clock, monkeypatch):
    monkeypatch.setattr(task_module, "CHECKED", 1000)
    with pytest.raises(ValueError, match="row 299"):
        time_product(fake("wrong", clock, lambda rows: 0.001, product=last_row_missing), n=300)


def test_a_wrong_product_on_the_way_back_is_found(clock):
    def product(a, b):
        return last_row_missing(a, b) if len(a) == 785 else a @ b

    with pytest.raises(ValueError, match="row 784"):
        time_iteration(fake("wrong", clock, lambda rows: 0.01, product=product), images=20)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_right_kernels_pass_the_check_at_any_size(clock, dtype):
    for shape in ((1, 1, 1), (7, 1, 3), (1, 2000, 5), (33, 65, 17)):
        time_product(fake("right", clock, lambda rows: 0.1), shape, dtype)


def test_inputs_are_the_same_each_time_and_never_zero(clock):
    task = make_task(fake("k", clock, lambda rows: 0.1), "product", (9, 8, 7), "float32", 1, 2.0)
    (a, b, _), (again, _, _) = Trial(task)._calls[0], Trial(task)._calls[0]
    assert (a == again).all()
    assert a.dtype == b.dtype == np.float32
    assert min(a.min(), b.min()) >= 0.5


def test_an_iteration_is_three_products(clock):
    calls = []
    kernel = fake("k", clock, lambda rows: 0.01, calls=calls)
    measured = time_iteration(kernel, images=100)
    forward, back = ("k", (100, 785), (785, 10)), ("k", (785, 100), (100, 10))
    assert calls[-3:] == [forward, forward, back]
    assert measured.seconds == pytest.approx(0.03)
    assert measured.shape == (100, 785, 10)
    assert measured.dtype == "float64"
    assert measured.gflops == pytest.approx(3 * 2 * 100 * 785 * 10 / 0.03 / 1e9)


def test_a_slow_iteration_is_timed_on_fewer_images(clock):
    calls = []

    def cost(rows):  # a millisecond per image in each product; the transposed one has 785 rows
        return 0.001 * (calls[-1][2][0] if rows == 785 else rows)

    measured = time_iteration(fake("slow", clock, cost, calls=calls))
    assert measured.scaled
    assert measured.seconds == pytest.approx(180)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"kernels": ["jti"]}, ValueError, "'jti' is not a rung of the ladder: choose one of loops"),
        ({"kernels": []}, ValueError, "needs different kernels"),
        ({"kernels": ["jit", "jit"]}, ValueError, "each named once"),
        ({"n": 0}, ValueError, "cannot be timed"),
        ({"n": None}, ValueError, "either shape"),
        ({"shape": (1, 2, 3)}, ValueError, "either shape"),
        ({"n": None, "shape": (1, 2)}, ValueError, "three whole numbers"),
        ({"n": None, "shape": (1, 2, 2.5)}, ValueError, "three whole numbers"),
        ({"dtype": "int32"}, TypeError, "computes in float32 or float64, not in int32"),
        ({"dtype": "flaot32"}, TypeError, "not in flaot32"),
        ({"threads": 0}, ValueError, "threads must be at least 1, not 0"),
        ({"threads": 1.5}, TypeError, "threads must be a whole number or None, not 1.5"),
        ({"kernels": "jit"}, ValueError, "kernels must be a list, not 'jit' alone"),
        ({"kernels": [None]}, ValueError, "None is no kernel: give the name of a rung"),
        ({"rounds": 0}, ValueError, "rounds must be a whole number from 1 on, not 0"),
        ({"rounds": 2.5}, ValueError, "not 2.5"),
        ({"budget": 0}, ValueError, "budget"),
        ({"budget": "long"}, ValueError, "budget must be a number of seconds above 0, not 'long'"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_sentence(arguments, error, message):
    with pytest.raises(error, match=message):
        compare(**{"kernels": ["jit"], "n": 8, **arguments})


def test_threads_are_clamped_and_serial_kernels_use_one():
    def task(name, threads):
        return make_task(name, "product", (4, 4, 4), np.float32, threads, 2.0)

    assert task("threads_row", 10_000).threads == usable_cores()
    assert task("threads_row", None).threads == usable_cores()
    assert task("loops", None).threads == 1
    assert task("loops", None).dtype == "float32"


def test_a_kernel_of_ones_own_races_on_one_thread_only(monkeypatch):
    mine = fake("mine", SimpleNamespace(now=0), lambda rows: 0)
    assert compare([mine, "numpy_rows"], n=4, rounds=1).seconds.keys() == {"mine", "numpy_rows"}
    monkeypatch.setattr(cores, "usable_cores", lambda: 2)
    with pytest.raises(ValueError, match="mine exists only in this process, so race on one thread"):
        compare([mine, "threads_row"], n=4, threads=2)


def test_no_race_against_a_weakened_blas(clock, monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    mine = fake("mine", clock, lambda rows: 0.01)
    with pytest.raises(
        ValueError, match="no fair race between blas and mine here: OPENBLAS_CORETYPE=Haswell"
    ):
        compare(["blas", mine], n=4)


@pytest.fixture
def started(monkeypatch):
    """The workers that a test starts."""
    workers = []

    class Watched(Worker):
        def __init__(self, threads):
            super().__init__(threads)
            workers.append(self)

    monkeypatch.setattr(turns, "Worker", Watched)
    turns.timed_machine.cache_clear()
    yield workers
    turns.timed_machine.cache_clear()


def test_a_weakened_library_is_timed_in_a_process_without_the_weakness(monkeypatch, started):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Nehalem")
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    race = compare(["blas", "numpy_rows"], n=16, rounds=1)
    assert len(started) == 2  # one that timed both kernels, one that described the machine to explain blas
    assert any("OPENBLAS_CORETYPE=Nehalem" in note and "without it" in note for note in race.notes)
    assert "Nehalem" not in str(turns.timed_machine().blas.reasons)


def test_the_clean_environment_has_no_weakness(monkeypatch):
    for name, value in (
        ("OPENBLAS_CORETYPE", "Haswell"),
        ("NUMBA_OPT", "0"),
        ("OMP_NUM_THREADS", "1"),
        ("X", "y"),
    ):
        monkeypatch.setenv(name, value)
    clean = clean_environment(usable_cores())
    assert not weaknesses(clean)
    assert clean["X"] == "y"
    assert clean["OMP_NUM_THREADS"] == str(usable_cores())


@pytest.mark.skipif(usable_cores() < 2, reason="needs two cores")
def test_on_two_threads_each_kernel_has_its_own_process_and_none_is_left(started):
    race = compare(["numpy_rows", "blas"], n=32, threads=2, rounds=2)
    assert race.threads == {"numpy_rows": 1, "blas": 2}
    assert min(race.seconds.values()) > 0
    assert len(started) == 2
    assert all(one._process.poll() is not None for one in started)


@pytest.fixture(scope="module")
def child():
    with Worker(1) as made:
        yield made


def test_a_worker_passes_errors_on(child):
    task = make_task("jit", "product", (4, 4, 4), "float32", 1, 2.0).as_dict()
    with pytest.raises(TypeError, match="not in int8"):
        child.ask("trial", {**task, "dtype": "int8"})
    with pytest.raises(ValueError, match="not a rung"):
        child.ask("trial", {**task, "kernel": "nothing"})
    with pytest.raises(RuntimeError, match="the timing process failed with IndexError"):
        child.ask("sample", 99)


def test_a_worker_times_and_describes(child):
    made = child.trial(make_task("loops", "product", (8, 8, 8), "float64", 1, 2.0))
    assert made.sample() > 0
    assert made.rounds >= 1
    assert not made.scaled
    assert child.describe().cores == usable_cores()


@pytest.mark.parametrize("problem", [KeyboardInterrupt, RuntimeError])
def test_a_worker_ends_with_its_block(problem):
    with pytest.raises(problem), Worker(1) as made:
        raise problem
    assert made._process.poll() is not None


def test_a_worker_that_dies_is_reported():
    with Worker(1) as made:
        made._process.kill()
        with pytest.raises(RuntimeError, match="the timing process ended with code"):
            made.ask("describe", False)


def test_a_worker_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(worker, "PATIENCE", 0.05)
    with Worker(1) as made, pytest.raises(RuntimeError, match="ended with code"):
        made.ask("describe", False)


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="looks at /proc")
def test_a_worker_does_not_outlive_a_parent_that_was_killed():
    parent = (
        "import os, signal; from mlteach.measure.worker import Worker; made = Worker(1);"
        "made.ask('describe', False); print(made._process.pid, flush=True);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    pid = int(subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True).stdout)
    deadline = time.monotonic() + 20
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(pid)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    "lack", [GpuUnavailable("no GPU here"), RuntimeError("no compiler"), ImportError("no Numba"), OSError(30)]
)
def test_the_ladder_leaves_out_what_cannot_run_here(lack):
    def timed(name, **options):
        if name == "cuda_naive":
            raise lack
        return Measurement(name, "product", options["shape"], options["dtype"], 1, 1.0)

    said = []
    made = ladder(
        ["loops", "cuda_naive", "jit"], (1, 2, 3), time=timed, progress=lambda *args: said.append(args)
    )
    assert [one.kernel for one in made] == ["loops", "jit"]
    assert [name for name, _ in said] == ["loops", "loops", "cuda_naive", "cuda_naive", "jit", "jit"]
    assert said[3][1] is lack
    assert said[5][1] is made[1]


def test_the_ladder_times_rung_after_rung():
    rungs = [name for name, kernel in KERNELS.items() if kernel.device == "python"] + ["numpy_rows", "blas"]
    made = ladder(rungs, n=6, threads=1, rounds=1, budget=0.1)
    assert [one.kernel for one in made] == rungs
    assert all(one.seconds > 0 and one.shape == (6, 6, 6) for one in made)


def test_a_race_shows_itself_as_a_table():
    samples = {"loops": (2.0, 2.0, 2.0), "a<b": (0.5, 0.5, 0.5)}
    race = Race(
        (10, 10, 10), "float32", dict.fromkeys(samples, 1), samples, frozenset(["loops"]), notes=("A note.",)
    )
    lines = str(race.table()).splitlines()
    assert lines[0].split() == ["rung", "time", "GFLOP/s", "times", "faster", "than", "loops", "spread"]
    assert lines[1].split() == ["loops", "≈", "2", "s", "1e-06", "1.00", "0%"]
    assert lines[2].split()[:4] == ["a<b", "500", "ms", "4e-06"]
    assert lines[3:] == [
        "a<b is 4.0 times faster than loops here.",
        "≈ loops: timed on the first rows, and scaled.",
        "A note.",
    ]
    assert len({len(line) for line in lines[:3]}) == 1
    assert "a&lt;b" in race._repr_html_()
    assert "a<b" not in race._repr_html_()
    assert repr(race) == repr(race.table()) == str(race.table())
    with pytest.raises(KeyError, match="'jit' was not in this race"):
        race.ratio("loops", "jit")


def test_a_table_without_rows_has_its_headings():
    assert str(Table(("a", "b"), ())) == "a  b"


def test_a_measurement_survives_json():
    one = Measurement("jit", "iteration", (60000, 785, 10), "float64", 2, 0.5, True)
    assert Measurement.from_dict(one.as_dict()) == one
    assert Measurement.from_dict({**one.as_dict(), "added later": 1}) == one


@pytest.mark.parametrize(
    "change",
    [
        {"seconds": 0},
        {"seconds": "fast"},
        {"seconds": float("nan")},
        {"seconds": float("inf")},
        {"shape": [1, 2]},
        {"shape": [0, 1, 2]},
        {"shape": [float("inf"), 1, 2]},
        {"shape": None},
        {"threads": 0},
        {"workload": "nap"},
        {"dtype": "int8"},
    ],
)
def test_what_is_no_measurement_is_refused(change):
    good = Measurement("jit", "product", (1, 2, 3), "float32", 1, 0.5).as_dict()
    with pytest.raises(ValueError, match="is not a measurement"):
        Measurement.from_dict({**good, **change})
    for name in ("kernel", "workload", "shape", "dtype", "threads", "seconds"):
        with pytest.raises(ValueError, match="is not a measurement"):
            Measurement.from_dict({key: value for key, value in good.items() if key != name})
