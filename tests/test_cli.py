"""The command line: what it prints, what it writes, how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mlteach import __version__, cli, cli_files, mnist, resources
from mlteach.learn import logistic, mlp
from mlteach.matmul import KERNELS


def run(capsys, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["mlteach", *map(str, arguments)])
    code = cli._run()
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def mlteach(capsys, monkeypatch):
    return lambda *arguments: run(capsys, monkeypatch, *arguments)


@pytest.mark.parametrize("command", [[], ["doctor"], ["train"], ["ladder"], ["notebooks"]])
def test_help_everywhere(mlteach, command):
    code, out, err = mlteach(*command, "--help")
    assert code == 0
    assert "Usage" in out
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nope"], "No such command 'nope'"),
        (["train", "--dtype", "float16"], "float16"),
        (["train", "--kernel", "blass"], "did you mean 'blas'"),
        (["train", "--threads", "0"], "threads must be at least 1, not 0"),
        (["train", "--model", "fused", "--threads", "0"], "threads must be at least 1, not 0"),
        (["train", "--model", "mlpp"], "'mlpp'"),
        (["train", "--model", "fused", "--dtype", "float64"], "fused computes in float32"),
        (["train", "--model", "fused", "--kernel", "blas"], "leave --kernel out"),
        (["train", "--images", "0"], "--images must be from 1 to 60000, not 0"),
        (["train", "--images", "60001"], "not 60001"),
        (["train", "--iterations", "-1"], "--iterations"),
        (["train", "--save", "/no/such/folder/w.npz"], "does not exist"),
        (["train", "--save", "."], "it is a folder"),
        (["train", "--json", "both", "--save", "./both"], "cannot write both twice"),
        (["train", "--images", "nan"], "integer: try --help"),
        (["doctor", "--json", "/no/such/folder/d.json"], "does not exist"),
        (["ladder", "--size", "8", "--shape", "8x8x8"], "--size and --shape"),
        (["ladder", "--shape", "8x8"], "8x8"),
        (["ladder", "--shape", "8x0x8"], "8x0x8"),
        (["ladder", "--kernels", "loops,nope"], "nope"),
        (["ladder", "--kernels", ""], "kernel ''"),
        (["ladder", "--plot", "ladder.xyz"], "xyz"),
        (["notebooks", __file__], "it is a file, name a folder"),
    ],
)
def test_misuse_is_one_sentence_and_code_2(mlteach, arguments, words):
    code, out, err = mlteach(*arguments)
    assert code == cli.MISUSED
    assert out == ""
    assert err.count("\n") == 1
    assert words in err


def test_version(mlteach):
    assert mlteach("--version") == (0, f"mlteach {__version__}\n", "")


def test_no_command_shows_the_help(mlteach):
    assert mlteach() == mlteach("--help")


def test_train_prints_and_writes_the_talks_accuracies(mlteach, tmp_path):
    files = {name: tmp_path / name for name in ("figures.json", "weights.npz", "curve.png")}
    code, out, _ = mlteach(
        *("train", "--iterations", 3, "--images", 2000, "--kernel", "jit"),
        *("--json", files["figures.json"], "--save", files["weights.npz"], "--plot", files["curve.png"]),
    )
    assert code == 0
    record = json.loads(files["figures.json"].read_text())
    lines = [f"t: {r['seconds']:.3f}s | accuracy: {r['accuracy']:.6f}" for r in record["iterations"]]
    assert out.splitlines() == [*lines, f"test digits read right: {record['test_accuracy']:.6f}"]
    assert [r["iteration"] for r in record["iterations"]] == [0, 1, 2]
    assert record["machine"]["cores"] >= 1
    train = mnist.load("train")
    x, labels = mnist.talk_features(train.images[:2000]), train.labels[:2000]
    theta = logistic.fit(x, labels, kernel="blas", iterations=3)
    assert np.allclose(np.load(files["weights.npz"])["theta"], theta)
    test = mnist.load("test")
    assert record["test_accuracy"] == logistic.accuracy(mnist.talk_features(test.images), test.labels, theta)
    assert files["curve.png"].read_bytes().startswith(b"\x89PNG")
    assert sorted(os.listdir(tmp_path)) == sorted(files)


def test_train_computes_in_what_the_rung_knows(mlteach, monkeypatch):
    """As the rungs of the GPU, which know float32 only."""
    short = replace(KERNELS["blas"], name="short", dtypes=(np.dtype("float32"),))
    monkeypatch.setitem(sys.modules, "short_rungs", SimpleNamespace(RUNGS={"short": short}))
    monkeypatch.setattr(KERNELS, "_modules", {**KERNELS._modules, "short": "short_rungs"})
    arguments = ("train", "--kernel", "short", "--images", 20, "--iterations", 1)
    code, out, _ = mlteach(*arguments)
    assert code == 0
    assert "accuracy" in out
    code, _, err = mlteach(*arguments, "--dtype", "float64")
    assert code == 2
    assert "--kernel short does not compute in float64: leave --dtype out" in err


@pytest.mark.parametrize("arguments", [[], ["--kernel", "jit_ikj"], ["--dtype", "float64", "--threads", 1]])
def test_train_mlp_learns_a_network_that_can_be_loaded(mlteach, tmp_path, arguments):
    files = {name: tmp_path / name for name in ("figures.json", "network.npz", "curve.png")}
    code, out, _ = mlteach(
        *("train", "--model", "mlp", "--iterations", 3, "--images", 1000, *arguments),
        *("--json", files["figures.json"], "--save", files["network.npz"], "--plot", files["curve.png"]),
    )
    assert code == 0
    record = json.loads(files["figures.json"].read_text())
    accuracies = [r["accuracy"] for r in record["iterations"]]
    assert out.count("| accuracy: ") == 3
    assert accuracies[0] < 0.3 < 0.8 < accuracies[2]
    test = mnist.load("test")
    network = mlp.MLP.load(files["network.npz"])
    assert network.accuracy(mlp.features(test.images), test.labels) == record["test_accuracy"]
    assert files["curve.png"].read_bytes().startswith(b"\x89PNG")


def test_train_fused_prints_the_talks_accuracies(mlteach, tmp_path):
    fused, talk = tmp_path / "fused.json", tmp_path / "talk.json"
    mlteach("train", "--iterations", 3, "--images", 1000, "--json", talk)
    code, out, _ = mlteach("train", "--model", "fused", "--iterations", 3, "--images", 1000, "--json", fused)
    assert code == 0
    assert out.count("| accuracy: ") == 3
    pairs = [json.loads(file.read_text()) for file in (fused, talk)]
    accuracies = np.array([[r["accuracy"] for r in record["iterations"]] for record in pairs])
    assert np.abs(accuracies[0] - accuracies[1]).max() < 0.0011  # one digit of a thousand


def test_train_where_nothing_shows_what_it_prints(monkeypatch, tmp_path):
    monkeypatch.setattr(
        sys, "argv", ["mlteach", "train", "--images", "5", "--json", str(tmp_path / "f.json")]
    )
    monkeypatch.setattr(sys, "stdout", None)  # as where a service started it
    assert cli._run() == 0
    assert len(json.loads((tmp_path / "f.json").read_text())["iterations"]) == 10


def test_no_iterations_save_the_weights_at_the_start(mlteach, tmp_path):
    assert mlteach("train", "--images", 5, "--iterations", 0, "--save", tmp_path / "w.npz")[0] == 0
    assert not np.load(tmp_path / "w.npz")["theta"].any()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize("option", ["--save", "--json"])
def test_a_full_disk_is_one_sentence(mlteach, option):
    code, _, err = mlteach("train", "--images", 5, "--iterations", 1, option, "/dev/full")
    assert code == 1
    assert err == "mlteach: cannot write /dev/full: No space left on device, choose another place\n"


def test_an_unwritable_folder_is_found_before_the_work(mlteach, tmp_path, monkeypatch):
    def refuse(**where):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(cli_files.tempfile, "TemporaryFile", refuse)
    code, out, err = mlteach("train", "--save", tmp_path / "w.npz")
    assert (code, out) == (cli.MISUSED, "")
    assert "Permission denied" in err


def test_json_to_a_piped_standard_output():
    if not os.path.exists("/dev/stdout"):
        pytest.skip("this system has no /dev/stdout")
    command = [sys.executable, "-m", "mlteach", "train", "--images", "5", "--iterations", "1"]
    done = subprocess.run([*command, "--json", "/dev/stdout"], capture_output=True, text=True)
    assert done.stderr == ""
    assert json.loads(done.stdout[done.stdout.index("{") :])["iterations"][0]["iteration"] == 0


def test_a_console_without_the_signs_gets_others():
    command = [sys.executable, "-m", "mlteach", "ladder", "--help"]
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    done = subprocess.run(command, capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"marked with ?" in done.stdout


def test_train_softmax_learns_something_else(mlteach, tmp_path):
    accuracies = {}
    for model in ("talk", "softmax"):
        mlteach("train", "--model", model, "--images", 500, "--iterations", 8, "--json", tmp_path / "f.json")
        records = json.loads((tmp_path / "f.json").read_text())["iterations"]
        accuracies[model] = [r["accuracy"] for r in records]
    assert accuracies["talk"][0] == accuracies["softmax"][0]
    assert accuracies["talk"] != accuracies["softmax"]
    assert min(a[-1] for a in accuracies.values()) > 2 * accuracies["talk"][0]


CUT_SHORT = """
from mlteach import cli
from mlteach.measure import climb
whole = climb.ladder
def ladder(kernels, shape, *rest):
    if shape[0] > 10:
        raise MemoryError("no room for 35 PiB")
    return whole(kernels, shape, *rest)
climb.ladder = ladder
cli.main()
"""


def test_a_ladder_that_is_cut_short_keeps_what_was_measured(tmp_path):
    arguments = ["ladder", "--size", "8", "--size", "16", "--kernels", "blas", "--json", "l.json"]
    done = subprocess.run(
        [sys.executable, "-c", CUT_SHORT, *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.endswith("mlteach: no room for 35 PiB: choose smaller or fewer matrices\n")
    (product,) = json.loads((tmp_path / "l.json").read_text())["measurements"]
    assert product["shape"] == [8, 8, 8]


INTERRUPTED = """
import sys, threading, _thread
from mlteach import cli
from mlteach.learn import logistic
step, calls = logistic.step, []
def slow(*args, **how):
    calls.append(1)
    if len(calls) == 3:
        raise KeyboardInterrupt
    return step(*args, **how)
logistic.step = slow
cli.main()
"""


def test_ctrl_c_keeps_what_was_learned(tmp_path):
    weights, figures = tmp_path / "w.npz", tmp_path / "f.json"
    arguments = [
        "train",
        "--images",
        "300",
        "--iterations",
        "50",
        "--save",
        str(weights),
        "--json",
        str(figures),
    ]
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, *arguments], capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr == "mlteach: interrupted\n"
    assert len(done.stdout.splitlines()) == 2
    train = mnist.load("train")
    x, labels = mnist.talk_features(train.images[:300]), train.labels[:300]
    expected = logistic.fit(x, mnist.one_hot(labels), kernel="blas", iterations=2)
    assert np.allclose(np.load(weights)["theta"], expected)
    assert len(json.loads(figures.read_text())["iterations"]) == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to a whole console")
def test_a_real_interrupt_ends_with_130(tmp_path):
    command = [sys.executable, "-u", "-m", "mlteach", "train", "--iterations", "100000", "--images", "2000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "mlteach: interrupted\n"


def test_notebooks_are_copied_once(mlteach, tmp_path, monkeypatch):
    source = tmp_path / "source"
    (source / "solutions").mkdir(parents=True)
    (source / "00_a.ipynb").write_text("a")
    (source / "solutions" / "00_b.ipynb").write_text("b")
    monkeypatch.setattr(resources, "folder", lambda name: source)
    target = tmp_path / "mine"
    assert mlteach("notebooks", target)[1].startswith("2 files copied")
    assert (target / "solutions" / "00_b.ipynb").read_text() == "b"
    (target / "00_a.ipynb").write_text("my own work")
    code, out, _ = mlteach("notebooks", target)
    assert code == 0
    assert (target / "00_a.ipynb").read_text() == "my own work"
    assert "kept your own" in out
    assert "0 files copied" in out


def test_doctor_exits_1_only_when_something_fails(mlteach, tmp_path, monkeypatch):
    from mlteach.measure import doctor

    code, out, _ = mlteach("doctor", "--json", tmp_path / "d.json")
    record = json.loads((tmp_path / "d.json").read_text())
    assert code == (1 if any(f["status"] == "fail" for f in record["findings"]) else 0)
    assert len(record["findings"]) >= 8
    broken = doctor.Finding("digits", "fail", "The digits are damaged.", "Install mlteach again.")
    monkeypatch.setattr(doctor, "examine", lambda: [broken])
    code, out, _ = mlteach("doctor")
    assert code == 1
    assert "Install mlteach again." in out


def test_doctor_prints_every_word(mlteach, monkeypatch):
    from mlteach.measure import doctor

    path = "/home/a[b]/[/c]/" + "long" * 30
    found = doctor.Finding("JupyterLab", "warn", path, 'Run `pip install "mlteach[lab]"`.')
    monkeypatch.setattr(doctor, "examine", lambda: [found])
    printed = "".join(mlteach("doctor")[1].split())
    assert path in printed
    assert "mlteach[lab]" in printed


def test_ladder_goes_on_without_a_rung_that_cannot_run(mlteach, monkeypatch):
    rungs = {"loops": "mlteach.matmul.loops", "jit": "no_such_package", "numpy_rows": "mlteach.matmul.loops"}
    monkeypatch.setattr(KERNELS, "_modules", rungs)
    code, out, err = mlteach("ladder", "--size", 8, "--threads", 1)
    assert code == 0
    assert "loops" in out
    assert "numpy_rows" in out
    assert "jit: No module named 'no_such_package'" in err


def test_ladder_measures_every_rung(mlteach, tmp_path):
    figures, picture = tmp_path / "ladder.json", tmp_path / "ladder.png"
    code, out, _ = mlteach(
        "ladder", "--size", 48, "--kernels", "loops,jit,blas", "--json", figures, "--plot", picture
    )
    assert code == 0
    record = json.loads(figures.read_text())
    assert {m["kernel"] for m in record["measurements"]} == {"loops", "jit", "blas"}
    assert record["format"] == 1
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "loops" in out
    assert "GFLOP/s" in out


@pytest.mark.parametrize("arguments", [("--device", "gpu"), ("--kernels", "cuda_naive,cublas")])
def test_ladder_for_a_gpu_says_what_is_missing(mlteach, monkeypatch, arguments):
    monkeypatch.setattr("mlteach.gpu.why_not", lambda *needs: "there is no NVIDIA driver here: install it")
    code, out, err = mlteach("ladder", *arguments)
    assert (code, out) == (1, "")
    assert err == "mlteach: there is no NVIDIA driver here: install it\n"
