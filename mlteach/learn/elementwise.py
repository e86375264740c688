"""What a network does to each number between its products, compiled: every pass over the memory counts.

Written with NumPy's operators, a training step would read and write its arrays twenty times between the five
products. Here each array passes once. All functions work in place, in the element type of their arrays.
"""

import math

from numba import njit

from mlteach.matmul.cached import keep_apart

# A velocity this small moves no weight. Left alone it would fade on below 1e-38, where the numbers of float32
# lose digits and a processor takes many times as long for each.
FAINT = 1e-30


@njit(nogil=True, cache=True)
def relu(outputs, biases):
    """Add the biases (n,) to every row of outputs (m, n), and turn what is below zero into zero."""
    m, n = outputs.shape
    zero = outputs.dtype.type(0)
    for i in range(m):
        for j in range(n):
            x = outputs[i, j] + biases[j]
            outputs[i, j] = zero if x < zero else x


@njit(nogil=True, cache=True)
def softmax(outputs, biases):
    """Add the biases (n,) to every row of scores (m, n), and turn each row into probabilities."""
    m, n = outputs.shape
    for i in range(m):
        highest = outputs[i, 0] + biases[0]
        for j in range(n):
            outputs[i, j] += biases[j]
            highest = max(highest, outputs[i, j])
        total = outputs.dtype.type(0)
        for j in range(n):
            outputs[i, j] = math.exp(outputs[i, j] - highest)
            total += outputs[i, j]
        for j in range(n):
            outputs[i, j] /= total


@njit(nogil=True, cache=True)
def score_error(probabilities, targets, scale, error, slopes):
    """Write probabilities minus targets, times scale, to error (m, n), and its column sums to slopes (n,)."""
    m, n = error.shape
    slopes[:] = 0
    for i in range(m):
        for j in range(n):
            error[i, j] = scale * (probabilities[i, j] - targets[i, j])
            slopes[j] += error[i, j]


@njit(nogil=True, cache=True)
def relu_error(outputs, error, slopes):
    """Clear the error (m, n) where the ReLU gave 0, and write its column sums to slopes (n,)."""
    m, n = error.shape
    zero = error.dtype.type(0)
    slopes[:] = 0
    for i in range(m):
        for j in range(n):
            x = error[i, j] if outputs[i, j] > zero else zero
            error[i, j] = x
            slopes[j] += x


@njit(nogil=True, cache=True)
def descend(parameters, velocity, gradient, momentum, pull):
    """Take a step: velocity = momentum * velocity + gradient, and the parameters less the velocity.

    To the gradient is added `pull` times the parameters.
    """
    zero, faint = velocity.dtype.type(0), velocity.dtype.type(FAINT)
    for i in range(parameters.size):
        v = momentum * velocity[i] + (gradient[i] + pull * parameters[i])
        velocity[i] = v if abs(v) > faint else zero
        parameters[i] -= v


keep_apart(relu, softmax, score_error, relu_error, descend)
