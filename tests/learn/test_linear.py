"""Linear regression: the talk's cost, its slope, and the way down."""

from itertools import pairwise

import numpy as np
import pytest

from mlteach import Matrix, zeros
from mlteach.learn import linear


def problem(m=7, features=4, outputs=3, seed=0):
    rng = np.random.default_rng(seed)
    return tuple(Matrix(rng.normal(size=size)) for size in ((m, features), (m, outputs), (features, outputs)))


def test_cost_is_half_the_mean_squared_error():
    X, y, theta = problem()
    error = X.to_array() @ theta.to_array() - y.to_array()
    assert linear.cost(X, theta, y) == pytest.approx((error**2).sum() / 14)


def test_gradient_is_the_slope_of_the_cost():
    X, y, theta = problem()
    slope, h = linear.gradient(X, theta, y), 1e-6
    assert slope.shape == theta.shape
    for i in range(theta.rows):
        for j in range(theta.columns):
            up, down = (linear.cost(X, theta.set(i, j, theta.at(i, j) + d), y) for d in (h, -h))
            assert slope.at(i, j) == pytest.approx((up - down) / (2 * h), abs=1e-6)


def test_fit_finds_the_weights_behind_the_data():
    X, _, truth = problem(m=60)
    costs = []
    found = linear.fit(
        X, X @ truth, rate=0.3, iterations=400, on_iteration=lambda i, c, theta: costs.append((i, c))
    )
    assert np.allclose(found.to_array(), truth.to_array(), atol=1e-4)
    assert [i for i, _ in costs] == list(range(400))
    assert all(after <= before + 1e-12 for (_, before), (_, after) in pairwise(costs))


def test_fit_begins_where_it_is_told():
    X, y, theta = problem()
    assert linear.fit(X, y, rate=0.1, iterations=0, theta=theta) == theta
    assert linear.fit(X, y, rate=0.1, iterations=0) == zeros(4, 3)


def test_a_step_beyond_the_stability_limit_climbs():
    X, y, _ = problem(m=60)
    largest = np.linalg.eigvalsh(X.to_array().T @ X.to_array() / X.rows)[-1]
    costs = {}
    for factor in (0.9, 1.1):
        theta = linear.fit(X, y, rate=2 / largest * factor, iterations=300)
        costs[factor] = linear.cost(X, theta, y)
    assert costs[0.9] < linear.cost(X, zeros(4, 3), y) < costs[1.1]
