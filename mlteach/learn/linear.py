"""Linear regression, as the talk wrote it: the cost and its gradient in a line or two of matrices."""

from collections.abc import Callable

from mlteach.matrix import Matrix, dot, minus, product, zeros


def cost(X: Matrix, theta: Matrix, y: Matrix) -> float:
    """Half the mean squared error of the scores ``X theta``, summed over the columns of y.

    Parameters
    ----------
    X : Matrix, m x features
        One example a row.
    theta : Matrix, features x outputs
        The weights.
    y : Matrix, m x outputs
        What should come out.
    """
    h = minus(product(X, theta), y)
    return dot(h, h).sum() / (2 * X.rows)


def gradient(X: Matrix, theta: Matrix, y: Matrix) -> Matrix:
    """The slope of ``cost`` in every weight: a Matrix of theta's shape that points uphill."""
    error = minus(product(X, theta), y)
    return product(X.t, error).scale(1 / X.rows)


def fit(
    X: Matrix,
    y: Matrix,
    *,
    rate: float,
    iterations: int,
    theta: Matrix | None = None,
    on_iteration: Callable[[int, float, Matrix], None] | None = None,
) -> Matrix:
    """Walk downhill on ``cost`` in steps of ``rate`` times the gradient.

    Parameters
    ----------
    X, y : Matrix
        As in ``cost``.
    rate : float
        The step size, also called the learning rate. Too small is slow, too large diverges.
    iterations : int
        How many steps.
    theta : Matrix, optional
        Where to begin; zeros where it is None.
    on_iteration : callable, optional
        ``on_iteration(iteration, cost, theta)``, called before each step.

    Returns
    -------
    Matrix, features x outputs
        The weights after the last step.
    """
    theta = zeros(X.columns, y.columns) if theta is None else theta
    for iteration in range(iterations):
        if on_iteration:
            on_iteration(iteration, cost(X, theta, y), theta)
        theta = minus(theta, gradient(X, theta, y).scale(rate))
    return theta
