"""Files appear whole or not at all."""

import os
import stat

import pytest

from mlteach.files import replacing


def test_it_replaces_the_file(tmp_path):
    path = tmp_path / "a.json"
    for text in (b"first", b"second"):
        with replacing(path) as file:
            file.write(text)
        assert path.read_bytes() == text
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_a_failure_keeps_what_was_there(tmp_path, error):
    path = tmp_path / "a.json"
    path.write_bytes(b"old")

    def half():
        with replacing(path) as file:
            file.write(b"half")
            raise error("disk full")

    with pytest.raises(error):
        half()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_missing_folder_is_an_error(tmp_path):
    path = tmp_path / "none" / "a.json"
    with pytest.raises(FileNotFoundError) as caught, replacing(path):
        pytest.fail("the block must not run")
    assert caught.value.filename == str(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions and no such device")
def test_permissions_links_and_devices(tmp_path):
    path, link = tmp_path / "a.json", tmp_path / "link.json"
    with replacing(path) as file:
        file.write(b"new")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    path.chmod(0o640)
    link.symlink_to(path)
    with replacing(link) as file:
        file.write(b"newer")
    assert link.is_symlink()
    assert path.read_bytes() == b"newer"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    with replacing(os.devnull) as file:
        file.write(b"gone")
    assert not os.path.isfile(os.devnull)
