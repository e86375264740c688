"""Options that more than one command takes."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Dtype(StrEnum):
    """The element types of the ladder."""

    float32 = "float32"
    float64 = "float64"


JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")]
PlotFile = Annotated[
    Path | None, typer.Option("--plot", help="Draw a picture to this file (.png, .svg, .pdf).")
]
Threads = Annotated[int | None, typer.Option(help="Threads for parallel rungs; every core where left out.")]
