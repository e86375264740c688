"""The network: its gradient, its steps, what it keeps to the bit, what it reads from files, bad input."""

import copy
import pickle
import warnings

import numpy as np
import pytest

from mlteach import mnist
from mlteach.learn import mlp
from mlteach.learn.elementwise import relu

SIZES = [(3, 2), (5, 7, 4), (6, 1, 3), (7, 9, 5, 3)]


def problem(seed=0, n=40, inputs=6, classes=3):
    """Points around a few centres: a network can learn which centre is near."""
    random = np.random.default_rng(seed)
    y = random.integers(0, classes, n)
    return random.normal(size=(n, inputs)) + 2 * np.eye(classes, inputs)[y], y


def slopes(network, x, y, step=1e-6):
    """The gradient by central differences, in the order of the layers."""
    found = []
    for parameters in (part for layer in network.layers for part in layer):
        slope = np.empty_like(parameters)
        for place in np.ndindex(parameters.shape):
            middle, ends = parameters[place], []
            for nudge in (step, -step):
                parameters[place] = middle + nudge
                ends.append(network.cost(x, y))
            parameters[place] = middle
            slope[place] = (ends[0] - ends[1]) / (2 * step)
        found.append(slope)
    return found


@pytest.mark.parametrize("kernel", ["blas", "jit", None])
@pytest.mark.parametrize("sizes", SIZES)
def test_the_gradient_is_the_slope_of_the_cost(sizes, kernel):
    x, y = problem(n=11, inputs=sizes[0], classes=sizes[-1])
    network = mlp.MLP(sizes, seed=1, kernel=kernel, dtype="float64")
    for _, biases in network.layers:
        biases[:] = np.linspace(0.1, 0.5, len(biases))  # no number stands where the ReLU has its corner
    mine = [part for layer in network.gradient(x, y) for part in layer]
    for slope, expected in zip(mine, slopes(network, x, y), strict=True):
        assert slope.shape == expected.shape
        assert np.abs(slope - expected).max() < 1e-8


def test_a_step_is_momentum_gradient_and_decay():
    x, y = problem(n=8)
    network, same = (mlp.MLP((6, 5, 3), seed=4, kernel="blas", dtype="float64") for _ in range(2))
    velocities = [[np.zeros_like(part) for part in layer] for layer in same.layers]
    for rate in (0.3, 0.15):
        for layer, velocity, slope in zip(same.layers, velocities, same.gradient(x, y), strict=True):
            velocity[0] = 0.8 * velocity[0] + rate * (slope[0] + 0.01 * layer[0])
            velocity[1] = 0.8 * velocity[1] + rate * slope[1]
            for part, change in zip(layer, velocity, strict=True):
                part -= change
    network.fit(x, y, 2, 8, 0.3, momentum=0.8, decay=0.01, schedule=lambda done: 1 - done)
    for layer, expected in zip(network.layers, same.layers, strict=True):
        assert all(np.allclose(a, b, rtol=1e-12) for a, b in zip(layer, expected, strict=True))


def test_each_epoch_uses_every_example_once_in_a_new_order(monkeypatch):
    seen = []
    forward = mlp.Batch.forward
    monkeypatch.setattr(
        mlp.Batch, "forward", lambda self, layers: seen.append(self.x[:, 0].copy()) or forward(self, layers)
    )
    x = np.arange(10.0)[:, None] / 10
    mlp.MLP((1, 2), dtype="float64").fit(x, np.zeros(10, int), 2, 4, 0.1)
    assert [len(batch) for batch in seen] == [4, 4, 2] * 2
    first, second = np.concatenate(seen[:3]), np.concatenate(seen[3:])
    assert np.array_equal(np.sort(first), x[:, 0])
    assert np.array_equal(np.sort(second), x[:, 0])
    assert not np.array_equal(first, second)


def test_the_first_weights_are_as_large_as_a_relu_wants_them():
    (weights, biases), _ = mlp.MLP((500, 400, 10), seed=2, kernel="blas").layers
    assert weights.std() == pytest.approx((2 / 500) ** 0.5, rel=0.02)
    assert abs(weights.mean()) < 0.001
    assert not biases.any()


def test_a_short_last_batch_counts_its_own_examples_and_the_schedule_runs_on():
    x, y = problem(n=5)
    done = []
    network, same = (mlp.MLP((6, 3), seed=4, kernel="blas", dtype="float64") for _ in range(2))
    network.fit(x, y, 2, 2, 0.3, momentum=0, schedule=lambda part: done.append(part) or 1 - part)
    assert done == [0, 0.2, 0.4, 0.5, 0.7, 0.9]
    for part, rows in zip(done, batches(5, 2, epochs=2), strict=True):
        for layer, slope in zip(same.layers, same.gradient(x[rows], y[rows]), strict=True):
            for numbers, change in zip(layer, slope, strict=True):
                numbers -= 0.3 * (1 - part) * change
    assert np.allclose(network.probabilities(x), same.probabilities(x), rtol=1e-12)


def batches(count, size, epochs):
    """The rows of each batch, in the order that a network of six inputs, three classes and seed 4 takes."""
    random = np.random.default_rng(4)
    random.normal(size=(6, 3))
    for _ in range(epochs):
        order = random.permutation(count)
        yield from (order[start : start + size] for start in range(0, count, size))


def test_the_cosine_falls_from_one_to_nothing():
    assert [mlp.cosine(done) for done in (0, 0.5, 1)] == pytest.approx([1, 0.5, 0])
    assert mlp.cosine(0.25) == pytest.approx((1 + 0.5**0.5) / 2)


def test_a_seed_decides_every_bit():
    x, y = problem()
    learned = {}
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        network = mlp.MLP((6, 8, 3), seed).fit(x, y, 3, 16, 0.1)
        learned[name] = network.probabilities(x)
    assert np.array_equal(learned["a"], learned["b"])
    assert not np.allclose(learned["a"], learned["c"])


def test_every_rung_learns_the_same():
    x, y = problem()
    probabilities = [
        mlp.MLP((6, 8, 3), kernel=kernel, dtype="float64").fit(x, y, 2, 16, 0.1).probabilities(x)
        for kernel in ("loops", "numpy_rows", "jit", "jit_prange", "packed", "simd", "blas")
    ]
    assert all(np.allclose(one, probabilities[0], rtol=0, atol=1e-12) for one in probabilities)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_learns_and_says_how_sure_it_is(dtype):
    x, y = problem(n=300)
    network = mlp.MLP((6, 16, 3), dtype=dtype)
    before, costs = network.accuracy(x, y), []
    given = network.fit(x, y, 20, 32, 0.05, on_epoch=lambda epoch, one: costs.append((epoch, one.cost(x, y))))
    assert given is network
    assert [epoch for epoch, _ in costs] == list(range(20))
    assert costs[-1][1] < 0.5 * costs[0][1]
    assert network.accuracy(x, y) > max(0.9, before)
    shares = network.probabilities(x)
    assert shares.dtype == dtype
    assert np.allclose(shares.sum(axis=1), 1)
    assert np.array_equal(shares.argmax(axis=1), network.predict(x))


def test_one_hot_targets_are_labels_too():
    x, y = problem()
    networks = [mlp.MLP((6, 4, 3)).fit(x, given, 2, 10, 0.1) for given in (y, mnist.one_hot(y, 3))]
    assert np.array_equal(*(network.probabilities(x) for network in networks))


def test_inputs_of_any_layout_are_left_as_they_were():
    x, y = problem()
    x = np.asfortranarray(x)[::-1]
    x.setflags(write=False)
    before = x.copy()
    turned = mlp.MLP((6, 4, 3), dtype="float64").fit(x, y, 2, 7, 0.1).probabilities(x)
    plain = mlp.MLP((6, 4, 3), dtype="float64").fit(before, y, 2, 7, 0.1).probabilities(before)
    assert np.array_equal(turned, plain)
    assert np.array_equal(x, before)


def test_a_copy_learns_on_its_own():
    x, y = problem()
    network = mlp.MLP((6, 4, 3)).fit(x, y, 1, 10, 0.1)
    before, twin = network.probabilities(x), copy.deepcopy(network)
    assert not np.array_equal(twin.fit(x, y, 3, 10, 0.1).probabilities(x), before)
    assert np.array_equal(network.probabilities(x), before)


def test_sure_scores_stay_finite():
    network = mlp.MLP((2, 2), dtype="float64")
    network.layers[0][0][:] = [[1e4, -1e4], [-1e4, 1e4]]
    assert np.array_equal(network.probabilities([[1.0, 0.0], [0.0, 1.0]]), np.eye(2))
    network.layers[0][1][:] = -1e6
    assert np.array_equal(network.probabilities([[1.0, 0.0], [0.0, 1.0]]), np.eye(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert network.cost([[1.0, 0.0]], [1]) == np.inf
        assert network.cost([[1.0, 0.0]], [0]) == 0


def test_shares_of_several_classes_are_targets_too():
    x, _ = problem()
    network, shares = mlp.MLP((6, 3), dtype="float64"), np.tile([0.25, 0.75, 0], (len(x), 1))
    expected = -(shares * np.log(network.probabilities(x))).sum() / len(x)
    assert network.cost(x, shares) == pytest.approx(expected)


def test_what_is_not_a_number_does_not_vanish_in_the_relu():
    outputs = np.array([[np.nan, -1.0, 2.0]])
    relu(outputs, np.zeros(3))
    assert np.array_equal(outputs, [[np.nan, 0, 2]], equal_nan=True)


def test_a_faint_velocity_is_dropped_before_it_slows_the_processor():
    velocity = np.full(4, 1e-29, np.float32)
    parameters = np.zeros(4, np.float32)
    for _ in range(40):
        mlp.descend(parameters, velocity, np.zeros_like(velocity), np.float32(0.9), np.float32(0))
    assert np.array_equal(velocity, np.zeros(4))


def test_digits_are_read(tmp_path):
    train, test = mnist.load("train"), mnist.load("test")
    x, y = mlp.features(train.images[:6000]), train.labels[:6000]
    network = mlp.MLP((784, 32, 10)).fit(x, y, 4, 64, 0.1, schedule=mlp.cosine)
    unseen = mlp.features(test.images)
    assert network.accuracy(unseen, test.labels) > 0.91
    network.save(tmp_path / "network.npz")
    again = mlp.MLP.load(tmp_path / "network.npz")
    assert (again.sizes, again.dtype) == (network.sizes, network.dtype)
    assert np.array_equal(again.probabilities(unseen), network.probabilities(unseen))
    again.fit(x[:64], y[:64], 1, 64, 0.1)  # it can go on learning
    assert [path.name for path in tmp_path.iterdir()] == ["network.npz"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_is_loaded_as_it_was_saved(tmp_path, dtype):
    network = mlp.MLP((6, 5, 3), seed=7, dtype=dtype)
    network.save(tmp_path / "network.npz")
    again = mlp.MLP.load(tmp_path / "network.npz", kernel="blas", threads=1)
    assert (again.sizes, again.dtype) == (network.sizes, dtype)
    for layer, expected in zip(again.layers, network.layers, strict=True):
        assert all(map(np.array_equal, layer, expected))
    with pytest.raises(ValueError, match="did you mean 'blas'"):
        mlp.MLP.load(tmp_path / "network.npz", kernel="blass")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_98_percent_for_every_seed(seed):
    train, test = mnist.load("train"), mnist.load("test")
    network = mlp.MLP(mlp.SIZES, seed)
    network.fit(mlp.features(train.images), train.labels, mlp.EPOCHS, **mlp.RECIPE)
    assert network.accuracy(mlp.features(test.images), test.labels) >= 0.98


def other_files(folder):
    """Files that are not a network, by what is wrong with them."""
    right = {"format": mlp.FORMAT, "sizes": (2, 3), "parameters": np.zeros(9, np.float32)}
    changed = {
        "format": {"format": "mlteach network 0"},
        "sizes": {"sizes": (2, 4)},
        "no sizes": {"sizes": ()},
        "broken sizes": {"sizes": (2.5, 3)},
        "dtype": {"parameters": np.zeros(9, int)},
        "shape": {"parameters": np.zeros((3, 3))},
        "not finite": {"parameters": np.full(9, np.nan, np.float32)},
        "pickle": {"parameters": np.array([print] * 9, object)},
    }
    for name, change in changed.items():
        np.savez(folder / name, **{**right, **change})
        yield name, folder / f"{name}.npz"
    np.savez(folder / "theta.npz", theta=np.zeros(3))
    np.save(folder / "array.npy", np.zeros(3))
    (folder / "pickle.npz").write_bytes(pickle.dumps(right))
    (folder / "text.npz").write_text("a network")
    (folder / "empty.npz").write_bytes(b"")
    mlp.MLP((2, 3)).save(folder / "whole.npz")
    whole = (folder / "whole.npz").read_bytes()
    (folder / "cut.npz").write_bytes(whole[: len(whole) // 2])
    yield from ((name, folder / name) for name in ("theta.npz", "array.npy", "pickle.npz", "text.npz"))
    yield from ((name, folder / name) for name in ("empty.npz", "cut.npz"))


def test_only_its_own_files_are_read(tmp_path):
    for name, path in other_files(tmp_path):
        with pytest.raises(ValueError, match="is not a network that this version of mlteach saved") as caught:
            mlp.MLP.load(path)
        assert str(path) in str(caught.value), name
    with pytest.raises(FileNotFoundError):
        mlp.MLP.load(tmp_path / "missing.npz")


X, Y = problem()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"x": X[:, :5]}, ValueError, r"x of shape \(40, 5\) does not fit MLP\(6-4-3, float32\)"),
        ({"x": X[:0], "y": Y[:0]}, ValueError, "at least one row of 6"),
        ({"x": X.astype(np.uint8)}, TypeError, r"x holds uint8.*features\(images\)"),
        ({"x": np.where(X > 2, np.nan, X)}, ValueError, "not a number"),
        ({"y": Y[:-1]}, ValueError, r"y of shape \(39,\) does not fit 40 rows"),
        ({"y": Y + 1}, ValueError, "label 3 at position"),
        ({"y": Y / 2}, ValueError, "whole numbers"),
        ({"epochs": -1}, ValueError, "epochs must be a whole number from 0 on, not -1"),
        ({"epochs": 1.5}, ValueError, r"not 1\.5"),
        ({"batch": 0}, ValueError, "batch must be a whole number from 1 on, not 0"),
        ({"rate": 0}, ValueError, "rate must be a number above 0, not 0"),
        ({"rate": float("nan")}, ValueError, "not nan"),
        ({"momentum": 1}, ValueError, "momentum must be a number from 0 to below 1, not 1"),
        ({"decay": -1e-3}, ValueError, r"decay must be a number from 0 on, not -0\.001"),
        ({"y": np.full((40, 3), np.nan)}, ValueError, "y has rows that are no shares of the classes"),
        ({"y": [["a", "b", "c"]] * 40}, ValueError, "y has rows that are no shares of the classes"),
        ({"rate": "quick"}, ValueError, "rate must be a number above 0, not 'quick'"),
        ({"momentum": None}, ValueError, "momentum must be a number from 0 to below 1, not None"),
        ({"decay": 1j}, ValueError, "decay must be a number from 0 on, not 1j"),
        ({"rate": 1e30, "epochs": 5}, FloatingPointError, r"epoch \d: choose a rate below 1e\+30"),
    ],
)
def test_bad_input_is_one_sentence(change, error, words):
    good = {"x": X, "y": Y, "epochs": 1, "batch": 8, "rate": 0.1}
    with pytest.raises(error, match=words), np.errstate(all="ignore"):
        mlp.MLP((6, 4, 3)).fit(**(good | change))


def test_weights_that_grew_without_bound_are_put_back():
    network = mlp.MLP((6, 4, 3)).fit(X, Y, epochs=1, batch=8, rate=0.1)
    before = [part.copy() for layer in network.layers for part in layer]
    with pytest.raises(FloatingPointError), np.errstate(all="ignore"):
        network.fit(X, Y, epochs=1, batch=8, rate=1e30)
    after = [part for layer in network.layers for part in layer]
    assert all(map(np.array_equal, before, after))


@pytest.mark.parametrize("row", [[1, 1, 0], [2, -1, 0], [0, 0, 0]])
def test_targets_are_shares(row):
    with pytest.raises(ValueError, match="no shares of the classes"):
        mlp.MLP((6, 4, 3)).cost(X[:1], [row])
    assert mlp.MLP((6, 4, 3)).cost(X[:1], [[0.5, 0.25, 0.25]]) > 0


@pytest.mark.parametrize("sizes", [(), (3,), (3, 0), (3, 2.5), (3, -1, 2), 784])
def test_sizes_are_checked(sizes):
    with pytest.raises(ValueError, match="two or more whole numbers from 1"):
        mlp.MLP(sizes)


def test_a_rung_is_checked_before_the_work():
    with pytest.raises(ValueError, match="did you mean 'blas'"):
        mlp.MLP((3, 2), kernel="blass")
    with pytest.raises(TypeError, match="float16"):
        mlp.MLP((3, 2), dtype="float16")


def test_features_are_ink():
    images = mnist.load("test").images[:3]
    expected = images.reshape(3, 784) / 255
    assert np.array_equal(mlp.features(images, dtype="float64"), expected)
    assert np.array_equal(mlp.features(images.reshape(3, 784), dtype="float64"), expected)
    with pytest.raises(TypeError, match="not int64"):
        mlp.features(images, dtype="int64")
    assert mlp.features(images[0]).shape == (1, 784)
    assert mlp.features(images).dtype == np.float32
    with pytest.raises(ValueError, match=r"not float64 of shape \(3, 28, 28\)"):
        mlp.features(images / 255)
