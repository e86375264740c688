"""Time an epoch of a 784-128-10 network, batch 128: ours, the same in plain NumPy, and PyTorch's eager loop.

Each runs alone in its process, the processes taking turns, on as many threads as this one may use. PyTorch
is no dependency: `--torch` names a Python that has it.

    python tools/race_networks.py results/network/NAME.json --torch /path/to/python
"""

import argparse
import datetime
import gzip
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

DATA = Path(__file__).parents[1] / "mlteach" / "data"
SIZES, BATCH, RATE, MOMENTUM = (784, 128, 10), 128, 0.1, 0.9
EPOCHS, ROUNDS = 6, 5


def digits():
    """Read the training digits: ink (60000, 784) float32 from 0 to 1, and labels."""
    images = gzip.decompress((DATA / "train-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((DATA / "train-labels-idx1-ubyte.gz").read_bytes())
    ink = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 784) / np.float32(255)
    return ink, np.frombuffer(labels, np.uint8, offset=8).astype(np.int64)


def ours(x, y, tick):
    """Train with mlteach."""
    from mlteach.learn import mlp

    mlp.MLP(SIZES).fit(x, y, EPOCHS, BATCH, RATE, MOMENTUM, on_epoch=lambda *_: tick())


def plain(x, y, tick):
    """Train with NumPy: every array made once, every operation in place, the parameters one long vector."""
    random, targets = np.random.default_rng(0), np.eye(10, dtype=np.float32)[y]
    inputs, hidden, classes = SIZES
    cuts = np.cumsum([inputs * hidden, hidden * classes, hidden])
    parameters, gradient, velocity = np.zeros((3, cuts[-1] + classes), np.float32)

    def parts(vector):
        w1, w2, b1, b2 = np.split(vector, cuts)
        return w1.reshape(inputs, hidden), w2.reshape(hidden, classes), b1, b2

    (w1, w2, b1, b2), (dw1, dw2, db1, db2) = parts(parameters), parts(gradient)
    for weights in (w1, w2):
        weights[...] = random.normal(0, np.sqrt(2 / len(weights)), weights.shape)
    memory = {}
    for rows in (BATCH, len(x) % BATCH):
        shapes = [(rows, inputs), (rows, classes), (rows, hidden), (rows, classes), (rows, hidden), (rows, 1)]
        memory[rows] = [np.empty(shape, np.float32) for shape in shapes] + [np.empty((rows, hidden), bool)]
    for _ in range(EPOCHS):
        order = random.permutation(len(x))
        for start in range(0, len(x), BATCH):
            rows = order[start : start + BATCH]
            a, t, h, p, error, column, on = memory[len(rows)]
            np.take(x, rows, axis=0, out=a, mode="clip")
            np.take(targets, rows, axis=0, out=t, mode="clip")
            np.matmul(a, w1, out=h)
            h += b1
            np.maximum(h, 0, out=h)
            np.matmul(h, w2, out=p)
            p += b2
            p -= np.max(p, axis=1, keepdims=True, out=column)
            np.exp(p, out=p)
            p /= np.sum(p, axis=1, keepdims=True, out=column)
            p -= t
            p *= np.float32(RATE / len(rows))
            np.matmul(h.T, p, out=dw2)
            np.sum(p, axis=0, out=db2)
            np.matmul(p, w2.T, out=error)
            error *= np.greater(h, 0, out=on)
            np.matmul(a.T, error, out=dw1)
            np.sum(error, axis=0, out=db1)
            velocity *= np.float32(MOMENTUM)
            velocity += gradient
            parameters -= velocity
        tick()


def torch(x, y, tick):
    """Train with PyTorch's eager loop."""
    import torch
    from torch import nn

    inputs, hidden, classes = SIZES
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    network = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, classes))
    cost, steps = nn.CrossEntropyLoss(), torch.optim.SGD(network.parameters(), lr=RATE, momentum=MOMENTUM)
    for _ in range(EPOCHS):
        order = torch.randperm(len(x))
        for start in range(0, len(x), BATCH):
            rows = order[start : start + BATCH]
            steps.zero_grad()
            cost(network(x[rows]), y[rows]).backward()
            steps.step()
        tick()


def run(who: str) -> None:
    """Train in this process and print the seconds of each epoch, and the versions."""
    x, y = digits()
    times = [time.perf_counter()]
    {"ours": ours, "numpy": plain, "torch": torch}[who](x, y, lambda: times.append(time.perf_counter()))
    versions = {
        name: sys.modules[name].__version__
        for name in ("mlteach", "numpy", "numba", "torch")
        if name in sys.modules
    }
    print(json.dumps({"seconds": np.diff(times).tolist(), "versions": versions}))


def main() -> None:
    """Let them take turns, and write medians and ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", help="the JSON file to write")
    parser.add_argument("--torch", help="a Python that has PyTorch")
    given = parser.parse_args()
    if given.target in ("ours", "numpy", "torch"):
        run(given.target)
        return
    from mlteach.measure import describe

    pythons = {"ours": sys.executable, "numpy": sys.executable} | (
        {"torch": given.torch} if given.torch else {}
    )
    epochs: dict[str, list[float]] = {who: [] for who in pythons}
    versions: dict[str, str] = {}
    for _ in range(ROUNDS):
        for who, python in pythons.items():
            told = subprocess.run([python, __file__, who], capture_output=True, text=True, check=True).stdout
            answer = json.loads(told.splitlines()[-1])
            epochs[who].append(statistics.median(answer["seconds"][1:]))  # the first loads and compiles
            versions |= answer["versions"]
    medians = {who: statistics.median(seconds) for who, seconds in epochs.items()}
    record = {
        "machine": describe().as_dict(),
        "date": datetime.date.today().isoformat(),
        "versions": versions,
        "workload": {
            "sizes": SIZES,
            "batch": BATCH,
            "momentum": MOMENTUM,
            "images": 60000,
            "dtype": "float32",
        },
        "seconds_per_epoch": medians,
        "rounds": epochs,
        "times_faster_than": {who: medians[who] / medians["ours"] for who in medians if who != "ours"},
    }
    Path(given.target).parent.mkdir(parents=True, exist_ok=True)
    Path(given.target).write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps({key: record[key] for key in ("seconds_per_epoch", "times_faster_than")}, indent=2))


if __name__ == "__main__":
    main()
