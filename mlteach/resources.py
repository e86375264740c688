"""The files that come with the package: the notebooks and the recorded ladders."""

from pathlib import Path

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
    raise FileNotFoundError(f"the folder {name!r} did not come with this mlteach in {PACKAGE}: install it again")
