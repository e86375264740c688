"""The files that come with the package are found."""

import pytest

from mlteach import resources


@pytest.mark.parametrize("name", ["notebooks", "results"])
def test_the_folders_are_there(name):
    assert resources.folder(name).is_dir()


def test_an_installed_folder_comes_before_that_of_the_repository(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "PACKAGE", tmp_path / "mlteach")
    (tmp_path / "results").mkdir()
    assert resources.folder("results") == tmp_path / "results"
    (tmp_path / "mlteach" / "results").mkdir(parents=True)
    assert resources.folder("results") == tmp_path / "mlteach" / "results"
    with pytest.raises(FileNotFoundError, match="'notebooks' did not come"):
        resources.folder("notebooks")


def test_a_copy_never_touches_what_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "PACKAGE", tmp_path / "mlteach")
    source, target = tmp_path / "notebooks", tmp_path / "mine"
    (source / "solutions").mkdir(parents=True)
    for name in ("00.ipynb", "solutions/00.ipynb"):
        (source / name).write_text("original")
    assert resources.copy("notebooks", target) == ([target / "00.ipynb", target / "solutions/00.ipynb"], [])
    (target / "00.ipynb").write_text("mine")
    assert resources.copy("notebooks", target) == ([], [target / "00.ipynb"])
    assert (target / "00.ipynb").read_text() == "mine"
