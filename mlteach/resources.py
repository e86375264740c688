"""The files that come with the package: the notebooks and the recorded ladders."""

from pathlib import Path

from mlteach.files import replacing

PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """Find a folder of files that come with the package.

    Parameters
    ----------
    name : {"notebooks", "results"}

    Returns
    -------
    pathlib.Path
        The folder inside an installed package, or that of the repository where the package runs from it.

    Raises
    ------
    FileNotFoundError
        Where neither is there.
    """
    for place in (PACKAGE / name, PACKAGE.parent / name):
        if place.is_dir():
            return place
    raise FileNotFoundError(
        f"the folder {name!r} did not come with this mlteach in {PACKAGE}: install it again"
    )


def copy(name: str, target: Path) -> tuple[list[Path], list[Path]]:
    """Copy a folder of files that come with the package; a file that is there is never touched.

    Parameters
    ----------
    name : {"notebooks", "results"}
    target : pathlib.Path
        The folder to copy to; made where it is missing.

    Returns
    -------
    copied, kept : list of pathlib.Path
        The files that were copied, and those that were there already and differ.
    """
    source, copied, kept = folder(name), [], []
    for path in sorted(p for p in source.rglob("*") if p.is_file() and ".ipynb_checkpoints" not in p.parts):
        place = target / path.relative_to(source)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            with replacing(place) as file:
                file.write(path.read_bytes())
            copied.append(place)
        elif place.read_bytes() != path.read_bytes():
            kept.append(place)
    return copied, kept
