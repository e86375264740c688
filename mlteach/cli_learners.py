"""The models of ``mlteach train`` behind one face: learn, predict, save."""

from collections.abc import Callable
from typing import BinaryIO, Protocol

import numpy as np

from mlteach import mnist
from mlteach.learn import logistic

Report = Callable[[float], None]  # takes the accuracy before a step, once the step is taken


class Learner(Protocol):
    """What the command needs of a model."""

    def learn(self, iterations: int, report: Report) -> None:
        """Take so many steps, and report the accuracy before each one when it is taken."""

    def predict(self, images: np.ndarray) -> np.ndarray:
        """The digits, shape (N,), that images (N, 28, 28) are read as."""

    def save(self, file: BinaryIO) -> None:
        """Write what was learned so far."""


class Products:
    """The talk's model, and softmax: three matrix products an iteration."""

    def __init__(self, digits: mnist.Digits, dtype: str, **how):
        self.x = mnist.talk_features(digits.images, dtype=dtype)
        self.targets = mnist.one_hot(digits.labels, dtype=dtype)
        self.how = how
        self.theta = np.zeros((self.x.shape[1], self.targets.shape[1]), dtype)

    def learn(self, iterations: int, report: Report) -> None:
        """Run the loop of logistic regression."""

        def on_iteration(iteration, accuracy, theta):
            self.theta = theta
            report(accuracy)

        logistic.fit(self.x, self.targets, **self.how, iterations=iterations, on_iteration=on_iteration)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """The class with the highest score: the sigmoid and softmax keep the order of scores."""
        return logistic.predict(mnist.talk_features(images), self.theta)

    def save(self, file: BinaryIO) -> None:
        """Write the weights as an array named theta."""
        np.savez(file, theta=self.theta)


class Fused(Products):
    """The talk's model, with one pass over the pixels an iteration."""

    def __init__(self, digits: mnist.Digits, threads: int | None):
        from mlteach.learn.fused import TalkStep

        self.step = TalkStep(digits.images, digits.labels, threads)
        self.theta = np.zeros((785, 10))

    def learn(self, iterations: int, report: Report) -> None:
        """Run the fused step again and again."""
        for _ in range(iterations):
            accuracy, self.theta = self.step.iterate(self.theta)
            report(accuracy)


class Network:
    """A network with one layer between, as ``mlp.RECIPE`` has it: an iteration is an epoch."""

    def __init__(self, digits: mnist.Digits, seed: int = 0, **how):
        from mlteach.learn import mlp

        self.features, self.recipe = mlp.features, mlp.RECIPE
        self.network = mlp.MLP(mlp.SIZES, seed, **how)
        self.x = mlp.features(digits.images, dtype=self.network.dtype)
        self.labels = digits.labels

    def learn(self, iterations: int, report: Report) -> None:
        """Train, with an accuracy before each epoch."""
        accuracy = self.network.accuracy(self.x, self.labels)

        def on_epoch(epoch, network):
            nonlocal accuracy
            report(accuracy)
            accuracy = network.accuracy(self.x, self.labels) if epoch + 1 < iterations else None

        self.network.fit(self.x, self.labels, iterations, **self.recipe, on_epoch=on_epoch)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """The most probable digits."""
        return self.network.predict(self.features(images, dtype=self.network.dtype))

    def save(self, file: BinaryIO) -> None:
        """Write the network."""
        self.network.save(file)
