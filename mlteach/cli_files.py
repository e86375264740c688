"""What the command line writes: checked before the work begins, and there whole or not at all."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mlteach.errors import Misuse
from mlteach.files import replacing

PICTURES = (".png", ".svg", ".pdf")


def check_files(picture: Path | None, *others: Path | None) -> None:
    """Find out before the work begins whether its results can be written."""
    files = [file for file in (picture, *others) if file]
    files = [file for file in files if file.is_file() or file.is_dir() or not file.exists()]  # no devices
    for file in files:
        folder = file.resolve().parent
        if file.is_dir():
            raise Misuse(f"cannot write {file}: it is a folder, name a file in it")
        if not folder.is_dir():
            raise Misuse(f"cannot write {file}: the folder {folder} does not exist, make it first")
        try:
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise Misuse(f"cannot write {file}: {error.strerror}, choose another folder") from None
    if len({file.resolve() for file in files}) < len(files):
        raise Misuse(f"cannot write {files[-1]} twice: give each result a file of its own")
    if picture and picture.suffix.lower() not in PICTURES:
        raise Misuse(f"cannot draw {picture}: its name must end in {', '.join(PICTURES)}")


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Replace a file whole, or say in a sentence why that cannot be."""
    try:
        with replacing(path) as file:
            yield file
    except OSError as error:
        raise RuntimeError(f"cannot write {path}: {error.strerror or error}, choose another place") from None


def write_plot(path: Path, figure) -> None:
    """Draw a figure to a file, in the format that its name says."""
    with writing(path) as file:
        if path.suffix.lower() == ".png":
            file.write(figure.png())
        else:
            figure.savefig(file, format=path.suffix[1:].lower())


def write_json(path: Path, record: dict) -> None:
    """Write a record as JSON."""
    with writing(path) as file:
        file.write((json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode())
