"""The whole iteration, timed in processes of its own."""

import json

import numpy as np
import pytest

from mlteach.measure import describe, fused_bench


@pytest.mark.parametrize("way", fused_bench.WAYS)
def test_every_way_does_the_talks_iteration(way):
    step = fused_bench.iteration(way, 2)
    first, theta = step(np.zeros((785, 10)))
    second, theta = step(theta)
    assert [first, second] == pytest.approx([0.098717, 0.395033], abs=1e-4)


def test_a_way_in_a_process_of_its_own():
    (timed,) = fused_bench.time_ways(1, 2, ["fused"])
    assert (timed["way"], timed["threads"], len(timed["processes"])) == ("fused", 1, 2)
    assert min(timed["processes"]) <= timed["seconds"] <= max(timed["processes"])
    assert 0 < timed["seconds"] < timed["first"]


def test_figures_are_added_to_a_file(tmp_path, monkeypatch, capsys):
    def timed(threads, rounds):
        return [
            {"way": way, "threads": threads, "seconds": seconds, "processes": [seconds], "first": 1.0}
            for way, seconds in zip(fused_bench.WAYS, (0.08, 0.04, 0.01, 0.005), strict=True)
        ]

    monkeypatch.setattr(fused_bench, "time_ways", timed)
    monkeypatch.setattr(fused_bench, "timed_machine", lambda measure: describe())
    path = tmp_path / "figures.json"
    for threads in (1, 2, 1):
        fused_bench.main(["--threads", str(threads), "--json", str(path)])
    kept = json.loads(path.read_text())
    assert [one["threads"] for one in kept["iterations"]] == [2] * 4 + [1] * 4
    assert kept["machine"]["cores"] >= 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.split() == ["fused", "5", "ms", "16", "times", "numpy", "float64"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--threads", "0"], "argument --threads: it must be a whole number from 1, not '0'"),
        (["--rounds", "-1"], "argument --rounds: it must be a whole number from 1, not '-1'"),
        (["--rounds", "many"], "not 'many'"),
        (["--json", "none/figures.json"], "no figures can be added to none/figures.json"),
        (["--json", "."], "no figures can be added to ."),
        (["--json", "broken.json"], "no figures can be added to broken.json"),
        (["--json", "other.json"], "no figures can be added to other.json"),
    ],
)
def test_misuse_is_told_before_the_work(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fused_bench, "time_ways", lambda threads, rounds: pytest.fail("it began"))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "other.json").write_text('{"iterations": [1]}')
    with pytest.raises(SystemExit) as caught:
        fused_bench.main(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err
