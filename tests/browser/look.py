"""Take a picture of a notebook as a reader sees it.

python -m tests.browser.look NOTEBOOK PICTURE.png [--dark] [--saved]
"""

import argparse
import sys
from pathlib import Path

from tests.browser import drive


def main():
    """Run a copy of the notebook in JupyterLab, or show it as it is saved, and take its picture."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.look", description="Picture a notebook.")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("picture", type=Path, help="the PNG file to write")
    parser.add_argument("--dark", action="store_true", help="in JupyterLab's dark theme")
    parser.add_argument("--saved", action="store_true", help="as it is saved, not run")
    options = parser.parse_args()

    show = drive.open_notebook if options.saved else drive.open_and_run
    with (
        drive.copied(options.notebook.parent) as folder,
        drive.jupyterlab(folder) as lab,
        drive.browser() as chromium,
    ):
        page = drive.new_page(chromium)
        show(page, lab, options.notebook.name)
        if options.dark:
            drive.go_dark(page)
        drive.picture(page, options.picture)
        for error in drive.errors(page):
            print(error, file=sys.stderr)


if __name__ == "__main__":
    main()
