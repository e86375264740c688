"""Drawings become pictures like those of MNIST."""

import numpy as np
import pytest

from mlteach import mnist
from mlteach.learn.mlp import MLP, features
from mlteach.teach.drawpad import SIDE
from mlteach.teach.ink import centred, resized


def on_the_pad(images, seed=0):
    """Draw images as a hand might: enlarged to the pad, in full ink or none, and anywhere on it."""
    random = np.random.RandomState(seed)
    for image in images:
        drawing = resized(image, SIDE, SIDE) > 127
        rows, columns = (np.flatnonzero(drawing.any(axis=axis)) for axis in (1, 0))
        shift = [random.randint(-places[0], SIDE - places[-1]) for places in (rows, columns)]
        yield np.roll(drawing, shift, (0, 1))


def nearest(pictures, train):
    """Read each picture as the nearest of the training digits."""
    x, pictures = (images.reshape(len(images), -1).astype(np.float32) for images in (train.images, pictures))
    return train.labels[((x * x).sum(axis=1) - 2 * pictures @ x.T).argmin(axis=1)]


def test_a_digit_of_mnist_comes_back_as_it_was():
    for image in mnist.load("test").images[:2000]:
        assert (centred(image) == image).all()


def test_a_drawing_is_read_as_well_as_the_digit_it_was_made_of():
    test, train = mnist.load("test"), mnist.load("train")
    train = mnist.Digits(train.images[:20_000], train.labels[:20_000])
    images, labels = test.images[:500], test.labels[:500]
    pictures = np.array([centred(drawing) for drawing in on_the_pad(images)])
    as_it_was = (nearest(images, train) == labels).mean()
    assert as_it_was > 0.92
    assert (nearest(pictures, train) == labels).mean() > as_it_was - 0.01


@pytest.mark.slow
def test_a_network_reads_19_of_20_drawings():
    test, train = mnist.load("test"), mnist.load("train")
    network = MLP((784, 128, 10), kernel="blas")
    network.fit(features(train.images), train.labels, epochs=3, batch=128, rate=0.1)
    pictures = np.array([centred(drawing) for drawing in on_the_pad(test.images[:1000])])
    assert network.accuracy(features(pictures), test.labels[:1000]) >= 0.95


@pytest.mark.parametrize("shape", [(140, 140), (28, 28), (7, 300)])
def test_ink_fills_the_box_and_its_mass_lies_at_the_centre(shape):
    drawing = np.zeros(shape, np.uint8)
    drawing[2:5, 3:20] = 255
    picture = centred(drawing)
    rows, columns = (np.flatnonzero(picture.any(axis=axis)) for axis in (1, 0))
    assert (len(columns), len(rows)) == (20, round(20 * 3 / 17))
    for axis in (0, 1):
        sums = picture.sum(axis=axis, dtype=float)
        assert abs(sums @ np.arange(28) / sums.sum() - 14) <= 0.5


@pytest.mark.parametrize("place", [(0, 0), (0, 139), (139, 70)])
def test_a_single_pixel_is_a_full_box(place):
    drawing = np.zeros((140, 140), bool)
    drawing[place] = True
    assert (centred(drawing)[4:24, 4:24] == 255).all()
    assert centred(drawing).sum() == 400 * 255


@pytest.mark.parametrize(("step", "first", "heavy"), [(1, 0, 19), (-1, 8, 8)])
def test_ink_with_its_mass_at_one_end_stays_inside(step, first, heavy):
    drawing = np.zeros((100, 100), np.uint8)
    drawing[:95, 50] = 10
    drawing[95:] = 255
    picture = centred(drawing[::step])
    assert np.flatnonzero(picture.any(axis=1)).tolist() == list(range(first, first + 20))
    assert (picture[heavy, 4:24] > 200).all()


def test_a_line_as_thin_as_can_be_is_one_pixel_thin():
    drawing = np.zeros((140, 140), bool)
    drawing[70, :] = True
    for turned, axis in ((drawing, 1), (drawing.T, 0)):
        assert np.flatnonzero(centred(turned).any(axis=axis)).tolist() == [14]


def test_ink_too_faint_to_be_seen_is_an_empty_picture():
    drawing = np.zeros((140, 140), np.uint8)
    drawing[0, 0] = drawing[-1, -1] = 1
    assert not centred(drawing).any()


def test_edges_are_soft():
    drawing = np.zeros((140, 140), bool)
    drawing[np.add.outer(np.arange(140), np.arange(140)) < 100] = True
    grey = np.unique(centred(drawing))
    assert len(grey) > 2


@pytest.mark.parametrize("drawing", [np.zeros((140, 140), np.uint8), np.zeros((0, 5), bool)])
def test_no_ink_is_an_empty_picture(drawing):
    picture = centred(drawing)
    assert picture.shape == (28, 28)
    assert picture.dtype == np.uint8
    assert not picture.any()


@pytest.mark.parametrize("drawing", [np.zeros(784, np.uint8), np.zeros((28, 28)), [[0, 300]], "7"])
def test_what_is_no_drawing_is_refused(drawing):
    with pytest.raises(ValueError, match="a drawing is uint8 or bool of shape"):
        centred(drawing)


def test_a_drawing_is_not_changed():
    drawing = mnist.load("test").images[3]
    assert not drawing.flags.writeable
    assert centred(drawing) is not drawing
