"""The six orders of the three loops."""

import ast
import inspect
from itertools import permutations

import numpy as np
import pytest

from mlteach.matmul import matmul
from mlteach.matmul.orders import ORDERS


def test_there_are_all_six():
    assert sorted(ORDERS) == sorted(map("".join, permutations("ijk")))


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_is_what_its_name_says(order):
    nest = ast.parse(inspect.getsource(ORDERS[order].function.py_func))
    loops = [(node.target.id, node.iter.args[0].id) for node in ast.walk(nest) if isinstance(node, ast.For)]
    sizes = {"i": ("i", "m"), "j": ("j", "n"), "k": ("p", "k")}
    assert loops == [sizes[letter] for letter in order]


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_gives_the_bits_of_the_first(order):
    a, b = np.random.default_rng(1).normal(size=(2, 7, 7))
    for left in (a[:, :5], a[:5].T):
        expected = matmul(left, b[:5], kernel=ORDERS["ijk"])
        assert np.array_equal(matmul(left, b[:5], kernel=ORDERS[order]), expected)
        np.testing.assert_allclose(expected, left @ b[:5])
