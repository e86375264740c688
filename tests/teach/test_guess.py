"""Guesses: what the reader sees, and what the journal keeps."""

import math

import numpy as np
import pytest

from mlteach.measure import Journal
from mlteach.teach.guess import predict

QUESTION = "Seconds for one iteration in Python"


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path)


def test_without_a_guess_a_line_says_what_to_do_and_nothing_is_kept(journal, capsys):
    prediction = predict(QUESTION, None, "s", journal=journal)
    assert repr(prediction) == "No guess yet. Put a number in place of None, then run the cell again."
    prediction.reveal(47.0)
    assert capsys.readouterr().out == "Measured: 47 s.\n"
    assert journal.guesses() == {}
    assert not journal.path.exists()


def test_a_guess_is_kept_and_the_truth_beside_it(journal, capsys):
    prediction = predict(QUESTION, 12, "s", journal=journal)
    assert repr(prediction) == "Your guess: 12 s. It is in your journal."
    assert journal.guesses()[QUESTION].value == 12
    prediction.reveal(47.0)
    assert capsys.readouterr().out == "Measured: 47 s. You guessed 12 s, 3.9 times too low.\n"
    kept = Journal(journal.path).guesses()[QUESTION]
    assert (kept.value, kept.unit, kept.truth) == (12, "s", 47.0)


def test_the_readers_own_journal_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("MLTEACH_HOME", str(tmp_path))
    predict(QUESTION, 12, "s")
    assert Journal().guesses()[QUESTION].value == 12
    assert (tmp_path / "journal.json").exists()


@pytest.mark.parametrize(
    ("guess", "truth", "unit", "said"),
    [
        (12, 0.0774, "s", "Measured: 77.4 ms. You guessed 12 s, 155 times too high."),
        (50, 81.2, "%", "Measured: 81 %. You guessed 50 %, 1.62 times too low."),
        (46.5, 47, "s", "Measured: 47 s. You guessed 46.5 s, within 5 %."),
        (47, 47.0, "s", "Measured: 47 s. You guessed 47 s, exactly right."),
        (0, 47.0, "s", "Measured: 47 s. You guessed 0 s, 47 s too low."),
        (-3, 5, "x", "Measured: 5 x. You guessed -3 x, 8.0 x too low."),
        (3, 0, "", "Measured: 0. You guessed 3, 3.0 too high."),
        (1e6, 999_500, "", "Measured: 999 500. You guessed 1000000, within 5 %."),
        (1 / 3, 0.25, "", "Measured: 0.25. You guessed 0.333333333333, 1.33 times too high."),
    ],
)
def test_the_sentence_that_compares(journal, capsys, guess, truth, unit, said):
    predict(QUESTION, guess, unit, journal=journal).reveal(truth)
    assert capsys.readouterr().out == said + "\n"


@pytest.mark.parametrize("guess", ["12 s", True, math.nan, math.inf, 1j, [12], 10**400])
def test_only_a_finite_number_is_a_guess(journal, guess):
    with pytest.raises(TypeError, match="a guess is a plain number, not "):
        predict(QUESTION, guess, "s", journal=journal)
    assert journal.guesses() == {}


def test_numpy_numbers_are_numbers(journal, capsys):
    predict(QUESTION, np.int64(3), "x", journal=journal).reveal(np.float32(6))
    assert capsys.readouterr().out == "Measured: 6.0 x. You guessed 3 x, 2.0 times too low.\n"


def test_a_truth_that_is_no_number_is_refused(journal):
    with pytest.raises(TypeError, match="give what was measured"):
        predict(QUESTION, 3, "x", journal=journal).reveal("fast")
